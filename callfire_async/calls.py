"""Calls that are about no order: asked again where that is safe, and lists page by page."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import TYPE_CHECKING, Final, TypeVar

from callfire_async.errors import Error, InvalidOrderError, ProtocolError, RateLimitedError, ServerError, TransportError
from callfire_async.transport import decoded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable

    from callfire_async.providers import Page, Reply, Request
    from callfire_async.transport import Transport

T = TypeVar("T")

LONGEST_PAUSE: Final = 30.0
"""Seconds to wait at most before a call is made again; asked for more, it is given up."""


class Calls:
    """Makes them over one transport. `max_retries` is how often one is made again."""

    def __init__(self, transport: Transport, *, max_retries: int) -> None:
        self._transport = transport
        self._max_retries = max_retries

    async def fetch(self, request: Request, decode: Callable[[Reply], T], *, repeatable: bool | None = None) -> T:
        """The decoded answer.

        What surely never arrived is sent again. What may have arrived is, if it is `repeatable`: GET is, unless told otherwise.
        """
        repeatable = request.method == "GET" if repeatable is None else repeatable
        for attempt in itertools.count(1):
            try:
                return await decoded(await self._transport.send(request), decode)
            except Error as exc:
                pause = pause_after(exc, attempt, repeatable=repeatable) if attempt <= self._max_retries else None
                if pause is None:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError  # the loop above has no end

    async def pages(
        self,
        request: Callable[[int, int], Request],
        decode: Callable[[Reply], Page[T]],
        *,
        most: int,
        limit: int | None,
        name: Callable[[T], Hashable],
    ) -> AsyncIterator[T]:
        """All of a list, `most` on a page, at most `limit`. `request` makes the one for a page from its first index and size.

        The list may change on the way: an entry that moves to a later page is told once, by its `name`; one that moves to an earlier page
        meanwhile is missed, as nothing in offsets can show it. The end is an empty page, the newest total, or a page with nothing new.
        InvalidOrderError, before anything is sent, for a limit that is none.
        """
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise InvalidOrderError(f"limit={limit!r} must be a whole number of at least 1, or None; nothing was sent.")
        told: set[Hashable] = set()
        first = 0
        while limit is None or len(told) < limit:
            size = most if limit is None else min(most, limit - len(told))
            page = await self.fetch(request(first, size), decode)
            fresh = {name(item): item for item in page.items if name(item) not in told}
            for item in list(fresh.values())[:size]:
                yield item
            told.update(fresh)
            first += len(page.items)
            if not fresh or (page.total is not None and first >= page.total):
                return


def pause_after(exc: Error, attempt: int, *, repeatable: bool) -> float | None:
    """Seconds to wait before a call is made again; None where that is no use or, unless it is `repeatable`, not safe."""
    if isinstance(exc, RateLimitedError) and exc.retry_after is not None:
        return exc.retry_after if exc.retry_after <= LONGEST_PAUSE else None
    never_arrived = isinstance(exc, RateLimitedError) or (isinstance(exc, TransportError) and not exc.sent)
    passing = isinstance(exc, TransportError | ServerError | ProtocolError)
    if never_arrived or (repeatable and passing):
        return 0.5 * 2.0 ** (attempt - 1) * random.uniform(0.8, 1.2)
    return None
