"""What an answer, or the lack of one, says about a purchase; and whether two are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callfire_async.errors import (
    APIError,
    ConfigurationError,
    Error,
    InvalidOrderError,
    TransportError,
)

if TYPE_CHECKING:
    from callfire_async.orders import JSON, Content

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
