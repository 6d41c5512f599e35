"""Polls a second, end to end (claim, call, parse, observe, reschedule), against bare loops of `AsyncClient.get`.

    python tests/benchmarks/polls.py [rounds] [seconds of each stretch]

So many orders are open that one is always due. The loops make as many calls at once as the library does, and do nothing else.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

import httpx
import xmltodict
from fixed_answers import FIRST_ID, Server, serving
from httpx_aiohttp import HttpxAiohttpClient
from rounds import Rate, Stretch, in_turn

from callfire_async import CallFire, PollPolicy

AT_ONCE = 50
OPEN = 12_000


async def library(server: Server, seconds: float, store: str = "memory:") -> Rate:
    policy = PollPolicy(max_concurrency=AT_ONCE, brisk_for=3600.0)
    async with CallFire("login", "password", base_url=server.base_url, store=store, poll=policy) as client:
        await asyncio.gather(*(client.attach(order_id) for order_id in range(FIRST_ID, FIRST_ID + OPEN)))
        while client.stats().polls < OPEN:  # noqa: ASYNC110 - the first word about each is written down, the others bring nothing new
            await asyncio.sleep(0.05)
        stretch, before = Stretch(), client.stats().polls
        await asyncio.sleep(seconds)
        rate = stretch.rate(client.stats().polls - before)
        assert not client.stats().poll_errors
    server.forget()
    return rate


async def bare(server: Server, seconds: float, client: httpx.AsyncClient, *, parse: bool) -> Rate:
    ids = itertools.cycle(range(FIRST_ID, FIRST_ID + OPEN))
    calls, over = 0, False

    async def ask() -> None:
        nonlocal calls
        while not over:
            response = await client.get(server.order_url(next(ids)))
            if parse:
                assert xmltodict.parse(response.content)
            calls += 1

    async with client, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(ask())
        await asyncio.sleep(seconds / 4)
        stretch, before = Stretch(), calls
        await asyncio.sleep(seconds)
        rate, over = stretch.rate(calls - before), True
    server.forget()
    return rate


async def main() -> None:
    rounds, seconds = (int(value) for value in (*sys.argv[1:], *("5", "4")[len(sys.argv) - 1 :]))
    with serving() as server:
        ours = {
            "callfire_async": lambda: library(server, seconds),
        }
        aiohttp = {"get and xmltodict, httpx-aiohttp": lambda: bare(server, seconds, HttpxAiohttpClient(), parse=True)}
        own = {"get, httpx's own transport": lambda: bare(server, seconds, httpx.AsyncClient(), parse=False)}
        await in_turn(rounds, ours | aiohttp)
        await in_turn(rounds, ours | own)


if __name__ == "__main__":
    asyncio.run(main())
