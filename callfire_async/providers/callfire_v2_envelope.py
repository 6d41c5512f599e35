"""What all of CallFire API v2's answers share: the error body, lists in their two shapes, and requests with and without a body.

Sources, in the words the comments use: *definition* is the vendor's Swagger definition of v2, *examples* are the replies printed in it,
*SDK* is the vendor's Java v2 client with its fixtures, *guide* is the vendor's guide to webhooks. What none of them says is marked as inferred.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlencode

from callfire_async.errors import InvalidOrderError, ProtocolError
from callfire_async.providers import SUCCESS, Page, Reply, Request, jsondoc, refusal
from callfire_async.providers.callfire_envelope import is_id

if TYPE_CHECKING:
    from datetime import datetime

    from callfire_async.orders import JSON, Region
    from callfire_async.providers.jsondoc import Object, Value

T = TypeVar("T")

ACCEPT: Final = MappingProxyType({"Accept": "application/json"})
SENDS_JSON: Final = MappingProxyType({**ACCEPT, "Content-Type": "application/json"})

MOST_ON_PAGE: Final = 100
"""Entries on a page: the default (definition), which names no maximum."""

#: The fields of a region that v2 can choose by, and their names there (definition, NumberPurchaseRequest and the parameters of the searches).
_REGION: Final = MappingProxyType(
    {
        "prefix": "prefix",
        "city": "city",
        "state": "state",
        "zipcode": "zipcode",
        "lata": "lata",
        "rate_center": "rateCenter",
    }
)


def region_parameters(region: Region | None) -> dict[str, JSON]:
    """A region as v2's parameters, otherwise InvalidOrderError: a field that v2 would not look at must not seem to count."""
    given: dict[str, JSON] = {} if region is None else {**region.checked()}
    if foreign := [name for name in given if name not in _REGION]:
        raise InvalidOrderError(
            f"CallFire v2 chooses numbers by {', '.join(_REGION)}, and not by {', '.join(foreign)}; nothing was sent."
        )
    return v2_names(given)


def v2_names(region: Mapping[str, JSON]) -> dict[str, JSON]:
    """The fields of a region that was checked, under their names in v2."""
    return {_REGION[name]: value for name, value in region.items()}


def get(path: str, query: Mapping[str, JSON] | None = None) -> Request:
    """A question. Parameters that are None are left out, and one with a list is repeated (definition, collectionFormat multi)."""
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return Request(method="GET", path=f"{path}?{urlencode(given, doseq=True)}" if given else path, headers=ACCEPT)


def send(method: str, path: str, body: Mapping[str, JSON]) -> Request:
    """A request that carries an object, without what is None."""
    given = {name: value for name, value in body.items() if value is not None}
    return Request(method=method, path=path, headers=SENDS_JSON, body=json.dumps(given, separators=(",", ":")).encode())


def decoded(reply: Reply, what: str, read: Callable[[Value], T]) -> T:
    """What `read` makes of a success. An APIError for a refusal; ProtocolError where the document is none, or `read` finds no `what` in it."""
    if reply.status not in SUCCESS:
        raise refusal(reply, _message(reply.body))
    document = jsondoc.read(reply.body)
    # Inferred: a gateway may send the error body with 200. The other documents have no such member.
    status = document.get("httpStatusCode") if isinstance(document, Mapping) else None
    if isinstance(status, int) and 400 <= status < 600:
        raise refusal(Reply(status=status, headers=reply.headers), _message(reply.body))
    try:
        return read(document)
    except ValueError as exc:
        raise ProtocolError(f"CallFire's answer holds no {what} that can be read: {exc}.", body=reply.body) from exc


def done(reply: Reply) -> None:
    """A success, whatever its body: updates and deletions answer nothing ("200 OK - No Response", examples)."""
    if reply.status not in SUCCESS:
        raise refusal(reply, _message(reply.body))


def page(reply: Reply, what: str, read: Callable[[Object], T]) -> Page[T]:
    """A list: a bare array (examples of numbers for sale) or an object with items, and for most with a totalCount (definition)."""

    def listed(document: Value) -> Page[T]:
        node = {"items": document} if isinstance(document, list) else jsondoc.mapping(document, "the list")
        items = node.get("items")
        found = jsondoc.array([] if items is None else items, "its items")  # inferred: an empty list may be left out
        return Page([read(jsondoc.mapping(item, f"a {what}")) for item in found], jsondoc.whole(node, "totalCount"))

    return decoded(reply, f"list of {what}s", listed)


def identifier(node: Object) -> str:
    """The id of an order or a webhook: an int64 (definition), kept as its digits; ValueError where it is none."""
    value = node.get("id")
    digits = "" if isinstance(value, bool) or not isinstance(value, int | str) else str(value)
    if not is_id(digits):
        raise ValueError("its id is missing or no whole number")
    return digits


def resource_id(reply: Reply, what: str) -> str:
    """The answer to a create: a ResourceId (definition). 200 in the definition, 201 in later documents."""
    return decoded(reply, f"{what} id", lambda document: identifier(jsondoc.mapping(document, "the answer")))


def checked_id(identifier: str | int, what: str) -> str:
    """An id as it may stand in a path, otherwise InvalidOrderError."""
    if not is_id(str(identifier)):
        raise InvalidOrderError(
            f"{str(identifier)[:40]!r} is no CallFire {what} id: those are decimal digits; nothing was sent."
        )
    return str(identifier)


def milliseconds(name: str, when: datetime | None) -> int | None:
    """A time for the wire; InvalidOrderError for one without a zone, which could be any of two dozen."""
    if when is None:
        return None
    if when.tzinfo is None:
        raise InvalidOrderError(f"{name}={when!r} must be an aware time, such as datetime.now(UTC); nothing was sent.")
    return int(when.timestamp() * 1000)


def _message(body: bytes) -> str:
    """The provider's own words in an error body: {httpStatusCode, internalCode, message, developerMessage, helpLink} (SDK)."""
    try:
        node = jsondoc.mapping(jsondoc.read(body), "the error")
        message = jsondoc.text(node, "message") or jsondoc.text(node, "developerMessage")
    except (ProtocolError, ValueError):
        message = None  # an HTML page or nothing at all: the HTTP status is all there is
    return (message or "CallFire refused without a message that can be read")[:500]
