"""Promise 8: unknown statuses, partial fulfilment and parked orders are visible."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest
from adapters import PATIENT

from callfire_async import OrderTimeoutError, Outcome, PollPolicy
from callfire_async.sandbox import Life, Sandbox

if TYPE_CHECKING:
    from adapters import Adapter


async def test_an_unknown_status_is_kept_as_it_came_logged_once_and_not_final(
    provider: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with Sandbox(processing=60.0) as sandbox, provider.client(sandbox, poll=PATIENT) as client:
        sandbox.plan(*(Life(statuses=[(0.0, "MELTED"), (60.0, "GONE")]) for _ in range(3)))
        orders = [await provider.order(client) for _ in range(3)]
        for state in await asyncio.gather(*(order.refresh() for order in orders)):
            assert (state.status, state.outcome, state.outcome.final) == ("MELTED", Outcome.PENDING, False)
        assert len(await client.pending()) == 3
        assert [record.levelname for record in caplog.records if "MELTED" in record.getMessage()] == ["WARNING"]


async def test_a_parked_order_says_so_and_a_partial_one_tells_its_shortfall(provider: Adapter) -> None:
    policy = PollPolicy(parked_interval=1.0)  # at CM.com no status is known to mean that an order is parked
    async with Sandbox(processing=0.0) as sandbox, provider.client(sandbox, poll=policy) as client:
        sandbox.plan(Life(result="parked"), Life(result="partial"))
        order, partial = await provider.order(client), await provider.order(client, quantity=3)
        with pytest.raises(OrderTimeoutError, match=provider.words["parked"]):
            await order.result(timeout=1.5)
        assert (order.outcome, order.done()) == (provider.parked, False)
        assert provider.words["parked"] in repr(order)
        state = await partial
        assert (state.outcome, len(state.numbers), state.shortfall) == (Outcome.FINISHED, 2, 1)
        sandbox.pay(order.id)
        assert (await order).shortfall == 0
        assert sandbox.violations == 0
