"""Notifications of texts, calls and campaigns: what they look like in each format, and to whom they go."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree as ET

import aiohttp
import pytest
import xmlschema
from aiohttp import web

from callfire_async.sandbox import Event, Life, Sandbox

XSD = Path(__file__).parents[1] / "xsd"
SAMPLE = Path(__file__).parents[1] / "samples" / "postback.text.xml"
D = "{http://api.callfire.com/data}"
N = "{http://api.callfire.com/notification/xsd}"
S = "{http://schemas.xmlsoap.org/soap/envelope/}"

EVENTS = get_args(Event)


class Mailbox:
    """An endpoint that keeps what it is sent, under the path it was sent to."""

    def __init__(self) -> None:
        self.base = ""
        self.posted: dict[str, tuple[str, bytes]] = {}

    async def receive(self, request: web.BaseRequest) -> web.Response:
        self.posted[request.path] = (request.headers["Content-Type"], await request.read())
        return web.Response()

    def document(self, path: str) -> ET.Element:
        content_type, body = self.posted[path]
        assert content_type == "text/xml; charset=UTF-8"
        return ET.fromstring(body)


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    runner = web.ServerRunner(web.Server(box.receive, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    box.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield box
    await runner.cleanup()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7, processing=0) as running:
        yield running


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(XSD / "callfire-notification.xsd")


async def post(sandbox: Sandbox, path: str, **form: str) -> None:
    """Create something through the API."""
    credentials = base64.b64encode(f"{sandbox.login}:{sandbox.password}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(sandbox.callfire_url + path, data=form) as reply,
    ):
        assert reply.status == 201


# ------------------------------------------------------------------ what they look like


async def test_a_text_is_the_sample_s_twin(sandbox: Sandbox, mailbox: Mailbox) -> None:
    subscription_id = sandbox.subscribe(f"{mailbox.base}/x", trigger_event="INBOUND_TEXT_FINISHED")
    (delivery,) = await sandbox.notify(
        "INBOUND_TEXT_FINISHED", id="5707328001", Created="2012-09-24T05:02:35Z", Modified="2012-09-24T05:02:35Z"
    )
    assert (delivery.order_id, delivery.word) == ("", "INBOUND_TEXT_FINISHED")
    assert (delivery.endpoint, delivery.status, delivery.error) == (f"{mailbox.base}/x", 200, "")
    assert sandbox.deliveries == [delivery]
    sample = SAMPLE.read_bytes().replace(b">19001<", b">%d<" % subscription_id)
    assert ET.canonicalize(mailbox.posted["/x"][1], strip_text=True) == ET.canonicalize(sample, strip_text=True)


@pytest.mark.parametrize(
    ("event", "root", "element", "inbound", "result"),
    [
        ("INBOUND_TEXT_FINISHED", "TextNotification", "Text", "true", "RECEIVED"),
        ("OUTBOUND_TEXT_FINISHED", "TextNotification", "Text", "false", "SENT"),
        ("INBOUND_CALL_FINISHED", "CallFinished", "Call", "true", "LA"),
        ("OUTBOUND_CALL_FINISHED", "CallFinished", "Call", "false", "LA"),
    ],
)
async def test_texts_and_calls(  # noqa: PLR0917  # a table has its columns
    sandbox: Sandbox, mailbox: Mailbox, event: Event, root: str, element: str, inbound: str, result: str
) -> None:
    sandbox.subscribe(f"{mailbox.base}/x", trigger_event=event)
    await sandbox.notify(event)
    document = mailbox.document("/x")
    assert [document.tag, *(child.tag for child in document)] == [N + root, f"{N}SubscriptionId", D + element]
    action = document[1]
    assert (action.findtext(f"{D}Inbound"), action.findtext(f"{D}FinalResult")) == (inbound, result)
    ours = action.findtext(f"{D}ToNumber" if inbound == "true" else f"{D}FromNumber")
    assert ours == "18185550199"
    assert (action.find(f"{D}Message") is not None) == (element == "Text")
    assert (action.findtext(f"{D}CallRecord/{D}Duration") == "25") == (element == "Call")


@pytest.mark.parametrize(
    ("event", "status"),
    [("CAMPAIGN_STARTED", "RUNNING"), ("CAMPAIGN_STOPPED", "STOPPED"), ("CAMPAIGN_FINISHED", "FINISHED")],
)
@pytest.mark.parametrize("kind", ["VOICE", "IVR", "TEXT"])
async def test_campaigns(sandbox: Sandbox, mailbox: Mailbox, event: Event, status: str, kind: str) -> None:
    sandbox.subscribe(f"{mailbox.base}/x", trigger_event=event)
    await sandbox.notify(event, Type=kind)
    document = mailbox.document("/x")
    assert [document.tag, *(child.tag for child in document)] == [
        f"{N}BroadcastNotification",
        f"{N}SubscriptionId",
        f"{D}Broadcast",
    ]
    assert (document[1].findtext(f"{D}Status"), document[1].findtext(f"{D}Type")) == (status, kind)


@pytest.mark.parametrize("event", EVENTS)
async def test_every_element_is_valid(
    schema: xmlschema.XMLSchema, sandbox: Sandbox, mailbox: Mailbox, event: Event
) -> None:
    """The whole too, under the names that the schema has for the root elements and the captures have not."""
    sandbox.subscribe(f"{mailbox.base}/x", trigger_event=event)
    await sandbox.notify(event)
    schema.validate(mailbox.document("/x")[1])
    everything: dict[str, Any] = (
        {"Name": "<&>"} if event.startswith("CAMPAIGN") else {"BatchId": "1", "BroadcastId": "2", "ContactId": "3"}
    )
    direction, _, what = event.partition("_")
    root = {
        "TEXT_FINISHED": "TextReceived" if direction == "INBOUND" else "TextSent",
        "CALL_FINISHED": "CallFinished",
    }.get(what, f"Broadcast{what.capitalize()}")
    await sandbox.notify(event, root=root, **everything)
    document = mailbox.document("/x")
    assert document.tag == N + root
    schema.validate(document)
    for name, value in everything.items():
        assert document[1].findtext(D + name) == value


async def test_json_and_soap_say_the_same(sandbox: Sandbox, mailbox: Mailbox) -> None:
    for form in ("XML", "JSON", "SOAP"):
        sandbox.subscribe(f"{mailbox.base}/{form}", trigger_event="OUTBOUND_TEXT_FINISHED", notification_format=form)
    await sandbox.notify("OUTBOUND_TEXT_FINISHED", BroadcastId="9", ContactId="none", Message="1 < 2", id="7")
    document = mailbox.document("/XML")
    envelope = mailbox.document("/SOAP")
    assert (envelope.tag, envelope[0].tag) == (f"{S}Envelope", f"{S}Body")
    (inside,) = envelope[0]
    ids = [root.find(f"{N}SubscriptionId") for root in (document, inside)]
    for element in ids:
        assert element is not None
        element.text = "19001"
    assert ET.canonicalize(ET.tostring(inside), strip_text=True) == ET.canonicalize(
        ET.tostring(document), strip_text=True
    )
    content_type, body = mailbox.posted["/JSON"]
    assert content_type == "application/json; charset=UTF-8"
    news = json.loads(body)["TextNotification"]
    assert sandbox.subscriptions[news["SubscriptionId"]].endpoint == f"{mailbox.base}/JSON"
    text = {child.tag.removeprefix(D): child.text for child in document[1]}
    # Numbers and truth values where the schema has them; what is none stays as it is.
    assert news["Text"] == {"@id": 7, **text, "BroadcastId": 9, "Inbound": False}
    assert text["ContactId"] == "none"


async def test_an_order_in_json_is_like_the_api_s_own(sandbox: Sandbox, mailbox: Mailbox) -> None:
    sandbox.subscribe(f"{mailbox.base}/x", notification_format="JSON")
    sandbox.subscribe(f"{mailbox.base}/y", notification_format="SOAP")
    sandbox.plan(Life(postback="early"))
    await post(sandbox, "/number/order", Numbers="12065550100 12065550101", Keywords="SUN")
    (order_id,) = sandbox.orders
    order = json.loads(mailbox.posted["/x"][1])["NumberOrderNotification"]["NumberOrder"]
    created = order.pop("Created")
    assert created.endswith("Z")
    assert order == {
        "@id": int(order_id),
        "Status": "FINISHED",
        "TotalCost": 7.5,
        "LocalNumbers": {"Ordered": 2, "UnitCost": 1.0, "Fulfilled": "12065550100 12065550101"},
        "Keywords": {"Ordered": 1, "UnitCost": 5.5, "Fulfilled": "SUN"},
    }
    (notification,) = mailbox.document("/y")[0]
    assert notification.tag == f"{N}NumberOrderNotification"


# ------------------------------------------------------------------ to whom they go


async def hearers(sandbox: Sandbox, event: Event, **options: Any) -> list[str]:
    """The last letters of the endpoints that hear of an event."""
    return [delivery.endpoint.rpartition("/")[2] for delivery in await sandbox.notify(event, **options)]


async def test_only_subscribers_to_the_event_hear_of_it(sandbox: Sandbox, mailbox: Mailbox) -> None:
    for event in (*EVENTS, "UNDEFINED_EVENT"):
        sandbox.subscribe(f"{mailbox.base}/{event}", trigger_event=event)
    for event in EVENTS:
        assert await hearers(sandbox, event) == [event, "UNDEFINED_EVENT"]
    assert await hearers(sandbox, EVENTS[0], everyone=True) == [*EVENTS, "UNDEFINED_EVENT"]


async def test_some_subscriptions_hear_nothing(sandbox: Sandbox, mailbox: Mailbox) -> None:
    event: Event = "CAMPAIGN_STOPPED"
    sandbox.subscribe("someone@example.com", trigger_event=event, notification_format="EMAIL")
    sandbox.subscribe(f"{mailbox.base}/legacy", trigger_event=event, notification_format="LEGACY")
    sandbox.subscribe(f"{mailbox.base}/disabled", trigger_event=event, enabled=False)
    for everyone in (False, True):
        assert await sandbox.notify(event, everyone=everyone) == ()
    assert not sandbox.deliveries


TEXT = {"FromNumber": "+12065550100", "ToNumber": "67076", "Message": "sun please", "BatchId": "2", "BroadcastId": "1"}


@pytest.mark.parametrize(
    ("filters", "event", "fields", "hears"),
    [
        ({}, "INBOUND_TEXT_FINISHED", TEXT, ["x"]),
        ({"FromNumber": "12065550100"}, "INBOUND_TEXT_FINISHED", TEXT, ["x"]),
        ({"FromNumber": "+12065550100"}, "INBOUND_TEXT_FINISHED", TEXT, ["x"]),
        ({"FromNumber": "12065550101"}, "INBOUND_TEXT_FINISHED", TEXT, []),
        ({"ToNumber": "67076"}, "INBOUND_TEXT_FINISHED", TEXT, ["x"]),
        ({"ToNumber": "67076:Sun"}, "INBOUND_TEXT_FINISHED", TEXT, ["x"]),
        ({"ToNumber": "67076:MOON"}, "INBOUND_TEXT_FINISHED", TEXT, []),
        ({"BatchId": "2", "BroadcastId": "1", "Inbound": "1"}, "INBOUND_TEXT_FINISHED", TEXT, ["x"]),
        ({"BatchId": "1"}, "INBOUND_TEXT_FINISHED", TEXT, []),
        ({"BatchId": "2"}, "INBOUND_TEXT_FINISHED", {}, []),
        ({"Inbound": "false"}, "INBOUND_TEXT_FINISHED", TEXT, []),
        ({"Inbound": "0"}, "OUTBOUND_CALL_FINISHED", {}, ["x"]),
        ({"ToNumber": "18185550199:SUN"}, "INBOUND_CALL_FINISHED", {}, []),
        ({"BroadcastId": "7"}, "CAMPAIGN_FINISHED", {"id": "7"}, ["x"]),
        ({"BroadcastId": "7"}, "CAMPAIGN_FINISHED", {"id": "8"}, []),
        ({"FromNumber": "67076"}, "CAMPAIGN_FINISHED", {}, []),
    ],
)
async def test_every_filter_must_fit(  # noqa: PLR0917  # a table has its columns
    sandbox: Sandbox, mailbox: Mailbox, filters: dict[str, str], event: Event, fields: dict[str, str], hears: list[str]
) -> None:
    await post(sandbox, "/subscription", TriggerEvent=event, Endpoint=f"{mailbox.base}/x", **filters)
    assert await hearers(sandbox, event, **fields) == hears
    assert await hearers(sandbox, event, everyone=True, **fields) == ["x"]


async def test_ids_come_from_the_seed() -> None:
    async def draw(seed: int) -> list[bytes]:
        ids = []
        box = Mailbox()
        runner = web.ServerRunner(web.Server(box.receive, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with Sandbox(seed=seed) as sandbox:
            sandbox.subscribe(f"http://127.0.0.1:{runner.addresses[0][1]}/x")
            for _ in range(2):
                await sandbox.notify("CAMPAIGN_FINISHED")
                ids.append(box.document("/x")[1].attrib["id"].encode())
        await runner.cleanup()
        return ids

    assert await draw(1) == await draw(1) != await draw(2)
    assert len(set(await draw(1))) == 2


# ------------------------------------------------------------------ arguments


@pytest.mark.parametrize(
    ("event", "options", "sentence"),
    [
        ("UNDEFINED_EVENT", {}, "The event is one of INBOUND_CALL_FINISHED, .*, not 'UNDEFINED_EVENT'."),
        ("CAMPAIGN_STOPPED", {"Message": "x"}, "Broadcast has no field Message: it has id, Name, Status"),
        ("INBOUND_CALL_FINISHED", {"Message": "x"}, "Call has no field Message: it has id, FromNumber"),
        ("CAMPAIGN_STOPPED", {"Type": "FAX"}, "Type is one of VOICE, IVR, TEXT, not 'FAX'."),
        ("CAMPAIGN_STOPPED", {"root": "a b"}, "root is the name of an element, not 'a b'."),
    ],
)
async def test_wrong_arguments_are_refused(event: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        await Sandbox().notify(event, **options)


async def test_nothing_is_posted_when_it_does_not_run() -> None:
    sandbox = Sandbox()
    sandbox.subscribe("http://127.0.0.1:1/")
    with pytest.raises(RuntimeError, match="not running"):
        await sandbox.notify("CAMPAIGN_FINISHED")
    assert asyncio.all_tasks() == {asyncio.current_task()}
