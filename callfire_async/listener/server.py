"""The listener's own HTTP server: its connections and their end. What is answered, the listener says."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, TypeAlias

from aiohttp import web

from callfire_async.listener.fields import lower

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from ssl import SSLContext

    #: The status for a method, path, headers, the sender's address and a way to read the body.
    Respond: TypeAlias = Callable[
        [str, str, dict[str, str], str | None, Callable[[], Awaitable[bytes]]], Awaitable[int]
    ]

KEEP_ALIVE: Final = 30.0
"""Seconds an idle connection stays open between two postbacks."""

LINGERING: Final = 1.0
"""Seconds that the rest of a refused body is read, so that its sender can read the refusal."""

MOST_CONNECTIONS: Final = 512
"""Connections at once. One more is closed as it comes; CallFire may try again, and the poller asks anyway."""

_logger = logging.getLogger("callfire_async.listener.server")


def _discreet(record: logging.LogRecord) -> bool:
    """Keep back what aiohttp tells about a request that is no HTTP: it quotes the line that holds the secret address."""
    record.exc_info = None
    return True


_logger.addFilter(_discreet)


def application(respond: Respond, *, max_body: int) -> web.Application:
    """An aiohttp application that answers every path as `respond` says."""

    async def handle(request: web.Request) -> web.Response:
        async def read() -> bytes:
            try:
                return await request.read()
            except web.HTTPRequestEntityTooLarge:
                return bytes(max_body + 1)

        headers = lower(request.headers.items())
        response = web.Response(status=await respond(request.method, request.path, headers, request.remote, read))
        if response.status in (408, 413):
            response.force_close()
        return response

    # Its own limit is one byte higher, so that a body over ours is told apart from one just at it.
    app = web.Application(client_max_size=max_body + 1)
    app.router.add_route("*", "/{tail:.*}", handle)
    return app


class Server:
    """Serves an application. `patience` is how many seconds its closing waits for what is just being sent."""

    def __init__(self, app: web.Application, *, ssl: SSLContext | None, patience: float) -> None:
        # The middleware runs around every request, so closing knows of all that are being answered.
        app.middlewares.append(self._watched)
        # No access log: it would hold the secret address.
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_logger,
            keepalive_timeout=KEEP_ALIVE,
            lingering_time=LINGERING,
            shutdown_timeout=1.0,
            auto_decompress=False,
        )
        self._ssl = ssl
        self._patience = patience
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()
        self._answering = 0
        self._idle = asyncio.Event()

    @property
    def port(self) -> int:
        """Where it listens. Only while it is open."""
        if self._server is None:
            raise RuntimeError("The server is not open.")
        return int(self._server.sockets[0].getsockname()[1])

    async def open(self, host: str, port: int) -> None:
        """Listen; on OSError nothing is left open."""
        try:
            await self._runner.setup()
            self._server = await asyncio.get_running_loop().create_server(self._connection, host, port, ssl=self._ssl)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Take no more connections, let what is being sent end, and close."""
        if self._server is not None:
            self._server.close()
        if self._answering:  # aiohttp reads no further once it cleans up
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), self._patience)
        await self._runner.cleanup()
        if self._conversations:  # aiohttp does not wait for those whose sender hung up, and lets them linger
            await asyncio.wait(self._conversations, timeout=2 * LINGERING)
        if self._server is not None:
            await self._server.wait_closed()

    @web.middleware
    async def _watched(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self._conversations.add(request.task)
        request.task.add_done_callback(self._conversations.discard)
        self._answering += 1
        try:
            return await handler(request)
        finally:
            self._answering -= 1
            if not self._answering:
                self._idle.set()

    def _connection(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        return _Full() if server is None or len(server.connections) >= MOST_CONNECTIONS else server()


class _Full(asyncio.Protocol):
    """A connection that is not wanted."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
