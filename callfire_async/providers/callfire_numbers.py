"""CallFire API 1.1: numbers and keywords, for sale and owned. Sources are named as in callfire_envelope.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from callfire_async.errors import InvalidOrderError
from callfire_async.inventory import Keyword, LeaseInfo, Number, NumberConfiguration
from callfire_async.orders import Region, count, distinct, e164, keyword
from callfire_async.providers import Request, xml
from callfire_async.providers.callfire_envelope import (
    ACCEPT,
    FORM_HEADERS,
    MOST_ON_PAGE,
    boolean,
    day,
    one_element,
    page,
    pascal,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from callfire_async.orders import JSON
    from callfire_async.providers import Page, Reply

MOST_FOUND: Final = 100
"""The most numbers one search asks for. Ours: the documents require a Count and name no maximum."""


INBOUND: Final = (
    *("inbound_call_configuration_type", "transfer_number", "screen", "record", "intro_sound_id", "whisper_sound_id"),
    "dialplan_xml",
)
"""What may be said of inbound calls: TRACKING or IVR, and then what each of them takes (schema, CallTrackingConfig and IvrInboundConfig)."""


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


def numbers_request(
    *, region: Region | None = None, label: str | None = None, first: int = 0, most: int = MOST_ON_PAGE
) -> Request:
    """GET /number: the account's own, a page of them."""
    labelled = {} if label is None else {"LabelName": label}
    return _get("/number", first=first, most=most, region=region, **labelled)


def regions_request(*, region: Region | None = None, first: int = 0, most: int = MOST_ON_PAGE) -> Request:
    """GET /number/regions, a page of them."""
    return _get("/number/regions", first=first, most=most, region=region)


def configure_request(number: str, *, call: bool | None, text: bool | None, inbound: Mapping[str, JSON]) -> Request:
    """PUT /number/{Number}. What inbound calls meet goes under the documents' own names, "transfer_number" being TransferNumber."""
    form: dict[str, str] = {}
    for name, enabled in (("CallFeature", call), ("TextFeature", text)):
        if enabled is not None:
            form[name] = "ENABLED" if enabled else "DISABLED"
    for name, value in inbound.items():
        if name not in INBOUND:
            raise InvalidOrderError(
                f"configure_number() has no parameter {name!r}: of inbound calls it takes {', '.join(INBOUND)}. Nothing was sent."
            )
        if name == "transfer_number" and isinstance(value, list | tuple):
            value = " ".join(e164(number) for number in value)  # noqa: PLW2901 - schema: a list, one parameter joined by spaces
        form[pascal(name)] = str(value).lower() if isinstance(value, bool) else str(value)
    if not form:
        raise InvalidOrderError("configure_number() was given nothing to change; nothing was sent.")
    return Request(method="PUT", path=f"/number/{e164(number)}", headers=FORM_HEADERS, body=urlencode(form).encode())


def release_request(number: str, *, keyword_: str | None = None) -> Request:
    """PUT /number/release. A keyword goes with the number of its short code (help, "10 Release")."""
    # A short code has five or six digits, and no country.
    spelled = number if number.isascii() and number.isdecimal() and len(number) in (5, 6) else e164(number)
    form = {"Number": spelled} | ({} if keyword_ is None else {"Keyword": keyword(keyword_)})
    return Request(method="PUT", path="/number/release", headers=FORM_HEADERS, body=urlencode(form).encode())


def decode_number(reply: Reply) -> Number:
    """One owned number."""
    return one_element(reply, "Number", _number)


def decode_numbers(reply: Reply) -> Page[Number]:
    """A page of numbers."""
    return page(reply, "Number", _number)


def decode_keywords(reply: Reply) -> Page[Keyword]:
    """A page of keywords."""
    return page(reply, "Keyword", _keyword)


def decode_regions(reply: Reply) -> Page[Region]:
    """A page of regions."""
    return page(reply, "Region", _some_region)


def _get(path: str, *, first: int, most: int, region: Region | None, **more: str) -> Request:
    place = {pascal(name): value for name, value in (region.checked() if region else {}).items()}
    query = urlencode({"MaxResults": most, "FirstResult": first, **place, **more})
    return Request(method="GET", path=f"{path}?{query}", headers=ACCEPT)


def _number(node: xml.Node) -> Number:
    return Number(
        number=_must(node, "Number"),
        national_format=_must(node, "NationalFormat"),
        toll_free=boolean(_must(node, "TollFree")),
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
    return _some_region(node) if isinstance(node, Mapping) else None


def _some_region(node: xml.Node) -> Region:
    texts = {f.name: xml.text(node.get(pascal(f.name))) for f in fields(Region)}
    degrees = {name: float(value) if (value := texts.pop(name)) else None for name in ("latitude", "longitude")}
    return Region(**texts, **degrees)  # type: ignore[arg-type]  # each goes where its name says


def _lease(node: JSON) -> LeaseInfo | None:
    if not isinstance(node, Mapping):
        return None
    return LeaseInfo(
        begin=day("LeaseBegin", node["LeaseBegin"]) if "LeaseBegin" in node else None,
        end=day("LeaseEnd", node["LeaseEnd"]) if "LeaseEnd" in node else None,
        auto_renew=boolean(_must(node, "AutoRenew")),
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
