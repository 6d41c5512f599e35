"""Open orders followed at 1 Hz, on one core and no call a second late, against a hand-written task for each order.

    python tests/benchmarks/followed.py [seconds of each trial]

Late is what the server saw more than two seconds after the call before; the right interval is one second. The number of orders is searched by
halving, and each contestant gets the same number of trials.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import xmltodict
from fixed_answers import FIRST_ID, Server, serving
from httpx_aiohttp import HttpxAiohttpClient

from callfire_async import CallFire, PollPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

TRIALS = 7
WARM_UP = 4.0


@asynccontextmanager
async def library(server: Server, orders: int) -> AsyncIterator[None]:
    policy = PollPolicy(max_concurrency=50, brisk_for=3600.0)
    async with CallFire("login", "password", base_url=server.base_url, poll=policy) as client:
        for n in range(orders):
            await client.attach(FIRST_ID + n)
            if not n % 50:
                await asyncio.sleep(50 / orders)  # spread over a second, as the tasks are
        yield


@asynccontextmanager
async def tasks(server: Server, orders: int, maker: Callable[[], httpx.AsyncClient]) -> AsyncIterator[None]:
    async def follow(client: httpx.AsyncClient, order_id: int) -> None:
        await asyncio.sleep(random.random())
        while True:
            with contextlib.suppress(httpx.HTTPError):  # a hand-written loop would log it and go on
                assert xmltodict.parse((await client.get(server.order_url(order_id))).content)
            await asyncio.sleep(1.0)

    async with maker() as client:
        following = [asyncio.create_task(follow(client, FIRST_ID + n)) for n in range(orders)]
        yield
        for task in following:
            task.cancel()
        await asyncio.wait(following)


async def most(
    name: str, seconds: float, server: Server, follow: Callable[[int], AbstractAsyncContextManager[None]], highest: int
) -> int:
    """The most orders of which none was late."""
    kept, late = 0, highest
    for _ in range(TRIALS):
        orders = (kept + late) // 2
        gc.collect()
        server.forget()
        async with follow(orders):
            await asyncio.sleep(WARM_UP)
            server.gaps()
            await asyncio.sleep(seconds)
            gaps = server.gaps()
        print(
            f"  {name}: {orders:,} orders, {gaps.calls / seconds:,.0f} calls a second, {gaps.shortest:.3f} to {gaps.longest:.3f} s apart"
        )
        kept, late = (orders, late) if gaps.longest <= 2.0 else (kept, orders)
    return kept


async def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 6.0
    here = sorted(os.sched_getaffinity(0))
    with serving() as server:
        os.sched_setaffinity(0, here[:1])
        ours = await most("callfire_async", seconds, server, lambda n: library(server, n), 12_000)
        aiohttp = await most("httpx-aiohttp", seconds, server, lambda n: tasks(server, n, HttpxAiohttpClient), 8_000)
        own = await most("httpx", seconds, server, lambda n: tasks(server, n, httpx.AsyncClient), 600)
    print(f"callfire_async {ours:,}, a task each with httpx-aiohttp {aiohttp:,}, with httpx {own:,}")
    print(f"ratios {ours / max(1, aiohttp):.2f} and {ours / max(1, own):.2f}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
