"""What arrives at the listener: what is answered, what is done, and how many calls to the provider it costs."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import math
import socket
import ssl
import sysconfig
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import pytest
from aiohttp import web

from callfire_async import (
    CallFire,
    ConfigurationError,
    Listener,
    OrderFailedError,
    PollPolicy,
    ProtocolError,
    StoreError,
)
from callfire_async.sandbox import Life, Sandbox
from callfire_async.stores import Scope
from callfire_async.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from callfire_async import NumberOrder, Order

TOKEN = "t0ken_of-sixteen-and-more"  # noqa: S105  # opens nothing
LIMIT = 65_536
#: Nobody asks by itself within a test: what is asked was caused by a postback.
PATIENT = PollPolicy(grace=600.0)


def postback(order_id: str, status: str = "FINISHED") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<n:NumberOrderNotification xmlns="http://api.callfire.com/data" xmlns:n="http://api.callfire.com/notification/xsd">
    <n:SubscriptionId>19001</n:SubscriptionId>
    <NumberOrder id="{order_id}">
        <Status>{status}</Status><Created>2014-12-17T12:25:36Z</Created><TotalCost>1.0</TotalCost>
        <LocalNumbers><Ordered>1</Ordered><UnitCost>1.0</UnitCost><Fulfilled>18559875391</Fulfilled></LocalNumbers>
    </NumberOrder>
</n:NumberOrderNotification>""".encode()


def head(path: str, *fields: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: here", *fields, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Sender:
    """A raw connection to a listener."""

    def __init__(self, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self._port = port
        self._tls = tls

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def send(self, raw: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # the listener need not read it all
            self._writer.write(raw)
            await self._writer.drain()

    async def status(self) -> int | None:
        """The status of the next answer; None if the connection ends instead."""
        async with asyncio.timeout(5):
            try:
                lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
            length = next((int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")), 0)
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._reader.readexactly(length)
            return int(lines[0].split()[1])

    async def post(self, path: str, body: bytes, *fields: str) -> int | None:
        await self.send(head(path, f"Content-Length: {len(body)}", *fields) + body)
        return await self.status()


async def until(happened: Callable[[], bool]) -> None:
    """Wait for something that has no event."""
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


# ------------------------------------------------------------------ the table


@dataclass
class Scene:
    """One client, its listener, its provider."""

    sandbox: Sandbox
    listener: Listener
    client: CallFire
    store: MemoryStore
    orders: list[Order[NumberOrder]] = field(default_factory=list)

    async def place(self, life: Life) -> Order[NumberOrder]:
        self.sandbox.plan(life)
        self.orders.append(await self.client.order(local=1))
        return self.orders[-1]

    async def post(self, body: bytes, *fields: str, path: str = f"/{TOKEN}") -> int | None:
        async with Sender(self.listener.port) as sender:
            return await sender.post(path, body, *fields)

    def asked(self) -> Counter[str]:
        """The calls about each order that the provider's server has seen."""
        return Counter(call.order_id for call in self.sandbox.calls if call.order_id)

    def something_is_due(self) -> bool:
        """Whether anyone will be asked within the next five minutes, but for orders that were asked about and go on."""
        slots = self.store._schedules[Scope("callfire", "login")]._slots
        going_on = {order.id for order in self.orders if order.latest is not None and not order.done()}
        return any(
            slot.claimed or slot.due < time.monotonic() + 300 for id_, slot in slots.items() if id_ not in going_on
        )

    def counted(self) -> dict[str, int]:
        """The postback counters that are not zero."""
        stats = self.client.stats()
        words = ("accepted", "duplicate", "unknown", "early", "refused")
        return {word: n for word in words if (n := getattr(stats, f"postbacks_{word}"))}


@pytest.fixture
async def scene(request: pytest.FixtureRequest, nothing_left_behind: None) -> AsyncIterator[Scene]:  # noqa: ARG001
    trust = getattr(request, "param", False)
    listener = Listener(token=TOKEN, read_timeout=0.2)
    store = MemoryStore()
    async with Sandbox(seed=7, processing=3600, postbacks="lost", login="login", password="pass word") as sandbox:  # noqa: S106
        client = CallFire(
            sandbox.login,
            sandbox.password,
            base_url=sandbox.callfire_url,
            store=store,
            listener=listener,
            trust_postbacks=trust,
            poll=PATIENT,
        )
        async with client:
            yield Scene(sandbox=sandbox, listener=listener, client=client, store=store)
        assert sandbox.violations == 0


WORKING, DONE = Life(), Life(processing=0)


async def before_the_create_reply(scene: Scene) -> list[int | None]:
    scene.sandbox.subscribe(scene.listener.url)
    order = await scene.place(Life(processing=0, postback="early"))
    assert (await order).status == "FINISHED"
    assert order.settled_by == "postback"
    return [delivery.status for delivery in scene.sandbox.deliveries]


async def twice(scene: Scene) -> list[int | None]:
    order = await scene.place(DONE)
    statuses = [await scene.post(postback(order.id)) for _ in range(2)]
    await order
    assert order.settled_by == "postback"
    return statuses


async def after_the_end(scene: Scene) -> list[int | None]:
    order = await scene.place(DONE)
    first = await scene.post(postback(order.id))
    await order
    second = await scene.post(postback(order.id, "ERRORED"))
    assert (await order).status == "FINISHED"
    return [first, second]


async def for_an_unknown_id(scene: Scene) -> list[int | None]:
    await scene.place(DONE)
    return [await scene.post(postback("999"))]


async def for_no_order_at_all(scene: Scene) -> list[int | None]:
    await scene.place(DONE)
    return [await scene.post(b"<TextNotification><SubscriptionId>1</SubscriptionId></TextNotification>")]


async def with_a_wrong_token(scene: Scene) -> list[int | None]:
    order = await scene.place(DONE)
    wrong = ["/" + TOKEN[:-1], f"/{TOKEN}x", f"/{TOKEN.upper()}", f"/{TOKEN}/more", "/", "/healthz", "/%00%ff"]
    return [await scene.post(postback(order.id), path=path) for path in wrong]


async def with_a_doctype(scene: Scene) -> list[int | None]:
    order = await scene.place(DONE)
    return [await scene.post(postback(order.id).replace(b"<n:Num", b"<!DOCTYPE n [<!ENTITY e 'e'>]><n:Num", 1))]


async def cut_off(scene: Scene) -> list[int | None]:
    order = await scene.place(DONE)
    body = postback(order.id)
    return [await scene.post(body[: len(body) // 2]), await scene.post(b""), await scene.post(b"order=1&status=done")]


async def of_just_the_limit(scene: Scene) -> list[int | None]:
    order = await scene.place(DONE)
    body = postback(order.id).ljust(LIMIT)
    async with Sender(scene.listener.port) as sender:
        statuses = [await sender.post(f"/{TOKEN}", body)]
        await sender.send(head(f"/{TOKEN}", "Transfer-Encoding: chunked"))
        await sender.send(b"".join(chunk(body[at : at + 999]) for at in range(0, LIMIT, 999)) + chunk(b""))
        statuses.append(await sender.status())
    await order
    return statuses


async def over_the_limit_with_its_length(scene: Scene) -> list[int | None]:
    async with Sender(scene.listener.port) as sender:
        await sender.send(
            head(f"/{TOKEN}", f"Content-Length: {LIMIT + 1}")
        )  # refused before a byte of the body is sent
        return [await sender.status(), await sender.status()]


async def over_the_limit_in_chunks(scene: Scene) -> list[int | None]:
    order = await scene.place(DONE)
    async with Sender(scene.listener.port) as sender:
        await sender.send(head(f"/{TOKEN}", "Transfer-Encoding: chunked"))
        await sender.send(chunk(postback(order.id).ljust(LIMIT)) + chunk(b"  "))  # and the end is never sent
        return [await sender.status(), await sender.status()]


async def longer_than_it_says(scene: Scene) -> list[int | None]:
    order = await scene.place(DONE)
    body = postback(order.id).ljust(2 * LIMIT)
    async with Sender(scene.listener.port) as sender:
        await sender.send(head(f"/{TOKEN}", "Content-Length: 10") + body[:10])
        status = await sender.status()
        await sender.send(body[10:])  # stands where the next request should
        return [status, await sender.status(), await sender.status()]


async def of_two_lengths(scene: Scene) -> list[int | None]:
    order = await scene.place(DONE)
    body = postback(order.id)
    async with Sender(scene.listener.port) as sender:
        await sender.send(head(f"/{TOKEN}", f"Content-Length: {len(body)}", "Transfer-Encoding: chunked") + body)
        return [await sender.status(), await sender.status()]


async def gzip_encoded(scene: Scene) -> list[int | None]:
    order = await scene.place(DONE)
    body = gzip.compress(postback(order.id))
    names = ("gzip", "GZIP", "deflate", "br", "identity, gzip")
    return [await scene.post(body, f"Content-Encoding: {name}") for name in names]


async def half_sent_and_left_open(scene: Scene) -> list[int | None]:
    order = await scene.place(DONE)
    body = postback(order.id)
    async with Sender(scene.listener.port) as sender:
        await sender.send(head(f"/{TOKEN}", f"Content-Length: {len(body)}") + body[:100])
        return [await sender.status(), await sender.status()]


async def half_sent_and_hung_up(scene: Scene) -> list[int | None]:
    order = await scene.place(DONE)
    body = postback(order.id)
    async with Sender(scene.listener.port) as sender:
        await sender.send(head(f"/{TOKEN}", f"Content-Length: {len(body)}") + body[:100])
    await until(lambda: scene.listener.refused > 0)
    return []


async def with_the_id_of_another_that_has_ended(scene: Scene) -> list[int | None]:
    mine, other = await scene.place(WORKING), await scene.place(DONE)
    status = await scene.post(postback(other.id))
    await other
    assert (mine.done(), scene.asked()) == (False, {other.id: 1})
    return [status]


async def with_the_id_of_another_that_is_at_work(scene: Scene) -> list[int | None]:
    mine, other = await scene.place(DONE), await scene.place(WORKING)
    status = await scene.post(postback(other.id))
    await until(lambda: other.latest is not None)
    assert [order.done() for order in (mine, other)] == [False, False]
    assert (other.outcome, scene.asked()) == ("pending", {other.id: 1})
    return [status]


async def forged_and_stale(scene: Scene) -> list[int | None]:
    order = await scene.place(WORKING)
    statuses = [await scene.post(postback(order.id, word)) for word in ("ERRORED", "FINISHED", "NEW", "VOID")]
    await until(lambda: order.latest is not None)
    assert (order.done(), order.outcome, order.latest and order.latest.status) == (False, "pending", "PROCESSING")
    return statuses


@pytest.mark.parametrize(
    ("arrives", "answered", "counted", "calls"),
    [
        pytest.param(arrives, answered, counted, calls, id=arrives.__name__.replace("_", " "))
        for arrives, answered, counted, calls in [
            (before_the_create_reply, [200], {"early": 1}, 1),
            (twice, [200, 200], {"accepted": 2}, 1),
            (after_the_end, [200, 200], {"accepted": 1, "duplicate": 1}, 1),
            (for_an_unknown_id, [200], {"unknown": 1}, 0),
            (for_no_order_at_all, [200], {"unknown": 1}, 0),
            (with_a_wrong_token, [404] * 7, {"refused": 7}, 0),
            (with_a_doctype, [400], {"refused": 1}, 0),
            (cut_off, [400, 400, 400], {"refused": 3}, 0),
            (of_just_the_limit, [200, 200], {"accepted": 2}, 1),
            (over_the_limit_with_its_length, [413, None], {"refused": 1}, 0),
            (over_the_limit_in_chunks, [413, None], {"refused": 1}, 0),
            (longer_than_it_says, [400, 400, None], {"refused": 1}, 0),
            (of_two_lengths, [400, None], {}, 0),
            (gzip_encoded, [415] * 5, {"refused": 5}, 0),
            (half_sent_and_left_open, [408, None], {"refused": 1}, 0),
            (half_sent_and_hung_up, [], {"refused": 1}, 0),
            (with_the_id_of_another_that_has_ended, [200], {"accepted": 1}, 1),
            (with_the_id_of_another_that_is_at_work, [200], {"accepted": 1}, 1),
            (forged_and_stale, [200] * 4, {"accepted": 4}, 1),
        ]
    ],
)
async def test_a_postback(
    arrives: Callable[[Scene], Awaitable[list[int | None]]],
    answered: list[int | None],
    counted: dict[str, int],
    calls: int,
    scene: Scene,
) -> None:
    assert await arrives(scene) == answered
    assert scene.counted() == counted
    assert scene.asked().total() == calls
    await until(lambda: not scene.something_is_due())  # and no other was caused
    assert scene.asked().total() == calls
    assert scene.client.stats().polls == calls
    if not calls:
        assert all(not order.done() and order.latest is None for order in scene.orders)


async def test_an_early_postback_is_kept_among_a_thousand_and_not_for_ever(scene: Scene) -> None:
    async with Sandbox(seed=7) as twin:  # the same seed, the same ids
        async with httpx.AsyncClient(auth=(twin.login, twin.password), trust_env=False) as http:
            for _ in range(2):
                await http.post(f"{twin.callfire_url}/number/order", data={"localCount": "1"})
        first, second = twin.orders
    await scene.listener.receive(TOKEN, {}, postback(first))
    for stranger in range(1, 1024):
        await scene.listener.receive(TOKEN, {}, postback(str(stranger)))
    await scene.listener.receive(TOKEN, {}, postback(second))  # one too many: the oldest is forgotten
    assert scene.counted() == {"unknown": 1025}
    assert (await scene.place(DONE)).id == first
    assert not scene.something_is_due()
    assert (await scene.place(DONE)).id == second
    assert scene.something_is_due()
    assert scene.counted() == {"unknown": 1024, "early": 1}


async def test_an_early_postback_is_forgotten_after_a_minute(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callfire_async.registry.hearsay.EARLY_FOR", -1.0)
    for order_id in ("1", "2"):
        await scene.listener.receive(TOKEN, {}, postback(order_id))
    assert scene.client._registry.hearsay._early == {}


# ------------------------------------------------------------------ believing it


trusting = pytest.mark.parametrize("scene", [True], indirect=True, ids=["trusting"])


@trusting
async def test_a_trusted_postback_settles_without_a_call(scene: Scene) -> None:
    order = await scene.place(WORKING)
    waiting = asyncio.create_task(order.result())
    assert await scene.post(postback(order.id)) == 200
    assert ((await waiting).numbers, order.settled_by) == (("18559875391",), "postback")
    assert await scene.post(postback(order.id, "ERRORED")) == 200
    assert (await order).status == "FINISHED"
    assert scene.counted() == {"accepted": 1, "duplicate": 1}
    assert (scene.asked(), scene.something_is_due()) == ({}, False)


@trusting
async def test_a_trusted_postback_may_bring_a_bad_end(scene: Scene) -> None:
    order = await scene.place(WORKING)
    await scene.post(postback(order.id, "PROCESSING"))
    assert not order.done()
    await scene.post(postback(order.id, "ERRORED"))
    with pytest.raises(OrderFailedError, match="ended as ERRORED"):
        await order
    assert scene.asked() == {}


@trusting
@pytest.mark.parametrize("early", [True, False], ids=["that came early", "that tells nothing but an id"])
async def test_even_who_trusts_asks_after_a_postback(*, early: bool, scene: Scene) -> None:
    if early:
        scene.sandbox.subscribe(scene.listener.url)
        order = await scene.place(Life(processing=0, postback="early"))
    else:
        order = await scene.place(DONE)
        assert await scene.post(b'<NumberOrder id="%s"/>' % order.id.encode()) == 200
    assert not order.done()
    await order
    assert (order.settled_by, scene.asked()) == ("postback", {order.id: 1})


# ------------------------------------------------------------------ the server


class Notebook:
    """Takes in what a listener hands on. Its temper is what it raises."""

    def __init__(self, temper: Exception | None = None) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self._temper = temper

    async def expects(self, callback: str) -> bool:  # noqa: ARG002
        return False

    async def hear(self, headers: Mapping[str, str], body: bytes, callback: str | None = None) -> None:  # noqa: ARG002
        if self._temper is not None:
            raise self._temper
        self.heard.append((dict(headers), body))


@pytest.fixture
async def notebook(nothing_left_behind: None) -> Notebook:  # noqa: ARG001
    return Notebook()


@pytest.fixture
async def listener(notebook: Notebook) -> AsyncIterator[Listener]:
    it = Listener(token=TOKEN, read_timeout=0.2)
    it.add(notebook)
    await it.start()
    yield it
    await it.stop()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("HEAD", "/healthz", 200),
        ("GET", "/mounted/somewhere/healthz", 200),
        ("POST", "/healthz", 404),
        ("GET", "/", 404),
        ("GET", f"/{TOKEN}", 404),
        ("PUT", f"/{TOKEN}", 404),
        ("DELETE", f"/{TOKEN}", 404),
        ("OPTIONS", "*", 404),
        ("POST", "/robots.txt", 404),
        ("POST", f"/{TOKEN}", 200),
        ("POST", f"/{TOKEN}/", 200),
        ("POST", f"/anywhere/{TOKEN}", 200),
        ("POST", f"/{TOKEN}?query=1", 200),
        ("POST", f"/?{TOKEN}", 404),
    ],
)
async def test_the_door(method: str, path: str, status: int, listener: Listener, notebook: Notebook) -> None:
    async with Sender(listener.port) as sender:
        await sender.send(head(path, "Content-Length: 4", method=method) + b"<a/>")
        assert await sender.status() == status
    assert [body for _, body in notebook.heard] == ([b"<a/>"] if (method, status) == ("POST", 200) else [])


async def test_a_wrong_address_and_an_unknown_path_cannot_be_told_apart(listener: Listener) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        root = f"http://127.0.0.1:{listener.port}"
        answers = [await http.post(root + path, content=b"<a/>") for path in ("/", "/unknown", f"/{TOKEN[:-1]}")]
    shown = [(a.status_code, a.content, {k: v for k, v in a.headers.items() if k != "date"}) for a in answers]
    assert shown[0] == shown[1] == shown[2]


async def test_a_connection_serves_several_postbacks(listener: Listener, notebook: Notebook) -> None:
    async with Sender(listener.port) as sender:
        assert [await sender.post(f"/{TOKEN}", b"<a>%d</a>" % n) for n in range(3)] == [200, 200, 200]
        assert await sender.post("/wrong", b"<a/>") == 404
        assert await sender.post(f"/{TOKEN}", b"<b/>") == 200
    assert [body for _, body in notebook.heard] == [b"<a>0</a>", b"<a>1</a>", b"<a>2</a>", b"<b/>"]


async def test_headers_arrive_in_lower_case(listener: Listener, notebook: Notebook) -> None:
    async with Sender(listener.port) as sender:
        await sender.post(f"/{TOKEN}", b"<a/>", "X-CallFire-Test: Yes", "Content-Encoding: identity")
    assert notebook.heard[0][0]["x-callfire-test"] == "Yes"


@pytest.mark.parametrize("begun", [b"", head(f"/{TOKEN}", "Content-Length: 9")[:30]], ids=["nothing", "half a head"])
async def test_who_connects_and_sends_no_request_is_disconnected(
    begun: bytes, notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callfire_async.listener.server.KEEP_ALIVE", 0.1)
    listener = Listener(token=TOKEN)
    listener.add(notebook)
    await listener.start()
    async with Sender(listener.port) as sender:
        await sender.send(begun)
        assert await sender.status() is None
    await listener.stop()


@pytest.mark.parametrize(
    ("temper", "status"),
    [
        (ProtocolError("unreadable"), 400),
        (StoreError("the disk is full"), 503),
        (RuntimeError("a mistake of ours"), 500),
    ],
    ids=["that cannot be read", "that cannot be stored", "that we fail over"],
)
async def test_a_postback_is_answered_by_what_became_of_it(
    temper: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Listener(token=TOKEN, serve=False)
    listener.add(Notebook(temper))
    assert await listener.receive(TOKEN, {}, b"<a/>") == status
    assert listener.refused == (1 if status < 500 else 0)
    assert [record.levelname for record in caplog.records] == {400: [], 503: ["WARNING"], 500: ["ERROR"]}[status]


async def test_what_one_client_can_read_is_accepted_although_another_cannot(notebook: Notebook) -> None:
    listener = Listener(token=TOKEN, serve=False)
    for recipient in (Notebook(ProtocolError("not mine")), notebook):
        listener.add(recipient)
    assert await listener.receive(TOKEN, {}, b"<a/>") == 200
    assert len(notebook.heard) == 1


async def test_a_postback_that_was_stored_while_its_client_left_is_answered_200() -> None:
    listener = Listener(token=TOKEN, serve=False)
    await listener.start()

    class Leaving(Notebook):
        async def hear(self, headers: Mapping[str, str], body: bytes, callback: str | None = None) -> None:
            await super().hear(headers, body, callback)
            await listener.remove(self)

    listener.add(leaving := Leaving())
    assert await listener.receive(TOKEN, {}, b"<a/>") == 200
    assert len(leaving.heard) == 1


async def test_without_a_client_it_asks_to_come_again(notebook: Notebook) -> None:
    listener = Listener(token=TOKEN)
    await listener.start()
    async with Sender(listener.port) as sender:
        assert await sender.post(f"/{TOKEN}", b"<a/>") == 503
        assert await sender.post("/wrong", b"<a/>") == 404
        listener.add(notebook)
        assert await sender.post(f"/{TOKEN}", b"<a/>") == 200
    assert listener.refused == 1
    await listener.stop()


async def test_what_is_still_being_sent_while_it_stops_is_asked_to_come_again(notebook: Notebook) -> None:
    listener = Listener(token=TOKEN)
    listener.add(notebook)
    await listener.start()
    async with Sender(listener.port) as sender:
        await sender.send(head(f"/{TOKEN}", "Content-Length: 4", "Expect: 100-continue"))
        assert await sender.status() == 100  # so it is being handled
        stopping = asyncio.create_task(listener.stop())
        await until(lambda: listener._stopping)
        await sender.send(b"<a/>")
        assert await sender.status() == 503
        await stopping
    assert notebook.heard == []
    assert await listener.receive(TOKEN, {}, b"<a/>") == 503
    assert listener.refused == 0


async def test_what_is_being_stored_while_it_stops_is_stored_and_answered_200() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Notebook):
        async def hear(self, headers: Mapping[str, str], body: bytes, callback: str | None = None) -> None:
            begun.set()
            await go_on.wait()
            await super().hear(headers, body, callback)

    listener = Listener(token=TOKEN)
    listener.add(slow := Slow())
    await listener.start()
    async with Sender(listener.port) as sender:
        sending = asyncio.create_task(sender.post(f"/{TOKEN}", b"<a/>"))
        await begun.wait()
        stopping = asyncio.create_task(listener.stop())
        await until(lambda: listener._stopping)
        go_on.set()
        assert await sending == 200
        await stopping
    assert len(slow.heard) == 1


async def test_stopping_ends_idle_connections_and_frees_the_port(listener: Listener, notebook: Notebook) -> None:
    port = listener.port
    async with Sender(port) as sender:
        assert await sender.post(f"/{TOKEN}", b"<a/>") == 200
        await listener.stop()
        assert await sender.status() is None
    with pytest.raises(ConnectionRefusedError):
        await Sender(port).__aenter__()
    again = Listener(token=TOKEN, port=port)
    again.add(notebook)
    await again.start()
    await again.stop()


async def test_a_sender_that_hangs_up_after_a_refusal_leaves_no_task_behind(listener: Listener) -> None:
    before = asyncio.all_tasks()
    async with Sender(listener.port) as sender:
        await sender.send(head(f"/{TOKEN}", "Transfer-Encoding: chunked") + chunk(b"<a"))  # and the end is never sent
        assert await sender.status() == 408
    async with Sender(listener.port) as another:
        assert await another.post("/wrong", b"<a/>") == 404  # by now it has noticed the first one's going
    await listener.stop()
    left = asyncio.all_tasks() - before
    if left:
        await asyncio.wait(left)
    assert not left


async def test_starting_again_does_nothing_and_after_a_stop_it_serves_the_same_token(
    listener: Listener, notebook: Notebook
) -> None:
    url = listener.url
    await listener.start()
    assert listener.url == url
    await listener.stop()
    await listener.stop()
    with pytest.raises(ConfigurationError, match="start it first"):
        _ = listener.port
    await listener.start()
    async with Sender(listener.port) as sender:
        assert await sender.post(f"/{TOKEN}", b"<a/>") == 200
    assert len(notebook.heard) == 1


async def test_who_starts_it_a_second_time_meanwhile_finds_it_started_too(notebook: Notebook) -> None:
    listener = Listener(token=TOKEN)
    listener.add(notebook)
    first = asyncio.create_task(listener.start())
    await asyncio.sleep(0)  # the first is at work
    try:
        await listener.start()
        assert listener.port
    finally:
        await first
        await listener.stop()


async def test_one_connection_too_many_is_closed_as_it_comes(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callfire_async.listener.server.MOST_CONNECTIONS", 2)

    async def served() -> int | None:
        async with Sender(listener.port) as sender:
            return await sender.post(f"/{TOKEN}", b"<a/>")

    async with Sender(listener.port) as one:
        assert await one.post(f"/{TOKEN}", b"<a/>") == 200
        async with Sender(listener.port) as two:
            assert await two.post(f"/{TOKEN}", b"<a/>") == 200
            assert [await served(), await served()] == [None, None]
        async with asyncio.timeout(5):
            while await served() is None:  # until the listener has noticed that one has gone
                pass
        assert await one.post(f"/{TOKEN}", b"<a/>") == 200  # it was not disturbed


def _certificate() -> Path | None:
    """The self-signed one of CPython's own tests, where they are installed: `localhost`."""
    tests = Path(sysconfig.get_path("stdlib")) / "test"
    return next((it for it in (tests / "certdata/keycert.pem", tests / "keycert.pem") if it.exists()), None)


async def test_it_can_serve_tls(notebook: Notebook) -> None:
    if (certificate := _certificate()) is None:
        pytest.skip("this Python came without its test suite, which holds the certificate")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    listener = Listener(token=TOKEN, ssl=server)
    listener.add(notebook)
    await listener.start()
    assert listener.url == f"https://127.0.0.1:{listener.port}/{TOKEN}"
    trusting = ssl.create_default_context(cafile=certificate)
    trusting.check_hostname = False
    async with Sender(listener.port, tls=trusting) as sender:
        assert await sender.post(f"/{TOKEN}", b"<a/>") == 200
    async with Sender(listener.port) as plain:
        assert await plain.post(f"/{TOKEN}", b"<b/>") is None
    await listener.stop()
    assert [body for _, body in notebook.heard] == [b"<a/>"]


# ------------------------------------------------------------------ its address


@pytest.mark.parametrize("token", ["", "x" * 15, "sixteen and more spaces", "a/b" * 9, "ä" * 20, "x" * 16 + "\n"])
def test_a_token_that_could_be_guessed_or_broken_is_refused(token: str) -> None:
    with pytest.raises(ConfigurationError, match="at least 16") as caught:
        Listener(token=token)
    assert not token or token not in str(caught.value)


def test_without_a_token_it_makes_a_long_one_anew_each_time() -> None:
    tokens = {Listener(public_url="https://h").url.rpartition("/")[2] for _ in range(9)}
    assert len(tokens) == 9
    assert {len(token) for token in tokens} == {43}  # 256 bits


@pytest.mark.parametrize(
    ("public_url", "url"),
    [
        ("https://example.com/hooks", f"https://example.com/hooks/{TOKEN}"),
        ("https://example.com/hooks/", f"https://example.com/hooks/{TOKEN}"),
        ("http://203.0.113.7:8080", f"http://203.0.113.7:8080/{TOKEN}"),
    ],
)
async def test_the_public_address_is_what_the_provider_gets(public_url: str, url: str) -> None:
    assert Listener(token=TOKEN, public_url=public_url).url == url


@pytest.mark.parametrize("public_url", ["", "example.com/hooks", "ftp://example.com", "https://", "https:///hooks"])
def test_a_public_address_that_is_none_is_refused(public_url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"https://example\.com/hooks"):
        Listener(public_url=public_url)


@pytest.mark.parametrize("public_url", ["https://h/hooks?a=1", "https://h/hooks#a", "https://h/a b", "https://h\n"])
def test_a_public_address_that_the_token_cannot_be_added_to_is_refused(public_url: str) -> None:
    with pytest.raises(ConfigurationError):
        Listener(public_url=public_url)


@pytest.mark.parametrize(
    "options",
    [
        {"port": -1},
        {"port": 65536},
        {"max_body": 0},
        {"read_timeout": 0},
        {"read_timeout": -1},
        {"read_timeout": math.nan},
    ],
    ids=str,
)
def test_bounds_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="max_body"):
        Listener(**options)


def test_before_it_is_started_a_free_port_is_not_known_and_a_chosen_one_is() -> None:
    for unknown in (Listener(), Listener(serve=False), Listener(serve=False, port=8123)):
        with pytest.raises(ConfigurationError, match="start it first"):
            _ = unknown.url
    assert Listener(port=8123, token=TOKEN).url == f"http://127.0.0.1:8123/{TOKEN}"
    assert Listener(port=8123, host="0.0.0.0", token=TOKEN).url == f"http://127.0.0.1:8123/{TOKEN}"  # noqa: S104
    assert Listener(port=8123, host="::", token=TOKEN).url == f"http://[::1]:8123/{TOKEN}"


async def test_it_shows_where_it_is_and_not_its_token(listener: Listener) -> None:
    assert repr(listener) == f"<Listener 127.0.0.1:{listener.port}>"
    shown = [repr(Listener(token=TOKEN)), repr(Listener(token=TOKEN, public_url="https://h/hooks"))]
    assert shown == ["<Listener not started>", "<Listener https://h/hooks>"]


# ------------------------------------------------------------------ clients on it


def callfire(sandbox: Sandbox, listener: Listener, **options: Any) -> CallFire:
    return CallFire(
        sandbox.login, sandbox.password, base_url=sandbox.callfire_url, listener=listener, poll=PATIENT, **options
    )


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "192.0.2.1"], ids=["a port that is taken", "an address that is not ours"]
)
async def test_a_client_that_cannot_listen_does_not_open_and_leaves_nothing(host: str) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    listener = Listener(host=host, port=port, token=TOKEN)
    async with Sandbox() as sandbox:
        client = callfire(sandbox, listener)
        with pytest.raises(ConfigurationError, match=f"cannot listen on {host} port {port}"):
            await client.__aenter__()
        assert listener._recipients == []
        with pytest.raises(ConfigurationError, match="not open"):
            await client.order(local=1)
        taken.close()
        if host == "127.0.0.1":
            async with client, Sender(port) as sender:  # it can be tried again
                assert await sender.post(f"/{TOKEN}", b"<a/>") == 200


async def test_two_clients_share_a_listener_that_stops_with_the_last() -> None:
    listener = Listener(token=TOKEN)
    async with Sandbox(seed=1, processing=0, login="one") as one, Sandbox(seed=2, processing=0, login="two") as two:
        first, second = callfire(one, listener), callfire(two, listener)
        await first.__aenter__()
        await second.__aenter__()
        port = listener.port
        order = await second.order(local=1)
        async with Sender(port) as sender:
            assert await sender.post(f"/{TOKEN}", postback(order.id)) == 200
            await order
            assert (first.stats().postbacks_unknown, second.stats().postbacks_accepted) == (1, 1)
            await first.aclose()
            assert await sender.post(f"/{TOKEN}", postback(order.id)) == 200
            assert second.stats().postbacks_duplicate == 1
        await second.aclose()
        with pytest.raises(ConnectionRefusedError):
            await Sender(port).__aenter__()
        assert one.calls == ()


async def test_a_listener_that_was_started_before_its_clients_outlives_them() -> None:
    listener = Listener(token=TOKEN)
    await listener.start()
    async with Sandbox() as sandbox, Sender(listener.port) as sender:
        for _ in range(2):
            async with callfire(sandbox, listener):
                assert await sender.post(f"/{TOKEN}", b"<a/>") == 200
            assert await sender.post(f"/{TOKEN}", b"<a/>") == 503
    await listener.stop()


async def test_a_store_that_fails_has_the_postback_come_again() -> None:
    class Full(MemoryStore):
        async def hasten(self, scope: Scope, order_id: str) -> None:
            raise StoreError(f"no room for {order_id} of {scope.account}")

    listener = Listener(token=TOKEN)
    async with Sandbox() as sandbox, callfire(sandbox, listener, store=Full()) as client:
        order = await client.order(local=1)
        async with Sender(listener.port) as sender:
            assert await sender.post(f"/{TOKEN}", postback(order.id)) == 503
        assert client.stats().postbacks_refused == 0


# ------------------------------------------------------------------ in another web server


async def test_mounted_in_an_aiohttp_application_it_serves_a_whole_order(nothing_left_behind: None) -> None:  # noqa: ARG001
    listener = Listener(token=TOKEN, serve=False, public_url="http://127.0.0.1/hooks")
    parent = web.Application()
    parent.add_subapp("/hooks", listener.app)
    runner = web.AppRunner(parent, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with Sandbox(processing=0) as sandbox, callfire(sandbox, listener) as client, Sender(port) as sender:
        order = await client.order(local=1)
        path = f"/hooks/{TOKEN}"
        assert await sender.post(path, postback(order.id)) == 200
        assert await sender.post("/hooks/wrong", postback(order.id)) == 404
        assert await sender.post(path, gzip.compress(postback(order.id)), "Content-Encoding: gzip") == 415
        await sender.send(head("/hooks/healthz", method="GET"))
        assert await sender.status() == 200
        await sender.send(
            head(path, "Transfer-Encoding: chunked") + chunk(postback(order.id).ljust(LIMIT + 1)) + chunk(b"")
        )
        assert await sender.status() == 413
        assert (await order).status == "FINISHED"
        assert (order.settled_by, client.stats().postbacks_refused) == ("postback", 3)
    await runner.cleanup()


class Conversation:
    """What an ASGI server says to an application, message by message, and then nothing more."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        if not self.messages:
            await asyncio.Event().wait()
        return self.messages.pop(0)

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    async def with_(
        self, listener: Listener, *fields: tuple[bytes, bytes], method: str = "POST", path: str = f"/hooks/{TOKEN}"
    ) -> int:
        scope = {"type": "http", "method": method, "path": path, "root_path": "/hooks", "headers": list(fields)}
        await listener.asgi(scope, self.receive, self.send)
        start, body = self.sent
        assert (start["type"], body) == ("http.response.start", {"type": "http.response.body", "body": b""})
        assert start["headers"] == [(b"content-length", b"0")]
        return int(start["status"])


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


@pytest.fixture
def mounted(notebook: Notebook) -> Listener:
    it = Listener(token=TOKEN, serve=False, read_timeout=0.1, max_body=20)
    it.add(notebook)
    return it


async def test_asgi_takes_a_body_in_pieces(mounted: Listener, notebook: Notebook) -> None:
    talk = Conversation(body(b"<a", more=True), {"type": "http.request", "more_body": True}, body(b"/>"))
    assert await talk.with_(mounted, (b"Content-Type", b"text/xml")) == 200
    assert notebook.heard == [({"content-type": "text/xml"}, b"<a/>")]


@pytest.mark.parametrize(
    ("status", "messages", "fields", "unread"),
    [
        pytest.param(408, [body(b"<a", more=True)], [], 0, id="a slow body"),
        pytest.param(408, [], [], 0, id="no body at all"),
        pytest.param(
            413, [body(b"x" * 21, more=True), body(b"")], [], 1, id="a long body, which is not read to its end"
        ),
        pytest.param(413, [body(b"x" * 21)], [], 0, id="a long body in one piece"),
        pytest.param(413, [body(b"")], [(b"content-length", b"21")], 1, id="a long body by its length"),
        pytest.param(413, [body(b"")], [(b"content-length", b"-1")], 1, id="a length that is none"),
        pytest.param(413, [body(b"")], [(b"content-length", b"9" * 5000)], 1, id="a length beyond numbers"),
        pytest.param(415, [body(b"")], [(b"Content-Encoding", b"gzip")], 1, id="a packed body"),
    ],
)
async def test_asgi_refuses(
    *,
    status: int,
    messages: list[dict[str, Any]],
    fields: list[tuple[bytes, bytes]],
    unread: int,
    mounted: Listener,
    notebook: Notebook,
) -> None:
    talk = Conversation(*messages)
    assert await talk.with_(mounted, *fields) == status
    assert (len(talk.messages), notebook.heard, mounted.refused) == (unread, [], 1)


async def test_asgi_with_a_sender_that_goes_away_hands_on_no_half_body(scene: Scene) -> None:
    order = await scene.place(DONE)
    talk = Conversation(body(postback(order.id)[:-10], more=True), {"type": "http.disconnect"})
    assert await talk.with_(scene.listener) == 400
    assert (scene.counted(), scene.something_is_due()) == ({"refused": 1}, False)


async def test_asgi_knows_its_paths(mounted: Listener) -> None:
    assert await Conversation().with_(mounted, method="GET", path="/hooks/healthz") == 200
    assert await Conversation().with_(mounted, method="GET") == 404
    assert await Conversation().with_(mounted, path="/hooks/wrong") == 404
    await mounted.stop()
    assert await Conversation().with_(mounted, method="GET", path="/hooks/healthz") == 503
    assert await Conversation().with_(mounted) == 503


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
async def test_asgi_leaves_alone_what_is_not_http(kind: str, mounted: Listener) -> None:
    talk = Conversation()
    await mounted.asgi({"type": kind}, talk.receive, talk.send)
    assert talk.sent == []


async def test_asgi_has_a_clients_order_asked_about(scene: Scene) -> None:
    order = await scene.place(DONE)
    assert await Conversation(body(postback(order.id))).with_(scene.listener) == 200
    assert scene.something_is_due()
    assert scene.counted() == {"accepted": 1}


@pytest.mark.parametrize("path", [TOKEN, f"/{TOKEN}", f"/{TOKEN}/", f"/any/where/{TOKEN}"])
async def test_any_other_framework_hands_over_path_headers_and_body(
    path: str, mounted: Listener, notebook: Notebook
) -> None:
    assert await mounted.receive(path, {"X-Any": "Thing"}, b"<a/>") == 200
    assert notebook.heard == [({"x-any": "Thing"}, b"<a/>")]


@pytest.mark.parametrize(
    ("status", "path", "headers", "data"),
    [
        (404, "", {}, b"<a/>"),
        (404, "/healthz", {}, b"<a/>"),
        (404, f"/{TOKEN}\N{SNOWMAN}\ud800", {}, b"<a/>"),
        (415, TOKEN, {"CONTENT-ENCODING": "gzip"}, b"<a/>"),
        (413, TOKEN, {"Content-Length": "21"}, b"<a/>"),
        (413, TOKEN, {"Content-Length": "9" * 5000}, b"<a/>"),
        (413, TOKEN, {}, b"x" * 21),
    ],
    ids=["no path", "health", "strange letters", "packed", "long by its length", "length beyond numbers", "long"],
)
async def test_any_other_framework_gets_a_status_for_everything(
    *, status: int, path: str, headers: dict[str, str], data: bytes, mounted: Listener, notebook: Notebook
) -> None:
    assert await mounted.receive(path, headers, data) == status
    assert (mounted.refused, notebook.heard) == (1, [])


async def test_serve_false_opens_no_port(notebook: Notebook) -> None:
    listener = Listener(token=TOKEN, serve=False, port=1)  # binding port 1 would show
    listener.add(notebook)
    await listener.start()
    assert listener._server is None
    assert await listener.receive(TOKEN, {}, b"<a/>") == 200
    await listener.stop()
