"""What became of purchases and could not be written down: tried again until it can be."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from callfire_async.errors import StoreError
from callfire_async.stores import SupersededError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger("callfire_async.submission")

LONGEST_PAUSE: Final = 30.0
"""Seconds between two tries, at most; the first pause has one."""


class Unwritten:
    """By key, how to write it. A store that was away for a moment costs no more than that moment."""

    def __init__(self) -> None:
        self._writes: dict[str, Callable[[], Awaitable[object]]] = {}
        self._task: asyncio.Task[None] | None = None

    def owe(self, key: str, write: Callable[[], Awaitable[object]]) -> None:
        """Try this again, until it succeeds or something better is known about the key."""
        self._writes[key] = write
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._try_again(), name="callfire_async unwritten purchases")

    async def settle(self, key: str) -> None:
        """Write now what is owed about a key. Raises StoreError where it still cannot be."""
        if (write := self._writes.get(key)) is not None:
            with contextlib.suppress(SupersededError):  # something better is known
                await write()
            if self._writes.get(key) is write:
                del self._writes[key]

    async def settle_all(self) -> None:
        """Write now what can be."""
        for key in list(self._writes):
            with contextlib.suppress(StoreError):
                await self.settle(key)

    async def aclose(self) -> None:
        """Try a last time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.settle_all()
        if self._writes:
            logger.error("What became of %s could not be written down.", ", ".join(map(repr, self._writes)))

    async def _try_again(self) -> None:
        pause = 1.0
        while self._writes:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            await self.settle_all()
