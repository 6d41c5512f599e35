"""The transport by itself: where it may connect, what it reads, how long it waits, and what becomes of a request that nobody waits for."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import TYPE_CHECKING

import httpx
import pytest

from callfire_async import ConfigurationError, Error, ProtocolError, RequestTimeoutError, TransportError
from callfire_async.providers import Reply, Request
from callfire_async.transport import MOST_BYTES, Transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from wire import Exchange, Wire

SECRET = "Basic c2VjcmV0OnNlY3JldA=="  # noqa: S105  # opens nothing
QUESTION = Request(method="GET", path="/number/order/7", headers={"Accept": "text/xml"})
PURCHASE = Request(method="POST", path="/number/order", body=b"localCount=1")


def transport(url: str, http: httpx.AsyncClient | None = None, *, timeout: float = 5.0) -> Transport:
    return Transport(url, headers={"Authorization": SECRET}, timeout=timeout, http=http)


@pytest.fixture
async def opened(wire: Wire, http: httpx.AsyncClient | None) -> AsyncIterator[Transport]:
    it = transport(wire.url, http)
    await it.start()
    yield it
    await it.aclose()


async def fine(exchange: Exchange) -> None:
    await exchange.answer(200, b"<fine/>", Content_Type="text/xml", X_Twice="yes")


# ------------------------------------------------------------------ where it may connect


@pytest.mark.parametrize(
    "url",
    [
        "https://www.callfire.com/api/1.1/rest",
        "HTTPS://www.callfire.com",
        "http://127.0.0.1:8080/api",
        "http://127.1.2.3",
        "http://localhost:8080",
        "http://LOCALHOST",
        "http://[::1]:8080",
    ],
)
def test_https_and_this_machine_are_spoken_to(url: str) -> None:
    assert transport(url + "/").base_url == url  # the slash at the end would stand twice


@pytest.mark.parametrize(
    "url",
    [
        "http://www.callfire.com/api/1.1/rest",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://[::]",
        "http://[2001:db8::1]",
        "ws://127.0.0.1",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "www.callfire.com",
        "//www.callfire.com",
        "",
    ],
)
def test_anything_else_is_refused_because_every_request_carries_the_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="https://"):
        transport(url)


@pytest.mark.parametrize("url", ["https://", "https:///api", "https://[::1", "https://h:port", "https://\nh"])
def test_what_is_no_address_is_refused_as_everything_else_is(url: str) -> None:
    with pytest.raises(ConfigurationError):
        transport(url)


@pytest.mark.parametrize("url", ["https://h/api?version=1", "https://h/api#here"])
def test_an_address_that_paths_cannot_be_added_to_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        transport(url)


@pytest.mark.parametrize("url", ["https://login:hunter2@h", "http://hunter2@127.0.0.1", "http://127.0.0.1:hunter2@h"])
def test_credentials_in_the_address_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="credentials") as caught:
        transport(url)
    assert "hunter2" not in str(caught.value)


def test_it_shows_where_it_goes_and_not_with_what() -> None:
    shown = repr(transport("https://www.callfire.com/api"))
    assert shown == "<Transport https://www.callfire.com/api>"


def test_the_body_and_the_headers_of_an_answer_are_not_shown() -> None:
    assert repr(Reply(status=200, headers={"set-cookie": "hunter2"}, body=b"hunter2")) == "Reply(status=200)"
    assert "localCount" not in repr(PURCHASE)


async def test_before_it_is_started_nothing_is_sent(wire: Wire) -> None:
    with pytest.raises(ConfigurationError, match="Nothing was sent"):
        await transport(wire.url).send(PURCHASE, purchase=True)
    assert wire.seen == []


# ------------------------------------------------------------------ what it sends and reads


@pytest.mark.parametrize("status", [200, 201, 204, 301, 400, 404, 429, 500, 503])
async def test_every_complete_answer_is_handed_over_whatever_its_status(
    status: int, opened: Transport, wire: Wire
) -> None:
    async def act(exchange: Exchange) -> None:
        await exchange.answer(status, b"" if status == 204 else b"<it/>", Retry_After="7", Location="/elsewhere")

    wire.always = act
    reply = await opened.send(QUESTION)
    assert (reply.status, reply.body) == (status, b"" if status == 204 else b"<it/>")
    assert (reply.headers["retry-after"], reply.headers["location"]) == ("7", "/elsewhere")
    assert len(wire.seen) == 1


async def test_the_request_is_sent_as_it_is_with_the_credentials_and_without_compression(
    opened: Transport, wire: Wire
) -> None:
    wire.always = fine
    await opened.send(QUESTION)
    await opened.send(PURCHASE, purchase=True)
    question, purchase = wire.seen
    assert (question.method, question.path, question.body) == ("GET", "/number/order/7", b"")
    assert (purchase.method, purchase.path, purchase.body) == ("POST", "/number/order", b"localCount=1")
    assert (question.headers["accept"], purchase.headers["content-length"]) == ("text/xml", "12")
    for seen in wire.seen:
        assert (seen.headers["authorization"], seen.headers["accept-encoding"]) == (SECRET, "identity")
        assert "cookie" not in seen.headers


async def test_cookies_are_not_kept(wire: Wire) -> None:
    async def bakes(exchange: Exchange) -> None:
        await exchange.answer(200, Set_Cookie="session=1; Path=/")

    wire.always = bakes
    shipped = transport(wire.url)
    await shipped.start()
    await shipped.send(QUESTION)
    await shipped.send(QUESTION)
    await shipped.aclose()
    assert ["cookie" in seen.headers for seen in wire.seen] == [False, False]


async def test_the_environments_proxy_is_not_asked(wire: Wire, monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port}")
    monkeypatch.setenv("no_proxy", "")
    wire.always = fine
    shipped = transport(wire.url)
    await shipped.start()
    assert (await shipped.send(QUESTION)).status == 200
    await shipped.aclose()


async def test_the_callers_own_auth_does_not_replace_the_credentials(wire: Wire) -> None:
    wire.always = fine
    async with httpx.AsyncClient(auth=("someone", "else"), trust_env=False) as http:
        it = transport(wire.url, http)
        await it.start()
        await it.send(PURCHASE, purchase=True)
        await it.aclose()
        assert not http.is_closed  # it is the caller's
    assert wire.seen[0].headers["authorization"] == SECRET


async def test_an_answer_of_eight_mebibytes_is_read(opened: Transport, wire: Wire) -> None:
    async def long(exchange: Exchange) -> None:
        await exchange.answer(200, bytes(MOST_BYTES))

    wire.always = long
    assert len((await opened.send(QUESTION)).body) == MOST_BYTES


@pytest.mark.parametrize("framed", [True, False], ids=["with its length", "without"])
async def test_an_answer_over_eight_mebibytes_is_refused_and_not_read_to_its_end(
    *,
    framed: bool,
    opened: Transport,
    wire: Wire,
) -> None:
    end, sent = 1 << 30, 0
    stopped = asyncio.Event()

    async def endless(exchange: Exchange) -> None:
        nonlocal sent
        length = f"Content-Length: {end}\r\n" if framed else "Connection: close\r\n"
        try:
            await exchange.send(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
            while sent < end:
                await exchange.send(bytes(1 << 16))
                sent += 1 << 16
        finally:
            stopped.set()

    wire.always = endless
    with pytest.raises(ProtocolError, match="larger than 8 MiB") as caught:
        await opened.send(QUESTION)
    assert len(caught.value.body) == 512
    await asyncio.wait_for(stopped.wait(), 5)
    assert MOST_BYTES < sent < 64 << 20  # the rest lay in the buffers of two sockets


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_it_is_the_unpacked_size_that_counts(
    name: str, pack: Callable[[bytes], bytes], opened: Transport, wire: Wire
) -> None:
    bomb = pack(bytes(MOST_BYTES + 1))
    assert len(bomb) < 10_000

    async def act(exchange: Exchange) -> None:
        await exchange.answer(200, bomb, Content_Encoding=name)

    wire.always = act
    with pytest.raises(ProtocolError, match="larger than 8 MiB"):
        await opened.send(QUESTION)


async def test_an_answer_that_is_packed_although_nobody_asked_is_unpacked(opened: Transport, wire: Wire) -> None:
    async def act(exchange: Exchange) -> None:
        await exchange.answer(200, gzip.compress(b"<fine/>"), Content_Encoding="gzip")

    wire.always = act
    assert (await opened.send(QUESTION)).body == b"<fine/>"


# ------------------------------------------------------------------ how long it waits


async def test_silence_is_a_timeout(wire: Wire, http: httpx.AsyncClient | None) -> None:
    async def silent(exchange: Exchange) -> None:
        await exchange.gone()

    wire.always = silent
    it = transport(wire.url, http, timeout=0.1)
    await it.start()
    with pytest.raises(RequestTimeoutError, match=r"within 0\.1 seconds\. It may have received") as caught:
        await it.send(QUESTION)
    assert (caught.value.sent, isinstance(caught.value, TimeoutError)) == (True, True)
    await it.aclose()


async def test_an_answer_that_drips_holds_nobody_longer_than_four_timeouts(
    wire: Wire, http: httpx.AsyncClient | None
) -> None:
    drops = 0

    async def drips(exchange: Exchange) -> None:
        nonlocal drops
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        for _ in range(1000):  # each well within the timeout, all together ten seconds
            await exchange.send(b" ")
            drops += 1
            await asyncio.sleep(0.01)

    wire.always = drips
    it = transport(wire.url, http, timeout=0.1)
    await it.start()
    with pytest.raises(RequestTimeoutError):
        await it.send(QUESTION)
    assert (
        10 < drops < 100
    )  # it was not the wait for one byte that ran out, and not the whole answer that was waited for
    await it.aclose()


# ------------------------------------------------------------------ connections


async def test_cancelling_who_waits_lets_the_request_end_and_its_connection_is_used_again(
    opened: Transport, wire: Wire
) -> None:
    release = asyncio.Event()

    async def waits(exchange: Exchange) -> None:
        await release.wait()
        await fine(exchange)

    wire.script.append(waits)
    wire.always = fine
    waiting = asyncio.create_task(opened.send(QUESTION))
    await wire.arrived.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    (flying,) = opened._flying
    release.set()
    await asyncio.wait([flying])
    assert flying.result().status == 200
    assert (await opened.send(QUESTION)).status == 200
    assert [seen.connection for seen in wire.seen] == [1, 1]
    assert not opened._flying


async def test_a_request_that_fails_after_everyone_has_stopped_waiting_bothers_nobody(
    opened: Transport, wire: Wire
) -> None:
    release = asyncio.Event()

    async def breaks(exchange: Exchange) -> None:
        await release.wait()
        exchange.reset()

    wire.always = breaks
    waiting = asyncio.create_task(opened.send(QUESTION))
    await wire.arrived.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    (flying,) = opened._flying
    release.set()
    await asyncio.wait([flying])
    assert isinstance(flying.exception(), TransportError)


async def test_closing_ends_what_is_not_answered_in_time(wire: Wire, http: httpx.AsyncClient | None) -> None:
    async def silent(exchange: Exchange) -> None:
        await exchange.gone()

    wire.always = silent
    it = transport(wire.url, http)
    await it.start()
    waiting = asyncio.create_task(it.send(QUESTION))
    await wire.arrived.wait()
    await it.aclose(patience=0.05)
    with pytest.raises((asyncio.CancelledError, Error)):
        await waiting
    assert not it._flying


AIOHTTP_ALONE = pytest.mark.xfail(
    strict=True,
    reason="aiohttp sends an idempotent request again by itself, and a client of the caller's cannot be kept from it",
)


@pytest.mark.parametrize("how", ["closes", "resets"])
@pytest.mark.parametrize(
    "http", ["shipped", "httpx", pytest.param("httpx_aiohttp", marks=AIOHTTP_ALONE)], indirect=True
)
async def test_a_question_on_a_reused_connection_that_breaks_is_not_silently_sent_again(
    how: str, opened: Transport, wire: Wire
) -> None:
    async def breaks(exchange: Exchange) -> None:
        exchange.close() if how == "closes" else exchange.reset()

    wire.script.extend([fine, breaks])
    wire.always = fine
    await opened.send(QUESTION)
    with pytest.raises(TransportError, match="connection broke") as caught:
        await opened.send(QUESTION)
    assert caught.value.sent
    assert [seen.connection for seen in wire.seen] == [1, 1]
    await opened.send(QUESTION)
    assert [seen.connection for seen in wire.seen] == [1, 1, 2]


async def test_each_purchase_has_its_own_connection_and_questions_share_theirs(wire: Wire) -> None:
    wire.always = fine
    shipped = transport(wire.url)
    await shipped.start()
    for purchase in (False, True, False, True):
        await shipped.send(PURCHASE if purchase else QUESTION, purchase=purchase)
    await shipped.aclose()
    assert [(seen.method, seen.connection) for seen in wire.seen] == [("GET", 1), ("POST", 2), ("GET", 1), ("POST", 3)]


async def test_many_questions_at_once_are_not_held_up_by_a_pool(wire: Wire) -> None:
    everyone = asyncio.Barrier(101)

    async def waits_for_all(exchange: Exchange) -> None:
        await everyone.wait()
        await fine(exchange)

    wire.always = waits_for_all
    shipped = transport(wire.url)
    await shipped.start()
    replies = await asyncio.gather(*(shipped.send(QUESTION) for _ in range(101)))
    await shipped.aclose()
    assert {reply.status for reply in replies} == {200}
