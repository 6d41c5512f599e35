"""Promise 3: each accepted order resolves exactly once, with the provider's final word, by whichever way it comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from adapters import POSTBACKS

from callfire_async import Order, OrderFailedError, Outcome, PollPolicy
from callfire_async.sandbox import Life, Sandbox

if TYPE_CHECKING:
    from adapters import Adapter

POLICY = PollPolicy(grace=1.0, parked_interval=1.0, max_interval=1.0)

#: Lives, by what is special about them, and how many numbers are missing in the end.
LIVES = {
    "finished": (Life(), 0),
    "partial": (Life(result="partial"), 1),
    "parked, then paid": (Life(result="parked", paid_after=0.1), 0),
    "failing": (Life(polls=["error500", "html"]), 0),
    "dropping": (Life(polls=["drop", "drop_after"]), 0),
    "unreadable": (Life(polls=["malformed", "html_with_200"]), 0),
    "not yet known": (Life(polls=["not_found"]), 0),
    "rate-limited": (Life(polls=["rate_limited"], retry_after=1), 0),
    "slow to answer": (Life(reply="slow", reply_after=0.3), 0),
}


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


async def test_without_a_listener_the_end_is_found_by_asking(provider: Adapter) -> None:
    async with Sandbox(processing=0.3) as sandbox, provider.client(sandbox) as client:
        order = await provider.order(client)
        state = await order
        assert (state.status, order.settled_by) == (provider.words["finished"], "poll")
        assert state.numbers == sandbox.orders[order.id].fulfilled
        assert sandbox.deliveries == []
        assert sandbox.violations == 0


async def test_whatever_becomes_of_its_postback_each_order_ends_once(provider: Adapter) -> None:
    async with Sandbox(seed=3) as sandbox, provider.listening(sandbox) as (client, _):
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


async def test_a_bad_end_raises_with_the_final_state(provider: Adapter) -> None:
    results = ("errored", "rejected", "void")
    async with Sandbox(processing=0.1) as sandbox, provider.client(sandbox) as client:
        sandbox.plan(*(Life(result=result) for result in results))  # type: ignore[arg-type]
        for result, order in [(result, await provider.order(client)) for result in results]:
            for _ in range(2):
                with pytest.raises(OrderFailedError, match=order.id) as caught:
                    await order
            assert caught.value.state == order.latest
            assert (order.outcome, caught.value.state.status) == (Outcome.FAILED, provider.words[result])


async def test_while_nobody_may_ask_an_order_stays_open_and_ends_once_one_may(provider: Adapter) -> None:
    """401 stops the asking and surfaces to whoever waits; waiting again asks again."""
    async with Sandbox(processing=0.1) as sandbox, provider.client(sandbox) as client:
        sandbox.plan(Life(polls=["unauthorized"]))
        order = await provider.order(client)
        with pytest.raises(Exception, match=r"(?i)unauthorized"):
            await order
        assert [open_.id for open_ in await client.pending()] == [order.id]
        assert (await order).outcome is Outcome.FINISHED
        assert sandbox.violations == 0
