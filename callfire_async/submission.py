"""Buys, once: writes the purchase down, sends it, and writes down what became of it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Generic

from callfire_async.errors import (
    APIError,
    ClosedError,
    ConfigurationError,
    Error,
    InvalidOrderError,
    OrderInDoubtError,
    RateLimitedError,
    StoreError,
    TransportError,
)
from callfire_async.providers import S
from callfire_async.stores import Phase, Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from callfire_async.orders import JSON, Content
    from callfire_async.providers import Provider, Receipt, Request
    from callfire_async.registry import Registry, Tracked
    from callfire_async.stores import Scope, Store
    from callfire_async.transport import Transport

logger = logging.getLogger("callfire_async.submission")

LONGEST_PAUSE: Final = 30.0
"""Seconds `order()` will wait before it sends a purchase again that surely never arrived; asked for more, it gives up."""

OTHERS: Final = 30.0
"""Seconds that `order()` waits for what becomes of a purchase under the same key that another process has on the way."""

#: 408: the vendor's TIMEOUT fault plausibly arrives as this one, and then the order may have been placed (inferred).
_UNCLEAR_4XX: Final = frozenset({408})


class Submissions(Generic[S]):
    """The purchases of one client. `ask_in` and `rest` are the seconds from acceptance to the first question, and to the first that is allowed.

    `new_callback` makes a callback address for one order, and the digest by which it is recognised.
    """

    def __init__(
        self,
        *,
        store: Store,
        scope: Scope,
        provider: Provider[S],
        transport: Transport,
        registry: Registry[S],
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
        self._ask_in = ask_in
        self._rest = rest
        self._max_retries = max_retries
        self._new_callback = new_callback
        self._under_way: dict[str, tuple[Content, asyncio.Task[Tracked[S]]]] = {}

    async def buy(self, content: Content, key: str | None) -> Tracked[S]:
        """Buy, or find what the key has bought before.

        Cancelling this does not stop a purchase that has begun: it ends behind the caller's back and is among the pending orders.
        """
        if key is None:
            key = secrets.token_hex(8)
        elif not isinstance(key, str) or not 1 <= len(key) <= 255:
            raise InvalidOrderError(f"key={key!r} must be a text of 1 to 255 characters; nothing was sent.")
        if (first := self._under_way.get(key)) is not None:
            _must_agree(key, first[0], content)
            return await asyncio.shield(first[1])
        task = asyncio.create_task(self._intend(content, key), name=f"callfire_async purchase {key}")
        self._under_way[key] = (content, task)
        task.add_done_callback(lambda _: self._under_way.pop(key))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():  # not the caller's wait was ended, but the purchase, by aclose()
                raise ClosedError(f"The client was closed before order {key!r} was sent. It was not placed.") from None
            task.add_done_callback(_tell_nobody)
            raise

    async def aclose(self, *, patience: float) -> None:
        """Wait up to `patience` seconds for purchases under way; what is not answered by then is in doubt."""
        tasks = [task for _, task in self._under_way.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=patience)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _intend(self, content: Content, key: str) -> Tracked[S]:
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
        if (known := await self._written(record)) is not None:
            return await self._bought_before(known, content)
        answer = await self._send(request, key)
        if not isinstance(answer, Record):
            return await self._placed(key, answer)
        self._registry.tally["placed"] += 1
        return await self._registry.track(answer, new=True)

    async def _written(self, record: Record) -> Record | None:
        """Write a purchase before it is sent; or what its key stands for. A submission that someone else has on the way is waited for."""
        patient_until, pause = time.monotonic() + OTHERS, 0.05
        while (known := await self._store.intend(record)) is not None:
            if known.phase is not Phase.INTENDED or time.monotonic() > patient_until:
                break
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)
        return known

    async def _bought_before(self, known: Record, content: Content) -> Tracked[S]:
        _must_agree(known.key, known.content, content)
        if known.phase in (Phase.INTENDED, Phase.IN_DOUBT):
            raise OrderInDoubtError(
                f"Order {known.key!r} was submitted at {known.submitted_at:%Y-%m-%d %H:%M:%S} UTC, and whether it arrived is not known. "
                "Nothing was sent now.",
                key=known.key,
            )
        return await self._registry.track(known)

    async def _send(self, request: Request, key: str) -> Receipt[S] | Record:
        """Send until it surely arrived, was surely refused, or its fate is unknown. Only what surely never arrived is sent again.

        The record, where the answer brought no id and the order's own callback has told it instead.
        """
        for attempt in itertools.count(1):
            try:
                return self._provider.decode_receipt(await self._transport.send(request, purchase=True))
            except asyncio.CancelledError as exc:
                return await self._doubted(key, "The client was closed before the answer came.", exc)
            except Exception as exc:
                if not isinstance(exc, Error) or _may_have_arrived(exc):
                    return await self._doubted(key, str(exc), exc)
                pause = _pause_after(exc, attempt) if attempt <= self._max_retries else None
                if pause is None:
                    record = await self._store.find_key(self._scope, key)
                    if record is not None and record.order_id is not None:  # its callback knows better
                        return record
                    await self._store.refuse(self._scope, key)
                    raise
                logger.info("Purchase %r surely did not arrive, and is sent again in %.1f s: %s", key, pause, exc)
            try:
                await asyncio.sleep(pause)
            except asyncio.CancelledError as exc:
                await self._store.refuse(self._scope, key)
                raise ClosedError(
                    f"The client was closed before order {key!r} reached the provider. It was not placed."
                ) from exc
        raise AssertionError  # the loop above has no end

    async def _doubted(self, key: str, why: str, cause: BaseException) -> Record:
        """Write down that its fate is unknown and raise OrderInDoubtError, unless its callback has placed it meanwhile: then return its record."""
        try:
            record = await self._store.doubt(self._scope, key)
        except StoreError as exc:  # it stays intended, and is in doubt from the next start on
            logger.warning("That order %r is in doubt could not be written down: %s", key, exc)
        else:
            if record.order_id is not None:
                return record
        self._registry.tally["in_doubt"] += 1
        raise OrderInDoubtError(
            f"Order {key!r} may or may not have been placed. {why} It is not sent again by itself: in_doubt() lists it, "
            "reconcile() looks for traces of it, resolve() and abandon() settle it"
            + ("." if self._new_callback is None else ", and so does its callback, should one come."),
            key=key,
        ) from cause

    async def _placed(self, key: str, receipt: Receipt[S]) -> Tracked[S]:
        order_id = receipt.order_id
        try:
            record = await self._store.place(self._scope, key, order_id, ask_in=self._ask_in, rest=self._rest)
        except StoreError as exc:
            raise StoreError(
                f"The provider accepted order {key!r} under the id {order_id}, but the store could not write that down: {exc} "
                "The order is placed; keep the id, and do not order again."
            ) from exc
        self._registry.tally["placed"] += 1
        tracked = await self._registry.track(record, new=True)
        if receipt.state is not None and not tracked.done:
            await self._registry.observe(receipt.state, "create")
        return tracked


def _may_have_arrived(exc: Error) -> bool:
    """Whether a failed submission may have bought something all the same."""
    match exc:
        case TransportError():
            return exc.sent
        case APIError():
            return not 400 <= exc.status < 500 or exc.status in _UNCLEAR_4XX
        case _:
            return not isinstance(exc, ConfigurationError)


def _pause_after(exc: Error, attempt: int) -> float | None:
    """Seconds to wait before a purchase that surely did not arrive is sent again; None where that would be no use."""
    if isinstance(exc, RateLimitedError) and exc.retry_after is not None:
        return exc.retry_after if exc.retry_after <= LONGEST_PAUSE else None
    if isinstance(exc, TransportError | RateLimitedError):
        return 0.5 * 2.0 ** (attempt - 1) * random.uniform(0.8, 1.2)
    return None


def _must_agree(key: str, before: Content, now: Content) -> None:
    """InvalidOrderError where a key comes back with another order. The sequence of numbers and keywords does not matter."""
    differing = [
        name for name in sorted(before.keys() | now.keys()) if _unordered(before.get(name)) != _unordered(now.get(name))
    ]
    if differing:
        details = "; ".join(f"{name} was {before.get(name)!r} and is now {now.get(name)!r}" for name in differing)
        raise InvalidOrderError(f"The key {key!r} stands for another order: {details}. Nothing was sent.")


def _unordered(value: JSON) -> JSON:
    return sorted(value, key=str) if isinstance(value, list) else value


def _tell_nobody(task: asyncio.Task[Tracked[S]]) -> None:
    """Log the end of a purchase whose caller has stopped waiting."""
    if not task.cancelled() and (exc := task.exception()) is not None:
        logger.warning("A purchase whose caller had stopped waiting ended like this: %s", exc)
