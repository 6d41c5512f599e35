"""Answers that go wrong on request. All of it is invented, after what happens to HTTP services in general."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, cast

from aiohttp import web

from . import documents
from .forms import RefusedError
from .life import Poll, check_word

#: Faults that are plain refusals.
_REFUSALS: Final[dict[Poll, tuple[int, str]]] = {
    "error500": (500, "An unexpected error occurred."),
    "not_found": (404, "number or order does not exist, or is inactive"),
    "unauthorized": (401, "UNAUTHORIZED"),
}


class ConnectionCutError(Exception):
    """Ends a call without a byte of an answer."""


class Faults:
    """Faults for the calls to come, by the beginning of their path."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Poll]] = {}

    def add(self, prefix: str, words: Sequence[Poll]) -> None:
        """Queue faults behind those of the same beginning. ValueError for what is no path or no word."""
        if not prefix.startswith("/"):
            raise ValueError(f"path_prefix begins with a slash, unlike {prefix!r}.")
        for word in words:
            check_word("Each word", word, Poll)
        self._queues.setdefault(prefix, deque()).extend(words)

    def next(self, path: str) -> "Poll":
        """Take the fault of a call: the longest beginning that has one left decides."""
        for prefix in sorted(self._queues, key=len, reverse=True):
            if path.startswith(prefix) and self._queues[prefix]:
                return self._queues[prefix].popleft()
        return "ok"


async def suffer(
    fault: Poll,
    answer: Callable[[], Awaitable[web.StreamResponse]],
    *,
    silent_for: float = 5.0,
    retry_after: int = 2,
) -> web.StreamResponse:
    """Answer, with the fault. The call is carried out where that is none, silence, a reply lost afterwards, or a document cut in half."""
    match fault:
        case "ok":
            return await answer()
        case "silent":
            await asyncio.sleep(silent_for)
            return await answer()
        case "drop":
            raise ConnectionCutError
        case "drop_after":
            await answer()
            raise ConnectionCutError
        case "html":
            return page(502)
        case "html_with_200":
            return page(200)
        case "malformed":
            whole = cast("web.Response", await answer())
            document = whole.text or ""
            return web.Response(text=document[: len(document) // 2], content_type=whole.content_type, charset="UTF-8")
        case "rate_limited":
            # Neither 429 nor Retry-After is documented for 1.1; any gateway may send them.
            raise RefusedError(429, "Too many requests.", {"Retry-After": str(retry_after)})
    raise RefusedError(*_REFUSALS[fault])


def page(status: int) -> web.Response:
    """Answer with a page for people."""
    return web.Response(text=documents.PAGE, status=status, content_type="text/html")
