"""What the account owns. Ownership follows the orders: it comes with a good final status and goes with a bad one."""

import asyncio
import calendar
import heapq
import itertools
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from .goods import is_number
from .inventory import Inventory, canonical
from .life import FINAL

if TYPE_CHECKING:
    from .ledger import Order, Step


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a number does with calls and texts. That a new one takes both is invented."""

    call: str = "ENABLED"
    text: str = "ENABLED"
    #: TRACKING or IVR; None until it is configured.
    inbound: str | None = None
    #: The inbound configuration, by the names of its parameters.
    details: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Holding:
    """How the account has a number or keyword; those that came together share one. No sandbox lives long enough to see a lease end."""

    begin: date
    label: str | None = None
    released: bool = False
    configuration: Configuration = Configuration()

    @property
    def end(self) -> date:
        """The same day a month later, or the last of that month."""
        year, month = self.begin.year + self.begin.month // 12, self.begin.month % 12 + 1
        return date(year, month, min(self.begin.day, calendar.monthrange(year, month)[1]))


class Account:
    """The numbers and keywords of the one account, in the order in which they came."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._numbers: dict[str, Holding] = {}
        self._keywords: dict[str, Holding] = {}
        # Final statuses that are still to come: (moment, tie-breaker, order, step).
        self._coming: list[tuple[float, int, Order, Step]] = []
        self._tie: Final = itertools.count()

    @property
    def numbers(self) -> Mapping[str, Holding]:
        """The numbers as they are at this moment."""
        self.settle()
        return self._numbers

    @property
    def keywords(self) -> Mapping[str, Holding]:
        """The keywords as they are at this moment."""
        self.settle()
        return self._keywords

    def follow(self, order: "Order", steps: "Iterable[Step]") -> None:
        """Expect these steps of an order."""
        for step in steps:
            if step.status in FINAL:
                heapq.heappush(self._coming, (step.at, next(self._tie), order, step))

    def settle(self) -> None:
        """Catch up with the orders."""
        while self._settle_one():
            pass

    async def catch_up(self) -> None:
        """Settle, and give other calls their turn between two orders."""
        while self._settle_one():  # noqa: ASYNC110  # it waits for nothing
            await asyncio.sleep(0)

    def _settle_one(self) -> bool:
        if not self._coming or self._coming[0][0] > time.monotonic():
            return False
        _, _, order, step = heapq.heappop(self._coming)
        if step in order.steps:  # unless a payment has changed its course
            self._apply(order, step)
        return True

    def _apply(self, order: "Order", step: "Step") -> None:
        holding = Holding((order.created + timedelta(seconds=step.at - order.accepted_at)).date())
        for goods, delivered in zip(order.goods, order.blocks(step.status), strict=True):
            kept = delivered.units or ()
            lost = (goods.units or ())[len(kept) :]  # what is withheld is always the last
            # After FINISHED may come ADJUSTED: what was disowned in between does not come back.
            self._enter((unit for unit in kept if self._inventory.is_kept(unit)), holding)
            self._remove(lost)
            if step is order.steps[-1]:  # until then a later status may still deliver them
                self._inventory.free(lost)

    def own(self, units: Iterable[str], label: str | None) -> None:
        """Buy these without an order."""
        self.settle()
        wanted = tuple(units)
        self._inventory.own(wanted)
        self._enter(wanted, Holding(datetime.now(UTC).date(), label))

    def disown(self, units: Iterable[str]) -> None:
        """Lose these, as when a lease ends. LookupError if one is not owned; then none is lost."""
        self.settle()
        lost = tuple(units)
        holdings = {unit: self._find(unit) for unit in lost}
        self._remove(lost)
        self._inventory.free(lost)
        # Released ones cannot be bought again for a month, which is longer than any sandbox lives.
        self._inventory.bar(unit for unit, holding in holdings.items() if holding.released)

    def release(self, units: Iterable[str]) -> None:
        """Renew these no more. The lease goes on to its end."""
        for unit in units:
            self.change(unit, replace(self._find(unit), released=True))

    def change(self, unit: str, holding: Holding) -> None:
        """Have something in another way."""
        self._shelf(unit)[canonical(unit)] = holding

    def _enter(self, units: Iterable[str], holding: Holding) -> None:
        for unit in units:
            self._shelf(unit).setdefault(canonical(unit), holding)

    def _remove(self, units: Iterable[str]) -> None:
        for unit in units:
            self._shelf(unit).pop(canonical(unit), None)

    def _find(self, unit: str) -> Holding:
        try:
            return self._shelf(unit)[canonical(unit)]
        except KeyError:
            raise LookupError(f"The account does not own {unit}.") from None

    def _shelf(self, unit: str) -> dict[str, Holding]:
        return self._numbers if is_number(unit) else self._keywords
