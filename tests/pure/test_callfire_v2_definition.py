"""One table proves both directions: what is asked is what the vendor's own definition allows, and what it prints as the reply is understood."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from definition import CALLFIRE_V2
from jsonschema import ValidationError

from callfire_async import NumberOrder, OrderItem, Outcome, ProtocolError, Region, Webhook
from callfire_async.inventory import Keyword, LeaseInfo, Number, NumberConfiguration
from callfire_async.providers import (
    Page,
    Receipt,
    Reply,
    Request,
    callfire_v2_numbers as numbers,
    callfire_v2_webhooks as webhooks,
)
from callfire_async.providers.callfire_v2 import CallFireV2Provider, order_content
from callfire_async.providers.callfire_v2_envelope import done, resource_id

if TYPE_CHECKING:
    from collections.abc import Callable

CODEC = CallFireV2Provider()


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    operation: str
    request: Request
    target: str
    body: bytes = b""
    decode: Callable[[Reply], Any]
    means: Any


SANTA_MONICA = Region(
    prefix="1310230", city="SANTA MONICA", state="CA", zipcode="90401", lata="730", rate_center="SNMN SNMN",
    latitude=34.0428, longitude=-118.5249, time_zone="America/Los_Angeles",
)  # fmt: skip
APPLETON = Number(
    number="12135551100", national_format="(213) 555-1100", toll_free=False, status="ACTIVE",
    region=Region(prefix="1920659", city="APPLETON", state="WI", zipcode="54911", lata="350", rate_center="APPLETON",
                  latitude=44.2563, longitude=-88.4018, time_zone="America/Chicago"),
    lease=LeaseInfo(begin=date(2011, 5, 11), end=date(2015, 11, 27), auto_renew=True),
    configuration=NumberConfiguration(call="ENABLED", text="ENABLED", inbound={}),
)  # fmt: skip
HOCKESSIN = Number(
    number="13025178999", national_format="(302) 517-8999", toll_free=False, status="ACTIVE",
    region=Region(prefix="1302517", city="HOCKESSIN", state="DE", zipcode="19707", lata="228", rate_center="HOCKESSIN",
                  latitude=39.7851, longitude=-75.6984, time_zone="America/New_York"),
    lease=LeaseInfo(auto_renew=True),
    configuration=NumberConfiguration(call="UNSUPPORTED", text="ENABLED", inbound={}),
)  # fmt: skip
CALLFIRE = Keyword(
    short_code="67076", keyword="CALLFIRE", status="ACTIVE",
    lease=LeaseInfo(begin=date(2001, 9, 9), end=date(2001, 9, 9), auto_renew=True),
)  # fmt: skip
TRACKING = NumberConfiguration(
    inbound_type="TRACKING",
    inbound={"transferNumbers": "12135551189 12135551122", "screen": "false", "recorded": "true"},
)
HOOK = {"name": "API hook", "resource": "TextBroadcast", "events": ["Started"], "callback": "https://example.com/hook"}
EVENTS = ("stop", "start")


def webhook(webhook_id: str, *events: str, **more: Any) -> Webhook:
    at = utc(2015, 9, 28, 2, 44, 15)
    return Webhook(id=webhook_id, name="API hook", events=events, created_at=at, updated_at=at, **more)


CASES = [
    Case(
        operation="orderNumbers",
        request=CODEC.encode_order(order_content(local=2, region=Region(zipcode="90401"))),
        target="/orders/numbers",
        body=b'{"localCount":2,"zipcode":"90401"}',
        decode=CODEC.decode_receipt,
        means=Receipt(order_id="10"),
    ),
    Case(
        operation="orderNumbers",
        request=CODEC.encode_order(
            order_content(
                numbers=["+1 (213) 221-2289"],
                local=1,
                toll_free=3,
                region=Region(prefix="1206", city="Montréal", state="WA", zipcode="98154", lata="674", rate_center="SEATTLE"),
            )
        ),
        target="/orders/numbers",
        body=b'{"numbers":["12132212289"],"localCount":1,"tollFreeCount":3,"prefix":"1206","city":"Montr\\u00e9al","state":"WA",'
        b'"zipcode":"98154","lata":"674","rateCenter":"SEATTLE"}',
        decode=CODEC.decode_receipt,
        means=Receipt(order_id="10"),
    ),
    Case(
        operation="orderKeywords",
        request=CODEC.encode_order(order_content(keywords=["SUN", "moon"])),
        target="/orders/keywords",
        body=b'{"keywords":["SUN","moon"]}',
        decode=CODEC.decode_receipt,
        means=Receipt(order_id="12"),
    ),
    Case(
        operation="getOrder",
        request=CODEC.encode_status("10"),
        target="/orders/10",
        decode=CODEC.decode_status,
        means=NumberOrder(
            id="10",
            status="FINISHED",
            outcome=Outcome.FINISHED,
            created=utc(2015, 9, 28, 1, 1, 32),
            total_cost=Decimal("0.0"),
            local_numbers=OrderItem(ordered=2, unit_cost=Decimal("0.0"), fulfilled=("13102305724", "13102306096")),
        ),
    ),
    Case(
        operation="findOrders",
        request=CODEC.encode_list(status="FINISHED", since=utc(2018, 1, 1), until=utc(2019, 1, 1), first=5, most=10),
        target="/orders?limit=10&offset=5&status=FINISHED&intervalBegin=1514764800000&intervalEnd=1546300800000",
        decode=CODEC.decode_list,
        means=Page(
            [
                NumberOrder(
                    id="9526143003",
                    status="WAIT_FOR_PAYMENT",
                    outcome=Outcome.PARKED,
                    created=utc(2018, 12, 18, 9, 22, 40),
                    total_cost=Decimal("9.68"),
                ),
                NumberOrder(
                    id="8576122003",
                    status="FINISHED",
                    outcome=Outcome.FINISHED,
                    created=utc(2018, 7, 25, 14, 9, 37),
                    total_cost=Decimal("0.0"),
                    keywords=OrderItem(ordered=1, unit_cost=Decimal("0.0"), fulfilled=("TESTKW1",)),
                ),
            ],
            59,
        ),
    ),
    Case(
        operation="findNumbersLocal",
        request=numbers.search_numbers_request(how_many=2, region=Region(zipcode="90401")),
        target="/numbers/local?limit=2&zipcode=90401",
        decode=numbers.decode_numbers,
        means=Page(
            [
                Number(number=n, national_format=f"(310) 230-{n[-4:]}", toll_free=False, region=SANTA_MONICA)
                for n in ("13102308654", "13102301603")
            ],
            None,
        ),
    ),
    Case(
        operation="findNumbersTollfree",
        request=numbers.search_numbers_request(how_many=1, toll_free=True),
        target="/numbers/tollfree?limit=1",
        decode=numbers.decode_numbers,
        means=Page([Number(number="18665552017", national_format="(866) 555-2017", toll_free=True)], None),
    ),
    Case(
        operation="findNumberRegions",
        request=numbers.regions_request(Region(zipcode="90401"), most=2),
        target="/numbers/regions?limit=2&offset=0&zipcode=90401",
        decode=lambda reply: numbers.decode_regions(reply).items[0],
        means=SANTA_MONICA,
    ),
    Case(
        operation="findKeywords",
        request=numbers.search_keywords_request(["TEST", "SUN"]),
        target="/keywords?keywords=TEST&keywords=SUN",
        decode=numbers.decode_keywords,
        means=Page([Keyword(short_code="67076", keyword="TEST")], None),
    ),
    Case(
        operation="isKeywordAvailable",
        request=numbers.keyword_available_request("TEST"),
        target="/keywords/TEST/available",
        decode=numbers.decode_available,
        means=True,
    ),
    Case(
        operation="findNumberLeases",
        request=numbers.leases_request(Region(city="Seattle"), label="a b"),
        target="/numbers/leases?limit=100&offset=0&labelName=a+b&city=Seattle",
        decode=numbers.decode_numbers,
        means=Page([APPLETON, HOCKESSIN], 2),
    ),
    Case(
        operation="getNumberLease",
        request=numbers.lease_request("+1 920-659-6476"),
        target="/numbers/leases/19206596476",
        decode=numbers.decode_number,
        means=APPLETON,
    ),
    Case(
        operation="updateNumberLease",
        request=numbers.update_lease_request("19206596476", call=False, auto_renew=False),
        target="/numbers/leases/19206596476",
        body=b'{"autoRenew":false,"callFeatureStatus":"DISABLED"}',
        decode=done,
        means=None,
    ),
    Case(
        operation="findNumberLeaseConfigs",
        request=numbers.configurations_request(first=100),
        target="/numbers/leases/configs?limit=100&offset=100",
        decode=numbers.decode_configurations,
        means=ProtocolError,  # quotes in the printed dialplan are not escaped
    ),
    Case(
        operation="getNumberLeaseConfig",
        request=numbers.configuration_request("19206596476"),
        target="/numbers/leases/configs/19206596476",
        decode=numbers.decode_configuration,
        means=TRACKING,
    ),
    Case(
        operation="updateNumberLeaseConfig",
        request=numbers.configure_request(
            "19206596476", transfer_numbers=["12135551122", "12135551189"], screen=False, recorded=True
        ),
        target="/numbers/leases/configs/19206596476",
        body=b'{"configType":"TRACKING","callTrackingConfig":{"transferNumbers":["12135551122","12135551189"],'
        b'"screen":false,"recorded":true}}',
        decode=done,
        means=None,
    ),
    Case(
        operation="updateNumberLeaseConfig",
        request=numbers.configure_request("19206596476", dialplan_xml='<dialplan name="Root"/>'),
        target="/numbers/leases/configs/19206596476",
        body=b'{"configType":"IVR","ivrInboundConfig":{"dialplanXml":"<dialplan name=\\"Root\\"/>"}}',
        decode=done,
        means=None,
    ),
    Case(
        operation="findKeywordLeases",
        request=numbers.keyword_leases_request(),
        target="/keywords/leases?limit=100&offset=0",
        decode=numbers.decode_keywords,
        means=Page([CALLFIRE], 1),
    ),
    Case(
        operation="getKeywordLease",
        request=numbers.keyword_lease_request("CALLFIRE"),
        target="/keywords/leases/CALLFIRE",
        decode=numbers.decode_keyword,
        means=CALLFIRE,
    ),
    Case(
        operation="updateKeywordLease",
        request=numbers.release_keyword_request("CALLFIRE"),
        target="/keywords/leases/CALLFIRE",
        body=b'{"autoRenew":false}',
        decode=done,
        means=None,
    ),
    Case(
        operation="findWebhookResources",
        request=webhooks.resources_request(),
        target="/webhooks/resources",
        decode=webhooks.decode_resources,
        means={"TextBroadcast": EVENTS, "CallBroadcast": EVENTS},
    ),
    Case(
        operation="getWebhookResource",
        request=webhooks.resource_request("text-broadcast"),
        target="/webhooks/resources/text-broadcast",
        decode=webhooks.decode_resource,
        means=EVENTS,
    ),
    Case(
        operation="findWebhooks",
        request=webhooks.webhooks_request(first=10, most=5),
        target="/webhooks?limit=5&offset=10",
        decode=webhooks.decode_webhooks,
        means=Page([webhook("4321", "start", "stop", enabled=False, resource="textCampaign", callback="https://example.com/newText")], 1),
    ),
    Case(
        operation="createWebhook",
        request=webhooks.create_webhook_request(
            webhooks.members(
                {
                    "name": "API hook",
                    "resource": "TextBroadcast",
                    "events": ["Started", "Stopped"],
                    "callback": "https://example.com/hook",
                    "secret": "mysecrets",
                    "enabled": True,
                    "non_strict_ssl": False,
                    "fields": "id,name",
                    "single_use": True,
                    "expires_at": utc(2030, 1, 1),
                }
            )
        ),
        target="/webhooks",
        body=b'{"name":"API hook","resource":"TextBroadcast","events":["Started","Stopped"],"callback":"https://example.com/hook",'
        b'"secret":"mysecrets","enabled":true,"nonStrictSsl":false,"fields":"id,name","singleUse":true,"expiresAt":1893456000000}',
        decode=lambda reply: resource_id(reply, "webhook"),
        means="11",
    ),
    Case(
        operation="getWebhook",
        request=webhooks.webhook_request(11),
        target="/webhooks/11",
        decode=webhooks.decode_webhook,
        means=webhook("11", "Started", "Stopped", enabled=True, resource="TextBroadcast", callback="https://example.com/hook", single_use=True),
    ),
    Case(
        operation="updateWebhook",
        request=webhooks.update_webhook_request("11", webhooks.members({"enabled": False})),
        target="/webhooks/11",
        body=b'{"enabled":false}',
        decode=done,
        means=None,
    ),
    Case(
        operation="deleteWebhook",
        request=webhooks.delete_webhook_request(11),
        target="/webhooks/11",
        decode=done,
        means=None,
    ),
]  # fmt: skip
every_case = pytest.mark.parametrize("case", [pytest.param(c, id=f"{n}-{c.operation}") for n, c in enumerate(CASES)])


def test_the_table_has_every_operation_of_the_definition() -> None:
    assert {case.operation for case in CASES} == CALLFIRE_V2.operations.keys()


@every_case
def test_a_request_is_spelled_so_and_the_definition_allows_it(case: Case) -> None:
    request = case.request
    assert (request.path, request.body) == (case.target, case.body)
    assert CALLFIRE_V2.check_request(request.method, request.path, request.headers, request.body).id == case.operation


@every_case
def test_the_reply_that_the_definition_prints_means_this(case: Case) -> None:
    reply = Reply(status=200, body=CALLFIRE_V2.operations[case.operation].example)
    if case.means is ProtocolError:
        with pytest.raises(ProtocolError):
            case.decode(reply)
    else:
        assert case.decode(reply) == case.means


@pytest.mark.parametrize("operation", ["findNumbersLocal", "findNumbersTollfree"])
def test_numbers_for_sale_may_come_in_an_object_too(operation: str) -> None:
    """So the definition's schema has it, while the reply it prints is a bare array."""
    bare = CALLFIRE_V2.operations[operation].example
    listed = b'{"items":' + bare + b"}"
    CALLFIRE_V2.check_reply(CALLFIRE_V2.operations[operation], listed)
    assert numbers.decode_numbers(Reply(status=200, body=listed)) == numbers.decode_numbers(
        Reply(status=200, body=bare)
    )


@pytest.mark.parametrize(
    ("verb", "target", "body"),
    [
        ("GET", "/orders/numbers/x", b""),
        ("DELETE", "/orders/1", b""),
        ("GET", "/orders/abc", b""),
        ("GET", "/numbers/tollfree?zipcode=90401", b""),
        ("GET", "/numbers/tollfree?limit=many", b""),
        ("GET", "/numbers/tollfree?limit=1&limit=2", b""),
        ("POST", "/orders/numbers", b'{"localCount":"2"}'),
        ("POST", "/orders/numbers", b'{"keywords":["SUN"]}'),
        ("POST", "/orders/keywords", b'{"keywords":"SUN"}'),
    ],
)
def test_the_definition_would_show_a_mistake(verb: str, target: str, body: bytes) -> None:
    with pytest.raises((AssertionError, ValidationError)):
        CALLFIRE_V2.check_request(verb, target, {"Content-Type": "application/json"}, body)
