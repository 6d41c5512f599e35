"""Orders to bytes and back, without I/O: one file per provider, and the protocol a fourth one would implement."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Generic, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from callfire_async.errors import APIError, api_error
from callfire_async.orders import OrderState

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from datetime import datetime

    from callfire_async.orders import Content

__all__ = [
    "Investigation",
    "Page",
    "Postback",
    "Provider",
    "Receipt",
    "Reconciliation",
    "Reply",
    "Request",
    "S",
    "refusal",
]

T = TypeVar("T")
S = TypeVar("S", bound=OrderState)
S_co = TypeVar("S_co", bound=OrderState, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request before it is bound to a server: credentials, timeouts and connections are the transport's."""

    method: str
    #: Relative to the provider's base URL, beginning with a slash, query included.
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Not shown: for some providers it holds a secret callback address.
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A complete answer."""

    status: int
    #: Names in lower case.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


class Page(NamedTuple, Generic[T]):
    """Part of a list."""

    items: list[T]
    #: How many there are on all pages, where the answer says so.
    total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(Generic[S_co]):
    """What the answer to a purchase tells."""

    order_id: str
    #: The order's state, where the answer already describes it; it may be final.
    state: S_co | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Postback(Generic[S_co]):
    """What arrived at the listener, before anyone believes it."""

    #: The order it speaks of; None for any other notification.
    order_id: str | None = None
    #: The state it claims, where it is complete.
    state: S_co | None = None
    #: What it tells instead, where it speaks of no order.
    notification: object | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What looking for a purchase in doubt has brought. Nothing was bought on the way."""

    #: "placed" and "not placed" only where the evidence is plain.
    verdict: Literal["placed", "not placed", "unknown"]
    #: What was found, a sentence each.
    evidence: tuple[str, ...]
    #: The order, where it is known which one it is; `resolve()` takes it.
    order_id: str | None = None
    #: Orders that fit the purchase and were placed under no other key; where there are several, `resolve()` takes the one you find to be it.
    candidates: tuple[str, ...] = ()


Investigation: TypeAlias = "Generator[Request, Reply, Reconciliation]"
"""Asks one question after the other and ends in a verdict. A question that found no answer comes back as the exception."""


class Provider(Protocol[S]):
    """Everything the library must know of a provider. All methods are pure: they neither wait nor remember."""

    @property
    def name(self) -> str:
        """A short, lasting name; stored with every order."""

    @property
    def calls_back(self) -> bool:
        """Whether each order takes a callback address of its own."""

    def encode_order(self, content: Content, callback_url: str | None = None) -> Request:
        """The purchase. `content` was checked before and is what the store keeps; the address is secret, and None without a listener."""

    def decode_receipt(self, reply: Reply) -> Receipt[S]:
        """The answer to a purchase. Raises APIError for a refusal and ProtocolError for an answer that cannot be read."""

    def encode_status(self, order_id: str) -> Request:
        """The question how an order stands."""

    def decode_status(self, reply: Reply) -> S:
        """Its answer; raises as `decode_receipt` does."""

    def decode_postback(self, headers: Mapping[str, str], body: bytes) -> Postback[S]:
        """An unauthenticated body from the network, at most as long as the listener allows; ProtocolError where it cannot be read."""

    def matches(self, state: S, content: Content, submitted_at: datetime) -> bool:
        """Whether an order nobody here placed may be the purchase in doubt: created since, and of the same things."""

    def investigate(self, content: Content, submitted_at: datetime, now: datetime) -> Investigation:
        """Look for traces of a purchase in doubt.

        A provider that lists orders names those that fit as `candidates`, whoever placed them: which of them are other purchases of the buyer's,
        only the store knows. The verdict is then what holds if all of them are.
        """

    def dump(self, state: S) -> str:
        """A state as text, for the store."""

    def load(self, text: str) -> S:
        """The state that `dump` wrote, in this version or an earlier one."""


SUCCESS: Final = range(200, 300)


def refusal(reply: Reply, message: str) -> APIError:
    """The exception for an answer outside 2xx, with the seconds of its `Retry-After`; a day at most is believed."""
    return api_error(reply.status, message, retry_after=_retry_after(reply.headers))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, or a time, which the answer's own Date makes seconds of."""
    header = headers.get("retry-after", "").strip()
    if header.isascii() and header.isdigit():
        return min(float(header[:9]), 86400.0)
    try:
        pause = parsedate_to_datetime(header) - parsedate_to_datetime(headers.get("date", ""))
        return min(max(0.0, pause.total_seconds()), 86400.0)
    except (TypeError, ValueError, OverflowError):
        return None
