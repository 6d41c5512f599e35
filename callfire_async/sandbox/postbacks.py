"""Delivers notifications to the subscribed endpoints: those of orders by itself, all others when a test asks for them.

CallFire documents NO event for orders (contract, section 4.1): the documents advise a postback and name none that would be sent. The sandbox
invents one, in the shape of the vendor's other notifications, and posts it to every enabled subscription that is an address on the web.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import aiohttp

from . import notifications
from .ledger import Order, Step
from .life import FINAL, GOOD, PARKED
from .notifications import Notification
from .subscriptions import Subscription, Subscriptions

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

    def __init__(self, subscriptions: Subscriptions) -> None:
        self.deliveries: list[Delivery] = []
        self._subscriptions = subscriptions
        self._session: aiohttp.ClientSession | None = None
        self._timers: dict[Step, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

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

    async def announce(self, order: Order) -> None:
        """Arrange the postbacks of a new order. Returns at once, unless its life wants one delivered before the create reply."""
        if order.postback == "forged":
            true_end = order.steps[-1].status
            self._start(order, ["ERRORED" if true_end in GOOD else "FINISHED"])
        if order.postback != "early":
            self.schedule(order, order.steps)
            return
        # What is known at acceptance is told now, and not again.
        self.schedule(order, [step for step in order.steps if step.at > order.accepted_at])
        await self.post(order, [order.status(order.accepted_at)])

    def schedule(self, order: Order, steps: Iterable[Step]) -> None:
        """Set a timer for each step that is news: parked, or final."""
        if order.postback == "lost":
            return
        late = order.life.late_by if order.postback == "late" else 0.0
        for step in steps:
            if step.status in FINAL or step.status in PARKED:
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
                words = [step.status, "PROCESSING"]
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
            await self.tell(notifications.of_order(order, word), everyone=True, whole=order.postback != "malformed")

    async def tell(self, news: Notification, *, everyone: bool, whole: bool = True) -> tuple[Delivery, ...]:
        """Post to all endpoints at once that hear of it, or to all that hear of orders. Never raises for a failed delivery."""
        hearing = [
            subscription
            for subscription in self._subscriptions.values()
            if (subscription.hears_of_orders if everyone else subscription.hears_of(news.word, news.facts))
        ]
        return tuple(await asyncio.gather(*(self._deliver(news, subscription, whole) for subscription in hearing)))

    async def _deliver(self, news: Notification, subscription: Subscription, whole: bool) -> Delivery:
        if self._session is None:
            raise RuntimeError("The sandbox is not running: enter it with 'async with' first.")
        content_type, text = news.render(subscription.notification_format, subscription.id)
        body = text.encode()
        if not whole:
            body = body[: len(body) // 2]
        at = time.monotonic()
        status, error = None, ""
        try:
            async with self._session.post(
                subscription.endpoint,
                data=body,
                headers={"Content-Type": content_type},
                ssl=not subscription.non_strict_ssl,
                allow_redirects=False,
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, OSError) as failure:  # TimeoutError is an OSError
            error = f"{type(failure).__name__}: {failure}"
        delivery = Delivery(at, news.order_id, news.word, subscription.endpoint, status, error)
        self.deliveries.append(delivery)
        return delivery
