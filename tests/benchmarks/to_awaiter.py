"""From a trusted postback to whoever awaits its order, in one process, at 1,000 postbacks a second.

    python tests/benchmarks/to_awaiter.py [postbacks] [postbacks a second]

Measured from the call of `listener.receive` to the moment the awaiting task goes on. The last line is the same traffic with a future for an order
and nothing in between: what the loop and the machine take by themselves.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

from fixed_answers import FIRST_ID, Server, serving
from postbacks import ASK_ALMOST_NOBODY, body

from callfire_async import CallFire, Listener

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def paced(
    name: str, count: int, rate: float, waiting: Awaitable[Any], post: Callable[[int], Awaitable[object]]
) -> None:
    """Call `post` with each number, so many a second; `waiting` ends when all news has arrived."""
    loop = asyncio.get_running_loop()
    begin, posted = loop.time(), []
    for n in range(count):
        if (early := begin + n / rate - loop.time()) > 0:
            await asyncio.sleep(early)
        posted.append(asyncio.ensure_future(post(n)))
    await asyncio.gather(waiting, *posted)
    achieved = count / (loop.time() - begin)
    centiles = [value * 1e3 for value in statistics.quantiles(TOOK, n=1000)]
    print(
        f"{name:20} p50 {centiles[499]:6.3f} ms, p99 {centiles[989]:6.3f} ms, p99.9 {centiles[998]:6.3f} ms at {achieved:,.0f}/s"
    )
    TOOK.clear()


TOOK: list[float] = []


async def library(server: Server, count: int, rate: float, store: str) -> None:
    began = [0.0] * count
    listener = Listener(public_url="http://127.0.0.1/hooks", token="t" * 43, serve=False)
    bodies = [body(FIRST_ID + n) for n in range(count)]
    async with CallFire(
        "login",
        "password",
        base_url=server.base_url,
        store=store,
        listener=listener,
        trust_postbacks=True,
        poll=ASK_ALMOST_NOBODY,
        subscription=None,
    ) as client:

        async def wait(n: int) -> None:
            order = await client.attach(FIRST_ID + n)
            assert (await order).numbers
            TOOK.append(time.perf_counter() - began[n])

        async def post(n: int) -> None:
            began[n] = time.perf_counter()
            assert await listener.receive("/hooks/" + "t" * 43, {"content-type": "application/xml"}, bodies[n]) == 200

        waiting = asyncio.gather(*(asyncio.create_task(wait(n)) for n in range(count)))
        await asyncio.sleep(1.0)
        await paced(store.partition(":")[0], count, rate, waiting, post)


async def futures(count: int, rate: float) -> None:
    began = [0.0] * count
    news: list[asyncio.Future[None]] = [asyncio.get_running_loop().create_future() for _ in range(count)]

    async def wait(n: int) -> None:
        await news[n]
        TOOK.append(time.perf_counter() - began[n])

    async def post(n: int) -> None:
        began[n] = time.perf_counter()
        news[n].set_result(None)

    waiting = asyncio.gather(*(asyncio.create_task(wait(n)) for n in range(count)))
    await asyncio.sleep(0.1)
    await paced("bare futures", count, rate, waiting, post)


async def main() -> None:
    count, rate = (int(value) for value in (*sys.argv[1:], *("6000", "1000")[len(sys.argv) - 1 :]))
    with serving() as server, tempfile.TemporaryDirectory(dir=".") as directory:
        for n in range(3):
            await library(server, count, rate, "memory:")
            await library(server, count, rate, f"sqlite:{directory}/{n}.db")
            await futures(count, rate)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
