"""Orders in PostgreSQL, shared by any number of processes: each may order, ask, and take postbacks for all of them."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from callfire_async.errors import StoreError
from callfire_async.stores import KEEP, Phase, Record, Scope, checked_keep, gone, placed_before
from callfire_async.stores.postgres_pool import Database, DatabaseError
from callfire_async.stores.postgres_schedule import SharedSchedule, follow
from callfire_async.stores.postgres_schema import ensure
from callfire_async.stores.postgres_wakes import ALIVE, Wakes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta
    from types import TracebackType

    from callfire_async.orders import Outcome
    from callfire_async.stores.postgres_pool import Session

RESTART: Final = 10.0
"""Seconds that a write which must not be lost waits for a database that is away: a restart takes less."""

# What a process has on the way is in doubt once that process is gone. Nothing is written for it: should it be heard of again, it is no doubt.
_ALONE: Final = f"""NOT EXISTS (
        SELECT FROM {{schema}}.nodes WHERE nodes.node = orders.node AND seen > clock_timestamp() - interval '{ALIVE} seconds'
    )"""
_PHASE: Final = f"CASE WHEN phase = 'intended' AND {_ALONE} THEN 'in doubt' ELSE phase END AS phase"
_SELECT: Final = f"""SELECT key, content, {_PHASE}, submitted_at, order_id, state, settled_by, callback, node, attempt
    FROM {{schema}}.orders WHERE provider = $1 AND account = $2"""
_BY_KEY: Final = "provider = $1 AND account = $2 AND key = $3"

_INTEND: Final = """
    INSERT INTO {schema}.orders (provider, account, key, content, phase, submitted_at, callback, node, attempt)
    VALUES ($1, $2, $3, $4, 'intended', $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING number
"""
_ATTACH: Final = """
    INSERT INTO {schema}.orders (provider, account, key, content, phase, submitted_at, order_id, state)
    VALUES ($1, $2, $3, $4, 'open', $5, $6, $7) ON CONFLICT DO NOTHING RETURNING number
"""
_PLACE: Final = f"""
    UPDATE {{schema}}.orders SET phase = $4, order_id = $5, state = $6, settled_by = $7,
        changed_at = CASE WHEN $6::text IS NOT NULL THEN clock_timestamp() END,
        settled_at = CASE WHEN $4 = 'settled' THEN clock_timestamp() END
    WHERE {_BY_KEY}
"""

_LOCK_BOTH: Final = """
    SELECT FROM {schema}.orders WHERE provider = $1 AND account = $2 AND (key = $3 OR order_id = $4) ORDER BY number FOR UPDATE
"""

# A key may have been given up and taken again by another process: each submission speaks only of its own attempt.
_MINE: Final = "node = $4 AND attempt = $5"
_REFUSE: Final = f"""
    DELETE FROM {{schema}}.orders WHERE {_BY_KEY} AND order_id IS NULL AND (phase = 'in doubt' OR ({_MINE}) OR {_ALONE})
"""
_DOUBT: Final = f"UPDATE {{schema}}.orders SET phase = 'in doubt' WHERE {_BY_KEY} AND phase = 'intended' AND {_MINE}"
_TAKE_BACK: Final = "DELETE FROM {schema}.orders WHERE node = $1 AND attempt = $2 AND phase = 'intended'"

# A state that is known already is not written again: it would wake everyone.
_APPLY: Final = """
    WITH known AS (
        SELECT phase FROM {schema}.orders WHERE provider = $1 AND account = $2 AND order_id = $3
    ), changed AS (
        UPDATE {schema}.orders SET state = $4, phase = $5, settled_by = $6, changed_at = clock_timestamp(),
            settled_at = CASE WHEN $5 = 'settled' THEN clock_timestamp() END
        WHERE provider = $1 AND account = $2 AND order_id = $3 AND phase = 'open' AND ($5 = 'settled' OR state IS DISTINCT FROM $4)
        RETURNING order_id
    ), left_alone AS (
        UPDATE {schema}.schedule AS s SET followed = false, due = CASE WHEN claim IS NOT NULL OR wanted_by IS NOT NULL THEN due END
        FROM changed WHERE s.provider = $1 AND s.account = $2 AND s.order_id = changed.order_id AND $5 = 'settled'
    )
    SELECT known.phase, changed.order_id IS NOT NULL, CASE WHEN changed.order_id IS NOT NULL THEN pg_notify($7, $8) END
    FROM known LEFT JOIN changed ON true
"""


T = TypeVar("T")


class PostgresStore(SharedSchedule):
    """A Store in a schema of a PostgreSQL database, made when it is not there. Any number of processes may have it open.

    `url` is "postgresql://user:password@host/database". A process uses up to `pool_size` connections, and one more to hear of the others.
    With `prepare=False` no statement is kept prepared, which some poolers in transaction mode need; each then costs two round trips more.
    Settled orders are kept for `keep`, then deleted with their keys. Raises StoreError, with what to do about it, for a database that cannot be
    reached or whose disk is full, a role that may not do what is needed, and tables of a newer version. While the database is away
    every method raises StoreError; afterwards everything goes on by itself.
    """

    def __init__(
        self,
        url: str,
        *,
        schema: str = "callfire_async",
        pool_size: int = 8,
        prepare: bool = True,
        keep: timedelta = KEEP,
    ) -> None:
        super().__init__(Database(url, schema=schema, size=pool_size, prepare=prepare))
        checked_keep(keep)
        self._wakes = Wakes(self._database, keep=keep)
        self._attempts = itertools.count()
        #: Purchases whose submission is on the way from here, and which attempt each is.
        self._under_way: dict[tuple[Scope, str], int] = {}

    def __repr__(self) -> str:
        return f"<PostgresStore {self._database.schema} in {self._database.name}>"

    async def __aenter__(self) -> Self:
        await self._database.open()
        try:
            await ensure(self._database)
            self._node = secrets.randbits(62)
            self._under_way.clear()  # what an earlier use of this store had on the way is nobody's now
            await self._wakes.start(self._node)
        except BaseException:
            await self._database.close()
            raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._wakes.stop()
        await self._database.close()

    async def intend(self, record: Record) -> Record | None:
        node, attempt = self._node, next(self._attempts)
        row = (
            *record.scope,
            record.key,
            json.dumps(record.content),
            record.submitted_at,
            record.callback,
            node,
            attempt,
        )
        try:
            while not await self._database.fetch(_INTEND, *row):
                if (known := await self.find_key(record.scope, record.key)) is not None:
                    return known
        except DatabaseError:
            # It may be written all the same, and nothing is sent.
            self._wakes.owed.append(lambda: self._database.fetch(_TAKE_BACK, node, attempt))
            raise
        self._under_way[record.scope, record.key] = attempt
        return None

    async def refuse(self, scope: Scope, key: str) -> Record | None:
        attempt = self._under_way.get((scope, key), -1)
        await self._patiently(lambda: self._database.fetch(_REFUSE, *scope, key, self._node, attempt))
        self._under_way.pop((scope, key), None)
        record = await self.find_key(scope, key)
        return None if record is None or record.order_id is None else record

    async def doubt(self, scope: Scope, key: str) -> Record:
        attempt = self._under_way.get((scope, key), -1)
        await self._patiently(lambda: self._database.fetch(_DOUBT, *scope, key, self._node, attempt))
        self._under_way.pop((scope, key), None)
        if (record := await self.find_key(scope, key)) is None:
            raise gone(key)
        return record

    async def place(self, scope: Scope, key: str, order_id: str, *, ask_in: float, rest: float) -> Record:
        attempt = self._under_way.get((scope, key))

        async def write(session: Session) -> Record:
            record = await _place(session, scope, key, order_id, None if attempt is None else (self._node, attempt))
            if record.phase is Phase.OPEN:
                await follow(session, scope, order_id, ask_in=ask_in, rest=rest)
            return record

        record = await self._patiently(lambda: self._database.transaction(write))
        self._under_way.pop((scope, key), None)
        return record

    async def attach(self, record: Record) -> Record:
        scope, order_id = record.scope, str(record.order_id)
        row = (*scope, record.key, json.dumps(record.content), record.submitted_at, order_id, record.state)

        async def write(session: Session) -> Record | None:
            if not await session.fetch(_ATTACH, *row):
                return None
            await follow(session, scope, order_id, ask_in=0.0, rest=0.0)
            return record

        for _ in range(3):  # someone else may attach it in between
            if (attached := await self.find(scope, order_id) or await self._database.transaction(write)) is not None:
                return attached
        raise StoreError(f"Order {order_id} could not be attached: its key {record.key!r} belongs to another order.")

    async def apply(self, scope: Scope, order_id: str, *, state: str, outcome: Outcome, by: str) -> bool:
        phase, settled_by = (Phase.SETTLED, by) if outcome.final else (Phase.OPEN, None)
        note = self._wakes.note(scope, order_id)
        rows = await self._database.fetch(
            _APPLY, *scope, order_id, state, phase, settled_by, self._database.schema, note
        )
        if rows and rows[0][1]:
            self._wakes.tell(scope, order_id)
        return bool(rows) and rows[0][0] == Phase.OPEN and (rows[0][1] or not outcome.final)

    async def find(self, scope: Scope, order_id: str) -> Record | None:
        return _first(scope, await self._database.fetch(f"{_SELECT} AND order_id = $3", *scope, order_id))

    async def find_key(self, scope: Scope, key: str) -> Record | None:
        return _first(scope, await self._database.fetch(f"{_SELECT} AND key = $3", *scope, key))

    async def find_callback(self, scope: Scope, digest: str) -> Record | None:
        return _first(scope, await self._database.fetch(f"{_SELECT} AND callback = $3", *scope, digest))

    async def in_phase(self, scope: Scope, phase: Phase) -> list[Record]:
        written = [phase] if phase is Phase.OPEN else [Phase.INTENDED, Phase.IN_DOUBT]
        rows = await self._database.fetch(
            f"{_SELECT} AND phase <> 'settled' AND phase = ANY($3) ORDER BY submitted_at, number", *scope, written
        )
        return [record for row in rows if (record := _record(scope, row)).phase is phase]

    def watch(self, scope: Scope, heard: Callable[[str], None]) -> None:
        self._wakes.watch(scope, heard)

    def unwatch(self, scope: Scope, heard: Callable[[str], None]) -> None:
        self._wakes.unwatch(scope, heard)

    async def _patiently(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write what became of a submission, which a short absence of the database only delays. It can be written twice."""
        patient_until = time.monotonic() + RESTART
        while True:
            try:
                return await write()
            except DatabaseError:
                if time.monotonic() > patient_until:
                    raise
            await asyncio.sleep(0.25)


async def _place(session: Session, scope: Scope, key: str, order_id: str, attempt: tuple[int, int] | None) -> Record:
    """Give a purchase its id. `attempt` says which submission of the key it was, where it was one of this process."""
    await session.fetch(_LOCK_BOTH, *scope, key, order_id)
    record = _first(scope, rows := await session.fetch(f"{_SELECT} AND key = $3", *scope, key))
    known = _first(scope, await session.fetch(f"{_SELECT} AND order_id = $3", *scope, order_id))
    if record is None or (attempt is not None and attempt != (rows[0]["node"], rows[0]["attempt"])):
        raise gone(key)
    if placed_before(record, known, order_id):
        return record
    placed = replace(record, phase=Phase.OPEN, order_id=order_id)
    if known is not None:
        placed = replace(placed, phase=known.phase, state=known.state, settled_by=known.settled_by)
        await session.fetch(f"DELETE FROM {{schema}}.orders WHERE {_BY_KEY}", *scope, known.key)
    await session.fetch(_PLACE, *scope, key, placed.phase, order_id, placed.state, placed.settled_by)
    return placed


def _first(scope: Scope, rows: list[Any]) -> Record | None:
    return _record(scope, rows[0]) if rows else None


def _record(scope: Scope, row: Any) -> Record:
    return Record(
        scope=scope,
        key=row["key"],
        content=json.loads(row["content"]),
        phase=Phase(row["phase"]),
        submitted_at=row["submitted_at"],
        order_id=row["order_id"],
        state=row["state"],
        settled_by=row["settled_by"],
        callback=row["callback"],
    )
