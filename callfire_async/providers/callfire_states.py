"""What the states of an order at CallFire mean, and how the store keeps them: the same for API 1.1 and v2, whose account and orders are the same."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from callfire_async.errors import ConfigurationError
from callfire_async.orders import NumberOrder, OrderItem, Outcome
from callfire_async.providers.states import FirstTimes, dump

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("callfire_async.callfire")

#: What each of the fourteen statuses means. Only FINISHED and ERRORED are documented as final; the rest is inferred from the words.
OUTCOMES: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "FINISHED": Outcome.FINISHED,  # documented: pages and help; may still be partial
        "ERRORED": Outcome.FAILED,  # documented: pages and help
        "PROCESSING": Outcome.PENDING,  # documented: pages and help
        "NEW": Outcome.PENDING,  # inferred; schema lists it
        "PROCESSING_ACH": Outcome.PENDING,  # inferred; newest pages only
        "WAIT_FOR_PAYMENT": Outcome.PARKED,  # inferred; schema of 2014
        "APPROVE_TIER_ONE": Outcome.PARKED,  # inferred; pages
        "APPROVE_TIER_TWO": Outcome.PARKED,  # inferred; pages
        "VOID": Outcome.FAILED,  # inferred; schema
        "REJECTED": Outcome.FAILED,  # inferred; pages
        "PAYMENT_ERROR": Outcome.FAILED,  # inferred; newer SDKs
        "ACH_ERROR": Outcome.FAILED,  # inferred; newest pages only
        "ADJUSTED": Outcome.FINISHED,  # inferred: a billing word, may come after FINISHED
        "PARTIALLY_ADJUSTED": Outcome.FINISHED,  # inferred: a billing word, may come after FINISHED
    }
)


class OrderStates:
    """`outcomes` corrects or extends the meaning of statuses, which is mostly inferred: {"VOID": Outcome.FAILED}."""

    def __init__(self, outcomes: Mapping[str, Outcome] | None = None) -> None:
        try:
            corrected = {status.upper(): Outcome(outcome) for status, outcome in (outcomes or {}).items()}
        except ValueError as exc:
            raise ConfigurationError(f"outcomes= maps CallFire's statuses to Outcome members: {exc}.") from exc
        self._outcomes = {**OUTCOMES, **corrected}
        self._first_times = FirstTimes()

    def outcome(self, status: str, *, believed: bool = True) -> Outcome:
        """The meaning of a status; one that nobody knows is PENDING, and is logged once if it is `believed`: not made up by a stranger."""
        outcome = self._outcomes.get(status.upper())
        if outcome is None and believed and self._first_times.of(status.upper()):
            logger.warning(
                "CallFire calls an order %.40r, a status this library does not know. It counts as not final; "
                "if you know better, pass outcomes={%.40r: Outcome.…} to CallFire().",
                status,
                status,
            )
        return outcome or Outcome.PENDING

    def dump(self, state: NumberOrder) -> str:
        """JSON, with money and times as text."""
        return dump(state, leaf=str)

    def load(self, text: str) -> NumberOrder:
        """The state that `dump` wrote, with its outcome decided anew."""
        fields = json.loads(text)
        for name in ("local_numbers", "toll_free_numbers", "keywords"):
            if item := fields[name]:
                fields[name] = OrderItem(
                    ordered=item["ordered"], unit_cost=Decimal(item["unit_cost"]), fulfilled=tuple(item["fulfilled"])
                )
        for name in ("total_cost", "summary", "sales_tax", "total"):
            fields[name] = None if fields[name] is None else Decimal(fields[name])
        fields |= {"created": datetime.fromisoformat(fields["created"]), "outcome": self.outcome(fields["status"])}
        return NumberOrder(**fields)
