"""Postbacks a second of one core (token, parse, dedupe and store included), against an aiohttp handler that reads and parses the same body.

    python tests/benchmarks/postbacks.py [rounds] [postbacks in each stretch]

The sender is a process of its own, with 32 connections that stay open. Nobody is asked meanwhile.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import xmltodict
from aiohttp import web
from fixed_answers import FIRST_ID, Server, serving
from rounds import Rate, Stretch, in_turn

from callfire_async import CallFire, Listener, PollPolicy

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CONNECTIONS = 32
SAMPLE = (Path(__file__).parents[1] / "samples" / "postback.number_order.hypothetical.xml").read_bytes()
ASK_ALMOST_NOBODY = PollPolicy(max_rate=0.001)


def body(order_id: int) -> bytes:
    return SAMPLE.replace(b"1428507003", b"%d" % order_id)


def send(port: int, path: str, ids: range, end: Connection[None, None]) -> None:
    """In the other process: one POST about each id, each answered 200 before the next on its connection."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/xml\r\nContent-Length: {len(body(FIRST_ID))}\r\n\r\n"

    async def connection(requests: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in requests:
            writer.write(request)
            answered = await reader.readuntil(b"\r\n\r\n")
            assert answered.startswith(b"HTTP/1.1 200")
        writer.close()

    async def send_all() -> None:
        requests = [head.encode() + body(order_id) for order_id in ids]
        end.send(None)
        end.recv()
        await asyncio.gather(*(connection(requests[n::CONNECTIONS]) for n in range(CONNECTIONS)))

    asyncio.run(send_all())
    end.send(None)


async def received(port: int, path: str, ids: range) -> Rate:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=send, args=(port, path, ids, theirs), daemon=True)
    process.start()
    news: asyncio.Queue[None] = asyncio.Queue()
    asyncio.get_running_loop().add_reader(ours.fileno(), lambda: news.put_nowait(ours.recv()))
    await news.get()  # it has imported and prepared everything
    stretch = Stretch()
    ours.send(None)
    await news.get()
    rate = stretch.rate(len(ids))
    asyncio.get_running_loop().remove_reader(ours.fileno())
    process.join()
    return rate


async def library(server: Server, count: int, *, store: str, trust: bool, again: bool = False) -> Rate:
    listener, ids = Listener(), range(FIRST_ID, FIRST_ID + count)
    async with CallFire(
        "login",
        "password",
        base_url=server.base_url,
        store=store,
        listener=listener,
        trust_postbacks=trust,
        poll=ASK_ALMOST_NOBODY,
    ) as client:
        path = listener.url.partition(str(listener.port))[2]
        await asyncio.gather(*(client.attach(order_id) for order_id in ids))
        for _ in range(1 + again):
            rate = await received(listener.port, path, ids)
        stats = client.stats()
        assert (stats.settled_by_postback, stats.postbacks_duplicate) == (count * trust, count * again)
    return rate


async def handler(count: int) -> Rate:
    async def handle(request: web.Request) -> web.Response:
        assert xmltodict.parse(await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_post("/{token}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    rate = await received(runner.addresses[0][1], "/secret", range(FIRST_ID, FIRST_ID + count))
    await runner.cleanup()
    return rate


async def main() -> None:
    rounds, count = (int(value) for value in (*sys.argv[1:], *("5", "6000")[len(sys.argv) - 1 :]))
    with serving() as server, tempfile.TemporaryDirectory(dir=".") as directory:
        files = (f"sqlite:{directory}/{n}.db" for n in range(1_000))
        await in_turn(
            rounds,
            {
                "a reason to ask": lambda: library(server, count, store="memory:", trust=False),
                "a reason to ask, sqlite": lambda: library(server, count, store=next(files), trust=False),
                "trusted": lambda: library(server, count, store="memory:", trust=True),
                "trusted, sqlite": lambda: library(server, count, store=next(files), trust=True),
                "trusted, a second time": lambda: library(server, count, store="memory:", trust=True, again=True),
                "aiohttp handler, xmltodict": lambda: handler(count),
            },
        )


if __name__ == "__main__":
    asyncio.run(main())
