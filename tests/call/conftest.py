"""A server that does what real ones do wrong, and a watch over what a test leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import traceback
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import pytest
from httpx_aiohttp import HttpxAiohttpClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

SAMPLES = Path(__file__).parents[1] / "samples"

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


@pytest.fixture(autouse=True)
async def nothing_left_behind() -> AsyncIterator[None]:
    """No task outlives a test, and no exception goes unseen by everyone."""
    unseen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context))
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left
    assert not unseen


@pytest.fixture
async def wire(nothing_left_behind: None) -> AsyncIterator[Wire]:  # noqa: ARG001  # the watch ends after the server
    server = Wire()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def free_port(nothing_left_behind: None) -> int:  # noqa: ARG001
    """A port where nobody listens, at least just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(params=["shipped", "httpx", "httpx_aiohttp"])
async def http(request: pytest.FixtureRequest, wire: Wire) -> AsyncIterator[httpx.AsyncClient | None]:  # noqa: ARG001
    """What carries the requests: nothing but what ships, or a client of the caller's."""
    if request.param == "shipped":
        yield None
        return
    maker = {"httpx": httpx.AsyncClient, "httpx_aiohttp": HttpxAiohttpClient}[request.param]
    async with maker(trust_env=False) as client:
        yield client


@pytest.fixture
def sample() -> Callable[[str], bytes]:
    """The documents of tests/samples, by name."""
    return lambda name: (SAMPLES / f"{name}.xml").read_bytes()


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    """An exception and those a traceback would show with it."""
    while exc is not None:
        yield exc
        exc = exc.__cause__ if exc.__suppress_context__ else exc.__cause__ or exc.__context__


@pytest.fixture
def everything_it_says() -> Callable[[BaseException], str]:
    """All that a log or a debugger would show of an exception and of what caused it."""

    def say(exc: BaseException) -> str:
        shown = [text for e in _chain(exc) for text in (str(e), repr(e), repr(e.args), repr(getattr(e, "body", b"")))]
        return "\n".join([*shown, *traceback.format_exception(exc)])

    return say
