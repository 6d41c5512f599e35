"""Promise 8: unknown statuses, partial fulfilment and parked orders are visible; secrets are not."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from adapters import PATIENT

from callfire_async import Error, OrderTimeoutError, Outcome, PollPolicy
from callfire_async.sandbox import Life, Sandbox

if TYPE_CHECKING:
    from pathlib import Path

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


def everything(exc: BaseException) -> str:
    """All that a log or a debugger would show of an exception."""
    return "\n".join([repr(exc), repr(vars(exc)), *traceback.format_exception(exc)])


async def test_no_log_no_exception_no_repr_and_no_journal_holds_a_secret(
    provider: Adapter, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Neither the credentials nor the addresses, through a life with doubts, refusals, faults, forgeries and a restart."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    secrets = list(provider.secrets)

    async def fails(doing: Any) -> None:
        with pytest.raises((Error, TimeoutError)) as caught:
            await doing
        shown.append(everything(caught.value))

    async with Sandbox(processing=0.2, seed=3) as sandbox:
        options = {
            "store": f"sqlite:{tmp_path / 'orders.db'}",
            "max_retries": 0,
            "poll": PollPolicy(grace=0.0, max_interval=1.0, parked_interval=1.0),
        }
        async with provider.listening(sandbox, **options) as (client, listener):
            secrets.append(listener.url.rpartition("/")[2])
            for reply in ("lost_after_accepting", "error_after_accepting", "html", "empty_after_accepting"):
                sandbox.plan(Life(reply=reply))
                await fails(provider.order(client, key=reply))
                await fails(provider.order(client, key=reply))
                shown.append(repr(await client.reconcile(reply)))
            sandbox.fault_next(provider.purchases, "unauthorized")
            await fails(provider.order(client, key="refused"))
            sandbox.plan(
                Life(postback="forged"),
                Life(postback="malformed", polls=["error500"]),
                Life(polls=["malformed"]),
                Life(polls=["unauthorized"] * 3, postback="lost"),
                Life(result="parked"),
            )
            orders = [await provider.order(client) for _ in range(5)]
            *ending, locked, parked = orders
            await asyncio.gather(*ending, fails(locked.result()), fails(parked.result(timeout=1.0)))
            secrets += [provider.address(sandbox, order, listener).rpartition("/")[2] for order in orders]
            shown += [repr(thing) for thing in (client, vars(client), listener, *orders, client.stats())]
            shown += [repr(order.latest) for order in orders] + [repr(doubt) for doubt in await client.in_doubt()]
        await fails(client.order(**provider.content(2)))
        async with provider.at("http://127.0.0.1:9", **options) as client:
            await fails(provider.order(client, key="nobody there"))
            shown += [repr(order) for order in await client.pending()]
        assert sandbox.violations == 0

    formatter = logging.Formatter("%(name)s %(message)s")
    logged = "\n".join(f"{formatter.format(record)} {record.args!r}" for record in caplog.records)
    journal = b"".join(path.read_bytes() for path in tmp_path.iterdir())  # noqa: ASYNC240 - the loop has nothing else to do
    assert len(shown) > 20
    assert "callfire_async" in logged
    for secret in secrets:
        assert secret not in logged
        assert secret not in "\n".join(shown)
        assert secret.encode() not in journal
