"""Orders in memory, for scripts and tests: they are forgotten when the process ends."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from callfire_async.stores import KEEP, Phase, Record, Scope, checked_keep, gone, placed_before
from callfire_async.stores.schedule import InProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from callfire_async.orders import Outcome


class MemoryStore(InProcess):
    """A Store that lasts as long as the process. Settled orders are kept for `keep`, then forgotten with their keys.

    `clock` gives seconds that only ever grow, for tests that turn it by hand.
    """

    def __init__(self, *, keep: timedelta = KEEP, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock)
        checked_keep(keep)
        self._keep = keep
        self._records: dict[tuple[Scope, str], Record] = {}
        self._keys: dict[tuple[Scope, str], str] = {}
        self._callbacks: dict[tuple[Scope, str], str] = {}
        self._settled: deque[tuple[datetime, Scope, str]] = deque()

    async def __aenter__(self) -> Self:
        # What an earlier use of this store left on the way is as unknown as after a crash.
        for place, record in self._records.items():
            if record.phase is Phase.INTENDED:
                self._records[place] = replace(record, phase=Phase.IN_DOUBT)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        pass

    async def intend(self, record: Record) -> Record | None:
        self._expire()
        known = self._records.setdefault((record.scope, record.key), record)
        if known is not record:
            return known
        if record.callback is not None:
            self._callbacks[record.scope, record.callback] = record.key
        return None

    async def refuse(self, scope: Scope, key: str) -> Record | None:
        record = self._records.get((scope, key))
        if record is not None and record.order_id is None:
            self._forget(record)
            return None
        return record

    async def doubt(self, scope: Scope, key: str) -> Record:
        record = self._purchase(scope, key)
        if record.phase is Phase.INTENDED:
            record = self._records[scope, key] = replace(record, phase=Phase.IN_DOUBT)
        return record

    async def place(self, scope: Scope, key: str, order_id: str, *, ask_in: float, rest: float) -> Record:
        record, known = self._purchase(scope, key), await self.find(scope, order_id)
        if placed_before(record, known, order_id):
            return record
        record = replace(record, phase=Phase.OPEN, order_id=order_id)
        if known is not None:
            record = replace(record, phase=known.phase, state=known.state, settled_by=known.settled_by)
            del self._records[scope, known.key]
        self._records[scope, key] = record
        self._keys[scope, order_id] = key
        if record.phase is Phase.OPEN:
            self._schedules[scope].follow(order_id, ask_in=ask_in, rest=rest)
        return record

    async def attach(self, record: Record) -> Record:
        order_id = str(record.order_id)
        if known := await self.find(record.scope, order_id):
            return known
        self._records[record.scope, record.key] = record
        self._keys[record.scope, order_id] = record.key
        self._schedules[record.scope].follow(order_id, ask_in=0.0, rest=0.0)
        return record

    async def apply(self, scope: Scope, order_id: str, *, state: str, outcome: Outcome, by: str) -> bool:
        record = await self.find(scope, order_id)
        if record is None or record.phase is not Phase.OPEN:
            return False
        record = replace(record, state=state)
        if outcome.final:
            record = replace(record, phase=Phase.SETTLED, settled_by=by)
            self._settled.append((datetime.now(UTC), scope, order_id))
        self._records[scope, record.key] = record
        self._applied(scope, order_id, final=outcome.final)
        return True

    async def find(self, scope: Scope, order_id: str) -> Record | None:
        key = self._keys.get((scope, order_id))
        return None if key is None else self._records[scope, key]

    async def find_key(self, scope: Scope, key: str) -> Record | None:
        return self._records.get((scope, key))

    async def find_callback(self, scope: Scope, digest: str) -> Record | None:
        key = self._callbacks.get((scope, digest))
        return None if key is None else self._records[scope, key]

    async def in_phase(self, scope: Scope, phase: Phase) -> list[Record]:
        return [record for record in self._records.values() if record.scope == scope and record.phase is phase]

    def _expire(self) -> None:
        while self._settled and self._settled[0][0] < datetime.now(UTC) - self._keep:
            _, scope, order_id = self._settled.popleft()
            self._forget(self._records[scope, self._keys.pop((scope, order_id))])

    def _forget(self, record: Record) -> None:
        del self._records[record.scope, record.key]
        self._callbacks.pop((record.scope, record.callback or ""), None)

    def _purchase(self, scope: Scope, key: str) -> Record:
        if (record := self._records.get((scope, key))) is None:
            raise gone(key)
        return record
