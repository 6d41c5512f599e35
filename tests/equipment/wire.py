"""A server that does what real ones do wrong."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Act: TypeAlias = "Callable[[Exchange], Awaitable[None]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request whose last byte the server has read."""

    method: str
    path: str
    #: Names in lower case.
    headers: dict[str, str]
    body: bytes
    #: Which connection it came on: 1 is the first that was ever opened.
    connection: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request, and the connection to answer it on. What does not close the connection keeps it alive."""

    seen: Seen
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Say nothing until the client gives up."""
        await self.reader.read()


class Wire:
    """Reads whole requests and does to each what `script`, or else `always`, says."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self.script: deque[Act] = deque()
        self.always: Act | None = None
        #: Set as soon as a whole request was read.
        self.arrived = asyncio.Event()
        self._handlers: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    @property
    def posts(self) -> int:
        return sum(seen.method == "POST" for seen in self.seen)

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Wait until every client has gone. From then on nothing more can arrive."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        if self._handlers:
            _, stuck = await asyncio.wait(self._handlers, timeout=5)
            for handler in stuck:
                handler.cancel()
            assert not stuck, "A client has left a connection open."
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)
        self.connections += 1
        number = self.connections
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing() and (seen := await _read(reader, number)):
                self.seen.append(seen)
                self.arrived.set()
                act = self.script.popleft() if self.script else self.always
                assert act is not None, f"Nobody expected {seen.method} {seen.path}."
                await act(Exchange(seen=seen, reader=reader, writer=writer))
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _read(reader: asyncio.StreamReader, connection: int) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except asyncio.IncompleteReadError:
        return None
    method, path, _ = line.split(" ")
    return Seen(method=method, path=path, headers=headers, body=body, connection=connection)
