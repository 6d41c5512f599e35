"""Those who want to know what else arrives: called behind the answer's back, a bounded number at once, each for a bounded time."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger("callfire_async.listener")

#: Called with a notification; what it returns is awaited if it can be.
Handler: TypeAlias = "Callable[[Any], Awaitable[None] | None]"
H = TypeVar("H", bound="Callable[[Any], Awaitable[None] | None]")

MOST_AT_WORK: Final = 100
"""Handlers under way at once; what comes meanwhile is dropped."""

PARTING: Final = 1.0
"""Seconds a cancelled handler has to end."""

PATIENCE: Final = 30.0
"""Seconds a handler may take."""


class Handlers:
    """All handlers of one listener."""

    def __init__(self) -> None:
        self._handlers: list[Handler] = []
        self._at_work: set[asyncio.Task[None]] = set()
        #: Notifications that were not handed on because too many handlers were at work.
        self.dropped = 0

    def add(self, handler: H) -> H:
        """One more; it hears of everything from now on."""
        self._handlers.append(handler)
        return handler

    def tell(self, notification: object) -> None:
        """Hand it to every handler, soon."""
        for handler in self._handlers:
            if len(self._at_work) >= MOST_AT_WORK:
                self.dropped += 1
                if self.dropped in (1, 100, 10_000):
                    logger.warning("%d notifications were dropped: the handlers do not keep up.", self.dropped)
                continue
            task = asyncio.create_task(_call(handler, notification), name="callfire_async notification")
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)

    async def aclose(self) -> None:
        """End those at work."""
        at_work = self._at_work - {asyncio.current_task()}  # a handler may be who ends it all
        for task in at_work:
            task.cancel()
        if at_work:
            _, left = await asyncio.wait(at_work, timeout=PARTING)
            if left:
                logger.warning("%d handlers of notifications did not end when they were cancelled.", len(left))


async def _call(handler: Handler, notification: object) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            returned = handler(notification)
            if inspect.isawaitable(returned):
                await returned
    except TimeoutError:
        logger.warning("A notification's handler took more than %g seconds and was cancelled.", PATIENCE)
    except Exception:
        logger.exception("A notification's handler has failed.")
