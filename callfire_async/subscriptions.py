"""The vocabulary of subscriptions: where CallFire posts, what about, and what of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from callfire_async.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

TRIGGER_EVENTS: Final = (
    "UNDEFINED_EVENT",
    "INBOUND_CALL_FINISHED",
    "INBOUND_TEXT_FINISHED",
    "OUTBOUND_CALL_FINISHED",
    "OUTBOUND_TEXT_FINISHED",
    "CAMPAIGN_STARTED",
    "CAMPAIGN_STOPPED",
    "CAMPAIGN_FINISHED",
)
"""All events CallFire 1.1 documents (schema and pages). None of them concerns orders, numbers, keywords or billing."""

ANY_EVENT: Final = "UNDEFINED_EVENT"
"""The only event that is not known to be about something else than orders. What it sends is on no page; before 1.1 a subscription without an event
meant everything (inferred). It is the default here for want of a better one."""

FILTERS: Final = ("broadcast_id", "batch_id", "from_number", "to_number", "inbound")
"""What a subscription can be narrowed down to (schema, SubscriptionFilter). There is none for orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription as CallFire has it."""

    id: str
    enabled: bool
    #: Where it posts: an address, or an e-mail address. Secret where it holds a listener's token, so it is not shown.
    endpoint: str = field(repr=False)
    #: XML, JSON, SOAP, EMAIL, or LEGACY, which is deprecated.
    notification_format: str
    trigger_event: str
    #: CallFire does not check the endpoint's certificate (newer pages).
    non_strict_ssl: bool = False
    #: Those of FILTERS that are set.
    filters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSubscription:
    """How a client subscribes its listener.

    `trigger_event` is one of TRIGGER_EVENTS. None of them concerns orders, so nothing here can promise a postback about one: the poller
    does not need it. `notification_format` is XML, JSON or SOAP. With `remove_at_close`, the last client of the account on the listener
    removes the subscription when it closes, which is for programs of one process; without, the next start finds it again.
    ConfigurationError for words that CallFire does not know.
    """

    trigger_event: str = ANY_EVENT
    notification_format: str = "XML"
    non_strict_ssl: bool = False
    remove_at_close: bool = False

    def __post_init__(self) -> None:
        """Check the words."""
        if self.trigger_event not in TRIGGER_EVENTS:
            raise ConfigurationError(
                f"OwnSubscription(trigger_event={self.trigger_event!r}) must be one of {', '.join(TRIGGER_EVENTS)}."
            )
        if self.notification_format not in ("XML", "JSON", "SOAP"):
            raise ConfigurationError(
                f"OwnSubscription(notification_format={self.notification_format!r}) must be XML, JSON or SOAP."
            )
