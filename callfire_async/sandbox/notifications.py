"""What is posted to subscribers, in the formats a subscription may ask for.

Seen in the vendor's captures: the XML of texts and calls. From the vendor's schemas: the elements, their sequence, and campaigns, whose root
element the schema and its Java binding name differently (BroadcastFinished there, BroadcastNotification here). Inferred: JSON, in the manner
of the API's own JSON answers, with numbers and truth values where the schema has them; and SOAP, the same XML in an envelope. No document shows
either. Hypothetical: whatever tells of an order. CallFire documents no such event and no such root element (contract, section 4.1).
"""

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

import xmltodict

from . import documents
from .life import check_word

if TYPE_CHECKING:
    from .ledger import Order

#: What a subscription may listen for, but for UNDEFINED_EVENT: that is no event of its own.
Event = Literal[
    "INBOUND_CALL_FINISHED",
    "INBOUND_TEXT_FINISHED",
    "OUTBOUND_CALL_FINISHED",
    "OUTBOUND_TEXT_FINISHED",
    "CAMPAIGN_STARTED",
    "CAMPAIGN_STOPPED",
    "CAMPAIGN_FINISHED",
]
_Campaign = Literal["VOICE", "IVR", "TEXT"]

_ACTION: Final = (
    *("FromNumber", "ToNumber", "State", "BatchId", "BroadcastId", "ContactId"),
    *("Inbound", "Created", "Modified", "FinalResult"),
)
#: Root element, data element, and the fields of that in the sequence of the vendor's schema.
_SHAPES: Final = {
    "TEXT": ("TextNotification", "Text", (*_ACTION, "Message")),
    "CALL": ("CallFinished", "Call", _ACTION),
    "CAMPAIGN": ("BroadcastNotification", "Broadcast", ("Name", "Status", "LastModified", "Type")),
}
#: The account's number and somebody else's, as in the sample.
_OURS, _THEIRS = "18185550199", "18185550100"

_SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
#: What the vendor's schema has as a number or as true and false: so it is in JSON.
_PLAIN: Final = (
    {"@id", "ContactId", "BatchId", "BroadcastId", "Inbound", "Duration", "BilledAmount"}  # of texts and calls
    | {"@id", "Ordered", "UnitCost", "TotalCost", "Summary", "SalesTax", "Total"}  # of orders
)


@dataclass(frozen=True, slots=True)
class Notification:
    """One piece of news, before it is known to whom it goes."""

    root: str
    #: The data element in it.
    item: str
    #: The status word of an order; of anything else the event.
    word: str
    #: The order it tells of, if it does.
    order_id: str = ""
    #: What the filters of a subscription are held against.
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def render(self, notification_format: str, subscription_id: int) -> tuple[str, str]:
        """Return the content type and the body for a subscription of this format."""
        if notification_format == "JSON":
            # The content type is inferred, like all of this format.
            content = {"SubscriptionId": subscription_id, **xmltodict.parse(self.item, postprocessor=_plain)}
            return "application/json; charset=UTF-8", json.dumps({self.root: content})
        document = documents.notification(self.root, subscription_id, self.item)
        if notification_format == "SOAP":
            document = f'<soap:Envelope xmlns:soap="{_SOAP}"><soap:Body>\n{document}</soap:Body></soap:Envelope>\n'
        return "text/xml; charset=UTF-8", documents.PROLOGUE + document


def of_order(order: "Order", word: str) -> Notification:
    """Tell of an order under a status, its own or another."""
    return Notification("NumberOrderNotification", documents.number_order(order, word), word, order.id)


def of_event(event: str, fields: Mapping[str, str], root: str | None = None) -> Notification:
    """Tell of a text, a call or a campaign. `fields` has the id, and replaces or adds to what is usual. ValueError for one that is no field of it."""
    check_word("The event", event, Event)
    if root is not None and not re.fullmatch("[A-Za-z][A-Za-z0-9]*", root):
        raise ValueError(f"root is the name of an element, not {root!r}.")
    usual_root, element, names = _SHAPES[next(kind for kind in _SHAPES if kind in event)]
    for name in fields:
        if name not in {"id", *names}:
            raise ValueError(f"{element} has no field {name}: it has id, {', '.join(names)}.")
    now = documents.moment(datetime.now(UTC))
    given = {**_usual(event, now), **fields}
    lines = [f"        <{name}>{documents.escaped(given[name])}</{name}>" for name in names if name in given]
    if element == "Call":
        lines.append(_call_record(given))
    elif element == "Broadcast":
        lines.append(_campaign_configuration(given["Type"], now))
    drawn = "\n".join(lines)
    item = f'    <{element} id="{documents.escaped(given["id"])}">\n{drawn}\n    </{element}>'
    return Notification(root or usual_root, item, event, facts=_facts(element, given))


def _usual(event: str, now: str) -> dict[str, str]:
    """What the fields say where nobody says otherwise."""
    direction, _, what = event.partition("_")
    if direction == "CAMPAIGN":
        status = "RUNNING" if what == "STARTED" else what
        return {"Name": "Spring sale", "Status": status, "LastModified": now, "Type": "TEXT"}
    inbound = direction == "INBOUND"
    usual = {
        "FromNumber": _THEIRS if inbound else _OURS,
        "ToNumber": _OURS if inbound else _THEIRS,
        "State": "FINISHED",
        "ContactId": "1418291001",
        "Inbound": "true" if inbound else "false",
        "Created": now,
        "Modified": now,
    }
    if what == "CALL_FINISHED":
        return {**usual, "FinalResult": "LA"}  # a live answer
    return {**usual, "FinalResult": "RECEIVED" if inbound else "SENT", "Message": "Hello"}


def _call_record(call: Mapping[str, str]) -> str:
    """One record, as every call that finished has: 25 seconds, the schema's own example."""
    identifier, result, finished = (documents.escaped(call[name]) for name in ("id", "FinalResult", "Modified"))
    return (
        f'        <CallRecord id="{identifier}"><Result>{result}</Result><FinishTime>{finished}</FinishTime>'
        "<BilledAmount>1.0</BilledAmount><Duration>25</Duration></CallRecord>"
    )


def _campaign_configuration(kind: str, now: str) -> str:
    """The configuration that goes with the campaign's Type: the schema demands one."""
    check_word("Type", kind, _Campaign)
    element = f"{kind.capitalize()}BroadcastConfig"
    return f"        <{element}><Created>{now}</Created><FromNumber>{_OURS}</FromNumber></{element}>"


def _facts(element: str, given: Mapping[str, str]) -> Mapping[str, str]:
    """What can be filtered by, in the words of the filters."""
    if element == "Broadcast":
        return MappingProxyType({"BroadcastId": given["id"]})
    facts = {name: given[name] for name in ("BroadcastId", "BatchId", "Inbound") if name in given}
    facts |= {name: given[name].removeprefix("+") for name in ("FromNumber", "ToNumber")}
    # A filter such as 67076:KEYWORD wants the first word of the text, in capitals or not: inferred.
    facts["Keyword"] = given.get("Message", "").partition(" ")[0].upper()
    return MappingProxyType(facts)


def _plain(_path: object, name: str, value: Any) -> tuple[str, Any]:
    if name in _PLAIN and isinstance(value, str):
        with contextlib.suppress(ValueError):  # a test may well send nonsense
            value = json.loads(value)
    return name, value
