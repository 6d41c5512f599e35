"""Purchases of unknown fate: listed, looked into, settled or given up. Nothing here buys."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Generic, Literal

from callfire_async.errors import APIError, Error, InvalidOrderError, NotFoundError, ProtocolError, TransportError
from callfire_async.providers import Reconciliation, S
from callfire_async.stores import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callfire_async.orders import Content
    from callfire_async.poller import Poller
    from callfire_async.providers import Investigation, Provider, Reply, Request
    from callfire_async.registry import Registry, Tracked
    from callfire_async.stores import Record, Scope, Store
    from callfire_async.submission.unwritten import Unwritten
    from callfire_async.transport import Transport

logger = logging.getLogger("callfire_async.doubt")

#: What may turn out to be an order that nobody has heard of yet.
_UNSETTLED: Final = (Phase.INTENDED, Phase.IN_DOUBT)


@dataclass(frozen=True, slots=True, kw_only=True)
class InDoubt:
    """A purchase of unknown fate."""

    key: str
    #: What was ordered.
    request: Content
    #: When `order()` was called: aware, UTC.
    submitted_at: datetime


class Doubts(Generic[S]):
    """The purchases in doubt of one client."""

    def __init__(
        self,
        *,
        store: Store,
        scope: Scope,
        provider: Provider[S],
        transport: Transport,
        registry: Registry[S],
        poller: Poller[S],
        unwritten: Unwritten,
    ) -> None:
        self._store = store
        self._scope = scope
        self._provider = provider
        self._transport = transport
        self._registry = registry
        self._poller = poller
        self._unwritten = unwritten

    async def list(self) -> list[InDoubt]:
        """All of them, oldest first."""
        await self._unwritten.settle_all()
        records = await self._store.in_phase(self._scope, Phase.IN_DOUBT)
        return [InDoubt(key=r.key, request=r.content, submitted_at=r.submitted_at) for r in records]

    async def reconcile(self, key: str) -> Reconciliation:
        """Look for evidence: first among orders that were heard of or attached and that nobody here has placed, then where the provider lets us look."""
        record = await self._in_doubt(key)
        rivals = [r for phase in _UNSETTLED for r in await self._store.in_phase(self._scope, phase) if r.key != key]
        attached = [str(r.order_id) for r in await self._store.in_phase(self._scope, Phase.OPEN) if not r.content]
        strays = [
            state
            for order_id in [*self._registry.hearsay.strays, *attached]
            if (state := await self._seen(order_id)) is not None
        ]
        matching = [state for state in strays if self._provider.matches(state, record.content, record.submitted_at)]
        found = Reconciliation(
            verdict="unknown",
            evidence=tuple(
                f"Order {s.id} exists, is {s.status}, was not placed under any other key, and asks for the same."
                for s in matching
            ),
            candidates=tuple(state.id for state in matching),
        )
        if len(matching) != 1:
            traces = self._provider.investigate(record.content, record.submitted_at, datetime.now(UTC))
            found = await self._add(found, await self._follow(traces))
        contested = await self._contested(found.candidates[0], rivals) if len(found.candidates) == 1 else ()
        return _judged(found, contested)

    async def resolve(self, key: str, order_id: str) -> Tracked[S]:
        """Settle the doubt: it was placed, and this is its id. It is followed from now on."""
        self._provider.encode_status(order_id)  # refuses an impossible id
        await self._in_doubt(key)
        try:
            await self._poller.ask(order_id)
        except NotFoundError as exc:
            raise NotFoundError(
                f"The provider knows no order {order_id}, so the purchase {key!r} stays in doubt. It says: {exc.message}",
                status=exc.status,
            ) from exc
        except (APIError, TransportError, ProtocolError):
            logger.info(
                "Order %s could not be asked about; it is taken for the purchase %r all the same.", order_id, key
            )
        record = await self._store.place(self._scope, key, order_id, ask_in=0.0, rest=0.0)
        return await self._registry.track(record)

    async def abandon(self, key: str) -> None:
        """Settle the doubt: it was not placed. The key is free again."""
        await self._in_doubt(key)
        if await self._store.refuse(self._scope, key) is not None:  # it was placed meanwhile
            await self._in_doubt(key)

    async def _in_doubt(self, key: str) -> Record:
        await self._unwritten.settle(key)
        record = await self._store.find_key(self._scope, key)
        if record is None or record.phase is not Phase.IN_DOUBT:
            what = "is not known" if record is None else f"is {record.phase}"
            raise InvalidOrderError(
                f"No purchase under the key {key!r} is in doubt: it {what}. in_doubt() lists those that are."
            )
        return record

    async def _add(self, heard: Reconciliation, traces: Reconciliation) -> Reconciliation:
        """What an investigation has brought on top, without the orders that are known to be the purchase of some key."""
        records = {order_id: await self._store.find(self._scope, order_id) for order_id in traces.candidates}
        others = [order_id for order_id, record in records.items() if record is None or not record.content]
        return replace(
            traces,
            evidence=heard.evidence + traces.evidence,
            candidates=tuple(dict.fromkeys([*heard.candidates, *others])),
        )

    async def _contested(self, order_id: str, rivals: Sequence[Record]) -> Sequence[str]:
        """The keys of other purchases of unknown fate that an order may just as well be."""
        state = await self._seen(order_id) if rivals else None
        return [r.key for r in rivals if state is None or self._provider.matches(state, r.content, r.submitted_at)]

    async def _seen(self, order_id: str) -> S | None:
        try:
            return await self._poller.ask(order_id)
        except Error:
            return None  # no evidence either way

    async def _follow(self, investigation: Investigation) -> Reconciliation:
        """Carry the questions of an investigation to the provider, and the answers back."""
        answer: Reply | Error | None = None
        while True:
            # In a thread: an answer may list a thousand things, and it is decoded in there.
            step = await asyncio.to_thread(_step, investigation, answer)
            if isinstance(step, Reconciliation):
                return step
            try:
                answer = await self._transport.send(step)
            except Error as exc:
                answer = exc


def _step(investigation: Investigation, answer: Reply | Error | None) -> Request | Reconciliation:
    """The next question, or the verdict."""
    try:
        if isinstance(answer, Error):
            return investigation.throw(answer)
        return investigation.send(answer)  # type: ignore[arg-type]  # a generator begins with None
    except StopIteration as end:
        verdict: Reconciliation = end.value
        return verdict


def _judged(found: Reconciliation, contested: Sequence[str]) -> Reconciliation:
    """The verdict, once the orders that fit are known: a single one that no other purchase lays claim to is it."""
    if not found.candidates:
        return found
    if len(found.candidates) == 1 and not contested:
        return replace(found, verdict="placed", order_id=found.candidates[0])
    which = (
        f"Order {found.candidates[0]} may as well be the purchase under the key {contested[0]!r}, whose fate is unknown too."
        if contested
        else f"{len(found.candidates)} orders fit, and nothing tells which of them it is: {', '.join(found.candidates)}."
    )
    # 1.1 can tell that it was placed without telling by which order.
    verdict: Literal["placed", "unknown"] = "placed" if found.verdict == "placed" else "unknown"
    return replace(found, verdict=verdict, evidence=(*found.evidence, which))
