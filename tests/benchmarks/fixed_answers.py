"""A server in a process of its own that answers fixed bytes, so that the server is not what is measured; it knows how often each order was asked about."""

from __future__ import annotations

import asyncio
import multiprocessing
import re
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

FIRST_ID: Final = 1_000_000_000
"""All ids have ten digits, so that all answers have one length."""

_SAMPLES = Path(__file__).parents[1] / "samples"
_SAMPLE_ID = b"1428507003"


class Gaps(NamedTuple):
    """Between two calls about one order, as the server saw them, since it was asked last."""

    calls: int
    shortest: float
    longest: float


class Server:
    """How a benchmark reaches it."""

    def __init__(self, port: int, line: Connection[str, Gaps]) -> None:
        self.base_url = f"http://127.0.0.1:{port}"
        self._line = line

    def order_url(self, order_id: int) -> str:
        return f"{self.base_url}/number/order/{order_id}"

    def gaps(self) -> Gaps:
        self._line.send("gaps")
        return self._line.recv()

    def forget(self) -> None:
        self._line.send("forget")
        self._line.recv()


@contextmanager
def serving() -> Iterator[Server]:
    """It answers a GET with an order that is at work, and a POST with the receipt of a new one."""
    ours, theirs = multiprocessing.Pipe()
    ports, their_ports = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(their_ports, theirs), daemon=True)
    process.start()
    try:
        yield Server(ports.recv(), ours)
    finally:
        process.kill()
        process.join()


def answer(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class _Log:
    def __init__(self) -> None:
        self.last: dict[bytes, float] = {}
        self.gaps = Gaps(0, float("inf"), 0.0)

    def note(self, order_id: bytes, now: float) -> None:
        gap = now - self.last.get(order_id, now - 1.0)
        self.last[order_id] = now
        calls, shortest, longest = self.gaps
        self.gaps = Gaps(calls + 1, min(shortest, gap), max(longest, gap))

    def obey(self, word: str, now: float) -> Gaps:
        """What there is to tell, those included who wait still."""
        calls, shortest, longest = self.gaps
        told = Gaps(calls, shortest, max([longest, *(now - last for last in self.last.values())]))
        self.gaps = Gaps(0, float("inf"), 0.0)
        if word == "forget":
            self.last.clear()
        return told


class _Answers(asyncio.Protocol):
    before, after = answer("200 OK", (_SAMPLES / "order.processing.xml").read_bytes()).split(_SAMPLE_ID)
    receipt = answer("201 Created", (_SAMPLES / "order.created.xml").read_bytes())
    ids = count(FIRST_ID)

    def __init__(self, log: _Log) -> None:
        self._log = log
        self._now = asyncio.get_running_loop().time
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            end += 4
            if self._read.startswith(b"GET"):
                order_id = self._read[: self._read.find(b" ", 4)].rpartition(b"/")[2]
                self._log.note(order_id, self._now())
                self._transport.write(b"".join((self.before, order_id, self.after)))
            else:
                length = re.search(rb"(?i)content-length: (\d+)", self._read)
                end += int(length[1]) if length else 0
                if len(self._read) < end:
                    return
                self._transport.write(self.receipt.replace(_SAMPLE_ID, b"%d" % next(self.ids)))
            self._read = self._read[end:]


def _serve(ports: Connection[int, None], line: Connection[Gaps, str]) -> None:
    async def serve() -> None:
        log, loop = _Log(), asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Answers(log), "127.0.0.1", 0, backlog=1024)
        loop.add_reader(line.fileno(), lambda: line.send(log.obey(line.recv(), loop.time())))
        ports.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())
