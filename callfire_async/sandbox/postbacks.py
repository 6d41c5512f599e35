"""Delivers notifications to the subscribed endpoints: those of orders by itself, all others when a test asks for them.

CallFire documents NO event for orders (contract, section 4.1): the documents advise a postback and name none that would be sent. The sandbox
invents one, in the shape of the vendor's other notifications, and posts it to every enabled subscription that is an address on the web.
"""

import asyncio
import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import aiohttp

from . import notifications
from .ledger import Order, Step
from .life import FINAL, GOOD, PARKED
from .notifications import Notification
from .subscriptions import Subscription, Subscriptions

if TYPE_CHECKING:
    from .callfire_v2_webhooks import Webhook

#: As captured from CallFire in 2013.
_USER_AGENT: Final = "CallFire-HTTP/1.0"
#: Seconds an endpoint may take. CallFire documents neither a timeout nor a retry: none is made here.
_PATIENCE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification to one subscriber, and what became of it."""

    #: time.monotonic() when it was posted.
    at: float
    #: Empty if it tells of no order.
    order_id: str
    #: The order's status word in it; of any other notification the event.
    word: str
    endpoint: str
    #: The HTTP status the endpoint answered; None if no answer came.
    status: int | None
    #: What went wrong, or nothing.
    error: str = ""


class Courier:
    """Owns the timers, tasks and connections of all postbacks."""

    #: What is said when news comes out of order.
    stale = "PROCESSING"

    def __init__(
        self, subscriptions: Subscriptions, seed: int | None, webhooks: "Mapping[int, Webhook]" = MappingProxyType({})
    ) -> None:
        self.deliveries: list[Delivery] = []
        self._subscriptions = subscriptions
        self._webhooks = webhooks
        self._session: aiohttp.ClientSession | None = None
        self._timers: dict[Step, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._random = random.Random(None if seed is None else f"{seed}:notifications")
        self._last_id = self._random.randrange(5_000_000, 6_000_000) * 1000 + 1  # the sample's ends in 001

    def open(self) -> None:
        """Get ready, inside the running loop."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_PATIENCE), headers={"User-Agent": _USER_AGENT}
        )

    async def close(self) -> None:
        """Drop what is still to be delivered."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def is_news(self, _order: Order, step: Step) -> bool:
        """Whether a status is told: parked, or final."""
        return step.status in FINAL or step.status in PARKED

    def false_word(self, order: Order) -> str:
        """An end that is not the order's own."""
        return "ERRORED" if order.steps[-1].status in GOOD else "FINISHED"

    async def announce(self, order: Order) -> None:
        """Arrange the postbacks of a new order. Returns at once, unless its life wants one delivered before the create reply."""
        if order.postback == "forged":
            self._start(order, [self.false_word(order)])
        if order.postback != "early":
            self.schedule(order, order.steps)
            return
        # What is known at acceptance is told now, and not again.
        self.schedule(order, [step for step in order.steps if step.at > order.accepted_at])
        await self.post(order, [order.status(order.accepted_at)])

    def schedule(self, order: Order, steps: Iterable[Step]) -> None:
        """Set a timer for each step that is news."""
        if order.postback == "lost":
            return
        late = order.life.late_by if order.postback == "late" else 0.0
        for step in steps:
            if self.is_news(order, step):
                delay = max(0.0, step.at + late - time.monotonic())
                self._timers[step] = asyncio.get_running_loop().call_later(delay, self._fire, order, step)

    def unschedule(self, steps: Iterable[Step]) -> None:
        """Forget steps that will not come to pass."""
        for step in steps:
            if timer := self._timers.pop(step, None):
                timer.cancel()

    def _fire(self, order: Order, step: Step) -> None:
        del self._timers[step]
        match order.postback:
            case "twice":
                words = [step.status, step.status]
            case "out_of_order":
                words = [step.status, self.stale]
            case _:
                words = [step.status]
        self._start(order, words)

    def _start(self, order: Order, words: list[str]) -> None:
        task = asyncio.get_running_loop().create_task(self.post(order, words))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def post(self, order: Order, words: Iterable[str]) -> None:
        """Post these status words one after the other, each to all endpoints at once. Never raises for a failed delivery."""
        for word in words:
            whole = order.postback != "malformed"
            hearing = [subscription for subscription in self._subscriptions.values() if subscription.hears_of_orders]
            hooks = [webhook for webhook in self._webhooks.values() if webhook.hears_of_orders]
            await asyncio.gather(
                self._spread(notifications.of_order(order, word), hearing, whole=whole),
                *(self._call(order, word, webhook, whole=whole) for webhook in hooks),
            )

    async def notify(
        self, event: str, fields: Mapping[str, str], *, root: str | None, everyone: bool
    ) -> tuple[Delivery, ...]:
        """Post news of other things than orders to all who asked for it, or to everyone who hears of orders."""
        self._last_id += self._random.randrange(1, 10) * 1000
        news = notifications.of_event(event, {"id": str(self._last_id), **fields}, root)
        hearing = [
            subscription
            for subscription in self._subscriptions.values()
            if subscription.hears_of(news.word, news.facts) or (everyone and subscription.hears_of_orders)
        ]
        return await self._spread(news, hearing)

    async def _spread(
        self, news: Notification, hearing: Iterable[Subscription], *, whole: bool = True
    ) -> tuple[Delivery, ...]:
        return tuple(
            await asyncio.gather(*(self._deliver(news, subscription, whole=whole) for subscription in hearing))
        )

    async def _deliver(self, news: Notification, subscription: Subscription, *, whole: bool) -> Delivery:
        content_type, text = news.render(subscription.notification_format, subscription.id)
        body = text.encode()
        if not whole:
            body = body[: len(body) // 2]
        verify = not subscription.non_strict_ssl
        return await self.send(
            subscription.endpoint, content_type, body, order_id=news.order_id, word=news.word, verify=verify
        )

    async def _call(self, order: Order, word: str, webhook: "Webhook", *, whole: bool) -> Delivery:
        body, signature = webhook.write(order, word, whole=whole)
        return await self.send(
            webhook.endpoint,
            "application/json",
            body,
            order_id=order.id,
            word=word,
            verify=not webhook.non_strict_ssl,
            headers=signature,
        )

    async def send(
        self,
        endpoint: str,
        content_type: str,
        body: bytes,
        *,
        order_id: str,
        word: str,
        verify: bool = True,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Delivery:
        """Post a body to one endpoint. Never raises for a failed delivery."""
        if self._session is None:
            raise RuntimeError("The sandbox is not running: enter it with 'async with' first.")
        at = time.monotonic()
        status, error = None, ""
        try:
            async with self._session.post(
                endpoint,
                data=body,
                headers={"Content-Type": content_type, **headers},
                ssl=verify,
                allow_redirects=False,
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, OSError) as failure:  # TimeoutError is an OSError
            error = f"{type(failure).__name__}: {failure}"
        delivery = Delivery(at, order_id, word, endpoint, status, error)
        self.deliveries.append(delivery)
        return delivery
