"""One order as this process follows it, and those who wait for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, cast

from callfire_async.providers import S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from callfire_async.errors import Error

Source: TypeAlias = Literal["create", "postback", "poll", "store"]


class Tracked(Generic[S]):
    """One order as this process follows it."""

    __slots__ = ("_readers", "_waiting", "hinted", "key", "latest", "order_id", "settled_by", "trouble")

    def __init__(self, key: str, order_id: str) -> None:
        self.key = key
        self.order_id = order_id
        self.latest: S | None = None
        #: Where the final state came from; None while the order is open.
        self.settled_by: Source | None = None
        #: Why nobody can learn more at the moment: wrong credentials, an id the provider does not know, a closed client.
        self.trouble: Error | None = None
        #: A postback has asked for the next question.
        self.hinted = False
        # Only for those who wait: most orders have none.
        self._waiting: set[asyncio.Future[None]] | None = None
        self._readers: set[asyncio.Queue[S | None]] | None = None

    @property
    def done(self) -> bool:
        """Whether the final word is in."""
        return self.settled_by is not None

    def learn(self, state: S, settled_by: Source | None) -> None:
        """Take in a state that is written down already."""
        self.latest, self.settled_by, self.trouble = state, settled_by, None
        for reader in self._readers or ():
            reader.put_nowait(state)
        if settled_by is not None:
            self._wake()

    def stumble(self, trouble: Error) -> None:
        """Tell everyone who waits that nothing more can be learned for now."""
        self.trouble = trouble
        self._wake()

    def _wake(self) -> None:
        for reader in self._readers or ():
            reader.put_nowait(None)
        for waiter in self._waiting or ():
            if not waiter.done():
                waiter.set_result(None)
        self._waiting = None

    async def settled(self) -> S:
        """The final state. Raises the trouble, if there is some. Cancelling this touches no other waiter."""
        while not self.done:
            if self.trouble is not None:
                raise self.trouble.with_traceback(None)
            waiter = asyncio.get_running_loop().create_future()
            self._waiting = self._waiting or set()
            self._waiting.add(waiter)
            try:
                await waiter
            finally:
                if self._waiting is not None:
                    self._waiting.discard(waiter)
        return cast("S", self.latest)

    async def states(self) -> AsyncIterator[S]:
        """Each state from the present one on, the final one last."""
        news: asyncio.Queue[S | None] = asyncio.Queue()
        self._readers = self._readers or set()
        self._readers.add(news)
        try:
            if self.latest is not None:
                yield self.latest
            while not (self.done and news.empty()):
                if self.trouble is not None and news.empty():
                    raise self.trouble.with_traceback(None)
                if (state := await news.get()) is not None:
                    yield state
        finally:
            self._readers.discard(news)
