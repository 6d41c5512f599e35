"""One run after the other on the same journal."""

import asyncio
import os
import random
from pathlib import Path

import pytest

from callfire_async import CallFire, Error, InvalidOrderError, OrderInDoubtError, Outcome, PollPolicy, StoreError
from callfire_async.sandbox import Life, Sandbox

RESTARTS = int(os.environ.get("CALLFIRE_TEST_RESTARTS", "20"))


def client_of(sandbox: Sandbox, journal: Path, poll: PollPolicy | None = None) -> CallFire:
    return CallFire(
        sandbox.login, sandbox.password, base_url=sandbox.callfire_url, store=f"sqlite:{journal}", poll=poll
    )


async def test_restarting_in_the_middle_of_polling_never_brings_two_calls_within_a_second(tmp_path: Path) -> None:
    """Each run is cut off while questions are out; the next begins at once. Runs of over a second get to ask."""
    chance = random.Random(4)
    journal = tmp_path / "orders.db"
    async with Sandbox(processing=600.0, latency=(0.0, 0.4), seed=4) as sandbox:
        for _ in range(RESTARTS):
            async with client_of(sandbox, journal) as client:
                if not await client.pending():
                    await asyncio.gather(*(client.order(local=1) for _ in range(10)))
                await asyncio.sleep(chance.choice([0.05, 0.3, 1.1]))
        assert len([call for call in sandbox.calls if call.order_id is not None]) > 10
        assert sandbox.violations == 0


async def test_the_next_run_follows_what_the_last_one_left_open(tmp_path: Path) -> None:
    journal = tmp_path / "orders.db"
    async with Sandbox(processing=1.0, seed=5) as sandbox:
        async with client_of(sandbox, journal) as client:
            placed = await client.order(local=2, key="invoice 7")
        async with client_of(sandbox, journal) as client:
            (resumed,) = await client.pending()
            assert (resumed.id, resumed.key) == (placed.id, "invoice 7")
            state = await resumed
            assert state.outcome is Outcome.FINISHED
            again = await client.order(local=2, key="invoice 7")
            assert (again.id, again.settled_by) == (placed.id, "store")
            assert await again == state
        async with client_of(sandbox, journal) as client:
            assert await client.pending() == []
            assert await (await client.order(local=2, key="invoice 7")) == state
        assert sandbox.purchases == 1


async def test_a_failed_order_keeps_its_key_and_a_refused_one_frees_it(tmp_path: Path) -> None:
    journal = tmp_path / "orders.db"
    async with Sandbox(processing=0.0, seed=5) as sandbox:
        sandbox.plan(Life(result="errored"), Life(reply="html"), Life())
        async with client_of(sandbox, journal) as client:
            with pytest.raises(Error, match="ERRORED"):
                await (await client.order(local=1, key="a"))
            sandbox.password, right = "another", sandbox.password
            with pytest.raises(Error, match="UNAUTHORIZED"):
                await client.order(local=1, key="b")
            sandbox.password = right
        async with client_of(sandbox, journal) as client:
            with pytest.raises(Error, match="ERRORED"):
                await (await client.order(local=1, key="a"))
            with pytest.raises(OrderInDoubtError):  # a 502 after the request went out
                await client.order(local=1, key="b")
            await client.abandon("b")
            assert (await client.order(local=1, key="b")).key == "b"


async def test_a_doubt_outlives_the_run_and_is_never_sent_again(tmp_path: Path) -> None:
    journal = tmp_path / "orders.db"
    async with Sandbox(processing=0.0, seed=5) as sandbox:
        sandbox.plan(Life(reply="lost_after_accepting"))
        async with client_of(sandbox, journal) as client:
            with pytest.raises(OrderInDoubtError):
                await client.order(numbers=["+1 (206) 555-0101"], key="a")
        async with client_of(sandbox, journal) as client:
            (doubt,) = await client.in_doubt()
            assert (doubt.key, doubt.request) == ("a", {"numbers": ["12065550101"]})
            for _ in range(3):
                with pytest.raises(OrderInDoubtError, match="Nothing was sent now"):
                    await client.order(numbers=["12065550101"], key="a")
            (order_id,) = sandbox.orders
            order = await client.resolve("a", order_id=order_id)
            assert (await order).numbers == ("12065550101",)
            assert await client.in_doubt() == []
            assert (await client.order(numbers=["12065550101"], key="a")).id == order_id
        assert sandbox.purchases == 1


@pytest.mark.parametrize("call", ["reconcile", "resolve", "abandon"])
async def test_only_a_purchase_in_doubt_can_be_settled_by_hand(call: str, tmp_path: Path) -> None:
    async with Sandbox(processing=0.0) as sandbox, client_of(sandbox, tmp_path / "orders.db") as client:
        await client.order(local=1, key="open")
        options = {"order_id": 1} if call == "resolve" else {}
        for key, what in (("open", "it is (open|settled)"), ("nobody", "it is not known")):
            with pytest.raises(InvalidOrderError, match=what):
                await getattr(client, call)(key, **options)


async def test_two_clients_of_one_account_on_one_store_both_see_the_end(tmp_path: Path) -> None:
    from callfire_async import open_store

    for url in ("memory:", f"sqlite:{tmp_path / 'orders.db'}"):
        async with Sandbox(processing=0.5) as sandbox, open_store(url) as store:
            one, other = (
                CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url, store=store) for _ in range(2)
            )
            async with one, other:
                order = await one.order(local=1)
                (same,) = await other.pending()
                assert await same == await order
            assert sandbox.violations == 0


async def test_a_journal_serves_one_process_at_a_time(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, client_of(sandbox, tmp_path / "orders.db"):
        with pytest.raises(StoreError, match="another process has it open"):
            async with client_of(sandbox, tmp_path / "orders.db"):
                pass
