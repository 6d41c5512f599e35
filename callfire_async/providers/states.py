"""What the states of all providers share: how the store keeps them, and what is made of words that nobody knows."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_STATUS: Final = 100
"""Characters of a status; the longest of those known has 18."""

MOST_UNKNOWN: Final = 100
"""How many unknown words are told of in the log, once each."""


class FirstTimes:
    """Words that were told of."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def of(self, word: str) -> bool:
        """Whether this is the first time for a word, and there were not too many others."""
        news = word not in self._told and len(self._told) < MOST_UNKNOWN
        if news:
            self._told.add(word)
        return news


def dump(state: object, leaf: Callable[[Any], str | float]) -> str:
    """A state as JSON; `leaf` writes what JSON has no form for. Not `asdict`, which copies each of ten thousand numbers one by one."""

    def plain(value: Any) -> dict[str, Any] | str | float:
        if is_dataclass(value):
            return {field.name: getattr(value, field.name) for field in fields(value)}
        return leaf(value)

    return json.dumps(state, default=plain, separators=(",", ":"))
