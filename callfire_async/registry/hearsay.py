"""News of orders that nobody here knows, or not yet: kept for a while and bounded, because anyone may have made it up."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final, TypeVar

T = TypeVar("T")

EARLY_KEPT: Final = 1_024
EARLY_FOR: Final = 60.0
"""How many ids are kept, and for how many seconds, because a postback may overtake the answer that names its order."""

RUMOURS: Final = 32
"""How many ids that only postbacks have named are worth a question when a doubt is looked into."""


class Hearsay:
    """Ids only: what a postback said about an order is stale by the time the order is known."""

    def __init__(self) -> None:
        #: When it came, and whether it was a postback; otherwise the store holds the news already.
        self._early: OrderedDict[str, tuple[float, bool]] = OrderedDict()
        self._confirmed: OrderedDict[str, None] = OrderedDict()
        self._rumoured: OrderedDict[str, None] = OrderedDict()

    def keep(self, order_id: str, *, postback: bool) -> None:
        """Keep news of an order until it is tracked."""
        now = time.monotonic()
        _append(self._early, order_id, (now, postback), most=EARLY_KEPT)
        while next(iter(self._early.values()))[0] < now - EARLY_FOR:
            self._early.popitem(last=False)

    def take(self, order_id: str) -> bool | None:
        """Whether there was a postback of an order that is known now; None where nothing was heard of it. It is no stray any more."""
        self._confirmed.pop(order_id, None)
        self._rumoured.pop(order_id, None)
        _, postback = self._early.pop(order_id, (0.0, None))
        return postback

    def confirm(self, order_id: str) -> None:
        """The provider has answered about an order that the store does not know."""
        _append(self._confirmed, order_id, None, most=EARLY_KEPT)

    def rumour(self, order_id: str) -> None:
        """A postback speaks of an order that the store does not know."""
        _append(self._rumoured, order_id, None, most=RUMOURS)

    @property
    def strays(self) -> list[str]:
        """Orders heard of that the store does not know; one of them may be a purchase in doubt."""
        return list(dict.fromkeys([*self._confirmed, *self._rumoured]))


def _append(kept: OrderedDict[str, T], order_id: str, value: T, *, most: int) -> None:
    kept[order_id] = value
    kept.move_to_end(order_id)
    while len(kept) > most:
        kept.popitem(last=False)
