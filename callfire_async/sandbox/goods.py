"""What an order buys: believable numbers, and what they cost."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

#: The area codes after the leading 1 that make a number toll-free.
TOLL_FREE_CODES: Final = ("800", "833", "844", "855", "866", "877", "888")

#: Per unit. The sandbox's own prices: those of the samples, where these have any.
LOCAL_COST: Final = 1.0
TOLL_FREE_COST: Final = 2.0
KEYWORD_COST: Final = 5.5

_AREA_CODES: Final = ("206", "213", "312", "404", "415", "503", "602", "617", "702", "818")


@dataclass(frozen=True, slots=True)
class Block:
    """One of the order's NumberOrderItem elements."""

    name: str
    ordered: int
    unit_cost: float
    #: What is delivered: None while the order is at work. All that was ordered, or fewer.
    units: tuple[str, ...] | None

    @property
    def cost(self) -> float:
        """Price of what was ordered, and once it is known of what was delivered."""
        return self.unit_cost * (self.ordered if self.units is None else len(self.units))


def is_toll_free(number: str) -> bool:
    """Whether an 11-digit number counts as toll-free."""
    return number[0] == "1" and number[1:4] in TOLL_FREE_CODES


def all_but_one(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Take the last unit from the largest block."""
    largest = max(blocks, key=lambda block: block.ordered)
    return tuple(replace(block, units=(block.units or ())[:-1]) if block is largest else block for block in blocks)


class Warehouse:
    """Makes up numbers, none of them twice. The same seed makes the same numbers in the same order of asking."""

    def __init__(self, seed: str | None) -> None:
        self._random = random.Random(seed)
        self._taken: set[str] = set()

    def pick(
        self,
        *,
        numbers: Sequence[str] = (),
        keywords: Sequence[str] = (),
        local: int = 0,
        toll_free: int = 0,
        prefix: str | None = None,
    ) -> tuple[Block, ...]:
        """Gather what one order buys, in the sequence of the vendor's schema. Numbers may run out; then a block holds fewer than ordered."""
        self._taken.update(numbers)
        local_numbers = [number for number in numbers if not is_toll_free(number)]
        toll_free_numbers = [number for number in numbers if is_toll_free(number)]
        blocks = (
            Block(
                "LocalNumbers",
                len(local_numbers) + local,
                LOCAL_COST,
                (*local_numbers, *self._make(prefix or "1" + self._random.choice(_AREA_CODES), local)),
            ),
            Block(
                "TollFreeNumbers",
                len(toll_free_numbers) + toll_free,
                TOLL_FREE_COST,
                (*toll_free_numbers, *self._make("1" + self._random.choice(TOLL_FREE_CODES), toll_free)),
            ),
            Block("Keywords", len(keywords), KEYWORD_COST, tuple(keywords)),
        )
        return tuple(block for block in blocks if block.ordered)

    def _make(self, prefix: str, count: int) -> list[str]:
        if not count:
            return []
        exchange = prefix[:4] + "555"
        if not exchange.startswith(prefix):
            exchange = self._complete(prefix, 7)
        # 01XX: the subscriber numbers set aside for fiction, in exchange 555 and by custom in others.
        fictional = [f"{exchange}01{last:02}" for last in range(100)]
        self._random.shuffle(fictional)
        found: list[str] = []
        attempts = iter(range(10 * count))
        while len(found) < count:
            if fictional:
                number = fictional.pop()
            elif next(attempts, None) is not None:
                number = self._complete(prefix, 11)
            else:
                break
            if number not in self._taken:
                self._taken.add(number)
                found.append(number)
        return found

    def _complete(self, prefix: str, length: int) -> str:
        if len(prefix) == len("1206"):
            prefix += self._random.choice("23456789")  # an exchange never begins with 0 or 1
        missing = length - len(prefix)
        return f"{prefix}{self._random.randrange(10**missing):0{missing}}" if missing else prefix
