"""Orders and those who wait for them: the one place where news arrives, is written down and is passed on, in that order."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, cast

from callfire_async.errors import ClosedError, StoreError
from callfire_async.hearsay import Hearsay
from callfire_async.providers import Postback, S
from callfire_async.stores import Phase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from callfire_async.errors import Error
    from callfire_async.providers import Provider
    from callfire_async.stores import Record, Scope, Store

logger = logging.getLogger("callfire_async.registry")

Source: TypeAlias = Literal["create", "postback", "poll", "store"]


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


class Registry(Generic[S]):
    """The orders one client follows."""

    def __init__(self, store: Store, scope: Scope, provider: Provider[S]) -> None:
        self._store = store
        self._scope = scope
        self._provider = provider
        self._open: dict[str, Tracked[S]] = {}
        self.hearsay = Hearsay()
        self._closed = False
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
            await self.track(await self._store.place(self._scope, record.key, postback.order_id, ask_in=0.0, rest=0.0))
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
        if order_id in self._open:
            task = asyncio.create_task(self._reread(order_id))
            self._rereading.add(task)
            task.add_done_callback(self._rereading.discard)

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
        try:
            record = await self._store.find(self._scope, order_id)
        except StoreError as exc:
            logger.warning("What was written about order %s could not be read: %s", order_id, exc)
            return
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
