"""Promise 3 again: each order ends with the provider's final word, through failing calls too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from callfire_async import AuthenticationError, Outcome, PollPolicy
from callfire_async.sandbox import Life, Poll, Sandbox

if TYPE_CHECKING:
    from adapters import Adapter

POLICY = PollPolicy(grace=1.0, parked_interval=1.0, max_interval=1.0)

FAULTS: tuple[Poll, ...] = (
    "error500",
    "html",
    "drop",
    "drop_after",
    "malformed",
    "html_with_200",
    "not_found",
)

#: Lives, by what is special about them, and how many numbers are missing in the end.
LIVES: dict[str, tuple[Life, int]] = {
    "finished": (Life(), 0),
    "partial": (Life(result="partial"), 1),
    "parked, then paid": (Life(result="parked", paid_after=0.1), 0),
    "rate-limited": (Life(polls=["rate_limited"], retry_after=1), 0),
    **{fault: (Life(polls=[fault]), 0) for fault in FAULTS},
    "slow to answer": (Life(reply="slow", reply_after=0.3), 0),
}


async def test_whatever_its_calls_suffer_each_order_ends_with_the_final_word(provider: Adapter) -> None:
    async with Sandbox(processing=0.3, seed=3) as sandbox, provider.client(sandbox, poll=POLICY) as client:
        sandbox.plan(*(life for life, _ in LIVES.values()))
        orders = [await provider.order(client) for _ in LIVES]
        states = await asyncio.gather(*(order.result(timeout=30) for order in orders))
        assert {state.status for state in states} == {provider.words["finished"]}
        assert [state.shortfall for state in states] == [shortfall for _, shortfall in LIVES.values()]
        assert [state.numbers for state in states] == [sandbox.orders[order.id].fulfilled for order in orders]
        assert client.stats().placed == client.stats().settled_by_poll == len(LIVES)
        assert sandbox.violations == 0


async def test_while_nobody_may_ask_an_order_stays_open_and_ends_once_one_may(provider: Adapter) -> None:
    """401 stops the asking and surfaces to whoever waits; waiting again asks again."""
    async with Sandbox(processing=0.1) as sandbox, provider.client(sandbox) as client:
        sandbox.plan(Life(polls=["unauthorized"]))
        order = await provider.order(client)
        with pytest.raises(AuthenticationError):
            await order
        assert [open_.id for open_ in await client.pending()] == [order.id]
        assert (await order).outcome is Outcome.FINISHED
        assert sandbox.violations == 0
