"""A purchase whose reply is lost is sent once, whatever the server does and whatever carries the request; one that surely never arrived is sent again."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from httpx_aiohttp import HttpxAiohttpClient

from callfire_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    CallFire,
    ClosedError,
    NotFoundError,
    OrderInDoubtError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitedError,
    Region,
    RequestTimeoutError,
    ServerError,
    TransportError,
    __version__,
    open_store,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import respx
    from wire import Act, Exchange, Wire

PASSWORD = "correct-horse-battery-staple"  # noqa: S105  # opens nothing
BASIC = base64.b64encode(f"login:{PASSWORD}".encode()).decode()
ORDER: dict[str, Any] = {"numbers": ["+1 (855) 987-5391"], "key": "purchase-7"}
CONTENT = {"numbers": ["18559875391"]}


def callfire(url: str, http: httpx.AsyncClient | None = None, **options: Any) -> CallFire:
    return CallFire("login", PASSWORD, base_url=url, http=http, **{"timeout": 5.0, **options})


async def settled_silence(wire: Wire, http: httpx.AsyncClient | None) -> None:
    """Wait until every connection has ended, so that nothing more can come."""
    if http is not None:
        await http.aclose()
    await wire.stop()


# ------------------------------------------------------------------ what the server does after it has read the whole POST


def answers(status: int, body: bytes = b"", **headers: str) -> Act:
    async def act(exchange: Exchange) -> None:
        await exchange.answer(status, body, **headers)

    return act


def sends_and_closes(raw: bytes) -> Act:
    async def act(exchange: Exchange) -> None:
        await exchange.send(raw)
        exchange.close()

    return act


async def closes(exchange: Exchange) -> None:
    exchange.close()


async def resets(exchange: Exchange) -> None:
    exchange.reset()


async def says_nothing(exchange: Exchange) -> None:
    await exchange.gone()


async def interim_and_no_more(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    await exchange.gone()


HTML = b"<html><body><h1>Bad Gateway</h1></body></html>"
REFERENCE = b'<r:ResourceReference xmlns:r="http://api.callfire.com/resource">%s</r:ResourceReference>'
EXCEPTION = (
    b'<r:ResourceException xmlns:r="http://api.callfire.com/resource">'
    b"<r:HttpStatus>%d</r:HttpStatus><r:Message>no such luck</r:Message></r:ResourceException>"
)

DOUBTS: list[Any] = [
    # DESIGN.md, section 5, the table
    pytest.param(closes, TransportError, id="closes"),
    pytest.param(resets, TransportError, id="resets"),
    pytest.param(
        sends_and_closes(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n<r:Resourc"),
        TransportError,
        id="half an answer",
    ),
    pytest.param(sends_and_closes(b"\x15\x03\x01\x00\x02 garbage\r\n\r\n"), TransportError, id="garbage"),
    pytest.param(says_nothing, RequestTimeoutError, id="says nothing"),
    # and beyond it
    pytest.param(
        sends_and_closes(b"HTTP/1.1 201 Created\r\nContent-Len"),
        TransportError,
        id="closes in the middle of the headers",
    ),
    pytest.param(answers(201, b"not gzip", Content_Encoding="gzip"), TransportError, id="gzip garbage"),
    pytest.param(answers(500, EXCEPTION % 500), ServerError, id="500"),
    pytest.param(answers(502, HTML, Content_Type="text/html"), ServerError, id="502 HTML"),
    pytest.param(answers(503, Retry_After="0"), ServerError, id="503 with Retry-After"),
    pytest.param(answers(408, EXCEPTION % 408), APIError, id="408"),
    pytest.param(interim_and_no_more, RequestTimeoutError, id="interim answer and no more"),
    pytest.param(answers(200, HTML, Content_Type="text/html"), ProtocolError, id="200 HTML"),
    pytest.param(answers(200), ProtocolError, id="200 empty"),
    pytest.param(answers(200, EXCEPTION % 500), ProtocolError, id="200 with an exception inside"),
    pytest.param(answers(201, EXCEPTION % 429), ProtocolError, id="201 with a rate limit inside"),
    pytest.param(answers(201, REFERENCE % b""), ProtocolError, id="201 without an id"),
    pytest.param(answers(201, REFERENCE % b"<r:Id>../7</r:Id>"), ProtocolError, id="201 with an id that is none"),
    pytest.param(answers(201, b"<a>" + b" " * (9 << 20) + b"</a>"), ProtocolError, id="9 MiB"),
]


@pytest.mark.parametrize(("act", "cause"), DOUBTS)
async def test_one_post_and_a_doubt(
    act: Act,
    cause: type[Exception],
    wire: Wire,
    http: httpx.AsyncClient | None,
    everything_it_says: Callable[[BaseException], str],
) -> None:
    wire.always = act
    async with callfire(wire.url, http, timeout=0.1 if act in (says_nothing, interim_and_no_more) else 5.0) as client:
        with pytest.raises(OrderInDoubtError, match="'purchase-7' may or may not have been placed") as caught:
            await client.order(**ORDER)
        with pytest.raises(OrderInDoubtError, match="Nothing was sent now") as again:
            await client.order(**ORDER)
        (doubt,) = await client.in_doubt()
        assert await client.pending() == []
        assert (client.stats().in_doubt, client.stats().placed) == (1, 0)
    await settled_silence(wire, http)

    assert wire.posts == len(wire.seen) == 1
    assert (wire.seen[0].path, wire.seen[0].body) == ("/number/order", b"Numbers=18559875391")
    assert (caught.value.key, again.value.key) == ("purchase-7", "purchase-7")
    assert (doubt.key, doubt.request) == ("purchase-7", CONTENT)
    assert isinstance(caught.value.__cause__, cause)
    if isinstance(caught.value.__cause__, TransportError):
        assert caught.value.__cause__.sent
    for error in (caught.value, again.value):
        said = everything_it_says(error)
        assert PASSWORD not in said
        assert BASIC not in said


async def test_a_redirect_is_a_doubt_and_the_credentials_do_not_follow_it(
    wire: Wire, http: httpx.AsyncClient | None
) -> None:
    strangers: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        strangers.append(await reader.read(1))
        writer.close()

    elsewhere = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = elsewhere.sockets[0].getsockname()[1]
    wire.always = answers(302, Location=f"http://127.0.0.1:{port}/number/order")
    if http is not None:
        http.follow_redirects = True  # what the caller's client would do by itself
    async with elsewhere:
        async with callfire(wire.url, http) as client:
            with pytest.raises(OrderInDoubtError) as caught:
                await client.order(**ORDER)
            assert [doubt.key for doubt in await client.in_doubt()] == ["purchase-7"]
        await settled_silence(wire, http)
    assert getattr(caught.value.__cause__, "status", None) == 302
    assert wire.posts == 1
    assert strangers == []


async def test_a_redirect_of_a_question_is_not_followed_either(wire: Wire, http: httpx.AsyncClient | None) -> None:
    wire.always = answers(301, Location="/number/order/8")
    if http is not None:
        http.follow_redirects = True
    async with callfire(wire.url, http) as client:
        with pytest.raises(Exception, match="HTTP 301"):
            await client.get_order(7)
    assert [seen.path for seen in wire.seen] == ["/number/order/7"]


async def test_a_reused_connection_of_the_callers_client_that_breaks_is_one_post_too(
    wire: Wire, http: httpx.AsyncClient | None, sample: Callable[[str], bytes]
) -> None:
    wire.script.extend([answers(200, sample("order.processing")), closes])
    async with callfire(wire.url, http) as client:
        await client.get_order("1428507003")
        with pytest.raises(OrderInDoubtError):
            await client.order(**ORDER)
    await settled_silence(wire, http)
    assert [seen.method for seen in wire.seen] == ["GET", "POST"]
    assert wire.seen[1].connection == (2 if http is None else 1)


# ------------------------------------------------------------------ what surely never arrived, or was surely refused


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pauses before a purchase is sent again short: half a second, a second and so on are times a random factor."""
    monkeypatch.setattr("callfire_async.calls.random.uniform", lambda *_: 0.1)


@pytest.mark.usefixtures("hurried")
async def test_nobody_listening_is_tried_again_then_a_transport_error_and_no_doubt(
    http: httpx.AsyncClient | None, free_port: int, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "callfire_async.submission")
    async with callfire(f"http://127.0.0.1:{free_port}", http, max_retries=1) as client:
        with pytest.raises(TransportError, match="was not sent") as caught:
            await client.order(**ORDER)
        assert caught.value.sent is False
        assert [record.levelname for record in caplog.records] == [
            "INFO"
        ]  # it is said once for each time it is sent again
        assert await client.in_doubt() == []
        assert client.stats().in_doubt == 0
    assert wire.seen == []


@pytest.mark.usefixtures("hurried")
async def test_it_is_sent_again_as_often_as_max_retries_says_and_its_key_is_free_afterwards(
    free_port: int, wire: Wire, caplog: pytest.LogCaptureFixture, sample: Callable[[str], bytes]
) -> None:
    caplog.set_level("INFO", "callfire_async.submission")
    store = open_store("memory:")
    async with callfire(f"http://127.0.0.1:{free_port}", store=store, max_retries=2) as client:
        with pytest.raises(TransportError):
            await client.order(**ORDER)
    assert len(caplog.records) == 2
    wire.always = answers(201, sample("order.created"))
    async with callfire(wire.url, store=store) as client:
        order = await client.order(numbers=["18005550100"], key="purchase-7")
    assert (order.id, wire.posts) == ("1428507003", 1)


async def test_without_retries_it_is_tried_once(free_port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "callfire_async.submission")
    async with callfire(f"http://127.0.0.1:{free_port}", max_retries=0) as client:
        with pytest.raises(TransportError):
            await client.order(**ORDER)
    assert caplog.records == []


@pytest.mark.usefixtures("hurried")
async def test_a_server_that_appears_before_the_retry_gets_one_order(
    http: httpx.AsyncClient | None, wire: Wire, sample: Callable[[str], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    port = wire.port
    await wire.stop()
    wire.always = answers(201, sample("order.created"))

    def opens(_: object) -> bool:  # in the moment in which the retry is announced
        opening.append(asyncio.ensure_future(wire.start(port)))
        return True

    opening: list[asyncio.Future[None]] = []
    caplog.set_level("INFO", "callfire_async.submission")
    caplog.handler.addFilter(opens)
    try:
        async with callfire(wire.url, http) as client:
            order = await client.order(**ORDER)
            assert (order.id, client.stats().placed, await client.in_doubt()) == ("1428507003", 1, [])
    finally:
        caplog.handler.removeFilter(opens)
    await asyncio.gather(*opening)
    await settled_silence(wire, http)
    assert (len(opening), wire.posts) == (1, 1)


async def test_too_many_calls_is_sent_again_and_buys_once(
    http: httpx.AsyncClient | None, wire: Wire, sample: Callable[[str], bytes]
) -> None:
    wire.script.extend([answers(429, EXCEPTION % 429, Retry_After="0"), answers(201, sample("order.created"))])
    async with callfire(wire.url, http) as client:
        order = await client.order(**ORDER)
        assert [(o.id, o.key) for o in await client.pending()] == [(order.id, "purchase-7")]
        assert await client.in_doubt() == []
    await settled_silence(wire, http)
    assert (order.id, wire.posts) == ("1428507003", 2)
    assert wire.seen[0].body == wire.seen[1].body


@pytest.mark.parametrize(
    ("retry_after", "posts"), [("0", 3), ("31", 1)], ids=["as often as allowed", "not at all if the wait is too long"]
)
async def test_too_many_calls_for_ever_is_a_refusal_and_no_doubt(
    retry_after: str, posts: int, http: httpx.AsyncClient | None, wire: Wire
) -> None:
    wire.always = answers(429, EXCEPTION % 429, Retry_After=retry_after)
    async with callfire(wire.url, http, max_retries=2) as client:
        with pytest.raises(RateLimitedError, match="no such luck") as caught:
            await client.order(**ORDER)
        assert caught.value.retry_after == float(retry_after)
        assert await client.in_doubt() == []
    await settled_silence(wire, http)
    assert wire.posts == posts


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, BadRequestError), (401, AuthenticationError), (403, PermissionDeniedError), (404, NotFoundError)],
)
async def test_a_refusal_is_its_typed_error_and_frees_the_key(
    status: int, error: type[Exception], http: httpx.AsyncClient | None, wire: Wire, sample: Callable[[str], bytes]
) -> None:
    wire.script.extend([answers(status, EXCEPTION % status), answers(201, sample("order.created"))])
    async with callfire(wire.url, http) as client:
        with pytest.raises(error, match=rf"no such luck \(HTTP {status}\)"):
            await client.order(**ORDER)
        assert (await client.in_doubt(), client.stats().in_doubt, wire.posts) == ([], 0, 1)
        order = await client.order(
            keywords=["SUN"], key="purchase-7"
        )  # another order, under the key that is free again
        assert order.key == "purchase-7"
    await settled_silence(wire, http)
    assert wire.posts == 2


@pytest.mark.parametrize("how", ["speaks no TLS", "closes", "says nothing"])
async def test_what_goes_wrong_before_tls_is_agreed_is_no_doubt(how: str, http: httpx.AsyncClient | None) -> None:
    greetings: list[bytes] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greetings.append(await reader.read(4096))
        if how == "speaks no TLS":
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            if how == "says nothing":
                await reader.read()
            writer.close()
            await writer.wait_closed()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with callfire(f"https://127.0.0.1:{port}", http, timeout=0.2, max_retries=0) as client:
            with pytest.raises(TransportError, match="was not sent") as caught:
                await client.order(**ORDER)
            assert caught.value.sent is False
            assert await client.in_doubt() == []
    assert [greeting[:1] for greeting in greetings] == [b"\x16"]  # a TLS handshake, and nothing of the order


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("maker", [httpx.AsyncClient, HttpxAiohttpClient])
async def test_no_connection_from_the_callers_pool_is_no_doubt(maker: type[httpx.AsyncClient], wire: Wire) -> None:
    wire.always = says_nothing
    async with maker(trust_env=False, limits=httpx.Limits(max_connections=1), timeout=30) as http:
        holding = asyncio.create_task(http.get(f"{wire.url}/held"))
        await wire.arrived.wait()
        async with callfire(wire.url, http, timeout=0.1, max_retries=1) as client:
            with pytest.raises(TransportError, match="was not sent") as caught:
                await client.order(**ORDER)
            assert caught.value.sent is False
            assert await client.in_doubt() == []
        holding.cancel()
        await asyncio.wait([holding])
    await wire.stop()
    assert [seen.path for seen in wire.seen] == ["/held"]


# ------------------------------------------------------------------ which connection it rides on


async def test_a_purchase_opens_a_connection_of_its_own_and_questions_keep_theirs(
    wire: Wire, sample: Callable[[str], bytes]
) -> None:
    async def provider(exchange: Exchange) -> None:
        order_id = exchange.seen.path.rpartition("/")[2].encode()
        if exchange.seen.method == "GET":
            await exchange.answer(200, sample("order.processing").replace(b"1428507003", order_id))
        else:
            await exchange.answer(201, sample("order.created").replace(b"1428507003", str(wire.posts).encode()))

    wire.always = provider
    async with callfire(wire.url) as client:
        await client.get_order(11)
        await client.get_order(12)
        await client.order(local=1)
        await client.get_order(13)
        await client.order(local=2)
        await client.get_order(14)
    assert [(seen.method, seen.connection) for seen in wire.seen] == [
        ("GET", 1),
        ("GET", 1),
        ("POST", 2),
        ("GET", 1),
        ("POST", 3),
        ("GET", 1),
    ]


# ------------------------------------------------------------------ when the caller does not wait


async def test_cancelling_an_order_does_not_cut_its_post_and_it_shows_up_in_pending(
    http: httpx.AsyncClient | None, wire: Wire, sample: Callable[[str], bytes]
) -> None:
    release = asyncio.Event()

    async def waits(exchange: Exchange) -> None:
        await release.wait()
        await exchange.answer(201, sample("order.created"))

    wire.always = waits
    async with callfire(wire.url, http) as client:
        buying = asyncio.create_task(client.order(**ORDER))
        await wire.arrived.wait()
        buying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await buying
        assert (await client.pending(), await client.in_doubt()) == ([], [])
        _, purchase = client._submissions._under_way["purchase-7"]
        release.set()
        await asyncio.wait([purchase])
        assert [(order.id, order.key) for order in await client.pending()] == [("1428507003", "purchase-7")]
        assert client.stats().placed == 1
    assert wire.posts == 1


async def test_closing_waits_for_a_purchase_whose_caller_has_gone(
    http: httpx.AsyncClient | None, wire: Wire, sample: Callable[[str], bytes]
) -> None:
    release = asyncio.Event()

    async def waits(exchange: Exchange) -> None:
        await release.wait()
        await exchange.answer(201, sample("order.created"))

    wire.always = waits
    store = open_store("memory:")
    client = await callfire(wire.url, http, store=store).__aenter__()
    buying = asyncio.create_task(client.order(**ORDER))
    await wire.arrived.wait()
    buying.cancel()
    closing = asyncio.create_task(client.aclose())
    await asyncio.wait([closing], timeout=0.05)
    assert not closing.done()
    with pytest.raises(ClosedError, match="Nothing was sent"):
        await client.order(local=1)
    release.set()
    await closing
    async with callfire(wire.url, http, store=store) as later:
        assert [(order.id, order.key) for order in await later.pending()] == [("1428507003", "purchase-7")]
        assert await later.in_doubt() == []
        assert (await later.order(**ORDER)).id == "1428507003"  # known by its key: nothing is bought
    await settled_silence(wire, http)
    assert wire.posts == 1


async def test_a_post_that_is_not_answered_while_closing_ends_in_doubt(
    http: httpx.AsyncClient | None, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callfire_async.clients.CLOSING", 0.05)
    wire.always = says_nothing
    store = open_store("memory:")
    client = await callfire(wire.url, http, store=store, timeout=30).__aenter__()
    buying = asyncio.create_task(client.order(**ORDER))
    await wire.arrived.wait()
    await client.aclose()
    with pytest.raises(OrderInDoubtError, match="closed before the answer came") as caught:
        await buying
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert client.stats().in_doubt == 1
    async with callfire(wire.url, http, store=store) as later:
        assert [(doubt.key, doubt.request) for doubt in await later.in_doubt()] == [("purchase-7", CONTENT)]
        with pytest.raises(OrderInDoubtError):
            await later.order(**ORDER)
    await settled_silence(wire, http)
    assert wire.posts == 1


async def test_closing_while_a_purchase_waits_for_its_retry_frees_its_key(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, sample: Callable[[str], bytes]
) -> None:
    monkeypatch.setattr("callfire_async.clients.CLOSING", 0.05)
    refused = asyncio.Event()

    async def refuses(exchange: Exchange) -> None:
        await exchange.answer(429, Retry_After="20")
        refused.set()

    wire.script.append(refuses)
    wire.always = answers(201, sample("order.created"))
    store = open_store("memory:")
    client = await callfire(wire.url, store=store).__aenter__()
    buying = asyncio.create_task(client.order(**ORDER))
    await refused.wait()
    await client.aclose()
    with pytest.raises(ClosedError, match="It was not placed"):
        await buying
    async with callfire(wire.url, store=store) as later:
        assert await later.in_doubt() == []
        await later.order(**ORDER)
    assert wire.posts == 2


# ------------------------------------------------------------------ how a user's own tests do it


@pytest.mark.respx(base_url="https://www.callfire.com/api/1.1/rest")
async def test_the_readmes_recipe_an_order_and_its_poll_without_a_network(
    respx_mock: respx.MockRouter, sample: Callable[[str], bytes]
) -> None:
    created = respx_mock.post("/number/order").respond(201, content=sample("order.created"))
    asked = respx_mock.get("/number/order/1428507003").respond(200, content=sample("order.finished"))
    async with httpx.AsyncClient() as http, CallFire("login", PASSWORD, http=http) as client:
        order = await client.order(numbers=["18559875391"], region=Region(city="Seattle", state="WA", country="US"))
        done = await order
        assert (order.id, done.status, done.numbers, order.settled_by) == (
            "1428507003",
            "FINISHED",
            ("12345678901",),
            "poll",
        )
    assert (created.call_count, asked.call_count) == (1, 1)
    for call in (*created.calls, *asked.calls):
        assert call.request.headers["Authorization"] == f"Basic {BASIC}"
        assert call.request.headers["User-Agent"] == f"callfire-async/{__version__}"
        assert call.request.headers["Accept-Encoding"] == "identity"
    assert created.calls.last.request.content == b"Numbers=18559875391&City=Seattle&State=WA&Country=US"
    assert created.calls.last.request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert asked.calls.last.request.content == b""


@pytest.mark.respx(base_url="https://www.callfire.com/api/1.1/rest")
async def test_the_readmes_recipe_a_lost_reply(respx_mock: respx.MockRouter) -> None:
    created = respx_mock.post("/number/order").mock(side_effect=httpx.ReadTimeout)
    async with httpx.AsyncClient() as http, CallFire("login", PASSWORD, http=http) as client:
        with pytest.raises(OrderInDoubtError):
            await client.order(local=1)
    assert created.call_count == 1


async def test_the_shipped_transport_sends_the_same_headers(wire: Wire, sample: Callable[[str], bytes]) -> None:
    wire.always = answers(201, sample("order.created"))
    async with callfire(wire.url) as client:
        await client.order(local=2, toll_free=1)
    (seen,) = wire.seen
    assert seen.body == b"localCount=2&tollFreeCount=1"
    assert seen.headers == {
        "host": f"127.0.0.1:{wire.port}",
        "authorization": f"Basic {BASIC}",
        "user-agent": f"callfire-async/{__version__}",
        "accept-encoding": "identity",
        "accept": "application/xml, text/xml",
        "content-type": "application/x-www-form-urlencoded",
        "content-length": str(len(seen.body)),
        "connection": "close",
    }
