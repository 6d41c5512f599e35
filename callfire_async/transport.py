"""Requests out, answers in: the only place that knows httpx, and the judge of whether a request may have arrived."""

from __future__ import annotations

import asyncio
import ipaddress
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from callfire_async.errors import ConfigurationError, Error, ProtocolError, RequestTimeoutError, TransportError
from callfire_async.providers import Reply, Request

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

T = TypeVar("T")

#: The largest answer that is read, decoded: a page of a thousand numbers has about 600 KB.
MOST_BYTES: Final = 8 * 1024 * 1024

#: Bytes from which an answer is decoded in a thread. The densest of this size takes 8 ms, about what the loop waits for a thread at work, since
#: the interpreter's threads take turns of 5 ms: less would gain nothing. 64 KiB of empty elements take 30 to 70 ms.
LARGE: Final = 8 * 1024

#: A whole answer may take this many times the timeout, so that a server which sends a byte now and then holds nobody for ever.
LONGEST: Final = 4

#: What an exception may be, or be raised from, to prove that no byte of the request reached the provider. Everything else leaves that open.
_NEVER_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_NEVER_SENT_BY_HTTPX: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

#: Whose exceptions httpx's words may stand for: its own lower layer's, and those that a user's test has asked respx for.
_HONEST: Final = ("httpcore", "respx")


class Transport:
    """Sends requests to one provider with its credentials.

    `headers` hold the credentials and are shown nowhere. `timeout` counts seconds, for connecting and for each wait for a byte.
    With `http`, a client of yours carries everything and stays open afterwards; its pool then decides which connection a purchase rides on.
    """

    def __init__(
        self, base_url: str, *, headers: Mapping[str, str], timeout: float, http: httpx.AsyncClient | None = None
    ) -> None:
        self.base_url = _checked(base_url)
        self._headers = {**headers, "Accept-Encoding": "identity"}
        self._timeout = httpx.Timeout(timeout)
        self._http = http
        self._polls: AiohttpTransport | None = None
        self._purchases: AiohttpTransport | None = None
        self._flying: set[asyncio.Task[Reply]] = set()

    def __repr__(self) -> str:
        return f"<Transport {self.base_url}>"

    @property
    def reach(self) -> float:
        """The most seconds until a request is under way: for a turn in the pool, and for a connection."""
        return 2 * float(self._timeout.connect or 0)

    async def start(self) -> None:
        """Open the connection pools."""
        if self._http is None:
            self._polls = AiohttpTransport(verify=_tls(), client=_session(reuse=True))
            # A server that closes an idle connection just then would look like a doubt: each purchase opens its own.
            self._purchases = AiohttpTransport(verify=_tls(), client=_session(reuse=False))

    async def aclose(self, *, patience: float = 0.0) -> None:
        """Wait up to `patience` seconds for requests under way, then close the pools."""
        if self._flying:
            await asyncio.wait(self._flying, timeout=patience)
        for task in (left := list(self._flying)):
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for pool in (self._polls, self._purchases):
            if pool is not None:
                await pool.aclose()

    async def send(self, request: Request, *, purchase: bool = False) -> Reply:
        """The complete answer, whatever its status. Raises TransportError, whose `sent` tells whether the provider may have seen the request.

        Cancelling this does not cut the request, which would cost a connection and leave a purchase in doubt: it ends on its own.
        """
        task = asyncio.create_task(self._exchange(request, purchase=purchase))
        self._flying.add(task)
        task.add_done_callback(self._landed)
        return await asyncio.shield(task)

    def _landed(self, task: asyncio.Task[Reply]) -> None:
        self._flying.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that nobody is told of a result that nobody wanted

    async def _exchange(self, request: Request, *, purchase: bool) -> Reply:
        bound = httpx.Request(
            request.method,
            self.base_url + request.path,
            headers={**self._headers, **request.headers},
            content=request.body,
            extensions={"timeout": self._timeout.as_dict()},
        )
        try:
            async with asyncio.timeout(LONGEST * (self._timeout.read or 0)):
                response = await self._begin(bound, purchase=purchase)
                try:
                    body = await _read(response)
                finally:
                    await response.aclose()
        except Error:
            raise
        except Exception as exc:  # whatever it is, it must not pass for an answer
            _forget_credentials(exc)
            raise _judged(exc, self._timeout) from exc
        return Reply(
            status=response.status_code, headers={k.lower(): v for k, v in response.headers.items()}, body=body
        )

    async def _begin(self, bound: httpx.Request, *, purchase: bool) -> httpx.Response:
        if self._http is not None:
            # Basic auth must not follow a Location, and the client's own auth must not replace ours.
            return await self._http.send(bound, stream=True, auth=None, follow_redirects=False)
        pool = self._purchases if purchase else self._polls
        if pool is None:
            raise ConfigurationError("The client is not open: use it inside 'async with'. Nothing was sent.")
        return await pool.handle_async_request(bound)


async def decoded(reply: Reply, decode: Callable[[Reply], T]) -> T:
    """A decoded answer; a large one is decoded in a thread, so that the loop is not held up."""
    return decode(reply) if len(reply.body) < LARGE else await asyncio.to_thread(decode, reply)


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ProtocolError(
                f"The answer is larger than {MOST_BYTES >> 20} MiB, and the rest was not read.", body=bytes(body[:1024])
            )
    return bytes(body)


def _judged(exc: Exception, timeout: httpx.Timeout) -> TransportError:
    """What an exception proves.

    httpx-aiohttp calls a connection that was closed after the request a ConnectTimeout, so what an exception was raised from decides first.
    httpx's own words count where it raised them itself or from its own lower layer.
    """
    cause = exc.__cause__
    known = isinstance(exc, _NEVER_SENT_BY_HTTPX) and (cause is None or type(cause).__module__.startswith(_HONEST))
    reason = " ".join(f"{type(cause or exc).__name__}: {cause or exc}".split()).rstrip(": ")[:200]
    if known or isinstance(cause, _NEVER_SENT):
        return TransportError(f"The provider could not be reached ({reason}). The request was not sent.", sent=False)
    if isinstance(exc, httpx.TimeoutException | TimeoutError) and not (
        isinstance(cause, aiohttp.ClientError) and not isinstance(cause, TimeoutError)
    ):
        return RequestTimeoutError(
            f"The provider did not answer within {timeout.read:g} seconds. It may have received the request.", sent=True
        )
    return TransportError(
        f"The connection broke before the answer was complete ({reason}). The provider may have received the request.",
        sent=True,
    )


def _forget_credentials(exc: BaseException | None) -> None:
    """Aiohttp hangs the whole request, Authorization included, on what it raises for an answer that is no HTTP, and `repr` shows it."""
    while exc is not None:
        if isinstance(exc, aiohttp.ClientResponseError):
            exc.request_info = exc.request_info._replace(headers={})  # type: ignore[arg-type]
            exc.args = (exc.request_info, ())
        exc = exc.__cause__ or exc.__context__


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET again by itself on a second connection, which the provider would see as two calls within a second."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise aiohttp.ClientPayloadError(f"{type(exc).__name__} {exc}") from exc


def _session(*, reuse: bool) -> aiohttp.ClientSession:
    # limit=0: the poller bounds what is under way, and a second bound would only hide behind the first.
    connector = aiohttp.TCPConnector(
        limit=0, ssl=_tls(), **({"keepalive_timeout": 30.0} if reuse else {"force_close": True})
    )
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), middlewares=(_once,))


@cache
def _tls() -> ssl.SSLContext:
    """One for all: building it takes some 24 ms."""
    return httpx.create_ssl_context(trust_env=False)


def _checked(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError) as exc:
        raise ConfigurationError(f"base_url= is not an address such as 'https://www.example.com/api': {exc}.") from exc
    if url.userinfo:
        raise ConfigurationError(
            "base_url must not hold credentials: pass them by their own parameters, so that no log shows them."
        )
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.host)):
        raise ConfigurationError(
            f"base_url must begin with https:// ({url.host!r} is not this machine), because every request carries the password."
        )
    if not url.host or url.query or url.fragment:
        raise ConfigurationError(
            "base_url= must name a host and end with a path: the rest of each address is added to it."
        )
    return base_url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
