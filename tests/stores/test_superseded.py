"""A purchase that other hands settle while its submission is on the way: what was bought is followed, and nothing jams."""

import asyncio
from pathlib import Path

import pytest

from callfire_async import CallFire, Outcome
from callfire_async.sandbox import Life, Sandbox
from callfire_async.stores.sqlite import SQLiteStore


async def test_an_order_whose_key_was_given_up_meanwhile_is_followed_under_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        Sandbox(processing=0.0) as sandbox,
        SQLiteStore(tmp_path / "orders.db") as store,
        CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url, store=store) as client,
    ):
        sandbox.plan(Life(reply="slow", reply_after=0.3))
        ordering = asyncio.create_task(client.order(local=1, key="k"))
        async with asyncio.timeout(5):
            while not sandbox.purchases:  # noqa: ASYNC110 - the sandbox has no event for it
                await asyncio.sleep(0.01)
        await store.refuse(client._scope, "k")  # as another process does that takes this one for dead
        order = await ordering
        assert order.id in sandbox.orders
        assert order.key != "k"
        assert "followed under the key" in caplog.text
        assert (await order.result(timeout=10)).outcome is Outcome.FINISHED
        assert await client.in_doubt() == []
        again = await client.order(local=1, key="k")
        assert again.id != order.id
    assert sandbox.violations == 0
