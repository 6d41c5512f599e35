"""Promise 2: a purchase whose fate is unknown is never sent again by itself; it is in doubt, with the means to find out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from callfire_async import (
    AuthenticationError,
    BadRequestError,
    InvalidOrderError,
    OrderInDoubtError,
    RateLimitedError,
    TransportError,
)
from callfire_async.sandbox import Life, Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from adapters import Adapter

ACCEPTED = ("lost_after_accepting", "error_after_accepting", "html_after_accepting", "empty_after_accepting")
NOT_ACCEPTED = ("lost_before_accepting", "error_before_accepting", "html")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(processing=0.0, seed=5) as it:
        yield it


def posts(sandbox: Sandbox) -> int:
    return sum(call.method == "POST" for call in sandbox.calls)


async def doubt(provider: Adapter, sandbox: Sandbox, client: Any, reply: str, key: str) -> None:
    """Buy two numbers and lose the answer, in whichever way."""
    sandbox.plan(Life(reply=cast("Any", reply)))
    with pytest.raises(OrderInDoubtError, match="may or may not have been placed") as caught:
        await provider.order(client, key=key)
    assert caught.value.key == key


async def test_a_purchase_in_doubt_is_listed_and_never_sent_again(provider: Adapter, sandbox: Sandbox) -> None:
    replies = ACCEPTED + NOT_ACCEPTED
    async with provider.client(sandbox) as client:
        for reply in replies:
            await doubt(provider, sandbox, client, reply, key=reply)
        assert [listed.key for listed in await client.in_doubt()] == list(replies)
        assert all(2 in listed.request.values() for listed in await client.in_doubt())
        for key in replies:
            again = await asyncio.gather(*(provider.order(client, key=key) for _ in range(3)), return_exceptions=True)
            assert {type(result) for result in again} == {OrderInDoubtError}
        assert posts(sandbox) == client.stats().in_doubt == len(replies)
        assert sandbox.purchases == len(ACCEPTED)


async def test_reconcile_looks_and_buys_nothing(provider: Adapter, sandbox: Sandbox) -> None:
    """Where orders can be listed it names the one; CallFire 1.1 cannot list them, and an order by count leaves no other trace."""
    async with provider.client(sandbox) as client:
        await provider.order(client, quantity=3)
        await doubt(provider, sandbox, client, "lost_after_accepting", key="a")
        before = sandbox.owned, posts(sandbox)
        found = await client.reconcile("a")
        lost = list(sandbox.orders)[-1]
        if provider.lists_orders:
            assert (found.verdict, found.order_id, found.candidates) == ("placed", lost, (lost,))
        else:
            assert (found.verdict, found.order_id, found.candidates) == ("unknown", None, ())
        assert found.evidence
        assert [listed.key for listed in await client.in_doubt()] == ["a"]
        assert (sandbox.owned, posts(sandbox), sandbox.purchases, sandbox.violations) == (*before, 2, 0)


async def test_an_order_that_someone_asked_about_by_hand_is_evidence_everywhere(
    provider: Adapter, sandbox: Sandbox
) -> None:
    async with provider.client(sandbox) as client:
        await doubt(provider, sandbox, client, "empty_after_accepting", key="a")
        (lost,) = sandbox.orders
        await client.get_order(lost)
        found = await client.reconcile("a")
        assert (found.verdict, found.order_id) == ("placed", lost)
        assert sandbox.violations == 0


async def test_resolved_it_is_followed_to_its_end_under_its_key(provider: Adapter, sandbox: Sandbox) -> None:
    async with provider.client(sandbox) as client:
        await doubt(provider, sandbox, client, "empty_after_accepting", key="a")
        (lost,) = sandbox.orders
        order = await client.resolve("a", order_id=lost)
        assert (await order).numbers == sandbox.orders[lost].fulfilled
        assert (await provider.order(client, key="a")).id == lost
        assert await client.in_doubt() == []
        for settle in (client.resolve("a", order_id=lost), client.abandon("a"), client.reconcile("a")):
            with pytest.raises(InvalidOrderError, match="is settled"):
                await settle
        assert (sandbox.purchases, sandbox.violations) == (1, 0)


async def test_abandoned_its_key_is_free_and_nothing_else_has_happened(provider: Adapter, sandbox: Sandbox) -> None:
    async with provider.client(sandbox) as client:
        await doubt(provider, sandbox, client, "lost_before_accepting", key="a")
        await client.abandon("a")
        assert (await client.in_doubt(), posts(sandbox)) == ([], 1)
        assert (await provider.order(client, key="a")).id in sandbox.orders
        assert sandbox.purchases == 1


async def test_a_key_buys_once_however_many_ask_for_it(provider: Adapter, sandbox: Sandbox) -> None:
    async with provider.client(sandbox) as client:
        orders = await asyncio.gather(*(provider.order(client, key="a") for _ in range(20)))
        assert len({order.id for order in orders}) == 1
        await orders[0]
        again = await provider.order(client, key="a")
        assert (again.id, again.settled_by) == (orders[0].id, "store")
        with pytest.raises(InvalidOrderError, match="was 2 and is now 3"):
            await provider.order(client, quantity=3, key="a")
        assert posts(sandbox) == sandbox.purchases == 1


async def test_what_surely_was_not_bought_is_no_doubt(provider: Adapter, sandbox: Sandbox) -> None:
    """Refused by the provider, or by nobody: the key is free again."""
    refusals = (AuthenticationError, RateLimitedError, BadRequestError)
    async with provider.client(sandbox, max_retries=0) as client:
        sandbox.fault_next(provider.purchases, "unauthorized", "rate_limited")
        sandbox.plan(Life(reply="refused"))
        for refusal in refusals:
            with pytest.raises(refusal):
                await provider.order(client, key="a")
        assert (await client.in_doubt(), sandbox.purchases, posts(sandbox)) == ([], 0, len(refusals))
        assert (await provider.order(client, key="a")).id in sandbox.orders
    async with provider.at("http://127.0.0.1:9", max_retries=0) as client:
        with pytest.raises(TransportError) as caught:
            await provider.order(client, key="a")
        assert not caught.value.sent
        assert await client.in_doubt() == []


async def test_a_postback_may_end_a_doubt_or_be_evidence(provider: Adapter) -> None:
    """An order with an address of its own is named by its callback; elsewhere the postback is one more reason to look."""
    async with Sandbox(processing=0.3, seed=5) as sandbox, provider.listening(sandbox) as (client, _):
        await doubt(provider, sandbox, client, "lost_after_accepting", key="a")
        (lost,) = sandbox.orders
        async with asyncio.timeout(10):
            while not sandbox.deliveries:  # noqa: ASYNC110 - the sandbox has no event for it
                await asyncio.sleep(0.01)
        if not provider.own_addresses:
            found = await client.reconcile("a")
            assert (found.verdict, found.order_id) == ("placed", lost)
            await client.resolve("a", order_id=found.order_id)
        assert await client.in_doubt() == []
        assert (await provider.order(client, key="a")).id == lost
        assert (sandbox.purchases, sandbox.violations) == (1, 0)
