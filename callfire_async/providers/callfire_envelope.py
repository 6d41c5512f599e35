"""What all of CallFire API 1.1's answers share: the envelope around them, and how numbers, money and times are spelled.

Sources, in the words the comments use: *schema* is the vendor's callfire-data.xsd and callfire-service.xsd of 2013 and 2014, *pages* are the
reference pages of developers.callfire.com and their older copies, *help* is answers.callfire.com, *SDK* is one of the vendor's own clients.
What none of them says is marked as inferred.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from callfire_async.errors import ProtocolError
from callfire_async.providers import SUCCESS, Page, Reply, refusal, xml

if TYPE_CHECKING:
    from collections.abc import Callable

    from callfire_async.orders import JSON

T = TypeVar("T")

MOST_ON_PAGE: Final = 1_000
"""Entries on a page; CallFire's default and maximum (pages, QueryRegions and QueryNumbers)."""


#: Names are compared after expansion, because samples differ in prefixes and in the order of declarations (SDK fixtures).
NAMESPACES: Final = MappingProxyType(
    {
        "http://api.callfire.com/data": "",
        "http://api.callfire.com/resource": "r",
        "http://api.callfire.com/notification/xsd": "n",
    }
)

ACCEPT: Final = MappingProxyType({"Accept": "application/xml, text/xml"})
FORM_HEADERS: Final = MappingProxyType({**ACCEPT, "Content-Type": "application/x-www-form-urlencoded"})


def resource(reply: Reply, root: str) -> xml.Node:
    """The root element that was asked for. Otherwise an APIError for a refusal, and a ProtocolError for what cannot be read."""
    name, node = _root(reply)
    if name != root:
        raise ProtocolError(f"CallFire answered {name[:80] or 'nothing'} where {root} was expected.", body=reply.body)
    return node


def _root(reply: Reply) -> tuple[str, xml.Node]:
    """The root element, whichever it is, unless it is a refusal."""
    try:
        name, node = xml.read(reply.body, NAMESPACES)
    except ProtocolError:
        if reply.status in SUCCESS:
            raise
        name, node = "", {}  # an HTML page or nothing at all: the HTTP status is all there is
    refused = name == "r:ResourceException"
    if (
        refused
        and reply.status in SUCCESS
        and re.fullmatch("[1-9][0-9]{2}", status := xml.text(node.get("r:HttpStatus")) or "")
    ):
        reply = Reply(status=int(status), headers=reply.headers, body=reply.body)
    if reply.status not in SUCCESS:
        message = xml.text(node.get("r:Message")) if refused else None
        raise refusal(reply, (message or "CallFire refused without a message that can be read")[:500])
    return name, node


def done(reply: Reply) -> None:
    """The answer to a change: nothing, or a payload nobody needs (help: "may or may not"). An APIError for a refusal."""
    if reply.status not in SUCCESS or reply.body.strip():
        _root(reply)


def one_element(reply: Reply, name: str, read: Callable[[xml.Node], T]) -> T:
    """The one element that was asked for."""
    found = elements(resource(reply, "r:Resource"), name, read, reply)
    if len(found) != 1:
        raise ProtocolError(f"CallFire answered {len(found)} of {name} where one was asked for.", body=reply.body)
    return found[0]


def page(reply: Reply, name: str, read: Callable[[xml.Node], T]) -> Page[T]:
    """A page of a list."""
    node = resource(reply, "r:ResourceList")
    total = str(node.get("@totalResults", ""))
    return Page(elements(node, name, read, reply), int(total) if is_id(total) else None)


def elements(node: xml.Node, name: str, read: Callable[[xml.Node], T], reply: Reply) -> list[T]:
    """The direct children of a name: a Number holds another Number, and a Keyword a Keyword (schema)."""
    try:
        return [
            read(child) for child_name, child in xml.children(node) if child_name == name and isinstance(child, Mapping)
        ]
    except ValueError as exc:
        raise ProtocolError(f"CallFire's answer holds a {name} that cannot be read: {exc}.", body=reply.body) from exc


def pascal(name: str) -> str:
    """The documents' spelling of a parameter: "rate_center" is "RateCenter"."""
    return "".join(part.capitalize() for part in name.split("_"))


def is_id(text: str) -> bool:
    """Whether a text is an xs:long in its decimal digits, and in no other spelling: "07" would be the same order to the server."""
    return text.isascii() and text.isdecimal() and len(text) <= 19 and (text == "0" or text[0] != "0")


def boolean(text: str) -> bool:
    """An xs:boolean; ValueError where it is none."""
    if text not in ("true", "false", "1", "0"):
        raise ValueError(f"{text[:20]!r} is no boolean")
    return text in ("true", "1")


def money(node: JSON) -> Decimal:
    """An amount; ValueError where it is missing, not finite, or more than all the money there is."""
    try:
        amount = Decimal(xml.text(node) or "")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount.adjusted()) > 18:
        raise ValueError("an amount of money is missing or absurd")
    return amount


def time(name: str, node: JSON) -> datetime:
    """An xs:dateTime as an aware UTC time; one without a zone counts as UTC (inferred). ValueError where it is missing or none."""
    try:
        found = datetime.fromisoformat(xml.text(node) or "")
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise ValueError(f"its {name} is missing or no time") from exc


def day(name: str, node: JSON) -> date:
    """An xs:date, which comes with a zone, "2014-12-02Z", that means nothing for a lease. ValueError where it is missing or none."""
    try:
        return date.fromisoformat((xml.text(node) or "")[:10])
    except ValueError as exc:
        raise ValueError(f"its {name} is missing or no date") from exc
