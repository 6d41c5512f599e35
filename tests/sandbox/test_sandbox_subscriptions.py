"""The subscription service."""
# pytest imports by path; the XML is the sandbox's

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
    assert sandbox.subscriptions[made].non_strict_ssl is True


async def test_xml_and_enabled_are_the_defaults(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    made = sandbox.subscriptions[await subscribe(http)]
    assert (made.enabled, made.notification_format, made.non_strict_ssl, dict(made.filters)) == (True, "XML", False, {})


async def test_one_request_id_makes_one_subscription(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    first = await subscribe(http, RequestId="https://example.com/1")
    assert await subscribe(http, RequestId="https://example.com/1") == first
    assert await subscribe(http, RequestId="https://example.com/2") != first
    assert await subscribe(http) != await subscribe(http)
    assert len(sandbox.subscriptions) == 4


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


async def test_subscribing_by_hand_checks_its_words(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match=r"^Endpoint is an http or https address"):
        sandbox.subscribe("nowhere")
