"""CallFire API 1.1: what arrives at the listener, in XML, SOAP or JSON. Sources are named as in callfire_envelope.py.

The root is looked at by nobody: the schema and its Java binding name it differently, and no document shows one that tells of an order. What counts is
the first element below it that is an order, a text, a call or a campaign, and has an id.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from callfire_async.notifications import CallFinished, CampaignNotification, Notification, TextNotification
from callfire_async.providers import Postback, jsondoc, xml
from callfire_async.providers.callfire_envelope import NAMESPACES, is_id, time

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from callfire_async.orders import JSON, NumberOrder

T = TypeVar("T")

#: A postback is hostile until proven otherwise; the largest documented one has some forty elements.
MOST_IN_POSTBACK: Final = 1_000


def decode_postback(
    headers: Mapping[str, str], body: bytes, number_order: Callable[[JSON], NumberOrder]
) -> Postback[NumberOrder]:
    """The order it speaks of, or what else it tells. ProtocolError where it cannot be read; nothing in it is believed."""
    del headers  # the body decides, not what it is called: no document tells what the JSON and SOAP ones are called
    waiting = deque([_document(body)])
    subscription_id = None
    while waiting:
        name, node = waiting.popleft()
        subscription_id = subscription_id or (_id(xml.text(node)) if name == "SubscriptionId" else None)
        if isinstance(node, Mapping) and (item_id := _id(node.get("@id"))) is not None:
            if name == "NumberOrder":
                return Postback(order_id=item_id, state=_or_none(lambda node=node: number_order(node)))  # type: ignore[misc]
            if name in _READERS:
                return Postback(notification=_READERS[name](node, item_id, subscription_id))
        waiting.extend((child.rpartition(":")[2], below) for child, below in xml.children(node))
    return Postback()


def _document(body: bytes) -> tuple[str, JSON]:
    """The root. No document shows JSON, but the schema names it as a format; it is taken for the API's own kind (inferred)."""
    if body.lstrip()[:1] in (b"{", b"["):
        return "", {"list": _as_xml(jsondoc.read(body, most=MOST_IN_POSTBACK))}
    name, node = xml.read(body, NAMESPACES, most=MOST_IN_POSTBACK)
    return name.rpartition(":")[2], node


def _as_xml(value: jsondoc.Value) -> JSON:
    """JSON as XML would have said it: every leaf a text. SDKs and captures show ids and numbers as either."""
    if isinstance(value, Mapping):
        return {name: _as_xml(child) for name, child in value.items() if name}
    if isinstance(value, list):
        return [_as_xml(child) for child in value]
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def _text(node: xml.Node, item_id: str, subscription_id: str | None) -> Notification:
    return TextNotification(**_action(node, item_id, subscription_id), message=xml.text(node.get("Message")))


def _call(node: xml.Node, item_id: str, subscription_id: str | None) -> Notification:
    return CallFinished(**_action(node, item_id, subscription_id))


def _campaign(node: xml.Node, item_id: str, subscription_id: str | None) -> Notification:
    return CampaignNotification(
        id=item_id,
        subscription_id=subscription_id,
        name=xml.text(node.get("Name")),
        status=xml.text(node.get("Status")),
        type=xml.text(node.get("Type")),
        last_modified=_time(node, "LastModified"),
        raw=MappingProxyType(dict(node)),
    )


def _action(node: xml.Node, item_id: str, subscription_id: str | None) -> dict[str, Any]:
    return {
        "id": item_id,
        "subscription_id": subscription_id,
        "from_number": xml.text(node.get("FromNumber")),
        "to_number": xml.text(node.get("ToNumber")),
        "state": xml.text(node.get("State")),
        "inbound": {"true": True, "1": True, "false": False, "0": False}.get(xml.text(node.get("Inbound")) or ""),
        "created": _time(node, "Created"),
        "modified": _time(node, "Modified"),
        "final_result": xml.text(node.get("FinalResult")),
        "contact_id": xml.text(node.get("ContactId")),
        "batch_id": xml.text(node.get("BatchId")),
        "broadcast_id": xml.text(node.get("BroadcastId")),
        "raw": MappingProxyType(dict(node)),
    }


_READERS: Final[Mapping[str, Callable[[xml.Node, str, str | None], Notification]]] = MappingProxyType(
    {"Text": _text, "Call": _call, "Broadcast": _campaign}
)


def _time(node: xml.Node, name: str) -> datetime | None:
    return _or_none(lambda: time(name, node.get(name)))


def _or_none(read: Callable[[], T]) -> T | None:
    """A part as far as it can be read: the rest of a postback counts all the same."""
    try:
        return read()
    except ValueError:
        return None


def _id(value: JSON) -> str | None:
    return value if isinstance(value, str) and is_id(value) else None
