"""Asks the provider, when no postback comes: one scheduler task, and a bounded number of questions at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic

from callfire_async.errors import (
    AuthenticationError,
    ClosedError,
    ConfigurationError,
    Error,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitedError,
    StoreError,
)
from callfire_async.orders import Outcome
from callfire_async.providers import S
from callfire_async.transport import decoded

if TYPE_CHECKING:
    from callfire_async.providers import Provider, Reply, Request
    from callfire_async.registry import Registry, Source
    from callfire_async.stores import Claim, Scope, Store
    from callfire_async.transport import Transport

logger = logging.getLogger("callfire_async.poller")

FLOOR: Final = 1.0
"""Seconds between two calls about one order, at least: CallFire's pages allow no more than one a second."""

PATIENCE_WITH_404: Final = 30.0
"""Seconds in which a new order may still be unknown to the provider's own readers (inferred: nothing documents a delay)."""

LOOK_AGAIN: Final = 5.0
"""Seconds after which the schedule is read again, whatever it said: another process may have written to it."""

ASK_AGAIN: Final = 2.0
"""Seconds after which someone who waits for an answer says so again: another process may have taken the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPolicy:
    """When to ask. All times are seconds. Nothing here can bring two calls about one order closer than `min_interval`.

    A fresh order is asked about after `grace` where a listener waits for postbacks as well, otherwise after `min_interval`; then every
    `min_interval` until it is `brisk_for` old (the pages: "up to 20 seconds"); then ever more rarely, each interval about `backoff` times the
    last, up to `max_interval`. A parked order is asked about every `parked_interval`. At most `max_concurrency` calls are under way at once, and
    at most `max_rate` begin in a second. Raises ConfigurationError for a value out of bounds: the floor of `min_interval` is 1.0.
    """

    min_interval: float = 1.0
    grace: float = 3.0
    brisk_for: float = 20.0
    backoff: float = 1.5
    max_interval: float = 60.0
    parked_interval: float = 300.0
    max_concurrency: int = 32
    max_rate: float | None = None

    def __post_init__(self) -> None:
        """Check the bounds."""
        least = {"min_interval": FLOOR, "grace": 0.0, "brisk_for": 0.0, "backoff": 1.0, "max_concurrency": 1}
        least |= {"max_interval": self.min_interval, "parked_interval": self.min_interval}
        for name, bound in least.items():
            value = getattr(self, name)
            if not bound <= value < math.inf:
                raise ConfigurationError(f"PollPolicy({name}={value!r}) must be a finite number of at least {bound:g}.")
        if self.max_rate is not None and not 0 < self.max_rate < math.inf:
            raise ConfigurationError(
                f"PollPolicy(max_rate={self.max_rate!r}) must be a number of calls a second above 0, or None."
            )

    def first(self, *, listening: bool) -> float:
        """Seconds from the provider's acceptance to the first question."""
        return max(self.min_interval, self.grace) if listening else self.min_interval

    def interval(self, age: float, outcome: Outcome = Outcome.PENDING, failures: int = 0) -> float:
        """Seconds from an answer to the next question about an order of that age, before jitter.

        Beyond the brisk phase the interval grows with the age, which makes successive intervals grow by the factor `backoff`
        without anyone counting them; `failures` in a row double it.
        """
        if outcome is Outcome.PARKED:
            return self.parked_interval
        calm = self.min_interval + (self.backoff - 1.0) * max(0.0, age - self.brisk_for)
        return min(self.max_interval, calm * 2.0 ** min(failures, 10))


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
        #: Those who want the answer to the next question about an order, whoever else wanted it asked.
        self._wanted: dict[str, asyncio.Future[S]] = {}
        #: What goes out in place of the next question about an order, and who waits for the answer to that.
        self._instead: dict[str, tuple[Request, asyncio.Future[S]]] = {}
        self._failures: dict[str, int] = {}
        self._next_start = 0.0
        self._closing = False
        #: Seconds until a claim that was not given back is free again: by then its call has arrived, if it ever does, and is long enough ago.
        self._lease = transport.reach + policy.min_interval

    def start(self) -> None:
        """Begin to follow the schedule."""
        self._scheduler = asyncio.create_task(self._follow_schedule(), name="callfire_async poller")

    async def aclose(self, *, patience: float) -> None:
        """Begin no more questions, and wait up to `patience` seconds for those under way."""
        self._closing = True
        if self._scheduler is not None:
            self._registry.due.set()
            await asyncio.wait([self._scheduler], timeout=patience)  # what it is just handed is given back
            self._scheduler.cancel()
            await asyncio.wait([self._scheduler])
        tasks = self._asking.copy()
        if tasks:
            await asyncio.wait(tasks, timeout=patience)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for wanted in (*self._wanted.values(), *(wanted for _, wanted in self._instead.values())):
            _fail(wanted, ClosedError("The client was closed before the provider could be asked."))

    async def ask(self, order_id: str) -> S:
        """What the provider says from now on, as soon as the once-a-second rule allows the question. All who wait for it share one call."""
        wanted = self._wanted.get(order_id)
        if wanted is None:
            wanted = self._wanted[order_id] = asyncio.get_running_loop().create_future()
            wanted.add_done_callback(lambda f: f.exception())  # looked at, in case everyone has stopped waiting
            await self.hasten(order_id)
        return await self._answer(order_id, wanted)

    async def tell(self, order_id: str, request: Request) -> S:
        """What the provider answers to another request about an order, such as a cancellation. It goes out as a question would, in place of the next one.

        It must be answered with the order. Two such requests under way about one order are taken for one.
        """
        _, wanted = self._instead.get(order_id, (None, None))
        if wanted is None:
            wanted = asyncio.get_running_loop().create_future()
            wanted.add_done_callback(lambda f: f.exception())
            self._instead[order_id] = (request, wanted)
            try:
                await self.hasten(order_id)
            except StoreError:
                self._instead.pop(order_id, None)
                raise
        return await self._answer(order_id, wanted)

    async def _answer(self, order_id: str, wanted: asyncio.Future[S]) -> S:
        """What is wanted, and the wish repeated as long as nobody here has begun to ask."""
        while True:
            try:
                async with asyncio.timeout(ASK_AGAIN):
                    return await asyncio.shield(wanted)
            except TimeoutError:
                if wanted.done():
                    return wanted.result()
            if wanted in (self._wanted.get(order_id), self._instead.get(order_id, (None, None))[1]):
                with contextlib.suppress(StoreError):  # then it is repeated again
                    await self.hasten(order_id)

    async def hasten(self, order_id: str) -> None:
        """Have an order asked about as soon as the rule allows."""
        try:
            await self._store.hasten(self._scope, order_id)
        except StoreError as exc:
            _fail(self._wanted.pop(order_id, None), exc)
            raise
        self._registry.due.set()

    async def _follow_schedule(self) -> None:
        failures = 0
        while not self._closing:
            self._registry.due.clear()
            try:
                delay = await self._begin_due()
                failures = 0
            except StoreError as exc:
                failures += 1
                delay = 0.0
                level = logging.WARNING if failures in (1, 10, 100) else logging.DEBUG
                logger.log(level, "The schedule cannot be read, so nobody is asked for a moment: %s", exc)
                await asyncio.sleep(min(FLOOR * failures, LOOK_AGAIN))
            try:
                async with asyncio.timeout(LOOK_AGAIN if delay is None else min(delay, LOOK_AGAIN)):
                    await self._registry.due.wait()
            except TimeoutError:
                pass

    async def _begin_due(self) -> float | None:
        """Ask about what is due and return the seconds until there may be more; None while only a wake can bring some."""
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

    async def _use(self, claim: Claim) -> None:
        """Ask, unless this process stood still for so long that another may be asking."""
        if self._closing or (claim.send_by is not None and claim.send_by.passed):
            await self._give_back(claim, 0.0, 0.0)
        else:
            await self._ask(claim)

    async def _ask(self, claim: Claim) -> None:
        """Make one call, pass on what it brings, and give the claim back."""
        order_id = claim.order_id
        told, wanted = self._instead.pop(order_id, (None, None))
        if told is None:
            wanted = self._wanted.pop(order_id, None)
        tracked = self._registry.tracked(order_id)
        by: Source = "postback" if tracked is not None and tracked.hinted else "poll"
        if tracked is not None:
            tracked.hinted = False
        again_in: float | None = self._policy.interval(claim.age)
        rest = self._policy.min_interval
        self._registry.tally["polls"] += 1
        try:
            try:
                state = await self._call(order_id, told or self._provider.encode_status(order_id))
                await self._registry.observe(state, by)
            except Error:
                raise
            except Exception as exc:
                raise ProtocolError(
                    f"The answer about order {order_id} could not be handled: {type(exc).__name__}: {exc}"
                ) from exc
            self._failures.pop(order_id, None)
            again_in = self._policy.interval(claim.age, state.outcome)
            if wanted is not None and not wanted.done():
                wanted.set_result(state)
        except Error as exc:
            self._registry.tally["poll_errors"] += 1
            again_in, rest = self._after_failure(claim, exc, told=told is not None)
            _fail(wanted, exc)
        except asyncio.CancelledError:
            _fail(wanted, ClosedError("The client was closed while the provider was being asked."))
            raise
        finally:
            if again_in is not None and again_in > rest:
                again_in += (again_in - rest) * random.uniform(-0.1, 0.1)
            await self._give_back(claim, again_in, rest)

    async def _call(self, order_id: str, request: Request) -> S:
        reply: Reply = await self._transport.send(request)
        state = await decoded(reply, self._provider.decode_status)
        if state.id != order_id:
            raise ProtocolError(
                f"The provider was asked about order {order_id} and answered about {state.id!r}.", body=reply.body
            )
        return state

    def _after_failure(self, claim: Claim, exc: Error, *, told: bool) -> tuple[float | None, float]:
        """When to ask again, and how long nobody may: a failed call is news about the network, not about the order."""
        order_id, policy = claim.order_id, self._policy
        rest = policy.min_interval
        if isinstance(exc, RateLimitedError) and exc.retry_after is not None:
            rest = max(rest, exc.retry_after)
        if told:  # no question was asked, so nothing was learned about asking
            return policy.interval(claim.age), rest
        failures = self._failures.get(order_id, 0) + 1
        if self._registry.tracked(order_id) is not None:
            self._failures[order_id] = failures
        again_in: float | None = policy.interval(claim.age, failures=failures)
        if (
            isinstance(exc, AuthenticationError | PermissionDeniedError)
            and self._registry.tracked(order_id) is not None
        ):
            again_in = (
                None  # where nobody waits for it, another process may: it shall hear of this itself, or know better
            )
            self._registry.stumble(order_id, exc)
        elif isinstance(exc, NotFoundError):
            if claim.age < PATIENCE_WITH_404:
                again_in = policy.interval(claim.age)
            else:
                again_in = policy.max_interval
                self._registry.stumble(order_id, exc)
        logger.log(
            logging.WARNING if failures in (1, 10, 100) else logging.DEBUG,
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
            if claim.order_id in self._wanted:  # a question that something else went out in place of
                await self.hasten(claim.order_id)
        except StoreError as exc:
            logger.warning(
                "The claim on order %s could not be given back, and runs out by itself: %s", claim.order_id, exc
            )


def _fail(wanted: asyncio.Future[S] | None, exc: Error) -> None:
    if wanted is not None and not wanted.done():
        wanted.set_exception(exc)
