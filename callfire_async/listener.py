"""Postbacks in: an aiohttp server of its own, or mounted in yours. The only place that knows aiohttp.web, and not before it is needed."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import re
import secrets
from typing import TYPE_CHECKING, Any, Final, Protocol

from callfire_async.errors import ConfigurationError, ProtocolError, StoreError
from callfire_async.peers import Peers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from ssl import SSLContext

    import aiohttp.web

logger = logging.getLogger("callfire_async.listener")


def _discreet(record: logging.LogRecord) -> bool:
    """Keep back what aiohttp tells about a request that is no HTTP: it quotes the line that holds the secret address."""
    record.exc_info = None
    return True


_server_logger = logging.getLogger("callfire_async.listener.server")
_server_logger.addFilter(_discreet)

KEEP_ALIVE: Final = 30.0
"""Seconds an idle connection stays open between two postbacks."""

LINGERING: Final = 1.0
"""Seconds that the rest of a refused body is read, so that its sender can read the refusal."""

MOST_CONNECTIONS: Final = 512
"""Connections at once. One more is closed as it comes; CallFire may try again, and the poller asks anyway."""


class Recipient(Protocol):
    """Who takes in what arrives: a client."""

    async def hear(self, headers: Mapping[str, str], body: bytes) -> None:
        """Return once it is stored. Raises ProtocolError for a body that cannot be read and StoreError where it cannot be kept."""


class Listener:
    """The postback receiver. It serves any number of clients.

    `host` and `port` (0: any free one) are where its own server listens; `public_url` is how the provider reaches it from outside, path included.
    With `serve=False` there is no own server, and `app`, `asgi` or `receive` is mounted in yours. `token` is the secret last part of the
    address, at least 16 letters, digits, '-' or '_'; without one a new one is made each time. `ssl` serves TLS. With `allow`, a list of networks
    such as "203.0.113.0/24", others are answered as if the address were wrong; behind proxies, name those in `trusted_proxies`, and
    the address that they put into X-Forwarded-For counts instead of theirs. A body may have `max_body` bytes and take `read_timeout` seconds.
    Raises ConfigurationError for what cannot work.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        public_url: str | None = None,
        token: str | None = None,
        ssl: SSLContext | None = None,
        allow: Sequence[str] = (),
        trusted_proxies: Sequence[str] = (),
        max_body: int = 65536,
        read_timeout: float = 5.0,
        serve: bool = True,
    ) -> None:
        if token is not None and not re.fullmatch(r"[A-Za-z0-9_-]{16,}", token):
            raise ConfigurationError(
                "token= must be at least 16 letters, digits, '-' or '_': it is what keeps strangers out."
            )
        if public_url is not None and not re.fullmatch(r"https?://[^/?#\s][^?#\s]*", public_url):
            raise ConfigurationError(
                f"public_url={public_url!r} must be an address such as 'https://example.com/hooks', to which the token can be added."
            )
        if not 0 <= port <= 65535 or max_body < 1 or not read_timeout > 0:
            raise ConfigurationError(
                "port= must be 0 to 65535, max_body= at least 1 byte and read_timeout= above 0 seconds."
            )
        self._host = host
        self._port = port
        self._public_url = public_url
        self._token = token or secrets.token_urlsafe(32)
        self._ssl = ssl
        self._peers = Peers(allow, trusted_proxies)
        self._max_body = max_body
        self._read_timeout = read_timeout
        self._serve = serve
        self._recipients: list[Recipient] = []
        self._runner: aiohttp.web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._changing = asyncio.Lock()
        self._kept = False
        self._stopping = False
        #: The connections that have sent something, and how many are being answered; an event says that none is.
        self._conversations: set[asyncio.Task[None]] = set()
        self._answering = 0
        self._idle = asyncio.Event()
        #: Bodies that were not accepted so far: wrong address, too large, too slow, encoded or unreadable.
        self.refused = 0

    def __repr__(self) -> str:
        where = self._public_url or (f"{self._host}:{self.port}" if self._server else "not started")
        return f"<Listener {where}>"

    @property
    def url(self) -> str:
        """The secret address to hand to the provider. Whoever knows it can make this library ask its provider, and no more than that."""
        if self._public_url is not None:
            return f"{self._public_url.rstrip('/')}/{self._token}"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104 - recognised, not bound
        return f"{'http' if self._ssl is None else 'https'}://{f'[{host}]' if ':' in host else host}:{self.port}/{self._token}"

    @property
    def port(self) -> int:
        """The port of the own server. ConfigurationError before it is known."""
        if self._server is not None:
            return int(self._server.sockets[0].getsockname()[1])
        if self._port and self._serve:
            return self._port
        raise ConfigurationError("The listener's address is not known: start it first, or give it a public_url.")

    @property
    def app(self) -> aiohttp.web.Application:
        """A new aiohttp application, for `parent.add_subapp("/hooks", listener.app)`."""
        from aiohttp import web

        # Its own limit is one byte higher, so that a body over ours is told apart from one just at it.
        app = web.Application(client_max_size=self._max_body + 1)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        return app

    def add(self, recipient: Recipient) -> None:
        """Hand everything that arrives to one more client."""
        self._recipients.append(recipient)

    async def remove(self, recipient: Recipient) -> None:
        """Hand it nothing more. A listener that its clients started stops with the last of them."""
        self._recipients.remove(recipient)
        if not self._recipients and not self._kept:
            await self.stop()

    async def start(self) -> None:
        """Listen. Calling it again does nothing. Started before any client is, it runs until `stop()`."""
        async with self._changing:
            self._kept = self._kept or not self._recipients
            self._stopping = False
            if self._serve and self._runner is None:
                await self._open()

    async def stop(self) -> None:
        """Stop listening. What arrives in the meantime is answered 503, so that a sender that tries again can."""
        async with self._changing:
            self._stopping, self._kept = True, False
            await self._close()

    async def _open(self) -> None:
        from aiohttp import web

        # No access log: it would hold the secret address.
        runner = self._runner = web.AppRunner(
            self.app,
            access_log=None,
            logger=_server_logger,
            keepalive_timeout=KEEP_ALIVE,
            lingering_time=LINGERING,
            shutdown_timeout=1.0,
            auto_decompress=False,
        )
        try:
            await runner.setup()
            self._server = await asyncio.get_running_loop().create_server(
                self._connection, self._host, self._port, ssl=self._ssl
            )
        except OSError as exc:
            await self._close()
            raise ConfigurationError(
                f"The listener cannot listen on {self._host} port {self._port}: {exc.strerror or exc}."
            ) from exc
        except BaseException:
            await self._close()
            raise

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            if self._answering:  # aiohttp reads no further once it cleans up, so what is being sent is waited for here
                self._idle.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._idle.wait(), self._read_timeout)
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        if self._conversations:  # aiohttp does not wait for those whose sender hung up, and lets them linger
            await asyncio.wait(self._conversations, timeout=2 * LINGERING)
        if server is not None:
            await server.wait_closed()

    async def receive(self, path: str, headers: Mapping[str, str], body: bytes, *, peer: str | None = None) -> int:
        """Take in a POST that another web server received; the HTTP status to answer it with.

        `peer` is the address it came from. With `allow`, a POST without one is refused.

        200 means stored, and the same for an order nobody knows. 400, 413 and 415 mean that the body cannot be accepted, 404 a wrong address,
        503 that it could not be kept and may be sent again.
        """
        status = await self._judge(path, _lower(headers.items()), body, peer)
        if status < 500 and status != 200:
            self.refused += 1
        return status

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        """An ASGI application: `app.mount("/hooks", listener.asgi)`."""
        if scope["type"] != "http":
            return

        async def read() -> bytes:
            body, more = bytearray(), True
            while more and len(body) <= self._max_body:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False) and message["type"] == "http.request"
            return bytes(body)

        headers = _lower((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        peer = (scope.get("client") or (None,))[0]
        status = await self._respond(scope["method"], scope["path"], headers, peer, read)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def _handle(self, request: aiohttp.web.Request) -> aiohttp.web.Response:
        from aiohttp import web

        async def read() -> bytes:
            try:
                return await request.read()
            except web.HTTPRequestEntityTooLarge:
                return bytes(self._max_body + 1)

        self._conversations.add(request.task)
        request.task.add_done_callback(self._conversations.discard)
        headers = _lower(request.headers.items())
        self._answering += 1
        try:
            status = await self._respond(request.method, request.path, headers, request.remote, read)
        finally:
            self._answering -= 1
            if not self._answering:
                self._idle.set()
        response = web.Response(status=status)
        if status in (408, 413):
            response.force_close()
        return response

    async def _respond(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        peer: str | None,
        read: Callable[[], Awaitable[bytes]],
    ) -> int:
        """The status for a request whose body is still on its way: it is read only where it is wanted, and not for ever."""
        if method in ("GET", "HEAD") and path.rpartition("/")[2] == "healthz":
            return 503 if self._stopping else 200
        if method != "POST":
            return 404
        status = self._judge_before_body(path, headers, peer)
        try:
            if status == 200:
                async with asyncio.timeout(self._read_timeout):
                    body = await read()
                return await self.receive(path, headers, body, peer=peer)
        except TimeoutError:
            status = 408
        except (OSError, ValueError) as exc:  # the sender went away, or its framing is broken
            logger.debug("A postback could not be read: %r", exc)
            status = 400
        self.refused += status != 503
        return status

    def _judge_before_body(self, path: str, headers: Mapping[str, str], peer: str | None) -> int:
        token = path.rstrip("/").rpartition("/")[2].encode(errors="replace")
        admitted = self._peers.admits(peer, headers.get("x-forwarded-for", ""))
        if not hmac.compare_digest(token, self._token.encode()) or not admitted:
            return 404  # as for any unknown path: nobody learns that there is something to guess
        if self._stopping or not self._recipients:
            return 503
        if headers.get("content-encoding", "identity").lower() != "identity":
            return 415  # a small body may unpack into a very large one
        length = headers.get("content-length", "0")
        return 413 if not length.isdecimal() or len(length) > 18 or int(length) > self._max_body else 200

    async def _judge(self, path: str, headers: Mapping[str, str], body: bytes, peer: str | None) -> int:
        if (status := self._judge_before_body(path, headers, peer)) != 200:
            return status
        if len(body) > self._max_body:
            return 413
        unreadable, recipients = 0, self._recipients.copy()
        for recipient in recipients:
            try:
                await recipient.hear(headers, body)
            except ProtocolError as exc:
                unreadable += 1
                logger.debug("A postback is refused: %s", exc)
            except StoreError as exc:
                logger.warning("A postback could not be stored and is answered 503: %s", exc)
                return 503
            except Exception:
                logger.exception("A postback could not be handled and is answered 500.")
                return 500
        return 400 if unreadable == len(recipients) else 200

    def _connection(self) -> asyncio.BaseProtocol:
        server = None if self._runner is None else self._runner.server
        return _Full() if server is None or len(server.connections) >= MOST_CONNECTIONS else server()


def _lower(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names in lower case; what was sent several times is one list, as HTTP has it."""
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name.lower()] = f"{joined[name.lower()]}, {value}" if name.lower() in joined else value
    return joined


class _Full(asyncio.Protocol):
    """A connection that is not wanted."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
