"""Promise 1: after `order()` returned, or was cut off at any instant, a restart with the same store knows of it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from adapters import PATIENT

from callfire_async import Listener, OrderFailedError, OrderInDoubtError
from callfire_async.sandbox import Life, Sandbox

if TYPE_CHECKING:
    from adapters import Adapter

BUYER = Path(__file__).with_name("buyer.py")


async def accepted(sandbox: Sandbox, count: int) -> None:
    async with asyncio.timeout(20):
        while sandbox.purchases < count:  # noqa: ASYNC110 - the sandbox has no event for it
            await asyncio.sleep(0.01)


async def test_a_killed_program_finds_what_it_bought_and_what_was_on_the_way(provider: Adapter, tmp_path: Path) -> None:
    journal = tmp_path / "orders.db"
    async with Sandbox(seed=1) as sandbox:
        sandbox.plan(Life(processing=1.0), Life(processing=0.0, reply="slow", reply_after=60.0))
        command = [sys.executable, str(BUYER), provider.name, provider.url(sandbox), str(journal)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        program = await asyncio.create_subprocess_exec(*command, env=environment)
        await accepted(sandbox, 2)
        program.kill()
        await program.wait()
        open_, doubtful = sandbox.orders
        async with provider.client(sandbox, store=f"sqlite:{journal}") as client:
            assert [order.id for order in await client.pending()] == [open_]
            assert [doubt.key for doubt in await client.in_doubt()] == ["on the way"]
            with pytest.raises(OrderInDoubtError, match="Nothing was sent now"):
                await provider.order(client, key="on the way")
            await client.resolve("on the way", order_id=doubtful)
            for key, order_id in (("open", open_), ("on the way", doubtful)):
                order = await provider.order(client, key=key)
                assert order.id == order_id
        assert (sandbox.purchases, sandbox.violations) == (2, 0)


async def test_the_next_run_follows_what_the_last_one_left_open(provider: Adapter, tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'orders.db'}"
    async with Sandbox(processing=0.5, seed=5) as sandbox:
        sandbox.plan(Life(), Life(result="errored"))
        async with provider.client(sandbox, store=store) as client:
            placed = [await provider.order(client, key=key) for key in "ab"]
        async with provider.client(sandbox, store=store) as client:
            good, bad = await client.pending()
            assert [(order.id, order.key) for order in (good, bad)] == [(order.id, order.key) for order in placed]
            state = await good
            with pytest.raises(OrderFailedError):
                await bad
        async with provider.client(sandbox, store=store) as client:
            assert await client.pending() == []
            again = await provider.order(client, key="a")
            assert (again.settled_by, await again) == ("store", state)
            with pytest.raises(OrderFailedError, match=bad.id):
                await (await provider.order(client, key="b"))
        assert (sandbox.purchases, sandbox.violations) == (2, 0)


async def test_a_postback_finds_its_order_after_a_restart(provider: Adapter, tmp_path: Path) -> None:
    """At the same address, of course: the listener's own token is given, and CM.com's orders have theirs in the journal."""
    store, token = f"sqlite:{tmp_path / 'orders.db'}", "a-token-for-the-tests"
    async with Sandbox(processing=60.0, postbacks="lost") as sandbox:
        listener = Listener(token=token)
        await listener.start()
        again = Listener(port=listener.port, token=token)
        async with provider.client(sandbox, store=store, listener=listener, poll=PATIENT) as client:
            await provider.subscribe(sandbox, client, listener)
            order = await provider.order(client, key="a")
        await listener.stop()
        async with provider.client(sandbox, store=store, listener=again, poll=PATIENT, trust_postbacks=True) as client:
            (order,) = await client.pending()
            await sandbox.deliver(order.id, status=provider.words["finished"])
            assert (await order.result(timeout=5)).status == provider.words["finished"]
            assert order.settled_by == "postback"
        assert (sandbox.purchases, sandbox.violations) == (1, 0)


async def test_a_purchase_whose_caller_is_cancelled_is_placed_behind_his_back(
    provider: Adapter, tmp_path: Path
) -> None:
    store = f"sqlite:{tmp_path / 'orders.db'}"
    async with Sandbox(processing=0.1) as sandbox:
        sandbox.plan(Life(reply="slow", reply_after=0.1))
        async with provider.client(sandbox, store=store) as client:
            ordering = asyncio.create_task(provider.order(client, key="a"))
            await accepted(sandbox, 1)
            ordering.cancel()
            with pytest.raises(asyncio.CancelledError):
                await ordering
        async with provider.client(sandbox, store=store) as client:
            assert await client.in_doubt() == []
            assert (await provider.order(client, key="a")).id in sandbox.orders
        assert (sandbox.purchases, sandbox.violations) == (1, 0)
