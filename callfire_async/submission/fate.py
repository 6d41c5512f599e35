"""What an answer, or the lack of one, says about a purchase; and whether two are the same."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from callfire_async.errors import (
    APIError,
    ConfigurationError,
    Error,
    InvalidOrderError,
    RateLimitedError,
    TransportError,
)

if TYPE_CHECKING:
    from callfire_async.orders import JSON, Content

LONGEST_PAUSE: Final = 30.0
"""Seconds `order()` will wait before it sends a purchase again that surely never arrived; asked for more, it gives up."""

#: 408: the vendor's TIMEOUT fault plausibly arrives as this one, and then the order may have been placed (inferred).
_UNCLEAR_4XX: Final = frozenset({408})


def may_have_arrived(exc: Error) -> bool:
    """Whether a failed submission may have bought something all the same."""
    match exc:
        case TransportError():
            return exc.sent
        case APIError():
            return not 400 <= exc.status < 500 or exc.status in _UNCLEAR_4XX
        case _:
            return not isinstance(exc, ConfigurationError)


def pause_after(exc: Error, attempt: int) -> float | None:
    """Seconds to wait before a purchase that surely did not arrive is sent again; None where that would be no use."""
    if isinstance(exc, RateLimitedError) and exc.retry_after is not None:
        return exc.retry_after if exc.retry_after <= LONGEST_PAUSE else None
    if isinstance(exc, TransportError | RateLimitedError):
        return 0.5 * 2.0 ** (attempt - 1) * random.uniform(0.8, 1.2)
    return None


def must_agree(key: str, before: Content, now: Content) -> None:
    """InvalidOrderError where a key comes back with another order. The sequence of numbers and keywords does not matter."""
    differing = [
        name for name in sorted(before.keys() | now.keys()) if _unordered(before.get(name)) != _unordered(now.get(name))
    ]
    if differing:
        details = "; ".join(f"{name} was {before.get(name)!r} and is now {now.get(name)!r}" for name in differing)
        raise InvalidOrderError(f"The key {key!r} stands for another order: {details}. Nothing was sent.")


def _unordered(value: JSON) -> JSON:
    return sorted(value, key=str) if isinstance(value, list) else value
