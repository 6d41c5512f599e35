"""What became of purchases and could not be written down: tried again until it can be."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from callfire_async.errors import StoreError

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

    async def settle(self, key: str | None = None) -> None:
        """Write now what is owed about one key, or about all. Raises StoreError where it still cannot be."""
        for owed in list(self._writes) if key is None else [key]:
            if (write := self._writes.get(owed)) is not None:
                await write()
                if self._writes.get(owed) is write:
                    del self._writes[owed]

    async def aclose(self) -> None:
        """Try a last time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        try:
            await self.settle()
        except StoreError as exc:
            logger.error("What became of %s could not be written down: %s", ", ".join(map(repr, self._writes)), exc)  # noqa: TRY400 - its sentence says it all

    async def _try_again(self) -> None:
        pause = 1.0
        while self._writes:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            with contextlib.suppress(StoreError):
                await self.settle()
