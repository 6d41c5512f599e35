"""An SQLite file and the one thread that owns it: whatever is waiting is written in one transaction, and told when it is on disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, cast

from callfire_async.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

T = TypeVar("T")

Job: TypeAlias = "Callable[[sqlite3.Connection], object]"
Then: TypeAlias = "Callable[[object], None] | None"
Waiting: TypeAlias = "tuple[Job, asyncio.Future[object], Then]"
Ended: TypeAlias = "tuple[asyncio.Future[object], Then, object, StoreError | None]"

APPLICATION_ID: Final = 0x43464153
"""Written into the file's header ("CFAS"), so that no other SQLite database is taken for a journal."""

LOCK_PATIENCE: Final = 2.0
"""Seconds to wait for another process to let go of the file: at a restart the old one may just be closing it."""

LISTENING: Final = 1.0
"""Seconds after which an idle journal looks whether its event loop is still there."""

MOST_AT_ONCE: Final = 1_000
"""The most jobs in one transaction, so that nobody waits long for the others."""


class Journal:
    """Runs jobs on an SQLite connection in a thread of its own, in order; each is on disk when `run` returns.

    `migrations` bring a file from one version to the next, and `chore` runs inside a transaction about every `chore_every` seconds of use; it
    returns whether more is left to do.
    """

    def __init__(
        self, path: Path, migrations: Sequence[str], *, chore: Callable[[sqlite3.Connection], bool], chore_every: float
    ) -> None:
        self.path = path
        self._migrations = migrations
        self._chore = chore
        self._chore_every = chore_every
        self._next_chore = 0.0
        self._jobs: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Open or create the file, alone. StoreError says why it cannot be."""
        if self._thread is not None:
            raise StoreError(f"The journal {self.path} is open already.")
        self._loop = asyncio.get_running_loop()
        self._jobs = queue.SimpleQueue()  # what a thread that failed to open has left must not end the next one
        opened: asyncio.Future[object] = self._loop.create_future()
        self._thread = threading.Thread(
            target=self._own, args=(opened,), name=f"callfire_async journal {self.path.name}", daemon=True
        )
        self._thread.start()
        try:
            await asyncio.shield(opened)
        except BaseException:
            await self.close()
            raise

    async def run(self, job: Callable[[sqlite3.Connection], T], *, then: Callable[[T], None] | None = None) -> T:
        """The job's result, once what it wrote is on disk, and once `then` was called with it.

        Cancelling this stops neither.
        """
        if self._thread is None or self._loop is None:
            raise StoreError(f"The journal {self.path} is not open: a store is used inside 'async with'.")
        ended: asyncio.Future[object] = self._loop.create_future()
        # Looked at, in case whoever wanted it is cancelled just as it comes.
        ended.add_done_callback(lambda f: f.cancelled() or f.exception())
        self._jobs.put((job, ended, cast("Then", then)))
        return cast("T", await ended)

    async def close(self) -> None:
        """Finish what is waiting and close the file. Calling it again does nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)

    # ------------------------------------------------------------------ in the thread

    def _own(self, opened: asyncio.Future[object]) -> None:
        try:
            db = _open(self.path, self._migrations)
        except StoreError as exc:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and with it whoever wanted to know
                self._tell([(opened, None, None, exc)])
            return
        try:
            self._tell([(opened, None, None, None)])
            for batch in self._batches():
                self._tell(self._commit(db, batch))
        except RuntimeError:  # the loop was closed without a word: let go of the file, for who comes next
            pass
        finally:
            db.close()

    def _batches(self) -> Iterator[list[Waiting]]:
        """All that is waiting, again and again, until the journal is closed."""
        while (job := self._next()) is not None:
            batch = [job]
            while len(batch) < MOST_AT_ONCE and not self._jobs.empty():
                if (job := self._jobs.get()) is None:
                    yield batch
                    return
                batch.append(job)
            yield batch

    def _next(self) -> Waiting | None:
        """The next job; None when there will be none any more."""
        while True:
            try:
                return self._jobs.get(timeout=LISTENING)
            except queue.Empty:
                if cast("asyncio.AbstractEventLoop", self._loop).is_closed():  # without a word: let go of the file
                    return None

    def _commit(self, db: sqlite3.Connection, batch: list[Waiting]) -> list[Ended]:
        """Run a batch in one transaction: all of it is on disk, or none."""
        try:
            db.execute("BEGIN IMMEDIATE")
            ended = [(future, then, *_run(db, job)) for job, future, then in batch]
            if time.monotonic() >= self._next_chore:
                self._next_chore = time.monotonic() + (0.0 if self._chore(db) else self._chore_every)
            db.execute("COMMIT")
        except Exception as exc:  # noqa: BLE001 - if this thread ended, everyone would wait for ever
            if db.in_transaction:
                db.execute("ROLLBACK")
            return [(future, None, None, _explained(exc, self.path)) for _, future, _ in batch]
        return ended

    def _tell(self, ended: list[Ended]) -> None:
        loop = cast("asyncio.AbstractEventLoop", self._loop)

        def deliver() -> None:
            for future, then, result, error in ended:
                if error is None and then is not None:
                    loop.call_soon(then, result)  # before whoever waits goes on, and also where nobody waits any more
                if future.done():
                    continue  # cancelled
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)

        loop.call_soon_threadsafe(deliver)


def _run(db: sqlite3.Connection, job: Job) -> tuple[object, StoreError | None]:
    """Run one job. Jobs check before they write, so one that refuses has written nothing and the others go on."""
    try:
        return job(db), None
    except StoreError as exc:
        return None, exc
    except (ValueError, TypeError, KeyError) as exc:
        error = StoreError(
            f"The journal holds something that cannot be read ({type(exc).__name__}: {exc}); was it edited by hand?"
        )
        error.__cause__ = exc
        return None, error


def _open(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    if path.name == ":memory:":
        raise StoreError(
            "A journal in memory would forget everything: give it a file, or say 'memory:' if that is what you want."
        )
    if path.is_dir():
        raise StoreError(f"{path} is a directory; give the journal a file name in it.")
    if not path.parent.is_dir():
        raise StoreError(
            f"The directory {path.parent} does not exist; make it first, or give the journal another place."
        )
    if path.exists() and not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise StoreError(
            f"{path} cannot be written by this user; change its permissions, or give the journal another place."
        )
    db = None
    try:
        db = sqlite3.connect(path, timeout=LOCK_PATIENCE, isolation_level=None)
        # Held as long as the file is open, and let go by the system when the process dies: two processes would not see each other's schedule.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        _recognise(db, path, len(migrations))
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_size_limit = 16777216")
        _migrate(db, migrations)
    except sqlite3.Error as exc:
        if db is not None:
            db.close()
        raise _explained(exc, path) from exc
    except StoreError:
        if db is not None:
            db.close()
        raise
    return db


def _recognise(db: sqlite3.Connection, path: Path, known: int) -> None:
    """StoreError unless the file is empty or a journal that this version can read."""
    ((tables,),) = db.execute("SELECT count(*) FROM sqlite_master").fetchall()
    ((application,),) = db.execute("PRAGMA application_id").fetchall()
    ((version,),) = db.execute("PRAGMA user_version").fetchall()
    if tables and application != APPLICATION_ID:
        raise StoreError(f"{path} is an SQLite database of something else; give the journal a file of its own.")
    if version > known:
        raise StoreError(
            f"{path} was written by a newer callfire_async (its schema is {version}, this version knows {known}). "
            "Install that version again; nothing in the file was changed."
        )


def _migrate(db: sqlite3.Connection, migrations: Sequence[str]) -> None:
    db.execute("BEGIN EXCLUSIVE")
    ((version,),) = db.execute("PRAGMA user_version").fetchall()
    for script in migrations[version:]:
        for statement in script.split(";"):
            db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {len(migrations)}")
    db.execute("COMMIT")


def _explained(exc: Exception, path: Path) -> StoreError:
    """The sentence for what SQLite says, by its result code (sqlite.org, "Result and Error Codes")."""
    name = getattr(exc, "sqlite_errorname", "") or ""
    advice = {
        "SQLITE_BUSY": "another process has it open; one journal serves one process at a time. "
        "Two clients in one process share one store: open it once and pass it to both.",
        "SQLITE_FULL": "the disk is full; make room. What was being written is not there.",
        "SQLITE_NOTADB": "it is not an SQLite database; give the journal a file of its own.",
        "SQLITE_CORRUPT": "it is damaged; keep a copy, restore a backup or try SQLite's own recovery, and compare with your account at the provider.",
        "SQLITE_READONLY": "it or its directory cannot be written; change the permissions, or give the journal another place.",
        "SQLITE_CANTOPEN": "it or a file beside it cannot be opened; look at the permissions of its directory.",
        "SQLITE_IOERR": "the disk reports an error; what was being written may not be there.",
    }
    what = next((sentence for code, sentence in advice.items() if name.startswith(code)), f"SQLite says: {exc}.")
    error = StoreError(f"The journal {path} cannot be used: {what}")
    error.__cause__ = exc
    return error
