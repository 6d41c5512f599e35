"""CallFire API 1.1, XML: number orders to bytes and back.

Sources, in the words the comments use: *schema* is the vendor's callfire-data.xsd and callfire-service.xsd of 2013 and 2014, *pages* are the
reference pages of developers.callfire.com and their older copies, *help* is answers.callfire.com, *SDK* is one of the vendor's own clients.
What none of them says is marked as inferred.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from callfire_async.errors import ConfigurationError, InvalidOrderError, ProtocolError
from callfire_async.orders import NumberOrder, OrderItem, Outcome, Region, count, distinct, e164, keyword
from callfire_async.providers import SUCCESS, Postback, Receipt, Reply, Request, refusal, xml

if TYPE_CHECKING:
    from callfire_async.orders import JSON, Content

logger = logging.getLogger("callfire_async.callfire")

#: Names are compared after expansion, because samples differ in prefixes and in the order of declarations (SDK fixtures).
NAMESPACES: Final = MappingProxyType(
    {
        "http://api.callfire.com/data": "",
        "http://api.callfire.com/resource": "r",
        "http://api.callfire.com/notification/xsd": "n",
    }
)

#: What each of the fourteen statuses means. Only FINISHED and ERRORED are documented as final; the rest is inferred from the words.
OUTCOMES: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "FINISHED": Outcome.FINISHED,  # documented: pages and help; may still be partial
        "ERRORED": Outcome.FAILED,  # documented: pages and help
        "PROCESSING": Outcome.PENDING,  # documented: pages and help
        "NEW": Outcome.PENDING,  # inferred; schema lists it
        "PROCESSING_ACH": Outcome.PENDING,  # inferred; newest pages only
        "WAIT_FOR_PAYMENT": Outcome.PARKED,  # inferred; schema of 2014
        "APPROVE_TIER_ONE": Outcome.PARKED,  # inferred; pages
        "APPROVE_TIER_TWO": Outcome.PARKED,  # inferred; pages
        "VOID": Outcome.FAILED,  # inferred; schema
        "REJECTED": Outcome.FAILED,  # inferred; pages
        "PAYMENT_ERROR": Outcome.FAILED,  # inferred; newer SDKs
        "ACH_ERROR": Outcome.FAILED,  # inferred; newest pages only
        "ADJUSTED": Outcome.FINISHED,  # inferred: a billing word, may come after FINISHED
        "PARTIALLY_ADJUSTED": Outcome.FINISHED,  # inferred: a billing word, may come after FINISHED
    }
)

_FORM: Final = MappingProxyType({"Content-Type": "application/x-www-form-urlencoded"})
_ACCEPT: Final = MappingProxyType({"Accept": "application/xml, text/xml"})

#: A postback is hostile until proven otherwise; the largest documented one has some forty elements.
MOST_IN_POSTBACK: Final = 1_000


def order_content(
    *,
    numbers: Iterable[str] = (),
    keywords: Iterable[str] = (),
    local: int = 0,
    toll_free: int = 0,
    region: Region | None = None,
) -> dict[str, JSON]:
    """The checked arguments of an order. InvalidOrderError where they are none; nothing was sent then."""
    content: dict[str, JSON] = {
        "numbers": distinct("numbers", numbers, e164),
        "keywords": distinct("keywords", keywords, keyword),
        "local": count("local", local),
        "toll_free": count("toll_free", toll_free),
    }
    bought: dict[str, JSON] = {name: value for name, value in content.items() if value}
    if not bought:
        # The schema allows an empty order, and nothing says what the server would do with it.
        raise InvalidOrderError(
            "The order is empty: give numbers, keywords, local or toll_free; a region alone buys nothing. Nothing was sent."
        )
    if region is not None:
        if not isinstance(region, Region):
            raise InvalidOrderError(f"region={region!r} must be a callfire_async.Region; nothing was sent.")
        bought |= {"region": region.checked()} if region.given() else {}
    return bought


class CallFireProvider:
    """The codec. `outcomes` corrects or extends the meaning of statuses, which is mostly inferred: {"VOID": Outcome.FAILED}."""

    name = "callfire"

    def __init__(self, outcomes: Mapping[str, Outcome] | None = None) -> None:
        try:
            corrected = {status.upper(): Outcome(outcome) for status, outcome in (outcomes or {}).items()}
        except ValueError as exc:
            raise ConfigurationError(f"outcomes= maps CallFire's statuses to Outcome members: {exc}.") from exc
        self._outcomes = {**OUTCOMES, **corrected}

    def encode_order(self, content: Content) -> Request:
        """POST /number/order as a form: PascalCase but for the two counts, which the schema annotates in camelCase."""
        form: dict[str, JSON] = {}
        for parameter, name in (("Numbers", "numbers"), ("Keywords", "keywords")):
            if isinstance(values := content.get(name), list):
                form[parameter] = " ".join(
                    values
                )  # schema: xs:list, one parameter joined by spaces; one client sends commas
        form |= {
            p: content[name] for p, name in (("localCount", "local"), ("tollFreeCount", "toll_free")) if name in content
        }
        if isinstance(region := content.get("region"), Mapping):
            form |= {_pascal(name): value for name, value in region.items()}  # schema: the Region container vanishes
        return Request(method="POST", path="/number/order", headers={**_ACCEPT, **_FORM}, body=urlencode(form).encode())

    def decode_receipt(self, reply: Reply) -> Receipt[NumberOrder]:
        """An r:ResourceReference. Its r:Location is never followed: it names another host than the one called (SDK tests)."""
        reference = self._resource(reply, "r:ResourceReference")
        order_id = xml.text(reference.get("r:Id"))
        if order_id is None or not _is_id(order_id):
            raise ProtocolError("CallFire answered the order without an id that can be read.", body=reply.body)
        return Receipt(order_id=order_id)

    def encode_status(self, order_id: str) -> Request:
        """GET /number/order/{Id}."""
        if not _is_id(order_id):
            raise InvalidOrderError(
                f"{order_id[:40]!r} is no CallFire order id: those are decimal digits; nothing was sent."
            )
        return Request(method="GET", path=f"/number/order/{order_id}", headers=_ACCEPT)

    def decode_status(self, reply: Reply) -> NumberOrder:
        """An r:Resource that holds a NumberOrder; an r:Note may stand before it (captured from API 1.0)."""
        resource = self._resource(reply, "r:Resource")
        try:
            return self._number_order(resource.get("NumberOrder"))
        except ValueError as exc:
            raise ProtocolError(f"CallFire's answer holds no order that can be read: {exc}.", body=reply.body) from exc

    def decode_postback(self, headers: Mapping[str, str], body: bytes) -> Postback[NumberOrder]:
        """Whatever its root: an order is a NumberOrder with an id. CallFire documents no notification that holds one."""
        del headers  # the root decides, not the Content-Type
        root = xml.read(body, NAMESPACES, most=MOST_IN_POSTBACK)
        waiting = deque[tuple[str, "JSON"]]([root])
        while waiting:
            name, node = waiting.popleft()
            if (
                name.rpartition(":")[2] == "NumberOrder"
                and isinstance(node, Mapping)
                and _is_id(order_id := str(node.get("@id", "")))
            ):
                try:
                    return Postback(order_id=order_id, state=self._number_order(node))
                except ValueError:
                    return Postback(order_id=order_id)
            waiting.extend(xml.children(node))
        return Postback()

    def dump(self, state: NumberOrder) -> str:
        """JSON, with money and times as text."""
        return json.dumps(asdict(state), default=str, separators=(",", ":"))

    def load(self, text: str) -> NumberOrder:
        """The state that `dump` wrote; its outcome is decided anew, so a corrected table counts for stored orders too."""
        fields = json.loads(text)
        for name in ("local_numbers", "toll_free_numbers", "keywords"):
            if item := fields[name]:
                fields[name] = OrderItem(
                    ordered=item["ordered"], unit_cost=Decimal(item["unit_cost"]), fulfilled=tuple(item["fulfilled"])
                )
        for name in ("total_cost", "summary", "sales_tax", "total"):
            fields[name] = None if fields[name] is None else Decimal(fields[name])
        fields |= {"created": datetime.fromisoformat(fields["created"]), "outcome": self._outcome(fields["status"])}
        return NumberOrder(**fields)

    def _resource(self, reply: Reply, root: str) -> xml.Node:
        """The root element that was asked for, or the exception the answer stands for."""
        try:
            name, node = xml.read(reply.body, NAMESPACES)
        except ProtocolError:
            if reply.status in SUCCESS:
                raise
            name, node = "", {}  # an HTML page or nothing at all: the HTTP status is all there is
        if name == "r:ResourceException":
            status = xml.text(node.get("r:HttpStatus")) or ""
            if reply.status in SUCCESS and status.isdecimal():
                reply = Reply(status=int(status), headers=reply.headers, body=reply.body)
        if reply.status not in SUCCESS:
            message = xml.text(node.get("r:Message")) if name == "r:ResourceException" else None
            raise refusal(reply, (message or "CallFire refused without a message that can be read")[:500])
        if name != root:
            raise ProtocolError(f"CallFire answered {name or 'nothing'} where {root} was expected.", body=reply.body)
        return node

    def _number_order(self, node: JSON) -> NumberOrder:
        """A NumberOrder element; ValueError says what is missing. Unknown elements are passed over (Summary and its like came later)."""
        if not isinstance(node, Mapping):
            raise ValueError("there is not exactly one NumberOrder")  # noqa: TRY004 - the document is wrong, not a type
        order_id, status = str(node.get("@id", "")), xml.text(node.get("Status"))
        if not _is_id(order_id) or not status:
            raise ValueError("it lacks an id or a Status")
        return NumberOrder(
            id=order_id,
            status=status,
            outcome=self._outcome(status),
            created=_time(node.get("Created")),
            total_cost=_money(node.get("TotalCost")),
            local_numbers=_item(node.get("LocalNumbers")),
            toll_free_numbers=_item(node.get("TollFreeNumbers")),
            keywords=_item(node.get("Keywords")),
            summary=_money(node["Summary"]) if "Summary" in node else None,
            sales_tax=_money(node["SalesTax"]) if "SalesTax" in node else None,
            total=_money(node["Total"]) if "Total" in node else None,
        )

    def _outcome(self, status: str) -> Outcome:
        outcome = self._outcomes.get(status.upper())
        if outcome is None:
            outcome = self._outcomes[status.upper()] = Outcome.PENDING  # kept, so that it is said once
            logger.warning(
                "CallFire calls an order %.40r, a status this library does not know. It counts as not final; "
                "if you know better, pass outcomes={%.40r: Outcome.…} to CallFire().",
                status,
                status,
            )
        return outcome


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 19


def _item(node: JSON) -> OrderItem | None:
    if not isinstance(node, Mapping):
        return None
    ordered = xml.text(node.get("Ordered")) or ""
    if not _is_id(ordered):
        raise ValueError("an item lacks its Ordered")
    # Schema: one element, separated by spaces. The pages print "List[string]", so repeated elements are read as well.
    fulfilled = tuple(
        word for name, child in xml.children(node) if name == "Fulfilled" for word in (xml.text(child) or "").split()
    )
    return OrderItem(ordered=int(ordered), unit_cost=_money(node.get("UnitCost")), fulfilled=fulfilled)


def _money(node: JSON) -> Decimal:
    try:
        amount = Decimal(xml.text(node) or "")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount.adjusted()) > 18:
        raise ValueError("an amount of money is missing or absurd")
    return amount


def _time(node: JSON) -> datetime:
    try:
        time = datetime.fromisoformat(xml.text(node) or "")
    except ValueError as exc:
        raise ValueError("its Created is missing or no time") from exc
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
