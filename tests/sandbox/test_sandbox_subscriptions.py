"""The subscription service."""
# pytest imports by path; the XML is the sandbox's

import time
from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from callfire_async.sandbox import Sandbox

D = "{http://api.callfire.com/data}"
R = "{http://api.callfire.com/resource}"

GOOD = {"TriggerEvent": "CAMPAIGN_FINISHED", "Endpoint": "http://example.com/hook?token=a&b"}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7) as running:
        yield running


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sandbox.callfire_url, auth=(sandbox.login, sandbox.password)) as client:
        yield client


async def subscribe(http: httpx.AsyncClient, **form: str) -> int:
    reply = await http.post("/subscription", data=GOOD | form)
    assert reply.status_code == 201, reply.text
    root = ET.fromstring(reply.text)
    assert root.tag == f"{R}ResourceReference"
    made = root.findtext(f"{R}Id", "")
    assert root.findtext(f"{R}Location") == f"https://www.callfire.com/api/1.1/rest/subscription/{made}"
    return int(made)


def message(reply: httpx.Response) -> str:
    return ET.fromstring(reply.text).findtext(f"{R}Message", "")


async def test_a_subscription_comes_back_as_it_was_made(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    made = await subscribe(
        http,
        Enabled="false",
        NonStrictSsl="true",
        NotificationFormat="JSON",
        ExpiresAt="1700000000000",
        BroadcastId="1",
        BatchId="2",
        FromNumber="12065550100",
        ToNumber="67076:KEYWORD",
        Inbound="true",
    )
    subscription = ET.fromstring((await http.get(f"/subscription/{made}")).text).find(f"{D}Subscription")
    assert subscription is not None
    assert subscription.get("id") == str(made)
    told = {
        element.tag.removeprefix(D): element.text
        for element in subscription.iter()
        if element.text and element.text.strip()
    }
    assert told == {
        **GOOD,
        "Enabled": "false",
        "NotificationFormat": "JSON",
        "BroadcastId": "1",
        "BatchId": "2",
        "FromNumber": "12065550100",
        "ToNumber": "67076:KEYWORD",
        "Inbound": "true",
    }
    # These two have no element in the vendor's schema.
    assert sandbox.subscriptions[made].non_strict_ssl is True
    assert sandbox.subscriptions[made].expires_at == 1_700_000_000_000


async def test_xml_and_enabled_are_the_defaults(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    made = sandbox.subscriptions[await subscribe(http)]
    assert (made.enabled, made.notification_format, made.non_strict_ssl, dict(made.filters)) == (True, "XML", False, {})


async def test_one_request_id_makes_one_subscription(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    first = await subscribe(http, RequestId="https://example.com/1")
    assert await subscribe(http, RequestId="https://example.com/1") == first
    assert await subscribe(http, RequestId="https://example.com/2") != first
    assert await subscribe(http) != await subscribe(http)
    assert len(sandbox.subscriptions) == 4


async def test_a_create_whose_reply_is_lost_can_be_sent_again(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.fault_next("/subscription", "drop_after", "malformed")
    form = GOOD | {"RequestId": "https://example.com/1"}
    with pytest.raises(httpx.RemoteProtocolError):
        await http.post("/subscription", data=form)
    with pytest.raises(ET.ParseError):
        message(await http.post("/subscription", data=form))
    (made,) = sandbox.subscriptions
    assert await subscribe(http, RequestId="https://example.com/1") == made
    # It is the request that is made once, whatever has become of the subscription: no document says more.
    await http.delete(f"/subscription/{made}")
    assert await subscribe(http, RequestId="https://example.com/1") == made
    assert not sandbox.subscriptions


async def test_a_refused_create_has_not_been_made(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.refuse_subscriptions = True
    await http.post("/subscription", data=GOOD | {"RequestId": "1"})
    sandbox.refuse_subscriptions = False
    assert await subscribe(http, RequestId="1") in sandbox.subscriptions


async def test_an_update_is_done_once_for_one_request_id(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    first, second = await subscribe(http, RequestId="1"), await subscribe(http)
    for enabled, request_id in (("false", "1"), ("true", "2"), ("false", "1")):
        await http.put(f"/subscription/{first}", data={"Enabled": enabled, "RequestId": request_id})
    assert sandbox.subscriptions[first].enabled is True
    await http.put(f"/subscription/{second}", data={"Enabled": "false", "RequestId": "1"})
    assert sandbox.subscriptions[second].enabled is False


async def test_an_account_has_at_most_10_000(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    for number in range(9_999):
        sandbox.subscribe(f"http://x/{number}")
    await subscribe(http, RequestId="last")
    reply = await http.post("/subscription", data=GOOD)
    assert (reply.status_code, message(reply)) == (403, "An account has at most 10,000 subscriptions.")
    await subscribe(http, RequestId="last")
    assert len(sandbox.subscriptions) == 10_000


async def test_an_expired_subscription_hears_nothing(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    now = time.time() * 1000
    past, future = [await subscribe(http, ExpiresAt=f"{now + away:.0f}") for away in (-1000, 60_000)]
    assert sandbox.subscriptions[past].hears_of_orders is False
    assert sandbox.subscriptions[future].hears_of_orders is True


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"Endpoint": "http://x/"}, "TriggerEvent is required"),
        ({"TriggerEvent": "CAMPAIGN_FINISHED"}, "Endpoint is required"),
        (GOOD | {"TriggerEvent": "ORDER_FINISHED"}, "TriggerEvent is an event such as CAMPAIGN_FINISHED."),
        (GOOD | {"Endpoint": "nowhere"}, "Endpoint is an http or https address, or an e-mail address."),
        (GOOD | {"NotificationFormat": "xml"}, "NotificationFormat is XML, JSON, SOAP, EMAIL or LEGACY."),
        (GOOD | {"Enabled": "True"}, "Enabled is true or false."),
        (GOOD | {"BatchId": "x"}, "BatchId is a whole number."),
        (GOOD | {"FromNumber": "SUN"}, "FromNumber is a phone number or short code."),
        (GOOD | {"SubscriptionFilter": "x"}, "Unknown parameter SubscriptionFilter."),
        (GOOD | {"endpoint": "x"}, "Unknown parameter endpoint; it is spelt Endpoint."),
    ],
)
async def test_a_wrong_create_is_refused(
    sandbox: Sandbox, http: httpx.AsyncClient, form: dict[str, str], sentence: str
) -> None:
    reply = await http.post("/subscription", data=form)
    assert (reply.status_code, message(reply)) == (400, sentence)
    assert not sandbox.subscriptions


async def test_an_account_may_be_forbidden_to_subscribe(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    assert sandbox.refuse_subscriptions is False
    sandbox.refuse_subscriptions = True
    reply = await http.post("/subscription", data=GOOD)
    assert (reply.status_code, message(reply)) == (403, "This account may not make subscriptions.")
    sandbox.refuse_subscriptions = False
    await subscribe(http)


async def test_the_list_comes_in_pages(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    made = [sandbox.subscribe(f"http://x/{number}") for number in range(5)]

    async def page(**query: Any) -> tuple[str | None, list[int]]:
        root = ET.fromstring((await http.get("/subscription", params=query)).text)
        assert root.tag == f"{R}ResourceList"
        return root.get("totalResults"), [int(child.get("id", "")) for child in root]

    assert await page() == ("5", made)
    assert await page(MaxResults=2) == ("5", made[:2])
    assert await page(MaxResults=2, FirstResult=4) == ("5", made[4:])
    assert await page(FirstResult=9) == ("5", [])
    for query in ({"MaxResults": "0"}, {"MaxResults": "1001"}, {"FirstResult": "-1"}, {"maxResults": "1"}):
        assert (await http.get("/subscription", params=query)).status_code == 400


async def test_an_update_changes_what_it_names(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    made = await subscribe(http, BroadcastId="1")
    reply = await http.put(f"/subscription/{made}", data={"Enabled": "0", "BatchId": "2", "RequestId": "once"})
    assert (reply.status_code, reply.content) == (204, b"")
    changed = sandbox.subscriptions[made]
    assert (changed.enabled, changed.endpoint) == (False, GOOD["Endpoint"])
    assert dict(changed.filters) == {"BroadcastId": "1", "BatchId": "2"}
    reply = await http.put(f"/subscription/{made}", data={"Enabled": "1"})
    assert sandbox.subscriptions[made].enabled is True
    await http.put(
        f"/subscription/{made}",
        data={"Endpoint": "a@b.c", "NotificationFormat": "EMAIL", "TriggerEvent": "CAMPAIGN_STOPPED", "Inbound": "1"},
    )
    changed = sandbox.subscriptions[made]
    assert (changed.endpoint, changed.notification_format) == ("a@b.c", "EMAIL")
    assert (changed.trigger_event, changed.filters["Inbound"]) == ("CAMPAIGN_STOPPED", "true")
    reply = await http.put(f"/subscription/{made}", data={"Enabeld": "1"})
    assert (reply.status_code, message(reply)) == (400, "Unknown parameter Enabeld.")


async def test_a_deleted_subscription_is_gone(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    made = await subscribe(http)
    reply = await http.delete(f"/subscription/{made}")
    assert (reply.status_code, reply.content) == (204, b"")
    assert not sandbox.subscriptions
    for gone in (
        await http.get(f"/subscription/{made}"),
        await http.delete(f"/subscription/{made}"),
        await http.put(f"/subscription/{made}", data={"Enabled": "1"}),
    ):
        assert (gone.status_code, message(gone)) == (404, f"subscription {made} does not exist")


async def test_an_update_and_a_delete_may_be_answered_200(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    made = await subscribe(http)
    sandbox.update_status = 200
    for reply in (
        await http.put(f"/subscription/{made}", data={"Enabled": "1"}),
        await http.delete(f"/subscription/{made}"),
    ):
        assert (reply.status_code, reply.content) == (200, b"")


async def test_subscribing_by_hand_checks_its_words(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match=r"^Endpoint is an http or https address"):
        sandbox.subscribe("nowhere")
