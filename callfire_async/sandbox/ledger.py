"""The sandbox's books: what was ordered, who called when, and who called too soon."""

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from .forms import RefusedError, Wanted
from .goods import Block, all_but_one
from .life import FINAL, GOOD, PARKED, Life, Poll

if TYPE_CHECKING:
    from .account import Account
    from .inventory import Inventory

#: Seconds that must lie between two calls about one order: "no more than once per second" (CallFire's documents).
PACE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call to the sandbox, as its server saw it."""

    #: time.monotonic() when the request's head had arrived, before any latency.
    at: float
    method: str
    path: str
    #: The order asked about; None for every other call, the create included.
    order_id: str | None
    #: The HTTP status answered; None while it is out, and for a connection cut.
    status: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """The moment (time.monotonic) from which an order has a status."""

    at: float
    status: str


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as the ledger has it at this moment."""

    id: str
    #: The form, or the JSON body, as it was received.
    form: Mapping[str, Any]
    #: time.monotonic() of acceptance.
    accepted_at: float
    status: str
    #: What is delivered: numbers, then keywords. Empty while the order is at work.
    fulfilled: tuple[str, ...]
    life: Life
    #: GETs of its status that arrived, the ones too soon and the ones without credentials included.
    calls: int


@dataclass(slots=True, kw_only=True)
class Order:
    """An accepted order. Its status follows from the clock alone."""

    #: Whose order it is; the services do not know one another's.
    service: ClassVar[str] = "callfire"

    id: str
    form: Mapping[str, Any]
    life: Life
    processing: float
    postback: str
    accepted_at: float
    created: datetime
    goods: tuple[Block, ...]
    steps: list[Step]
    faults: deque[Poll]
    calls: int = 0

    def status(self, now: float) -> str:
        """Return the order's status word at a moment of time.monotonic."""
        return next(step.status for step in reversed(self.steps) if step.at <= now)

    def end(self, status: str) -> str:
        """Turn a good end into ERRORED where nothing could be had. A script has its own words."""
        empty = not any(block.units for block in self.goods)
        return "ERRORED" if empty and status in GOOD and not self.life.statuses else status

    def blocks(self, status: str) -> tuple[Block, ...]:
        """What the order's document lists under a status: nothing delivered yet, all, all but one, or nothing at all."""
        if status not in FINAL:
            return tuple(replace(block, units=None) for block in self.goods)
        if status not in GOOD:
            return tuple(replace(block, units=()) for block in self.goods)
        if self.life.result == "partial" or status == "PARTIALLY_ADJUSTED":
            return all_but_one(self.goods)
        return self.goods

    def pay(self, now: float) -> tuple[list[Step], list[Step]]:
        """Let a parked order go on; return the steps this drops and those it adds."""
        if self.status(now) not in PARKED:
            raise ValueError(f"Order {self.id} is {self.status(now)}: only a parked order can be paid.")
        dropped = [step for step in self.steps if step.at > now]
        added = [Step(now, "PROCESSING"), Step(now + self.processing, self.end("FINISHED"))]
        self.steps = [step for step in self.steps if step.at <= now] + added
        return dropped, added

    def view(self) -> OrderView:
        """Freeze it as it is now."""
        status = self.status(time.monotonic())
        fulfilled = tuple(unit for block in self.blocks(status) for unit in block.units or ())
        return OrderView(self.id, self.form, self.accepted_at, status, fulfilled, self.life, self.calls)


class Ledger(Mapping[str, OrderView]):
    """All orders by id, and the log of calls. Reading an entry freezes it as it is at that moment."""

    def __init__(
        self,
        *,
        processing: float,
        postbacks: str,
        life: Life,
        inventory: "Inventory",
        account: "Account",
        seed: int | None,
    ) -> None:
        self._processing = processing
        self._postbacks = postbacks
        self._life = life
        self._inventory = inventory
        self._account = account
        self._ids = random.Random(None if seed is None else f"{seed}:ids")
        self._last_id = self._ids.randrange(1_400_000, 1_500_000) * 1000 + 3  # CallFire's ids end in 003
        self._planned: deque[Life] = deque()
        self._orders: dict[str, Order] = {}
        self._asked: dict[str, float] = {}
        self.calls: list[Call] = []
        self.violations = 0

    def __getitem__(self, order_id: str) -> OrderView:
        return self._orders[order_id].view()

    def __iter__(self) -> Iterator[str]:
        return iter(self._orders)

    def __len__(self) -> int:
        return len(self._orders)

    def plan(self, lives: Iterable[Life]) -> None:
        """Queue lives for the orders to come."""
        self._planned.extend(lives)

    def next_life(self) -> Life:
        """Take the life of the order that is coming in."""
        return self._planned.popleft() if self._planned else self._life

    def prepare(self, form: Mapping[str, Any], wanted: Wanted) -> Callable[[Life], Order]:
        """Note the numbers named in a create, whatever becomes of it: they exist, and are for sale if nobody has them. Return what accepts it."""
        self._inventory.remember(wanted.numbers)
        return partial(self._accept, form, wanted)

    def _accept(self, form: Mapping[str, Any], wanted: Wanted, life: Life) -> Order:
        """Write an order down. From here on it exists, whatever becomes of the reply."""
        self._last_id += self._ids.randrange(1, 10) * 1000
        processing, postback = self.terms(life)
        self._account.settle()  # what a failed order has put back can be sold again
        now = time.monotonic()
        order = Order(
            id=str(self._last_id),
            form=MappingProxyType(dict(form)),
            life=life,
            processing=processing,
            postback=postback,
            accepted_at=now,
            created=datetime.now(UTC),
            goods=self._inventory.pick(
                numbers=wanted.numbers,
                keywords=wanted.keywords,
                local=wanted.local,
                toll_free=wanted.toll_free,
                where=wanted.where,
            ),
            steps=[],
            faults=deque(life.polls),
        )
        order.steps = [Step(now + seconds, order.end(status)) for seconds, status in life.timeline(processing)]
        self._account.follow(order, order.steps)
        self.enter(order)
        return order

    def terms(self, life: Life) -> tuple[float, str]:
        """Return a life's seconds of processing and its postbacks, the sandbox's own where it has none."""
        return self._processing if life.processing is None else life.processing, life.postback or self._postbacks

    def enter(self, order: Order) -> None:
        """Add an order to the books, of whichever service."""
        self._orders[order.id] = order

    def order(self, order_id: str, service: str = "callfire") -> Order | None:
        """Return the order itself, or None if a service has none of this id."""
        order = self._orders.get(order_id)
        return order if order is not None and order.service == service else None

    def find(self, order_id: str) -> Order:
        """Return an order of CallFire's; RefusedError (404) if there is none."""
        order = self.order(order_id)
        if order is None:
            raise RefusedError(404, f"number order {order_id} does not exist")
        return order

    def arrive(self, method: str, path: str, order_id: str | None) -> tuple[int, bool]:
        """Log a call at this moment; return its place in the log, and whether it came too soon after the one before."""
        now = time.monotonic()
        self.calls.append(Call(now, method, path, order_id))
        if order_id is None:
            return len(self.calls) - 1, False
        if order := self._orders.get(order_id):
            order.calls += 1
        before = self._asked.get(order_id)
        self._asked[order_id] = now
        too_soon = before is not None and now - before < PACE
        self.violations += too_soon
        return len(self.calls) - 1, too_soon

    def answer(self, place: int, status: int) -> None:
        """Complete an entry of the log."""
        self.calls[place] = replace(self.calls[place], status=status)
