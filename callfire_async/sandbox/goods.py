"""What an order buys, and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

#: The area codes after the leading 1 that make a number toll-free.
TOLL_FREE_CODES: Final = ("800", "833", "844", "855", "866", "877", "888")

#: Per unit. The sandbox's own prices: those of the samples, where these have any.
LOCAL_COST: Final = 1.0
TOLL_FREE_COST: Final = 2.0
KEYWORD_COST: Final = 5.5


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
    """Whether a number, or the beginning of one, is toll-free."""
    return number[:1] == "1" and number[1:4] in TOLL_FREE_CODES


def is_number(unit: str) -> bool:
    """Whether it is a phone number and not a keyword. A keyword of eleven digits would pass for a number here."""
    return len(unit) == 11 and unit.isdecimal()


def all_but_one(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Take the last unit from the largest block."""
    largest = max(blocks, key=lambda block: block.ordered)
    return tuple(replace(block, units=(block.units or ())[:-1]) if block is largest else block for block in blocks)
