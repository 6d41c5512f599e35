"""What can be bought: numbers and keywords that nobody owns yet.

CallFire documents nothing of how its stock is made. Here each region and each toll-free code has a hundred fictional numbers on its shelf, and
whatever else is offered or asked for by name joins them: a number nobody owns is for sale whether or not it stood on a shelf before. An
order by count that names no region, or only a Prefix, is filled with made-up numbers once the shelves are empty; every other region can run out.
"""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final

from .goods import KEYWORD_COST, LOCAL_COST, TOLL_FREE_CODES, TOLL_FREE_COST, Block, is_number, is_toll_free
from .regions import REGIONS, Where

#: The one short code of the samples. Keywords live on it.
SHORT_CODE: Final = "67076"
#: Words that carriers answer themselves. Nobody can buy them here; CallFire lists none.
RESERVED: Final = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "HELP", "INFO"})

_TOLL_FREE_PREFIXES: Final = tuple(f"1{code}555" for code in TOLL_FREE_CODES)


def _fictional(exchange: str) -> list[str]:
    """Numbers 01XX of an exchange, the ones set aside for fiction."""
    return [f"{exchange}01{last:02}" for last in range(100)]


def canonical(unit: str) -> str:
    """The name under which a number or keyword is kept. A keyword is the same in capitals and small letters, which is inferred."""
    return unit.upper()


def checked(units: Sequence[str], *, keywords: bool = True) -> Sequence[str]:
    """Raise ValueError unless each is a number or, where these will do, a keyword."""
    for unit in units:
        if not re.fullmatch("[A-Za-z0-9]{1,64}" if keywords else "[0-9]{11}", unit):
            meant = "a number of 11 digits" + (", or a keyword of letters and digits" if keywords else "")
            raise ValueError(f"{unit!r} is not {meant}.")
    return units


class Inventory:
    """Sells each number and keyword once. The same seed sells the same numbers in the same order of asking."""

    def __init__(self, seed: str | None) -> None:
        self._random = random.Random(seed)
        self._salt = self._random.random()
        self._regions = self._random.sample(REGIONS, len(REGIONS))
        self._toll_free = self._random.sample(_TOLL_FREE_PREFIXES, len(_TOLL_FREE_PREFIXES))
        self._fixed = frozenset([region.prefix for region in REGIONS]).union(_TOLL_FREE_PREFIXES)
        # Unsold numbers by their first seven digits. A fixed shelf is filled when it is first looked at.
        self._shelves: dict[str, dict[str, None]] = {}
        self._presses: dict[str, Iterator[str]] = {}
        #: Sold to the account, or kept for one of its orders.
        self._ours: set[str] = set()
        #: Sold to others, or barred.
        self._others: set[str] = set(RESERVED)

    # ------------------------------------------------------------------ looking

    def is_for_sale(self, unit: str) -> bool:
        """Whether nobody has a number or keyword."""
        unit = canonical(unit)
        return unit not in self._ours and unit not in self._others

    def is_kept(self, unit: str) -> bool:
        """Whether it is the account's, or kept for one of its orders."""
        return canonical(unit) in self._ours

    def search(self, where: Where, *, toll_free: bool, count: int) -> list[str]:
        """Find what is on the shelves, what was offered or named first."""
        return list(
            islice(chain(self._added(where, toll_free=toll_free), self._stock(where, toll_free=toll_free)), count)
        )

    def _stock(self, where: Where, *, toll_free: bool) -> Iterator[str]:
        """Numbers on the fixed shelves."""
        if toll_free:
            # They have no region: whatever field but Prefix is given, none has it.
            prefixes: Iterable[str] = self._toll_free if where.chosen is None else ()
        else:
            prefixes = [region.prefix for region in (self._regions if where.chosen is None else where.chosen)]
        for prefix in prefixes:
            if prefix.startswith(where.prefix):
                yield from self._shelf(prefix)

    def _added(self, where: Where, *, toll_free: bool) -> Iterator[str]:
        """Numbers on the shelves that offers, names and failed orders have made."""
        for prefix, shelf in self._shelves.items():
            if prefix not in self._fixed and is_toll_free(prefix) is toll_free and where.fits(prefix):
                yield from shelf

    def _shelf(self, prefix: str) -> dict[str, None]:
        shelf = self._shelves.get(prefix)
        if shelf is None:
            shelf = self._shelves[prefix] = {}
            if prefix in self._fixed:
                stock = random.Random(f"{self._salt}:{prefix}").sample(_fictional(prefix), 100)
                shelf |= {number: None for number in stock if self.is_for_sale(number)}
        return shelf

    # ------------------------------------------------------------------ selling

    def pick(
        self,
        *,
        numbers: Sequence[str] = (),
        keywords: Sequence[str] = (),
        local: int = 0,
        toll_free: int = 0,
        where: Where | None = None,
    ) -> tuple[Block, ...]:
        """Gather what one order buys, in the sequence of the vendor's schema, and keep it for the order. What cannot be had is left out."""
        named_local = [number for number in numbers if not is_toll_free(number)]
        named_toll_free = [number for number in numbers if is_toll_free(number)]
        blocks = (
            Block(
                "LocalNumbers",
                len(named_local) + local,
                LOCAL_COST,
                (*self._keep(named_local), *self._count(local, where or Where(), toll_free=False)),
            ),
            # The region is a part of BulkLocal alone.
            Block(
                "TollFreeNumbers",
                len(named_toll_free) + toll_free,
                TOLL_FREE_COST,
                (*self._keep(named_toll_free), *self._count(toll_free, Where(), toll_free=True)),
            ),
            Block("Keywords", len(keywords), KEYWORD_COST, tuple(self._keep(keywords))),
        )
        return tuple(block for block in blocks if block.ordered)

    def _keep(self, units: Iterable[str]) -> list[str]:
        kept = []
        for unit in units:
            if self.is_for_sale(unit):
                self._ours.add(canonical(unit))
                self._clear(unit)
                kept.append(unit)
        return kept

    def _count(self, count: int, where: Where, *, toll_free: bool) -> list[str]:
        shelves = chain(self._stock(where, toll_free=toll_free), self._added(where, toll_free=toll_free))
        found = self._keep(list(islice(shelves, count)))
        if len(found) < count and where.chosen is None and is_toll_free(where.prefix) <= toll_free:
            prefixes = self._toll_free if toll_free else [region.prefix for region in self._regions]
            prefix = where.prefix or self._random.choice(prefixes)[:4]
            press = self._presses.get(prefix) or self._presses.setdefault(prefix, self._press(prefix))
            while len(found) < count and (number := next(press, None)) is not None:
                found += self._keep([number])
        return found

    def _press(self, prefix: str) -> Iterator[str]:
        """Make up every number with a prefix, each once: fictional ones of one exchange first, then the others in a scattered order."""
        exchange = prefix[:4] + "555"
        if not exchange.startswith(prefix):
            exchange = prefix + "".join(self._random.choices("23456789", k=7 - len(prefix)))
        yield from self._random.sample(_fictional(exchange), 100)
        missing = 11 - len(prefix)
        tail, stride = self._random.randrange(10**missing), self._random.choice((7919, 6133, 3571))
        for _ in range(10**missing):  # no prime but 2 and 5 divides it: the stride meets every tail
            tail = (tail + stride) % 10**missing
            number = f"{prefix}{tail:0{missing}}"
            if len(prefix) > 4 or number[4] not in "01":  # an exchange never begins with 0 or 1
                yield number

    # ------------------------------------------------------------------ coming and going

    def remember(self, numbers: Iterable[str]) -> None:
        """Put numbers on the shelves that someone has asked for by name, where they are for sale."""
        for number in numbers:
            if self.is_for_sale(number):
                self._shelf(number[:7]).setdefault(number)

    def free(self, units: Iterable[str]) -> None:
        """Put back what the account does not keep."""
        for unit in units:
            self._ours.discard(canonical(unit))
            if is_number(unit):
                self.remember([unit])

    def own(self, units: Sequence[str]) -> None:
        """Sell these to the account. ValueError if one is not for sale; then none is sold."""
        for unit in units:
            if not self.is_for_sale(unit):
                raise ValueError(f"{unit} is not for sale.")
        self._keep(units)

    def bar(self, units: Iterable[str]) -> None:
        """Give these to others. ValueError if one is the account's, or kept for an order."""
        for unit in units:
            self._check_not_ours(unit)
            self._others.add(canonical(unit))
            self._clear(unit)

    def offer(self, numbers: Iterable[str]) -> None:
        """Put these on sale before all others with their first seven digits. ValueError if one is the account's, or kept for an order."""
        for number in numbers:
            self._check_not_ours(number)
            self._others.discard(number)
            shelf = self._shelf(number[:7])
            self._shelves[number[:7]] = {number: None, **shelf}

    def _clear(self, unit: str) -> None:
        prefix = unit[:7]
        if is_number(unit) and (shelf := self._shelves.get(prefix)) is not None:
            shelf.pop(unit, None)
            if not shelf and prefix not in self._fixed:
                del self._shelves[prefix]

    def _check_not_ours(self, unit: str) -> None:
        if self.is_kept(unit):
            raise ValueError(f"{unit} is the account's, or kept for one of its orders.")
