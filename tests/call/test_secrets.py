"""Whatever happens to an order, the password and the listener's token stand in no log, no exception and no repr."""

from __future__ import annotations

import asyncio
import base64
import logging
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from httpx_aiohttp import HttpxAiohttpClient

from callfire_async import (
    AuthenticationError,
    CallFire,
    ClosedError,
    ConfigurationError,
    Error,
    Listener,
    OrderInDoubtError,
    PollPolicy,
    ServerError,
    TransportError,
)
from callfire_async.sandbox import Life, Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from wire import Exchange, Wire

LOGIN, PASSWORD, TOKEN = "apilogin", "s3cret-Passw0rd-of-the-api", "t0ken-that-keeps-strangers-out"
SECRETS = {
    "the password": PASSWORD,
    "the credentials": base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode(),
    "the token": TOKEN,
}


def assert_clean(*texts: str) -> None:
    for text in texts:
        for name, secret in SECRETS.items():
            assert secret not in text, f"{name} stands in {text[:2000]}"


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Every record as any handler might write it: the line, its traceback, and its arguments as they are."""
    formatter = logging.Formatter("%(name)s %(levelname)s %(message)s")
    return [f"{formatter.format(record)}\n{record.args!r}\n{record.exc_info!r}" for record in caplog.records]


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.fixture(params=["shipped", "httpx", "httpx_aiohttp"])
async def carrier(request: pytest.FixtureRequest, nothing_left_behind: None) -> AsyncIterator[httpx.AsyncClient | None]:  # noqa: ARG001
    if request.param == "shipped":
        yield None
        return
    maker = {"httpx": httpx.AsyncClient, "httpx_aiohttp": HttpxAiohttpClient}[request.param]
    async with maker(trust_env=False) as client:
        yield client


async def test_a_whole_life_with_its_faults_tells_no_secret(
    carrier: httpx.AsyncClient | None,
    everything: pytest.LogCaptureFixture,
    everything_it_says: Callable[[BaseException], str],
) -> None:
    errors: list[BaseException] = []
    shown: list[str] = []

    async def expect(error: type[Error], doing: Any) -> None:
        with pytest.raises(error) as caught:
            await doing
        errors.append(caught.value)

    listener = Listener(token=TOKEN)
    async with Sandbox(seed=3, processing=0, postbacks="lost", login=LOGIN, password=PASSWORD) as sandbox:
        sandbox.subscribe("http://127.0.0.1:1/nobody")
        client = CallFire(
            LOGIN,
            PASSWORD,
            base_url=sandbox.callfire_url,
            http=carrier,
            listener=listener,
            poll=PollPolicy(grace=0.0),
            max_retries=0,
        )
        async with client:
            sandbox.subscribe(listener.url)
            for reply in (
                "lost_after_accepting",
                "lost_before_accepting",
                "error_after_accepting",
                "html",
                "empty_after_accepting",
            ):
                sandbox.plan(Life(reply=reply))
                await expect(OrderInDoubtError, client.order(local=1, key=reply))
                await expect(OrderInDoubtError, client.order(local=1, key=reply))
            sandbox.password = PASSWORD.upper()
            await expect(AuthenticationError, client.order(local=1))
            sandbox.password = PASSWORD
            sandbox.plan(
                Life(postback="twice", processing=0.2),
                Life(polls=["error500"]),
                Life(polls=["unauthorized"]),
                Life(polls=["drop"]),
                Life(polls=["html_with_200"]),
                Life(postback="malformed"),
                Life(result="parked"),
            )
            good, failing, locked, cut, strange, unread, parked = [await client.order(local=1) for _ in range(7)]
            asking = [expect(ServerError, failing.refresh()), expect(Error, cut.refresh())]
            asking += [expect(Error, strange.refresh()), expect(AuthenticationError, locked.result())]
            await asyncio.gather(*asking)
            await asyncio.gather(good.result(), unread.result(), unread.refresh())
            with pytest.raises(TimeoutError) as late:
                await parked.result(timeout=0.01)
            errors.append(late.value)
            waiting = asyncio.create_task(parked.result())
            async with httpx.AsyncClient(trust_env=False) as stranger:
                for path in ("", "x"):
                    await stranger.post(f"{listener.url.removesuffix(TOKEN)}wrong{path}", content=b"<a/>")
                answers = [
                    await stranger.request(how, listener.url.removesuffix(TOKEN)) for how in ("GET", "POST", "PUT")
                ]
            shown += [repr(it) for it in (client, listener, good, locked, parked, client._transport, client.stats())]
            shown += [repr(it) for it in (await client.in_doubt(), await client.pending(), good.latest)]
            shown += [str(client), str(listener), str(good), *(answer.text for answer in answers)]
        await expect(ClosedError, waiting)
        await expect(ClosedError, client.order(local=1))
        shown += [repr(client), repr(listener)]

    assert len(errors) == 18
    assert client.stats().postbacks_refused >= 3  # the wrong addresses and the malformed body
    assert_clean(*shown, *map(everything_it_says, errors))
    # The stranger above is httpx, and writes down the addresses it calls; it never called the secret one.
    assert_clean(*logged(everything))
    assert {record.name.partition(".")[0] for record in everything.records} >= {"callfire_async", "httpx"}


async def test_an_unexpected_mistake_while_a_postback_is_handled_is_logged_without_the_token(
    everything: pytest.LogCaptureFixture,
    nothing_left_behind: None,  # noqa: ARG001
) -> None:
    class Clumsy:
        async def expects(self, callback: str) -> bool:  # noqa: ARG002
            return False

        async def hear(self, headers: object, body: bytes, callback: str | None = None) -> None:
            raise RuntimeError(f"{len(body)} bytes, {headers is None}, {callback}")

    listener = Listener(token=TOKEN)
    listener.add(Clumsy())
    await listener.start()
    status = await _raw(listener.port, f"POST /{TOKEN} HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n<a/>")
    await listener.stop()
    assert status == 500
    assert any(record.exc_info for record in everything.records)
    assert_clean(*logged(everything))


@pytest.mark.parametrize(
    "request_",
    [
        f"POST /{TOKEN} HTTP/1.1\r\nHost: h\r\nContent-Length: four\r\n\r\n",
        f"POST /{TOKEN} HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
        f"POST /{TOKEN} HTTP/1.1 \r\nHost: h\r\n\r\n",
        f"POST /{TOKEN} HTTP/one\r\nHost: h\r\n\r\n",
        f"POST /{TOKEN} with a blank HTTP/1.1\r\nHost: h\r\n\r\n",
        f"P@ST /{TOKEN} HTTP/1.1\r\nHost: h\r\n\r\n",
    ],
    ids=["length", "header", "blank at the end", "version", "blank", "method"],
)
async def test_a_request_that_is_no_http_does_not_bring_the_token_into_the_log(
    request_: str,
    everything: pytest.LogCaptureFixture,
    nothing_left_behind: None,  # noqa: ARG001
) -> None:
    listener = Listener(token=TOKEN)
    await listener.start()
    status = await _raw(listener.port, request_)
    await listener.stop()
    assert status in (400, 404, 503)
    assert_clean(*logged(everything))


async def _raw(port: int, request: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    status = int((await reader.readline()).split()[1])
    writer.close()
    await writer.wait_closed()
    return status


async def test_an_answer_that_is_no_http_does_not_bring_the_credentials_into_a_poll_error(
    wire: Wire,
    http: httpx.AsyncClient | None,
    everything: pytest.LogCaptureFixture,
    everything_it_says: Callable[[BaseException], str],
) -> None:
    async def garbage(exchange: Exchange) -> None:
        await exchange.send(b"\x00\x01\x02 nonsense\r\n\r\n")
        exchange.close()

    wire.always = garbage
    async with CallFire(LOGIN, PASSWORD, base_url=wire.url, http=http) as client:
        with pytest.raises(TransportError) as caught:
            await client.get_order(7)
    assert_clean(everything_it_says(caught.value), *logged(everything))


async def test_what_a_client_cannot_be_made_of_is_refused_without_the_password() -> None:
    wrong: list[dict[str, Any]] = [
        {"base_url": f"http://{LOGIN}:{PASSWORD}@127.0.0.1"},
        {"base_url": "http://example.com"},
        {"login": "a:b"},
        {"timeout": 0},
        {"max_retries": -1},
        {"store": f"postgresql://app:{PASSWORD}@db:port/orders"},
        {"store": f"postgresql://app:1/{PASSWORD}@db/orders"},
        {"store": f"mysql://app:{PASSWORD}@db/orders"},
    ]
    for options in wrong:
        with pytest.raises(ConfigurationError) as caught:
            CallFire(**{"login": LOGIN, "password": PASSWORD, **options})
        assert_clean(repr(caught.value), str(caught.value))
