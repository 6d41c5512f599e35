"""CallFire API v2: number orders to bytes and back. Sources are named as in callfire_v2_envelope.py."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from callfire_async.errors import ConfigurationError, InvalidOrderError
from callfire_async.orders import NumberOrder, OrderItem
from callfire_async.providers import Postback, Receipt, Reply, Request, callfire_v2_traces, jsondoc
from callfire_async.providers.callfire import order_content as order_content_of_1_1
from callfire_async.providers.callfire_states import OrderStates
from callfire_async.providers.callfire_v2_envelope import (
    MOST_ON_PAGE,
    checked_id,
    decoded,
    get,
    identifier,
    milliseconds,
    page,
    region_parameters,
    resource_id,
    send,
    v2_names,
)
from callfire_async.providers.callfire_v2_webhooks import Signature
from callfire_async.providers.states import LONGEST_STATUS

if TYPE_CHECKING:
    from datetime import datetime

    from callfire_async.orders import JSON, Content, Outcome, Region
    from callfire_async.providers import Investigation, Page
    from callfire_async.providers.jsondoc import Object, Value

#: A postback is hostile until proven otherwise; this many values are some hundred documented events.
MOST_IN_POSTBACK: Final = 2_000

#: Members of a NumberOrder that no other resource has (definition).
_TELLING: Final = frozenset({"totalCost", "localNumbers", "tollFreeNumbers"})


def order_content(
    *,
    numbers: Iterable[str] = (),
    keywords: Iterable[str] = (),
    local: int = 0,
    toll_free: int = 0,
    region: Region | None = None,
) -> dict[str, JSON]:
    """The checked arguments of one v2 order. InvalidOrderError where they are none, or are two; nothing was sent then."""
    content = order_content_of_1_1(numbers=numbers, keywords=keywords, local=local, toll_free=toll_free, region=region)
    if "keywords" in content and content.keys() & {"numbers", "local", "toll_free"}:
        # Two endpoints are two purchases, and the second may be refused when the first is paid.
        raise InvalidOrderError(
            "CallFire v2 sells numbers and keywords apart: this would be two purchases, of which one could fail. "
            "Order the numbers and the keywords each with an order of its own; nothing was sent."
        )
    region_parameters(region)
    return content


class CallFireV2Provider:
    """The codec. `outcomes` corrects the meaning of statuses; with `webhook_secret`, a postback has to be signed with it."""

    name = "callfire-v2"
    calls_back = False

    def __init__(self, outcomes: Mapping[str, Outcome] | None = None, *, webhook_secret: str | None = None) -> None:
        self._states = OrderStates(outcomes)
        if webhook_secret is not None and not isinstance(webhook_secret, str):
            raise ConfigurationError("webhook_secret= must be a text.")
        self._signature = None if webhook_secret is None else Signature(webhook_secret)

    def encode_order(self, content: Content, callback_url: str | None = None) -> Request:
        """POST /orders/numbers or /orders/keywords. Several ways to choose numbers may stand in one request (SDK; definition: "either")."""
        del callback_url  # webhooks belong to the account
        if "keywords" in content:
            return send("POST", "/orders/keywords", {"keywords": content["keywords"]})
        where = region if isinstance(region := content.get("region"), Mapping) else {}
        body = {
            "numbers": content.get("numbers"),
            "localCount": content.get("local"),
            "tollFreeCount": content.get("toll_free"),
        }
        return send("POST", "/orders/numbers", body | v2_names(where))

    def decode_receipt(self, reply: Reply) -> Receipt[NumberOrder]:
        """A ResourceId."""
        return Receipt(order_id=resource_id(reply, "order"))

    def encode_status(self, order_id: str) -> Request:
        """GET /orders/{id}."""
        return get(f"/orders/{checked_id(order_id, 'order')}")

    def decode_status(self, reply: Reply) -> NumberOrder:
        """A NumberOrder."""
        return decoded(reply, "order", self._number_order)

    def encode_list(
        self,
        *,
        status: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        first: int = 0,
        most: int = MOST_ON_PAGE,
    ) -> Request:
        """GET /orders (SDK; not in the definition of 2019). Times are sent in milliseconds, as those of other lists are (inferred)."""
        interval = {"intervalBegin": milliseconds("since", since), "intervalEnd": milliseconds("until", until)}
        return get("/orders", {"limit": most, "offset": first, "status": status, **interval})

    def decode_list(self, reply: Reply) -> Page[NumberOrder]:
        """A page of orders, the newest first (SDK fixture). One that waits for money may tell nothing of what was ordered (the same)."""
        return page(reply, "order", self._number_order)

    def decode_postback(self, headers: Mapping[str, str], body: bytes) -> Postback[NumberOrder]:
        """The first order in a webhook's payload. CallFire documents no webhook that tells of orders, so its place is not known.

        With a secret, ProtocolError for a payload that is not signed with it (guide, X-CallFire-Signature).
        """
        if self._signature is not None:
            self._signature.check(headers, body)
        waiting = deque([(jsondoc.read(body, most=MOST_IN_POSTBACK), False)])
        while waiting:
            node, tells_of_order = waiting.popleft()
            if isinstance(node, Mapping):
                if tells_of_order or not _TELLING.isdisjoint(node):
                    try:
                        return self._hint(node)
                    except ValueError:
                        pass  # no id: some other thing
                # The resource of an event is named beside it (guide); NumberOrder is inferred.
                about_order = "order" in str(node.get("resourceType", "")).lower()
                waiting.extend((child, about_order and name == "resource") for name, child in node.items())
            else:
                waiting.extend((child, False) for child in jsondoc.children(node))
        return Postback()

    def matches(self, state: NumberOrder, content: Content, submitted_at: datetime) -> bool:
        """Whether an order was created since the submission, asks for just as many of each kind, and has brought nothing that was not named."""
        return callfire_v2_traces.matches(state, content, submitted_at)

    def investigate(self, content: Content, submitted_at: datetime, now: datetime) -> Investigation:
        """List the account's orders back to the submission."""
        return callfire_v2_traces.investigate(self, content, submitted_at, now)

    def dump(self, state: NumberOrder) -> str:
        """JSON, with money and times as text."""
        return self._states.dump(state)

    def load(self, text: str) -> NumberOrder:
        """The state that `dump` wrote; its outcome is decided anew, so a corrected table counts for stored orders too."""
        return self._states.load(text)

    def _hint(self, node: Object) -> Postback[NumberOrder]:
        order_id = identifier(node)
        try:
            return Postback(order_id=order_id, state=self._number_order(node, believed=False))
        except ValueError:
            return Postback(order_id=order_id)

    def _number_order(self, document: Value, *, believed: bool = True) -> NumberOrder:
        """A NumberOrder; ValueError says what is missing. Unknown members are passed over (summary and its like came later)."""
        node = jsondoc.mapping(document, "the order")
        status = jsondoc.must(jsondoc.text(node, "status") or None, "status")
        if len(status) > LONGEST_STATUS:
            raise ValueError(f"its status has {len(status):,} characters")
        return NumberOrder(
            id=identifier(node),
            status=status,
            outcome=self._states.outcome(status, believed=believed),
            created=jsondoc.must(jsondoc.moment(node, "created"), "created"),
            total_cost=jsondoc.must(jsondoc.amount(node, "totalCost"), "totalCost"),
            local_numbers=_item(node, "localNumbers"),
            toll_free_numbers=_item(node, "tollFreeNumbers"),
            keywords=_item(node, "keywords"),
            summary=jsondoc.amount(node, "summary"),
            sales_tax=jsondoc.amount(node, "salesTax"),
            total=jsondoc.amount(node, "total"),
        )


def _item(order: Object, name: str) -> OrderItem | None:
    if order.get(name) is None:
        return None
    node = jsondoc.mapping(order[name], f"its {name}")
    ordered = jsondoc.must(jsondoc.whole(node, "ordered"), "ordered")
    if not 0 <= ordered < 2**31:  # definition: int32
        raise ValueError(f"its {name} are {ordered}")
    return OrderItem(
        ordered=ordered,
        unit_cost=jsondoc.must(jsondoc.amount(node, "unitCost"), "unitCost"),
        fulfilled=jsondoc.texts(node, "fulfilled"),  # definition: an array, unlike 1.1's list in one text
    )
