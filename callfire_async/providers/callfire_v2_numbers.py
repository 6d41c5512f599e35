"""CallFire API v2: numbers and keywords, for sale and leased. Sources are named as in callfire_v2_envelope.py."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from callfire_async.errors import InvalidOrderError
from callfire_async.inventory import Keyword, LeaseInfo, Number, NumberConfiguration
from callfire_async.orders import Region, count, distinct, e164, keyword
from callfire_async.providers import jsondoc
from callfire_async.providers.callfire_v2_envelope import MOST_ON_PAGE, decoded, get, page, region_parameters, send

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from callfire_async.orders import JSON
    from callfire_async.providers import Page, Reply, Request
    from callfire_async.providers.jsondoc import Object, Value


# ------------------------------------------------------------------ for sale


def search_numbers_request(*, how_many: int, region: Region | None = None, toll_free: bool = False) -> Request:
    """GET /numbers/local or /numbers/tollfree."""
    if count("count", how_many) < 1:
        raise InvalidOrderError("count must be at least 1; nothing was sent.")
    where = region_parameters(region)
    if toll_free and where:
        raise InvalidOrderError(
            "CallFire v2 finds toll-free numbers in no region: give one or the other; nothing was sent."
        )
    if not toll_free and not where:
        # "At least one additional parameter is required" (definition).
        raise InvalidOrderError("CallFire v2 finds local numbers in a region only: give region=; nothing was sent.")
    return get("/numbers/tollfree" if toll_free else "/numbers/local", {"limit": how_many, **where})


def regions_request(region: Region | None = None, *, first: int = 0, most: int = MOST_ON_PAGE) -> Request:
    """GET /numbers/regions: a page of them."""
    return get("/numbers/regions", {"limit": most, "offset": first, **region_parameters(region)})


def search_keywords_request(keywords: Iterable[str]) -> Request:
    """GET /keywords: which of these are for sale. The parameter is repeated (definition)."""
    words = distinct("keywords", keywords, keyword)
    if not words:
        raise InvalidOrderError("keywords must name at least one keyword; nothing was sent.")
    return get("/keywords", {"keywords": words})


def keyword_available_request(word: str) -> Request:
    """GET /keywords/{keyword}/available."""
    return get(f"/keywords/{keyword(word)}/available")


# ------------------------------------------------------------------ leased


def leases_request(
    region: Region | None = None, *, label: str | None = None, first: int = 0, most: int = MOST_ON_PAGE
) -> Request:
    """GET /numbers/leases: a page of the account's numbers."""
    return get("/numbers/leases", {"limit": most, "offset": first, "labelName": label, **region_parameters(region)})


def lease_request(number: str) -> Request:
    """GET /numbers/leases/{number}."""
    return get(f"/numbers/leases/{e164(number)}")


def update_lease_request(
    number: str, *, auto_renew: bool | None = None, call: bool | None = None, text: bool | None = None
) -> Request:
    """PUT /numbers/leases/{number}.

    The definition calls the two features read-only, and says and shows in the same place that they can be toggled.
    """
    _check_flags(auto_renew=auto_renew, call=call, text=text)
    return _changed(
        f"/numbers/leases/{e164(number)}",
        {"autoRenew": auto_renew, "callFeatureStatus": _feature(call), "textFeatureStatus": _feature(text)},
    )


def configuration_request(number: str) -> Request:
    """GET /numbers/leases/configs/{number}."""
    return get(f"/numbers/leases/configs/{e164(number)}")


def configurations_request(
    region: Region | None = None, *, label: str | None = None, first: int = 0, most: int = MOST_ON_PAGE
) -> Request:
    """GET /numbers/leases/configs: a page of them."""
    where = region_parameters(region)
    return get("/numbers/leases/configs", {"limit": most, "offset": first, "labelName": label, **where})


def configure_request(
    number: str,
    *,
    transfer_numbers: Iterable[str] = (),
    screen: bool | None = None,
    recorded: bool | None = None,
    intro_sound_id: int | None = None,
    whisper_sound_id: int | None = None,
    dialplan_xml: str | None = None,
) -> Request:
    """PUT /numbers/leases/configs/{number}: call tracking, or an IVR where a dialplan is given."""
    _check_flags(screen=screen, recorded=recorded)
    tracking: dict[str, JSON] = {
        "transferNumbers": distinct("transfer_numbers", transfer_numbers, e164) or None,
        "screen": screen,
        "recorded": recorded,
        "introSoundId": intro_sound_id,
        "whisperSoundId": whisper_sound_id,
    }
    tracking = {name: value for name, value in tracking.items() if value is not None}
    path = f"/numbers/leases/configs/{e164(number)}"
    if dialplan_xml is None:
        if not tracking:
            raise InvalidOrderError("Nothing to change was given; nothing was sent.")
        return send("PUT", path, {"configType": "TRACKING", "callTrackingConfig": tracking})
    if tracking:
        raise InvalidOrderError(
            f"A number has a dialplan or call tracking ({', '.join(tracking)}), not both; nothing was sent."
        )
    return send("PUT", path, {"configType": "IVR", "ivrInboundConfig": {"dialplanXml": dialplan_xml}})


def keyword_leases_request(*, first: int = 0, most: int = MOST_ON_PAGE) -> Request:
    """GET /keywords/leases: a page of the account's keywords."""
    return get("/keywords/leases", {"limit": most, "offset": first})


def keyword_lease_request(word: str) -> Request:
    """GET /keywords/leases/{keyword}."""
    return get(f"/keywords/leases/{keyword(word)}")


def release_keyword_request(word: str) -> Request:
    """PUT /keywords/leases/{keyword}. "Can only set autoRenew to false at this time" (definition)."""
    return send("PUT", f"/keywords/leases/{keyword(word)}", {"autoRenew": False})


def _changed(path: str, changes: Mapping[str, JSON]) -> Request:
    if all(value is None for value in changes.values()):
        raise InvalidOrderError("Nothing to change was given; nothing was sent.")
    return send("PUT", path, changes)


def _feature(enabled: bool | None) -> str | None:  # noqa: FBT001 - the value of a member
    return None if enabled is None else "ENABLED" if enabled else "DISABLED"


def _check_flags(**flags: object) -> None:
    for name, value in flags.items():
        if value is not None and not isinstance(value, bool):
            raise InvalidOrderError(f"{name}={value!r} must be True or False; nothing was sent.")


# ------------------------------------------------------------------ answers


def decode_number(reply: Reply) -> Number:
    """One leased number."""
    return decoded(reply, "number", _number)


def decode_numbers(reply: Reply) -> Page[Number]:
    """A page of numbers: a bare array for those on sale (examples; an object with items in the definition)."""
    return page(reply, "number", _number)


def decode_regions(reply: Reply) -> Page[Region]:
    """A page of regions."""
    return page(reply, "region", _region)


def decode_keyword(reply: Reply) -> Keyword:
    """One leased keyword."""
    return decoded(reply, "keyword", _keyword)


def decode_keywords(reply: Reply) -> Page[Keyword]:
    """A page of keywords."""
    return page(reply, "keyword", _keyword)


def decode_available(reply: Reply) -> bool:
    """A bare true or false."""
    return decoded(
        reply, "truth value", lambda document: jsondoc.must(jsondoc.flag({"answer": document}, "answer"), "answer")
    )


def decode_configuration(reply: Reply) -> NumberConfiguration:
    """How a number handles inbound calls."""
    return decoded(reply, "configuration", lambda document: _configuration(document)[1])


def decode_configurations(reply: Reply) -> Page[tuple[str, NumberConfiguration]]:
    """A page of numbers, each with how it handles inbound calls."""
    return page(reply, "configuration", _configuration)


def _configuration(document: Value) -> tuple[str, NumberConfiguration]:
    """Lists are joined by spaces, as 1.1 spells them."""
    node = jsondoc.mapping(document, "the configuration")
    inbound: dict[str, str] = {}
    for name in ("callTrackingConfig", "ivrInboundConfig"):
        if node.get(name) is not None:
            given = jsondoc.mapping(node[name], f"its {name}")
            inbound |= {key: _spelled(value) for key, value in given.items() if value is not None}
    configuration = NumberConfiguration(
        inbound_type=jsondoc.text(node, "configType"), inbound=MappingProxyType(inbound)
    )
    return jsondoc.must(jsondoc.text(node, "number"), "number"), configuration


def _spelled(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _number(document: Value) -> Number:
    node = jsondoc.mapping(document, "the number")
    call, text = jsondoc.text(node, "callFeatureStatus"), jsondoc.text(node, "textFeatureStatus")
    return Number(
        number=jsondoc.must(jsondoc.text(node, "number"), "number"),
        national_format=jsondoc.must(jsondoc.text(node, "nationalFormat"), "nationalFormat"),
        toll_free=jsondoc.flag(node, "tollFree") or False,  # definition: false by default
        region=None if node.get("region") is None else _region(node["region"]),
        status=jsondoc.text(node, "status"),
        lease=_lease(node),
        configuration=NumberConfiguration(call=call, text=text, inbound=MappingProxyType({})) if call or text else None,
    )


def _keyword(document: Value) -> Keyword:
    node = jsondoc.mapping(document, "the keyword")
    return Keyword(
        short_code=jsondoc.must(jsondoc.text(node, "shortCode"), "shortCode"),
        keyword=jsondoc.must(jsondoc.text(node, "keyword"), "keyword"),
        status=jsondoc.text(node, "status"),
        lease=_lease(node),
    )


def _region(document: Value) -> Region:
    node = jsondoc.mapping(document, "the region")
    latitude, longitude = jsondoc.amount(node, "latitude"), jsondoc.amount(node, "longitude")
    return Region(
        prefix=jsondoc.text(node, "prefix"),
        city=jsondoc.text(node, "city"),
        state=jsondoc.text(node, "state"),
        zipcode=jsondoc.text(node, "zipcode"),
        country=jsondoc.text(node, "country"),
        lata=jsondoc.text(node, "lata"),
        rate_center=jsondoc.text(node, "rateCenter"),
        latitude=None if latitude is None else float(latitude),
        longitude=None if longitude is None else float(longitude),
        time_zone=jsondoc.text(node, "timeZone"),
    )


def _lease(node: Object) -> LeaseInfo | None:
    """What is leased says whether the lease renews; what is for sale does not (examples). A lease may lack its days (the same)."""
    auto_renew = jsondoc.flag(node, "autoRenew")
    if auto_renew is None:
        return None
    return LeaseInfo(begin=_day(node, "leaseBegin"), end=_day(node, "leaseEnd"), auto_renew=auto_renew)


def _day(node: Object, name: str) -> date | None:
    """Milliseconds, of which the day in UTC counts: 1.1 tells no more of a lease."""
    when = jsondoc.moment(node, name)
    return None if when is None else when.date()
