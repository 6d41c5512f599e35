"""CallFire API 1.1: subscriptions, by which it is told where to post. Sources are named as in callfire_envelope.py."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from callfire_async.errors import InvalidOrderError, ProtocolError
from callfire_async.providers import Request, xml
from callfire_async.providers.callfire_envelope import (
    ACCEPT,
    FORM_HEADERS,
    MOST_ON_PAGE,
    boolean,
    is_id,
    one_element,
    page,
    pascal,
    resource,
)
from callfire_async.subscriptions import FILTERS, TRIGGER_EVENTS, Subscription

if TYPE_CHECKING:
    from callfire_async.orders import JSON
    from callfire_async.providers import Page, Reply

#: Formats of the schema, and LEGACY, which the pages call deprecated.
FORMATS: Final = ("XML", "JSON", "SOAP", "EMAIL", "LEGACY")

_CHANGEABLE: Final = (
    *("endpoint", "trigger_event", "notification_format", "enabled", "non_strict_ssl", "expires_at", "request_id"),
    *FILTERS,
)


def subscribe_request(**given: JSON) -> Request:
    """POST /subscription, as a flat form: the containers Subscription and SubscriptionFilter vanish (schema, SDK tests)."""
    return Request(method="POST", path="/subscription", headers=FORM_HEADERS, body=_form(given))


def update_request(subscription_id: str | int, **given: JSON) -> Request:
    """PUT /subscription/{Id} with what changes."""
    if not given.keys() - {"request_id"}:
        raise InvalidOrderError("update_subscription() was given nothing to change; nothing was sent.")
    return Request(method="PUT", path=_path(subscription_id), headers=FORM_HEADERS, body=_form(given))


def subscription_request(subscription_id: str | int) -> Request:
    """GET /subscription/{Id}."""
    return Request(method="GET", path=_path(subscription_id), headers=ACCEPT)


def unsubscribe_request(subscription_id: str | int) -> Request:
    """DELETE /subscription/{Id}."""
    return Request(method="DELETE", path=_path(subscription_id), headers=ACCEPT)


def subscriptions_request(*, first: int = 0, most: int = MOST_ON_PAGE) -> Request:
    """GET /subscription, a page of them."""
    return Request(
        method="GET", path=f"/subscription?{urlencode({'MaxResults': most, 'FirstResult': first})}", headers=ACCEPT
    )


def decode_subscribed(reply: Reply) -> str:
    """The id of a new subscription."""
    found = xml.text(resource(reply, "r:ResourceReference").get("r:Id")) or ""
    if not is_id(found):
        raise ProtocolError("CallFire answered the subscription without an id that can be read.", body=reply.body)
    return found


def decode_subscription(reply: Reply) -> Subscription:
    """One subscription."""
    return one_element(reply, "Subscription", _subscription)


def decode_subscriptions(reply: Reply) -> Page[Subscription]:
    """A page of them."""
    return page(reply, "Subscription", _subscription)


def _path(subscription_id: str | int) -> str:
    if not is_id(str(subscription_id)):
        raise InvalidOrderError(
            f"{str(subscription_id)[:40]!r} is no subscription id: those are decimal digits; nothing was sent."
        )
    return f"/subscription/{subscription_id}"


def _form(given: Mapping[str, JSON]) -> bytes:
    form: dict[str, str] = {}
    for name, value in given.items():
        if name not in _CHANGEABLE:
            raise InvalidOrderError(
                f"A subscription has no {name!r}: it has {', '.join(_CHANGEABLE)}. Nothing was sent."
            )
        text = str(value).lower() if isinstance(value, bool) else str(value)
        allowed = {"trigger_event": TRIGGER_EVENTS, "notification_format": FORMATS}.get(name)
        if (allowed is not None and text not in allowed) or not text:
            of = f"one of {', '.join(allowed)}" if allowed else "a text, a number or a bool"
            raise InvalidOrderError(f"{name}={value!r} must be {of}; nothing was sent.")
        form[pascal(name)] = text
    return urlencode(form).encode()


def _subscription(node: xml.Node) -> Subscription:
    subscription_id = str(node.get("@id", ""))
    if not is_id(subscription_id):
        raise ValueError("it lacks its id")
    below = node.get("SubscriptionFilter")
    filters = {name: text for name in FILTERS if (text := xml.text(_of(below, pascal(name)))) is not None}
    return Subscription(
        id=subscription_id,
        # The schema lets a reply leave out what was not asked for.
        enabled=boolean(xml.text(node.get("Enabled")) or "true"),
        non_strict_ssl=boolean(xml.text(node.get("NonStrictSsl")) or "false"),
        endpoint=xml.text(node.get("Endpoint")) or "",
        notification_format=xml.text(node.get("NotificationFormat")) or "XML",
        trigger_event=xml.text(node.get("TriggerEvent")) or "UNDEFINED_EVENT",
        filters=MappingProxyType(filters),
    )


def _of(node: JSON, name: str) -> JSON:
    return node.get(name) if isinstance(node, Mapping) else None
