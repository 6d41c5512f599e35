"""CM.com's documents: the JSON an order becomes, and what each answer means. Every expectation is written out."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from callfire_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    CMNames,
    ConfigurationError,
    InvalidOrderError,
    NotFoundError,
    NumberRange,
    NumberRequest,
    Outcome,
    ProtocolError,
    RateLimitedError,
    ServerError,
)
from callfire_async.providers import Postback, Receipt, Reply
from callfire_async.providers.cm import CMProvider
from callfire_async.providers.cm_arguments import order_content

ACCOUNT = "11111111-2222-3333-4444-555555555555"
PROFILE = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
ID = "0ad1d5f4-5d3c-4f0e-9d4c-3f2b8a6e7c10"
LIST = f"/voice-phonenumberrequestapi/v1/{ACCOUNT}/numberrequests"
ADDRESS = "https://example.com/hooks/0123456789-0123456789-0123456789-0123456789-"
NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)

#: What a number request says that says no more than it must.
BARE = NumberRequest(id=ID, status="COMPLETED", outcome=Outcome.FINISHED)

#: All that a number request can say, and what it means.
WHOLE = {
    "guid": ID,
    "status": "COMPLETED",
    "statusReason": "The numbers are yours.",
    "companyProfileGuid": PROFILE,
    "quantity": 12,
    "rangeSize": 10,
    "phoneNumberType": "LOCAL",
    "areaCode": "20",
    "comment": None,
    "callbackUrl": ADDRESS,
    "createdOn": "2026-03-04T12:00:00.1234567Z",
    "numberRanges": [
        {"id": "r-1", "start": "+31207654098", "size": 10, "validFrom": "2026-03-04T13:00:00+01:00", "validTo": None},
        {"id": None, "start": None, "size": 2, "validFrom": None, "validTo": None},
    ],
}
WHOLE_READ = NumberRequest(
    id=ID,
    status="COMPLETED",
    outcome=Outcome.FINISHED,
    reason="The numbers are yours.",
    quantity=12,
    ranges=(NumberRange(id="r-1", start="+31207654098", size=10, valid_from=NOON), NumberRange(size=2)),
    created=NOON.replace(microsecond=123456),
)


def reply(document: object, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Reply(status=status, headers=headers or {}, body=body)


def ordered(**arguments: Any) -> dict[str, Any]:
    defaults = {
        "number_type": "LOCAL",
        "range_size": None,
        "area_code": None,
        "city": None,
        "region": None,
        "comment": None,
    }
    return order_content(**{"company_profile": PROFILE, **defaults, **arguments})


@pytest.fixture
def codec() -> CMProvider:
    return CMProvider(ACCOUNT)


# ------------------------------------------------------------------ an order becomes JSON

BODIES = [
    pytest.param(
        {"quantity": 1, "city": "Breda"},
        {"companyProfileGuid": PROFILE, "quantity": 1, "phoneNumberType": "LOCAL", "city": "Breda"},
        id="the least",
    ),
    pytest.param(
        {
            "quantity": 1000,
            "number_type": "NATIONAL",
            "range_size": 10,
            "area_code": "212",
            "city": "New York",
            "region": "NY",
            "comment": "Group 7\n10.0.0.1",
        },
        {
            "companyProfileGuid": PROFILE,
            "quantity": 1000,
            "phoneNumberType": "NATIONAL",
            "rangeSize": 10,
            "areaCode": "212",
            "city": "New York",
            "region": "NY",
            "comment": "Group 7\n10.0.0.1",
        },
        id="everything",
    ),
    pytest.param(
        {"quantity": 2, "number_type": "MOBILE", "city": "Tromsø", "region": "anywhere"},
        {
            "companyProfileGuid": PROFILE,
            "quantity": 2,
            "phoneNumberType": "MOBILE",
            "city": "Tromsø",
            "region": "anywhere",
        },
        id="a type nobody has heard of, and a region that cannot be checked",
    ),
]


@pytest.mark.parametrize(("arguments", "body"), BODIES)
def test_an_order_becomes_json(codec: CMProvider, arguments: dict[str, Any], body: dict[str, Any]) -> None:
    request = codec.encode_order(ordered(**arguments))
    assert (request.method, request.path) == ("POST", LIST)
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body) == body


def test_the_callback_address_goes_into_the_body_and_into_no_repr(codec: CMProvider) -> None:
    request = codec.encode_order(ordered(quantity=1, city="Breda"), ADDRESS)
    assert json.loads(request.body)["callbackUrl"] == ADDRESS
    assert ADDRESS not in repr(request)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"quantity": 0}, "quantity=0 must be a whole number from 1 to 1,000"),
        ({"quantity": 1001}, "quantity=1001 "),
        ({"quantity": True}, "quantity=True "),
        ({"quantity": 2.0}, "quantity=2.0 "),
        ({"range_size": 0}, "range_size=0 "),
        ({"range_size": 2**31}, "range_size=2147483648 "),
        ({"area_code": None}, "area_code or a city"),
        ({"area_code": " "}, "area_code=' '"),
        ({"area_code": 212}, "area_code=212"),
        ({"city": "Bre\nda"}, "city="),
        ({"comment": ""}, "comment="),
        ({"comment": "half \ud83d"}, "comment="),
        ({"number_type": ""}, "number_type="),
        ({"number_type": None}, "number_type="),
        ({"company_profile": "12"}, "company_profile='12' must be the uuid"),
        ({"company_profile": None}, "company_profile=None"),
        ({"region": "NH", "area_code": "20"}, "region='NH' is for North America alone"),
        ({"region": "NH", "area_code": "112"}, "region='NH'"),
        ({"region": "NH", "area_code": "0212"}, "region='NH'"),
    ],
)
def test_what_the_rules_forbid_is_refused_before_anything_is_sent(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidOrderError, match=r"[Nn]othing was sent") as caught:
        ordered(**{"quantity": 1, "area_code": "20", **wrong})
    assert sentence in str(caught.value)


@pytest.mark.parametrize("area_code", ["212", "1212", "+1212"])
def test_a_region_goes_with_a_north_american_area_code(area_code: str) -> None:
    assert ordered(quantity=1, area_code=area_code, region="NY")["region"] == "NY"


def test_what_is_asked_about_an_order(codec: CMProvider) -> None:
    asked = [codec.encode_status(ID), codec.encode_cancel(ID), codec.encode_list(skip=0, take=100)]
    assert [(request.method, request.path, request.body) for request in asked] == [
        ("GET", f"{LIST}/{ID}", b""),
        ("POST", f"{LIST}/{ID}/cancel", b""),
        ("GET", f"{LIST}?skip=0&take=100", b""),
    ]


@pytest.mark.parametrize("order_id", ["", "..", "a/b", "a?b", "é", "a" * 65, "-a", "a\n"])
def test_an_id_cannot_leave_its_place_in_the_path(codec: CMProvider, order_id: str) -> None:
    for encode in (codec.encode_status, codec.encode_cancel):
        with pytest.raises(InvalidOrderError, match="nothing was sent"):
            encode(order_id)


# ------------------------------------------------------------------ answers


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(WHOLE, WHOLE_READ, id="whole"),
        pytest.param({"guid": ID, "status": "COMPLETED"}, BARE, id="bare"),
        pytest.param({"guid": None, "uuid": ID, "status": "Completed"}, replace(BARE, status="Completed"), id="uuid"),
        pytest.param(
            {"numberRequestGuid": ID, "status": "rejected", "statusReason": 7},
            replace(BARE, status="rejected", outcome=Outcome.FAILED),
            id="another id, small letters, an odd reason",
        ),
        pytest.param({"id": 17, "status": "COMPLETED"}, replace(BARE, id="17"), id="a number for an id"),
        pytest.param(
            {"id": ID, "status": "COMPLETED", "createdOn": "2026-03-04T12:00:00", "numberRanges": None},
            replace(BARE, created=NOON),
            id="a time without a zone",
        ),
        pytest.param(
            {"id": ID, "status": "COMPLETED", "createdOn": "yesterday", "quantity": 3, "colour": [{}]},
            replace(BARE, quantity=3),
            id="an odd time and something unknown",
        ),
        pytest.param(
            {"id": ID, "status": "COMPLETED", "numberRanges": [{"start": 31201234567}]},
            replace(BARE, ranges=(NumberRange(start="31201234567"),)),
            id="a number for a number",
        ),
    ],
)
def test_a_number_request_is_read_alike_wherever_it_stands(
    codec: CMProvider, document: dict[str, Any], expected: NumberRequest
) -> None:
    assert codec.decode_status(reply(document)) == expected
    assert codec.decode_receipt(reply(document, 201)) == Receipt(order_id=expected.id, state=expected)
    assert codec.decode_postback({}, json.dumps(document).encode()) == Postback(order_id=expected.id, state=expected)
    for listed in ([document], {"items": [document]}, {"data": [document]}):
        assert codec.decode_list(reply(listed)).items == [expected]
    assert codec.load(codec.dump(expected)) == expected


def test_the_numbers_of_a_range_follow_one_another_and_are_counted() -> None:
    assert WHOLE_READ.numbers == ("+31207654098", "+31207654099", *(f"+312076541{n:02}" for n in range(8)))
    assert WHOLE_READ.shortfall == 2
    assert NumberRange(start="0099", size=2).numbers == ("0099", "0100")
    assert NumberRange(start="800-FLOWERS", size=3).numbers == ("800-FLOWERS",)
    assert NumberRange(size=3).numbers == ()


def test_the_document_is_kept_without_the_secret_address(codec: CMProvider) -> None:
    document = {**WHOLE, "price": 1.25, "CallbackURL": ADDRESS}
    state = codec.decode_status(reply(document))
    assert state.raw == {name: value for name, value in WHOLE.items() if name != "callbackUrl"} | {
        "price": Decimal("1.25")
    }
    assert ADDRESS not in codec.dump(state)
    assert codec.load(codec.dump(state)).raw == state.raw
    assert state == replace(state, raw={})
    assert hash(state) == hash(replace(state, raw={}))


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b'{"guid": null, "status": "REQUESTED"}', b"<html>", b"OK"]
)
def test_an_answer_without_an_id_is_no_receipt(codec: CMProvider, body: bytes) -> None:
    with pytest.raises(ProtocolError, match="HTTP 201, and with no id"):
        codec.decode_receipt(reply(body, 201))


def test_an_order_is_placed_even_where_only_its_id_can_be_read(codec: CMProvider) -> None:
    assert codec.decode_receipt(reply({"guid": ID, "status": 7})) == Receipt(order_id=ID)
    assert codec.decode_postback({}, b'{"guid": "%s", "numberRanges": 1, "status": "X"}' % ID.encode()) == Postback(
        order_id=ID
    )


@pytest.mark.parametrize("body", [b"{}", b"[]", b"7", b'{"status": "COMPLETED"}'])
def test_a_callback_without_an_id_is_still_news(codec: CMProvider, body: bytes) -> None:
    assert codec.decode_postback({}, body) == Postback()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"guid": None}, "no id under guid or id or uuid or numberRequestGuid"),
        ({"guid": "a/b"}, "no id"),
        ({"guid": True}, "no id"),
        ({"status": None}, "lacks its status"),
        ({"status": ""}, "lacks its status"),
        ({"status": 3}, "status is no text"),
        ({"quantity": "12"}, "quantity is no whole number"),
        ({"quantity": 1.5}, "quantity is no whole number"),
        ({"numberRanges": {}}, "numberRanges is no array"),
        ({"numberRanges": [3]}, "numberRanges is no object"),
        ({"numberRanges": [{"start": []}]}, "start is no number"),
        ({"numberRanges": [{"start": "1" * 41}]}, "start is no number"),
        ({"numberRanges": [{"start": "1", "size": 0}]}, "size is 0"),
        ({"numberRanges": [{"start": "1", "size": 100_001}]}, "more than 100,000 numbers"),
    ],
)
def test_what_decides_must_be_there(codec: CMProvider, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProtocolError, match=sentence) as caught:
        codec.decode_status(reply({**WHOLE, **change}))
    assert "CMNames" in str(caught.value)
    assert ADDRESS.encode() not in caught.value.body


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (401, b"Unauthorized", AuthenticationError, "Unauthorized"),
        (
            400,
            b'{"title": "Invalid", "errors": {"quantity": ["too many", 7]}}',
            BadRequestError,
            "Invalid quantity: too many",
        ),
        (400, b'{"title": "Invalid", "detail": "no\\n such", "errors": [1]}', BadRequestError, "Invalid no such"),
        (400, b'{"errors": {"city": "unknown"}}', BadRequestError, "city: unknown"),
        (404, b"", NotFoundError, "CM.com refused without a message that can be read"),
        (409, b'"too late"', APIError, "too late"),
        (422, b"[]", APIError, "CM.com refused without a message that can be read"),
        (429, b"{}", RateLimitedError, "CM.com refused without a message that can be read"),
        (502, b"<html>Bad Gateway</html>", ServerError, "CM.com refused without a message that can be read"),
        (500, b"\xff\xfe", ServerError, "\ufffd\ufffd"),
        (400, f"callbackUrl {ADDRESS} is wrong".encode(), BadRequestError, "callbackUrl (an address) is wrong"),
        (302, b"", APIError, "CM.com refused without a message that can be read"),
    ],
)
def test_a_refusal_says_what_can_be_read_of_it(
    codec: CMProvider, status: int, body: bytes, kind: type[APIError], message: str
) -> None:
    for decode in (codec.decode_status, codec.decode_receipt, codec.decode_list):
        with pytest.raises(APIError) as caught:
            decode(reply(body, status))
        assert type(caught.value) is kind
        assert (caught.value.status, caught.value.message) == (status, message)


@pytest.mark.parametrize(
    ("headers", "total"),
    [
        ({"x-cm-pagination-total": "7"}, 7),
        ({}, None),
        ({"x-cm-pagination-total": "many"}, None),
        ({"x-cm-pagination-total": "9" * 19}, None),
    ],
)
def test_a_page_of_the_list(codec: CMProvider, headers: dict[str, str], total: int | None) -> None:
    page = codec.decode_list(reply([WHOLE, {"guid": None}, 3], headers=headers))
    assert page == ([WHOLE_READ, None, None], total)


@pytest.mark.parametrize("body", [b"{}", b"null", b'{"items": {}}'])
def test_what_is_no_list(codec: CMProvider, body: bytes) -> None:
    with pytest.raises(ProtocolError, match="no list of number requests"):
        codec.decode_list(reply(body))


# ------------------------------------------------------------------ the table of names


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((status, Outcome.PENDING) for status in ("REQUESTED", "PENDING", "APPROVED", "IN_PROGRESS", "in_progress")),
        *((status, Outcome.FINISHED) for status in ("COMPLETED", "Completed", "completed")),
        *((status, Outcome.FAILED) for status in ("REJECTED", "CANCELLED", "CANCELED", "FAILED", "cancelled")),
    ],
)
def test_what_a_status_means(codec: CMProvider, status: str, outcome: Outcome) -> None:
    state = codec.decode_status(reply({**WHOLE, "status": status}))
    assert (state.status, state.outcome) == (status, outcome)


def test_an_unknown_status_is_not_final_is_kept_and_is_told_once(
    codec: CMProvider, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        states = [codec.decode_status(reply({**WHOLE, "status": "Ported"})) for _ in range(3)]
    assert {(state.status, state.outcome) for state in states} == {("Ported", Outcome.PENDING)}
    assert [record.message.count("CMNames(outcomes={'Ported'") for record in caplog.records] == [1]
    caplog.clear()
    for n in range(300):
        codec.decode_status(reply({**WHOLE, "status": f"NEW{n}"}))
    assert len(caplog.records) < 100


def test_nothing_is_learned_from_a_callback_that_anyone_may_have_made_up(
    codec: CMProvider, caplog: pytest.LogCaptureFixture
) -> None:
    postback = codec.decode_postback({}, reply({"id": ID, "status": "Ported"}).body)
    assert postback.state is not None
    assert postback.state.outcome is Outcome.PENDING
    assert not caplog.records


def test_a_status_without_end_is_refused(codec: CMProvider) -> None:
    with pytest.raises(ProtocolError, match="101 characters"):
        codec.decode_status(reply({**WHOLE, "status": "N" * 101}))


def test_a_request_that_names_no_quantity_is_told_of_once(codec: CMProvider, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert codec.decode_status(reply({"id": ID, "status": "COMPLETED"})).shortfall == 0
    assert [record.message for record in caplog.records] == [
        "CM.com's number requests have no quantity, so their shortfall is not known."
    ]


RENAMED = CMNames(
    requests_path="/v2/{account}/orders",
    request_path="/v2/orders/{id}",
    cancel_path="/v2/orders/{id}/stop",
    **{
        name: f"my{name}"
        for name in ("company_profile", "range_size", "number_type", "area_code", "city", "region", "comment")
    },
    callback_url="hook",
    quantity="count",
    ids=("key",),
    status="state",
    reason="why",
    created="since",
    ranges="blocks",
    range_ids=("key",),
    start="from",
    size="many",
    valid_from="begin",
    valid_to="end",
    skip="offset",
    take="max",
    page_total="X-Total",
    listed=("orders",),
    outcomes={"Ported": Outcome.FINISHED, "completed": Outcome.PENDING},
)


def test_every_inferred_name_can_be_corrected_by_a_value() -> None:
    codec = CMProvider(ACCOUNT, RENAMED)
    content = ordered(quantity=12, range_size=10, area_code="212", city="New York", region="NY", comment="hello")
    request = codec.encode_order(content, ADDRESS)
    assert request.path == f"/v2/{ACCOUNT}/orders"
    assert json.loads(request.body) == {
        "mycompany_profile": PROFILE,
        "count": 12,
        "mynumber_type": "LOCAL",
        "myrange_size": 10,
        "myarea_code": "212",
        "mycity": "New York",
        "myregion": "NY",
        "mycomment": "hello",
        "hook": ADDRESS,
    }
    assert codec.encode_status(ID).path == f"/v2/orders/{ID}"
    assert codec.encode_cancel(ID).path == f"/v2/orders/{ID}/stop"
    assert codec.encode_list(skip=3, take=4).path == f"/v2/{ACCOUNT}/orders?offset=3&max=4"
    document = {
        "key": ID,
        "state": "PORTED",
        "why": "because",
        "count": 12,
        "since": "2026-03-04T12:00:00Z",
        "hook": ADDRESS,
        "blocks": [{"key": "r", "from": "12125550100", "many": 12, "begin": "2026-03-04T12:00:00Z", "end": None}],
    }
    expected = NumberRequest(
        id=ID,
        status="PORTED",
        outcome=Outcome.FINISHED,
        reason="because",
        quantity=12,
        ranges=(NumberRange(id="r", start="12125550100", size=12, valid_from=NOON),),
        created=NOON,
    )
    state = codec.decode_status(reply(document))
    assert state == expected
    assert "hook" not in state.raw
    page = codec.decode_list(
        reply({"orders": [document, {**document, "state": "COMPLETED"}]}, headers={"x-total": "9"})
    )
    assert page.items == [expected, replace(expected, status="COMPLETED", outcome=Outcome.PENDING)]
    assert page.total == 9


def test_a_corrected_status_counts_for_what_is_in_the_store_and_renamed_fields_do_not_hide_it() -> None:
    written = CMProvider(ACCOUNT).dump(replace(WHOLE_READ, status="PORTED", outcome=Outcome.PENDING))
    assert CMProvider(ACCOUNT, RENAMED).load(written) == replace(WHOLE_READ, status="PORTED")


def test_a_correction_adds_to_what_is_known_and_survives_another() -> None:
    once = CMNames(outcomes={"Ported": Outcome.FINISHED})
    assert once.outcomes["PORTED"] is Outcome.FINISHED
    assert once.outcomes["REJECTED"] is Outcome.FAILED
    assert replace(once, status="state").outcomes == once.outcomes
    assert CMNames() == CMNames()


@pytest.mark.parametrize(
    "wrong",
    [
        {"request_path": "/v2/{guid}"},
        {"cancel_path": "/v2/{"},
        {"requests_path": None},
        {"ids": "guid"},
        {"outcomes": {"PORTED": "done"}},
        {"outcomes": {7: Outcome.FAILED}},
    ],
)
def test_a_table_that_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="CMNames"):
        CMNames(**wrong)
