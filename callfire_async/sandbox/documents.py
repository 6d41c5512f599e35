"""CallFire 1.1's documents, written out literally after tests/samples and the vendor's schemas."""

import functools
import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from .goods import is_toll_free
from .inventory import SHORT_CODE
from .regions import region_of

if TYPE_CHECKING:
    from .account import Configuration, Holding
    from .ledger import Order
    from .regions import Region
    from .subscriptions import Subscription

#: The first line of every document.
PROLOGUE: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_DATA: Final = 'xmlns="http://api.callfire.com/data"'
_RESOURCE: Final = 'xmlns:r="http://api.callfire.com/resource"'
_NOTIFICATION: Final = 'xmlns:n="http://api.callfire.com/notification/xsd"'

_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: What a gateway in front of the service shows when that is away.
PAGE: Final = "<!DOCTYPE html>\n<html><head><title>Bad Gateway</title></head><body><h1>We'll be right back</h1><br></body></html>\n"


def escaped(value: str) -> str:
    """Make a text fit to stand in an element or an attribute."""
    return escape(_ILLEGAL.sub("\ufffd", value), {'"': "&quot;"})


def reference(path: str) -> str:
    """r:ResourceReference, the answer to a create. `path` is the new resource's, such as number/order/1428507003."""
    identifier = path.rpartition("/")[2]
    # The host is www.callfire.com whatever host was called.
    return f"""{PROLOGUE}<r:ResourceReference {_DATA} {_RESOURCE}>
    <r:Id>{identifier}</r:Id>
    <r:Location>https://www.callfire.com/api/1.1/rest/{path}</r:Location>
</r:ResourceReference>
"""


def exception(status: int, message: str) -> str:
    """r:ResourceException, the answer to whatever is refused or fails."""
    return f"""{PROLOGUE}<r:ResourceException {_DATA} {_RESOURCE}>
    <r:HttpStatus>{status}</r:HttpStatus>
    <r:Message>{escaped(message)}</r:Message>
</r:ResourceException>
"""


def resource(item: str) -> str:
    """r:Resource with one data element, the answer to most operations that get one thing."""
    return f"{PROLOGUE}<r:Resource {_DATA} {_RESOURCE}>\n{item}\n</r:Resource>\n"


def resource_list(items: Iterable[str], total: int) -> str:
    """r:ResourceList of data elements. `total` counts all pages."""
    lines = "\n".join([*items, ""])
    # Here alone r stands first, as in the vendor's fixture.
    return f'{PROLOGUE}<r:ResourceList {_RESOURCE} {_DATA} totalResults="{total}">\n{lines}</r:ResourceList>\n'


def order_resource(order: "Order", status: str) -> str:
    """r:Resource with the NumberOrder, the answer to GetNumberOrder."""
    if order.life.notes:
        # Seen in a captured answer of API 1.0, with these surplus namespaces.
        head = f"<r:Resource {_DATA} {_NOTIFICATION} {_RESOURCE}>\n    <r:Note>Processing time was 38.7ms</r:Note>"
    else:
        head = f"<r:Resource {_DATA} {_RESOURCE}>"
    return f"{PROLOGUE}{head}\n{number_order(order, status)}\n</r:Resource>\n"


def notification(root: str, subscription_id: int, item: str) -> str:
    """n:root with one data element, without the prologue: what is posted to a subscriber."""
    return f"""<n:{root} {_DATA} {_NOTIFICATION}>
    <n:SubscriptionId>{subscription_id}</n:SubscriptionId>
{item}
</n:{root}>
"""


def number_order(order: "Order", status: str) -> str:
    """NumberOrder alone, with its elements in the sequence of the vendor's schema."""
    blocks = order.blocks(status)
    cost = sum(block.cost for block in blocks)
    lines = [
        f'    <NumberOrder id="{order.id}">',
        f"        <Status>{status}</Status>",
        f"        <Created>{moment(order.created)}</Created>",
        f"        <TotalCost>{cost}</TotalCost>",
    ]
    if order.life.newer_fields:
        # Only in the last edition of the documents, which show no example: the values are inferred.
        lines.append(f"        <Summary>{cost}</Summary><SalesTax>0.0</SalesTax><Total>{cost}</Total>")
    for block in blocks:
        # Fulfilled is one element, a list separated by spaces, and absent while the order is at work.
        fulfilled = "" if block.units is None else f"<Fulfilled>{' '.join(block.units)}</Fulfilled>"
        lines.append(
            f"        <{block.name}><Ordered>{block.ordered}</Ordered>"
            f"<UnitCost>{block.unit_cost}</UnitCost>{fulfilled}</{block.name}>"
        )
    lines.append("    </NumberOrder>")
    return "\n".join(lines)


def subscription_resource(subscription: "Subscription") -> str:
    """r:Resource with the Subscription, the answer to GetSubscription."""
    return resource(_subscription(subscription))


def subscription_list(subscriptions: Iterable["Subscription"], total: int) -> str:
    """r:ResourceList of Subscription. `total` counts all pages."""
    return resource_list((_subscription(subscription) for subscription in subscriptions), total)


def _subscription(subscription: "Subscription") -> str:
    filters = "".join(f"<{name}>{escaped(value)}</{name}>" for name, value in subscription.filters.items())
    lines = [
        f'    <Subscription id="{subscription.id}">',
        f"        <Enabled>{str(subscription.enabled).lower()}</Enabled>",
        f"        <Endpoint>{escaped(subscription.endpoint)}</Endpoint>",
        f"        <NotificationFormat>{subscription.notification_format}</NotificationFormat>",
        f"        <TriggerEvent>{subscription.trigger_event}</TriggerEvent>",
    ]
    if filters:
        lines.append(f"        <SubscriptionFilter>{filters}</SubscriptionFilter>")
    # NonStrictSsl and ExpiresAt have no element in the vendor's schema.
    lines.append("    </Subscription>")
    return "\n".join(lines)


def region(place: "Region", prefix: str) -> str:
    """Region alone, on one line as in the sample."""
    return f"<Region><Prefix>{prefix}</Prefix>{_place(place)}</Region>"


@functools.cache
def _place(place: "Region") -> str:
    fields = {**place.fields, "Latitude": str(place.latitude), "Longitude": str(place.longitude)}
    # In the sequence of the schema.
    names = ("City", "State", "Zipcode", "Country", "Lata", "RateCenter", "Latitude", "Longitude", "TimeZone")
    return "".join(f"<{name}>{escaped(fields[name])}</{name}>" for name in names)


def number(digits: str, holding: "Holding | None" = None) -> str:
    """Number alone. Status, LeaseInfo and NumberConfiguration are populated once it is purchased."""
    national = f"({digits[1:4]}) {digits[4:7]}-{digits[7:]}" if digits[0] == "1" else f"+{digits}"
    lines = [
        "    <Number>",
        f"        <Number>{digits}</Number>",
        f"        <NationalFormat>{national}</NationalFormat>",
        f"        <TollFree>{str(is_toll_free(digits)).lower()}</TollFree>",
    ]
    if (place := region_of(digits)) is not None:
        lines.append(f"        {region(place, digits[:7])}")
    elif not is_toll_free(digits):
        # From a place the sandbox does not know; every element of Region is optional.
        lines.append(f"        <Region><Prefix>{digits[:7]}</Prefix></Region>")
    if holding is not None:
        lines += [_lease(holding), _configuration(holding.configuration)]
    lines.append("    </Number>")
    return "\n".join(lines)


def keyword(word: str, holding: "Holding | None" = None) -> str:
    """Keyword alone. Status and LeaseInfo are populated once it is purchased."""
    lines = [
        "    <Keyword>",
        f"        <ShortCode>{SHORT_CODE}</ShortCode>",
        f"        <Keyword>{word}</Keyword>",
    ]
    if holding is not None:
        lines.append(_lease(holding))
    lines.append("    </Keyword>")
    return "\n".join(lines)


def _lease(holding: "Holding") -> str:
    # No document says what follows the words RELEASED and AutoRenew in time; a release stops the renewal, that much is said.
    status, renew = ("RELEASED", "false") if holding.released else ("ACTIVE", "true")
    return f"""        <Status>{status}</Status>
        <LeaseInfo><LeaseBegin>{_day(holding.begin)}</LeaseBegin><LeaseEnd>{_day(holding.end)}</LeaseEnd><AutoRenew>{renew}</AutoRenew></LeaseInfo>"""


def _configuration(configuration: "Configuration") -> str:
    inbound = ""
    if configuration.inbound is not None:
        element = {"TRACKING": "CallTrackingConfig", "IVR": "IvrInboundConfig"}[configuration.inbound]
        fields = "".join(f"<{name}>{escaped(value)}</{name}>" for name, value in configuration.details.items())
        inbound = (
            f"<InboundCallConfigurationType>{configuration.inbound}</InboundCallConfigurationType>"
            f"<InboundCallConfiguration><{element}>{fields}</{element}></InboundCallConfiguration>"
        )
    return (
        f"        <NumberConfiguration><CallFeature>{configuration.call}</CallFeature>"
        f"<TextFeature>{configuration.text}</TextFeature>{inbound}</NumberConfiguration>"
    )


def _day(when: date) -> str:
    return f"{when.isoformat()}Z"


def moment(when: datetime) -> str:
    """Write a dateTime in UTC."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
