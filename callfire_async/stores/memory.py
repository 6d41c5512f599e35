"""Orders in memory, for scripts and tests: they are forgotten when the process ends."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from callfire_async.errors import StoreError
from callfire_async.stores import Claim, Phase, Record, Scope
from callfire_async.stores.schedule import Schedule

if TYPE_CHECKING:
    from types import TracebackType

    from callfire_async.orders import Outcome


class MemoryStore:
    """A Store that lasts as long as the process. Open, close and open again: it still knows its orders."""

    def __init__(self) -> None:
        self._records: dict[tuple[Scope, str], Record] = {}
        self._keys: dict[tuple[Scope, str], str] = {}
        self._schedules: defaultdict[Scope, Schedule] = defaultdict(Schedule)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        pass

    async def intend(self, record: Record) -> Record | None:
        known = self._records.setdefault((record.scope, record.key), record)
        return None if known is record else known

    async def refuse(self, scope: Scope, key: str) -> None:
        del self._records[scope, key]

    async def doubt(self, scope: Scope, key: str) -> None:
        self._records[scope, key] = replace(self._records[scope, key], phase=Phase.IN_DOUBT)

    async def place(self, scope: Scope, key: str, order_id: str, *, ask_in: float, rest: float) -> Record:
        if self._keys.get((scope, order_id), key) != key:
            raise StoreError(
                f"Order {order_id} is already known under the key {self._keys[scope, order_id]!r}, and cannot be {key!r} as well."
            )
        record = replace(self._records[scope, key], phase=Phase.OPEN, order_id=order_id)
        self._records[scope, key] = record
        self._keys[scope, order_id] = key
        self._schedules[scope].follow(order_id, ask_in=ask_in, rest=rest)
        return record

    async def attach(self, record: Record) -> Record:
        order_id = str(record.order_id)
        if known := await self.find(record.scope, order_id):
            return known
        self._records[record.scope, record.key] = record
        return await self.place(record.scope, record.key, order_id, ask_in=0.0, rest=0.0)

    async def apply(self, scope: Scope, order_id: str, *, state: str, outcome: Outcome, by: str) -> bool:
        record = await self.find(scope, order_id)
        if record is None or record.phase is not Phase.OPEN:
            return False
        record = replace(record, state=state)
        if outcome.final:
            record = replace(record, phase=Phase.SETTLED, settled_by=by)
            self._schedules[scope].leave(order_id)
        self._records[scope, record.key] = record
        return True

    async def find(self, scope: Scope, order_id: str) -> Record | None:
        key = self._keys.get((scope, order_id))
        return None if key is None else self._records[scope, key]

    async def find_key(self, scope: Scope, key: str) -> Record | None:
        return self._records.get((scope, key))

    async def in_phase(self, scope: Scope, phase: Phase) -> list[Record]:
        return [record for record in self._records.values() if record.scope == scope and record.phase is phase]

    async def hasten(self, scope: Scope, order_id: str) -> None:
        self._schedules[scope].hasten(order_id)

    async def claim_due(self, scope: Scope, limit: int) -> list[Claim]:
        return [
            Claim(scope=scope, order_id=order_id, age=age) for order_id, age in self._schedules[scope].claim_due(limit)
        ]

    async def settle_claim(self, claim: Claim, *, again_in: float | None, rest: float) -> None:
        record = await self.find(claim.scope, claim.order_id)
        goes_on = record is not None and record.phase is Phase.OPEN
        self._schedules[claim.scope].settle(claim.order_id, again_in=again_in if goes_on else None, rest=rest)

    async def due_in(self, scope: Scope) -> float | None:
        return self._schedules[scope].due_in()
