"""Keeps exactly one subscription of the account pointing at a client's listener."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from callfire_async.errors import Error, NotFoundError
from callfire_async.providers import callfire_subscriptions as codec
from callfire_async.providers.callfire_envelope import MOST_ON_PAGE, done

if TYPE_CHECKING:
    from callfire_async.calls import Calls
    from callfire_async.listener import Listener
    from callfire_async.orders import JSON
    from callfire_async.subscriptions import OwnSubscription, Subscription

logger = logging.getLogger("callfire_async.subscription")

OPENING: Final = 5.0
"""Seconds that opening a client waits for its subscription. After that it goes on behind the client's back: orders do not need it."""

ROUNDS: Final = 4
"""How often it is looked at, at most, until it stays as it is."""

CLOSING: Final = 5.0
"""Seconds that closing a client waits for its subscription to be removed, where that was asked for."""


class _Sharing:
    """What the clients of one listener share: they take turns, and the last of an account is the one that removes."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.clients: Counter[str] = Counter()


_sharing: WeakKeyDictionary[Listener, _Sharing] = WeakKeyDictionary()


class Upkeep:
    """The subscription of one client. A failure is logged once and stops nothing."""

    def __init__(self, calls: Calls, listener: Listener, account: str, own: OwnSubscription) -> None:
        self._calls = calls
        self._listener = listener
        self._account = account
        self._own = own
        self._sharing = _sharing.setdefault(listener, _Sharing())
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look, correct or create; return when that is done, or soon."""
        self._sharing.clients[self._account] += 1
        self._task = asyncio.create_task(self._see_to_it(), name="callfire_async subscription")
        await asyncio.wait([self._task], timeout=OPENING)

    async def stop(self) -> None:
        """Remove it, if that was asked for and nobody else of the account listens there."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._sharing.clients[self._account] -= 1
        if self._own.remove_at_close and not self._sharing.clients[self._account]:
            try:
                async with asyncio.timeout(CLOSING), self._sharing.turn:
                    for ours in await self._ours():
                        await self._remove(ours)
            except (Error, TimeoutError) as exc:
                logger.warning(
                    "The subscription of the listener could not be removed: %s CallFire goes on posting there.",
                    self._without_secret(exc),
                )

    async def _see_to_it(self) -> None:
        try:
            async with self._sharing.turn:
                await self._make_one()
        except Error as exc:
            logger.warning(
                "CallFire was not subscribed to the listener: %s Orders are followed all the same, by asking; only no postback can "
                "make that sooner. Subscribe the listener's address by hand, or pass subscription=None to leave it at that.",
                self._without_secret(exc),
            )

    async def _make_one(self) -> None:
        own = self._own
        wanted: dict[str, JSON] = {
            "endpoint": self._listener.url,
            "trigger_event": own.trigger_event,
            "notification_format": own.notification_format,
            "enabled": True,
            "non_strict_ssl": own.non_strict_ssl,
        }
        for _ in range(ROUNDS):
            ours = await self._ours()
            if not ours:
                request = codec.subscribe_request(request_id=uuid.uuid4().urn, **wanted)
                made = await self._calls.fetch(request, codec.decode_subscribed, repeatable=True)
                logger.info("CallFire posts to the listener by the new subscription %s.", made)
                continue  # another process may have made one at the same moment
            kept = min(ours, key=lambda found: (found.endpoint != wanted["endpoint"], not found.enabled, int(found.id)))
            changes = {name: value for name, value in wanted.items() if getattr(kept, name) != value}
            if not changes and len(ours) == 1:
                return
            with contextlib.suppress(NotFoundError):  # another process was faster
                if changes:
                    await self._calls.fetch(codec.update_request(kept.id, **changes), done, repeatable=True)
                    logger.info("Subscription %s was corrected: %s.", kept.id, ", ".join(changes))
            for other in ours:
                if other is not kept:
                    await self._remove(other)
        logger.warning(
            "The subscription of %s does not stay as it is: another process seems to use that address with another token=. Give all of them the same.",
            self._listener.public_url,
        )

    async def _remove(self, subscription: Subscription) -> None:
        with contextlib.suppress(NotFoundError):  # that is what was wanted
            await self._calls.fetch(codec.unsubscribe_request(subscription.id), done)

    async def _ours(self) -> list[Subscription]:
        """Those that point at this listener's public address, whatever the token was. Nobody else's end in one below it."""
        pages = self._calls.pages(
            lambda first, most: codec.subscriptions_request(first=first, most=most),
            codec.decode_subscriptions,
            most=MOST_ON_PAGE,
            limit=None,
            name=lambda found: found.id,
        )
        own_address = re.compile(re.escape(self._listener.url.rpartition("/")[0]) + r"/[A-Za-z0-9_-]{16,}")
        return [found async for found in pages if own_address.fullmatch(found.endpoint)]

    def _without_secret(self, exc: BaseException) -> str:
        """CallFire may repeat an address it does not like."""
        said = str(exc) or "it took too long."
        return said.replace(self._listener.url, "(the listener's address)").replace(
            self._listener.url.rpartition("/")[2], "(its secret)"
        )
