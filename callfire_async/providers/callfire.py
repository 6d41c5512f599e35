"""CallFire API 1.1: number orders to bytes and back. Sources are named as in callfire_envelope.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from callfire_async.errors import APIError, InvalidOrderError, ProtocolError
from callfire_async.orders import NumberOrder, OrderItem, Region, count, distinct, e164, keyword
from callfire_async.providers import (
    SUCCESS,
    Postback,
    Receipt,
    Reply,
    Request,
    callfire_notifications,
    callfire_traces,
    xml,
)
from callfire_async.providers.callfire_envelope import (
    ACCEPT,
    FORM_HEADERS,
    is_id,
    money,
    pascal,
    resource,
    time,
)
from callfire_async.providers.callfire_states import OrderStates
from callfire_async.providers.states import LONGEST_STATUS

if TYPE_CHECKING:
    from datetime import datetime

    from callfire_async.orders import JSON, Content, Outcome
    from callfire_async.providers import Investigation


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
    calls_back = False

    def __init__(self, outcomes: Mapping[str, Outcome] | None = None) -> None:
        self._states = OrderStates(outcomes)

    def encode_order(self, content: Content, callback_url: str | None = None) -> Request:
        """POST /number/order as a form: PascalCase but for the two counts, which the schema annotates in camelCase."""
        del callback_url  # 1.1 knows subscriptions of the account only
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
            form |= {pascal(name): value for name, value in region.items()}  # schema: the Region container vanishes
        return Request(method="POST", path="/number/order", headers=FORM_HEADERS, body=urlencode(form).encode())

    def decode_receipt(self, reply: Reply) -> Receipt[NumberOrder]:
        """An r:ResourceReference. Its r:Location is never followed: it names another host than the one called (SDK tests)."""
        try:
            reference = resource(reply, "r:ResourceReference")
        except APIError as exc:
            if reply.status not in SUCCESS:
                raise
            # The two contradict each other, and only the status line of a purchase is believed when it says no.
            raise ProtocolError(
                f"CallFire answered HTTP {reply.status} with a refusal: {exc.message}", body=reply.body
            ) from exc
        order_id = xml.text(reference.get("r:Id"))
        if order_id is None or not is_id(order_id):
            raise ProtocolError("CallFire answered the order without an id that can be read.", body=reply.body)
        return Receipt(order_id=order_id)

    def encode_status(self, order_id: str) -> Request:
        """GET /number/order/{Id}."""
        if not is_id(order_id):
            raise InvalidOrderError(
                f"{order_id[:40]!r} is no CallFire order id: those are decimal digits; nothing was sent."
            )
        return Request(method="GET", path=f"/number/order/{order_id}", headers=ACCEPT)

    def decode_status(self, reply: Reply) -> NumberOrder:
        """An r:Resource that holds a NumberOrder; an r:Note may stand before it (captured from API 1.0)."""
        node = resource(reply, "r:Resource").get("NumberOrder")
        try:
            return self._number_order(node)
        except ValueError as exc:
            raise ProtocolError(f"CallFire's answer holds no order that can be read: {exc}.", body=reply.body) from exc

    def decode_postback(self, headers: Mapping[str, str], body: bytes) -> Postback[NumberOrder]:
        """An order or another notification. CallFire documents none that holds an order."""
        return callfire_notifications.decode_postback(headers, body, partial(self._number_order, believed=False))

    def matches(self, state: NumberOrder, content: Content, submitted_at: datetime) -> bool:
        """Whether an order was created since the submission, and asks for just as many of each kind."""
        return callfire_traces.matches(state, content, submitted_at)

    def investigate(self, content: Content, submitted_at: datetime, now: datetime) -> Investigation:
        """Look up each named number and keyword among the account's own, then among those for sale."""
        return callfire_traces.investigate(content, submitted_at, now)

    def dump(self, state: NumberOrder) -> str:
        """JSON, with money and times as text."""
        return self._states.dump(state)

    def load(self, text: str) -> NumberOrder:
        """The state that `dump` wrote; its outcome is decided anew, so a corrected table counts for stored orders too."""
        return self._states.load(text)

    def _number_order(self, node: JSON, *, believed: bool = True) -> NumberOrder:
        """A NumberOrder element; ValueError says what is missing. Unknown elements are passed over (Summary and its like came later)."""
        if not isinstance(node, Mapping):
            raise ValueError("there is not exactly one NumberOrder")  # noqa: TRY004 - the document is wrong, not a type
        order_id, status = str(node.get("@id", "")), xml.text(node.get("Status"))
        if not is_id(order_id) or not status:
            raise ValueError("it lacks an id or a Status")
        if len(status) > LONGEST_STATUS:
            raise ValueError(f"its Status has {len(status):,} characters")
        return NumberOrder(
            id=order_id,
            status=status,
            outcome=self._states.outcome(status, believed=believed),
            created=time("Created", node.get("Created")),
            total_cost=money(node.get("TotalCost")),
            local_numbers=_item(node.get("LocalNumbers")),
            toll_free_numbers=_item(node.get("TollFreeNumbers")),
            keywords=_item(node.get("Keywords")),
            summary=money(node["Summary"]) if "Summary" in node else None,
            sales_tax=money(node["SalesTax"]) if "SalesTax" in node else None,
            total=money(node["Total"]) if "Total" in node else None,
        )


def _item(node: JSON) -> OrderItem | None:
    if node is None:
        return None
    if not isinstance(node, Mapping):
        raise ValueError("an item stands twice or is empty")  # noqa: TRY004 - the document is wrong, not a type
    ordered = xml.text(node.get("Ordered")) or ""
    if not is_id(ordered):
        raise ValueError("an item lacks its Ordered")
    # Schema: one element, separated by spaces. The pages print "List[string]", so repeated elements are read as well.
    fulfilled = tuple(
        word for name, child in xml.children(node) if name == "Fulfilled" for word in (xml.text(child) or "").split()
    )
    return OrderItem(ordered=int(ordered), unit_cost=money(node.get("UnitCost")), fulfilled=fulfilled)
