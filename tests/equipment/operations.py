"""Every operation of CallFire 1.1's number and subscription services: how it is called, and what goes over the wire, byte for byte.

The requests are written down from the contract's spelling, not from what the client happens to send.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from callfire_async import CallFire, Region

SEATTLE = Region(
    prefix="1206",
    city="Seattle",
    state="WA",
    zipcode="98154",
    country="US",
    lata="674",
    rate_center="SEATTLE",
    latitude=47.61,
    longitude=-122.331,
    time_zone="America/Los_Angeles",
)
PLACE = (
    "Prefix=1206&City=Seattle&State=WA&Zipcode=98154&Country=US&Lata=674&RateCenter=SEATTLE&Latitude=47.61&Longitude=-122.331"
    "&TimeZone=America%2FLos_Angeles"
)

_NAMESPACES = 'xmlns="http://api.callfire.com/data" xmlns:r="http://api.callfire.com/resource"'


def listed(*items: str, total: int | None = None) -> bytes:
    count = len(items) if total is None else total
    return f'<r:ResourceList {_NAMESPACES} totalResults="{count}">{"".join(items)}</r:ResourceList>'.encode()


def resource(item: str) -> bytes:
    return f"<r:Resource {_NAMESPACES}>{item}</r:Resource>".encode()


def reference(item_id: int) -> bytes:
    return f"<r:ResourceReference {_NAMESPACES}><r:Id>{item_id}</r:Id><r:Location>https://www.callfire.com/x</r:Location></r:ResourceReference>".encode()


def number(number: str = "12065550101") -> str:
    return f"<Number><Number>{number}</Number><NationalFormat>(206) 555-0101</NationalFormat><TollFree>false</TollFree></Number>"


KEYWORD = "<Keyword><ShortCode>67076</ShortCode><Keyword>SUN</Keyword></Keyword>"
SUBSCRIPTION = (
    '<Subscription id="19001"><Enabled>true</Enabled><Endpoint>https://example.com/x</Endpoint></Subscription>'
)


async def everything(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call, the request it must be, and an answer to it."""

    name: str
    call: Callable[[CallFire], Awaitable[object]]
    method: str
    #: Path and query.
    target: str
    form: str = ""
    answer: bytes = b""
    status: int = 200


OPERATIONS = [
    Operation(
        name="QueryRegions",
        call=lambda c: everything(c.regions()),
        method="GET",
        target="/number/regions?MaxResults=1000&FirstResult=0",
        answer=listed("<Region><City>SEATTLE</City></Region>"),
    ),
    Operation(
        name="QueryRegions, within a region",
        call=lambda c: everything(c.regions(SEATTLE, limit=7)),
        method="GET",
        target=f"/number/regions?MaxResults=7&FirstResult=0&{PLACE}",
        answer=listed("<Region><City>SEATTLE</City></Region>"),
    ),
    Operation(
        name="QueryNumbers",
        call=lambda c: everything(c.numbers()),
        method="GET",
        target="/number?MaxResults=1000&FirstResult=0",
        answer=listed(number()),
    ),
    Operation(
        name="QueryNumbers, with everything",
        call=lambda c: everything(c.numbers(region=SEATTLE, label="my label", limit=20)),
        method="GET",
        target=f"/number?MaxResults=20&FirstResult=0&{PLACE}&LabelName=my+label",
        answer=listed(),
    ),
    Operation(
        name="GetNumber",
        call=lambda c: c.number("+1 (206) 555-0101"),
        method="GET",
        target="/number/12065550101",
        answer=resource(number()),
    ),
    Operation(
        name="SearchAvailableNumbers, local",
        call=lambda c: c.search_numbers(count=3, region=SEATTLE),
        method="GET",
        target=f"/number/search?{PLACE}&Count=3",
        answer=listed(number()),
    ),
    Operation(
        name="SearchAvailableNumbers, toll-free",
        call=lambda c: c.search_numbers(count=2, toll_free=True),
        method="GET",
        target="/number/search?TollFree=true&Count=2",
        answer=listed(number()),
    ),
    Operation(
        name="ConfigureNumber, call tracking",
        call=lambda c: c.configure_number(
            "12065550101",
            call=True,
            text=False,
            inbound_call_configuration_type="TRACKING",
            transfer_number=["+1 206 555 0102", "12065550103"],
            screen=False,
            record=True,
            intro_sound_id=1,
            whisper_sound_id=2,
        ),
        method="PUT",
        target="/number/12065550101",
        form="CallFeature=ENABLED&TextFeature=DISABLED&InboundCallConfigurationType=TRACKING&TransferNumber=12065550102+12065550103"
        "&Screen=false&Record=true&IntroSoundId=1&WhisperSoundId=2",
    ),
    Operation(
        name="ConfigureNumber, a dialplan",
        call=lambda c: c.configure_number(
            "12065550101",
            inbound_call_configuration_type="IVR",
            dialplan_xml='<dialplan name="Root"><play type="tts">Hi &amp; bye</play></dialplan>',
        ),
        method="PUT",
        target="/number/12065550101",
        form="InboundCallConfigurationType=IVR&DialplanXml=%3Cdialplan+name%3D%22Root%22%3E%3Cplay+type%3D%22tts%22%3EHi+%26amp%3B+bye%3C%2Fplay%3E%3C%2Fdialplan%3E",
    ),
    Operation(
        name="QueryKeywords",
        call=lambda c: everything(c.keywords(limit=5)),
        method="GET",
        target="/number/keyword?MaxResults=5&FirstResult=0",
        answer=listed(KEYWORD),
    ),
    Operation(
        name="SearchAvailableKeywords",
        call=lambda c: c.search_keywords(["SUN", "MOON"]),
        method="GET",
        target="/number/keyword/search?Keywords=SUN+MOON",
        answer=listed(KEYWORD),
    ),
    Operation(
        name="Release, a number",
        call=lambda c: c.release("+1 (206) 555-0101 "),
        method="PUT",
        target="/number/release",
        form="Number=12065550101",
        status=204,
    ),
    Operation(
        name="Release, a keyword",
        call=lambda c: c.release("67076", keyword="SUN"),
        method="PUT",
        target="/number/release",
        form="Number=67076&Keyword=SUN",
        status=204,
    ),
    Operation(
        name="CreateSubscription",
        call=lambda c: c.subscribe("https://example.com/x", request_id="urn:a"),
        method="POST",
        target="/subscription",
        form="RequestId=urn%3Aa&Enabled=true&NonStrictSsl=false&Endpoint=https%3A%2F%2Fexample.com%2Fx&NotificationFormat=XML"
        "&TriggerEvent=UNDEFINED_EVENT",
        answer=reference(19001),
        status=201,
    ),
    Operation(
        name="CreateSubscription, with everything",
        call=lambda c: c.subscribe(
            "me@example.com",
            trigger_event="INBOUND_TEXT_FINISHED",
            notification_format="EMAIL",
            enabled=False,
            non_strict_ssl=True,
            request_id="urn:b",
            broadcast_id=1,
            batch_id=2,
            from_number="12065550101",
            to_number="67076:KEYWORD",
            inbound=True,
        ),
        method="POST",
        target="/subscription",
        form="RequestId=urn%3Ab&Enabled=false&NonStrictSsl=true&Endpoint=me%40example.com&NotificationFormat=EMAIL&TriggerEvent=INBOUND_TEXT_FINISHED"
        "&BroadcastId=1&BatchId=2&FromNumber=12065550101&ToNumber=67076%3AKEYWORD&Inbound=true",
        answer=reference(19001),
        status=201,
    ),
    Operation(
        name="QuerySubscriptions",
        call=lambda c: everything(c.subscriptions()),
        method="GET",
        target="/subscription?MaxResults=1000&FirstResult=0",
        answer=listed(SUBSCRIPTION),
    ),
    Operation(
        name="GetSubscription",
        call=lambda c: c.subscription(19001),
        method="GET",
        target="/subscription/19001",
        answer=resource(SUBSCRIPTION),
    ),
    Operation(
        name="UpdateSubscription",
        call=lambda c: c.update_subscription("19001", enabled=False, trigger_event="CAMPAIGN_STARTED", batch_id=7),
        method="PUT",
        target="/subscription/19001",
        form="Enabled=false&TriggerEvent=CAMPAIGN_STARTED&BatchId=7",
    ),
    Operation(
        name="DeleteSubscription",
        call=lambda c: c.unsubscribe("19001"),
        method="DELETE",
        target="/subscription/19001",
        status=204,
    ),
]
