"""CallFire 1.1's documents: the form an order becomes, and what each answer means. Every expectation is written out."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from callfire_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    Error,
    InvalidOrderError,
    NotFoundError,
    NumberOrder,
    OrderItem,
    Outcome,
    PermissionDeniedError,
    ProtocolError,
    RateLimitedError,
    Region,
    ServerError,
)
from callfire_async.providers import Postback, Receipt, Reply
from callfire_async.providers.callfire import CallFireProvider, order_content

SAMPLES = Path(__file__).parents[1] / "samples"

DATA = 'xmlns="http://api.callfire.com/data"'
RESOURCE = 'xmlns:r="http://api.callfire.com/resource"'
HEADER = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'

STATUS = "<Status>FINISHED</Status>"
CREATED = "<Created>2014-12-17T12:25:36Z</Created>"
COST = "<TotalCost>7.0</TotalCost>"
ENOUGH = STATUS + CREATED + COST
NOON = datetime(2014, 12, 17, 12, 25, 36, tzinfo=UTC)

#: What an order document says that holds no more than it must.
BARE = NumberOrder(id="7", status="FINISHED", outcome=Outcome.FINISHED, created=NOON, total_cost=Decimal("7.0"))


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def resource(inner: str) -> bytes:
    return f"{HEADER}<r:Resource {DATA} {RESOURCE}>{inner}</r:Resource>".encode()


def order(more: str = "", *, enough: str = ENOUGH, attributes: str = 'id="7"') -> bytes:
    return resource(f"<NumberOrder {attributes}>{enough}{more}</NumberOrder>")


def local(fulfilled: str, ordered: int = 2) -> bytes:
    return order(
        f"<LocalNumbers><Ordered>{ordered}</Ordered><UnitCost>1.0</UnitCost>{fulfilled}</LocalNumbers>",
    )


def with_local(*fulfilled: str, ordered: int = 2) -> NumberOrder:
    return replace(BARE, local_numbers=OrderItem(ordered=ordered, unit_cost=Decimal("1.0"), fulfilled=fulfilled))


def refused(status: object, message: str) -> bytes:
    return (
        f"{HEADER}<r:ResourceException {DATA} {RESOURCE}>"
        f"<r:HttpStatus>{status}</r:HttpStatus><r:Message>{message}</r:Message></r:ResourceException>"
    ).encode()


def referring(inner: str) -> bytes:
    return f"{HEADER}<r:ResourceReference {DATA} {RESOURCE}>{inner}</r:ResourceReference>".encode()


# ------------------------------------------------------------------ an order becomes a form

EVERY_REGION_FIELD = Region(
    prefix="1206555",
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

FORMS = [
    pytest.param(
        {"numbers": ["18559875391"], "region": Region(city="Seattle", state="WA", country="US")},
        {"Numbers": "18559875391", "City": "Seattle", "State": "WA", "Country": "US"},
        b"Numbers=18559875391&City=Seattle&State=WA&Country=US",
        id="the example of the documentation",
    ),
    pytest.param(
        {"numbers": ["+1 (213) 221-2289", "1.213.555.5555"]},
        {"Numbers": "12132212289 12135555555"},
        b"Numbers=12132212289+12135555555",
        id="numbers joined by a space",
    ),
    pytest.param(
        {"numbers": (number for number in ("12132212289", "12135555555"))},
        {"Numbers": "12132212289 12135555555"},
        b"Numbers=12132212289+12135555555",
        id="numbers from a generator",
    ),
    pytest.param(
        {"keywords": ["SUN", "moon2", "A" * 64]},
        {"Keywords": f"SUN moon2 {'A' * 64}"},
        b"Keywords=SUN+moon2+" + b"A" * 64,
        id="keywords as they were spelled",
    ),
    pytest.param(
        {"local": 2, "region": EVERY_REGION_FIELD},
        {
            "localCount": "2",
            "Prefix": "1206555",
            "City": "Seattle",
            "State": "WA",
            "Zipcode": "98154",
            "Country": "US",
            "Lata": "674",
            "RateCenter": "SEATTLE",
            "Latitude": "47.61",
            "Longitude": "-122.331",
            "TimeZone": "America/Los_Angeles",
        },
        b"localCount=2&Prefix=1206555&City=Seattle&State=WA&Zipcode=98154&Country=US&Lata=674&RateCenter=SEATTLE"
        b"&Latitude=47.61&Longitude=-122.331&TimeZone=America%2FLos_Angeles",
        id="local numbers with every region field",
    ),
    pytest.param({"toll_free": 3}, {"tollFreeCount": "3"}, b"tollFreeCount=3", id="toll-free numbers"),
    pytest.param(
        {
            "numbers": ["12132212289"],
            "keywords": ["SUN"],
            "local": 10_000,
            "toll_free": 1,
            "region": Region(prefix="1206"),
        },
        {
            "Numbers": "12132212289",
            "Keywords": "SUN",
            "localCount": "10000",
            "tollFreeCount": "1",
            "Prefix": "1206",
        },
        b"Numbers=12132212289&Keywords=SUN&localCount=10000&tollFreeCount=1&Prefix=1206",
        id="all at once",
    ),
    pytest.param(
        {"local": 1, "region": Region(city="Montréal & Saint-Jérôme=x+y")},
        {"localCount": "1", "City": "Montréal & Saint-Jérôme=x+y"},
        b"localCount=1&City=Montr%C3%A9al+%26+Saint-J%C3%A9r%C3%B4me%3Dx%2By",
        id="a city that would fall apart unquoted",
    ),
    pytest.param(
        {"local": 1, "region": Region(latitude=-90, longitude=180)},
        {"localCount": "1", "Latitude": "-90", "Longitude": "180"},
        b"localCount=1&Latitude=-90&Longitude=180",
        id="degrees at their bounds",
    ),
    pytest.param(
        {"local": 1, "region": Region(latitude=0.0)},
        {"localCount": "1", "Latitude": "0.0"},
        b"localCount=1&Latitude=0.0",
        id="degrees of zero are degrees",
    ),
    pytest.param(
        {"local": 1, "region": Region()}, {"localCount": "1"}, b"localCount=1", id="a region that says nothing"
    ),
]


@pytest.mark.parametrize(("arguments", "form", "body"), FORMS)
def test_an_order_becomes_exactly_this_form(arguments: dict[str, Any], form: dict[str, str], body: bytes) -> None:
    request = CallFireProvider().encode_order(order_content(**arguments))
    assert request.body == body
    assert dict(parse_qsl(body.decode("ascii"), strict_parsing=True)) == form
    assert (request.method, request.path) == ("POST", "/number/order")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_what_the_store_keeps_of_an_order_is_plain_json() -> None:
    content = order_content(numbers=["+1 213 221 2289"], keywords=["SUN"], local=2, region=EVERY_REGION_FIELD)
    kept = json.loads(json.dumps(content))
    assert kept == content
    assert CallFireProvider().encode_order(kept) == CallFireProvider().encode_order(content)


def test_a_request_does_not_show_its_body() -> None:
    request = CallFireProvider().encode_order(order_content(numbers=["12132212289"]))
    assert "12132212289" not in repr(request)


@pytest.mark.parametrize("order_id", ["1428507003", "0", "9" * 19])
def test_the_question_how_an_order_stands_names_its_id(order_id: str) -> None:
    request = CallFireProvider().encode_status(order_id)
    assert (request.method, request.path, request.body) == ("GET", f"/number/order/{order_id}", b"")


@pytest.mark.parametrize("order_id", ["", "12a", "-1", "1.0", " 1", "../1", "1?x=2", "1" * 20, "\uff11", "\u0663"])
def test_an_id_that_would_change_the_path_is_refused(order_id: str) -> None:
    with pytest.raises(InvalidOrderError, match=r"othing was sent\.$"):
        CallFireProvider().encode_status(order_id)


# ------------------------------------------------------------------ documents that describe an order

STATES = [
    pytest.param(
        sample("order.processing.xml"),
        NumberOrder(
            id="1428507003",
            status="PROCESSING",
            outcome=Outcome.PENDING,
            created=NOON,
            total_cost=Decimal("2.0"),
            local_numbers=OrderItem(ordered=2, unit_cost=Decimal("1.0"), fulfilled=()),
        ),
        id="sample order.processing.xml",
    ),
    pytest.param(
        sample("order.finished.xml"),
        NumberOrder(
            id="1428507003",
            status="FINISHED",
            outcome=Outcome.FINISHED,
            created=NOON,
            total_cost=Decimal("7.0"),
            local_numbers=OrderItem(ordered=1, unit_cost=Decimal("1.5"), fulfilled=("12345678901",)),
            keywords=OrderItem(ordered=1, unit_cost=Decimal("5.5"), fulfilled=("ANTLR",)),
        ),
        id="sample order.finished.xml",
    ),
    pytest.param(
        sample("order.finished.partial.newer-fields.xml"),
        NumberOrder(
            id="1428507004",
            status="FINISHED",
            outcome=Outcome.FINISHED,
            created=NOON,
            total_cost=Decimal("3.0"),
            local_numbers=OrderItem(ordered=3, unit_cost=Decimal("1.0"), fulfilled=("12065550101", "12065550102")),
            summary=Decimal("3.0"),
            sales_tax=Decimal("0.0"),
            total=Decimal("3.0"),
        ),
        id="sample order.finished.partial.newer-fields.xml",
    ),
    pytest.param(order(), BARE, id="no item blocks at all"),
    # names
    pytest.param(
        b'<x:Resource xmlns:y="http://api.callfire.com/data" xmlns:x="http://api.callfire.com/resource"><y:NumberOrder id="7">'
        b"<y:Status>FINISHED</y:Status><y:Created>2014-12-17T12:25:36Z</y:Created><y:TotalCost>7.0</y:TotalCost>"
        b"</y:NumberOrder></x:Resource>",
        BARE,
        id="other prefixes, and the data namespace with one",
    ),
    pytest.param(
        f'<Resource xmlns="http://api.callfire.com/resource"><NumberOrder {DATA} id="7">{ENOUGH}</NumberOrder></Resource>'.encode(),
        BARE,
        id="the resource namespace is the default one",
    ),
    pytest.param(
        f'<r:Resource {RESOURCE}><NumberOrder id="7">{ENOUGH}</NumberOrder></r:Resource>'.encode(),
        BARE,
        id="the default namespace is missing",
    ),
    pytest.param(
        f'<r:Resource {RESOURCE} {DATA} a="1" xmlns:n="urn:n"><NumberOrder n:b="2" id="7" c="3">{ENOUGH}</NumberOrder></r:Resource>'.encode(),
        BARE,
        id="another order of attributes, and more of them",
    ),
    pytest.param(
        resource(
            f'<NumberOrder xmlns:a="urn:a" id="7"><Status xmlns:b="urn:b">FINISHED</Status>'
            f'<Created xmlns:b="urn:b">2014-12-17T12:25:36Z</Created><TotalCost {DATA}>7.0</TotalCost>'
            f'<LocalNumbers xmlns:b="urn:b"><Ordered xmlns:b="urn:b">2</Ordered><UnitCost xmlns:b="urn:b">1.0</UnitCost>'
            f'<Fulfilled xmlns:b="urn:b">12065550101</Fulfilled></LocalNumbers></NumberOrder>'
        ),
        with_local("12065550101"),
        id="namespaces declared on inner elements",
    ),
    pytest.param(
        order('<x:Status xmlns:x="urn:x">ERRORED</x:Status><x:TotalCost xmlns:x="urn:x">1</x:TotalCost>'),
        BARE,
        id="elements of the same name in a foreign namespace",
    ),
    pytest.param(
        resource(f'<r:Note>Processing time was 38.7ms</r:Note><NumberOrder id="7">{ENOUGH}</NumberOrder>'),
        BARE,
        id="a note before the order",
    ),
    pytest.param(
        resource(f'<NumberOrder id="7">{ENOUGH}</NumberOrder><r:Note>one</r:Note><r:Note>two</r:Note>'),
        BARE,
        id="notes after the order",
    ),
    pytest.param(
        order('<Discount currency="USD"><Reason>loyal</Reason><Reason>large</Reason></Discount><Empty/>'),
        BARE,
        id="unknown elements",
    ),
    pytest.param(
        order("<!-- a comment --><?a instruction?>", enough=COST + CREATED + "<Status>\n  FINISHED\n</Status>"),
        BARE,
        id="another sequence, comments, instructions and white space",
    ),
    pytest.param(order(enough=f"<Status><![CDATA[FINISHED]]></Status>{CREATED}{COST}"), BARE, id="CDATA"),
    pytest.param(b"\xef\xbb\xbf" + order(), BARE, id="UTF-8 with a byte order mark"),
    pytest.param(order().decode().replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16"), BARE, id="UTF-16"),
    pytest.param(order(attributes=f'id="{"9" * 19}"'), replace(BARE, id="9" * 19), id="the longest id"),
    # what was fulfilled
    pytest.param(local(""), with_local(), id="Fulfilled absent"),
    pytest.param(local("<Fulfilled/>"), with_local(), id="Fulfilled empty"),
    pytest.param(local("<Fulfilled> \n </Fulfilled>"), with_local(), id="Fulfilled blank"),
    pytest.param(
        local("<Fulfilled>\n  12065550101\n\t12065550102   12065550103\n</Fulfilled>"),
        with_local("12065550101", "12065550102", "12065550103"),
        id="Fulfilled over several lines",
    ),
    pytest.param(
        local("<Fulfilled>12065550101</Fulfilled><Fulfilled>12065550102</Fulfilled>"),
        with_local("12065550101", "12065550102"),
        id="Fulfilled repeated, as the pages print it",
    ),
    pytest.param(
        local(f"<Fulfilled>{' '.join(str(12060000000 + n) for n in range(10_000))}</Fulfilled>", ordered=10_000),
        with_local(*(str(12060000000 + n) for n in range(10_000)), ordered=10_000),
        id="Fulfilled with 10,000 entries",
    ),
    pytest.param(
        order(
            "<Keywords><Ordered>2</Ordered><UnitCost>5.50</UnitCost><Fulfilled>SUN</Fulfilled></Keywords>"
            "<TollFreeNumbers><Fulfilled>18555550102</Fulfilled><UnitCost>2</UnitCost><Ordered>1</Ordered></TollFreeNumbers>"
            "<LocalNumbers><Ordered>1</Ordered><UnitCost>0.99</UnitCost><Fulfilled>12065550101</Fulfilled></LocalNumbers>"
        ),
        replace(
            BARE,
            local_numbers=OrderItem(ordered=1, unit_cost=Decimal("0.99"), fulfilled=("12065550101",)),
            toll_free_numbers=OrderItem(ordered=1, unit_cost=Decimal(2), fulfilled=("18555550102",)),
            keywords=OrderItem(ordered=2, unit_cost=Decimal("5.50"), fulfilled=("SUN",)),
        ),
        id="all three kinds, in another sequence",
    ),
    # money
    pytest.param(
        order("<Summary>12.10</Summary><SalesTax>1.21</SalesTax><Total>13.31</Total>"),
        replace(BARE, summary=Decimal("12.10"), sales_tax=Decimal("1.21"), total=Decimal("13.31")),
        id="the newer amounts",
    ),
    pytest.param(order("<Total>8.0</Total>"), replace(BARE, total=Decimal("8.0")), id="only one of the newer amounts"),
    *(
        pytest.param(
            order(enough=f"{STATUS}{CREATED}<TotalCost>{text}</TotalCost>"),
            replace(BARE, total_cost=Decimal(text)),
            id=f"an amount of {text}",
        )
        for text in ("0", "0.00", "-3.5", "1.0E1", "+2.5", "0.1000000000000000055511151231257827", "1e18")
    ),
    # times
    *(
        pytest.param(
            order(enough=f"{STATUS}<Created>{text}</Created>{COST}"), replace(BARE, created=time), id=f"created {text}"
        )
        for text, time in (
            ("2014-12-17T07:25:36-05:00", NOON),
            ("2014-12-17T17:55:36+05:30", NOON),
            ("2014-12-17T12:25:36", NOON),
            ("2014-12-17T12:25:36+00:00", NOON),
            ("2014-12-17T12:25:36.5Z", NOON.replace(microsecond=500_000)),
            ("2014-12-17T12:25:36.123456789Z", NOON.replace(microsecond=123_456)),
            ("2014-12-31T20:00:00-08:00", datetime(2015, 1, 1, 4, tzinfo=UTC)),
        )
    ),
    # statuses
    pytest.param(
        order(enough=f"<Status>TELEPORTED</Status>{CREATED}{COST}"),
        replace(BARE, status="TELEPORTED", outcome=Outcome.PENDING),
        id="a status nobody knows",
    ),
    pytest.param(
        order(enough=f"<Status>Finished</Status>{CREATED}{COST}"),
        replace(BARE, status="Finished", outcome=Outcome.FINISHED),
        id="a status in another case is kept as it came",
    ),
]


@pytest.mark.parametrize(("document", "state"), STATES)
def test_a_document_is_read_as_this_order(document: bytes, state: NumberOrder) -> None:
    read = CallFireProvider().decode_status(Reply(status=200, body=document))
    assert read == state
    assert repr(read) == repr(state)  # Decimal equals float, and noon in Paris equals 11 UTC; their texts do not


@pytest.mark.parametrize(("document", "state"), STATES)
def test_a_postback_is_read_as_the_same_order(document: bytes, state: NumberOrder) -> None:
    assert CallFireProvider().decode_postback({}, document) == Postback(order_id=state.id, state=state)


@pytest.mark.parametrize(("document", "state"), STATES)
def test_what_the_store_keeps_of_a_state_is_read_back(document: bytes, state: NumberOrder) -> None:
    provider = CallFireProvider()
    kept = provider.dump(provider.decode_status(Reply(status=200, body=document)))
    assert repr(provider.load(kept)) == repr(state)
    assert isinstance(json.loads(kept)["total_cost"], str)


@pytest.mark.parametrize("status", [200, 201])
def test_an_answer_is_read_with_either_success(status: int) -> None:
    provider = CallFireProvider()
    assert provider.decode_status(Reply(status=status, body=order())) == BARE
    assert provider.decode_receipt(Reply(status=status, body=referring("<r:Id>7</r:Id>"))) == Receipt(order_id="7")


@pytest.mark.parametrize(
    ("document", "numbers", "shortfall"),
    [
        pytest.param(sample("order.processing.xml"), (), 2, id="nothing yet"),
        pytest.param(sample("order.finished.xml"), ("12345678901",), 0, id="keywords are no numbers"),
        pytest.param(
            sample("order.finished.partial.newer-fields.xml"), ("12065550101", "12065550102"), 1, id="partial"
        ),
        pytest.param(order(), (), 0, id="no item blocks"),
        pytest.param(local("<Fulfilled>1 2 3</Fulfilled>"), ("1", "2", "3"), 0, id="more than ordered"),
        pytest.param(
            order(
                "<Keywords><Ordered>3</Ordered><UnitCost>1</UnitCost><Fulfilled>SUN</Fulfilled></Keywords>"
                "<TollFreeNumbers><Ordered>2</Ordered><UnitCost>1</UnitCost><Fulfilled>8</Fulfilled></TollFreeNumbers>"
                "<LocalNumbers><Ordered>1</Ordered><UnitCost>1</UnitCost><Fulfilled>2 3</Fulfilled></LocalNumbers>"
            ),
            ("2", "3", "8"),
            3,
            id="local numbers first, and one kind's surplus fills no other's gap",
        ),
    ],
)
def test_numbers_and_shortfall_are_counted(document: bytes, numbers: tuple[str, ...], shortfall: int) -> None:
    state = CallFireProvider().decode_status(Reply(status=200, body=document))
    assert (state.numbers, state.shortfall) == (numbers, shortfall)


def test_two_blocks_of_local_numbers_are_not_silently_read_as_none() -> None:
    block = "<LocalNumbers><Ordered>1</Ordered><UnitCost>1</UnitCost><Fulfilled>1206555010{}</Fulfilled></LocalNumbers>"
    body = order(block.format(1) + block.format(2))
    try:
        state = CallFireProvider().decode_status(Reply(status=200, body=body))
    except ProtocolError:
        return
    assert state.numbers == ("12065550101", "12065550102")


# ------------------------------------------------------------------ what the statuses mean

MEANINGS = {
    "NEW": "pending",
    "PROCESSING": "pending",
    "PROCESSING_ACH": "pending",
    "WAIT_FOR_PAYMENT": "parked",
    "APPROVE_TIER_ONE": "parked",
    "APPROVE_TIER_TWO": "parked",
    "FINISHED": "finished",
    "ADJUSTED": "finished",
    "PARTIALLY_ADJUSTED": "finished",
    "ERRORED": "failed",
    "VOID": "failed",
    "REJECTED": "failed",
    "PAYMENT_ERROR": "failed",
    "ACH_ERROR": "failed",
}


def status_of(provider: CallFireProvider, status: str) -> NumberOrder:
    return provider.decode_status(
        Reply(status=200, body=order(enough=f"<Status>{status}</Status>{CREATED}{COST}")),
    )


@pytest.mark.parametrize(("status", "meaning"), MEANINGS.items(), ids=list(MEANINGS))
def test_each_of_the_fourteen_statuses_has_a_meaning(
    status: str, meaning: str, caplog: pytest.LogCaptureFixture
) -> None:
    state = status_of(CallFireProvider(), status)
    assert (state.status, str(state.outcome)) == (status, meaning)
    assert state.outcome.final == (meaning in {"finished", "failed"})
    assert not caplog.records


def test_there_are_fourteen_statuses() -> None:
    assert len(MEANINGS) == 14


def test_an_unknown_status_is_said_once_by_each_client(caplog: pytest.LogCaptureFixture) -> None:
    provider = CallFireProvider()
    for _ in range(3):
        assert status_of(provider, "TELEPORTED").outcome is Outcome.PENDING
    assert [(record.levelno, record.name) for record in caplog.records] == [
        (logging.WARNING, "callfire_async.callfire"),
    ]
    assert "TELEPORTED" in caplog.text
    status_of(provider, "BEAMED")
    assert len(caplog.records) == 2
    status_of(CallFireProvider(), "BEAMED")
    assert len(caplog.records) == 3


def test_unknown_statuses_are_told_of_up_to_a_hundred_times(caplog: pytest.LogCaptureFixture) -> None:
    provider = CallFireProvider()
    for n in range(300):
        assert status_of(provider, f"NEW{n}").outcome is Outcome.PENDING
    assert len(caplog.records) == 100


def test_nothing_is_learned_from_a_postback_that_anyone_may_have_made_up(caplog: pytest.LogCaptureFixture) -> None:
    provider = CallFireProvider()
    body = sample("postback.number_order.hypothetical.xml").replace(b"FINISHED", b"TELEPORTED")
    postback = provider.decode_postback({}, body)
    assert postback.state is not None
    assert (postback.state.status, postback.state.outcome) == ("TELEPORTED", Outcome.PENDING)
    assert not caplog.records
    status_of(provider, "TELEPORTED")
    assert len(caplog.records) == 1


def test_a_status_has_at_most_a_hundred_characters() -> None:
    assert status_of(CallFireProvider(), "N" * 100).status == "N" * 100
    with pytest.raises(ProtocolError, match="101 characters"):
        status_of(CallFireProvider(), "N" * 101)


def test_outcomes_corrects_and_extends_the_meanings(caplog: pytest.LogCaptureFixture) -> None:
    provider = CallFireProvider({"VOID": Outcome.FINISHED, "teleported": Outcome.FAILED})
    assert status_of(provider, "VOID").outcome is Outcome.FINISHED
    assert status_of(provider, "TELEPORTED").outcome is Outcome.FAILED
    assert status_of(provider, "REJECTED").outcome is Outcome.FAILED
    assert status_of(CallFireProvider(), "VOID").outcome is Outcome.FAILED
    assert not caplog.records


def test_a_stored_state_means_what_the_present_table_says() -> None:
    kept = CallFireProvider().dump(status_of(CallFireProvider(), "VOID"))
    assert CallFireProvider({"VOID": Outcome.PARKED}).load(kept).outcome is Outcome.PARKED


def test_an_outcome_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="outcomes="):
        CallFireProvider({"VOID": "gone"})  # type: ignore[dict-item]


# ------------------------------------------------------------------ receipts

RECEIPTS = [
    pytest.param(sample("order.created.xml"), "1428507003", id="sample order.created.xml"),
    pytest.param(referring("<r:Note>x</r:Note><r:Id>\n 7 \n</r:Id>"), "7", id="a note, white space, no location"),
    pytest.param(
        b'<ResourceReference xmlns="http://api.callfire.com/resource"><Location>http://evil.example/8</Location><Id>7</Id>'
        b"</ResourceReference>",
        "7",
        id="the resource namespace is the default one, and the location says something else",
    ),
    pytest.param(referring('<r:Id xmlns:x="urn:x">7</r:Id>'), "7", id="a namespace declared on the id"),
]


@pytest.mark.parametrize(("document", "order_id"), RECEIPTS)
def test_a_receipt_names_the_order(document: bytes, order_id: str) -> None:
    receipt = CallFireProvider().decode_receipt(Reply(status=201, body=document))
    assert receipt == Receipt(order_id=order_id, state=None)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(
            referring("<r:Location>https://www.callfire.com/api/1.1/rest/number/order/7</r:Location>"), id="no id"
        ),
        pytest.param(referring("<Id>7</Id>"), id="an id in the data namespace"),
        pytest.param(referring("<r:Id>7</r:Id><r:Id>8</r:Id>"), id="two ids"),
        pytest.param(referring("<r:Id/>"), id="an empty id"),
        pytest.param(referring("<r:Id>../7</r:Id>"), id="an id that is no number"),
        pytest.param(referring(f"<r:Id>{'7' * 20}</r:Id>"), id="an id that is no long"),
        pytest.param(referring(""), id="an empty reference"),
        pytest.param(sample("order.finished.xml"), id="sample order.finished.xml"),
        pytest.param(sample("numbers.search.xml"), id="sample numbers.search.xml"),
        pytest.param(sample("postback.text.xml"), id="sample postback.text.xml"),
    ],
)
def test_a_receipt_without_an_id_cannot_be_read(document: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        CallFireProvider().decode_receipt(Reply(status=201, body=document))
    assert caught.value.body == document[:512]


# ------------------------------------------------------------------ answers that describe no order

UNREADABLE = [
    pytest.param(sample("order.created.xml"), "r:ResourceReference", id="sample order.created.xml"),
    pytest.param(sample("numbers.search.xml"), "r:ResourceList", id="sample numbers.search.xml"),
    pytest.param(sample("keywords.owned.xml"), "r:ResourceList", id="sample keywords.owned.xml"),
    pytest.param(sample("postback.text.xml"), "n:TextNotification", id="sample postback.text.xml"),
    pytest.param(
        sample("postback.number_order.hypothetical.xml"),
        "n:NumberOrderNotification",
        id="sample postback.number_order.hypothetical.xml",
    ),
    pytest.param(
        f'<Resource><NumberOrder id="7">{ENOUGH}</NumberOrder></Resource>'.encode(), "Resource", id="no names"
    ),
    pytest.param(resource(""), "NumberOrder", id="an empty resource"),
    pytest.param(resource("text"), "NumberOrder", id="a resource of text"),
    pytest.param(resource("<NumberOrder/>"), "NumberOrder", id="an empty order"),
    pytest.param(resource(f'<NumberOrder id="7">{ENOUGH}</NumberOrder>' * 2), "NumberOrder", id="two orders"),
    pytest.param(order(attributes=""), "id", id="no id"),
    pytest.param(order(attributes="", enough=f"<id>7</id>{ENOUGH}"), "id", id="an id that is an element"),
    pytest.param(order(attributes='id="seven"'), "id", id="an id that is no number"),
    pytest.param(order(attributes='id="-7"'), "id", id="an id below zero"),
    pytest.param(order(attributes='id="\u0667"'), "id", id="an id in Arabic digits"),
    pytest.param(order(enough=CREATED + COST), "Status", id="no Status"),
    pytest.param(order(enough=f"<Status/>{CREATED}{COST}"), "Status", id="an empty Status"),
    pytest.param(order(enough=f"{STATUS}{STATUS}{CREATED}{COST}"), "Status", id="two of Status"),
    pytest.param(order(enough=STATUS + COST), "time", id="no Created"),
    pytest.param(order(enough=f"{STATUS}{COST}<Created/>"), "time", id="an empty Created"),
    pytest.param(order(enough=f"{STATUS}{COST}<Created>yesterday</Created>"), "time", id="a Created that is no time"),
    pytest.param(
        order(enough=f"{STATUS}{COST}<Created>2014-02-30T00:00:00Z</Created>"), "time", id="a day that is none"
    ),
    pytest.param(
        order(enough=f"{STATUS}{COST}<Created>0001-01-01T00:00:00+14:00</Created>"),
        "time",
        id="a time before the first year, in UTC",
    ),
    pytest.param(
        order(enough=f"{STATUS}{COST}<Created>9999-12-31T23:59:59-12:00</Created>"),
        "time",
        id="a time after the last year, in UTC",
    ),
    pytest.param(order(enough=STATUS + CREATED), "money", id="no TotalCost"),
    *(
        pytest.param(order(enough=f"{STATUS}{CREATED}<TotalCost>{text}</TotalCost>"), "money", id=f"an amount {name}")
        for name, text in (
            ("that is empty", ""),
            ("that is a word", "free"),
            ("with a comma", "7,0"),
            ("of NaN", "NaN"),
            ("of sNaN", "sNaN"),
            ("of infinity", "INF"),
            ("of Infinity", "-Infinity"),
            ("far too large", "1e400"),
            ("far too small", "1e-400"),
            ("beyond Decimal", "1e99999999999999999999"),
        )
    ),
    pytest.param(order("<Total>NaN</Total>"), "money", id="a newer amount of NaN"),
    pytest.param(order("<LocalNumbers><UnitCost>1</UnitCost></LocalNumbers>"), "Ordered", id="an item without Ordered"),
    pytest.param(
        order("<Keywords><Ordered>-1</Ordered><UnitCost>1</UnitCost></Keywords>"), "Ordered", id="Ordered below zero"
    ),
    pytest.param(order("<Keywords><Ordered>1</Ordered></Keywords>"), "money", id="an item without UnitCost"),
]


@pytest.mark.parametrize(("document", "missing"), UNREADABLE)
def test_an_answer_that_describes_no_order_cannot_be_read(document: bytes, missing: str) -> None:
    with pytest.raises(ProtocolError, match=rf"\b{missing}\b.*\.$") as caught:
        CallFireProvider().decode_status(Reply(status=200, body=document))
    assert caught.value.body == document[:512]


HTML = b"<!DOCTYPE html><html><head><title>Oops</title></head><body><p>Something went wrong.<br></body></html>"
XHTML = b'<html xmlns="http://www.w3.org/1999/xhtml"><body>Welcome to the hotel network</body></html>'

REFUSALS = [
    pytest.param(404, sample("exception.404.xml"), NotFoundError, 404, "number 213342682 does not exist, or is inactive", id="sample exception.404.xml"),
    pytest.param(400, refused(400, "invalid number"), BadRequestError, 400, "invalid number", id="400"),
    pytest.param(401, refused(401, "UNAUTHORIZED"), AuthenticationError, 401, "UNAUTHORIZED", id="401"),
    pytest.param(402, refused(402, "no credits"), APIError, 402, "no credits", id="402"),
    pytest.param(403, refused(403, "not yours"), PermissionDeniedError, 403, "not yours", id="403"),
    pytest.param(429, refused(429, "slow down"), RateLimitedError, 429, "slow down", id="429"),
    pytest.param(500, refused(500, "it broke"), ServerError, 500, "it broke", id="500"),
    pytest.param(503, refused(503, "UNAVAILABLE"), ServerError, 503, "UNAVAILABLE", id="503"),
    pytest.param(200, refused(404, "gone"), NotFoundError, 404, "gone", id="404 inside a 200"),
    pytest.param(201, refused(500, "it broke"), ServerError, 500, "it broke", id="500 inside a 201"),
    pytest.param(200, refused(429, "slow"), RateLimitedError, 429, "slow", id="429 inside a 200"),
    pytest.param(400, refused(500, "which?"), BadRequestError, 400, "which?", id="the HTTP status counts where it is no success"),
    pytest.param(404, refused("four", "which?"), NotFoundError, 404, "which?", id="an HttpStatus that is no number"),
    pytest.param(400, refused(400, "A &lt;b&gt; &amp; c"), BadRequestError, 400, "A <b> & c", id="a message with references"),
    pytest.param(400, refused(400, "x" * 10_000), BadRequestError, 400, "x" * 500, id="a message without end is cut"),
    *(
        pytest.param(
            status, body, kind, status, "CallFire refused without a message that can be read", id=f"{status} {name}"
        )
        for status, kind in (
            (302, APIError),
            (400, BadRequestError),
            (401, AuthenticationError),
            (403, PermissionDeniedError),
            (404, NotFoundError),
            (409, APIError),
            (429, RateLimitedError),
            (500, ServerError),
            (502, ServerError),
        )
        for name, body in (
            ("with an HTML page", HTML),
            ("with nothing", b""),
            ("with an order", order()),
            ("with an empty message", refused(status, "")),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("decoder", ["decode_receipt", "decode_status"])
@pytest.mark.parametrize(("http_status", "body", "kind", "status", "message"), REFUSALS)
def test_a_refusal_says_what_callfire_said(  # noqa: PLR0917 - a table has its columns
    decoder: str, http_status: int, body: bytes, kind: type[APIError], status: int, message: str
) -> None:
    if decoder == "decode_receipt" and http_status < 300:
        # Of a purchase the status line alone is believed when it says no: this one may have bought something.
        with pytest.raises(ProtocolError, match=f"answered HTTP {http_status} with a refusal: {message}"):
            CallFireProvider().decode_receipt(Reply(status=http_status, body=body))
        return
    with pytest.raises(APIError) as caught:
        getattr(CallFireProvider(), decoder)(Reply(status=http_status, body=body))
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.message) == (status, message)
    assert str(caught.value) == f"{message} (HTTP {status})"


@pytest.mark.parametrize("decoder", ["decode_receipt", "decode_status"])
@pytest.mark.parametrize("status", [200, 201, 204])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(HTML, id="an HTML page"),
        pytest.param(XHTML, id="a page that is XML"),
        pytest.param(b"", id="nothing"),
        pytest.param(b" \n", id="white space"),
        pytest.param(b'{"Resource":{"NumberOrder":{"@id":7}}}', id="JSON"),
        pytest.param(order()[:-5], id="half an order"),
        pytest.param(order() + order(), id="two documents"),
        pytest.param(b" " + order(), id="white space before the declaration"),
        pytest.param(b"\xff\xfe\x00", id="garbage"),
        pytest.param(refused("four", "which?"), id="an exception whose status is no number"),
        pytest.param(refused(200, "all is well"), id="an exception whose status is a success"),
        pytest.param(refused("4" * 5_000, "which?"), id="an exception whose status has 5,000 digits"),
    ],
)
def test_a_success_that_cannot_be_read_is_a_protocol_error(decoder: str, status: int, body: bytes) -> None:
    with pytest.raises(Error) as caught:
        getattr(CallFireProvider(), decoder)(Reply(status=status, body=body))
    assert isinstance(caught.value, ProtocolError)
    assert caught.value.body == body[:512]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("0", 0.0), ("7", 7.0), ("3600", 3600.0), ("", None), ("-1", None), ("1.5", None), ("soon", None), ("\u00b2", None),
     ("\u0667", None), ("9" * 5_000, 86400.0), ("Wed, 21 Oct 2015 07:28:00 GMT", None)],
)  # fmt: skip
def test_retry_after_is_kept_where_it_counts_seconds(header: str, seconds: float | None) -> None:
    with pytest.raises(RateLimitedError) as caught:
        CallFireProvider().decode_status(Reply(status=429, headers={"retry-after": header}, body=HTML))
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Wed, 21 Oct 2015 07:27:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:30:00 GMT", 0.0),
        ("Mon, 21 Oct 1815 07:28:00 GMT", 86400.0),
        ("yesterday", None),
    ],
)
def test_retry_after_may_be_a_time_by_the_servers_own_clock(date: str, seconds: float | None) -> None:
    headers = {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT", "date": date}
    with pytest.raises(ServerError) as caught:
        CallFireProvider().decode_status(Reply(status=503, headers=headers, body=HTML))
    assert caught.value.retry_after == seconds


def test_retry_after_is_kept_of_a_refusal_inside_a_success_too() -> None:
    with pytest.raises(RateLimitedError) as caught:
        CallFireProvider().decode_status(Reply(status=200, headers={"retry-after": "3"}, body=refused(429, "slow")))
    assert caught.value.retry_after == 3.0


def test_a_refusal_without_retry_after_names_no_seconds() -> None:
    with pytest.raises(RateLimitedError) as caught:
        CallFireProvider().decode_status(Reply(status=429))
    assert caught.value.retry_after is None


def test_an_absurd_retry_after_does_not_silence_an_order_for_ever() -> None:
    with pytest.raises(RateLimitedError) as caught:
        CallFireProvider().decode_status(Reply(status=429, headers={"retry-after": "9" * 400}))
    assert caught.value.retry_after != float("inf")


def test_every_sample_has_an_expectation_here() -> None:
    tables = [*STATES, *RECEIPTS, *UNREADABLE, *REFUSALS]
    expected = {str(row.id).removeprefix("sample ") for row in tables if str(row.id).startswith("sample ")}
    assert expected == {path.name for path in SAMPLES.glob("*.xml")}
