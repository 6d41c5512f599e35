"""100,000 open orders: what each takes in memory beside the task that awaits it, and what following their schedule takes of a core.

    python tests/benchmarks/open_orders.py [orders] [period in seconds]

The baseline of the memory is as many tasks that each await a future of their own. The schedule is followed by the library's own poller, each order
due once in a period, its calls answered at once and its answers decoded by nobody: what remains is claiming, starting, giving back.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import time
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from callfire_async import CallFire, NumberOrder, Outcome, PollPolicy
from callfire_async.providers import Reply, Request
from callfire_async.providers.callfire import CallFireProvider
from callfire_async.stores.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Awaitable

FIRST_ID = 1_000_000_000
NOWHERE = "http://127.0.0.1:9"


def traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def of_a_future() -> None:
    await asyncio.get_running_loop().create_future()


async def end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def with_futures(orders: int) -> float:
    before = traced()
    tasks = [asyncio.create_task(of_a_future()) for _ in range(orders)]
    await asyncio.sleep(0)
    size = (traced() - before) / orders
    await end(tasks)
    return size


async def with_orders(orders: int, store: str) -> tuple[float, float]:
    """Bytes of each, without and with a task that awaits it."""
    async with CallFire("login", "password", base_url=NOWHERE, store=store, poll=PollPolicy(max_rate=0.001)) as client:
        before = traced()
        held = []
        for begin in range(FIRST_ID, FIRST_ID + orders, 1000):
            held += await asyncio.gather(*(client.attach(order_id) for order_id in range(begin, begin + 1000)))
        alone = (traced() - before) / orders

        async def wait(order: Awaitable[object]) -> None:
            await order

        tasks = [asyncio.create_task(wait(order)) for order in held]
        await asyncio.sleep(0)
        awaited = (traced() - before) / orders
        await end(tasks)
    return alone, awaited


class Known(CallFireProvider):
    """Answers nobody has to decode."""

    def decode_status(self, reply: Reply) -> NumberOrder:
        return NumberOrder(
            id=reply.body.decode(),
            status="PROCESSING",
            outcome=Outcome.PENDING,
            created=datetime.min.replace(tzinfo=UTC),
            total_cost=Decimal(1),
        )


async def schedule(orders: int, period: float) -> None:
    now = 0.0
    following = Schedule(clock=lambda: now)
    for n in range(orders):
        following.follow(str(FIRST_ID + n), ask_in=period * n / orders, rest=1.0)
    cpu = time.process_time()
    calls = 0
    while now < 2 * period:
        now += 0.01
        for order_id, _ in following.claim_due(1_000):
            following.due_in()
            following.settle(order_id, again_in=period, rest=1.0)
            calls += 1
    cpu = time.process_time() - cpu
    print(f"the schedule alone: {cpu / (2 * period):.1%} of a core, {cpu / calls * 1e6:.1f} µs a call")


async def poller(orders: int, period: float) -> None:
    policy = PollPolicy(min_interval=period, max_interval=period, max_concurrency=1_000)
    client = CallFire("login", "password", base_url=NOWHERE, poll=policy)
    known = Known()
    vars(client._poller)["_provider"] = known

    async def answered(request: Request) -> Reply:
        return Reply(status=200, body=request.path.rpartition("/")[2].encode())

    vars(client._transport)["send"] = answered
    async with client:
        for n in range(orders):
            await client.attach(FIRST_ID + n)
            if not n % 500:
                await asyncio.sleep(500 / orders * period)
        cpu, wall, calls = time.process_time(), time.perf_counter(), client.stats().polls
        await asyncio.sleep(period)
        cpu, wall, calls = time.process_time() - cpu, time.perf_counter() - wall, client.stats().polls - calls
    print(
        f"the whole poller without its calls: {cpu / wall:.1%} of a core, {calls / wall:,.0f} calls a second, {cpu / calls * 1e6:.1f} µs a call"
    )


async def main() -> None:
    orders, period = (int(value) for value in (*sys.argv[1:], *("100000", "20")[len(sys.argv) - 1 :]))
    tracemalloc.start()
    futures = await with_futures(orders)
    print(f"{orders:,} tasks that await a future: {futures:,.0f} bytes each")
    with tempfile.TemporaryDirectory(dir=".") as directory:
        for store in ("memory:", f"sqlite:{directory}/a.db"):
            alone, awaited = await with_orders(orders, store)
            print(
                f"{store.partition(':')[0]}: {alone:,.0f} bytes each, {awaited:,.0f} with a task that awaits it, "
                f"of which {awaited - futures:,.0f} are the library's"
            )
    tracemalloc.stop()
    await schedule(orders, period)
    await poller(orders, period)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
