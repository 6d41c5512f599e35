"""A watch over what a test leaves behind, and what carries its requests."""

from __future__ import annotations

import asyncio
import socket
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from httpx_aiohttp import HttpxAiohttpClient
from wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

SAMPLES = Path(__file__).parents[1] / "samples"


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
