"""HTTP header fields as one mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def lower(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names in lower case; what was sent several times is one list, as HTTP has it."""
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name.lower()] = f"{joined[name.lower()]}, {value}" if name.lower() in joined else value
    return joined
