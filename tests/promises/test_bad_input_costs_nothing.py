"""Promise 7: bad arguments raise before anything is sent; hostile bodies are refused in bounded time and memory."""

from __future__ import annotations

import gzip
import tracemalloc
from time import perf_counter
from typing import TYPE_CHECKING

import httpx
import pytest
from adapters import PATIENT

from callfire_async import InvalidOrderError
from callfire_async.sandbox import Sandbox

if TYPE_CHECKING:
    from adapters import Adapter

LIMIT = 64 * 1024


async def test_what_can_be_no_order_is_refused_and_nothing_is_sent(provider: Adapter) -> None:
    async with Sandbox() as sandbox, provider.client(sandbox) as client:
        for arguments in provider.impossible:
            with pytest.raises(InvalidOrderError, match=r"(?i)nothing was sent"):
                await client.order(**arguments)
        for order_id in provider.impossible_ids:
            for call in (client.get_order, client.attach):
                with pytest.raises(InvalidOrderError, match=r"(?i)nothing was sent"):
                    await call(order_id)
        for settle in (client.reconcile, client.abandon):
            with pytest.raises(InvalidOrderError, match="is not known"):
                await settle("nobody's key")
        assert sandbox.calls == ()
        assert (await client.pending(), await client.in_doubt()) == ([], [])


def hostile(honest: bytes) -> dict[str, tuple[bytes, dict[str, str], set[int]]]:
    """Body, headers, and the statuses that will do, by what is wrong with it."""
    return {
        "nothing": (b"", {}, {400}),
        "no document": (b"\x00\xff" * 1000, {}, {400}),
        "cut in half": (honest[: len(honest) // 2], {}, {400}),
        "too large": (honest + b" " * LIMIT, {}, {413}),
        "compressed": (gzip.compress(honest), {"Content-Encoding": "gzip"}, {415}),
        "deep": ((b"[" if honest[:1] == b"{" else b"<a>") * 20_000, {}, {400}),
        "wide": (
            b"[" + b"0," * 30_000 + b"0]" if honest[:1] == b"{" else b"<a>" + b"<b/>" * 16_000 + b"</a>",
            {},
            {200, 400},
        ),
        "a long number": (b'{"id": ' + b"9" * 60_000 + b"}", {}, {200, 400}),
        "entities": (b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 60_000 + b'">]><a>&b;</a>', {}, {400}),
    }


async def test_hostile_postbacks_are_refused_soon_and_cost_the_provider_nothing(provider: Adapter) -> None:
    async with (
        Sandbox(processing=60.0, postbacks="lost") as sandbox,
        provider.listening(sandbox, poll=PATIENT) as (client, listener),
        httpx.AsyncClient(trust_env=False) as stranger,
    ):
        order = await provider.order(client)
        address = provider.address(sandbox, order, listener)
        honest, calls = provider.body(order.id, provider.words["finished"]), len(sandbox.calls)
        tracemalloc.start()
        refused = 0
        for wrong, (body, headers, statuses) in hostile(honest).items():
            begun = perf_counter()
            answer = await stranger.post(address, content=body, headers=headers)
            assert answer.status_code in statuses, wrong
            assert perf_counter() - begun < 2.0, wrong
            refused += 400 <= answer.status_code < 500
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 100 * LIMIT
        assert client.stats().postbacks_refused == refused
        # One that could be read and came to the order's own address is a reason to ask, and no more.
        assert client.stats().polls <= 1
        assert len(sandbox.calls) - calls <= 1
        assert not order.done()
