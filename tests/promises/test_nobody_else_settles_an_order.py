"""Promise 5: a forged, replayed, duplicated, early, late or reordered postback can cost at most one GET."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from adapters import PATIENT

from callfire_async.sandbox import Life, Sandbox

if TYPE_CHECKING:
    from adapters import Adapter


async def test_a_false_word_is_a_reason_to_ask_and_nothing_else(provider: Adapter) -> None:
    """Fifty times in a row, with the true address: one question, and its answer counts."""
    async with (
        Sandbox(processing=60.0, postbacks="lost") as sandbox,
        provider.listening(sandbox, poll=PATIENT) as (client, _),
    ):
        order = await provider.order(client)
        for _ in range(50):
            await sandbox.deliver(order.id, status=provider.words["errored"])
        assert {delivery.status for delivery in sandbox.deliveries} == {200}
        assert client.stats().postbacks_accepted >= 50
        await order.refresh()
        assert not order.done()
        assert sandbox.orders[order.id].calls == client.stats().polls <= 2
        assert sandbox.violations == 0


async def test_after_the_end_no_word_costs_anything_or_changes_it(provider: Adapter) -> None:
    """Replayed, doubled, late and contradictory ones."""
    async with (
        Sandbox(processing=0.1, postbacks="lost") as sandbox,
        provider.listening(sandbox, poll=PATIENT) as (client, _),
    ):
        order = await provider.order(client)
        await sandbox.deliver(order.id)
        final = await order
        calls = len(sandbox.calls)
        for word in ("finished", "finished", "errored", "parked"):
            await sandbox.deliver(order.id, status=provider.words[word])
        assert (await order, order.latest) == (final, final)
        assert client.stats().postbacks_duplicate >= 4
        assert [state async for state in order.updates()] == [final]
        assert len(sandbox.calls) == calls


async def test_a_postback_of_an_unknown_order_and_one_to_a_wrong_address_cost_nothing(provider: Adapter) -> None:
    async with (
        Sandbox(processing=60.0, postbacks="lost") as sandbox,
        provider.listening(sandbox, poll=PATIENT) as (client, listener),
        httpx.AsyncClient(trust_env=False) as stranger,
    ):
        order = await provider.order(client)
        true, wrong = provider.address(sandbox, order, listener), listener.url[:-1]
        false = provider.body(order.id, provider.words["finished"])
        calls = len(sandbox.calls)
        assert {(await stranger.post(f"{wrong}{end}", content=false)).status_code for end in ("", "_", "/x")} == {404}
        assert client.stats().postbacks_refused == 3
        assert (await stranger.post(listener.url, content=provider.body("987654321", "FINISHED"))).status_code == 200
        assert (await stranger.post(true, content=false[:20])).status_code == 400
        assert len(sandbox.calls) == calls
        assert not order.done()


async def test_where_postbacks_are_trusted_the_first_final_word_stays(provider: Adapter) -> None:
    async with (
        Sandbox(processing=60.0, postbacks="lost") as sandbox,
        provider.listening(sandbox, poll=PATIENT, trust_postbacks=True) as (client, _),
    ):
        order = await provider.order(client)
        for word in ("parked", "finished", "finished", "errored", "parked"):
            await sandbox.deliver(order.id, status=provider.words[word])
        assert (await order).status == provider.words["finished"]
        assert order.settled_by == "postback"
        assert (client.stats().settled_by_postback, client.stats().polls) == (1, 0)


async def test_one_that_overtakes_the_answer_to_the_purchase_is_kept_for_it(provider: Adapter) -> None:
    async with Sandbox(seed=2) as sandbox, provider.listening(sandbox, poll=PATIENT) as (client, _):
        sandbox.plan(Life(processing=0.0, postback="early"))
        order = await provider.order(client)
        assert (await order).numbers == sandbox.orders[order.id].fulfilled
        # CM.com's order was final when it was accepted, and its answer said so.
        assert order.settled_by == ("create" if provider.tells_at_once else "postback")
        assert client.stats().postbacks_early == (not provider.own_addresses)
        assert sandbox.violations == 0
