"""A connection of its own that hears what other processes write, says that this one is alive, and mends itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from callfire_async.errors import StoreError
from callfire_async.stores import Scope
from callfire_async.stores.postgres_pool import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime, timedelta

    from callfire_async.stores.postgres_pool import Database, Session

logger = logging.getLogger("callfire_async.stores.postgres")

BEAT: Final = 2.0
"""Seconds between two signs of life; as often, what was written is read again, in case a notification was lost."""

ALIVE: Final = 10.0
"""Seconds after its last sign of life in which a process still counts as alive: the purchases it has on the way are its own."""

_OVERLAP: Final = 15.0
"""Seconds that two readings overlap: a change has its time when it is made, and can be read once it is committed."""

_FORGOTTEN: Final = 86_400.0
"""Seconds after which a process that left no word is forgotten."""

_AT_ONCE: Final = 1_000
"""The most rows deleted in one go, so that nobody waits long."""

_SIGN_OF_LIFE: Final = """
    WITH seen AS (
        INSERT INTO {schema}.nodes VALUES ($1, clock_timestamp()) ON CONFLICT (node) DO UPDATE SET seen = excluded.seen RETURNING node
    )
    SELECT pg_notify($2, $3) FROM seen
"""

_CHANGED: Final = "SELECT provider, account, order_id, changed_at FROM {schema}.orders WHERE changed_at >= $1"

_CHORES: Final = (
    f"""
    DELETE FROM {{schema}}.schedule WHERE (provider, account, order_id) IN (
        SELECT provider, account, order_id FROM {{schema}}.schedule
        WHERE due IS NULL AND NOT followed AND resting < statement_timestamp() LIMIT {_AT_ONCE} FOR UPDATE SKIP LOCKED
    ) AND due IS NULL AND NOT followed
    """,
    f"DELETE FROM {{schema}}.nodes WHERE seen < statement_timestamp() - interval '{_FORGOTTEN} seconds'",
)

_EXPIRE: Final = f"""
    DELETE FROM {{schema}}.orders WHERE number IN (
        SELECT number FROM {{schema}}.orders
        WHERE phase = 'settled' AND settled_at < statement_timestamp() - $1::interval LIMIT {_AT_ONCE} FOR UPDATE SKIP LOCKED
    )
"""


class Wakes:
    """Tells those who watch a scope of every order that was written, here or by another process.

    A notification is only a hint. Behind it, all that has changed is read every few seconds, and once more when a lost connection is back.
    `owed` are writes that could not be made; they are made as soon as the database is there again. Settled orders are deleted after `keep`.
    """

    def __init__(self, database: Database, *, keep: timedelta) -> None:
        self._database = database
        self._keep = keep
        self._node = 0
        self._watchers: defaultdict[Scope, list[Callable[[str], None]]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None
        self._read_up_to: datetime | None = None
        self._read: set[tuple[object, ...]] = set()
        self._echoed = True
        self._deaf = False
        self.owed: list[Callable[[], Awaitable[object]]] = []

    def watch(self, scope: Scope, heard: Callable[[str], None]) -> None:
        """Call `heard` with the id of each order that is written from now on."""
        self._watchers[scope].append(heard)

    def unwatch(self, scope: Scope, heard: Callable[[str], None]) -> None:
        """Stop that."""
        self._watchers[scope].remove(heard)

    def tell(self, scope: Scope, order_id: str) -> None:
        """Pass on that an order was written: soon, so that whoever wrote it is the first to know."""
        for heard in self._watchers.get(scope, ()):
            asyncio.get_running_loop().call_soon(heard, order_id)

    def note(self, scope: Scope, order_id: str) -> str:
        """What to notify the others of, as text."""
        return json.dumps([self._node, *scope, order_id])

    async def start(self, node: int) -> None:
        """Give the first sign of life, then go on in a task."""
        self._node, self._read_up_to = node, None
        await self._database.fetch(_SIGN_OF_LIFE, node, self._database.schema, "")
        self._task = asyncio.create_task(self._go_on(), name="callfire_async wakes")

    async def stop(self) -> None:
        """Stop, and take leave: what this process has on the way is in doubt from here on."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait([task])
        try:
            await self._pay()
            await self._database.fetch("DELETE FROM {schema}.nodes WHERE node = $1", self._node)
        except StoreError as exc:
            logger.warning("The store was closed while its database was away: %s", exc)

    async def _go_on(self) -> None:
        failures = 0
        while True:
            try:
                session = await self._database.connect()
                try:
                    if failures:
                        logger.info("The database is there again.")
                    failures = 0
                    await self._listen(session)
                finally:
                    await _hang_up(session)
            except Exception as exc:  # noqa: BLE001 - whatever a dying connection raises: without this task, nobody would be told of anything again
                if not failures:
                    logger.warning("The database is away; looking for it again and again: %s", exc or repr(exc))
                failures += 1
            await asyncio.sleep(min(BEAT, 0.05 * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.0))

    async def _listen(self, session: Session) -> None:
        """Until the connection is lost."""
        lost = asyncio.Event()
        session.connection.add_termination_listener(lambda _: lost.set())
        await self._database.explained(session.connection.add_listener(self._database.schema, self._notified))
        self._echoed = True
        while not lost.is_set():
            self._judge_echo()
            await self._database.explained(self._beat(session))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT):
                    await lost.wait()

    async def _beat(self, session: Session) -> None:
        await session.fetch(_SIGN_OF_LIFE, self._node, self._database.schema, self.note(Scope("", ""), ""))
        await self._pay()
        await self._catch_up(session)
        for chore in _CHORES:
            await session.fetch(chore)
        await session.fetch(_EXPIRE, self._keep)

    async def _catch_up(self, session: Session) -> None:
        """Tell of all that has changed since the last time."""
        ((now,),) = await session.fetch("SELECT clock_timestamp() - make_interval(secs => $1)", _OVERLAP)
        changes = {tuple(row) for row in await session.fetch(_CHANGED, self._read_up_to or now)}
        for provider, account, order_id, _ in changes - self._read:
            self.tell(Scope(provider, account), order_id)
        self._read_up_to, self._read = now, changes

    async def _pay(self) -> None:
        """Make the writes that could not be made."""
        while self.owed:
            try:
                await self.owed[0]()
            except DatabaseError:
                raise
            except StoreError as exc:
                logger.warning("What became of a purchase could not be written down, and now need not be: %s", exc)
            del self.owed[0]

    def _notified(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        try:
            node, provider, account, order_id = json.loads(payload)
        except ValueError:
            return  # a stranger's, or a first sign of life
        if node == self._node:
            self._echoed = True  # what was written here was told here already
        else:
            self.tell(Scope(provider, account), order_id)

    def _judge_echo(self) -> None:
        """Every sign of life is a notification to oneself as well: without an echo, nothing else is heard either."""
        if not self._echoed and not self._deaf:
            self._deaf = True  # for good: behind a pooler, one or another may still come through
            logger.warning(
                "The database delivers no notifications, as behind a pooler in transaction mode. Orders that other processes settle are noticed "
                "after up to %.0f seconds. Give this store an address that reaches PostgreSQL itself to hear at once.",
                BEAT,
            )
        self._echoed = False


async def _hang_up(session: Session) -> None:
    try:
        async with asyncio.timeout(1.0):
            await session.connection.close()
    except Exception:  # noqa: BLE001 - however it ends, it ends
        session.connection.terminate()
