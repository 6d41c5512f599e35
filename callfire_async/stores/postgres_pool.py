"""Connections to a PostgreSQL server, and what their failures mean in words. The only file that connects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import asyncpg

from callfire_async.errors import ConfigurationError, StoreError
from callfire_async.stores.postgres_schema import checked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

PATIENCE: Final = 5.0
"""Seconds to wait for a connection."""

LONGEST_STATEMENT: Final = 10.0
"""Seconds a statement may take."""

_UNREACHABLE: Final = "it cannot be reached, or is restarting."
_POOLED: Final = "a pooler in transaction mode stands before it, and follows no prepared statements: PostgresStore(url, prepare=False) uses none."
_ADVICE: Final = {
    "08": _UNREACHABLE,
    "22": "it cannot hold one of the values.",
    "25006": "it can only be read; give the address of the primary server.",
    "26": _POOLED,
    "28": "it refuses this role or its password.",
    "3D000": "there is no database of that name.",
    "3F000": "the schema is gone; was it dropped while it was in use?",
    "42P05": _POOLED,
    "42501": "this role may not do that. `callfire-async postgres-schema --role NAME` prints the GRANT statements it needs; let the schema's owner run them.",
    "42P01": "a table is gone; was it dropped while it was in use?",
    "53100": "its disk is full; make room.",
    "53300": "it accepts no more connections; lower pool_size, or raise max_connections.",
    "57": _UNREACHABLE,
}


class DatabaseError(StoreError):
    """PostgreSQL, or the way to it, has failed. What was to be written may be written, or not."""


class Session:
    """One connection, whose statements may say {schema}."""

    def __init__(self, connection: Any, schema: str, *, prepare: bool) -> None:
        self.connection = connection
        self._schema = schema
        self._prepare = prepare

    async def fetch(self, sql: str, *values: object) -> list[Any]:
        """The rows a statement brings."""
        if self._prepare or self.connection.is_in_transaction():
            rows: list[Any] = await self.connection.fetch(sql.replace("{schema}", self._schema), *values)
            return rows
        # A pooler may give each message to another server, but a transaction to one.
        async with self.connection.transaction():
            return await self.fetch(sql, *values)


class Database:
    """A pool of `size` connections, each opened when it is first needed.

    What was begun is ended, whatever becomes of the one who waits for it: a statement cut off leaves open whether it was carried out.
    `prepare` keeps statements prepared, which poolers in transaction mode may not follow. Everything that fails raises StoreError. The address holds a password, and is shown nowhere.
    """

    def __init__(self, url: str, *, schema: str, size: int, prepare: bool) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= 1000:
            raise ConfigurationError(f"pool_size={size!r} must be a whole number from 1 to 1000.")
        self.schema = checked(schema)
        self.name = _shown(url)
        self._url = url
        self._size = size
        self._prepare = prepare
        self._options = {
            "timeout": PATIENCE,
            "command_timeout": LONGEST_STATEMENT,
            "statement_cache_size": 100 if prepare else 0,
            "server_settings": {"application_name": "callfire_async"},
        }
        self._pool: Any = None
        self._at_work: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Make the pool. Nothing is connected yet."""
        if self._pool is not None:
            raise StoreError(f"The store in {self.name} is open already.")
        # reset: nothing here changes a session, and the default costs a round trip after every statement.
        self._pool = await self.explained(
            asyncpg.create_pool(self._url, min_size=0, max_size=self._size, reset=_as_it_is, **self._options)
        )

    async def close(self) -> None:
        """Let statements under way end, then close the connections."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=LONGEST_STATEMENT)
        try:
            async with asyncio.timeout(PATIENCE):
                await pool.close()
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()

    async def connect(self) -> Session:
        """A connection of its own, outside the pool. Whoever asks for it closes it."""
        return Session(
            await self.explained(asyncpg.connect(self._url, **self._options)), self.schema, prepare=self._prepare
        )

    async def fetch(self, sql: str, *values: object) -> list[Any]:
        """Run one statement; its rows, once what it wrote is on disk."""
        return await self._run(lambda session: session.fetch(sql, *values))

    async def transaction(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Run several statements, all of them or none."""

        async def together(session: Session) -> T:
            async with session.connection.transaction():
                return await work(session)

        return await self._run(together)

    async def _run(self, work: Callable[[Session], Awaitable[T]]) -> T:
        task = asyncio.create_task(self.explained(self._with_connection(work)))
        self._at_work.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._at_work.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, in case nobody waits any more

    async def _with_connection(self, work: Callable[[Session], Awaitable[T]]) -> T:
        if self._pool is None:
            raise StoreError(f"The store in {self.name} is not open.")
        async with self._pool.acquire(timeout=PATIENCE) as connection:
            try:
                return await work(Session(connection, self.schema, prepare=self._prepare))
            except asyncpg.InternalClientError:
                connection.terminate()  # seen at a server's restart: it would never be of use again
                raise

    async def explained(self, work: Awaitable[T]) -> T:
        """What some work brings; its failures as StoreError."""
        try:
            return await work
        except StoreError:
            raise
        except Exception as exc:  # a dying connection raises more than asyncpg's documentation names
            raise _sentence(exc, self.name) from exc


def _sentence(exc: Exception, name: str) -> DatabaseError:
    """The sentence for what the database says, by its SQLSTATE (PostgreSQL's documentation, appendix A)."""
    code = getattr(exc, "sqlstate", None) or ""
    if isinstance(exc, UnicodeError | asyncpg.DataError):
        code = "22"
    advice = next((advice for prefix, advice in _ADVICE.items() if code.startswith(prefix)), None)
    if advice is None and not code:
        advice = _UNREACHABLE
    what = advice or f"PostgreSQL says: {exc}."
    return DatabaseError(f"The store in {name} cannot be used ({type(exc).__name__}): {what}")


async def _as_it_is(_: object) -> None:
    """Give a connection back without a word to the server."""


def _shown(url: str) -> str:
    """What may be shown of an address: the database and its host."""
    try:
        parts = urlsplit(url)
        readable = (
            parts.scheme in ("postgresql", "postgres")
            and "@" not in parts.path + parts.query + parts.fragment
            and parts.port != 0
        )
    except ValueError:
        readable = False  # the reason would quote the address
    if not readable:
        raise ConfigurationError(
            "The address of a PostgreSQL store looks like 'postgresql://user:password@host:port/database', with %2F for a slash in the password."
        )
    return f"PostgreSQL database {parts.path.strip('/') or '(default)'} at {parts.hostname or '(default)'}"
