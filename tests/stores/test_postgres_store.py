"""What only a store shared by several processes has to show: two stores here stand for two processes."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from callfire_async import ConfigurationError, Outcome, StoreError, open_store
from callfire_async.stores import Claim, Phase, Record, Scope, SupersededError
from callfire_async.stores.postgres import PostgresStore
from callfire_async.stores.postgres_schema import MIGRATIONS, script
from callfire_async.stores.postgres_wakes import BEAT

if TYPE_CHECKING:
    from postgres_server import PostgresServer

SCOPE = Scope("callfire", "me")


def purchase(key: str) -> Record:
    return Record(scope=SCOPE, key=key, content={"local": 1}, phase=Phase.INTENDED, submitted_at=datetime.now(UTC))


async def placed(store: PostgresStore, key: str, order_id: str) -> None:
    assert await store.intend(purchase(key)) is None
    await store.place(SCOPE, key, order_id, ask_in=0.0, rest=0.0)


async def phase_of(store: PostgresStore, key: str) -> Phase | None:
    record = await store.find_key(SCOPE, key)
    return None if record is None else record.phase


async def until(condition: Callable[[], object], seconds: float = 8.0) -> None:
    """Until a condition, plain or awaitable, holds."""
    async with asyncio.timeout(seconds):
        while True:
            holds = condition()
            if await holds if isinstance(holds, Awaitable) else holds:
                return
            await asyncio.sleep(0.01)


@pytest.fixture
async def pair(postgres_url: str) -> AsyncIterator[tuple[PostgresStore, PostgresStore]]:
    async with PostgresStore(postgres_url) as one, PostgresStore(postgres_url) as other:
        yield one, other


async def pass_for_dead(store: PostgresStore) -> None:
    await store._database.fetch("UPDATE {schema}.nodes SET seen = seen - interval '1 day' WHERE node = $1", store._node)


class TestPurchases:
    async def test_what_a_living_process_has_on_the_way_is_not_in_doubt(
        self, pair: tuple[PostgresStore, PostgresStore], postgres_url: str
    ) -> None:
        one, other = pair
        await one.intend(purchase("a"))
        async with PostgresStore(postgres_url) as third:
            for store in (one, other, third):
                assert await phase_of(store, "a") is Phase.INTENDED
                assert await store.in_phase(SCOPE, Phase.IN_DOUBT) == []

    async def test_what_a_dead_process_had_on_the_way_is_in_doubt_until_it_is_heard_of_again(
        self, pair: tuple[PostgresStore, PostgresStore]
    ) -> None:
        one, other = pair
        await one.intend(purchase("a"))
        await pass_for_dead(one)
        assert await phase_of(other, "a") is Phase.IN_DOUBT
        assert [r.key for r in await other.in_phase(SCOPE, Phase.IN_DOUBT)] == ["a"]

        async def heard_of_again() -> bool:
            return await phase_of(other, "a") is Phase.INTENDED

        await until(heard_of_again)
        assert (await one.place(SCOPE, "a", "1", ask_in=0.0, rest=0.0)).phase is Phase.OPEN

    async def test_a_process_that_closes_leaves_its_doubts_behind_at_once(self, postgres_url: str) -> None:
        async with PostgresStore(postgres_url) as one:
            async with PostgresStore(postgres_url) as other:
                await other.intend(purchase("a"))
                assert await phase_of(one, "a") is Phase.INTENDED
            assert await phase_of(one, "a") is Phase.IN_DOUBT

    async def test_a_key_given_up_and_taken_again_is_not_touched_by_its_first_owner(
        self, pair: tuple[PostgresStore, PostgresStore]
    ) -> None:
        slow, quick = pair
        for key in "abc":
            await slow.intend(purchase(key))
        assert slow._wakes._task is not None
        slow._wakes._task.cancel()  # it stands still
        await pass_for_dead(slow)
        for key in "abc":
            await quick.refuse(SCOPE, key)  # abandoned by hand
            assert await quick.intend(purchase(key)) is None
        await slow.refuse(SCOPE, "a")
        assert (await slow.doubt(SCOPE, "b")).phase is Phase.INTENDED
        with pytest.raises(StoreError, match="abandoned meanwhile"):
            await slow.place(SCOPE, "c", "1", ask_in=0.0, rest=0.0)
        assert [await phase_of(quick, key) for key in "abc"] == [Phase.INTENDED] * 3

    async def test_nobody_gives_up_what_another_process_has_on_the_way(
        self, pair: tuple[PostgresStore, PostgresStore]
    ) -> None:
        one, other = pair
        await one.intend(purchase("a"))
        await other.refuse(SCOPE, "a")
        assert await phase_of(one, "a") is Phase.INTENDED

    async def test_two_processes_that_place_the_same_id_leave_one_purchase(
        self, pair: tuple[PostgresStore, PostgresStore]
    ) -> None:
        for store, key in zip(pair, "ab", strict=True):
            await store.intend(purchase(key))
        ends = await asyncio.gather(
            *(store.place(SCOPE, key, "1", ask_in=0.0, rest=0.0) for store, key in zip(pair, "ab", strict=True)),
            return_exceptions=True,
        )
        assert {type(end) for end in ends} == {Record, SupersededError}
        assert len(await pair[0].in_phase(SCOPE, Phase.OPEN)) == 1

    async def test_settled_orders_are_forgotten_after_their_time(self, postgres_url: str) -> None:
        async with PostgresStore(postgres_url, keep=timedelta(seconds=0)) as store:
            await placed(store, "a", "1")
            await store.apply(SCOPE, "1", state="over", outcome=Outcome.FINISHED, by="poll")

            async def forgotten() -> bool:
                return await store.find(SCOPE, "1") is None

            await until(forgotten)


class TestClaims:
    async def test_processes_share_the_orders_and_never_one_of_them(
        self, pair: tuple[PostgresStore, PostgresStore]
    ) -> None:
        await asyncio.gather(*(placed(pair[0], str(n), str(n)) for n in range(60)))
        claimed: list[list[Claim]] = await asyncio.gather(*(store.claim_due(SCOPE, 7) for store in pair * 6))
        ids = [claim.order_id for claims in claimed for claim in claims]
        assert len(ids) == len(set(ids))
        assert len(ids) > 30

    async def test_a_claim_runs_out_and_what_is_done_with_it_later_counts_for_nothing(
        self, pair: tuple[PostgresStore, PostgresStore], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("callfire_async.stores.postgres_schedule.SEND_WITHIN", 0.1)
        one, other = pair
        await placed(one, "a", "1")
        (lost,) = await one.claim_due(SCOPE, 1, lease=0.3)
        assert lost.send_by is not None
        assert not lost.send_by.passed
        assert await other.claim_due(SCOPE, 1) == []
        await asyncio.sleep(0.5)
        assert lost.send_by.passed
        (claim,) = await other.claim_due(SCOPE, 1)
        await one.settle_claim(lost, again_in=0.0, rest=0.0)
        assert await one.claim_due(SCOPE, 1) == []
        await other.settle_claim(claim, again_in=0.0, rest=0.0)
        assert len(await one.claim_due(SCOPE, 1)) == 1

    async def test_who_asked_for_an_answer_gets_the_question_unless_it_is_gone(
        self, pair: tuple[PostgresStore, PostgresStore]
    ) -> None:
        one, other = pair
        await one.hasten(SCOPE, "77")
        assert await other.claim_due(SCOPE, 1) == []
        assert await other.due_in(SCOPE) is None
        (claim,) = await one.claim_due(SCOPE, 1)
        await one.settle_claim(claim, again_in=None, rest=0.0)
        await one.hasten(SCOPE, "77")
        await one._database.fetch("UPDATE {schema}.schedule SET due = due - interval '3 s'")
        assert [claim.order_id for claim in await other.claim_due(SCOPE, 1)] == ["77"]

    async def test_ids_that_are_no_orders_leave_the_schedule_once_they_have_rested(
        self, pair: tuple[PostgresStore, PostgresStore]
    ) -> None:
        one, _ = pair
        await one.hasten(SCOPE, "77")
        (claim,) = await one.claim_due(SCOPE, 1)
        await one.settle_claim(claim, again_in=None, rest=0.1)

        async def gone() -> bool:
            return not await one._database.fetch("SELECT FROM {schema}.schedule")

        await until(gone)


class TestWakes:
    async def test_a_state_written_by_one_process_is_told_to_all(
        self, pair: tuple[PostgresStore, PostgresStore]
    ) -> None:
        heard: dict[int, list[str]] = {0: [], 1: []}
        for number, store in enumerate(pair):
            store.watch(SCOPE, heard[number].append)
        await placed(pair[0], "a", "1")
        await pair[0].apply(SCOPE, "1", state="over", outcome=Outcome.FINISHED, by="poll")
        await until(lambda: heard[0] and heard[1], 1.0)
        assert set(heard[0]) == set(heard[1]) == {"1"}

    async def test_a_state_that_is_known_wakes_nobody(self, pair: tuple[PostgresStore, PostgresStore]) -> None:
        heard: list[str] = []
        one, _ = pair
        one.watch(SCOPE, heard.append)
        await placed(one, "a", "1")
        for _ in range(3):
            assert await one.apply(SCOPE, "1", state="at work", outcome=Outcome.PENDING, by="poll")
        await asyncio.sleep(0)
        assert heard == ["1"]

    async def test_without_notifications_the_reading_finds_it_and_the_log_says_so_once(
        self, pair: tuple[PostgresStore, PostgresStore], caplog: pytest.LogCaptureFixture
    ) -> None:
        one, other = pair
        heard: list[str] = []
        for store in pair:
            store._wakes._notified = lambda *_: None  # type: ignore[method-assign]
            await cut_off(store)
        other.watch(SCOPE, heard.append)
        await insist(lambda: placed(one, "a", "1"))
        await insist(lambda: one.apply(SCOPE, "1", state="over", outcome=Outcome.FINISHED, by="poll"))
        await until(lambda: heard)
        await asyncio.sleep(2 * BEAT + 0.5)
        assert caplog.text.count("delivers no notifications") == len(pair)

    async def test_a_connection_that_was_cut_is_mended_and_what_was_missed_is_read(
        self, pair: tuple[PostgresStore, PostgresStore], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        one, other = pair
        heard: list[str] = []
        other.watch(SCOPE, heard.append)
        await placed(one, "a", "1")
        await cut_off(other)  # and those of the other store with it
        await insist(lambda: one.apply(SCOPE, "1", state="over", outcome=Outcome.FINISHED, by="poll"))
        await until(lambda: heard)
        assert set(heard) == {"1"}


async def insist(work: Callable[[], Awaitable[object]]) -> None:
    """Do it, however many of the pool's connections turn out to be cut."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(StoreError):
                await work()
                return
            await asyncio.sleep(0.05)


async def cut_off(store: PostgresStore) -> None:
    """Cut all of a database's connections but one's own, as an administrator does."""
    connection = await asyncpg.connect(store._database._url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


class TestDatabaseAway:
    async def test_every_method_says_so_and_all_can_be_written_when_it_is_back(
        self,
        postgres_server: "PostgresServer",
        pair: tuple[PostgresStore, PostgresStore],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("callfire_async.stores.postgres.RESTART", 0.0)
        one, other = pair
        for key in ("place", "refuse", "doubt"):
            await one.intend(purchase(key))
        await asyncio.to_thread(postgres_server.stop)
        try:
            methods: list[Any] = [
                one.intend(purchase("b")),
                one.place(SCOPE, "place", "1", ask_in=0.0, rest=0.0),
                one.refuse(SCOPE, "refuse"),
                one.doubt(SCOPE, "doubt"),
                one.find(SCOPE, "1"),
                one.hasten(SCOPE, "1"),
                one.claim_due(SCOPE, 1),
            ]
            for method in methods:
                with pytest.raises(StoreError, match="cannot be reached, or is restarting"):
                    await method
        finally:
            await asyncio.to_thread(postgres_server.start)
        await until(lambda: not one._wakes.owed)
        assert await phase_of(other, "b") is None
        await one.place(SCOPE, "place", "1", ask_in=0.0, rest=0.0)
        await one.refuse(SCOPE, "refuse")
        await one.doubt(SCOPE, "doubt")
        assert [await phase_of(other, key) for key in ("place", "refuse", "doubt")] == [
            Phase.OPEN,
            None,
            Phase.IN_DOUBT,
        ]

    async def test_a_short_absence_delays_what_must_not_be_lost(
        self, postgres_server: "PostgresServer", pair: tuple[PostgresStore, PostgresStore]
    ) -> None:
        one, _ = pair
        await one.intend(purchase("a"))
        await asyncio.to_thread(postgres_server.stop)
        placing = asyncio.create_task(one.place(SCOPE, "a", "1", ask_in=0.0, rest=0.0))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(postgres_server.start)
        assert (await placing).order_id == "1"

    async def test_closing_meanwhile_ends(self, postgres_server: "PostgresServer", postgres_url: str) -> None:
        store = PostgresStore(postgres_url)
        await store.__aenter__()
        await asyncio.to_thread(postgres_server.stop)
        try:
            async with asyncio.timeout(5):
                await store.__aexit__(None, None, None)
        finally:
            await asyncio.to_thread(postgres_server.start)


class TestSchema:
    async def test_many_that_open_an_empty_database_at_once_make_one_schema(self, postgres_url: str) -> None:
        stores = [PostgresStore(postgres_url, pool_size=1) for _ in range(8)]
        await asyncio.gather(*(store.__aenter__() for store in stores))
        assert await stores[0].intend(purchase("a")) is None
        assert await phase_of(stores[7], "a") is Phase.INTENDED
        await asyncio.gather(*(store.__aexit__(None, None, None) for store in stores))

    async def test_tables_of_a_newer_version_are_refused(self, postgres_url: str) -> None:
        async with PostgresStore(postgres_url) as store:
            await store._database.fetch("UPDATE {schema}.version SET version = 99")
        with pytest.raises(StoreError, match=f"their version is 99, this one knows {len(MIGRATIONS)}"):
            await PostgresStore(postgres_url).__aenter__()

    async def test_a_role_that_may_not_create_is_told_what_to_run_and_can_use_the_result(
        self, postgres_url: str
    ) -> None:
        owner = await asyncpg.connect(postgres_url)
        role = f"teller_{urlsplit(postgres_url).path.rpartition('_')[2]}"
        await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
        parts = urlsplit(postgres_url)
        host = parts.netloc.rpartition("@")[2]
        restricted = parts._replace(netloc=f"{role}:secret@{host}").geturl()
        with pytest.raises(StoreError, match="callfire-async postgres-schema --after 0 --role NAME"):
            await PostgresStore(restricted).__aenter__()
        await owner.execute(script("callfire_async", role=role))
        async with PostgresStore(restricted) as store:
            await placed(store, "a", "1")
            await store.apply(SCOPE, "1", state="over", outcome=Outcome.FINISHED, by="poll")
            with pytest.raises(StoreError, match="GRANT"):
                await store._database.fetch("DROP TABLE {schema}.orders")
        await owner.close()

    async def test_two_schemas_know_nothing_of_each_other(self, postgres_url: str) -> None:
        async with PostgresStore(postgres_url) as one, PostgresStore(postgres_url, schema="other") as other:
            await placed(one, "a", "1")
            assert await other.find(SCOPE, "1") is None


class TestAddresses:
    def test_an_address_opens_a_store_and_its_password_is_not_shown(self) -> None:
        store = open_store("postgresql://app:hunter2@db.example/orders")
        assert repr(store) == "<PostgresStore callfire_async in PostgreSQL database orders at db.example>"

    @pytest.mark.parametrize(
        "options", [{"schema": "Orders"}, {"schema": "x; DROP"}, {"pool_size": 0}, {"pool_size": True}]
    )
    def test_what_a_store_cannot_be_made_of(self, options: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError):
            PostgresStore("postgresql://db/orders", **options)

    async def test_a_database_that_is_not_there_is_named(self, postgres_url: str) -> None:
        parts = urlsplit(postgres_url)
        with pytest.raises(StoreError, match="there is no database of that name"):
            await PostgresStore(parts._replace(path="/nowhere").geturl()).__aenter__()
        with pytest.raises(StoreError, match="cannot be reached") as caught:
            await PostgresStore("postgresql://app:hunter2@127.0.0.1:1/orders").__aenter__()
        assert "hunter2" not in str(caught.value) + repr(caught.value.__cause__)
        with pytest.raises(StoreError, match="is not open"):
            await PostgresStore(postgres_url).find(SCOPE, "1")

    @pytest.mark.parametrize("key", ["a\0b", "a\ud800"])
    async def test_what_the_database_cannot_hold_is_refused(self, postgres_url: str, key: str) -> None:
        async with PostgresStore(postgres_url) as store:
            with pytest.raises(StoreError, match="cannot hold one of the values"):
                await store.intend(purchase(key))

    async def test_whatever_a_dying_connection_raises_leaves_as_ours(self) -> None:
        async def die() -> None:
            raise asyncpg.InternalClientError("cannot switch to state 12")

        store = PostgresStore("postgresql://app:hunter2@db.example/orders")
        with pytest.raises(StoreError, match="cannot be reached, or is restarting") as caught:
            await store._database.explained(die())
        assert isinstance(caught.value.__cause__, asyncpg.InternalClientError)
