"""Postbacks in: a server of its own, or mounted in yours. aiohttp.web is imported when it is needed and not before."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from callfire_async.errors import ConfigurationError, ProtocolError, StoreError
from callfire_async.listener.fields import lower
from callfire_async.listener.handlers import Handlers
from callfire_async.listener.peers import Peers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from ssl import SSLContext

    import aiohttp.web

    from callfire_async.listener.handlers import H
    from callfire_async.listener.server import Server

logger = logging.getLogger("callfire_async.listener")


class Recipient(Protocol):
    """Who takes in what arrives: a client."""

    async def hear(self, headers: Mapping[str, str], body: bytes, callback: str | None = None) -> object | None:
        """Return once it is stored: None, or what the body tells instead of an order, for the handlers of `on_notification`.

        Raises ProtocolError for a body that cannot be read and StoreError where it cannot be kept. `callback` is given for what came to an
        address that `expects` knows.
        """

    async def expects(self, callback: str) -> bool:
        """Whether an order has an address of its own with this digest."""


class _Audience(NamedTuple):
    """Whom a POST is for."""

    recipients: list[Recipient]
    #: The digest of the address, where it is one order's own.
    callback: str | None = None


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
                f"public_url={public_url.partition('?')[0]!r} must be an address such as 'https://example.com/hooks', to which the token can be added."
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
        self._server: Server | None = None
        self._handlers = Handlers()
        self._changing = asyncio.Lock()
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
        return self._address(self._token)

    @property
    def public_url(self) -> str | None:
        """How the provider reaches it from outside, without the secret."""
        return self._public_url

    def new_callback(self) -> tuple[str, str]:
        """A secret address for one order alone, and the digest by which it is recognised; only the digest need be kept."""
        token = secrets.token_urlsafe(32)
        return self._address(token), _digest(token)

    @property
    def port(self) -> int:
        """The port of the own server. ConfigurationError before it is known."""
        if self._server is not None:
            return self._server.port
        if self._port and self._serve:
            return self._port
        raise ConfigurationError("The listener's address is not known: start it first, or give it a public_url.")

    @property
    def app(self) -> aiohttp.web.Application:
        """A new aiohttp application, for `parent.add_subapp("/hooks", listener.app)`."""
        from callfire_async.listener.server import application

        return application(self._respond, max_body=self._max_body)

    def on_notification(self, handler: H) -> H:
        """Have everything that concerns no order handed to `handler`, once each, after it was answered. May be used as a decorator.

        It gets a TextNotification, CallFinished or CampaignNotification, none of which is signed, and may be a coroutine function. One
        that raises is logged, one that takes longer than 30 seconds is cancelled, and while 100 are at work more are dropped and
        counted in `dropped`: neither the answers nor the orders wait for it.
        """
        return self._handlers.add(handler)

    @property
    def dropped(self) -> int:
        """Notifications that no handler had the time for."""
        return self._handlers.dropped

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
            if not self._serve or self._server is not None:
                return
            from callfire_async.listener.server import Server

            server = Server(self.app, ssl=self._ssl, patience=self._read_timeout)
            try:
                await server.open(self._host, self._port)
            except OSError as exc:
                raise ConfigurationError(
                    f"The listener cannot listen on {self._host} port {self._port}: {exc.strerror or exc}."
                ) from exc
            self._server = server

    async def stop(self) -> None:
        """Stop listening. What arrives in the meantime is answered 503, so that a sender that tries again can."""
        async with self._changing:
            self._stopping, self._kept = True, False
            server, self._server = self._server, None
            if server is not None:
                await server.close()
            await self._handlers.aclose()

    async def receive(self, path: str, headers: Mapping[str, str], body: bytes, *, peer: str | None = None) -> int:
        """Take in a POST that another web server received; the HTTP status to answer it with.

        `peer` is the address it came from. With `allow`, a POST without one is refused.
        200 means stored, and the same for an order nobody knows. 400, 413 and 415 mean that the body cannot be accepted, 404 a wrong address,
        503 that it could not be kept and may be sent again.
        """

        async def read() -> bytes:
            return body

        return await self._respond("POST", path, lower(headers.items()), peer, read)

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

        headers = lower((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        peer = (scope.get("client") or (None,))[0]
        status = await self._respond(scope["method"], scope["path"], headers, peer, read)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

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
        try:
            status = await self._judge(path, headers, peer, read)
        except TimeoutError:
            status = 408
        except (OSError, ValueError) as exc:  # the sender went away, or its framing is broken
            logger.debug("A postback could not be read: %r", exc)
            status = 400
        except StoreError as exc:
            logger.warning("A postback could not be stored and is answered 503: %s", exc)
            status = 503
        except Exception:
            logger.exception("A postback could not be handled and is answered 500.")
            status = 500
        self.refused += 400 <= status < 500
        return status

    async def _judge(
        self, path: str, headers: Mapping[str, str], peer: str | None, read: Callable[[], Awaitable[bytes]]
    ) -> int:
        audience = await self._audience(path.rstrip("/").rpartition("/")[2])
        if audience is None or not self._peers.admits(peer, headers.get("x-forwarded-for", "")):
            return 404  # as for any unknown path: nobody learns that there is something to guess
        if self._stopping or not audience.recipients:
            return 503
        if headers.get("content-encoding", "identity").lower() != "identity":
            return 415  # a small body may unpack into a very large one
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 18 or int(length) > self._max_body:
            return 413
        async with asyncio.timeout(self._read_timeout):
            body = await read()
        if len(body) > self._max_body:
            return 413
        return 503 if self._stopping else await self._deliver(audience, headers, body)

    async def _audience(self, token: str) -> _Audience | None:
        """Who expects something at an address; None where nobody does."""
        if hmac.compare_digest(token.encode(errors="replace"), self._token.encode()):
            return _Audience(self._recipients.copy())
        if _ORDERS_TOKEN.fullmatch(token):
            digest = _digest(token)  # the search goes by the digest, so its time tells nothing about the token
            for recipient in self._recipients.copy():
                if await recipient.expects(digest):
                    return _Audience([recipient], digest)
            if not self._recipients:
                return _Audience([])  # before its client is open, or after: nobody can tell whose it is
        return None

    async def _deliver(self, audience: _Audience, headers: Mapping[str, str], body: bytes) -> int:
        unreadable, told = 0, None
        for recipient in audience.recipients:
            try:
                told = await recipient.hear(headers, body, audience.callback) or told
            except ProtocolError as exc:
                unreadable += 1
                logger.debug("A postback is refused: %s", exc)
        if told is not None:
            self._handlers.tell(told)
        return 400 if unreadable == len(audience.recipients) else 200

    def _address(self, token: str) -> str:
        if self._public_url is not None:
            return f"{self._public_url.rstrip('/')}/{token}"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104 - recognised, not bound
        return (
            f"{'http' if self._ssl is None else 'https'}://{f'[{host}]' if ':' in host else host}:{self.port}/{token}"
        )


#: What `new_callback` makes.
_ORDERS_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
