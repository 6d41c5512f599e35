"""What only the SQLite store has: a file, with all that can be wrong with one."""

import asyncio
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callfire_async import CallFire, Outcome, StoreError
from callfire_async.sandbox import Life, Sandbox
from callfire_async.stores import Phase, Record, Scope, sqlite
from callfire_async.stores.journal import APPLICATION_ID
from callfire_async.stores.sqlite import SQLiteStore

SCOPE = Scope("callfire", "me")


def purchase(key: str) -> Record:
    return Record(
        scope=SCOPE,
        key=key,
        content={"local": 1},
        phase=Phase.INTENDED,
        submitted_at=datetime(2026, 11, 21, tzinfo=UTC),
    )


async def settled(store: SQLiteStore, key: str) -> None:
    await store.intend(purchase(key))
    await store.place(SCOPE, key, f"id of {key}", ask_in=0.0, rest=0.0)
    await store.apply(SCOPE, f"id of {key}", state="{}", outcome=Outcome.FINISHED, by="poll")


def rows(path: Path) -> int:
    with sqlite3.connect(path) as db:
        ((count,),) = db.execute("SELECT count(*) FROM orders")
    db.close()
    return int(count)


# ------------------------------------------------------------------ files that cannot be journals


def a_directory(path: Path) -> None:
    path.mkdir()


def a_missing_directory(path: Path) -> None:
    path.parent.rmdir()


def another_database(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE customers (name TEXT)")
    db.close()


def no_database(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 500)


def a_newer_journal(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE orders (key TEXT, much_more TEXT)")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA user_version = 999")
    db.close()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (a_directory, "is a directory; give the journal a file name in it"),
        (a_missing_directory, "does not exist; make it first"),
        (another_database, "SQLite database of something else; give the journal a file of its own"),
        (no_database, "not an SQLite database; give the journal a file of its own"),
        (
            a_newer_journal,
            "written by a newer callfire_async .* Install that version again; nothing in the file was changed",
        ),
    ],
)
def test_what_is_no_journal_is_refused_with_a_sentence_and_left_as_it_was(
    make: Callable[[Path], None], sentence: str, tmp_path: Path
) -> None:
    async def use() -> None:
        async with SQLiteStore(path):
            pass

    path = tmp_path / "of its own" / "orders.db"
    path.parent.mkdir()
    make(path)
    before = path.read_bytes() if path.is_file() else None
    for _ in range(2):  # the first failure leaves nothing behind that makes the second another one
        with pytest.raises(StoreError, match=sentence) as caught:
            asyncio.run(use())
        assert str(path) in str(caught.value) or str(path.parent) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before


async def test_a_client_that_cannot_open_its_journal_is_not_open_and_sends_nothing(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        client = CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url, store=f"sqlite:{tmp_path}")
        with pytest.raises(StoreError, match="is a directory"):
            async with client:
                pass
        assert not sandbox.calls


@pytest.fixture
def as_someone_who_may_not() -> Iterator[None]:
    """Root may write everything, so root becomes nobody for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.fixture(params=["the file", "its directory"])
def unwritable(request: pytest.FixtureRequest) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as home:  # tmp_path lies in a directory that nobody else may enter
        path = Path(home) / "orders.db"

        async def write() -> None:
            async with SQLiteStore(path) as store:
                await store.intend(purchase("a"))

        asyncio.run(write())
        path.chmod(0o444 if request.param == "the file" else 0o666)
        Path(home).chmod(0o777 if request.param == "the file" else 0o555)
        yield path
        Path(home).chmod(0o755)


def test_a_file_that_may_not_be_written_says_so(unwritable: Path, as_someone_who_may_not: None) -> None:  # noqa: ARG001
    async def read() -> None:
        async with SQLiteStore(unwritable) as store:
            await store.find_key(SCOPE, "a")

    with pytest.raises(StoreError, match="permissions"):
        asyncio.run(read())


# ------------------------------------------------------------------ trouble later on


async def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    async with SQLiteStore(path) as store:
        for n in range(200):
            await store.intend(purchase(f"a purchase with a long name, number {n}" * 3))
    whole = bytearray(path.read_bytes())
    for at in range(4096 + 200, len(whole) - 200, 128):
        whole[at : at + 100] = bytes(100)
    path.write_bytes(whole)

    async def read_all() -> None:
        async with SQLiteStore(path) as store:
            for n in range(200):
                await store.find_key(SCOPE, f"a purchase with a long name, number {n}" * 3)

    with pytest.raises(StoreError, match="damaged; keep a copy, restore a backup"):
        await read_all()


async def fill(store: SQLiteStore) -> None:
    """Leave the file no page to grow by: to SQLite that is a full disk."""

    def limit(db: sqlite3.Connection) -> None:
        ((pages,),) = db.execute("PRAGMA page_count").fetchall()
        db.execute(f"PRAGMA max_page_count = {pages}")

    await store._journal.run(limit)


async def make_room(store: SQLiteStore) -> None:
    await store._journal.run(lambda db: db.execute("PRAGMA max_page_count = 1073741823").fetchall())


async def test_on_a_full_disk_nothing_is_bought_and_afterwards_it_goes_on(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "orders.db")
    async with (
        store,
        Sandbox(processing=0.0) as sandbox,
        CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url, store=store) as client,
    ):
        await fill(store)
        orders = (client.order(local=1, key=f"{n:0>200}") for n in range(200))  # the last page has room for some
        refused = [end for end in await asyncio.gather(*orders, return_exceptions=True) if isinstance(end, Exception)]
        assert refused
        assert all("the disk is full; make room" in str(end) for end in refused)
        known = {order.key for order in await client.pending()} | {doubt.key for doubt in await client.in_doubt()}
        assert sandbox.purchases <= len(known) + client.stats().settled_by_poll
        purchases = sandbox.purchases
        await make_room(store)
        order = await client.order(local=1, key="after")
        assert sandbox.purchases == purchases + 1
        assert (await order).status == "FINISHED"


_NO_MORE_PLACING = """
CREATE TEMP TRIGGER no_more BEFORE UPDATE ON orders WHEN NEW.phase = 'open' BEGIN SELECT RAISE(ABORT, 'no more'); END
"""


async def test_an_accepted_order_that_cannot_be_written_down_tells_its_id(tmp_path: Path) -> None:
    """The worst moment for a full disk: the money is spent. The sentence has the id, and it is written down as soon as it can be."""
    path = tmp_path / "orders.db"
    async with Sandbox(processing=0.0) as sandbox:
        sandbox.plan(Life(reply="slow", reply_after=0.3))
        store = SQLiteStore(path)
        async with (
            store,
            CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url, store=store) as client,
        ):
            ordering = asyncio.create_task(client.order(numbers=["12065550101"], key="a"))
            async with asyncio.timeout(5):
                while not sandbox.purchases:  # noqa: ASYNC110 - the sandbox has no event for it
                    await asyncio.sleep(0.01)
            await store._journal.run(lambda db: db.execute(_NO_MORE_PLACING))
            with pytest.raises(StoreError, match="do not order again") as caught:
                await ordering
            (order_id,) = sandbox.orders
            assert f"under the id {order_id}" in str(caught.value)
            await store._journal.run(lambda db: db.execute("DROP TRIGGER no_more"))
        async with CallFire(
            sandbox.login, sandbox.password, base_url=sandbox.callfire_url, store=f"sqlite:{path}"
        ) as client:
            assert await client.in_doubt() == []
            assert (await client.order(numbers=["12065550101"], key="a")).id == order_id
        assert sandbox.purchases == 1


_HOLDER = """
import asyncio, sys
from callfire_async.stores.sqlite import SQLiteStore
async def main():
    async with SQLiteStore(sys.argv[1]):
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
asyncio.run(main())
"""


async def test_another_process_is_kept_out_until_this_one_ends_however_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _HOLDER, path, stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"open\n"
    with pytest.raises(StoreError, match="another process has it open; one journal serves one process at a time"):
        async with SQLiteStore(path):
            pass
    holder.kill()
    await holder.wait()
    async with SQLiteStore(path) as store:
        assert await store.intend(purchase("a")) is None


# ------------------------------------------------------------------ versions


async def test_an_older_file_is_brought_up_to_date_with_all_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "orders.db"
    async with SQLiteStore(path) as store:
        await settled(store, "a")
    monkeypatch.setattr(sqlite, "MIGRATIONS", [*sqlite.MIGRATIONS, "ALTER TABLE orders ADD COLUMN colour TEXT"])
    async with SQLiteStore(path) as store:
        record = await store.find_key(SCOPE, "a")
        assert record is not None
        assert record.phase is Phase.SETTLED
        assert await store._journal.run(lambda db: db.execute("SELECT colour FROM orders").fetchall()) == [(None,)]
    monkeypatch.undo()
    with pytest.raises(StoreError, match="newer"):
        async with SQLiteStore(path):
            pass


async def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "orders.db"
    async with SQLiteStore(path) as store:
        await settled(store, "a")
    broken = "ALTER TABLE orders ADD COLUMN colour TEXT; ALTER TABLE none_such ADD COLUMN colour TEXT"
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "MIGRATIONS", [*sqlite.MIGRATIONS, broken])
        with pytest.raises(StoreError, match="no such table"):
            async with SQLiteStore(path):
                pass
    async with SQLiteStore(path) as store:
        assert await store.find_key(SCOPE, "a") is not None


# ------------------------------------------------------------------ what is kept, and how long


async def test_settled_orders_go_when_they_were_kept_long_enough_and_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "EXPIRE_EVERY", 0.0)
    path = tmp_path / "orders.db"
    async with SQLiteStore(path) as store:
        await settled(store, "settled")
        for key in ("open", "in doubt", "intended"):
            await store.intend(purchase(key))
        await store.place(SCOPE, "open", "1", ask_in=0.0, rest=0.0)
        await store.doubt(SCOPE, "in doubt")
    assert rows(path) == 4
    async with SQLiteStore(path, keep=timedelta(0)) as store:
        await store.find_key(SCOPE, "open")
        assert await store.find_key(SCOPE, "settled") is None
        assert await store.intend(purchase("settled")) is None  # its key is free again
    assert rows(path) == 4


async def test_the_file_does_not_grow_when_as_many_go_as_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "EXPIRE_EVERY", 0.0)
    path = tmp_path / "orders.db"
    sizes = []
    async with SQLiteStore(path, keep=timedelta(0)) as store:
        for round_ in range(6):
            await asyncio.gather(*(settled(store, f"{round_}.{n}") for n in range(500)))
            sizes += await store._journal.run(lambda db: db.execute("PRAGMA page_count").fetchone())
    assert sizes[-1] <= 1.5 * sizes[1], sizes


async def test_no_secret_reaches_the_file(tmp_path: Path) -> None:
    async with Sandbox(processing=0.0) as sandbox:
        sandbox.password = "s3cret-Passw0rd"  # noqa: S105
        store = SQLiteStore(tmp_path / "orders.db")
        async with (
            store,
            CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url, store=store) as client,
        ):
            await (await client.order(local=1, key="a"))
            sandbox.plan(Life(reply="lost_after_accepting"))
            with pytest.raises(Exception, match="may or may not"):
                await client.order(local=1, key="b")
            files = b"".join(file.read_bytes() for file in tmp_path.iterdir())  # noqa: ASYNC240
    assert b"localCount" not in files  # what was ordered is there, the request is made anew
    assert b'{"local": 1}' in files
    for secret in (b"s3cret-Passw0rd", b"czNjcmV0", b"Authorization"):
        assert secret not in files


async def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "orders.db")
    async with store:
        with pytest.raises(StoreError, match="open already"):
            await store.__aenter__()
    with pytest.raises(StoreError, match="not open"):
        await store.find_key(SCOPE, "a")


# ------------------------------------------------------------------ those who wait, and go


async def test_what_nobody_waits_for_any_more_is_written_and_scheduled_all_the_same(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path / "a.db", clock=iter(range(0, 1000, 10)).__next__) as store:
        await store.intend(purchase("a"))
        placing = asyncio.create_task(store.place(SCOPE, "a", "7", ask_in=0.0, rest=0.0))
        await asyncio.sleep(0)
        placing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await placing
        found = await store.find(SCOPE, "7")  # written in its turn, after the order
        assert found is not None
        assert found.phase is Phase.OPEN
        assert [claim.order_id for claim in await store.claim_due(SCOPE, 10)] == ["7"]
