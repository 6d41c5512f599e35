"""The journal: durable orders a second, group commit against a commit for each order, and what a million settled orders cost the next one.

    python tests/benchmarks/journal.py [orders for each row] [settled orders]

An order is made durable three times on its way: intended, placed, applied. The baseline writes the same rows through the same
SQL with a commit for each, as a store does that knows no groups. All figures are of one run; the ratios are what counts.
"""

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from callfire_async import Outcome
from callfire_async.stores import Phase, Record, Scope, journal
from callfire_async.stores.sqlite import SQLiteStore

SCOPE = Scope("callfire", "me")


async def order(store: SQLiteStore, key: str) -> None:
    record = Record(scope=SCOPE, key=key, content={"local": 1}, phase=Phase.INTENDED, submitted_at=datetime.now(UTC))
    await store.intend(record)
    await store.place(SCOPE, key, key, ask_in=1.0, rest=1.0)
    await store.apply(SCOPE, key, state="{}", outcome=Outcome.FINISHED, by="poll")


async def run(callers: int, orders: int, one: Callable[[str], Awaitable[None]]) -> tuple[float, list[float]]:
    """Orders a second, and each one's seconds."""
    names = iter(range(orders))
    took: list[float] = []

    async def caller() -> None:
        for name in names:
            begin = time.perf_counter()
            await one(f"{callers}.{name}")
            took.append(time.perf_counter() - begin)

    begin = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return orders / (time.perf_counter() - begin), took


async def compare(directory: Path, orders: int) -> None:
    print(f"{'callers':>7}  {'group commit':>34}  {'a commit for each':>34}  ratio")
    for callers in (1, 8, 64, 512):
        figures = []
        for most in (journal.MOST_AT_ONCE, 1):
            vars(journal)["MOST_AT_ONCE"], kept = most, journal.MOST_AT_ONCE
            async with SQLiteStore(directory / f"{callers}.{most}.db") as store:
                rate, took = await run(callers, orders, lambda key, store=store: order(store, key))  # type: ignore[misc]
            vars(journal)["MOST_AT_ONCE"] = kept
            centiles = statistics.quantiles(took, n=100)
            figures.append((rate, centiles[49] * 1e3, centiles[98] * 1e3))
        cells = [f"{rate:7,.0f}/s p50 {p50:6.2f} p99 {p99:6.2f} ms" for rate, p50, p99 in figures]
        print(f"{callers:>7}  {cells[0]:>34}  {cells[1]:>34}  {figures[0][0] / figures[1][0]:5.1f}")


def fill(path: Path, settled: int) -> None:
    db = sqlite3.connect(path)
    now = datetime.now(UTC).isoformat()
    db.executemany(
        "INSERT INTO orders (provider, account, key, content, phase, submitted_at, order_id, state, settled_by, settled_at)"
        " VALUES ('callfire', 'me', ?, '{\"local\": 1}', 'settled', ?, ?, ?, 'poll', ?)",
        ((f"old {n}", now, str(n), "x" * 300, now) for n in range(settled)),
    )
    db.commit()
    db.close()


async def burden(directory: Path, orders: int, settled: int) -> None:
    path = directory / "million.db"
    figures = []
    for filled in (False, True):
        if filled:
            await asyncio.to_thread(fill, path, settled)
        begin = time.perf_counter()
        async with SQLiteStore(path) as store:
            opened = time.perf_counter() - begin
            rate, took = await run(1, orders, lambda key, store=store, filled=filled: order(store, f"{filled} {key}"))  # type: ignore[misc]
        figures.append(statistics.median(took) * 1e3)
        print(
            f"{settled if filled else 0:>9,} settled: opens in {opened * 1e3:6.1f} ms, an order takes {figures[-1]:.2f} ms (median), "
            f"{rate:,.0f}/s, file {path.stat().st_size / 1e6:,.0f} MB"
        )
    print(f"ratio {figures[1] / figures[0]:.2f}")


async def main() -> None:
    orders, settled = (int(value) for value in (*sys.argv[1:], *("4000", "1000000")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory(dir=".") as directory:
        print(
            f"{orders:,} orders a row, SQLite {sqlite3.sqlite_version}, {threading.active_count()} thread besides the journal's"
        )
        await compare(Path(directory), orders)
        await burden(Path(directory), orders, settled)


if __name__ == "__main__":
    asyncio.run(main())
