"""Who may be asked about when, inside one process: a heap of due times."""

from __future__ import annotations

import heapq
import itertools
import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

QUIET = 1.0
"""Seconds after the start in which nothing is due: an earlier run may have asked just before it ended."""


class _Slot:
    """One order's place. `ticket` names the heap entry that counts; older entries of the same order are passed over."""

    __slots__ = ("claimed", "due", "hastened", "resting", "since", "ticket")

    def __init__(self, now: float) -> None:
        self.since = now
        self.resting = now  # nobody may ask before
        self.due = math.inf
        self.ticket = -1
        self.claimed = False
        self.hastened = False  # someone wants to know, whatever the schedule says


class Schedule:
    """The orders of one scope. Not for several threads."""

    def __init__(self, *, quiet: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._quiet_until = clock() + quiet
        self._slots: dict[str, _Slot] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._tickets = itertools.count()

    def follow(self, order_id: str, *, ask_in: float, rest: float) -> None:
        """Put an order on the schedule."""
        now = self._clock()
        slot = self._slots.setdefault(order_id, _Slot(now))
        slot.resting = max(slot.resting, now + rest)
        self._due(order_id, slot, now + ask_in)

    def hasten(self, order_id: str) -> None:
        """Due now, or as soon as it has rested. An order that is being asked about right now is asked once more afterwards."""
        now = self._clock()
        slot = self._slots.setdefault(order_id, _Slot(now))
        slot.hastened = True
        if not slot.claimed and slot.due > max(now, slot.resting, self._quiet_until):
            self._due(order_id, slot, now)

    def leave(self, order_id: str) -> None:
        """Ask no more about an order by itself: it is settled. Who wants to know all the same still gets an answer."""
        slot = self._slots.get(order_id)
        if slot is not None and not slot.claimed and not slot.hastened:
            slot.due = math.inf
            self._enter(order_id, slot, slot.resting)  # so that it is forgotten once it has rested

    def claim_due(self, limit: int) -> list[tuple[str, float]]:
        """Up to `limit` order ids with their age in seconds, longest due first."""
        now = self._clock()
        claimed: list[tuple[str, float]] = []
        while len(claimed) < limit and self._next_at() <= now:
            _, _, order_id = heapq.heappop(self._heap)
            slot = self._slots[order_id]
            slot.claimed, slot.hastened, slot.due = True, False, math.inf
            claimed.append((order_id, now - slot.since))
        return claimed

    def settle(self, order_id: str, *, again_in: float | None, rest: float) -> None:
        """Take a claim back."""
        now = self._clock()
        slot = self._slots[order_id]
        slot.claimed, slot.resting = False, now + rest
        if slot.hastened:
            self._due(order_id, slot, now)
        elif again_in is not None:
            self._due(order_id, slot, now + again_in)
        else:
            self.leave(order_id)

    def due_in(self) -> float | None:
        """Seconds until there may be something to claim, 0.0 if there is; None if nothing is scheduled."""
        at = self._next_at()
        return None if at == math.inf else max(0.0, at - self._clock())

    def _due(self, order_id: str, slot: _Slot, at: float) -> None:
        slot.due = max(at, slot.resting, self._quiet_until)
        self._enter(order_id, slot, slot.due)

    def _enter(self, order_id: str, slot: _Slot, at: float) -> None:
        slot.ticket = next(self._tickets)
        heapq.heappush(self._heap, (at, slot.ticket, order_id))

    def _next_at(self) -> float:
        """The time of the first entry that counts; those before it are dropped, and orders that nobody waits for with them."""
        now = self._clock()
        while self._heap:
            at, ticket, order_id = self._heap[0]
            slot = self._slots.get(order_id)
            if slot is not None and slot.ticket == ticket and not slot.claimed:
                if slot.due < math.inf or at > now:
                    return at
                del self._slots[order_id]
            heapq.heappop(self._heap)
        return math.inf
