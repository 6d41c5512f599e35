"""The documents, held against the vendor's schemas.

Excepted: statuses beyond the five of 2013, and Summary, SalesTax and Total, which came later. The resource namespace has no published
schema, and NumberOrderNotification is the sandbox's own root: the data elements in them are validated.
"""
# pytest imports by path; the XML is the sandbox's

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
import xmlschema
from aiohttp import web

from callfire_async.sandbox import Life, Sandbox

XSD = Path(__file__).parents[1] / "xsd"
D = "{http://api.callfire.com/data}"
NEWER = ("Summary", "SalesTax", "Total")


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(XSD / "callfire-notification.xsd")  # imports callfire-data.xsd


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7, processing=0) as running:
        yield running


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sandbox.callfire_url, auth=(sandbox.login, sandbox.password)) as client:
        yield client


async def show(sandbox: Sandbox, http: httpx.AsyncClient, life: Life, **form: str) -> ET.Element:
    """The NumberOrder of a new order."""
    sandbox.plan(life)
    await http.post("/number/order", data=form)
    root = ET.fromstring((await http.get(f"/number/order/{list(sandbox.orders)[-1]}")).text)
    order = root.find(f"{D}NumberOrder")
    assert order is not None
    return order


EVERYTHING = {"Numbers": "12065550100 18005550100", "Keywords": "SUN MOON", "localCount": "2", "tollFreeCount": "2"}


@pytest.mark.parametrize("form", [EVERYTHING, {"localCount": "1"}, {"tollFreeCount": "1"}, {"Keywords": "SUN"}])
@pytest.mark.parametrize(
    "life",
    [
        Life(),
        Life(processing=60),
        Life(result="partial"),
        Life(result="errored"),
        Life(result="void"),
        Life(statuses=[(0, "NEW")]),
        Life(notes=True),
    ],
    ids=lambda life: f"{life.result}-{life.processing}-{len(life.statuses)}-{life.notes}",
)
async def test_orders_are_valid(
    schema: xmlschema.XMLSchema, sandbox: Sandbox, http: httpx.AsyncClient, life: Life, form: dict[str, str]
) -> None:
    schema.validate(await show(sandbox, http, life, **form))


async def test_newer_fields_are_the_only_ones_the_schema_does_not_know(
    schema: xmlschema.XMLSchema, sandbox: Sandbox, http: httpx.AsyncClient
) -> None:
    order = await show(sandbox, http, Life(newer_fields=True), **EVERYTHING)
    assert not schema.is_valid(order)
    for name in NEWER:
        (element,) = order.findall(D + name)
        order.remove(element)
    schema.validate(order)


@pytest.mark.parametrize("result", ["parked", "rejected"])
async def test_newer_statuses_are_the_only_words_the_schema_does_not_know(
    schema: xmlschema.XMLSchema, sandbox: Sandbox, http: httpx.AsyncClient, result: Any
) -> None:
    order = await show(sandbox, http, Life(result=result), **EVERYTHING)
    errors = list(schema.iter_errors(order))
    assert [error.elem.tag for error in errors if error.elem is not None] == [f"{D}Status"]
    assert len(errors) == 1


async def test_the_order_in_a_postback_is_valid(
    schema: xmlschema.XMLSchema, sandbox: Sandbox, http: httpx.AsyncClient
) -> None:
    posted: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(request: web.BaseRequest) -> web.Response:
        posted.put_nowait(await request.read())
        return web.Response()

    runner = web.ServerRunner(web.Server(receive, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sandbox.subscribe(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    await show(sandbox, http, Life(), **EVERYTHING)
    subscription_id, order = ET.fromstring(await asyncio.wait_for(posted.get(), 5))
    await runner.cleanup()
    schema.validate(order)
    # The id and its place are those of the vendor's own notifications.
    assert subscription_id.tag == "{http://api.callfire.com/notification/xsd}SubscriptionId"
    assert int(subscription_id.text or "") in sandbox.subscriptions


@pytest.mark.parametrize(
    ("path", "query", "element"),
    [
        ("/number/regions", {}, "Region"),
        ("/number/regions", {"State": "WA"}, "Region"),
        ("/number/search", {"Count": "1000"}, "Number"),
        ("/number/search", {"Count": "700", "TollFree": "true"}, "Number"),
        ("/number/search", {"Count": "1", "Prefix": "1999"}, "Number"),
        ("/number/keyword/search", {"Keywords": "SUN MOON"}, "Keyword"),
        ("/number", {}, "Number"),
        ("/number/keyword", {}, "Keyword"),
    ],
)
async def test_lists_are_valid(  # noqa: PLR0917  # a table has its columns
    schema: xmlschema.XMLSchema,
    sandbox: Sandbox,
    http: httpx.AsyncClient,
    path: str,
    query: dict[str, str],
    element: str,
) -> None:
    sandbox.offer("19995550100")
    sandbox.own("12065550100", "18005550100", "19995550101", "44207946000", "CHOCOLATE", "VANILLA")
    await http.put("/number/release", data={"Number": "18005550100"})
    await http.put("/number/release", data={"Number": "67076", "Keyword": "VANILLA"})
    found = ET.fromstring((await http.get(path, params=query)).text)
    assert len(found) == int(found.get("totalResults", "")) > 0
    assert {child.tag for child in found} == {D + element}
    for child in found:
        schema.validate(child)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"CallFeature": "DISABLED", "TextFeature": "DISABLED"},
        {"InboundCallConfigurationType": "TRACKING"},
        {
            "InboundCallConfigurationType": "TRACKING",
            "WhisperSoundId": "2",
            "TransferNumber": "12065550100 +18005550100",
            "Screen": "1",
            "Record": "false",
            "IntroSoundId": "1",
        },
        {"InboundCallConfigurationType": "IVR", "DialplanXml": "<dialplan name='&amp;'/>"},
    ],
    ids=lambda form: "-".join(form.values()),
)
async def test_a_configured_number_is_valid(
    schema: xmlschema.XMLSchema, sandbox: Sandbox, http: httpx.AsyncClient, form: dict[str, str]
) -> None:
    sandbox.own("12065550100")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await http.put("/number/12065550100", data=form, headers=headers)).status_code == 200
    (number,) = ET.fromstring((await http.get("/number/12065550100")).text)
    schema.validate(number)


async def test_subscriptions_are_valid(schema: xmlschema.XMLSchema, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    form = {
        "TriggerEvent": "INBOUND_TEXT_FINISHED",
        "Endpoint": "https://example.com/hook?a=1&b=<2>",
        "NotificationFormat": "SOAP",
        "BroadcastId": "1",
        "BatchId": "2",
        "FromNumber": "12065550100",
        "ToNumber": "67076",
        "Inbound": "0",
    }
    assert (await http.post("/subscription", data=form)).status_code == 201
    sandbox.subscribe("someone@example.com")
    subscriptions = ET.fromstring((await http.get("/subscription")).text)
    assert len(subscriptions) == 2
    for subscription in subscriptions:
        schema.validate(subscription)
        alone = ET.fromstring((await http.get(f"/subscription/{subscription.get('id')}")).text)
        schema.validate(alone[0])


async def test_a_keyword_in_a_filter_is_the_only_number_the_schema_does_not_know(
    schema: xmlschema.XMLSchema, sandbox: Sandbox, http: httpx.AsyncClient
) -> None:
    """Later documents accept 67076:KEYWORD; PhoneNumber forbids the colon."""
    made = await http.post(
        "/subscription",
        data={"TriggerEvent": "INBOUND_TEXT_FINISHED", "Endpoint": "http://x/", "ToNumber": "67076:KEYWORD"},
    )
    assert made.status_code == 201
    (subscription_id,) = sandbox.subscriptions
    (subscription,) = ET.fromstring((await http.get(f"/subscription/{subscription_id}")).text)
    errors = list(schema.iter_errors(subscription))
    assert [error.elem.tag for error in errors if error.elem is not None] == [f"{D}ToNumber"]
    assert len(errors) == 1
