"""Postbacks in: an aiohttp server of its own, or mounted in yours. The only place that knows aiohttp.web, and not before it is needed."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import secrets
from typing import TYPE_CHECKING, Any, Final, Protocol

from callfire_async.errors import ConfigurationError, ProtocolError, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from ssl import SSLContext

    import aiohttp.web

logger = logging.getLogger("callfire_async.listener")

KEEP_ALIVE: Final = 30.0
"""Seconds an idle connection stays open between two postbacks."""

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
    address, at least 16 letters, digits, '-' or '_'; without one a new one is made each time. `ssl` serves TLS. A body may have `max_body` bytes and
    take `read_timeout` seconds. Raises ConfigurationError for what cannot work.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        public_url: str | None = None,
        token: str | None = None,
        ssl: SSLContext | None = None,
        max_body: int = 65536,
        read_timeout: float = 5.0,
        serve: bool = True,
    ) -> None:
        if token is not None and not re.fullmatch(r"[A-Za-z0-9_-]{16,}", token):
            raise ConfigurationError(
                "token= must be at least 16 letters, digits, '-' or '_': it is what keeps strangers out."
            )
        if public_url is not None and not re.match(r"https?://[^/?#]", public_url):
            raise ConfigurationError(
                f"public_url={public_url!r} must be an address such as 'https://example.com/hooks'."
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
        self._max_body = max_body
        self._read_timeout = read_timeout
        self._serve = serve
        self._recipients: list[Recipient] = []
        self._runner: aiohttp.web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._kept = False
        self._stopping = False
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
        self._kept = self._kept or not self._recipients
        self._stopping = False
        if not self._serve or self._runner is not None:
            return
        from aiohttp import web

        # No access log: it would hold the secret address. Lingering lets a sender read the refusal of a body it is still sending.
        runner = self._runner = web.AppRunner(
            self.app,
            access_log=None,
            keepalive_timeout=KEEP_ALIVE,
            lingering_time=1.0,
            shutdown_timeout=1.0,
            auto_decompress=False,
        )
        try:
            await runner.setup()
            self._server = await asyncio.get_running_loop().create_server(
                self._connection, self._host, self._port, ssl=self._ssl
            )
        except OSError as exc:
            await self.stop()
            raise ConfigurationError(
                f"The listener cannot listen on {self._host} port {self._port}: {exc.strerror or exc}."
            ) from exc
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening. What arrives in the meantime is answered 503, so that a sender that tries again can."""
        self._stopping, self._kept = True, False
        server, self._server = self._server, None
        runner, self._runner = self._runner, None
        if server is not None:
            server.close()
        if runner is not None:
            await runner.cleanup()
        if server is not None:
            await server.wait_closed()

    async def receive(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """Take in a POST that another web server received; the HTTP status to answer it with.

        200 means stored, and the same for an order nobody knows. 400, 413 and 415 mean that the body cannot be accepted, 404 a wrong address,
        503 that it could not be kept and may be sent again.
        """
        status = await self._judge(path, headers, body)
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

        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        status = await self._respond(scope["method"], scope["path"], headers, read)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def _handle(self, request: aiohttp.web.Request) -> aiohttp.web.Response:
        from aiohttp import web

        async def read() -> bytes:
            try:
                return await request.read()
            except web.HTTPRequestEntityTooLarge:
                return bytes(self._max_body + 1)

        headers = {name.lower(): value for name, value in request.headers.items()}
        response = web.Response(status=await self._respond(request.method, request.path, headers, read))
        if response.status in (408, 413):
            response.force_close()
        return response

    async def _respond(
        self, method: str, path: str, headers: Mapping[str, str], read: Callable[[], Awaitable[bytes]]
    ) -> int:
        """The status for a request whose body is still on its way: it is read only where it is wanted, and not for ever."""
        if method in ("GET", "HEAD") and path.rpartition("/")[2] == "healthz":
            return 503 if self._stopping else 200
        if method != "POST":
            return 404
        status = self._judge_before_body(path, headers)
        try:
            if status == 200:
                async with asyncio.timeout(self._read_timeout):
                    body = await read()
                return await self.receive(path, headers, body)
        except TimeoutError:
            status = 408
        except (OSError, ValueError) as exc:  # the sender went away, or its framing is broken
            logger.debug("A postback could not be read: %r", exc)
            status = 400
        self.refused += status != 503
        return status

    def _judge_before_body(self, path: str, headers: Mapping[str, str]) -> int:
        token = path.rstrip("/").rpartition("/")[2].encode(errors="replace")
        if not hmac.compare_digest(token, self._token.encode()):
            return 404  # as for any unknown path: nobody learns that there is something to guess
        if self._stopping or not self._recipients:
            return 503
        if headers.get("content-encoding", "identity").lower() != "identity":
            return 415  # a small body may unpack into a very large one
        length = headers.get("content-length", "0")
        return 413 if not length.isdecimal() or int(length) > self._max_body else 200

    async def _judge(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        headers = {name.lower(): value for name, value in headers.items()}
        if (status := self._judge_before_body(path, headers)) != 200:
            return status
        if len(body) > self._max_body:
            return 413
        unreadable = 0
        for recipient in self._recipients.copy():
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
        return 400 if unreadable == len(self._recipients) else 200

    def _connection(self) -> asyncio.BaseProtocol:
        server = None if self._runner is None else self._runner.server
        return _Full() if server is None or len(server.connections) >= MOST_CONNECTIONS else server()


class _Full(asyncio.Protocol):
    """A connection that is not wanted."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
