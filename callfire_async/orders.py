"""The vocabulary: what is ordered, what becomes of it, and what may follow what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from callfire_async.errors import InvalidOrderError

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

JSON: TypeAlias = "str | int | float | bool | Sequence[JSON] | Mapping[str, JSON] | None"
Content: TypeAlias = "Mapping[str, JSON]"
"""What was ordered, in a form that can be kept, compared and shown: the checked arguments of `order()`, those left out absent."""


class Outcome(StrEnum):
    """What a provider's status means to the buyer."""

    PENDING = "pending"
    """The provider is at work."""
    PARKED = "parked"
    """Waits for money or for a person. It may take days."""
    FINISHED = "finished"
    """Final and good. It may still be partial: see `shortfall`."""
    FAILED = "failed"
    """Final and bad."""

    @property
    def final(self) -> bool:
        """Whether nothing may follow."""
        return not MAY_FOLLOW[self]


_UNDECIDED = frozenset(Outcome)

#: States only move forward: nothing follows a final one, whatever a late or reordered message says.
MAY_FOLLOW: Final[Mapping[Outcome, frozenset[Outcome]]] = MappingProxyType(
    {
        Outcome.PENDING: _UNDECIDED,
        Outcome.PARKED: _UNDECIDED,
        Outcome.FINISHED: frozenset(),
        Outcome.FAILED: frozenset(),
    }
)


class OrderState(Protocol):
    """What every provider's answer can tell."""

    @property
    def id(self) -> str:
        """The provider's id, always as text; CallFire's long as its decimal digits."""

    @property
    def status(self) -> str:
        """The provider's own word, never translated."""

    @property
    def outcome(self) -> Outcome:
        """What that word means."""

    @property
    def numbers(self) -> tuple[str, ...]:
        """Every phone number acquired so far."""

    @property
    def shortfall(self) -> int:
        """How many of the ordered things were not (yet) delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderItem:
    """One kind of thing in an order: local numbers, toll-free numbers or keywords."""

    #: How many were ordered.
    ordered: int
    #: The price of one. In which currency or credit is documented nowhere.
    unit_cost: Decimal
    #: What was acquired so far: numbers of eleven digits, or keywords.
    fulfilled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberOrder:
    """An order of phone numbers and keywords at CallFire, as the provider last described it."""

    id: str
    #: CallFire's own word.
    status: str
    #: What the word means; decided by the codec, which marks what is inferred.
    outcome: Outcome
    #: When the order was created: aware, UTC.
    created: datetime
    #: In which currency or credit is documented nowhere.
    total_cost: Decimal
    local_numbers: OrderItem | None = None
    toll_free_numbers: OrderItem | None = None
    keywords: OrderItem | None = None
    #: Only in newer documents; None where the provider did not say.
    summary: Decimal | None = None
    sales_tax: Decimal | None = None
    total: Decimal | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """Every phone number acquired so far, local ones first."""
        return tuple(n for item in (self.local_numbers, self.toll_free_numbers) if item for n in item.fulfilled)

    @property
    def shortfall(self) -> int:
        """Ordered minus fulfilled, keywords included; never below 0."""
        items = (self.local_numbers, self.toll_free_numbers, self.keywords)
        return sum(max(0, item.ordered - len(item.fulfilled)) for item in items if item)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRange:
    """Numbers that follow one another, as CM.com assigned them. Every field is None until it was."""

    id: str | None = None
    #: The first number, as CM.com spells it.
    start: str | None = None
    #: How many numbers; None counts as one.
    size: int | None = None
    #: Aware, UTC.
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """Each number of it, spelled as the first one is; none before it is assigned."""
        if self.start is None:
            return ()
        prefix = self.start.rstrip("0123456789")
        digits = self.start.removeprefix(prefix)
        if not digits:
            return (self.start,)
        return tuple(f"{prefix}{int(digits) + i:0{len(digits)}}" for i in range(self.size or 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRequest:
    """An order of phone numbers at CM.com, as CM.com last described it. Two are equal that differ only in `raw`."""

    id: str
    #: CM.com's own word.
    status: str
    #: What the word means; decided by the codec, which marks what is inferred.
    outcome: Outcome
    #: Why it has this status, where CM.com said so.
    reason: str | None = None
    #: How many numbers were ordered; 0 where CM.com did not say.
    quantity: int = 0
    ranges: tuple[NumberRange, ...] = ()
    #: When the order was created: aware, UTC.
    created: datetime | None = None
    #: The whole document, without the order's secret callback address; fractions are Decimal.
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Every phone number acquired so far, each one of a range."""
        return tuple(number for part in self.ranges for number in part.numbers)

    @property
    def shortfall(self) -> int:
        """Ordered minus assigned, in numbers and not in ranges (inferred); never below 0."""
        return max(0, self.quantity - sum(part.size or 1 for part in self.ranges if part.start is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where a number should be. Every field is optional, and CallFire compares the text as it stands.

    `prefix` is four to seven digits and begins with the country's 1 ("1206", "1920659"). `country` has two letters. `latitude` and
    `longitude` are degrees. `lata` is the local access and transport area, `rate_center` the exchange that rates calls. (Vendor schema, Region.)
    """

    prefix: str | None = None
    city: str | None = None
    state: str | None = None
    zipcode: str | None = None
    country: str | None = None
    lata: str | None = None
    rate_center: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    time_zone: str | None = None

    def given(self) -> dict[str, str | float]:
        """The fields that were set, by name."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}

    def checked(self) -> dict[str, str | float]:
        """What `given` gives, once CallFire's schema allows it; otherwise InvalidOrderError. Not done at birth: what a provider says is taken as it is."""
        given = self.given()
        for name, value in given.items():
            bound = {"latitude": 90, "longitude": 180}.get(name)
            if bound is None and not (isinstance(value, str) and value.strip() and value.isprintable()):
                raise InvalidOrderError(f"Region({name}={value!r}) must be a text that is not empty; nothing was sent.")
            if bound is not None and (
                isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= bound
            ):
                raise InvalidOrderError(
                    f"Region({name}={value!r}) must be degrees from -{bound} to {bound}; nothing was sent."
                )
        for name, shape, meaning in _REGION_SHAPES:
            if name in given and not re.fullmatch(shape, str(given[name])):
                raise InvalidOrderError(f"Region({name}={given[name]!r}) must be {meaning}; nothing was sent.")
        return given


_REGION_SHAPES: Final = (
    ("prefix", r"1[0-9]{3,6}", "4 to 7 digits that begin with the country's 1, such as '1206'"),
    ("country", r"[A-Za-z]{2}", "two letters, such as 'US'"),
)

_PUNCTUATION: Final = str.maketrans("", "", " \t()-./\u00a0\u2010\u2011\u2012\u2013")
_E164: Final = re.compile(r"\+?(1[0-9]{10})")


def e164(number: str) -> str:
    """The eleven digits of a North American phone number, however a person writes it: "+1 (855) 987-5391" is "18559875391".

    Raises InvalidOrderError for anything that is not a 1 and ten more digits: CallFire sells North American numbers only.
    """
    spelled = number.strip().translate(_PUNCTUATION) if isinstance(number, str) else ""
    if not (match := _E164.fullmatch(spelled)):
        raise InvalidOrderError(
            f"{repr(number)[:42]} is no North American phone number: it takes a text with a 1 and ten more digits, such as '+1 (855) 987-5391'; "
            "nothing was sent."
        )
    return match[1]


_KEYWORD: Final = re.compile(r"[A-Za-z0-9]{1,64}")


def keyword(word: str) -> str:
    """A text-message keyword: 1 to 64 ASCII letters and digits (CallFire's help centre), otherwise InvalidOrderError."""
    if not isinstance(word, str) or not _KEYWORD.fullmatch(word):
        raise InvalidOrderError(
            f"{str(word)[:80]!r} is no keyword: it takes 1 to 64 letters and digits; nothing was sent."
        )
    return word


MOST_AT_ONCE: Final = 10_000
"""The most numbers or keywords one order may ask for. Ours, not CallFire's, which documents none: a slip of the finger should not buy a million."""


def count(name: str, value: int) -> int:
    """How many to buy: 0 to 10,000, otherwise InvalidOrderError."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_AT_ONCE:
        raise InvalidOrderError(
            f"{name}={value!r} must be a whole number from 0 to {MOST_AT_ONCE:,}; nothing was sent."
        )
    return value


def distinct(name: str, values: Iterable[str], spell: Callable[[str], str]) -> list[str]:
    """The values of a list parameter, each spelled the provider's way.

    A bare string (which would fall apart into letters), more than 10,000 values, or one that stands twice is an InvalidOrderError.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidOrderError(
            f"{name}={values!r} must be a list of texts, such as {name}=[{values!r}]; nothing was sent."
        )
    spelled = [spell(value) for value in values]
    if len(spelled) > MOST_AT_ONCE:
        raise InvalidOrderError(
            f"{name} has {len(spelled):,} entries, and one order takes at most {MOST_AT_ONCE:,}; nothing was sent."
        )
    if twice := [value for value, times in Counter(spelled).items() if times > 1]:
        raise InvalidOrderError(f"{name} names {', '.join(twice[:3])} more than once; nothing was sent.")
    return spelled
