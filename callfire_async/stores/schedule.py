"""Who may be asked about when, inside one process: a heap of due times, and the half of a store that stands on it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from callfire_async.stores import Claim, Scope

if TYPE_CHECKING:
    from collections.abc import Callable


class _Slot:
    """One order's place. `ticket` names the heap entry that counts; older entries of the same order are passed over."""

    __slots__ = ("claimed", "due", "followed", "hastened", "resting", "since", "ticket")

    def __init__(self, now: float) -> None:
        self.since = now
        self.resting = now  # nobody may ask before
        self.due = math.inf
        self.ticket = -1
        self.followed = False  # it is asked about again and again, until it is settled
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
        slot.followed = True
        slot.resting = max(slot.resting, now + rest)
        if not slot.claimed:
            self._due(order_id, slot, now if slot.hastened else now + ask_in)

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
        if slot is None:
            return
        slot.followed = False
        if not slot.claimed and not slot.hastened:
            self._let_rest(order_id, slot)

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
        """Take a claim back. Only an order that is followed is due again by itself."""
        now = self._clock()
        slot = self._slots[order_id]
        slot.claimed, slot.resting = False, now + rest
        if slot.hastened:
            self._due(order_id, slot, now)
        elif slot.followed and again_in is not None:
            self._due(order_id, slot, now + again_in)
        else:
            self._let_rest(order_id, slot)

    def due_in(self) -> float | None:
        """Seconds until there may be something to claim, 0.0 if there is; None if nothing is scheduled."""
        at = self._next_at()
        return None if at == math.inf else max(0.0, at - self._clock())

    def _due(self, order_id: str, slot: _Slot, at: float) -> None:
        slot.due = max(at, slot.resting, self._quiet_until)
        self._enter(order_id, slot, slot.due)

    def _let_rest(self, order_id: str, slot: _Slot) -> None:
        """Due no more; forgotten once it has rested, unless it is followed."""
        slot.due = math.inf
        if not slot.followed:
            self._enter(order_id, slot, slot.resting)

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


class InProcess:
    """The half of a store whose orders only this process asks about: the schedule, and who is told when an order was applied."""

    def __init__(self, *, quiet: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._schedules: defaultdict[Scope, Schedule] = defaultdict(lambda: Schedule(quiet=quiet, clock=clock))
        self._watchers: defaultdict[Scope, list[Callable[[str], None]]] = defaultdict(list)

    async def hasten(self, scope: Scope, order_id: str) -> None:
        self._schedules[scope].hasten(order_id)

    async def claim_due(self, scope: Scope, limit: int, *, lease: float = 60.0) -> list[Claim]:  # noqa: ARG002 - a claim of this process is never lost
        return [
            Claim(scope=scope, order_id=order_id, age=age) for order_id, age in self._schedules[scope].claim_due(limit)
        ]

    async def settle_claim(self, claim: Claim, *, again_in: float | None, rest: float) -> None:
        self._schedules[claim.scope].settle(claim.order_id, again_in=again_in, rest=rest)

    async def due_in(self, scope: Scope) -> float | None:
        return self._schedules[scope].due_in()

    def watch(self, scope: Scope, heard: Callable[[str], None]) -> None:
        self._watchers[scope].append(heard)

    def unwatch(self, scope: Scope, heard: Callable[[str], None]) -> None:
        self._watchers[scope].remove(heard)

    def _applied(self, scope: Scope, order_id: str, *, final: bool) -> None:
        """Pass on that a state was written: soon, so that whoever wrote it is the first to know."""
        if final:
            self._schedules[scope].leave(order_id)
        for heard in self._watchers[scope]:
            asyncio.get_running_loop().call_soon(heard, order_id)
