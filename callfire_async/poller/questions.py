"""Those who wait for the answer to the next call about an order, and what else goes out in its place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic

from callfire_async.errors import ClosedError
from callfire_async.providers import S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from callfire_async.errors import Error
    from callfire_async.providers import Request

ASK_AGAIN: Final = 2.0
"""Seconds after which someone who waits says so again: another client of the store, or another process, may have taken the question."""


class Wanted(Generic[S]):
    """An answer that is waited for, by any number. `request` goes out in place of the question, where it is given."""

    __slots__ = ("answer", "request")

    def __init__(self, request: Request | None = None) -> None:
        self.request = request
        self.answer: asyncio.Future[S] = asyncio.get_running_loop().create_future()
        self.answer.add_done_callback(lambda f: f.exception())  # looked at, in case everyone has stopped waiting

    def fail(self, exc: Error) -> None:
        """Tell those who wait, unless they know already."""
        if not self.answer.done():
            self.answer.set_exception(exc)


class Questions(Generic[S]):
    """What is wanted about each order. `hasten` makes an order due; all who want the same share one call."""

    def __init__(self, hasten: Callable[[str], Awaitable[None]]) -> None:
        self._hasten = hasten
        self._asked: dict[str, Wanted[S]] = {}
        self._instead: dict[str, Wanted[S]] = {}
        self._closed = False

    async def ask(self, order_id: str) -> S:
        """What the provider says from now on."""
        if (wanted := self._asked.get(order_id)) is None:
            wanted = self._asked[order_id] = Wanted()
        return await self._answered(order_id, self._asked, wanted)

    async def tell(self, order_id: str, request: Request) -> S:
        """What it answers to another request about the order. Two such requests under way about one order are taken for one."""
        if (wanted := self._instead.get(order_id)) is None:
            wanted = self._instead[order_id] = Wanted(request)
        return await self._answered(order_id, self._instead, wanted)

    def next(self, order_id: str) -> Wanted[S] | None:
        """What the call that is about to go out is for, if somebody waits for it."""
        return self._instead.pop(order_id, None) or self._asked.pop(order_id, None)

    def more(self, order_id: str) -> bool:
        """Whether something is wanted still."""
        return order_id in self._instead or order_id in self._asked

    def close(self) -> None:
        """Release everyone, and those who come later."""
        self._closed = True
        for wanted in [*self._asked.values(), *self._instead.values()]:
            wanted.fail(ClosedError("The client was closed before the provider could be asked."))

    async def _answered(self, order_id: str, waiting: dict[str, Wanted[S]], wanted: Wanted[S]) -> S:
        if self._closed:
            raise ClosedError("The client is closed. Nothing was sent.")
        while not wanted.answer.done():
            if waiting.get(order_id) is wanted:
                try:
                    await self._hasten(order_id)
                except Exception:
                    waiting.pop(order_id, None)
                    raise
            await asyncio.wait([wanted.answer], timeout=ASK_AGAIN)
        return wanted.answer.result()
