"""CallFire API 1.1: numbers and keywords, for sale and owned. Sources are named as in callfire_envelope.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from callfire_async.errors import InvalidOrderError, ProtocolError
from callfire_async.inventory import Keyword, LeaseInfo, Number, NumberConfiguration
from callfire_async.orders import Region, count, distinct, e164, keyword
from callfire_async.providers import Request, xml
from callfire_async.providers.callfire_envelope import ACCEPT, day, is_id, pascal, resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from callfire_async.orders import JSON
    from callfire_async.providers import Reply

T = TypeVar("T")

MOST_ON_PAGE: Final = 1_000
"""Entries on a page; CallFire's default and maximum (pages, QueryRegions and QueryNumbers)."""

MOST_FOUND: Final = 100
"""The most numbers one search asks for. Ours: the documents require a Count and name no maximum."""


class Page(NamedTuple, Generic[T]):
    """Part of a list."""

    items: list[T]
    #: How many there are on all pages, where the answer says so (totalResults).
    total: int | None


def number_request(number: str) -> Request:
    """GET /number/{Number}: one of the account's own."""
    return Request(method="GET", path=f"/number/{quote(e164(number))}", headers=ACCEPT)


def search_numbers_request(*, how_many: int, region: Region | None = None, toll_free: bool = False) -> Request:
    """GET /number/search: numbers for sale."""
    if count("count", how_many) < 1:
        raise InvalidOrderError("count must be at least 1; nothing was sent.")
    parameters: dict[str, str | float] = {"TollFree": "true"} if toll_free else {}
    parameters |= {pascal(name): value for name, value in (region.checked() if region else {}).items()}
    return Request(method="GET", path=f"/number/search?{urlencode({**parameters, 'Count': how_many})}", headers=ACCEPT)


def keywords_request(*, most: int = MOST_ON_PAGE, first: int = 0) -> Request:
    """GET /number/keyword: the account's own, a page of them."""
    return Request(
        method="GET", path=f"/number/keyword?{urlencode({'MaxResults': most, 'FirstResult': first})}", headers=ACCEPT
    )


def search_keywords_request(keywords: Iterable[str]) -> Request:
    """GET /number/keyword/search: which of these are for sale."""
    words = distinct("keywords", keywords, keyword)
    if not words:
        raise InvalidOrderError("keywords must name at least one keyword; nothing was sent.")
    return Request(
        method="GET", path=f"/number/keyword/search?{urlencode({'Keywords': ' '.join(words)})}", headers=ACCEPT
    )


def decode_number(reply: Reply) -> Number:
    """One owned number."""
    found = _elements(resource(reply, "r:Resource"), "Number", _number, reply)
    if len(found) != 1:
        raise ProtocolError(f"CallFire answered {len(found)} numbers where one was asked for.", body=reply.body)
    return found[0]


def decode_numbers(reply: Reply) -> Page[Number]:
    """A page of numbers."""
    return _page(reply, "Number", _number)


def decode_keywords(reply: Reply) -> Page[Keyword]:
    """A page of keywords."""
    return _page(reply, "Keyword", _keyword)


def _page(reply: Reply, name: str, read: Callable[[xml.Node], T]) -> Page[T]:
    node = resource(reply, "r:ResourceList")
    total = str(node.get("@totalResults", ""))
    return Page(_elements(node, name, read, reply), int(total) if is_id(total) else None)


def _elements(node: xml.Node, name: str, read: Callable[[xml.Node], T], reply: Reply) -> list[T]:
    """The direct children of a name: a Number holds another Number, and a Keyword a Keyword (schema)."""
    try:
        return [
            read(child) for child_name, child in xml.children(node) if child_name == name and isinstance(child, Mapping)
        ]
    except ValueError as exc:
        raise ProtocolError(f"CallFire's answer holds a {name} that cannot be read: {exc}.", body=reply.body) from exc


def _number(node: xml.Node) -> Number:
    return Number(
        number=_must(node, "Number"),
        national_format=_must(node, "NationalFormat"),
        toll_free=_boolean(_must(node, "TollFree")),
        region=_region(node.get("Region")),
        status=xml.text(node.get("Status")),
        lease=_lease(node.get("LeaseInfo")),
        configuration=_configuration(node.get("NumberConfiguration")),
    )


def _keyword(node: xml.Node) -> Keyword:
    return Keyword(
        short_code=_must(node, "ShortCode"),
        keyword=_must(node, "Keyword"),
        status=xml.text(node.get("Status")),
        lease=_lease(node.get("LeaseInfo")),
    )


def _region(node: JSON) -> Region | None:
    if not isinstance(node, Mapping):
        return None
    texts = {f.name: xml.text(node.get(pascal(f.name))) for f in fields(Region)}
    degrees = {name: float(value) if (value := texts.pop(name)) else None for name in ("latitude", "longitude")}
    return Region(**texts, **degrees)  # type: ignore[arg-type]  # each goes where its name says


def _lease(node: JSON) -> LeaseInfo | None:
    if not isinstance(node, Mapping):
        return None
    return LeaseInfo(
        begin=day("LeaseBegin", node["LeaseBegin"]) if "LeaseBegin" in node else None,
        end=day("LeaseEnd", node["LeaseEnd"]) if "LeaseEnd" in node else None,
        auto_renew=_boolean(_must(node, "AutoRenew")),
    )


def _configuration(node: JSON) -> NumberConfiguration | None:
    if not isinstance(node, Mapping):
        return None
    inbound: dict[str, str] = {}
    for _, kind in xml.children(
        node.get("InboundCallConfiguration")
    ):  # a CallTrackingConfig or an IvrInboundConfig (schema)
        inbound |= {name: text for name, child in xml.children(kind) if (text := xml.text(child)) is not None}
    return NumberConfiguration(
        call=xml.text(node.get("CallFeature")),
        text=xml.text(node.get("TextFeature")),
        inbound_type=xml.text(node.get("InboundCallConfigurationType")),
        inbound=MappingProxyType(inbound),
    )


def _must(node: xml.Node, name: str) -> str:
    text = xml.text(node.get(name))
    if text is None:
        raise ValueError(f"it lacks its {name}")
    return text


def _boolean(text: str) -> bool:
    if text not in ("true", "false", "1", "0"):
        raise ValueError(f"{text[:20]!r} is no boolean")
    return text in ("true", "1")
