"""Numbers, keywords, regions and subscriptions as CallFire writes them down."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from callfire_async import Keyword, LeaseInfo, Number, NumberConfiguration, ProtocolError, Region, Subscription
from callfire_async.providers import Page, Reply
from callfire_async.providers.callfire_envelope import done
from callfire_async.providers.callfire_numbers import decode_keywords, decode_number, decode_numbers, decode_regions
from callfire_async.providers.callfire_subscriptions import decode_subscription, decode_subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES = Path(__file__).parents[1] / "samples"
NAMESPACES = 'xmlns="http://api.callfire.com/data" xmlns:r="http://api.callfire.com/resource"'


def ok(body: bytes | str) -> Reply:
    return Reply(status=200, body=body if isinstance(body, bytes) else body.encode())


def sample(name: str) -> Reply:
    return ok((SAMPLES / f"{name}.xml").read_bytes())


def listed(*items: str, total: str = "") -> Reply:
    return ok(f'<r:ResourceList {NAMESPACES} totalResults="{total or len(items)}">{"".join(items)}</r:ResourceList>')


def resource(item: str) -> Reply:
    return ok(f"<r:Resource {NAMESPACES}>{item}</r:Resource>")


def test_the_sample_of_a_search() -> None:
    page = decode_numbers(sample("numbers.search"))
    assert page.total is not None
    assert [n.number for n in page.items] == sorted(
        {n.number for n in page.items}, key=[n.number for n in page.items].index
    )
    assert len(page.items) == page.total  # an element in an element of the same name counts once
    assert all(len(n.number) == 11 and n.status is None and n.lease is None for n in page.items)
    assert any(n.toll_free and n.region is None for n in page.items)
    assert any(n.region is not None and n.region.state for n in page.items)


def test_the_sample_of_owned_keywords() -> None:
    page = decode_keywords(sample("keywords.owned"))
    (keyword,) = page.items
    assert page.total == 1
    assert keyword.lease is not None
    assert isinstance(keyword.lease.begin, date)


NUMBER = "<Number><Number>12065550101</Number><NationalFormat>(206) 555-0101</NationalFormat><TollFree>false</TollFree>{}</Number>"
BARE = Number(number="12065550101", national_format="(206) 555-0101", toll_free=False)


def number(**more: Any) -> Number:
    return Number(number="12065550101", national_format="(206) 555-0101", toll_free=False, **more)


READ: list[Any] = [
    pytest.param(decode_numbers, listed(), Page([], 0), id="an empty list"),
    pytest.param(decode_numbers, listed(NUMBER.format("")), Page([BARE], 1), id="a list of one"),
    pytest.param(decode_numbers, listed(NUMBER.format(""), total="2500"), Page([BARE], 2500), id="a page of many"),
    pytest.param(
        decode_numbers, listed(NUMBER.format(""), total="many"), Page([BARE], None), id="a total that is none"
    ),
    pytest.param(
        decode_numbers, listed(f"<r:Note>3 ms</r:Note>{NUMBER.format('')}"), Page([BARE], 1), id="after a note"
    ),
    pytest.param(
        decode_number,
        resource(
            NUMBER.format(
                "<Region><City>SEATTLE</City><State>WA</State><Latitude>47.61</Latitude><Longitude>-122.331</Longitude>"
                "<TimeZone>America/Los_Angeles</TimeZone></Region><Status>ACTIVE</Status>"
                "<LeaseInfo><LeaseBegin>2014-12-02Z</LeaseBegin><LeaseEnd>2015-01-02+01:00</LeaseEnd><AutoRenew>1</AutoRenew></LeaseInfo>"
                "<NumberConfiguration><CallFeature>ENABLED</CallFeature><TextFeature>PENDING</TextFeature>"
                "<InboundCallConfigurationType>TRACKING</InboundCallConfigurationType><InboundCallConfiguration><CallTrackingConfig>"
                "<TransferNumber>12065550102 12065550103</TransferNumber><Screen>false</Screen></CallTrackingConfig>"
                "</InboundCallConfiguration></NumberConfiguration>"
            )
        ),
        number(
            region=Region(
                city="SEATTLE", state="WA", latitude=47.61, longitude=-122.331, time_zone="America/Los_Angeles"
            ),
            status="ACTIVE",
            lease=LeaseInfo(begin=date(2014, 12, 2), end=date(2015, 1, 2), auto_renew=True),
            configuration=NumberConfiguration(
                call="ENABLED",
                text="PENDING",
                inbound_type="TRACKING",
                inbound=MappingProxyType({"TransferNumber": "12065550102 12065550103", "Screen": "false"}),
            ),
        ),
        id="a number with everything",
    ),
    pytest.param(
        decode_number,
        resource(NUMBER.format("<Region/><LeaseInfo><AutoRenew>false</AutoRenew></LeaseInfo><Colour>red</Colour>")),
        number(lease=LeaseInfo(auto_renew=False)),
        id="a number with little, and something new",
    ),
    pytest.param(
        decode_keywords,
        listed("<Keyword><ShortCode>67076</ShortCode><Keyword>SUN</Keyword></Keyword>"),
        Page([Keyword(short_code="67076", keyword="SUN")], 1),
        id="a keyword in a keyword",
    ),
    pytest.param(
        decode_regions,
        listed("<Region><Prefix>1206</Prefix><Country>US</Country></Region>", "<Region><City>X</City></Region>"),
        Page([Region(prefix="1206", country="US"), Region(city="X")], 2),
        id="regions",
    ),
    pytest.param(
        decode_subscription,
        resource(
            '<Subscription id="7"><Enabled>false</Enabled><NonStrictSsl>true</NonStrictSsl><Endpoint>https://x</Endpoint>'
            "<NotificationFormat>JSON</NotificationFormat><TriggerEvent>CAMPAIGN_STARTED</TriggerEvent><SubscriptionFilter>"
            "<BroadcastId>1</BroadcastId><ToNumber>67076:SUN</ToNumber><Inbound>true</Inbound></SubscriptionFilter></Subscription>"
        ),
        Subscription(
            id="7",
            enabled=False,
            non_strict_ssl=True,
            endpoint="https://x",
            notification_format="JSON",
            trigger_event="CAMPAIGN_STARTED",
            filters=MappingProxyType({"broadcast_id": "1", "to_number": "67076:SUN", "inbound": "true"}),
        ),
        id="a subscription with everything",
    ),
    pytest.param(
        decode_subscriptions,
        listed('<Subscription id="7"><Endpoint>me@example.com</Endpoint></Subscription>'),
        Page(
            [
                Subscription(
                    id="7",
                    enabled=True,
                    endpoint="me@example.com",
                    notification_format="XML",
                    trigger_event="UNDEFINED_EVENT",
                )
            ],
            1,
        ),
        id="a subscription with little",
    ),
]


@pytest.mark.parametrize(("decode", "reply", "expected"), READ)
def test_a_reply_is_read(decode: Callable[[Reply], object], reply: Reply, expected: object) -> None:
    assert decode(reply) == expected


@pytest.mark.parametrize(
    ("decode", "reply", "sentence"),
    [
        (decode_number, resource(NUMBER.format("") * 2), "2 of Number where one was asked for"),
        (decode_number, resource(""), "0 of Number"),
        (decode_number, resource("<Number><Number>1</Number></Number>"), "lacks its NationalFormat"),
        (decode_number, resource(NUMBER.format("").replace("false", "no")), "'no' is no boolean"),
        (decode_number, resource(NUMBER.format("<Region><Latitude>north</Latitude></Region>")), "cannot be read"),
        (
            decode_number,
            resource(NUMBER.format("<LeaseInfo><LeaseBegin>soon</LeaseBegin><AutoRenew>1</AutoRenew></LeaseInfo>")),
            "LeaseBegin is missing or no date",
        ),
        (decode_numbers, resource(NUMBER.format("")), "r:Resource where r:ResourceList was expected"),
        (decode_keywords, listed("<Keyword><Keyword>SUN</Keyword></Keyword>"), "lacks its ShortCode"),
        (decode_subscription, resource("<Subscription/>"), "0 of Subscription"),
        (decode_subscription, resource('<Subscription id="x"/>'), "lacks its id"),
    ],
)
def test_a_reply_that_cannot_be_read_says_what_is_wrong(
    decode: Callable[[Reply], object], reply: Reply, sentence: str
) -> None:
    with pytest.raises(ProtocolError, match=sentence) as caught:
        decode(reply)
    assert caught.value.body == reply.body[:512]


@pytest.mark.parametrize("status", [200, 201, 204])
@pytest.mark.parametrize("body", [b"", b" \n", f"<r:Resource {NAMESPACES}/>".encode()])
def test_a_change_is_done_with_any_payload_or_none(status: int, body: bytes) -> None:
    done(Reply(status=status, body=body))
