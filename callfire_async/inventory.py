"""The vocabulary of what can be bought and what is owned: numbers, keywords and their leases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from callfire_async.orders import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseInfo:
    """The lease of a number or keyword. Leases renew monthly until released (help, "10 Release")."""

    begin: date | None = None
    end: date | None = None
    auto_renew: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberConfiguration:
    """How an owned number is set up. `inbound` holds what the provider says of inbound calls, under the provider's own names."""

    #: ENABLED, DISABLED, PENDING or UNSUPPORTED (schema, NumberFeature).
    call: str | None = None
    text: str | None = None
    #: TRACKING or IVR (schema, InboundType).
    inbound_type: str | None = None
    inbound: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A phone number, owned or for sale."""

    #: Eleven digits, beginning with 1.
    number: str
    #: As it is written locally, such as "(206) 555-0101".
    national_format: str
    toll_free: bool
    #: Toll-free numbers have none.
    region: Region | None = None
    #: PENDING, ACTIVE, RELEASED or UNAVAILABLE (schema, NumberStatus); None while it is for sale.
    status: str | None = None
    lease: LeaseInfo | None = None
    configuration: NumberConfiguration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """A text-message keyword on a short code, owned or for sale."""

    short_code: str
    keyword: str
    status: str | None = None
    lease: LeaseInfo | None = None
