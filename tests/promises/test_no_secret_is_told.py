"""Promise 8 again: what it says never holds a secret."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from callfire_async import Error, PollPolicy
from callfire_async.sandbox import Life, Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from adapters import Adapter


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
