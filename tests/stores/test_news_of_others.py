"""What another client of the store has written reaches those who wait, whatever happens just then."""

import asyncio
from pathlib import Path

from callfire_async import CallFire, Outcome, StoreError
from callfire_async.sandbox import Sandbox
from callfire_async.stores import Phase, Record, Scope
from callfire_async.stores.sqlite import SQLiteStore


class Hesitant(SQLiteStore):
    """Hands out a list of open orders late, and fails to look one up as often as it is told."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.listed, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()
        self.failures = 0

    async def in_phase(self, scope: Scope, phase: Phase) -> list[Record]:
        records = await super().in_phase(scope, phase)
        self.listed.set()
        await self.go_on.wait()
        return records

    async def find(self, scope: Scope, order_id: str) -> Record | None:
        if self.failures:
            self.failures -= 1
            raise StoreError("The database is away.")
        return await super().find(scope, order_id)


def client_of(sandbox: Sandbox, store: SQLiteStore) -> CallFire:
    return CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url, store=store)


async def test_an_order_that_another_settles_while_this_client_opens_is_settled_here_too(tmp_path: Path) -> None:
    async with (
        Sandbox(processing=0.0) as sandbox,
        Hesitant(tmp_path / "orders.db") as store,
        client_of(sandbox, store) as one,
    ):
        order = await one.order(local=1)
        store.listed.clear()
        store.go_on.clear()
        other = client_of(sandbox, store)
        opening = asyncio.create_task(other.__aenter__())
        await store.listed.wait()  # it has read that the order is open
        assert (await order).outcome is Outcome.FINISHED
        store.go_on.set()
        await opening
        async with asyncio.timeout(5):
            while other._registry.tracked(order.id) is not None:  # noqa: ASYNC110 - until it has heard
                await asyncio.sleep(0.01)
        await other.aclose()


async def test_news_that_cannot_be_read_at_once_is_read_later(tmp_path: Path) -> None:
    async with (
        Sandbox(processing=0.5) as sandbox,
        Hesitant(tmp_path / "orders.db") as store,
        client_of(sandbox, store) as one,
    ):
        order = await one.order(local=1)
        async with client_of(sandbox, store) as other:
            (same,) = await other.pending()
            waiting = asyncio.create_task(same.result(timeout=15))
            await asyncio.sleep(0)
            store.failures = 3
            await order
            assert (await waiting).outcome is Outcome.FINISHED
    assert sandbox.violations == 0
