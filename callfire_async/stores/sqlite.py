"""Orders in an SQLite file that outlives the process: the store for anything that matters."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from callfire_async.stores import KEEP, Phase, Record, Scope, checked_keep, gone, placed_before
from callfire_async.stores.journal import Journal
from callfire_async.stores.schedule import InProcess

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from types import TracebackType

    from callfire_async.orders import Outcome

QUIET: Final = 1.0
"""Seconds after opening in which nobody is asked about anything: an earlier run may have asked just before it ended."""

#: Each brings the file from one version to the next; a file's version is how many it has seen. Never change one that was released.
MIGRATIONS: list[str] = [
    """
    CREATE TABLE orders (
        provider TEXT NOT NULL,
        account TEXT NOT NULL,
        key TEXT NOT NULL,
        content TEXT NOT NULL,
        phase TEXT NOT NULL,
        submitted_at TEXT NOT NULL,
        order_id TEXT,
        state TEXT,
        settled_by TEXT,
        settled_at TEXT,
        callback TEXT
    );
    CREATE UNIQUE INDEX orders_by_key ON orders (provider, account, key);
    CREATE UNIQUE INDEX orders_by_id ON orders (provider, account, order_id) WHERE order_id IS NOT NULL;
    CREATE UNIQUE INDEX orders_by_callback ON orders (provider, account, callback) WHERE callback IS NOT NULL;
    CREATE INDEX orders_not_settled ON orders (provider, account, phase) WHERE phase <> 'settled';
    CREATE INDEX orders_settled ON orders (settled_at) WHERE phase = 'settled';
    """,
]

# The partial indexes serve only statements that repeat their condition: hence "phase <> 'settled' AND …" below.
_COLUMNS: Final = "key, content, phase, submitted_at, order_id, state, settled_by, callback"
_BY_KEY: Final = "provider = ? AND account = ? AND key = ?"
_BY_ID: Final = "provider = ? AND account = ? AND order_id = ?"
_BY_CALLBACK: Final = "provider = ? AND account = ? AND callback = ?"

EXPIRE_EVERY: Final = 3600.0
"""Seconds between two looks for settled orders that were kept long enough."""

EXPIRE_AT_ONCE: Final = 1_000
"""The most rows one look deletes; more are left for the next commits, so that nobody waits long."""


class SQLiteStore(InProcess):
    """A Store in a file that outlives the process. Only one process may have it open at a time.

    Settled orders are kept for `keep`, then deleted with their keys, and their space is used again. Raises StoreError, with what to do about it, for a
    directory, a file that cannot be written, a file of something else or damaged, one written by a newer version, a full disk, and a file that another
    process has open. `clock` gives seconds that only ever grow, for tests that turn it by hand.
    """

    def __init__(
        self, path: str | Path, *, keep: timedelta = KEEP, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(quiet=QUIET, clock=clock)
        checked_keep(keep)
        self._journal = Journal(Path(path), MIGRATIONS, chore=lambda db: _expire(db, keep), chore_every=EXPIRE_EVERY)

    def __repr__(self) -> str:
        return f"<SQLiteStore {self._journal.path}>"

    async def __aenter__(self) -> Self:
        self._schedules.clear()
        await self._journal.open()
        for provider, account, order_id in await self._journal.run(_take_over):
            self._schedules[Scope(provider, account)].follow(order_id, ask_in=0.0, rest=0.0)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._journal.close()

    async def intend(self, record: Record) -> Record | None:
        def write(db: sqlite3.Connection) -> Record | None:
            return None if _insert(db, record) else _one(db, record.scope, _BY_KEY, record.key)

        return await self._journal.run(write)

    async def refuse(self, scope: Scope, key: str) -> Record | None:
        def write(db: sqlite3.Connection) -> Record | None:
            db.execute(f"DELETE FROM orders WHERE {_BY_KEY} AND order_id IS NULL", (*scope, key))
            return _one(db, scope, _BY_KEY, key)

        return await self._journal.run(write)

    async def doubt(self, scope: Scope, key: str) -> Record:
        def write(db: sqlite3.Connection) -> Record:
            db.execute(
                f"UPDATE orders SET phase = ? WHERE {_BY_KEY} AND phase = ?",
                (Phase.IN_DOUBT, *scope, key, Phase.INTENDED),
            )
            return _purchase(db, scope, key)

        return await self._journal.run(write)

    async def place(self, scope: Scope, key: str, order_id: str, *, ask_in: float, rest: float) -> Record:
        def write(db: sqlite3.Connection) -> Record:
            return _place(db, scope, key, order_id)

        def follow(record: Record) -> None:
            if record.phase is Phase.OPEN:
                self._schedules[scope].follow(order_id, ask_in=ask_in, rest=rest)

        return await self._journal.run(write, then=follow)

    async def attach(self, record: Record) -> Record:
        order_id = str(record.order_id)

        def write(db: sqlite3.Connection) -> Record:
            known = _one(db, record.scope, _BY_ID, order_id)
            if known is None:
                _insert(db, record)
            return known or record

        def follow(attached: Record) -> None:
            if attached is record:
                self._schedules[record.scope].follow(order_id, ask_in=0.0, rest=0.0)

        return await self._journal.run(write, then=follow)

    async def apply(self, scope: Scope, order_id: str, *, state: str, outcome: Outcome, by: str) -> bool:
        settled = (Phase.SETTLED, by, _now()) if outcome.final else (Phase.OPEN, None, None)

        def write(db: sqlite3.Connection) -> bool:
            changed = db.execute(
                f"UPDATE orders SET state = ?, phase = ?, settled_by = ?, settled_at = ? WHERE {_BY_ID} AND phase = 'open'",
                (state, *settled, *scope, order_id),
            )
            return changed.rowcount == 1

        def pass_on(applied: bool) -> None:  # noqa: FBT001
            if applied:
                self._applied(scope, order_id, final=outcome.final)

        return await self._journal.run(write, then=pass_on)

    async def find(self, scope: Scope, order_id: str) -> Record | None:
        return await self._journal.run(lambda db: _one(db, scope, _BY_ID, order_id))

    async def find_key(self, scope: Scope, key: str) -> Record | None:
        return await self._journal.run(lambda db: _one(db, scope, _BY_KEY, key))

    async def find_callback(self, scope: Scope, digest: str) -> Record | None:
        return await self._journal.run(lambda db: _one(db, scope, _BY_CALLBACK, digest))

    async def in_phase(self, scope: Scope, phase: Phase) -> list[Record]:
        def read(db: sqlite3.Connection) -> list[Record]:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM orders WHERE provider = ? AND account = ? AND phase = ? AND phase <> 'settled' ORDER BY submitted_at, rowid",
                (*scope, phase),
            )
            return [_record(scope, row) for row in rows]

        return await self._journal.run(read)


def _insert(db: sqlite3.Connection, record: Record) -> bool:
    row = (
        record.key,
        json.dumps(record.content),
        record.phase,
        record.submitted_at.isoformat(),
        record.order_id,
        record.state,
        record.settled_by,
        record.callback,
    )
    inserted = db.execute(
        f"INSERT INTO orders (provider, account, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (*record.scope, *row),
    )
    return inserted.rowcount == 1


def _place(db: sqlite3.Connection, scope: Scope, key: str, order_id: str) -> Record:
    record, known = _purchase(db, scope, key), _one(db, scope, _BY_ID, order_id)
    if placed_before(record, known, order_id):
        return record
    placed = replace(record, phase=Phase.OPEN, order_id=order_id)
    if known is not None:
        placed = replace(placed, phase=known.phase, state=known.state, settled_by=known.settled_by)
        db.execute(f"DELETE FROM orders WHERE {_BY_KEY}", (*scope, known.key))
    db.execute(
        f"UPDATE orders SET phase = ?, order_id = ?, state = ?, settled_by = ?, settled_at = ? WHERE {_BY_KEY}",
        (placed.phase, order_id, placed.state, placed.settled_by, _now() if placed.settled_by else None, *scope, key),
    )
    return placed


def _purchase(db: sqlite3.Connection, scope: Scope, key: str) -> Record:
    record = _one(db, scope, _BY_KEY, key)
    if record is None:
        raise gone(key)
    return record


def _one(db: sqlite3.Connection, scope: Scope, where: str, value: str) -> Record | None:
    row = db.execute(f"SELECT {_COLUMNS} FROM orders WHERE {where}", (*scope, value)).fetchone()
    return None if row is None else _record(scope, row)


def _record(scope: Scope, row: tuple[Any, ...]) -> Record:
    key, content, phase, submitted_at, order_id, state, settled_by, callback = row
    return Record(
        scope=scope,
        key=key,
        content=json.loads(content),
        phase=Phase(phase),
        submitted_at=datetime.fromisoformat(submitted_at),
        order_id=order_id,
        state=state,
        settled_by=settled_by,
        callback=callback,
    )


def _take_over(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Go on where an earlier run ended: what it had on the way is in doubt, what it had open is returned."""
    db.execute("UPDATE orders SET phase = 'in doubt' WHERE phase <> 'settled' AND phase = 'intended'")
    return db.execute(
        "SELECT provider, account, order_id FROM orders WHERE phase <> 'settled' AND phase = 'open'"
    ).fetchall()


def _expire(db: sqlite3.Connection, keep: timedelta) -> bool:
    """Delete some of the orders that were settled long enough ago; whether there may be more."""
    before = (datetime.now(UTC) - keep).isoformat()
    deleted = db.execute(
        "DELETE FROM orders WHERE rowid IN (SELECT rowid FROM orders WHERE phase = 'settled' AND settled_at < ? LIMIT ?)",
        (before, EXPIRE_AT_ONCE),
    )
    return deleted.rowcount == EXPIRE_AT_ONCE


def _now() -> str:
    return datetime.now(UTC).isoformat()
