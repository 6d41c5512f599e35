"""CallFire API v2: what traces a purchase leaves whose answer was lost. v2 can list orders, so the order itself is looked for."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol

from callfire_async.errors import Error
from callfire_async.providers import Reconciliation, callfire_traces
from callfire_async.providers.callfire_traces import CLOCKS_DIFFER, SETTLING

if TYPE_CHECKING:
    from datetime import datetime

    from callfire_async.orders import Content, NumberOrder
    from callfire_async.providers import Investigation, Page, Reply, Request

MOST_PAGES: Final = 20
"""Pages of a hundred orders that are looked at."""


class Lister(Protocol):
    """Who knows how orders are listed: the codec."""

    def encode_list(self, *, first: int) -> Request:
        """A page of the account's orders."""

    def decode_list(self, reply: Reply) -> Page[NumberOrder]:
        """Its answer."""


def matches(state: NumberOrder, content: Content, submitted_at: datetime) -> bool:
    """Whether an order was created since the submission, asks for just as many of each kind, and has brought nothing that was not named."""
    named = {
        str(unit).upper()
        for name in ("numbers", "keywords")
        if isinstance(units := content.get(name), list)
        for unit in units
    }
    brought = {unit.upper() for unit in (*state.numbers, *(state.keywords.fulfilled if state.keywords else ()))}
    foreign = not brought <= named and not content.keys() & {"local", "toll_free"}
    return not foreign and callfire_traces.matches(state, content, submitted_at)


def investigate(lister: Lister, content: Content, submitted_at: datetime, now: datetime) -> Investigation:
    """List orders back to the submission.

    The list's own filter by time is not used: only one source knows of it, and misread by either side it would hide the very order that is looked
    for. That the newest come first is inferred as well, so it counts only where the times in the answers show it.
    """
    since = submitted_at - CLOCKS_DIFFER
    seen: dict[str, NumberOrder] = {}
    evidence: list[str] = []
    doubts: list[str] = []
    try:
        for number in range(MOST_PAGES):
            reply = yield lister.encode_list(first=len(seen))
            if not number:
                doubts += _clocks(reply, now)
            page = lister.decode_list(reply)
            before = len(seen)
            seen |= {order.id: order for order in page.items}
            if (page.total is not None and len(seen) >= page.total) or _has_passed(since, list(seen.values())):
                break
            if len(seen) == before:
                doubts.append(
                    "CallFire's list of orders ended without telling how many there are, or before they had all come."
                )
                break
        else:
            doubts.append(f"CallFire lists more orders than the {len(seen):,} that were looked at.")
    except Error as exc:
        doubts.append(f"CallFire could not be asked for more: {exc}")
    recent = [order for order in seen.values() if order.created >= since]
    fitting = [order for order in recent if matches(order, content, submitted_at)]
    evidence += [
        f"Order {o.id}, created {o.created:%Y-%m-%d %H:%M:%S} UTC, is {o.status[:40]} and asks for the same."
        for o in fitting
    ]
    doubts += [f"Order {o.id}, created since, does not tell what was ordered." for o in recent if _is_silent(o)]
    evidence.append(
        f"Of {len(seen):,} orders that CallFire listed, {len(recent):,} were created since the submission, and {len(fitting):,} of them fit."
    )
    if doubts:
        return Reconciliation(verdict="unknown", evidence=(*evidence, *doubts))
    candidates = tuple(order.id for order in fitting)
    if now - submitted_at < SETTLING:
        evidence.append(
            "The submission is less than a minute old, and the order may still be coming: look again later."
        )
        return Reconciliation(verdict="unknown", evidence=tuple(evidence), candidates=candidates)
    return Reconciliation(verdict="not placed", evidence=tuple(evidence), candidates=candidates)


def _has_passed(since: datetime, orders: list[NumberOrder]) -> bool:
    """Whether the orders came newest first, as far as one can see, and have reached older ones."""
    times = [order.created for order in orders]
    return len(set(times)) > 1 and all(later >= earlier for later, earlier in pairwise(times)) and times[-1] < since


def _is_silent(order: NumberOrder) -> bool:
    return order.local_numbers is order.toll_free_numbers is order.keywords is None


def _clocks(reply: Reply, now: datetime) -> list[str]:
    """Doubts about what "since the submission" means: our clock said when that was, and CallFire's when an order was created."""
    try:
        theirs = parsedate_to_datetime(reply.headers.get("date", ""))
        apart = abs(theirs - now)
    except (ValueError, TypeError, OverflowError):  # absent, no date, or one without a zone
        return [
            "CallFire's answer does not tell what time it is there, so which orders came since the submission is not sure."
        ]
    if apart <= CLOCKS_DIFFER:
        return []
    return [
        f"CallFire's clock and ours are {apart.total_seconds():,.0f} s apart, so which orders came since the submission is not sure."
    ]
