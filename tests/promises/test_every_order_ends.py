"""Promise 3: each accepted order resolves exactly once, with the provider's final word, by whichever way it comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from adapters import POSTBACKS

from callfire_async import Order, OrderFailedError, Outcome, PollPolicy
from callfire_async.sandbox import Life, Result, Sandbox

if TYPE_CHECKING:
    from adapters import Adapter


async def finals(order: Order[Any]) -> int:
    """How often its final word is told to one reader."""
    return sum([state.outcome.final async for state in order.updates()])


async def test_the_answer_to_the_purchase_may_be_the_final_word(provider: Adapter) -> None:
    """Where it is not, as at CallFire, the first question brings it."""
    async with Sandbox(processing=0.0) as sandbox, provider.client(sandbox) as client:
        order = await provider.order(client)
        assert order.done() is provider.tells_at_once
        assert (await order).shortfall == 0
        assert order.settled_by == ("create" if provider.tells_at_once else "poll")
        assert sandbox.orders[order.id].calls == client.stats().polls == (not provider.tells_at_once)


async def test_without_a_listener_each_end_is_found_by_asking(provider: Adapter) -> None:
    bad: tuple[Result, ...] = ("errored", "rejected", "void")
    async with Sandbox(processing=0.3) as sandbox, provider.client(sandbox) as client:
        sandbox.plan(Life(), *(Life(result=result) for result in bad))
        good, *failing = [await provider.order(client) for _ in ("finished", *bad)]
        state = await good
        assert (state.status, good.settled_by) == (provider.words["finished"], "poll")
        assert state.numbers == sandbox.orders[good.id].fulfilled
        for result, order in zip(bad, failing, strict=True):
            for _ in range(2):
                with pytest.raises(OrderFailedError, match=order.id) as caught:
                    await order
            assert caught.value.state == order.latest
            assert (order.outcome, caught.value.state.status) == (Outcome.FAILED, provider.words[result])
        assert sandbox.deliveries == []
        assert sandbox.violations == 0


async def test_whatever_becomes_of_its_postback_each_order_ends_once(provider: Adapter) -> None:
    async with Sandbox(seed=3) as sandbox, provider.listening(sandbox, poll=PollPolicy(grace=2.0)) as (client, _):
        sandbox.plan(*POSTBACKS.values())
        orders = {word: await provider.order(client) for word in POSTBACKS}
        assert await asyncio.gather(*(finals(order) for order in orders.values())) == [1] * len(orders)
        for order in orders.values():
            state = await order
            assert (state.status, state.shortfall) == (provider.words["finished"], 0)
            assert state.numbers == sandbox.orders[order.id].fulfilled
        assert {orders[word].settled_by for word in ("delivered", "twice", "late", "out_of_order")} == {"postback"}
        assert orders["lost"].settled_by == "poll"
        stats = client.stats()
        assert stats.settled_by_postback + stats.settled_by_poll == stats.placed == len(orders)
        assert await client.pending() == []
        assert sandbox.violations == 0
