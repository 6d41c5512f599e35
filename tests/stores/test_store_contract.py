"""One suite for all stores: what a Store promises, whichever it is."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from callfire_async import Outcome, Store, StoreError
from callfire_async.stores import Claim, Phase, Record, Scope

SCOPE = Scope("callfire", "me")
OTHER = Scope("callfire", "someone else")


def purchase(key: str, scope: Scope = SCOPE) -> Record:
    return Record(
        scope=scope,
        key=key,
        content={"local": 2, "numbers": ["18559875391"], "region": {"city": "Saint-Jérôme", "latitude": 45.78}},
        phase=Phase.INTENDED,
        submitted_at=datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC),
    )


def attachment(key: str, order_id: str) -> Record:
    return Record(scope=SCOPE, key=key, content={}, phase=Phase.OPEN, submitted_at=datetime.now(UTC), order_id=order_id)


async def placed(
    store: Store, key: str, order_id: str, scope: Scope = SCOPE, *, ask_in: float = 0.0, rest: float = 0.0
) -> Record:
    assert await store.intend(purchase(key, scope)) is None
    return await store.place(scope, key, order_id, ask_in=ask_in, rest=rest)


async def claimed(store: Store, scope: Scope = SCOPE) -> Claim:
    """The next claim, as soon as the store hands one out."""
    async with asyncio.timeout(10):
        while True:
            if claims := await store.claim_due(scope, 1):
                return claims[0]
            await asyncio.sleep(await store.due_in(scope) or 0.01)


async def test_a_purchase_is_written_once_and_its_key_gives_it_back(store: Store) -> None:
    async with store:
        record = purchase("a")
        assert await store.intend(record) is None
        assert await store.intend(purchase("a")) == record
        assert await store.find_key(SCOPE, "a") == record
        assert await store.find_key(OTHER, "a") is None
        assert await store.find_key(SCOPE, "b") is None


async def test_many_who_intend_the_same_key_at_once_leave_one_purchase(store: Store) -> None:
    async with store:
        answers = await asyncio.gather(*(store.intend(purchase("a")) for _ in range(50)))
        assert answers.count(None) == 1


async def test_a_refused_purchase_frees_its_key(store: Store) -> None:
    async with store:
        await store.intend(purchase("a"))
        await store.refuse(SCOPE, "a")
        assert await store.find_key(SCOPE, "a") is None
        assert await store.intend(purchase("a")) is None


async def test_a_placed_order_is_found_by_its_id_and_is_open(store: Store) -> None:
    async with store:
        record = await placed(store, "a", "1")
        assert (record.phase, record.order_id, record.content) == (Phase.OPEN, "1", purchase("a").content)
        assert await store.find(SCOPE, "1") == await store.find_key(SCOPE, "a") == record
        assert await store.find(OTHER, "1") is None
        assert await store.in_phase(SCOPE, Phase.OPEN) == [record]


async def test_an_order_id_belongs_to_one_purchase(store: Store) -> None:
    async with store:
        await placed(store, "a", "1")
        await store.intend(purchase("b"))
        with pytest.raises(StoreError, match="'a'"):
            await store.place(SCOPE, "b", "1", ask_in=0.0, rest=0.0)
        assert (await placed(store, "a", "1", OTHER)).order_id == "1"


async def test_a_doubt_is_listed_and_can_be_placed_or_given_up(store: Store) -> None:
    async with store:
        for key in ("a", "b"):
            await store.intend(purchase(key))
            await store.doubt(SCOPE, key)
        assert [r.key for r in await store.in_phase(SCOPE, Phase.IN_DOUBT)] == ["a", "b"]
        await store.place(SCOPE, "a", "1", ask_in=0.0, rest=0.0)
        await store.refuse(SCOPE, "b")
        assert await store.in_phase(SCOPE, Phase.IN_DOUBT) == []


async def test_placing_again_changes_nothing_and_another_id_is_refused(store: Store) -> None:
    async with store:
        first = await placed(store, "a", "1")
        assert await store.place(SCOPE, "a", "1", ask_in=0.0, rest=0.0) == first
        with pytest.raises(StoreError, match="order 1"):
            await store.place(SCOPE, "a", "2", ask_in=0.0, rest=0.0)
        assert await store.in_phase(SCOPE, Phase.OPEN) == [first]


async def test_a_doubt_about_a_purchase_that_was_placed_meanwhile_is_none(store: Store) -> None:
    async with store:
        record = await placed(store, "a", "1")
        assert await store.doubt(SCOPE, "a") == record
        await store.intend(purchase("b"))
        assert (await store.doubt(SCOPE, "b")).phase is Phase.IN_DOUBT


async def test_a_purchase_that_was_placed_meanwhile_is_not_forgotten(store: Store) -> None:
    async with store:
        record = await placed(store, "a", "1")
        assert await store.refuse(SCOPE, "a") == record
        assert await store.find(SCOPE, "1") == record
        await store.intend(purchase("b"))
        assert await store.refuse(SCOPE, "b") is None
        assert await store.find_key(SCOPE, "b") is None
        assert await store.refuse(SCOPE, "c") is None


async def test_a_purchase_is_found_by_the_digest_of_its_callback_in_every_phase(store: Store) -> None:
    async with store:
        digests = {key: key * 64 for key in "abc"}
        for key, digest in digests.items():
            assert await store.intend(replace(purchase(key), callback=digest)) is None
        await store.doubt(SCOPE, "b")
        await store.place(SCOPE, "c", "1", ask_in=0.0, rest=0.0)
        await store.apply(SCOPE, "1", state="{}", outcome=Outcome.FINISHED, by="poll")
        for key, digest in digests.items():
            record = await store.find_callback(SCOPE, digest)
            assert record is not None
            assert (record.key, record.callback) == (key, digest)
            assert await store.find_callback(OTHER, digest) is None
        assert await store.find_callback(SCOPE, "d" * 64) is None
        await store.refuse(SCOPE, "a")
        assert await store.find_callback(SCOPE, digests["a"]) is None


async def test_an_attached_order_becomes_the_purchase_it_turns_out_to_be(store: Store) -> None:
    async with store:
        await store.attach(attachment("x", "1"))
        await store.apply(SCOPE, "1", state="over", outcome=Outcome.FINISHED, by="poll")
        await store.intend(purchase("a"))
        await store.doubt(SCOPE, "a")
        record = await store.place(SCOPE, "a", "1", ask_in=0.0, rest=0.0)
        assert (record.key, record.phase, record.state, record.settled_by) == ("a", Phase.SETTLED, "over", "poll")
        assert await store.find(SCOPE, "1") == record
        assert await store.find_key(SCOPE, "x") is None


async def test_attaching_a_known_order_gives_back_what_is_known(store: Store) -> None:
    async with store:
        record = await placed(store, "a", "1")
        assert await store.attach(attachment("x", "1")) == record
        first = await store.attach(attachment("y", "2"))
        assert await store.attach(attachment("z", "2")) == first
        assert {r.order_id for r in await store.in_phase(SCOPE, Phase.OPEN)} == {"1", "2"}


async def test_a_final_state_is_final(store: Store) -> None:
    async with store:
        await placed(store, "a", "1")
        assert await store.apply(SCOPE, "1", state="at work", outcome=Outcome.PENDING, by="poll")
        assert await store.apply(SCOPE, "1", state="waits", outcome=Outcome.PARKED, by="poll")
        assert await store.apply(SCOPE, "1", state="over", outcome=Outcome.FINISHED, by="postback")
        for outcome in Outcome:
            assert not await store.apply(SCOPE, "1", state="later", outcome=outcome, by="poll")
        record = await store.find(SCOPE, "1")
        assert record is not None
        assert (record.phase, record.state, record.settled_by) == (Phase.SETTLED, "over", "postback")
        assert not await store.apply(SCOPE, "2", state="unknown", outcome=Outcome.FINISHED, by="poll")


async def test_an_order_is_claimed_by_one_asker_and_rests_after_the_answer(store: Store) -> None:
    async with store:
        await placed(store, "a", "1")
        claim = await claimed(store)
        assert (claim.scope, claim.order_id) == (SCOPE, "1")
        await store.hasten(SCOPE, "1")
        assert await store.claim_due(SCOPE, 10) == []
        await store.settle_claim(claim, again_in=0.0, rest=60.0)
        await store.hasten(SCOPE, "1")
        assert await store.claim_due(SCOPE, 10) == []
        due_in = await store.due_in(SCOPE)
        assert due_in is not None
        assert 59.0 < due_in <= 60.0


async def test_a_settled_order_is_not_asked_about_unless_someone_wants_to_know(store: Store) -> None:
    async with store:
        await placed(store, "a", "1")
        await store.apply(SCOPE, "1", state="over", outcome=Outcome.FINISHED, by="create")
        assert await store.claim_due(SCOPE, 10) == []
        await store.hasten(SCOPE, "1")
        claim = await claimed(store)
        await store.settle_claim(claim, again_in=0.0, rest=0.0)
        assert await store.claim_due(SCOPE, 10) == []


async def test_anyone_may_want_to_know_of_an_order_the_store_does_not_know(store: Store) -> None:
    async with store:
        await store.hasten(SCOPE, "77")
        claim = await claimed(store)
        assert claim.order_id == "77"
        assert await store.claim_due(OTHER, 10) == []
        await store.settle_claim(claim, again_in=0.0, rest=0.0)
        assert await store.claim_due(SCOPE, 10) == []


async def test_what_was_applied_is_told_to_all_who_watch(store: Store) -> None:
    heard: list[str] = []
    async with store:
        store.watch(SCOPE, heard.append)
        await placed(store, "a", "1")
        await placed(store, "a", "1", OTHER)
        await store.apply(OTHER, "1", state="over", outcome=Outcome.FINISHED, by="poll")
        await store.apply(SCOPE, "1", state="over", outcome=Outcome.FINISHED, by="poll")
        await asyncio.sleep(0)
        assert heard == ["1"]
        store.unwatch(SCOPE, heard.append)


async def test_the_next_run_knows_what_this_one_left(store: Store) -> None:
    async with store:
        await placed(store, "open", "1")
        await store.apply(SCOPE, "1", state="at work", outcome=Outcome.PENDING, by="poll")
        await placed(store, "settled", "2")
        await store.apply(SCOPE, "2", state="over", outcome=Outcome.FAILED, by="poll")
        await store.intend(purchase("on the way"))
        await store.intend(purchase("in doubt"))
        await store.doubt(SCOPE, "in doubt")
        before = [await store.find(SCOPE, order_id) for order_id in ("1", "2")]
    async with store:
        assert [await store.find(SCOPE, order_id) for order_id in ("1", "2")] == before
        assert [r.key for r in await store.in_phase(SCOPE, Phase.IN_DOUBT)] == ["on the way", "in doubt"]
        assert await store.in_phase(SCOPE, Phase.INTENDED) == []
        assert (await claimed(store)).order_id == "1"
