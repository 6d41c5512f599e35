"""Asks the provider, when no postback comes: one scheduler task, and a bounded number of calls at once."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Final, Generic

from callfire_async.errors import (
    APIError,
    AuthenticationError,
    ClosedError,
    Error,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitedError,
)
from callfire_async.poller.policy import FLOOR
from callfire_async.poller.questions import Questions
from callfire_async.providers import S
from callfire_async.transport import decoded

if TYPE_CHECKING:
    from callfire_async.poller.policy import PollPolicy
    from callfire_async.poller.questions import Wanted
    from callfire_async.providers import Provider, Reply, Request
    from callfire_async.registry import Registry, Source
    from callfire_async.stores import Claim, Scope, Store
    from callfire_async.transport import Transport

logger = logging.getLogger("callfire_async.poller")

PATIENCE_WITH_404: Final = 30.0
"""Seconds in which a new order may still be unknown to the provider's own readers (inferred: nothing documents a delay)."""

LOOK_AGAIN: Final = 5.0
"""Seconds after which the schedule is read again, whatever it said: another process may have written to it."""

LONGEST_WAIT: Final = 60.0
"""Seconds that someone who wants to know waits while the provider wants to be left alone; longer, and they are told so."""


class Poller(Generic[S]):
    """Follows the schedule of one scope."""

    def __init__(
        self,
        *,
        store: Store,
        scope: Scope,
        provider: Provider[S],
        transport: Transport,
        registry: Registry[S],
        policy: PollPolicy,
    ) -> None:
        self._store = store
        self._scope = scope
        self._provider = provider
        self._transport = transport
        self._registry = registry
        self._policy = policy
        self._scheduler: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._questions: Questions[S] = Questions(self.hasten)
        self._failures: dict[str, int] = {}
        #: Orders that the provider wants to be left alone about for long: until when (loop time), and its word.
        self._refused: dict[str, tuple[float, Error]] = {}
        self._next_start = 0.0
        self._closing = False
        #: Seconds until a claim that was not given back is free again: by then its call has arrived, if it ever does, and is long enough ago.
        self._lease = transport.reach + policy.min_interval

    def start(self) -> None:
        """Begin to follow the schedule."""
        self._scheduler = asyncio.create_task(self._follow_schedule(), name="callfire_async poller")

    async def aclose(self, *, patience: float) -> None:
        """Begin no more calls, and wait up to `patience` seconds for those under way."""
        self._closing = True
        if self._scheduler is not None:
            self._registry.due.set()
            await asyncio.wait([self._scheduler], timeout=patience)  # a claim that is just handed out is given back
            self._scheduler.cancel()
            await asyncio.wait([self._scheduler])
        tasks = self._asking.copy()
        if tasks:
            await asyncio.wait(tasks, timeout=patience)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._questions.close()

    async def ask(self, order_id: str) -> S:
        """What the provider says from now on, as soon as the once-a-second rule allows the question.

        Where the provider has asked for a longer rest than a minute, its RateLimitedError or ServerError is raised instead.
        """
        self._check_patience(order_id)
        return await self._questions.ask(order_id)

    async def tell(self, order_id: str, request: Request) -> S:
        """What the provider answers to another request about an order, such as a cancellation, which must be the order.

        It goes out as a question would, in place of the next one.
        """
        self._check_patience(order_id)
        return await self._questions.tell(order_id, request)

    async def hasten(self, order_id: str) -> None:
        """Have an order asked about as soon as the rule allows."""
        await self._store.hasten(self._scope, order_id)
        self._registry.due.set()

    # ------------------------------------------------------------------ the schedule

    async def _follow_schedule(self) -> None:
        failures = 0
        while not self._closing:
            self._registry.due.clear()
            try:
                delay = await self._begin_due()
                failures = 0
            except Exception as exc:  # noqa: BLE001 - whatever a store raises: without this task nobody would ever be asked again
                failures += 1
                delay = 0.0
                level = logging.WARNING if failures in (1, 10, 100) else logging.DEBUG
                logger.log(level, "The schedule cannot be read, so nobody is asked for a moment: %s", exc or repr(exc))
                await asyncio.sleep(min(FLOOR * failures, LOOK_AGAIN))
            try:
                async with asyncio.timeout(LOOK_AGAIN if delay is None else min(delay, LOOK_AGAIN)):
                    await self._registry.due.wait()
            except TimeoutError:
                pass

    async def _begin_due(self) -> float | None:
        """Make the calls that are due and return the seconds until there may be more; None while only a wake can bring some."""
        room = self._policy.max_concurrency - len(self._asking)
        if room <= 0:
            return None  # an answer wakes the scheduler
        if self._policy.max_rate is not None:
            if (early := self._next_start - (now := asyncio.get_running_loop().time())) > 0:
                return early
            room, self._next_start = 1, now + 1.0 / self._policy.max_rate
        claims = await self._store.claim_due(self._scope, room, lease=self._lease)
        for claim in claims:
            task = asyncio.create_task(self._use(claim))
            self._asking.add(task)
            task.add_done_callback(self._answered)
        return await self._store.due_in(self._scope)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        self._registry.due.set()

    # ------------------------------------------------------------------ one call

    async def _use(self, claim: Claim) -> None:
        """Make a call and give the claim back; make none where this process stood still for so long that another may be asking."""
        again_in: float | None = 0.0
        rest = 0.0
        try:
            if not self._closing and (claim.send_by is None or not claim.send_by.passed):
                again_in, rest = self._policy.interval(claim.age), self._policy.min_interval
                again_in, rest = await self._call(claim, self._questions.next(claim.order_id))
        finally:
            if again_in is not None and again_in > rest:
                again_in += (again_in - rest) * random.uniform(-0.1, 0.1)
            await self._give_back(claim, again_in, rest)

    async def _call(self, claim: Claim, wanted: Wanted[S] | None) -> tuple[float | None, float]:
        """Make one call and pass on what it brings: when to ask again, and how long nobody may."""
        order_id = claim.order_id
        request = None if wanted is None else wanted.request
        self._registry.tally["polls"] += 1
        self._refused.pop(order_id, None)
        try:
            state = await self._exchange(order_id, request)
        except Error as exc:
            self._registry.tally["poll_errors"] += 1
            if wanted is not None:
                wanted.fail(exc)
            return self._after_failure(claim, exc, learned=request is None)
        except asyncio.CancelledError:
            if wanted is not None:
                wanted.fail(ClosedError("The client was closed while the provider was being asked."))
            raise
        self._failures.pop(order_id, None)
        if wanted is not None and not wanted.answer.done():
            wanted.answer.set_result(state)
        return self._policy.interval(claim.age, state.outcome), self._policy.min_interval

    async def _exchange(self, order_id: str, request: Request | None) -> S:
        by: Source = "poll"
        if request is None and (tracked := self._registry.tracked(order_id)) is not None and tracked.hinted:
            by, tracked.hinted = "postback", False
        try:
            reply: Reply = await self._transport.send(request or self._provider.encode_status(order_id))
            state = await decoded(reply, self._provider.decode_status)
            if state.id != order_id:
                raise ProtocolError(  # noqa: TRY301
                    f"The provider was asked about order {order_id} and answered about {state.id!r}.", body=reply.body
                )
            await self._registry.observe(state, by)
        except Error:
            raise
        except Exception as exc:
            raise ProtocolError(
                f"The answer about order {order_id} could not be handled: {type(exc).__name__}: {exc}"
            ) from exc
        return state

    def _after_failure(self, claim: Claim, exc: Error, *, learned: bool) -> tuple[float | None, float]:
        """A failed call is news about the network, not about the order. Unless a question was asked, nothing was `learned` about asking either."""
        order_id, policy = claim.order_id, self._policy
        rest = max(policy.min_interval, (exc.retry_after or 0.0) if isinstance(exc, APIError) else 0.0)
        if rest > LONGEST_WAIT:
            self._refused[order_id] = (asyncio.get_running_loop().time() + rest, exc)
        if not learned:
            return policy.interval(claim.age), rest
        failures = self._failures.get(order_id, 0) + 1
        tracked = self._registry.tracked(order_id) is not None
        if tracked:
            self._failures[order_id] = failures
        again_in: float | None = policy.interval(claim.age, failures=failures)
        if isinstance(exc, AuthenticationError | PermissionDeniedError) and tracked:
            again_in = None  # but where it is not followed here, another process may know better
            self._registry.stumble(order_id, exc)
        elif isinstance(exc, NotFoundError):
            if claim.age < PATIENCE_WITH_404:
                again_in = policy.interval(claim.age)
            else:
                again_in = policy.max_interval
                self._registry.stumble(order_id, exc)
        logger.log(
            logging.WARNING if failures in (1, 10, 100) and tracked else logging.DEBUG,
            "Asking about order %s failed, %d in a row: %s %s",
            order_id,
            failures,
            exc,
            "It is not asked about again by itself."
            if again_in is None
            else f"Next try in {max(again_in, rest):.0f} s.",
        )
        return again_in, rest

    async def _give_back(self, claim: Claim, again_in: float | None, rest: float) -> None:
        try:
            await self._store.settle_claim(claim, again_in=again_in, rest=rest)
            tracked = self._registry.tracked(claim.order_id)
            if self._questions.more(claim.order_id) or (tracked is not None and tracked.hinted):
                await self.hasten(claim.order_id)  # something else went out in place of a question
        except Exception as exc:  # noqa: BLE001
            logger.warning(
                "The claim on order %s could not be given back, and runs out by itself: %s", claim.order_id, exc
            )

    def _check_patience(self, order_id: str) -> None:
        until, exc = self._refused.get(order_id, (0.0, None))
        left = until - asyncio.get_running_loop().time()
        if exc is None or left <= 0:
            self._refused.pop(order_id, None)
        elif left > LONGEST_WAIT:
            raise RateLimitedError(
                f"The provider has asked not to be asked about order {order_id} for another {left:.0f} s. Nothing was sent",
                retry_after=left,
            ) from exc
