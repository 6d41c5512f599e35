"""Orders and those who wait for them: the one place where news arrives, is written down and is passed on, in that order."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Generic, cast

from callfire_async.errors import ClosedError, StoreError
from callfire_async.providers import Postback, S
from callfire_async.registry.hearsay import Hearsay
from callfire_async.registry.tracked import Source, Tracked
from callfire_async.stores import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callfire_async.errors import Error
    from callfire_async.providers import Provider
    from callfire_async.stores import Record, Scope, Store

logger = logging.getLogger("callfire_async.registry")


REREAD: Final = 2.0
"""Seconds to the next try where what others wrote about an order could not be read."""

__all__ = ["Registry", "Source", "Stats", "Tracked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What a client has counted since it was opened."""

    #: Orders the provider accepted here.
    placed: int = 0
    #: Submissions of unknown fate.
    in_doubt: int = 0
    settled_by_create: int = 0
    settled_by_postback: int = 0
    settled_by_poll: int = 0
    #: Found settled in the store.
    settled_by_store: int = 0
    #: Calls about orders, those of `refresh()` and `get_order()` included.
    polls: int = 0
    #: Calls that brought no state.
    poll_errors: int = 0
    #: Postbacks about an open order.
    postbacks_accepted: int = 0
    #: Postbacks about an order that had ended.
    postbacks_duplicate: int = 0
    #: Postbacks about no order known here, and other notifications.
    postbacks_unknown: int = 0
    #: Postbacks that overtook the answer naming their order.
    postbacks_early: int = 0
    #: Bodies that were not accepted: wrong address, too large, too slow, unreadable.
    postbacks_refused: int = 0


class Registry(Generic[S]):
    """The orders one client follows."""

    def __init__(self, store: Store, scope: Scope, provider: Provider[S], *, rest: float) -> None:
        self._store = store
        self._scope = scope
        self._provider = provider
        self._open: dict[str, Tracked[S]] = {}
        self.hearsay = Hearsay()
        self._closed = False
        self._rest = rest
        #: Orders that were heard of while records are being read that may be older: one set for each reading.
        self._attentive: list[set[str]] = []
        #: Set when an order has become due sooner than the schedule said.
        self.due = asyncio.Event()
        self.tally: Counter[str] = Counter()
        self._rereading: set[asyncio.Task[None]] = set()

    def tracked(self, order_id: str) -> Tracked[S] | None:
        """The order, while it is open and followed here."""
        return self._open.get(order_id)

    async def track(self, record: Record, *, new: bool = False) -> Tracked[S]:
        """Follow a placed order, and take up what arrived before its id was known.

        A `new` one comes from the answer to its purchase: if it is settled already, its callback was faster, and what it brought counts.
        """
        order_id = str(record.order_id)
        if (known := self._open.get(order_id)) is not None:
            known.key = record.key  # an attached order may have turned out to be a purchase in doubt
            self._settle_from(record, known)  # and another process may have settled it
            return known
        tracked: Tracked[S] = Tracked(record.key, order_id)
        if record.phase is Phase.SETTLED:
            self._settle_from(record, tracked, cast("Source", record.settled_by) if new else "store")
            return tracked
        tracked.latest = None if record.state is None else self._provider.load(record.state)
        self._open[order_id] = tracked
        if (postback := self.hearsay.take(order_id)) is not None:
            await self._take_up(tracked, postback=postback)
        if self._closed:  # it was placed while the client was closing
            tracked.stumble(_closed(tracked))
        self.due.set()
        return tracked

    async def observe(self, state: S, by: Source) -> None:
        """Take in what the provider said: write it, then tell those who wait. The one way for news to get in."""
        tracked = self._open.get(state.id)
        if tracked is not None and tracked.latest == state and not state.outcome.final:
            tracked.trouble = None
            return
        document, final = self._provider.dump(state), state.outcome.final
        if not await self._store.apply(self._scope, state.id, state=document, outcome=state.outcome, by=by):
            await self._come_late(state)
            return
        if final:
            self.tally[f"settled_by_{by}"] += 1
        if (tracked := self._open.get(state.id)) is None:
            self.hearsay.keep(state.id, postback=False)
            return
        tracked.learn(state, by if final else None)
        if final:
            del self._open[state.id]

    async def hear(self, postback: Postback[S], *, trust: bool, callback: str | None = None) -> None:
        """Take in a postback: a reason to ask, or with `trust` an answer. The store has it when this returns.

        `callback` is the digest of the address it came to, if that is one order's own: then it speaks of that order and no other.
        """
        if callback is not None:
            postback = await self._addressed(postback, callback)
        order_id = postback.order_id
        tracked = None if order_id is None else self._open.get(order_id)
        record = None if order_id is None or tracked else await self._store.find(self._scope, order_id)
        if order_id is None or (tracked is None and record is None):
            self.tally["postbacks_unknown"] += 1
            if order_id is not None:
                self.hearsay.keep(order_id, postback=True)
                self.hearsay.rumour(order_id)
        elif record is not None and record.phase is Phase.SETTLED:
            self.tally["postbacks_duplicate"] += 1
        else:
            self.tally["postbacks_accepted"] += 1
            if record is not None:
                await self.track(record)  # another process has placed it; this one has the news
            await self._believe_or_ask(postback, trust=trust)

    async def _addressed(self, postback: Postback[S], callback: str) -> Postback[S]:
        """The postback as far as it may speak: of the order whose address it came to. It is what names an order whose answer was lost."""
        record = await self._store.find_callback(self._scope, callback)
        if record is None:  # it was refused or has expired since the address was looked up
            return replace(postback, order_id=None, state=None)
        if record.order_id is None and postback.order_id is not None:
            known = await self._store.find(self._scope, postback.order_id)
            if known is not None and known.content:
                logger.warning(
                    "The callback of purchase %r names order %s, which is the purchase %r. It is not heeded.",
                    record.key,
                    postback.order_id,
                    known.key,
                )
                return replace(postback, order_id=None, state=None)
            placed = await self._store.place(
                self._scope,
                record.key,
                postback.order_id,
                ask_in=0.0,
                rest=self._rest,  # its purchase may be answered this very moment
            )
            await self.track(placed)
            logger.info("The purchase %r is order %s: its callback says so.", record.key, postback.order_id)
            return postback
        return (
            postback
            if postback.order_id == record.order_id
            else replace(postback, order_id=record.order_id, state=None)
        )

    def stumble(self, order_id: str, trouble: Error) -> None:
        """Tell those who wait for an order that nothing more can be learned for now. It stays open."""
        if (tracked := self._open.get(order_id)) is not None:
            tracked.stumble(trouble)

    def heard(self, order_id: str) -> None:
        """Look an order up again: someone has written a state of it, here or elsewhere."""
        for missed in self._attentive:
            missed.add(order_id)
        if order_id in self._open and not self._closed:
            task = asyncio.create_task(self._reread(order_id))
            self._rereading.add(task)
            task.add_done_callback(self._rereading.discard)

    @contextmanager
    def attentive(self) -> Iterator[None]:
        """While records are read and tracked: what is written meanwhile is looked up again afterwards."""
        missed: set[str] = set()
        self._attentive.append(missed)
        try:
            yield
        finally:
            self._attentive.remove(missed)
            for order_id in missed:
                self.heard(order_id)

    async def close(self) -> None:
        """Release everyone who still waits, and those who come later."""
        self._closed = True
        rereading = self._rereading.copy()
        for task in rereading:
            task.cancel()
        await asyncio.gather(*rereading, return_exceptions=True)
        for tracked in self._open.values():
            tracked.stumble(_closed(tracked))

    async def _reread(self, order_id: str) -> None:
        for attempt in itertools.count():
            try:
                record = await self._store.find(self._scope, order_id)
                break
            except StoreError as exc:  # nobody will tell of it again
                level = logging.DEBUG if attempt else logging.WARNING
                logger.log(level, "What was written about order %s cannot be read for a moment: %s", order_id, exc)
                await asyncio.sleep(REREAD)
        tracked = self._open.get(order_id)
        if tracked is None or record is None or record.state is None:
            return
        if record.phase is Phase.SETTLED:
            self._settle_from(record, tracked)
        elif (state := self._provider.load(record.state)) != tracked.latest:
            tracked.learn(state, None)

    async def _take_up(self, tracked: Tracked[S], *, postback: bool) -> None:
        if not postback:
            if (record := await self._store.find(self._scope, tracked.order_id)) is not None:
                self._settle_from(record, tracked)
            return
        self.tally["postbacks_unknown"] -= 1
        self.tally["postbacks_early"] += 1
        await self._believe_or_ask(Postback(order_id=tracked.order_id), trust=False)

    async def _believe_or_ask(self, postback: Postback[S], *, trust: bool) -> None:
        order_id = str(postback.order_id)
        if trust and postback.state is not None:
            await self.observe(postback.state, "postback")
            return
        if (tracked := self._open.get(order_id)) is not None:
            tracked.hinted = True
        await self._store.hasten(self._scope, order_id)
        self.due.set()

    async def _come_late(self, state: S) -> None:
        """Handle a word about an order that is settled: here, by another process, or never known. It is logged, not obeyed."""
        record = await self._store.find(self._scope, state.id)
        if record is None:
            self.hearsay.confirm(state.id)
        if record is None or record.state is None:
            return  # get_order() of an order nobody follows
        tracked = self._open.get(state.id)
        if tracked is not None:
            self._settle_from(record, tracked)
        final = self._provider.load(record.state)
        if final != state:
            level = logging.INFO if final.outcome is state.outcome else logging.WARNING
            logger.log(
                level,
                "Order %s ended as %s; the later word %s is noted and changes nothing.",
                state.id,
                final.status,
                state.status,
            )

    def _settle_from(self, record: Record, tracked: Tracked[S], by: Source = "store") -> None:
        if record.phase is Phase.SETTLED and record.state is not None:
            self.tally["settled_by_store"] += by == "store"
            tracked.learn(self._provider.load(record.state), by)
            self._open.pop(tracked.order_id, None)


def _closed(tracked: Tracked[S]) -> ClosedError:
    return ClosedError(
        f"The client was closed while order {tracked.order_id} (key {tracked.key!r}) was open. "
        "The order goes on at the provider; open a client with the same store, or attach() its id, to follow it."
    )
