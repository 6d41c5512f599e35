"""Promise 6: cancelling or timing out one awaiter touches neither the order nor the other awaiters, nor the connection pool."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from callfire_async import ClosedError, OrderTimeoutError, Outcome, PollPolicy
from callfire_async.sandbox import Sandbox

if TYPE_CHECKING:
    from adapters import Adapter


async def test_of_five_waiters_one_is_cancelled_one_times_out_and_three_get_the_result(provider: Adapter) -> None:
    async with Sandbox(processing=0.8) as sandbox, provider.client(sandbox) as client:
        order = await provider.order(client)
        waits = [asyncio.create_task(order.result(timeout=0.2 if i == 4 else None)) for i in range(5)]
        await asyncio.sleep(0)
        waits[3].cancel()
        *results, cancelled, late = await asyncio.gather(*waits, return_exceptions=True)
        assert isinstance(cancelled, asyncio.CancelledError)
        assert isinstance(late, OrderTimeoutError)
        assert (late.order, late.key) == (order, order.key)
        assert results == [await order] * 3
        assert sandbox.violations == 0


async def test_abandoned_waits_leave_neither_tasks_nor_connections(provider: Adapter) -> None:
    """Two hundred waits are cut off while their question is out or queued, two at a time; the orders end all the same."""
    before = asyncio.all_tasks()
    async with (
        Sandbox(processing=0.8, latency=(0.05, 0.3), seed=7) as sandbox,
        provider.client(sandbox, poll=PollPolicy(max_concurrency=2)) as client,
    ):
        orders = [await provider.order(client) for _ in range(4)]

        async def wait_in_vain(turn: int) -> None:
            order = orders[turn % 4]
            ways: list[Any] = [
                order.result,
                order.refresh,
                lambda: client.get_order(order.id),
                order.updates().__anext__,
            ]
            try:
                async with asyncio.timeout(turn % 20 / 50):
                    while True:
                        await ways[turn % 3]()
            except TimeoutError:
                pass

        await asyncio.gather(*(wait_in_vain(turn) for turn in range(200)))
        states = await asyncio.gather(*(order.result(timeout=20) for order in orders))
        assert {state.outcome for state in states} == {Outcome.FINISHED}
        assert (await provider.order(client)).id in sandbox.orders
        assert sandbox.violations == 0
    assert asyncio.all_tasks() == before


async def test_closing_the_client_ends_every_wait_and_not_the_order(provider: Adapter) -> None:
    async with Sandbox(processing=60.0) as sandbox:
        async with provider.client(sandbox) as client:
            order = await provider.order(client)
            waits: list[Any] = [order.result(), order.refresh(), client.get_order(order.id)]
            tasks = [asyncio.create_task(wait) for wait in waits]
            await asyncio.sleep(0)
        assert {type(end) for end in await asyncio.gather(*tasks, return_exceptions=True)} == {ClosedError}
        for late in (order.result, client.pending, lambda: provider.order(client)):
            with pytest.raises(ClosedError):
                await late()
        async with provider.client(sandbox) as client:
            assert (await client.get_order(order.id)).outcome is Outcome.PENDING
        assert sandbox.purchases == 1
