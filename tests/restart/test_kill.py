"""kill -9 at every write and at random instants: no order lost, none bought twice.

CALLFIRE_TEST_KILLS is how often the buyer is killed at a random instant (default 8).
"""

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from callfire_async import CallFire
from callfire_async.sandbox import Life, Sandbox
from callfire_async.stores import Phase, Scope
from callfire_async.stores.sqlite import SQLiteStore

KILLS = int(os.environ.get("CALLFIRE_TEST_KILLS", "8"))
BUYER = Path(__file__).with_name("buyer.py")
SCOPE = Scope("callfire", "sandbox-login")
LIVES = (
    Life(processing=0.1),
    Life(processing=1.5),
    Life(reply="slow", reply_after=0.2),
    Life(processing=0.3, result="partial"),
)


async def run_buyer(
    sandbox: Sandbox, journal: Path, keys: list[str], *, kill_after_seconds: float | None = None, **kill: int
) -> int:
    """The buyer's exit code: 0, or -9 where it was killed."""
    environment = {**os.environ, **{name.upper(): str(count) for name, count in kill.items()}}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(BUYER),
        sandbox.callfire_url,
        str(journal),
        *keys,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    assert process.stdout is not None
    if kill_after_seconds is not None:
        await process.stdout.readline()  # it is open: from here on it buys
        try:
            async with asyncio.timeout(kill_after_seconds):
                await process.wait()
        except TimeoutError:
            process.send_signal(signal.SIGKILL)
    await process.communicate()
    assert process.returncode is not None
    return process.returncode


async def check_books(sandbox: Sandbox, journal: Path, keys: list[str] | None = None) -> Counter[str]:
    """Hold the provider's ledger against the journal: every purchase (of these keys) is known, and none was made twice."""
    bought = Counter(order.form["Numbers"] for order in sandbox.orders.values())
    assert not [key for key, times in bought.items() if times > 1], "bought twice"
    seen: Counter[str] = Counter()
    async with SQLiteStore(journal) as store:
        for order_id, order in list(sandbox.orders.items()):  # others buy meanwhile
            if keys is not None and order.form["Numbers"] not in keys:
                continue
            record = await store.find_key(SCOPE, order.form["Numbers"])
            assert record is not None, f"order {order_id} is lost"
            if record.phase is not Phase.IN_DOUBT:
                assert record.order_id == order_id
            seen[record.phase] += 1
    return seen


def fresh_numbers() -> Iterator[list[str]]:
    """Three numbers never ordered before, again and again."""
    for n in range(10_000):
        yield [f"1206{n:04}{i:03}" for i in range(3)]


async def settle_everything(sandbox: Sandbox, journal: Path) -> None:
    """The next run ends every open order, and its verdict on every doubt is the truth."""
    async with CallFire(
        sandbox.login, sandbox.password, base_url=sandbox.callfire_url, store=f"sqlite:{journal}"
    ) as client:
        await asyncio.gather(*(order.result(timeout=30) for order in await client.pending()))
        async with asyncio.timeout(30):
            while any(order.status == "PROCESSING" for order in sandbox.orders.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # it has no event for what nobody asks about
        truth = {order.form["Numbers"] for order in sandbox.orders.values()}
        for doubt in await client.in_doubt():
            verdict = (await client.reconcile(doubt.key)).verdict
            assert verdict in (("placed",) if doubt.key in truth else ("not placed", "unknown")), doubt


@pytest.mark.timeout(600)
@pytest.mark.parametrize("when", ["kill_before", "kill_after"])
async def test_killed_at_every_write_in_turn(when: str, tmp_path: Path) -> None:
    numbers = fresh_numbers()
    killed = 0
    async with Sandbox(seed=1) as sandbox:

        async def one(write: int, keys: list[str]) -> int:
            journal = tmp_path / f"{write}.db"
            code = await run_buyer(sandbox, journal, keys, **{when: write})
            assert code in (0, -signal.SIGKILL)
            await check_books(sandbox, journal, keys)
            await settle_everything(sandbox, journal)
            await check_books(sandbox, journal, keys)
            return code

        for first in range(1, 100, 3):
            writes = range(first, first + 3)
            batch = {write: next(numbers) for write in writes}
            sandbox.plan(*LIVES[:3] * 3)
            codes = await asyncio.gather(*(one(write, keys) for write, keys in batch.items()))
            killed += sum(code != 0 for code in codes)
            if 0 in codes:
                break
        assert sandbox.violations == 0
    assert killed >= 9, "three orders are intended, placed and applied: nine writes at least"


@pytest.mark.timeout(1800)
async def test_killed_at_random_instants(tmp_path: Path) -> None:
    seed = int(os.environ.get("CALLFIRE_TEST_SEED", "20261121"))
    print(f"seed {seed}, {KILLS} kills")
    chance = random.Random(seed)
    numbers, journal, killed = fresh_numbers(), tmp_path / "orders.db", 0
    async with Sandbox(seed=seed, processing=0.3) as sandbox:
        keys: list[str] = []
        while killed < KILLS:
            keys = [*keys[-6:], *next(numbers)]  # some are asked for again, as a program does that was interrupted
            sandbox.plan(*(chance.choice(LIVES) for _ in range(3)))
            code = await run_buyer(sandbox, journal, keys, kill_after_seconds=chance.uniform(0.0, 1.6))
            killed += code == -signal.SIGKILL
            await check_books(sandbox, journal)
        await settle_everything(sandbox, journal)
        seen = await check_books(sandbox, journal)
        print(f"{sandbox.purchases} purchases: {dict(seen)}; violations: {sandbox.violations}")
        assert sandbox.violations == 0
