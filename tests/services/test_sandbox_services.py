"""The number and subscription services from end to end, against the sandbox."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from operations import OPERATIONS, Operation, everything

from callfire_async import (
    CallFinished,
    CallFire,
    CampaignNotification,
    ConfigurationError,
    Listener,
    NotFoundError,
    OwnSubscription,
    Region,
    ServerError,
    TextNotification,
)
from callfire_async.sandbox import Sandbox

SEATTLE = Region(city="Seattle", state="WA", country="US")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(processing=0.0, seed=11) as it:
        yield it


def client_of(sandbox: Sandbox, **options: Any) -> CallFire:
    return CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url, **options)


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[CallFire]:
    async with client_of(sandbox) as it:
        yield it


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_the_sandbox_takes_every_operation_and_is_understood(
    operation: Operation, client: CallFire, sandbox: Sandbox
) -> None:
    sandbox.own("12065550101", "SUN", label="my label")
    subscribed = await client.subscribe("https://example.com/mine")
    match operation.name:  # the table's id is not one the sandbox has given
        case "GetSubscription":
            await client.subscription(subscribed)
        case "UpdateSubscription":
            await client.update_subscription(subscribed, enabled=False, batch_id=7)
        case "DeleteSubscription":
            await client.unsubscribe(subscribed)
        case _:
            await operation.call(client)
    assert sandbox.calls[-1].method == operation.method
    assert sandbox.calls[-1].status in (200, 201, 204)


# ------------------------------------------------------------------ find, buy, own, set up, release


async def test_from_search_to_release(client: CallFire, sandbox: Sandbox) -> None:
    found = await client.search_numbers(count=3, region=SEATTLE)
    assert len(found) == 3
    assert all(n.number.startswith("1206") and not n.toll_free and n.lease is None and n.region for n in found)
    state = await (await client.order(numbers=[n.number for n in found], keywords=["SUNNY"]))
    assert state.numbers == tuple(n.number for n in found)

    owned = {n.number: n async for n in client.numbers()}
    assert owned.keys() == {n.number for n in found}
    one = await client.number(found[0].number)
    assert one == owned[one.number]
    assert one.status == "ACTIVE"
    assert one.lease is not None
    assert one.lease.auto_renew
    assert one.lease.begin == datetime.now(UTC).date()

    await client.configure_number(
        one.number,
        call=True,
        text=True,
        inbound_call_configuration_type="TRACKING",
        transfer_number=["12065550199"],
        record=True,
    )
    configured = (await client.number(one.number)).configuration
    assert configured is not None
    assert (configured.call, configured.text, configured.inbound_type) == ("ENABLED", "ENABLED", "TRACKING")
    assert configured.inbound["Record"] == "true"

    (keyword,) = await everything(client.keywords())
    assert (keyword.keyword, keyword.lease.auto_renew) == ("SUNNY", True)
    assert await client.search_keywords(["SUNNY", "MOON"]) != []
    assert [k.keyword for k in await client.search_keywords(["SUNNY"])] == []

    await client.release(one.number)
    await client.release(keyword.short_code, keyword="SUNNY")
    released = await client.number(one.number)
    assert released.lease is not None
    assert not released.lease.auto_renew
    with pytest.raises(NotFoundError, match=r"12065550177 is not among the account's own\. CallFire says: "):
        await client.number("12065550177")
    assert sandbox.violations == 0


async def test_toll_free_numbers_have_no_region(client: CallFire) -> None:
    found = await client.search_numbers(count=2, toll_free=True)
    assert len(found) == 2
    assert all(n.toll_free and n.region is None for n in found)


async def test_regions_narrow_down(client: CallFire) -> None:
    places = await everything(client.regions())
    assert len(places) > 20
    assert await everything(client.regions(Region(state="ZZ"))) == []
    (seattle,) = await everything(client.regions(Region(city="Seattle")))
    assert seattle in places
    assert seattle.rate_center == "SEATTLE"
    assert seattle.latitude is not None


# ------------------------------------------------------------------ page by page


def lots(count: int) -> list[str]:
    return [f"1206556{n:04}" for n in range(count)]


async def test_2500_numbers_come_in_three_pages(client: CallFire, sandbox: Sandbox) -> None:
    sandbox.own(*lots(2_500))
    assert [n.number async for n in client.numbers()] == lots(2_500)
    assert len(sandbox.calls) == 3


@pytest.mark.parametrize("trouble", ["error500", "drop", "html", "html_with_200", "malformed", "rate_limited"])
async def test_a_page_that_fails_midway_is_asked_for_again_and_nothing_is_skipped_or_repeated(
    trouble: str, client: CallFire, sandbox: Sandbox
) -> None:
    sandbox.own(*lots(2_500))
    sandbox.fault_next("/number", "ok", trouble)  # type: ignore[arg-type]
    assert [n.number async for n in client.numbers()] == lots(2_500)
    assert len(sandbox.calls) == 4


async def test_a_page_that_keeps_failing_is_told_after_what_came_before(client: CallFire, sandbox: Sandbox) -> None:
    sandbox.own(*lots(2_500))
    sandbox.fault_next("/number", "ok", "error500", "error500", "error500")
    told: list[str] = []

    async def read() -> None:
        async for number in client.numbers():
            told.append(number.number)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ServerError):
        await read()
    assert told == lots(1_000)


@pytest.mark.parametrize("limit", [1, 999, 1_000, 1_001, 2_500, 9_999])
async def test_a_limit_is_kept_and_no_more_is_asked_for(limit: int, client: CallFire, sandbox: Sandbox) -> None:
    sandbox.own(*lots(2_500))
    assert [n.number async for n in client.numbers(limit=limit)] == lots(2_500)[:limit]
    assert len(sandbox.calls) == min(-(-limit // 1_000), 3)


async def test_a_list_that_grows_or_shrinks_on_the_way_ends_and_repeats_nothing(
    client: CallFire, sandbox: Sandbox
) -> None:
    sandbox.own(*lots(1_500))
    told: list[str] = []
    async for number in client.numbers():
        if len(told) == 500:
            sandbox.own(*(f"1206557{n:04}" for n in range(600)))  # the total is another on the second page
        told.append(number.number)
    assert len(told) == len(set(told)) == 2_100
    told.clear()
    async for number in client.numbers():
        if len(told) == 500:
            sandbox.disown(*lots(200))  # what comes behind moves forward
        told.append(number.number)
    assert len(told) == len(set(told))
    assert 1_900 - 200 <= len(told) <= 1_900


async def test_a_reader_who_stops_early_asks_for_no_more(client: CallFire, sandbox: Sandbox) -> None:
    sandbox.own(*lots(2_500))
    async for number in client.numbers():
        assert number.number == lots(1)[0]
        break
    assert len(sandbox.calls) == 1


# ------------------------------------------------------------------ subscriptions


async def test_a_subscription_from_birth_to_end(client: CallFire, sandbox: Sandbox) -> None:
    made = await client.subscribe(
        "https://example.com/x", trigger_event="INBOUND_TEXT_FINISHED", to_number="67076:SUN", batch_id=7
    )
    (one,) = await everything(client.subscriptions())
    assert one == await client.subscription(made)
    assert (one.id, one.endpoint, one.enabled, one.notification_format) == (made, "https://example.com/x", True, "XML")
    assert (one.trigger_event, dict(one.filters)) == (
        "INBOUND_TEXT_FINISHED",
        {"to_number": "67076:SUN", "batch_id": "7"},
    )
    assert "example.com" not in repr(one)
    await client.update_subscription(made, enabled=False, notification_format="JSON")
    changed = await client.subscription(made)
    assert (changed.enabled, changed.notification_format, changed.trigger_event) == (
        False,
        "JSON",
        "INBOUND_TEXT_FINISHED",
    )
    await client.unsubscribe(made)
    for call in (client.subscription, client.unsubscribe):
        with pytest.raises(NotFoundError, match=f"The account has no subscription {made}"):
            await call(made)
    assert not sandbox.subscriptions


@pytest.mark.parametrize("trouble", ["drop_after", "drop", "error500"])
async def test_a_create_whose_answer_is_lost_is_sent_again_and_makes_one(
    trouble: str, client: CallFire, sandbox: Sandbox
) -> None:
    sandbox.fault_next("/subscription", trouble)  # type: ignore[arg-type]
    made = await client.subscribe("https://example.com/x")
    assert [str(s) for s in sandbox.subscriptions] == [made]


# ------------------------------------------------------------------ the client's own subscription

PUBLIC = "https://hooks.example.com/callfire"
OTHERS = ["https://elsewhere.example.com/x", f"{PUBLIC}/of/someone-else-entirely-0"]


def listening(token: str | None = None) -> Listener:
    return Listener(public_url=PUBLIC, token=token)


async def test_upkeep_over_five_restarts_leaves_one_of_ours_and_the_others_as_they_were(sandbox: Sandbox) -> None:
    others = [sandbox.subscribe(endpoint) for endpoint in OTHERS]
    before = {other: sandbox.subscriptions[other] for other in others}
    ours: set[int] = set()
    for run in range(5):
        listener = listening(token=None if run % 2 else "a-token-that-lasts")
        own = OwnSubscription(notification_format="JSON" if run == 3 else "XML")
        async with client_of(sandbox, listener=listener, subscription=own):
            (mine,) = sandbox.subscriptions.keys() - before.keys()
            made = sandbox.subscriptions[mine]
            assert (made.endpoint, made.enabled) == (listener.url, True)
            assert made.notification_format == own.notification_format
            ours.add(mine)
    assert len(ours) == 1
    assert {other: sandbox.subscriptions[other] for other in others} == before


async def test_upkeep_that_finds_nothing_to_correct_changes_nothing(sandbox: Sandbox) -> None:
    for _ in range(2):
        async with client_of(sandbox, listener=listening("a-token-that-lasts")):
            pass
    assert [call.method for call in sandbox.calls] == ["GET", "POST", "GET", "GET"]  # each looks at what it has made


async def test_upkeep_enables_what_was_disabled_and_removes_what_is_too_much(sandbox: Sandbox) -> None:
    for n in range(3):
        sandbox.subscribe(f"{PUBLIC}/an-old-token-number-{n}", enabled=n == 2)
    async with client_of(sandbox, listener=(listener := listening())):
        ((subscription_id, ours),) = sandbox.subscriptions.items()
        assert (ours.endpoint, ours.enabled) == (listener.url, True)
        assert subscription_id == max(sandbox.subscriptions)


async def test_two_clients_on_one_listener_share_one_and_the_last_removes_it(sandbox: Sandbox) -> None:
    listener, own = listening(), OwnSubscription(remove_at_close=True)
    sandbox.subscribe(OTHERS[0])
    first = client_of(sandbox, listener=listener, subscription=own)
    second = client_of(sandbox, listener=listener, subscription=own)
    await asyncio.gather(first.__aenter__(), second.__aenter__())
    assert len(sandbox.subscriptions) == 2
    await first.aclose()
    assert len(sandbox.subscriptions) == 2
    await second.aclose()
    assert [s.endpoint for s in sandbox.subscriptions.values()] == OTHERS[:1]


async def test_where_the_provider_refuses_orders_work_and_the_log_says_once_what_it_means(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.refuse_subscriptions = True
    listener = listening()
    async with client_of(sandbox, listener=listener) as client:
        assert (await (await client.order(local=1))).status == "FINISHED"
    (record,) = [r for r in caplog.records if r.name == "callfire_async.subscription"]
    assert record.levelname == "WARNING"
    assert "Orders are followed all the same" in record.message
    assert listener.url.rpartition("/")[2] not in caplog.text


@pytest.mark.parametrize("options", [{"subscription": None}, {"listener": Listener()}])
async def test_without_a_public_address_or_a_wish_nothing_is_subscribed(
    options: dict[str, Any], sandbox: Sandbox
) -> None:
    async with client_of(sandbox, **{"listener": listening(), **options}):
        pass
    assert not sandbox.calls


async def test_a_provider_that_is_silent_holds_up_neither_the_opening_nor_the_closing_for_long(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callfire_async.clients.callfire_upkeep.OPENING", 0.1)
    sandbox.fault_next("/subscription", "silent", "silent")
    begun = asyncio.get_running_loop().time()
    async with client_of(sandbox, listener=listening()) as client:
        await client.order(local=1)
    assert asyncio.get_running_loop().time() - begun < 5


# ------------------------------------------------------------------ what else arrives


@pytest.mark.parametrize("notification_format", ["XML", "JSON", "SOAP"])
async def test_notifications_are_handed_on_typed_and_once_in_every_format(
    notification_format: str, sandbox: Sandbox
) -> None:
    listener = Listener()
    told: asyncio.Queue[object] = asyncio.Queue()
    listener.on_notification(told.put)

    @listener.on_notification
    def count(_: object) -> None:
        counted.append(1)

    counted: list[int] = []
    async with (
        client_of(sandbox, listener=listener) as client,
        client_of(sandbox, listener=listener),  # two clients, and still once
    ):
        sandbox.subscribe(listener.url, trigger_event="UNDEFINED_EVENT", notification_format=notification_format)
        for event, kind in (
            ("INBOUND_TEXT_FINISHED", TextNotification),
            ("OUTBOUND_CALL_FINISHED", CallFinished),
            ("CAMPAIGN_FINISHED", CampaignNotification),
        ):
            (delivery,) = await sandbox.notify(event, id="77")  # type: ignore[arg-type]
            assert delivery.status == 200
            async with asyncio.timeout(5):
                notification = await told.get()
            assert isinstance(notification, kind)
            assert notification.id == "77"
            assert notification.subscription_id is not None
        assert told.empty()
        assert len(counted) == 3
        assert client.stats().postbacks_unknown == 3


async def test_handlers_that_raise_or_hang_hurt_neither_the_answer_nor_the_orders(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("callfire_async.listener.handlers.PATIENCE", 0.1)
    monkeypatch.setattr("callfire_async.listener.handlers.MOST_AT_WORK", 4)
    listener = Listener()

    @listener.on_notification
    def raising(_: object) -> None:
        raise RuntimeError("not today")

    @listener.on_notification
    async def hanging(_: object) -> None:
        await asyncio.Event().wait()

    async with client_of(sandbox, listener=listener) as client:
        sandbox.subscribe(listener.url, trigger_event="UNDEFINED_EVENT")
        for n in range(20):
            (delivery,) = await sandbox.notify("INBOUND_TEXT_FINISHED", id=str(n))
            assert delivery.status == 200
        order = await client.order(local=1)
        assert (await order.result(timeout=5)).status == "FINISHED"
        assert listener.dropped > 0
    assert "not today" in caplog.text
    assert "took more than 0.1 seconds" in caplog.text
    assert "were dropped" in caplog.text


async def test_anything_else_is_answered_and_counted(sandbox: Sandbox) -> None:
    import aiohttp

    listener = Listener()
    async with client_of(sandbox, listener=listener) as client, aiohttp.ClientSession() as session:
        for body, status in ((b"<weather/>", 200), (b'{"weather": "fine"}', 200), (b"weather=fine", 400)):
            async with session.post(listener.url, data=body) as answer:
                assert answer.status == status
        assert (client.stats().postbacks_unknown, client.stats().postbacks_refused) == (2, 1)


async def test_a_lease_is_told_in_days(client: CallFire, sandbox: Sandbox) -> None:
    sandbox.own("12065550101")
    lease = (await client.number("12065550101")).lease
    assert lease is not None
    assert lease.begin is not None
    assert lease.end is not None
    assert timedelta(days=27) < lease.end - lease.begin < timedelta(days=32)


# ------------------------------------------------------------------ several processes, and hands that are not careful


async def test_several_processes_that_start_together_leave_one_subscription(sandbox: Sandbox) -> None:
    """Each has a listener of its own with the same address, as workers have."""
    for _ in range(2):
        clients = [client_of(sandbox, listener=listening("the-token-of-all-workers")) for _ in range(4)]
        await asyncio.gather(*(client.__aenter__() for client in clients))
        await asyncio.gather(*(client.aclose() for client in clients))
    assert len(sandbox.subscriptions) == 1


async def test_processes_with_different_tokens_are_told_so(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    clients = [client_of(sandbox, listener=listening(f"a-token-of-its-own-{n}")) for n in range(2)]
    await asyncio.gather(*(client.__aenter__() for client in clients))
    await asyncio.gather(*(client.aclose() for client in clients))
    assert len(sandbox.subscriptions) <= 2
    assert not [r for r in caplog.records if "not subscribed" in r.message]


@pytest.mark.parametrize("ending", ["listener", "client", "slowly"])
async def test_a_handler_may_end_it_all(ending: str, sandbox: Sandbox) -> None:
    listener = Listener()
    called = asyncio.Event()
    client = client_of(sandbox, listener=listener)

    @listener.on_notification
    async def handler(_: object) -> None:
        called.set()
        if ending == "listener":
            await listener.stop()
        elif ending == "client":
            await client.aclose()
        else:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(3)

    async with asyncio.timeout(15):
        async with client:
            sandbox.subscribe(listener.url, trigger_event="UNDEFINED_EVENT")
            await sandbox.notify("INBOUND_TEXT_FINISHED")
            await called.wait()
        await listener.stop()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            await asyncio.wait(left, timeout=4)


@pytest.mark.parametrize("words", [{"trigger_event": "ORDER_FINISHED"}, {"notification_format": "EMAIL"}])
def test_an_own_subscription_in_words_that_callfire_does_not_know_is_refused(words: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must be"):
        OwnSubscription(**words)
