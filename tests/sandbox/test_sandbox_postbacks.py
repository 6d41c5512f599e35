"""Order postbacks, an invention of the sandbox: when they come, where to, and what becomes of failures."""
# pytest imports by path; the XML is the sandbox's

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import httpx
import pytest
from aiohttp import web

from callfire_async.sandbox import Life, Sandbox

D = "{http://api.callfire.com/data}"
N = "{http://api.callfire.com/notification/xsd}"


@dataclass
class Mailbox:
    """An endpoint that keeps what it is sent."""

    url: str = ""
    answer: int = 200
    open: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Queue[tuple[web.BaseRequest, bytes]] = field(default_factory=asyncio.Queue)

    async def receive(self, request: web.BaseRequest) -> web.Response:
        self.news.put_nowait((request, await request.read()))
        await self.open.wait()
        return web.Response(status=self.answer)

    async def body(self) -> bytes:
        return (await asyncio.wait_for(self.news.get(), 5))[1]

    async def word(self) -> str:
        """The status word of the next postback."""
        return ET.fromstring(await self.body()).findtext(f"{D}NumberOrder/{D}Status", "")


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    box.open.set()
    runner = web.ServerRunner(web.Server(box.receive, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    box.url = f"http://127.0.0.1:{runner.addresses[0][1]}/secret"
    yield box
    await runner.cleanup()


@pytest.fixture
async def sandbox(mailbox: Mailbox) -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7, processing=0) as running:
        running.subscribe(mailbox.url)
        yield running


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sandbox.callfire_url, auth=(sandbox.login, sandbox.password)) as client:
        yield client


async def buy(sandbox: Sandbox, http: httpx.AsyncClient, **life: Any) -> str:
    sandbox.plan(Life(**life))
    assert (await http.post("/number/order", data={"localCount": "2"})).status_code == 201
    return list(sandbox.orders)[-1]


async def end_of_deliveries(sandbox: Sandbox) -> None:
    """Wait until nothing more is to be delivered."""
    async with asyncio.timeout(5):
        while sandbox._courier._timers or sandbox._courier._tasks:  # noqa: ASYNC110  # the courier has no event for it
            await asyncio.sleep(0.002)


async def words(sandbox: Sandbox, mailbox: Mailbox) -> list[str]:
    await end_of_deliveries(sandbox)
    return [await mailbox.word() for _ in range(mailbox.news.qsize())]


async def test_the_postback_says_what_a_get_would(sandbox: Sandbox, http: httpx.AsyncClient, mailbox: Mailbox) -> None:
    order_id = await buy(sandbox, http)
    request, body = await asyncio.wait_for(mailbox.news.get(), 5)
    assert (request.method, request.path) == ("POST", "/secret")
    assert request.headers["Content-Type"] == "text/xml; charset=UTF-8"
    assert request.headers["User-Agent"] == "CallFire-HTTP/1.0"
    root = ET.fromstring(body)
    assert root.tag == f"{N}NumberOrderNotification"
    assert [child.tag for child in root] == [f"{N}SubscriptionId", f"{D}NumberOrder"]
    assert int(root.findtext(f"{N}SubscriptionId", "")) in sandbox.subscriptions
    shown = ET.fromstring((await http.get(f"/number/order/{order_id}")).text).find(f"{D}NumberOrder")
    assert shown is not None
    assert ET.canonicalize(ET.tostring(shown), strip_text=True) == ET.canonicalize(
        ET.tostring(root[1]), strip_text=True
    )
    await end_of_deliveries(sandbox)
    (delivery,) = sandbox.deliveries
    assert (delivery.order_id, delivery.word, delivery.endpoint) == (order_id, "FINISHED", mailbox.url)
    assert (delivery.status, delivery.error) == (200, "")


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ({}, ["FINISHED"]),
        ({"processing": 0.03}, ["FINISHED"]),
        ({"result": "errored"}, ["ERRORED"]),
        ({"postback": "lost"}, []),
        ({"postback": "twice"}, ["FINISHED", "FINISHED"]),
        ({"postback": "out_of_order"}, ["FINISHED", "PROCESSING"]),
        ({"postback": "early"}, ["FINISHED"]),
        ({"postback": "early", "processing": 0.05}, ["PROCESSING", "FINISHED"]),
        ({"postback": "early", "statuses": [(0, "NEW"), (0.05, "FINISHED")]}, ["NEW", "FINISHED"]),
        ({"postback": "forged", "processing": 0.05}, ["ERRORED", "FINISHED"]),
        ({"postback": "forged", "processing": 0.05, "result": "void"}, ["FINISHED", "VOID"]),
        ({"result": "parked"}, ["WAIT_FOR_PAYMENT"]),
        ({"result": "parked", "paid_after": 0.05}, ["WAIT_FOR_PAYMENT", "FINISHED"]),
        ({"statuses": [(0, "NEW"), (0.01, "FINISHED"), (0.06, "ADJUSTED")]}, ["FINISHED", "ADJUSTED"]),
    ],
)
async def test_each_way_of_delivery(
    sandbox: Sandbox, http: httpx.AsyncClient, mailbox: Mailbox, life: dict[str, Any], expected: list[str]
) -> None:
    await buy(sandbox, http, **life)
    assert await words(sandbox, mailbox) == expected == [delivery.word for delivery in sandbox.deliveries]


async def test_an_early_postback_is_there_before_the_reply(
    sandbox: Sandbox, http: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    sandbox.plan(Life(postback="early", reply="slow", reply_after=60))
    create = asyncio.ensure_future(http.post("/number/order", data={"localCount": "1"}))
    assert await mailbox.word() == "FINISHED"
    assert not create.done()
    create.cancel()
    await asyncio.gather(create, return_exceptions=True)


async def test_a_late_postback_keeps_its_distance(sandbox: Sandbox, http: httpx.AsyncClient, mailbox: Mailbox) -> None:
    order_id = await buy(sandbox, http, postback="late", late_by=0.06)
    assert sandbox.orders[order_id].status == "FINISHED"
    assert await words(sandbox, mailbox) == ["FINISHED"]
    assert sandbox.deliveries[0].at - sandbox.orders[order_id].accepted_at >= 0.06 - 1e-6


async def test_a_malformed_postback_is_half_of_one(sandbox: Sandbox, http: httpx.AsyncClient, mailbox: Mailbox) -> None:
    await buy(sandbox, http, postback="malformed")
    with pytest.raises(ET.ParseError):
        ET.fromstring(await mailbox.body())


async def test_payment_brings_the_rest_of_the_news(sandbox: Sandbox, http: httpx.AsyncClient, mailbox: Mailbox) -> None:
    order_id = await buy(sandbox, http, result="parked", paid_after=60)
    assert await mailbox.word() == "WAIT_FOR_PAYMENT"
    sandbox.pay(order_id)
    assert await words(sandbox, mailbox) == ["FINISHED"]


async def test_a_postback_can_be_asked_for_and_forged(
    sandbox: Sandbox, http: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    order_id = await buy(sandbox, http, postback="lost", processing=60)
    await sandbox.deliver(order_id)
    await sandbox.deliver(order_id, status="FINISHED")
    assert await words(sandbox, mailbox) == ["PROCESSING", "FINISHED"]
    assert sandbox.orders[order_id].status == "PROCESSING"
    with pytest.raises(LookupError, match="has no order '42'"):
        await sandbox.deliver("42")


async def test_the_default_is_the_sandbox_s_own(mailbox: Mailbox) -> None:
    async with Sandbox(processing=0, postbacks="twice") as sandbox:
        sandbox.subscribe(mailbox.url)
        async with httpx.AsyncClient(base_url=sandbox.callfire_url, auth=(sandbox.login, sandbox.password)) as http:
            await buy(sandbox, http)
            assert await words(sandbox, mailbox) == ["FINISHED", "FINISHED"]
            await buy(sandbox, http, postback="delivered")
            assert await words(sandbox, mailbox) == ["FINISHED"]


async def test_every_enabled_address_on_the_web_hears_of_orders(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    (first,) = sandbox.subscriptions
    url = sandbox.subscriptions[first].endpoint
    sandbox.subscribe(f"{url}/disabled", enabled=False)
    sandbox.subscribe(f"{url}/json", notification_format="JSON")
    sandbox.subscribe(f"{url}/soap", notification_format="SOAP")
    sandbox.subscribe(f"{url}/legacy", notification_format="LEGACY")  # what that looks like, no document shows
    sandbox.subscribe("someone@example.com")
    sandbox.subscribe(f"{url}/other", trigger_event="INBOUND_TEXT_FINISHED", non_strict_ssl=True)
    await buy(sandbox, http)
    await end_of_deliveries(sandbox)
    assert {delivery.endpoint for delivery in sandbox.deliveries} == {
        url,
        *(f"{url}/{last}" for last in ("json", "soap", "other")),
    }


async def test_an_endpoint_s_refusal_is_noted(sandbox: Sandbox, http: httpx.AsyncClient, mailbox: Mailbox) -> None:
    mailbox.answer = 503
    await buy(sandbox, http)
    assert await words(sandbox, mailbox) == ["FINISHED"]  # and no second try: none is documented
    assert [delivery.status for delivery in sandbox.deliveries] == [503]


async def test_a_failed_delivery_is_noted_and_goes_no_further(
    http: httpx.AsyncClient, sandbox: Sandbox, unused_tcp_port: int
) -> None:
    sandbox.subscribe(f"http://127.0.0.1:{unused_tcp_port}/")
    order_id = await buy(sandbox, http, postback="lost")
    await sandbox.deliver(order_id)
    good, bad = sorted(sandbox.deliveries, key=lambda delivery: delivery.error)
    assert (good.status, good.error) == (200, "")
    assert bad.status is None
    assert bad.error.startswith("ClientConnectorError: Cannot connect")


async def test_leaving_drops_what_is_still_to_be_delivered(mailbox: Mailbox) -> None:
    mailbox.open.clear()
    async with Sandbox(processing=0) as sandbox:
        sandbox.subscribe(mailbox.url)
        async with httpx.AsyncClient(base_url=sandbox.callfire_url, auth=(sandbox.login, sandbox.password)) as http:
            await buy(sandbox, http)
            await buy(sandbox, http, processing=60)
        assert await mailbox.word() == "FINISHED"
        before = time.monotonic()
    assert time.monotonic() - before < 1
    assert not sandbox.deliveries
    with pytest.raises(RuntimeError, match="not running"):
        await sandbox.deliver(next(iter(sandbox.orders)))


async def test_a_caller_who_has_gone_cannot_be_cut_off(sandbox: Sandbox, mailbox: Mailbox) -> None:
    sandbox.plan(Life(postback="early", reply="lost_after_accepting"))
    mailbox.open.clear()
    address = urlsplit(sandbox.callfire_url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(
        b"POST /api/1.1/rest/number/order HTTP/1.1\r\nHost: x\r\n"
        b"Authorization: Basic c2FuZGJveC1sb2dpbjpzYW5kYm94LXBhc3N3b3Jk\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 12\r\n\r\nlocalCount=1"
    )
    assert await mailbox.word() == "FINISHED"
    writer.close()
    await writer.wait_closed()
    server = sandbox._runner and sandbox._runner.server
    assert isinstance(server, web.Server)
    async with asyncio.timeout(5):
        while any(connection.transport for connection in server.connections):  # noqa: ASYNC110  # aiohttp has no event for it
            await asyncio.sleep(0.002)
    mailbox.open.set()
    await end_of_deliveries(sandbox)
    assert sandbox.purchases == 1
