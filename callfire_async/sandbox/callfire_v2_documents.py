"""CallFire v2's documents, written out literally after the vendor's definition and the replies printed in it."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .goods import is_toll_free
from .inventory import SHORT_CODE
from .regions import region_of

if TYPE_CHECKING:
    from .account import Configuration, Holding
    from .ledger import Order
    from .regions import Region

_BLOCKS = {"LocalNumbers": "localNumbers", "TollFreeNumbers": "tollFreeNumbers", "Keywords": "keywords"}


def reply(document: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with a JSON document."""
    text = json.dumps(document, separators=(",", ":"))
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)


def error(status: int, message: str) -> dict[str, Any]:
    """The error body, the answer to whatever is refused or fails."""
    return {"httpStatusCode": status, "internalCode": 0, "message": message, "developerMessage": "", "helpLink": ""}


def listed(items: Sequence[Any], page: slice) -> dict[str, Any]:
    """A page of a list."""
    return {"items": items[page], "limit": page.stop - page.start, "offset": page.start, "totalCount": len(items)}


def number_order(order: "Order", status: str) -> dict[str, Any]:
    """NumberOrder. Fulfilled is absent while the order is at work, as in 1.1: inferred."""
    blocks = order.blocks(status)
    cost = sum(block.cost for block in blocks)
    document = {**_head(order, status), "totalCost": cost}
    for block in blocks:
        fulfilled = {} if block.units is None else {"fulfilled": list(block.units)}
        document[_BLOCKS[block.name]] = {"ordered": block.ordered, "unitCost": block.unit_cost, **fulfilled}
    if order.life.newer_fields:
        # Only in the last edition of the documents, which show no example: the values are inferred.
        document |= {"summary": cost, "salesTax": 0.0, "total": cost}
    return document


def order_in_list(order: "Order", status: str) -> dict[str, Any]:
    """NumberOrder as a list has it: one that waits for payment does not tell what was ordered (the vendor's fixture)."""
    document = number_order(order, status)
    return {**_head(order, status), "totalCost": document["totalCost"]} if status == "WAIT_FOR_PAYMENT" else document


def _head(order: "Order", status: str) -> dict[str, Any]:
    return {"id": int(order.id), "status": status, "created": int(order.created.timestamp() * 1000)}


def webhook_payload(order: "Order", status: str, webhook_id: int, name: str) -> dict[str, Any]:
    """What a webhook posts. NumberOrder is an invention: CallFire documents no resource for orders."""
    head = {"timestamp": int(time.time() * 1000), "webhookId": webhook_id}
    event = {**head, "resourceType": "NumberOrder", "eventType": "Finished", "resource": number_order(order, status)}
    return {**head, "webhookName": name, "resourceType": "NumberOrder", "events": [event]}


def region(place: "Region", prefix: str) -> dict[str, Any]:
    """Region."""
    texts = {name[0].lower() + name[1:]: value for name, value in place.fields.items()}
    return {"prefix": prefix, **texts, "latitude": place.latitude, "longitude": place.longitude}


def number(digits: str, holding: "Holding | None" = None) -> dict[str, Any]:
    """Number, or with a holding NumberLease."""
    toll_free = is_toll_free(digits)
    national = f"({digits[1:4]}) {digits[4:7]}-{digits[7:]}"
    document: dict[str, Any] = {"number": digits, "nationalFormat": national, "tollFree": toll_free}
    if (place := region_of(digits)) is not None:
        document["region"] = region(place, digits[:7])
    elif not toll_free:
        document["region"] = {"prefix": digits[:7]}  # from a place the sandbox does not know
    if holding is not None:
        features = {"callFeatureStatus": holding.configuration.call, "textFeatureStatus": holding.configuration.text}
        document |= {**_lease(holding), **features}
    return document


def keyword(word: str, holding: "Holding | None" = None) -> dict[str, Any]:
    """Keyword, or with a holding KeywordLease."""
    return {"shortCode": SHORT_CODE, "keyword": word} | ({} if holding is None else _lease(holding))


def _lease(holding: "Holding") -> dict[str, Any]:
    return {
        "leaseBegin": _midnight(holding.begin),
        "leaseEnd": _midnight(holding.end),
        "autoRenew": not holding.released,
        "status": "RELEASED" if holding.released else "ACTIVE",
    }


def configuration(digits: str, configured: "Configuration", members: Mapping[str, str]) -> dict[str, Any]:
    """NumberConfig. `members` gives each member's name in API 1.1, under which the account keeps it."""
    if configured.inbound is None:
        return {"number": digits}
    given = {
        member: _member(member, configured.details[kept])
        for member, kept in members.items()
        if kept in configured.details
    }
    name = {"TRACKING": "callTrackingConfig", "IVR": "ivrInboundConfig"}[configured.inbound]
    return {"number": digits, "configType": configured.inbound, name: given}


def _member(name: str, value: str) -> Any:
    if name == "transferNumbers":
        return value.split()
    return value if name == "dialplanXml" else json.loads(value)


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
