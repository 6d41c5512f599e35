"""Buys, once: writes the purchase down, sends it, and writes down what became of it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Generic

from callfire_async.calls import pause_after
from callfire_async.errors import (
    ClosedError,
    Error,
    InvalidOrderError,
    OrderInDoubtError,
    StoreError,
)
from callfire_async.providers import S
from callfire_async.stores import Phase, Record, SupersededError
from callfire_async.submission.fate import may_have_arrived, must_agree
from callfire_async.transport import decoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from callfire_async.orders import Content
    from callfire_async.providers import Provider, Receipt, Request
    from callfire_async.registry import Registry, Tracked
    from callfire_async.stores import Scope, Store
    from callfire_async.submission.unwritten import Unwritten
    from callfire_async.transport import Transport

logger = logging.getLogger("callfire_async.submission")

OTHERS: Final = 30.0
"""Seconds that `order()` waits for what becomes of a purchase under the same key that another process has on the way."""


class _UnknownFateError(Exception):
    """Whether the purchase arrived, nobody knows. Stays in this file."""


@dataclass(eq=False, slots=True)
class _Purchase:
    """One that is under way."""

    key: str
    content: Content
    #: Its request is on the way, or about to be: only then may it be cut off.
    sending: bool = False
    #: It may have reached the provider.
    sent: bool = False


class Submissions(Generic[S]):
    """The purchases of one client. `ask_in` and `rest` are the seconds from acceptance to the first question, and to the first that is allowed.

    `new_callback` makes a callback address for one order, and the digest by which it is recognised. `unwritten` takes what the store did not.
    """

    def __init__(
        self,
        *,
        store: Store,
        scope: Scope,
        provider: Provider[S],
        transport: Transport,
        registry: Registry[S],
        unwritten: Unwritten,
        ask_in: float,
        rest: float,
        max_retries: int,
        new_callback: Callable[[], tuple[str, str]] | None = None,
    ) -> None:
        self._store = store
        self._scope = scope
        self._provider = provider
        self._transport = transport
        self._registry = registry
        self._unwritten = unwritten
        self._ask_in = ask_in
        self._rest = rest
        self._max_retries = max_retries
        self._new_callback = new_callback
        self._under_way: dict[str, tuple[_Purchase, asyncio.Task[Tracked[S]]]] = {}

    async def buy(self, content: Content, key: str | None) -> Tracked[S]:
        """Buy, or find what the key has bought before.

        Cancelling this does not stop a purchase that has begun: it ends behind the caller's back and is among the pending orders.
        """
        if key is None:
            key = secrets.token_hex(8)
        elif not isinstance(key, str) or not 1 <= len(key) <= 255 or not key.isprintable():
            raise InvalidOrderError(f"key={key!r} must be a printable text of 1 to 255 characters; nothing was sent.")
        await self._unwritten.settle(key)
        purchase, task = self._under_way.get(key) or self._begin(key, content)
        must_agree(key, purchase.content, content)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():  # not the caller's wait was ended, but the purchase, by aclose()
                raise _cut_off(purchase) from None
            task.add_done_callback(_tell_nobody)
            raise

    async def aclose(self, *, patience: float) -> None:
        """Wait up to `patience` seconds for purchases under way; what is not answered by then is in doubt. What is being written gets as long again."""
        for sending_only in (True, False):
            under_way = list(self._under_way.values())
            if under_way:
                await asyncio.wait([task for _, task in under_way], timeout=patience)
            for purchase, task in under_way:
                if purchase.sending or not sending_only:
                    task.cancel()
        await asyncio.gather(*(task for _, task in self._under_way.values()), return_exceptions=True)

    def _begin(self, key: str, content: Content) -> tuple[_Purchase, asyncio.Task[Tracked[S]]]:
        url, digest = (None, None) if self._new_callback is None else self._new_callback()
        request = self._provider.encode_order(content, url)
        record = Record(
            scope=self._scope,
            key=key,
            content=content,
            phase=Phase.INTENDED,
            submitted_at=datetime.now(UTC),
            callback=digest,
        )
        purchase = _Purchase(key, content)
        task = asyncio.create_task(self._buy(purchase, request, record), name=f"callfire_async purchase {key}")
        self._under_way[key] = purchase, task
        task.add_done_callback(lambda _: self._under_way.pop(key))
        return purchase, task

    async def _buy(self, purchase: _Purchase, request: Request, record: Record) -> Tracked[S]:
        if (known := await self._intend(record)) is not None:
            return await self._bought_before(known, record.content)
        purchase.sending = True
        try:
            receipt = await self._send(purchase, request)
        except _UnknownFateError as exc:
            purchase.sending = False
            return await self._doubted(purchase.key, str(exc), exc.__cause__)
        except Error as exc:
            purchase.sending = False
            return await self._refused(purchase.key, exc)
        purchase.sending = False
        return await self._placed(purchase.key, receipt)

    async def _intend(self, record: Record) -> Record | None:
        """Write a purchase before it is sent; or what its key stands for. A submission that someone else has on the way is waited for."""
        patient_until, pause = time.monotonic() + OTHERS, 0.05
        while (known := await self._store.intend(record)) is not None:
            if known.phase is not Phase.INTENDED or time.monotonic() > patient_until:
                break
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)
        return known

    async def _bought_before(self, known: Record, content: Content) -> Tracked[S]:
        must_agree(known.key, known.content, content)
        if known.phase in (Phase.INTENDED, Phase.IN_DOUBT):
            raise OrderInDoubtError(
                f"Order {known.key!r} was submitted at {known.submitted_at:%Y-%m-%d %H:%M:%S} UTC, and whether it arrived is not known. "
                "Nothing was sent now.",
                key=known.key,
            )
        return await self._registry.track(known)

    async def _send(self, purchase: _Purchase, request: Request) -> Receipt[S]:
        """Send until it surely arrived, was surely refused, or its fate is unknown. Only what surely never arrived is sent again."""
        for attempt in itertools.count(1):
            purchase.sent = True
            try:
                reply = await self._transport.send(request, purchase=True)
                return await decoded(reply, self._provider.decode_receipt)
            except asyncio.CancelledError as exc:
                raise _UnknownFateError("The client was closed before the answer came.") from exc
            except Exception as exc:
                if not isinstance(exc, Error) or may_have_arrived(exc):
                    raise _UnknownFateError(str(exc)) from exc
                purchase.sent = False
                pause = pause_after(exc, attempt, repeatable=False) if attempt <= self._max_retries else None
                if pause is None:
                    raise
                logger.info(
                    "Purchase %r surely did not arrive, and is sent again in %.1f s: %s", purchase.key, pause, exc
                )
            try:
                await asyncio.sleep(pause)
            except asyncio.CancelledError as exc:
                raise _cut_off(purchase) from exc
        raise AssertionError  # the loop above has no end

    async def _refused(self, key: str, refusal: Error) -> Tracked[S]:
        """Free the key and raise what it was refused with, unless its callback has placed it meanwhile and knows better."""
        try:
            if (record := await self._store.refuse(self._scope, key)) is not None:
                return await self._track(record)
        except StoreError as exc:
            logger.warning("That purchase %r was not made could not be written down, and is tried again: %s", key, exc)
            self._unwritten.owe(key, lambda: self._store.refuse(self._scope, key))
        raise refusal

    async def _doubted(self, key: str, why: str, cause: BaseException | None) -> Tracked[S]:
        """Write down that its fate is unknown and raise OrderInDoubtError, unless its callback has placed it meanwhile."""
        try:
            record = await self._store.doubt(self._scope, key)
        except StoreError as exc:
            logger.warning("That order %r is in doubt could not be written down, and is tried again: %s", key, exc)
            self._unwritten.owe(key, lambda: self._store.doubt(self._scope, key))
        else:
            if record.order_id is not None:
                return await self._track(record)
        self._registry.tally["in_doubt"] += 1
        raise OrderInDoubtError(
            f"Order {key!r} may or may not have been placed. {why} It is not sent again by itself: in_doubt() lists it, "
            "reconcile() looks for traces of it, resolve() and abandon() settle it"
            + ("." if self._new_callback is None else ", and so does its callback, should one come."),
            key=key,
        ) from cause

    async def _placed(self, key: str, receipt: Receipt[S]) -> Tracked[S]:
        async def place() -> Tracked[S]:
            try:
                record = await self._store.place(
                    self._scope, key, receipt.order_id, ask_in=self._ask_in, rest=self._rest
                )
            except SupersededError as exc:
                # What is bought must not be lost, though its purchase is not there any more.
                record = await self._store.attach(Record.attached(self._scope, receipt.order_id))
                logger.error(  # noqa: TRY400 - its sentence says it all
                    "The provider accepted order %r under the id %s, but meanwhile that purchase was settled otherwise: %s "
                    "The order is followed under the key %r.",
                    key,
                    receipt.order_id,
                    exc,
                    record.key,
                )
            return await self._track(record)

        try:
            tracked = await place()
        except StoreError as exc:
            self._unwritten.owe(key, place)
            raise StoreError(
                f"The provider accepted order {key!r} under the id {receipt.order_id}, but the store could not write that down: {exc} "
                "That is tried again until it can be. The order is placed; keep the id, and do not order again."
            ) from exc
        if receipt.state is not None and not tracked.done:
            await self._registry.observe(receipt.state, "create")
        return tracked

    async def _track(self, record: Record) -> Tracked[S]:
        self._registry.tally["placed"] += 1
        return await self._registry.track(record, new=True)


def _cut_off(purchase: _Purchase) -> Error:
    """What to tell who waits for a purchase that closing the client has ended."""
    if purchase.sent:
        return OrderInDoubtError(
            f"The client was closed before it was written down what became of order {purchase.key!r}. It may have been placed: the next client "
            "with the same store lists it, and it is not sent again by itself.",
            key=purchase.key,
        )
    return ClosedError(f"The client was closed before order {purchase.key!r} reached the provider. It was not placed.")


def _tell_nobody(task: asyncio.Task[Tracked[S]]) -> None:
    """Log the end of a purchase whose caller has stopped waiting."""
    if not task.cancelled() and (exc := task.exception()) is not None:
        logger.warning("A purchase whose caller had stopped waiting ended like this: %s", exc)
