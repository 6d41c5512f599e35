"""Things that happen at a bad moment: a client closes, a store fails, two hands settle one doubt, a wait is cut off."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from callfire_async import (
    APIError,
    AuthenticationError,
    CallFire,
    ClosedError,
    ConfigurationError,
    Error,
    InvalidOrderError,
    NotFoundError,
    OrderInDoubtError,
    Outcome,
    RateLimitedError,
    Store,
    StoreError,
    clients,
)
from callfire_async.sandbox import Life, Sandbox
from callfire_async.stores import Record, Scope
from callfire_async.stores.memory import MemoryStore
from callfire_async.stores.sqlite import SQLiteStore


class Moody(SQLiteStore):
    """A store whose named methods wait, or fail, while they are told to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.failing: set[str] = set()
        #: Set once a slow method was called.
        self.begun = asyncio.Event()
        self.slow: dict[str, float] = {}
        self.failure: Exception = StoreError("The disk is full.")

    async def _mood(self, method: str) -> None:
        if method in self.failing:
            raise self.failure
        if method in self.slow:
            self.begun.set()
            await asyncio.sleep(self.slow[method])

    async def place(self, scope: Scope, key: str, order_id: str, *, ask_in: float, rest: float) -> Record:
        await self._mood("place")
        return await super().place(scope, key, order_id, ask_in=ask_in, rest=rest)

    async def doubt(self, scope: Scope, key: str) -> Record:
        await self._mood("doubt")
        return await super().doubt(scope, key)

    async def refuse(self, scope: Scope, key: str) -> Record | None:
        await self._mood("refuse")
        return await super().refuse(scope, key)

    async def due_in(self, scope: Scope) -> float | None:
        await self._mood("due_in")
        return await super().due_in(scope)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(processing=0.0, seed=21) as it:
        yield it


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Moody]:
    async with Moody(tmp_path / "orders.db") as it:
        yield it


def client_of(sandbox: Sandbox, store: Store | str, **options: Any) -> CallFire:
    return CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url, store=store, **options)


async def accepted(sandbox: Sandbox, count: int = 1) -> None:
    async with asyncio.timeout(5):
        while sandbox.purchases < count:  # noqa: ASYNC110 - the sandbox has no event for it
            await asyncio.sleep(0.01)


# ------------------------------------------------------------------ closing


@pytest.mark.parametrize(("reply", "write"), [("prompt", "place"), ("lost_after_accepting", "doubt")])
async def test_closing_while_its_fate_is_being_written_never_says_it_was_not_placed(
    reply: str, write: str, sandbox: Sandbox, store: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "CLOSING", 0.1)
    store.slow[write] = 30.0
    sandbox.plan(Life(reply=reply))  # type: ignore[arg-type]
    client = client_of(sandbox, store)
    async with client:
        both = [asyncio.create_task(client.order(local=1, key="k")) for _ in range(2)]
        async with asyncio.timeout(5):
            await store.begun.wait()
    for one in both:
        with pytest.raises(OrderInDoubtError, match="It may have been placed"):
            await one
    assert sandbox.purchases == 1


async def test_closing_waits_for_what_is_being_written(
    sandbox: Sandbox, store: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "CLOSING", 0.3)
    store.slow["place"] = 0.4
    async with client_of(sandbox, store) as client:
        ordering = asyncio.create_task(client.order(local=1, key="k"))
        await accepted(sandbox)
    assert (await ordering).id in sandbox.orders


async def test_closing_before_anything_was_sent_says_so(
    sandbox: Sandbox, store: Moody, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(clients, "CLOSING", 0.1)
    caplog.set_level(logging.INFO)
    async with CallFire("login", "password", base_url="http://127.0.0.1:9", store=store, max_retries=9) as client:
        ordering = asyncio.create_task(client.order(local=1, key="k"))
        async with asyncio.timeout(5):
            while "surely did not arrive" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    with pytest.raises(ClosedError, match="It was not placed"):
        await ordering
    async with client_of(sandbox, store) as client:
        assert await client.in_doubt() == []


@pytest.mark.parametrize("call", ["get_order", "reconcile", "attach", "resolve", "pending", "in_doubt"])
async def test_whatever_is_under_way_when_the_client_closes_ends(call: str, sandbox: Sandbox, store: Moody) -> None:
    sandbox.plan(Life(reply="lost_after_accepting"))
    client = client_of(sandbox, store)
    async with client:
        with pytest.raises(OrderInDoubtError):
            await client.order(local=1, key="k")
        (order_id,) = sandbox.orders
        calls: dict[str, Callable[[], Any]] = {
            "get_order": lambda: client.get_order(order_id),
            "reconcile": lambda: client.reconcile("k"),
            "attach": lambda: client.attach(order_id),
            "resolve": lambda: client.resolve("k", order_id=order_id),
            "pending": client.pending,
            "in_doubt": client.in_doubt,
        }
        under_way = [asyncio.create_task(calls[call]()) for _ in range(5)]
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        for order in await asyncio.gather(*under_way, return_exceptions=True):
            if isinstance(order, BaseException):
                assert isinstance(order, Error)
            elif call in ("attach", "resolve"):
                with contextlib.suppress(Error):
                    await order
    with pytest.raises(ClosedError):
        await calls[call]()


# ------------------------------------------------------------------ a store that fails


@pytest.mark.parametrize("write", ["place", "doubt", "refuse"])
async def test_what_the_store_did_not_take_is_written_as_soon_as_it_does(
    write: str, sandbox: Sandbox, store: Moody
) -> None:
    reply, told = {
        "place": ("prompt", (StoreError, "do not order again")),
        "doubt": ("lost_after_accepting", (OrderInDoubtError, "in_doubt")),
        "refuse": ("refused", (APIError, "HTTP 400")),
    }[write]
    sandbox.plan(Life(reply=reply))  # type: ignore[arg-type]
    async with client_of(sandbox, store) as client:
        store.failing = {write}
        with pytest.raises(told[0], match=told[1]):
            await client.order(local=1, key="k")
        with pytest.raises(StoreError):
            await client.order(local=1, key="k")  # nobody knows yet what the key stands for
        store.failing = set()
        if write == "place":
            order = await client.order(local=1, key="k")
            assert order.id in sandbox.orders
            assert (await order).outcome is Outcome.FINISHED
            assert sandbox.purchases == 1
        elif write == "doubt":
            assert [doubt.key for doubt in await client.in_doubt()] == ["k"]
            (order_id,) = sandbox.orders
            assert (await client.resolve("k", order_id=order_id)).id == order_id
        else:
            assert (await client.order(local=1, key="k")).id in sandbox.orders


async def test_it_is_tried_again_without_anyone_asking(sandbox: Sandbox, store: Moody) -> None:
    async with client_of(sandbox, store) as client:
        store.failing = {"place"}
        with pytest.raises(StoreError):
            await client.order(local=1, key="k")
        store.failing = set()
        async with asyncio.timeout(10):
            while not client.stats().settled_by_poll:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_a_schedule_that_raises_anything_does_not_end_the_asking(
    sandbox: Sandbox, store: Moody, caplog: pytest.LogCaptureFixture
) -> None:
    store.failure = ZeroDivisionError("a fourth store's mistake")
    async with client_of(sandbox, store) as client:
        store.failing = {"due_in"}
        order = await client.order(local=1)
        async with asyncio.timeout(5):
            while "cannot be read" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        store.failing = set()
        assert (await order.result(timeout=10)).outcome is Outcome.FINISHED


async def test_a_store_that_would_not_open_opens_once_it_can(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    async with SQLiteStore(path) as first:
        store = SQLiteStore(path)
        with pytest.raises(StoreError, match="open it once and pass it to both"):
            await store.__aenter__()
        assert first is not None
    async with asyncio.timeout(10), store, client_of(sandbox, store) as client:
        await client.order(local=1)


def test_a_loop_that_is_closed_without_a_word_lets_go_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    loop = asyncio.new_event_loop()
    store = SQLiteStore(path)
    loop.run_until_complete(store.__aenter__())
    loop.close()

    async def again() -> None:
        async with SQLiteStore(path):
            pass

    asyncio.run(again())
    del store
    gc.collect()


@pytest.mark.parametrize("keep", [timedelta.max, timedelta(days=-1), timedelta(days=365_000)])
def test_a_time_that_no_calendar_has_is_refused(keep: timedelta, tmp_path: Path) -> None:
    for make in (lambda: MemoryStore(keep=keep), lambda: SQLiteStore(tmp_path / "orders.db", keep=keep)):
        with pytest.raises(ConfigurationError, match="100 years"):
            make()


# ------------------------------------------------------------------ doubts, settled by two hands or the wrong one


@pytest.mark.parametrize("first", ["resolve", "abandon"])
async def test_a_doubt_is_settled_one_way_only(first: str, sandbox: Sandbox, store: Moody) -> None:
    sandbox.plan(Life(reply="lost_after_accepting"))
    async with client_of(sandbox, store) as client:
        with pytest.raises(OrderInDoubtError):
            await client.order(local=1, key="k")
        (order_id,) = sandbox.orders
        calls: dict[str, Callable[[], Any]] = {
            "resolve": lambda: client.resolve("k", order_id=order_id),
            "abandon": lambda: client.abandon("k"),
        }
        other = ({"resolve", "abandon"} - {first}).pop()
        results = await asyncio.gather(calls[first](), calls[other](), return_exceptions=True)
        assert sum(isinstance(result, Error) for result in results) == 1
        if not isinstance(results[[first, other].index("resolve")], Error):
            again = await client.order(local=1, key="k")
            assert (again.id, sandbox.purchases) == (order_id, 1)
            assert (await again).outcome is Outcome.FINISHED


async def test_a_slip_in_resolve_binds_nothing(sandbox: Sandbox, store: Moody) -> None:
    sandbox.plan(Life(reply="lost_after_accepting"))
    async with client_of(sandbox, store) as client:
        with pytest.raises(OrderInDoubtError):
            await client.order(local=1, key="k")
        with pytest.raises(NotFoundError, match="stays in doubt"):
            await client.resolve("k", order_id=123)
        assert [doubt.key for doubt in await client.in_doubt()] == ["k"]
        assert await client.pending() == []


async def test_a_colleagues_order_for_another_number_is_no_evidence(sandbox: Sandbox, store: Moody) -> None:
    sandbox.plan(Life(reply="lost_before_accepting"))
    async with client_of(sandbox, store) as client:
        with pytest.raises(OrderInDoubtError):
            await client.order(numbers=["12065550101"], key="k")
        async with client_of(sandbox, "memory:") as colleague:
            theirs = await colleague.order(numbers=["12065550199"])  # and asks no question before it closes
        await client.get_order(theirs.id)
        found = await client.reconcile("k")
        assert (found.verdict, found.order_id) == ("unknown", None)


async def test_forged_ids_neither_drown_the_real_one_nor_cost_a_thousand_questions(
    sandbox: Sandbox, store: Moody
) -> None:
    sandbox.plan(Life(reply="lost_after_accepting"))
    async with client_of(sandbox, store) as client:
        with pytest.raises(OrderInDoubtError):
            await client.order(local=1, key="k")
        (order_id,) = sandbox.orders
        await client.get_order(order_id)
        for n in range(1, 500):
            await client.hear({}, f'<a><NumberOrder id="{n}"/></a>'.encode())
        before = len(sandbox.calls)
        found = await client.reconcile("k")
        assert (found.verdict, found.order_id) == ("placed", order_id)
        assert len(sandbox.calls) - before < 40


# ------------------------------------------------------------------ waits that are cut off, and questions that come anew


@pytest.mark.parametrize("call", ["attach", "resolve"])
async def test_a_call_that_was_cut_off_leaves_an_order_that_is_followed(
    call: str, sandbox: Sandbox, store: Moody
) -> None:
    sandbox.plan(Life(reply="lost_after_accepting"))
    async with client_of(sandbox, store) as client:
        with pytest.raises(OrderInDoubtError):
            await client.order(local=1, key="k")
        (order_id,) = sandbox.orders
        for turns in range(12):  # wherever it is by then
            one = asyncio.create_task(
                client.attach(order_id) if call == "attach" else client.resolve("k", order_id=order_id)
            )
            for _ in range(turns):
                await asyncio.sleep(0)
            one.cancel()
            with contextlib.suppress(asyncio.CancelledError, InvalidOrderError):
                await one
        with contextlib.suppress(InvalidOrderError):
            if call == "resolve":
                await client.resolve("k", order_id=order_id)
        order = await client.attach(order_id)
        assert (await order.result(timeout=10)).outcome is Outcome.FINISHED
    assert sandbox.violations == 0


async def test_a_corrected_table_ends_an_order_whose_word_was_unknown(sandbox: Sandbox, store: Moody) -> None:
    sandbox.plan(Life(statuses=((0.0, "COMPLETED"),)))
    async with client_of(sandbox, store) as client:
        order = await client.order(local=1, key="k")
        assert (await order.refresh()).outcome is Outcome.PENDING
    async with client_of(sandbox, store, outcomes={"COMPLETED": Outcome.FINISHED}) as client:
        (order,) = await client.pending()
        assert (await order.result(timeout=10)).status == "COMPLETED"


async def test_reading_updates_anew_asks_anew(sandbox: Sandbox, store: Moody) -> None:
    async with client_of(sandbox, store) as client:
        order = await client.order(local=1)
        sandbox.password, right = "another", sandbox.password
        with pytest.raises(AuthenticationError):
            await order
        sandbox.password = right
        async with asyncio.timeout(10):
            assert [state.status async for state in order.updates()] == ["FINISHED"]


async def test_two_clients_of_one_account_both_get_an_answer(sandbox: Sandbox, store: Moody) -> None:
    async with client_of(sandbox, store) as one, client_of(sandbox, store) as other:
        order = await one.order(local=1)
        await order
        async with asyncio.timeout(20):
            await asyncio.gather(*(c.get_order(order.id) for c in (one, other) for _ in range(3)))
        placed = await asyncio.gather(*(c.order(local=1, key="same") for c in (one, other)))
        assert len({order.id for order in placed}) == 1
    assert (sandbox.purchases, sandbox.violations) == (2, 0)


@pytest.mark.parametrize("order_id", ["01428507003", "00", "-7", " 7", "7 ", "\u0667"])
async def test_an_order_has_one_spelling(order_id: str, sandbox: Sandbox) -> None:
    async with client_of(sandbox, "memory:") as client:
        for call in (client.get_order, client.attach):
            with pytest.raises(InvalidOrderError, match="decimal digits"):
                await call(order_id)


async def test_a_long_rest_that_the_provider_wants_is_told_and_not_waited_for(store: Moody) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": "7200"}, request=request)

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http,
        CallFire("login", "password", http=http, store=store) as client,
    ):
        with pytest.raises(RateLimitedError):
            await client.get_order(7)
        with pytest.raises(RateLimitedError, match=r"for another 7[12]\d\d s") as caught:
            await client.get_order(7)
        assert caught.value.retry_after == pytest.approx(7200, abs=60)
        assert client.stats().polls == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"timeout": "3"}, "timeout='3'"),
        ({"base_url": 5}, "base_url= is not an address"),
        ({"store": None}, "store= must be .* and not NoneType"),
    ],
)
def test_what_is_of_another_kind_is_refused_with_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        CallFire("login", "password", **options)


async def test_a_key_that_cannot_be_written_is_refused(sandbox: Sandbox, store: Moody) -> None:
    async with client_of(sandbox, store) as client:
        for key in ("\ud800", "a\nb", "", "x" * 256, 7):
            with pytest.raises(InvalidOrderError, match="nothing was sent"):
                await client.order(local=1, key=key)  # type: ignore[arg-type]
