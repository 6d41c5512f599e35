"""CM.com Voice: what traces a purchase leaves whose answer was lost. It stands in the account's list of number requests."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from callfire_async.errors import Error
from callfire_async.providers import Reconciliation

if TYPE_CHECKING:
    from datetime import datetime

    from callfire_async.orders import Content, NumberRequest
    from callfire_async.providers import Investigation
    from callfire_async.providers.cm import CMProvider
    from callfire_async.providers.cm_names import CMNames

SETTLING: Final = timedelta(seconds=60)
"""How long after the submission an order that is not listed proves nothing (inferred: nothing documents a delay)."""

CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""How far CM.com's clock may be from ours (inferred)."""

TAKE: Final = 100
"""Entries asked for at once. CM.com may give fewer; its bound is documented nowhere."""

MOST_PAGES: Final = 200


def matches(names: CMNames, state: NumberRequest, content: Content, submitted_at: datetime) -> bool:
    """Whether it was created since the submission, and asks for the same in all that it tells of itself; how many it must tell."""
    told = {name: state.raw.get(getattr(names, name)) for name in content}
    return _is_similar(state, content, submitted_at) and all(
        value is None or _alike(value, content[name]) for name, value in told.items()
    )


def _is_similar(state: NumberRequest, content: Content, submitted_at: datetime) -> bool:
    """Whether it was created since the submission, and asks for as many numbers: the rest CM.com's people may have spelled in another way."""
    since = state.created is not None and state.created >= submitted_at - CLOCKS_DIFFER
    return since and state.quantity == content.get("quantity")


def _alike(told: object, ordered: object) -> bool:
    return told == ordered or (isinstance(told, str) and isinstance(ordered, str) and told.lower() == ordered.lower())


def investigate(provider: CMProvider, content: Content, submitted_at: datetime, now: datetime) -> Investigation:
    """List the account's number requests, and name those that fit. "not placed" only if all could be read, none is similar, and a minute has passed."""
    fitting: dict[str, None] = {}
    seen = unreadable = similar = 0
    try:
        for _ in range(MOST_PAGES):
            page = provider.decode_list((yield provider.encode_list(skip=seen, take=TAKE)))
            readable = [item for item in page.items if item is not None and item.created is not None]
            seen += len(page.items)
            unreadable += len(page.items) - len(readable)
            fitting |= {item.id: None for item in readable if provider.matches(item, content, submitted_at)}
            similar += sum(_is_similar(item, content, submitted_at) for item in readable)
            if not page.items or (page.total is not None and seen >= page.total):
                break
        else:
            return _unknown(fitting, f"CM.com lists more than the {seen:,} number requests that were looked at.")
    except Error as exc:
        return _unknown(fitting, f"CM.com could not be asked for more: {exc}")
    if unreadable:
        return _unknown(
            fitting,
            f"{unreadable} of the {seen:,} number requests listed cannot be read, or do not say when they were created.",
        )
    if similar > len(fitting):
        return _unknown(
            fitting,
            f"{similar - len(fitting)} number requests since then ask for as many numbers and differ in the rest: orders() shows them.",
        )
    looked = f"{len(fitting)} of the {seen:,} number requests that CM.com lists fit."
    if now - submitted_at < SETTLING:
        return _unknown(
            fitting,
            f"{looked} The submission is less than a minute old, and the list may not have it yet: look again later.",
        )
    return Reconciliation(verdict="not placed", evidence=(looked,), candidates=tuple(fitting))


def _unknown(fitting: dict[str, None], sentence: str) -> Reconciliation:
    return Reconciliation(verdict="unknown", evidence=(sentence,), candidates=tuple(fitting))
