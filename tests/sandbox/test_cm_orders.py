"""CM.com from end to end, over real sockets: order, await, cancel, list, reconcile."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from callfire_async import (
    APIError,
    AuthenticationError,
    CMNames,
    CMVoice,
    ConfigurationError,
    InvalidOrderError,
    Listener,
    NumberRequest,
    Order,
    OrderFailedError,
    OrderInDoubtError,
    Outcome,
    PollPolicy,
    StoreError,
    TransportError,
)
from callfire_async.sandbox import Life, Sandbox
from callfire_async.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = PollPolicy(grace=1.0, parked_interval=1.0, max_interval=2.0)


def client_of(sandbox: Sandbox, listener: Listener | None = None, **options: Any) -> CMVoice:
    options = {"poll": POLICY, **options}
    return CMVoice(sandbox.cm_token, account=sandbox.cm_account, base_url=sandbox.cm_url, listener=listener, **options)


async def buy(client: CMVoice, **arguments: Any) -> Order[NumberRequest]:
    profile = Sandbox.cm_company_profile
    return await client.order(**{"company_profile": profile, "quantity": 2, "city": "Breda", **arguments})


def calls_about(sandbox: Sandbox, order_id: str) -> list[float]:
    return [call.at for call in sandbox.calls if call.order_id == order_id]


ENDS = [
    pytest.param(Life(), "COMPLETED", 0, id="completed"),
    pytest.param(Life(result="partial"), "COMPLETED", 1, id="partial"),
    pytest.param(Life(result="parked", paid_after=0.1), "COMPLETED", 0, id="pending-then-approved"),
    pytest.param(Life(statuses=[(0.1, "IN_PROGRESS"), (0.2, "COMPLETED")]), "COMPLETED", 0, id="scripted"),
    pytest.param(Life(postback="lost"), "COMPLETED", 0, id="callback-lost"),
    pytest.param(Life(postback="twice"), "COMPLETED", 0, id="callback-twice"),
    pytest.param(Life(postback="early"), "COMPLETED", 0, id="callback-early"),
    pytest.param(Life(postback="late", late_by=1.0), "COMPLETED", 0, id="callback-late"),
    pytest.param(Life(postback="out_of_order"), "COMPLETED", 0, id="callback-out-of-order"),
    pytest.param(Life(postback="malformed"), "COMPLETED", 0, id="callback-malformed"),
    pytest.param(Life(postback="forged"), "COMPLETED", 0, id="callback-forged"),
    pytest.param(Life(polls=["error500", "drop", "html"]), "COMPLETED", 0, id="flaky-polls"),
    pytest.param(Life(polls=["malformed", "html_with_200", "not_found"]), "COMPLETED", 0, id="unreadable-polls"),
    pytest.param(Life(polls=["rate_limited"], retry_after=1), "COMPLETED", 0, id="rate-limited"),
    pytest.param(Life(reply="slow", reply_after=0.3), "COMPLETED", 0, id="slow-reply"),
]


@pytest.mark.parametrize(("life", "status", "shortfall"), ENDS)
async def test_every_order_ends_with_the_providers_final_word(life: Life, status: str, shortfall: int) -> None:
    async with Sandbox(processing=0.4, seed=3) as sandbox, client_of(sandbox, Listener()) as client:
        sandbox.plan(life)
        order = await buy(client)
        state = await order.result(timeout=20)
        assert (state.status, state.shortfall) == (status, shortfall)
        assert state.numbers == sandbox.orders[order.id].fulfilled
        assert state.raw["companyProfileGuid"] == sandbox.cm_company_profile
        assert await client.pending() == []
        assert sandbox.violations == 0
        assert client.stats().placed == 1


async def test_without_a_listener_the_end_is_found_by_asking() -> None:
    async with Sandbox(processing=0.4, seed=3) as sandbox, client_of(sandbox) as client:
        order = await buy(client)
        assert (await order).shortfall == 0
        assert order.settled_by == "poll"
        assert sandbox.deliveries == []


@pytest.mark.parametrize("result", ["errored", "rejected", "void"])
async def test_a_bad_end_raises_with_the_final_state_and_its_reason(result: Any) -> None:
    async with Sandbox(processing=0.1, life=Life(result=result)) as sandbox, client_of(sandbox) as client:
        order = await buy(client)
        with pytest.raises(OrderFailedError, match=order.id) as caught:
            await order
        assert isinstance(caught.value.state, NumberRequest)
        assert caught.value.state.reason == f"The sandbox made it {caught.value.state.status}."


@pytest.mark.parametrize("listening", [True, False])
async def test_an_order_that_is_final_at_once_is_never_asked_about(*, listening: bool) -> None:
    listener = Listener() if listening else None
    async with Sandbox(processing=0) as sandbox, client_of(sandbox, listener) as client:
        order = await buy(client, quantity=30, range_size=20)
        assert order.done()
        state = await order
        assert order.settled_by == "create"
        assert len(set(state.numbers)) == 30
        assert [part.size for part in state.ranges] == [20, 10]
        await asyncio.sleep(1.2)
        assert client.stats().polls == 0
        assert client.stats().settled_by_create == 1
        assert calls_about(sandbox, order.id) == []


async def test_with_a_listener_each_order_has_an_address_of_its_own_and_no_order_has_one_without() -> None:
    async with Sandbox(processing=0.3) as sandbox, client_of(sandbox, Listener()) as client, client_of(sandbox) as deaf:
        orders = [await buy(client) for _ in range(3)]
        silent = await buy(deaf)
        addresses = [sandbox.orders[order.id].form["callbackUrl"] for order in orders]
        assert len(set(addresses)) == 3
        assert "callbackUrl" not in sandbox.orders[silent.id].form
        for order in orders:
            await order
            assert order.settled_by == "postback"
        for order, address in zip(orders, addresses, strict=True):
            assert address not in repr(order.latest)
            assert address not in repr(order.latest and order.latest.raw)


async def test_trusted_callbacks_settle_without_a_call() -> None:
    async with (
        Sandbox(processing=0.3) as sandbox,
        client_of(sandbox, Listener(), trust_postbacks=True, poll=PollPolicy(grace=600)) as client,
    ):
        order = await buy(client)
        assert [state.status async for state in order.updates()] == ["REQUESTED", "APPROVED", "COMPLETED"]
        assert order.settled_by == "postback"
        assert client.stats().polls == 0


# ------------------------------------------------------------------ cancel


async def test_cancelling_ends_the_order_for_all_who_wait() -> None:
    async with Sandbox(processing=60) as sandbox, client_of(sandbox, Listener()) as client:
        order = await buy(client)
        wait = asyncio.create_task(order.result())
        state = await client.cancel(order.id)
        assert (state.status, state.outcome) == ("CANCELLED", Outcome.FAILED)
        with pytest.raises(OrderFailedError, match="CANCELLED"):
            await wait
        assert order.done()
        assert await client.pending() == []


async def test_cancelling_is_a_call_about_the_order_and_obeys_the_rule() -> None:
    """It may take the place of a question; whoever wanted that asked still gets an answer."""
    async with Sandbox(processing=60, latency=0.2) as sandbox, client_of(sandbox) as client:
        order = await buy(client)
        first = await order.refresh()
        states = await asyncio.gather(
            order.refresh(), client.cancel(order.id), client.get_order(order.id), client.cancel(order.id)
        )
        assert first.outcome is Outcome.PENDING
        assert {state.status for state in (states[1], states[3])} == {"CANCELLED"}
        assert {state.status for state in (states[0], states[2])} <= {"REQUESTED", "CANCELLED"}
        about = [call for call in sandbox.calls if call.order_id == order.id]
        assert [call.method for call in about].count("POST") == 1
        assert min(later.at - earlier.at for earlier, later in pairwise(about)) >= 1.0
        assert sandbox.violations == 0


async def test_a_refused_cancellation_is_the_cancellers_alone() -> None:
    async with Sandbox(processing=1.6) as sandbox, client_of(sandbox) as client:
        order = await buy(client)
        sandbox.fault_next("/voice", "unauthorized")
        wait = asyncio.create_task(order.result())
        with pytest.raises(AuthenticationError):
            await client.cancel(order.id)
        state = await wait
        assert state.outcome is Outcome.FINISHED
        with pytest.raises(APIError, match="is COMPLETED and cannot be cancelled") as caught:
            await client.cancel(order.id)
        assert caught.value.status == 409
        assert order.settled_by == "poll"
        with pytest.raises(InvalidOrderError):
            await client.cancel("../x")


async def test_a_question_that_a_failing_cancellation_displaced_is_asked_all_the_same() -> None:
    async with Sandbox(processing=60) as sandbox, client_of(sandbox) as client:
        order = await buy(client)
        sandbox.fault_next("/voice", "error500")
        results = await asyncio.gather(client.cancel(order.id), order.refresh(), return_exceptions=True)
        assert isinstance(results[0], APIError)
        assert isinstance(results[1], NumberRequest)


async def test_a_cancellation_answered_without_an_order_is_looked_after() -> None:
    """Nothing documents what a cancellation is answered with."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/cancel"):
            return httpx.Response(204)
        status = "REQUESTED" if request.method == "POST" else "CANCELLED"
        return httpx.Response(200, json={"guid": "7", "status": status, "quantity": 2})

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http,
        CMVoice("t", account=Sandbox.cm_account, base_url="http://127.0.0.1:1", http=http) as client,
    ):
        order = await buy(client)
        assert (await client.cancel(order.id)).status == "CANCELLED"


async def test_a_store_that_is_away_fails_the_cancellation_and_not_the_next_one() -> None:
    class Fickle(MemoryStore):
        away = False

        async def hasten(self, *args: Any) -> None:
            if self.away:
                raise StoreError("The disk is full.")
            await super().hasten(*args)

    async with Sandbox(processing=60) as sandbox, Fickle() as store, client_of(sandbox, store=store) as client:
        order = await buy(client)
        store.away = True
        with pytest.raises(StoreError, match="disk is full"):
            await client.cancel(order.id)
        store.away = False
        assert (await client.cancel(order.id)).status == "CANCELLED"


async def test_closing_releases_who_waits_for_a_cancellation() -> None:
    async with Sandbox(processing=60) as sandbox:
        async with client_of(sandbox) as client:
            order = await buy(client)
            cancelling = asyncio.create_task(client.cancel(order.id))
            await asyncio.sleep(0)
        with pytest.raises(Exception, match="closed"):
            await cancelling


# ------------------------------------------------------------------ the list


async def test_the_list_comes_page_by_page_up_to_the_limit() -> None:
    async with Sandbox(processing=0) as sandbox, client_of(sandbox) as client:
        placed = [(await buy(client)).id for _ in range(120)]
        assert [state.id async for state in client.orders()] == placed
        pages = [call for call in sandbox.calls if call.method == "GET"]
        assert len(pages) == 3
        for limit in (1, 50, 51, 120, 500):
            assert [state.id async for state in client.orders(limit=limit)] == placed[:limit]
        for wrong in (0, True, 2.0):
            with pytest.raises(InvalidOrderError, match="nothing was sent"):
                await anext(client.orders(limit=wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize("headers", [{}, {"X-Cm-Pagination-Total": "999"}], ids=["no total", "a wrong total"])
async def test_a_list_that_shifts_or_repeats_itself_ends(headers: dict[str, str]) -> None:
    """Each number request that can be read comes once, though one more is placed while we read, and though the last page comes for ever."""
    asked: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        skip = int(request.url.params["skip"])
        asked.append(skip)
        ids = {0: "ab?c", 4: "cde"}.get(skip, "cde")
        return httpx.Response(200, json=[{"guid": i, "status": "COMPLETED"} for i in ids], headers=headers)

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http,
        CMVoice("t", account=Sandbox.cm_account, base_url="http://127.0.0.1:1", http=http) as client,
    ):
        assert [state.id async for state in client.orders()] == list("abcde")
        assert asked == [0, 4, 7]


# ------------------------------------------------------------------ doubts


@pytest.mark.parametrize("reply", ["lost_after_accepting", "error_after_accepting", "empty_after_accepting"])
async def test_a_lost_reply_is_a_doubt_that_the_list_clears_up(reply: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Sandbox(processing=0.3, seed=2) as sandbox, client_of(sandbox) as client:
        await buy(client, key="same")
        await buy(client, quantity=3)
        sandbox.plan(Life(reply=reply))
        with pytest.raises(OrderInDoubtError):
            await buy(client, key="lost", comment="For Ann")
        found = await client.reconcile("lost")
        lost = list(sandbox.orders)[-1]
        assert (found.verdict, found.order_id, found.candidates) == ("placed", lost, (lost,))
        with pytest.raises(OrderInDoubtError, match="Nothing was sent now"):
            await buy(client, key="lost", comment="For Ann")
        state = await (await client.resolve("lost", order_id=lost))
        assert state.outcome is Outcome.FINISHED
        assert sandbox.purchases == 3

        monkeypatch.setattr("callfire_async.providers.cm_traces.SETTLING", timedelta(0))
        sandbox.plan(Life(reply="lost_before_accepting"))
        with pytest.raises(OrderInDoubtError):
            await buy(client, key="never")
        found = await client.reconcile("never")
        assert (found.verdict, found.order_id) == ("not placed", None)
        assert found.evidence == ("2 of the 3 number requests that CM.com lists fit.",)
        assert sandbox.purchases == 3
        assert sandbox.violations == 0

        sandbox.plan(Life(reply="lost_before_accepting"))
        with pytest.raises(OrderInDoubtError):
            await buy(client, key="elsewhere", city="Delft")
        found = await client.reconcile("elsewhere")
        assert found.verdict == "unknown"
        assert found.evidence[-1].startswith("2 number requests since then ask for as many numbers and differ")


async def test_without_plain_evidence_the_verdict_stays_open() -> None:
    async with Sandbox(processing=0.3, seed=2) as sandbox, client_of(sandbox) as client:
        sandbox.plan(Life(reply="lost_before_accepting"))
        with pytest.raises(OrderInDoubtError):
            await buy(client, key="a")
        found = await client.reconcile("a")
        assert found.verdict == "unknown"
        assert "less than a minute old" in found.evidence[-1]

        sandbox.plan(Life(reply="lost_after_accepting"), Life(reply="lost_after_accepting"))
        for key in ("b", "c"):
            with pytest.raises(OrderInDoubtError):
                await buy(client, key=key)
        found = await client.reconcile("b")
        assert (found.verdict, found.order_id) == ("unknown", None)
        assert found.candidates == tuple(sandbox.orders)

        sandbox.fault_next("/voice", "error500")
        found = await client.reconcile("b")
        assert found.verdict == "unknown"
        assert "could not be asked" in found.evidence[-1]


async def test_of_a_list_without_end_a_bounded_part_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callfire_async.providers.cm_traces.MOST_PAGES", 2)
    async with Sandbox(processing=0) as sandbox, client_of(sandbox) as client:
        for _ in range(101):
            await buy(client)
        sandbox.plan(Life(reply="lost_before_accepting"))
        with pytest.raises(OrderInDoubtError):
            await buy(client, key="a")
        found = await client.reconcile("a")
        assert found.verdict == "unknown"
        assert "more than the 100 number requests that were looked at" in found.evidence[-1]


@pytest.mark.parametrize(
    ("entries", "evidence"),
    [
        ([{"guid": "7", "status": "REQUESTED", "quantity": 2}], "1 of the 1 number requests listed cannot be read"),
        ([{"guid": None}], "1 of the 1 number requests listed cannot be read"),
    ],
)
async def test_a_list_that_does_not_say_when_proves_nothing(entries: list[object], evidence: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(500)
        return httpx.Response(200, json=entries if request.url.params["skip"] == "0" else [])

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http,
        CMVoice("t", account=Sandbox.cm_account, base_url="http://127.0.0.1:1", http=http) as client,
    ):
        with pytest.raises(OrderInDoubtError):
            await buy(client, key="a")
        found = await client.reconcile("a")
        assert found.verdict == "unknown"
        assert found.evidence[-1].startswith(evidence)


# ------------------------------------------------------------------ corrected names, and configuration


def renamed(answers: list[dict[str, Any]]) -> Callable[[httpx.Request], httpx.Response]:
    """A CM.com that says `state` for `status`, lives elsewhere, and ends with PORTED."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path.startswith("/voice/v2/orders")
        assert request.headers["X-CM-PRODUCTTOKEN"] == "t"
        if request.method == "POST":
            assert json.loads(request.content)["howMany"] == 2
        return httpx.Response(202, json=answers.pop(0))

    return answer


async def test_a_renamed_field_and_a_new_final_status_are_corrected_by_the_users_table() -> None:
    names = CMNames(
        requests_path="/voice/v2/orders",
        request_path="/voice/v2/orders/{id}",
        quantity="howMany",
        status="state",
        outcomes={"Ported": Outcome.FINISHED},
    )
    answers = [
        {"guid": "7", "state": "REQUESTED", "howMany": 2},
        {"guid": "7", "state": "PORTED", "howMany": 2, "numberRanges": [{"start": "31201234567", "size": 2}]},
    ]
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(renamed(answers))) as http,
        CMVoice("t", account=Sandbox.cm_account, base_url="http://127.0.0.1:1", http=http, names=names) as client,
    ):
        state = await (await buy(client))
        assert (state.status, state.outcome) == ("PORTED", Outcome.FINISHED)
        assert state.numbers == ("31201234567", "31201234568")
        assert state.shortfall == 0


async def test_wrong_arguments_cost_nothing() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        for wrong in ({"quantity": 0}, {"quantity": 1001}, {"city": None}, {"range_size": 0}, {"company_profile": "x"}):
            with pytest.raises(InvalidOrderError):
                await buy(client, **wrong)
        with pytest.raises(InvalidOrderError):
            await client.attach("a/b")
        assert sandbox.calls == ()


async def test_an_order_placed_elsewhere_can_be_attached() -> None:
    async with Sandbox(processing=0.1) as sandbox, client_of(sandbox) as one, client_of(sandbox) as other:
        order = await buy(one)
        assert (await (await other.attach(order.id))).numbers == (await order).numbers


@pytest.mark.parametrize("token", ["", " t", "t\n", "tö"])
def test_a_token_that_cannot_be_one_is_refused_and_not_repeated(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CM_PRODUCT_TOKEN", raising=False)
    with pytest.raises(ConfigurationError, match="CM_PRODUCT_TOKEN") as caught:
        CMVoice(token, account=Sandbox.cm_account)
    assert str(caught.value).startswith("CM.com needs a product token, in printable ASCII")


@pytest.mark.parametrize("account", ["", "7", "../../x", "5a4dbd0c-0000-4000-8000-00000000acc0/x"])
def test_the_account_is_a_uuid(account: str) -> None:
    with pytest.raises(ConfigurationError, match="uuid"):
        CMVoice("t", account=account)


async def test_the_token_comes_from_the_environment_and_is_shown_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with Sandbox() as sandbox:
        sandbox.cm_token = "a-secret-product-token"  # noqa: S105  # opens nothing
        monkeypatch.setenv("CM_PRODUCT_TOKEN", sandbox.cm_token)
        async with CMVoice(account=sandbox.cm_account, base_url=sandbox.cm_url) as client:
            await buy(client)
            shown = repr(client) + repr(vars(client))
        async with CMVoice("wrong", account=sandbox.cm_account, base_url=sandbox.cm_url) as client:
            with pytest.raises(AuthenticationError, match="Unauthorized"):
                await buy(client)
        async with CMVoice(account=sandbox.cm_account, base_url="http://127.0.0.1:1", max_retries=0) as client:
            with pytest.raises(TransportError) as caught:
                await buy(client)
        shown += repr(caught.value) + caplog.text
        assert sandbox.cm_token not in shown
        assert sandbox.purchases == 1
