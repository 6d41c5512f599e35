"""Purchases of unknown fate: listed, looked into, settled or given up. Nothing here buys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic

from callfire_async.errors import Error, InvalidOrderError
from callfire_async.providers import Reconciliation, S
from callfire_async.stores import Phase

if TYPE_CHECKING:
    from callfire_async.orders import Content
    from callfire_async.poller import Poller
    from callfire_async.providers import Investigation, Provider, Reply
    from callfire_async.registry import Registry, Tracked
    from callfire_async.stores import Record, Scope, Store
    from callfire_async.transport import Transport


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
    ) -> None:
        self._store = store
        self._scope = scope
        self._provider = provider
        self._transport = transport
        self._registry = registry
        self._poller = poller

    async def list(self) -> list[InDoubt]:
        """All of them, oldest first."""
        records = await self._store.in_phase(self._scope, Phase.IN_DOUBT)
        return [InDoubt(key=r.key, request=r.content, submitted_at=r.submitted_at) for r in records]

    async def reconcile(self, key: str) -> Reconciliation:
        """Look for evidence: first among orders that were heard of or attached and that nobody here has placed, then where the provider lets us look."""
        record = await self._in_doubt(key)
        attached = [str(r.order_id) for r in await self._store.in_phase(self._scope, Phase.OPEN) if not r.content]
        strays = [
            state
            for order_id in [*self._registry.strays, *attached]
            if (state := await self._seen(order_id)) is not None
        ]
        matching = [state for state in strays if self._provider.matches(state, record.content, record.submitted_at)]
        heard = tuple(
            f"Order {s.id} exists, is {s.status}, was not placed under any other key, and asks for the same."
            for s in matching
        )
        if len(matching) == 1:
            (only,) = (state.id for state in matching)
            return Reconciliation(verdict="placed", evidence=heard, order_id=only, candidates=(only,))
        found = await self._follow(self._provider.investigate(record.content, record.submitted_at, datetime.now(UTC)))
        fitting = [order_id for order_id in found.candidates if not await self._is_purchase(order_id)]
        return _judged(found, heard, tuple(dict.fromkeys([*(state.id for state in matching), *fitting])))

    async def resolve(self, key: str, order_id: str) -> Tracked[S]:
        """Settle the doubt: it was placed, and this is its id. It is followed from now on."""
        self._provider.encode_status(order_id)  # refuses an impossible id
        await self._in_doubt(key)
        record = await self._store.place(self._scope, key, order_id, ask_in=0.0, rest=0.0)
        self._registry.strays.pop(order_id, None)
        return await self._registry.track(record)

    async def abandon(self, key: str) -> None:
        """Settle the doubt: it was not placed. The key is free again."""
        await self._in_doubt(key)
        await self._store.refuse(self._scope, key)

    async def _in_doubt(self, key: str) -> Record:
        record = await self._store.find_key(self._scope, key)
        if record is None or record.phase is not Phase.IN_DOUBT:
            what = "is not known" if record is None else f"is {record.phase}"
            raise InvalidOrderError(
                f"No purchase under the key {key!r} is in doubt: it {what}. in_doubt() lists those that are."
            )
        return record

    async def _is_purchase(self, order_id: str) -> bool:
        """Whether an order is known to be the purchase of some key."""
        record = await self._store.find(self._scope, order_id)
        return record is not None and bool(record.content)

    async def _seen(self, order_id: str) -> S | None:
        try:
            return await self._poller.ask(order_id)
        except Error:
            return None  # no evidence either way

    async def _follow(self, investigation: Investigation) -> Reconciliation:
        """Carry the questions of an investigation to the provider, and the answers back."""
        answer: Reply | Error | None = None
        try:
            while True:
                failed = isinstance(answer, Error)
                request = investigation.throw(answer) if failed else investigation.send(answer)  # type: ignore[arg-type]  # begins with None
                try:
                    answer = await self._transport.send(request)
                except Error as exc:
                    answer = exc
        except StopIteration as end:
            verdict: Reconciliation = end.value
            return verdict


def _judged(found: Reconciliation, heard: tuple[str, ...], candidates: tuple[str, ...]) -> Reconciliation:
    """The verdict, once the orders that fit are known. A single one is it; where there is none, what was found holds."""
    evidence = heard + found.evidence
    if not candidates:
        return Reconciliation(verdict=found.verdict, evidence=evidence, order_id=found.order_id)
    if len(candidates) == 1:
        return Reconciliation(verdict="placed", evidence=evidence, order_id=candidates[0], candidates=candidates)
    return Reconciliation(
        verdict="placed" if found.verdict == "placed" else "unknown",
        evidence=(
            *evidence,
            f"{len(candidates)} orders fit, and nothing tells which of them it is: {', '.join(candidates)}.",
        ),
        candidates=candidates,
    )
