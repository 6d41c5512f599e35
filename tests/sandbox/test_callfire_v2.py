"""API v2 from end to end. Every request and every reply on the way is held against the vendor's definition."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import httpx
import pytest
from definition import CALLFIRE_V2

from callfire_async import (
    APIError,
    CallFire,
    CallFireV2,
    ConfigurationError,
    InvalidOrderError,
    Listener,
    NotFoundError,
    OrderInDoubtError,
    Region,
    ServerError,
)
from callfire_async.providers import callfire_v2_traces
from callfire_async.sandbox import Life, Sandbox

#: Bare arrays, which the definition prints and its schema does not know.
BARE = {"findNumbersLocal", "findNumbersTollfree"}

SEATTLE = Region(city="Seattle", state="WA")
SECRET = "not to be seen"  # noqa: S105


async def check(response: httpx.Response) -> None:
    """Hold one exchange against the definition."""
    request = response.request
    target = request.url.raw_path.decode().removeprefix("/v2")
    headers = {"Content-Type": request.headers.get("Content-Type", "")}
    operation = CALLFIRE_V2.check_request(request.method, target, headers, request.content)
    body = await response.aread()
    if response.is_success and not (operation.id in BARE and body.startswith(b"[")):
        CALLFIRE_V2.check_reply(operation, body)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(processing=0.0, seed=11) as it:
        yield it


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, event_hooks={"response": [check]}) as it:
        yield it


def client_of(sandbox: Sandbox, **options: Any) -> CallFireV2:
    return CallFireV2(sandbox.login, sandbox.password, base_url=sandbox.callfire_v2_url, **options)


@pytest.fixture
async def client(sandbox: Sandbox, http: httpx.AsyncClient) -> AsyncIterator[CallFireV2]:
    async with client_of(sandbox, http=http) as it:
        yield it
    assert sandbox.violations == 0


# ------------------------------------------------------------------ orders


async def test_numbers_and_keywords_are_ordered_each_and_awaited(client: CallFireV2, sandbox: Sandbox) -> None:
    numbers = await client.order(numbers=["12065550101"], local=2, toll_free=1, region=SEATTLE, key="numbers")
    keywords = await client.order(keywords=["SUN", "MOON"], key="keywords")
    bought, words = await asyncio.gather(numbers, keywords)
    assert len(bought.numbers) == 4
    assert "12065550101" in bought.numbers
    assert words.keywords is not None
    assert words.keywords.fulfilled == ("SUN", "MOON")
    assert {*bought.numbers, "SUN", "MOON"} == set(sandbox.owned)
    assert (await client.order(keywords=["SUN", "MOON"], key="keywords")).id == keywords.id
    assert sandbox.purchases == 2
    assert await client.get_order(numbers.id) == bought


@pytest.mark.parametrize(
    "order",
    [
        {"keywords": ["SUN"], "numbers": ["12065550101"]},
        {"keywords": ["SUN"], "local": 1},
        {"keywords": ["SUN"], "toll_free": 1},
        {"local": 1, "region": Region(city="Seattle", country="US")},
        {"local": 1, "region": Region(latitude=47.61, longitude=-122.331)},
        {"region": SEATTLE},
        {},
    ],
    ids=repr,
)
async def test_what_v2_cannot_buy_at_once_is_refused_before_anything_is_sent(
    client: CallFireV2, sandbox: Sandbox, order: dict[str, Any]
) -> None:
    with pytest.raises(InvalidOrderError, match=r"[Nn]othing was sent\.$"):
        await client.order(**order)
    assert not sandbox.calls


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.get_order("7/../8"),
        lambda client: client.attach("7a"),
        lambda client: client.webhook("resources"),
        lambda client: client.webhook_events("../webhooks"),
        lambda client: client.search_keywords([]),
        lambda client: client.search_keywords(["two words"]),
        lambda client: client.number("12345"),
    ],
)
async def test_what_cannot_stand_in_a_path_is_refused_before_anything_is_sent(
    client: CallFireV2, sandbox: Sandbox, call: Callable[[CallFireV2], Awaitable[object]]
) -> None:
    with pytest.raises(InvalidOrderError, match=r"nothing was sent\.$"):
        await call(client)
    assert not sandbox.calls


@pytest.mark.parametrize(("login", "password"), [(None, "password"), ("login", None), ("lo:gin", "password")])
def test_credentials_are_demanded(monkeypatch: pytest.MonkeyPatch, login: str | None, password: str | None) -> None:
    monkeypatch.delenv("CALLFIRE_LOGIN", raising=False)
    monkeypatch.delenv("CALLFIRE_PASSWORD", raising=False)
    with pytest.raises(ConfigurationError, match="CALLFIRE_LOGIN"):
        CallFireV2(login, password)


def test_credentials_are_those_of_the_older_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLFIRE_LOGIN", "somebody")
    monkeypatch.setenv("CALLFIRE_PASSWORD", "hunter2")
    assert repr(CallFireV2()) == "<CallFireV2 'somebody' at https://www.callfire.com/v2>"


async def test_orders_are_listed_the_newest_first_and_filtered(client: CallFireV2, sandbox: Sandbox) -> None:
    sandbox.plan(Life(), Life(result="errored"), Life(result="parked"))
    placed = [(await client.order(local=1)).id for _ in range(3)]
    assert [order.id async for order in client.orders()] == placed[::-1]
    assert [order.id async for order in client.orders(limit=2)] == placed[:0:-1]
    assert [order.id async for order in client.orders(status="ERRORED")] == [placed[1]]
    now = datetime.now(UTC)
    assert [order.id async for order in client.orders(since=now - timedelta(minutes=1), until=now)] == placed[::-1]
    assert [order async for order in client.orders(since=now + timedelta(minutes=1))] == []
    parked = await anext(client.orders(limit=1))
    assert (parked.status, parked.local_numbers) == ("WAIT_FOR_PAYMENT", None)  # as the vendor's fixture shows it
    assert len([order async for order in client.orders(limit=250)]) == 3


async def test_a_list_longer_than_a_page(client: CallFireV2) -> None:
    for _ in range(120):
        await client.order(toll_free=1)
    listed = [order.id async for order in client.orders()]
    assert len(listed) == len(set(listed)) == 120


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"since": datetime(2030, 1, 1)}])  # noqa: DTZ001
async def test_a_list_that_cannot_be_is_refused(client: CallFireV2, sandbox: Sandbox, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidOrderError):
        await anext(client.orders(**wrong))
    assert not sandbox.calls


async def test_both_apis_show_the_same_orders_and_are_paced_together(sandbox: Sandbox) -> None:
    async with (
        client_of(sandbox) as client,
        CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url) as older,
    ):
        both = await older.order(local=1, keywords=["SUN"])
        state = await both
        listed = await anext(client.orders())
        assert (listed.id, listed.numbers, listed.keywords) == (state.id, state.numbers, state.keywords)
        order = await client.order(local=1)
        await order
        await asyncio.sleep(1.0)
        assert (await older.get_order(order.id)).numbers == (await order).numbers
        assert sandbox.violations == 0
        with pytest.raises(APIError, match="less than a second"):
            await client_order(sandbox, order.id)
        assert sandbox.violations == 1


async def client_order(sandbox: Sandbox, order_id: str) -> None:
    """Ask at once, as another program would."""
    async with client_of(sandbox, max_retries=0) as client:
        client._codec.decode_status(await client._transport.send(client._codec.encode_status(order_id)))


# ------------------------------------------------------------------ webhooks

LIVES = ["delivered", "lost", "twice", "late", "early", "out_of_order", "malformed", "forged"]


@pytest.mark.parametrize("secret", [None, SECRET], ids=["unsigned", "signed"])
async def test_an_order_settles_once_whatever_its_webhook_does(
    sandbox: Sandbox, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, secret: str | None
) -> None:
    caplog.set_level(logging.DEBUG)
    sandbox.plan(*(Life(postback=cast("Any", word), processing=0.2, late_by=1.0) for word in LIVES))
    listener = Listener()
    async with client_of(sandbox, http=http, listener=listener, webhook_secret=secret) as client:
        made = await client.create_webhook(
            "orders", resource="CallBroadcast", events=["Finished"], callback=listener.url
        )
        orders = [await client.order(local=1) for _ in LIVES]
        states = await asyncio.gather(*orders)
        assert [state.status for state in states] == ["FINISHED"] * len(LIVES)
        settled_by = {word: order.settled_by for word, order in zip(LIVES, orders, strict=True)}
        assert settled_by["delivered"] == settled_by["twice"] == "postback"
        assert settled_by["lost"] == "poll"
        stats = client.stats()
        assert stats.settled_by_postback + stats.settled_by_poll == len(LIVES)
        # The malformed one, and where it can be told, the forged one.
        assert stats.postbacks_refused == (1 if secret is None else 2)
        assert len({d.order_id for d in sandbox.deliveries if d.status == 400}) == stats.postbacks_refused
        await client.delete_webhook(made)
    assert sandbox.violations == 0
    assert SECRET not in caplog.text


async def test_a_webhook_with_another_secret_is_not_believed(sandbox: Sandbox) -> None:
    listener = Listener()
    async with client_of(sandbox, listener=listener, webhook_secret=SECRET, trust_postbacks=True) as client:
        callback = {"resource": "CallBroadcast", "events": ["Finished"], "callback": listener.url}
        await client.create_webhook("mine", **callback)  # type: ignore[arg-type]
        await client.create_webhook("theirs", secret="another", **callback)  # type: ignore[arg-type]  # noqa: S106
        await (await client.order(local=1))
        async with asyncio.timeout(5):
            while len(sandbox.deliveries) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert sorted(str(d.status) for d in sandbox.deliveries) == ["200", "400"]


async def test_webhooks_are_made_listed_changed_and_deleted(client: CallFireV2, sandbox: Sandbox) -> None:
    expires = datetime(2040, 1, 1, tzinfo=UTC)
    first = await client.create_webhook(
        "one", resource="InboundText", events=["Finished"], callback="https://example.com/1", expires_at=expires
    )
    second = await client.create_webhook(
        "two", resource="CallBroadcast", events=["Started", "Stopped"], callback="https://example.com/2", enabled=False
    )
    assert [hook.id async for hook in client.webhooks()] == [first, second]
    one, two = await client.webhook(first), await client.webhook(int(second))
    assert (one.name, one.events, one.enabled, one.expires_at) == ("one", ("Finished",), True, expires)
    assert (two.enabled, two.secret) == (False, None)
    await client.update_webhook(second, name="three", enabled=True)
    changed = await client.webhook(second)
    assert (changed.name, changed.enabled, changed.events) == ("three", True, ("Started", "Stopped"))
    await client.delete_webhook(first)
    assert [hook.id async for hook in client.webhooks()] == [second]
    with pytest.raises(NotFoundError):
        await client.webhook(first)
    resources = await client.webhook_resources()
    assert resources["CallBroadcast"] == ("Started", "Stopped", "Finished")
    assert await client.webhook_events("call-broadcast") == resources["CallBroadcast"]
    with pytest.raises(InvalidOrderError):
        await client.update_webhook(second)
    assert list(sandbox.webhooks) == [int(second)]


# ------------------------------------------------------------------ numbers and keywords


async def test_numbers_and_keywords_are_searched(client: CallFireV2, sandbox: Sandbox) -> None:
    sandbox.take("MOON")
    found = await client.search_numbers(count=3, region=SEATTLE)
    assert len(found) == 3
    assert {number.region.city for number in found if number.region} == {"SEATTLE"}
    toll_free = await client.search_numbers(count=2, toll_free=True)
    assert [number.toll_free for number in toll_free] == [True, True]
    assert {region.state async for region in client.regions(Region(state="WA"))} == {"WA"}
    assert len([region async for region in client.regions(limit=7)]) == 7
    assert [keyword.keyword for keyword in await client.search_keywords(["SUN", "MOON"])] == ["SUN"]
    assert [await client.keyword_available(word) for word in ("SUN", "MOON")] == [True, False]


@pytest.mark.parametrize(
    "search",
    [
        {"count": 0, "region": SEATTLE},
        {"count": 1},
        {"count": 1, "region": SEATTLE, "toll_free": True},
        {"count": True},
    ],
    ids=repr,
)
async def test_a_search_that_cannot_be_is_refused(client: CallFireV2, sandbox: Sandbox, search: dict[str, Any]) -> None:
    with pytest.raises(InvalidOrderError):
        await client.search_numbers(**search)
    assert not sandbox.calls


async def test_leases_are_listed_configured_and_released(client: CallFireV2, sandbox: Sandbox) -> None:
    sandbox.own("12065550101", "12125550102", "17775550103", "SUN", label="mine")
    assert [number.number async for number in client.numbers(region=Region(state="NY"), label="mine")] == [
        "12125550102"
    ]
    number = await client.number("+1 206 555 0101")
    assert (number.status, number.lease and number.lease.auto_renew) == ("ACTIVE", True)
    await client.update_number("12065550101", text=False)
    await client.configure_number("12065550101", transfer_numbers=["12125550102"], recorded=True)
    await client.configure_number("12065550101", screen=False, intro_sound_id=7)
    assert dict((await client.number_configuration("12065550101")).inbound) == {
        "transferNumbers": "12125550102", "screen": "false", "recorded": "true", "introSoundId": "7",
    }  # fmt: skip
    await client.configure_number("12125550102", dialplan_xml="<dialplan/>")
    configured = {number: found.inbound_type async for number, found in client.number_configurations()}
    assert configured == {"12065550101": "TRACKING", "12125550102": "IVR", "17775550103": None}
    assert (await client.number("17775550103")).region == Region(prefix="1777555")
    await client.release("12065550101")
    number = await client.number("12065550101")
    assert (number.status, number.lease and number.lease.auto_renew) == ("RELEASED", False)
    assert number.configuration
    assert (number.configuration.call, number.configuration.text) == ("ENABLED", "DISABLED")
    assert [word.keyword async for word in client.keywords()] == ["SUN"]
    await client.release_keyword("sun")
    assert (await client.keyword("SUN")).status == "RELEASED"
    with pytest.raises(NotFoundError):
        await client.number("12065550199")


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("update_number", {}),
        ("update_number", {"call": "yes"}),
        ("configure_number", {}),
        ("configure_number", {"screen": True, "dialplan_xml": "<dialplan/>"}),
        ("configure_number", {"transfer_numbers": "12065550101"}),
    ],
)
async def test_a_change_that_cannot_be_is_refused(
    client: CallFireV2, sandbox: Sandbox, method: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(InvalidOrderError, match="nothing was sent"):
        await getattr(client, method)("12065550101", **arguments)
    assert not sandbox.calls


# ------------------------------------------------------------------ doubts


@pytest.fixture
def an_hour_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the submission were not of this minute, in which it may still be at work."""
    monkeypatch.setattr(callfire_v2_traces, "SETTLING", timedelta(0))


async def doubt(client: CallFireV2, sandbox: Sandbox, reply: str, key: str = "k", **order: Any) -> None:
    sandbox.plan(Life(reply=cast("Any", reply)))
    with pytest.raises(OrderInDoubtError):
        await client.order(**order or {"local": 1}, key=key)


async def test_the_one_order_that_fits_is_the_purchase(client: CallFireV2, sandbox: Sandbox) -> None:
    others = [await client.order(local=1, key="other"), await client.order(local=2, key="larger")]
    await asyncio.gather(*others)
    await doubt(client, sandbox, "lost_after_accepting")
    found = await client.reconcile("k")
    (order_id,) = set(sandbox.orders) - {order.id for order in others}
    assert (found.verdict, found.order_id, found.candidates) == ("placed", order_id, (order_id,))
    order = await client.resolve("k", order_id=order_id)
    assert (await order).numbers
    assert sandbox.purchases == 3


@pytest.mark.usefixtures("an_hour_ago")
async def test_no_order_that_fits_is_no_purchase(client: CallFireV2, sandbox: Sandbox) -> None:
    await client.order(local=1, key="other")
    await doubt(client, sandbox, "lost_before_accepting")
    found = await client.reconcile("k")
    assert (found.verdict, found.candidates) == ("not placed", ())
    await client.abandon("k")
    assert (await (await client.order(local=1, key="k"))).numbers


async def test_two_orders_that_fit_leave_it_open(client: CallFireV2, sandbox: Sandbox) -> None:
    async with client_of(sandbox) as stranger:
        theirs = await stranger.order(local=1)
        await doubt(client, sandbox, "lost_after_accepting")
    found = await client.reconcile("k")
    assert (found.verdict, found.order_id) == ("unknown", None)
    assert set(found.candidates) == set(sandbox.orders)
    assert theirs.id in found.candidates


@pytest.mark.usefixtures("an_hour_ago")
async def test_an_order_that_fits_two_doubts_proves_neither(client: CallFireV2, sandbox: Sandbox) -> None:
    await doubt(client, sandbox, "lost_after_accepting", "first")
    await doubt(client, sandbox, "lost_before_accepting", "second")
    (order_id,) = sandbox.orders
    for key, other in (("first", "second"), ("second", "first")):
        found = await client.reconcile(key)
        assert (found.verdict, found.candidates) == ("unknown", (order_id,))
        assert repr(other) in found.evidence[-1]
    await client.resolve("first", order_id=order_id)
    assert (await client.reconcile("second")).verdict == "not placed"


@pytest.mark.usefixtures("an_hour_ago")
async def test_a_doubt_of_other_things_does_not_contest(client: CallFireV2, sandbox: Sandbox) -> None:
    await doubt(client, sandbox, "lost_after_accepting", "first", keywords=["SUN"])
    await doubt(client, sandbox, "lost_before_accepting", "second", local=2)
    assert (await client.reconcile("first")).verdict == "placed"
    assert (await client.reconcile("second")).verdict == "not placed"


@pytest.mark.usefixtures("an_hour_ago")
@pytest.mark.parametrize(
    "fault", ["error500", "html", "html_with_200", "drop", "malformed", "unauthorized", "rate_limited"]
)
async def test_a_provider_that_is_down_proves_nothing(sandbox: Sandbox, fault: Any) -> None:
    async with client_of(sandbox) as client:
        await doubt(client, sandbox, "lost_before_accepting")
        sandbox.fault_next("/orders", fault)
        found = await client.reconcile("k")
        assert (found.verdict, found.order_id) == ("unknown", None)
        assert "could not be asked" in found.evidence[-1]


# ------------------------------------------------------------------ what the sandbox refuses


@pytest.mark.parametrize(
    ("verb", "path", "body", "status"),
    [
        ("POST", "/orders/numbers", {}, 400),
        ("POST", "/orders/numbers", {"keywords": ["SUN"]}, 400),
        ("POST", "/orders/numbers", {"localCount": "2"}, 400),
        ("POST", "/orders/numbers", {"localCount": 1, "country": "US"}, 400),
        ("POST", "/orders/numbers", {"numbers": ["+12065550101"]}, 400),
        ("POST", "/orders/numbers?a=1", {"localCount": 1}, 400),
        ("POST", "/orders/numbers", [], 400),
        ("POST", "/orders/numbers", None, 415),
        ("POST", "/orders/numbers", b"{", 400),
        ("POST", "/orders/keywords", {"keywords": "SUN"}, 400),
        ("POST", "/orders/keywords", {"keywords": []}, 400),
        ("POST", "/orders", {"localCount": 1}, 405),
        ("GET", "/orders/1", None, 404),
        ("GET", "/orders?status=finished", None, 400),
        ("GET", "/orders?limit=0", None, 400),
        ("GET", "/numbers/local?limit=5", None, 400),
        ("GET", "/numbers/local?country=US", None, 400),
        ("GET", "/numbers/tollfree?region=WA", None, 400),
        ("GET", "/numbers/leases/12065550199", None, 404),
        ("PUT", "/numbers/leases/12065550101", {"autoRenew": True}, 400),
        ("PUT", "/numbers/leases/12065550101", {"callFeatureStatus": "PENDING"}, 400),
        ("PUT", "/numbers/leases/configs/12065550101", {"callTrackingConfig": {}}, 400),
        ("PUT", "/numbers/leases/configs/12065550101", {"configType": "IVR", "callTrackingConfig": {}}, 400),
        ("PUT", "/keywords/leases/MOON", {"autoRenew": False}, 404),
        ("GET", "/keywords?keyword=SUN", None, 400),
        ("POST", "/webhooks", {"name": "n", "resource": "r", "events": ["Finished"]}, 400),
        ("POST", "/webhooks", {"name": "n", "resource": "r", "events": [], "callback": "https://example.com/"}, 400),
        ("GET", "/webhooks/1", None, 404),
        ("GET", "/webhooks/resources/Order", None, 404),
        ("GET", "/nowhere", None, 404),
    ],
)  # fmt: skip
async def test_the_sandbox_refuses_with_the_error_body(
    sandbox: Sandbox, verb: str, path: str, body: Any, status: int
) -> None:
    sandbox.own("12065550101")
    async with httpx.AsyncClient(auth=(sandbox.login, sandbox.password)) as http:
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        reply = await http.request(verb, sandbox.callfire_v2_url + path, content=content, headers=headers)
    assert reply.status_code == status, reply.text
    document = reply.json()
    assert document["httpStatusCode"] == status
    assert document["message"]
    assert document.keys() == {"httpStatusCode", "internalCode", "message", "developerMessage", "helpLink"}
    assert sandbox.purchases == 0


async def test_wrong_credentials_are_refused(sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(auth=(sandbox.login, "wrong")) as http:
        reply = await http.get(f"{sandbox.callfire_v2_url}/orders")
    assert (reply.status_code, reply.json()["message"]) == (401, "UNAUTHORIZED")


async def test_a_poll_that_fails_is_made_again(sandbox: Sandbox) -> None:
    sandbox.plan(Life(polls=["malformed", "error500"]))
    async with client_of(sandbox) as client:
        assert (await (await client.order(local=1))).numbers
        assert client.stats().poll_errors == 2
        sandbox.fault_next("/orders/numbers", "error500")
        with pytest.raises(OrderInDoubtError) as caught:
            await client.order(local=1)
        assert isinstance(caught.value.__cause__, ServerError)
    assert sandbox.violations == 0


async def test_newer_fields_are_understood(sandbox: Sandbox) -> None:
    sandbox.plan(Life(newer_fields=True))
    async with client_of(sandbox) as client:
        state = await (await client.order(local=1))
    assert (state.summary, state.sales_tax, state.total) == (Decimal(1), Decimal(0), Decimal(1))
    assert json.loads(client._codec.dump(state))["total"] == "1.0"
