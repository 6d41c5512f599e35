"""order() with the sqlite store at 64 callers, against a bare POST and parse on the same transport.

    python tests/benchmarks/purchases.py [rounds] [orders in each stretch]

A purchase opens a connection of its own (it must not ride on one that the server may just be closing), so the POST it is compared with does, too.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from typing import TYPE_CHECKING

import aiohttp
import httpx
import xmltodict
from fixed_answers import Server, serving
from httpx_aiohttp import AiohttpTransport
from rounds import Rate, Stretch, in_turn

from callfire_async import CallFire, PollPolicy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CALLERS = 64
ASK_ALMOST_NOBODY = PollPolicy(max_rate=0.001)


async def by_callers(count: int, one: Callable[[], Awaitable[None]]) -> Rate:
    left = iter(range(count))

    async def caller() -> None:
        for _ in left:
            await one()

    stretch = Stretch()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return stretch.rate(count)


async def library(server: Server, count: int, store: str) -> Rate:
    async with CallFire("login", "password", base_url=server.base_url, store=store, poll=ASK_ALMOST_NOBODY) as client:

        async def one() -> None:
            await client.order(local=1)

        return await by_callers(count, one)


async def bare(server: Server, count: int, *, reuse: bool) -> Rate:
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=not reuse))
    async with session, httpx.AsyncClient(transport=AiohttpTransport(client=session)) as client:

        async def one() -> None:
            response = await client.post(f"{server.base_url}/number/order", data={"localCount": "1"})
            assert xmltodict.parse(response.content)

        return await by_callers(count, one)


async def main() -> None:
    rounds, count = (int(value) for value in (*sys.argv[1:], *("7", "2000")[len(sys.argv) - 1 :]))
    print("Rates; the time an order takes is the other way round: a ratio of 0.8 is 1.25 times the time.")
    with serving() as server, tempfile.TemporaryDirectory(dir=".") as directory:
        files = (f"sqlite:{directory}/{n}.db" for n in range(1_000))
        await in_turn(
            rounds,
            {
                "order(), sqlite": lambda: library(server, count, next(files)),
                "order(), memory": lambda: library(server, count, "memory:"),
                "POST and xmltodict, connections kept": lambda: bare(server, count, reuse=True),
                "POST and xmltodict": lambda: bare(server, count, reuse=False),
            },
        )


if __name__ == "__main__":
    asyncio.run(main())
