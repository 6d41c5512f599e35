"""CallFire API 1.1: what traces a purchase leaves whose answer was lost.

CallFire 1.1 can neither list orders nor tell which order brought a number. What is left are the things themselves: a named number or keyword that was
for sale is either still for sale, or owned by the account, or gone.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from callfire_async.errors import Error, NotFoundError
from callfire_async.orders import Region
from callfire_async.providers import Reconciliation
from callfire_async.providers.callfire_numbers import (
    MOST_FOUND,
    decode_keywords,
    decode_number,
    decode_numbers,
    keywords_request,
    number_request,
    search_keywords_request,
    search_numbers_request,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import datetime

    from callfire_async.inventory import LeaseInfo
    from callfire_async.orders import Content, NumberOrder
    from callfire_async.providers import Investigation, Reply, Request

SETTLING: Final = timedelta(seconds=60)
"""How long after the submission a number that is for sale proves nothing: an order may take its time ("up to 20 seconds", the pages say)."""

CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""How far CallFire's clock may be from ours (inferred: nothing is documented)."""

SUBMITTING: Final = timedelta(minutes=15)
"""How long a purchase may take from its submission to the server, tries included; an order created later is another."""

#: Toll-free area codes of the North American plan; the order lists such numbers apart from local ones.
TOLL_FREE: Final = ("1800", "1833", "1844", "1855", "1866", "1877", "1888")


def matches(state: NumberOrder, content: Content, submitted_at: datetime) -> bool:
    """Whether an order was created at the time of the submission, asks for just as many of each kind, and brought nothing that was not named."""
    numbers = _texts(content, "numbers")
    toll_free = sum(number.startswith(TOLL_FREE) for number in numbers)
    wanted = (
        _count(content, "local") + len(numbers) - toll_free,
        _count(content, "toll_free") + toll_free,
        len(_texts(content, "keywords")),
    )
    ordered = tuple(
        item.ordered if item else 0 for item in (state.local_numbers, state.toll_free_numbers, state.keywords)
    )
    if ordered != wanted or not -CLOCKS_DIFFER <= state.created - submitted_at <= CLOCKS_DIFFER + SUBMITTING:
        return False
    by_count = _count(content, "local") + _count(content, "toll_free")
    words = {word.upper() for word in _texts(content, "keywords")}
    brought = {word.upper() for word in (state.keywords.fulfilled if state.keywords else ())}
    return brought <= words and (by_count > 0 or set(state.numbers) <= set(numbers))


def investigate(content: Content, submitted_at: datetime, now: datetime) -> Investigation:
    """Look up each named thing among the account's own, then among those for sale."""
    evidence: list[str] = []
    found: Counter[str] = Counter()
    try:
        for number in _texts(content, "numbers"):
            found[(yield from _number(number, submitted_at, evidence))] += 1
        if words := _texts(content, "keywords"):
            found += yield from _keywords(words, submitted_at, evidence)
    except Error as exc:
        evidence.append(f"CallFire could not be asked for more: {exc}")
        return Reconciliation(verdict="unknown", evidence=tuple(evidence))
    if not found:
        evidence.append(
            "The order names no number and no keyword, and CallFire 1.1 cannot list orders: it has left no trace to look for."
        )
    elif found.keys() == {"bought"}:
        return Reconciliation(verdict="placed", evidence=tuple(evidence))
    elif found.keys() == {"for sale"}:
        if now - submitted_at >= SETTLING:
            return Reconciliation(verdict="not placed", evidence=tuple(evidence))
        evidence.append(
            "The submission is less than a minute old, and the order may still be at work: look again later."
        )
    return Reconciliation(verdict="unknown", evidence=tuple(evidence))


def _number(number: str, submitted_at: datetime, evidence: list[str]) -> Generator[Request, Reply, str]:
    try:
        owned = decode_number((yield number_request(number)))
    except NotFoundError:
        toll_free = number.startswith(TOLL_FREE)
        # The longest prefix that can be searched for leaves ten thousand numbers, of which a page is looked at.
        page = decode_numbers(
            (yield search_numbers_request(how_many=MOST_FOUND, region=Region(prefix=number[:7]), toll_free=toll_free))
        )
        if any(offer.number == number for offer in page.items):
            evidence.append(f"{number} is not the account's, and is still for sale.")
            return "for sale"
        evidence.append(f"{number} is not the account's, and is not among the numbers for sale that CallFire shows.")
        return "gone"
    return _owned(number, owned.lease, submitted_at, evidence)


def _keywords(words: list[str], submitted_at: datetime, evidence: list[str]) -> Generator[Request, Reply, Counter[str]]:
    leases = {k.keyword.upper(): k.lease for k in decode_keywords((yield keywords_request())).items}
    offers = {k.keyword.upper() for k in decode_keywords((yield search_keywords_request(words))).items}
    found: Counter[str] = Counter()
    for word in words:
        if word.upper() in leases:
            found[_owned(word, leases[word.upper()], submitted_at, evidence)] += 1
        elif word.upper() in offers:
            evidence.append(f"{word} is not the account's, and is still for sale.")
            found["for sale"] += 1
        else:
            evidence.append(f"{word} is neither the account's nor for sale.")
            found["gone"] += 1
    return found


def _owned(what: str, lease: LeaseInfo | None, submitted_at: datetime, evidence: list[str]) -> str:
    """A lease that began on an earlier day has nothing to do with the submission."""
    if lease is not None and lease.begin is not None and lease.begin < (submitted_at - CLOCKS_DIFFER).date():
        evidence.append(f"{what} is the account's since {lease.begin}, which was before the submission.")
        return "owned before"
    evidence.append(
        f"{what} is the account's" + (f" since {lease.begin}." if lease is not None and lease.begin else ".")
    )
    return "bought"


def _texts(content: Content, name: str) -> list[str]:
    values = content.get(name)
    return [str(value) for value in values] if isinstance(values, list) else []


def _count(content: Content, name: str) -> int:
    value = content.get(name)
    return value if isinstance(value, int) else 0
