"""JSON meant to hurt: refused, or read, and never anything else."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from definition import CALLFIRE_V2
from hypothesis import HealthCheck, example, given, settings, strategies as st

from callfire_async import APIError, BadRequestError, Error, NotFoundError, ProtocolError, RateLimitedError, ServerError
from callfire_async.providers import Reply, callfire_v2_numbers as numbers, callfire_v2_webhooks as webhooks, jsondoc
from callfire_async.providers.callfire_v2 import CallFireV2Provider
from callfire_async.providers.callfire_v2_envelope import done

if TYPE_CHECKING:
    from collections.abc import Callable

CODEC = CallFireV2Provider()


def answered(decode: Callable[[Reply], object]) -> Callable[[bytes], object]:
    return lambda body: decode(Reply(status=200, body=body))


DECODERS: dict[str, Callable[[bytes], object]] = {
    "receipt": answered(CODEC.decode_receipt),
    "status": answered(CODEC.decode_status),
    "list": answered(CODEC.decode_list),
    "postback": lambda body: CODEC.decode_postback({}, body),
    "number": answered(numbers.decode_number),
    "numbers": answered(numbers.decode_numbers),
    "regions": answered(numbers.decode_regions),
    "keywords": answered(numbers.decode_keywords),
    "available": answered(numbers.decode_available),
    "configuration": answered(numbers.decode_configuration),
    "webhook": answered(webhooks.decode_webhook),
    "resources": answered(webhooks.decode_resources),
}
every_decoder = pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)

LIMIT = 64 * 1024


def fill(start: str, piece: str, end: str = "") -> bytes:
    """As many pieces as a postback may hold."""
    return (start + piece * ((LIMIT - len(start) - len(end)) // len(piece)) + end).encode()


REFUSED = {
    "nothing": b"",
    "a page for people": b"<!DOCTYPE html><html></html>",
    "half a document": b'{"id": 1, "sta',
    "two documents": b"{}{}",
    "no UTF-8": b'{"id": "\xff"}',
    "UTF-16": '{"id": 1}'.encode("utf-16"),
    "NaN": b'{"totalCost": NaN}',
    "Infinity": b'{"totalCost": -Infinity}',
    "a name twice": b'{"id": 1, "id": 2}',
    "a name twice, deep inside": b'[{"a": {"b": 1, "b": 1}}]',
    "half a character": b'{"status": "\\ud800"}',
    "half a character as a name": b'{"\\uDFFF": 1}',
    "half a character in an array": b'["\\udbff\\ud800"]',
    "seventeen levels": b"[" * 17 + b"]" * 17,
    "a thousand levels": b"[" * 1_000 + b"]" * 1_000,
    "arrays without end": fill("", "["),
    "objects without end": fill("", '{"a":'),
    "arrays, opened and closed": b"[" * (LIMIT // 2) + b"]" * (LIMIT // 2),
    "an integer without end": fill('{"id": ', "9", "}"),
    "five thousand digits": b"[" + b"9" * 5_000 + b"]",
    "a fraction without end": fill('{"totalCost": 1.', "3", "}"),
    "an exponent beyond measure": b'{"totalCost": 1e99999999999999999999999}',
    "a text without end": fill('{"status": "', "x"),
    "white space": fill("", " \n"),
    "commas": fill("[", ","),
    "a number with a zero before": b"[01]",
    "a control character": b'["\x00"]',
}  # fmt: skip


@every_decoder
@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_what_is_no_json_is_refused(decode: Callable[[bytes], object], body: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"^The JSON cannot be read: .{1,220}\.$") as caught:
        decode(body)
    assert caught.value.body == body[:512]


def test_what_is_odd_and_harmless_is_read() -> None:
    assert jsondoc.read(b"\xef\xbb\xbf[]") == []
    assert jsondoc.read(b"[" * 16 + b"]" * 16)
    assert jsondoc.read(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"
    assert jsondoc.read(b'{"a": 1, "A": 2}') == {"a": 1, "A": 2}
    assert jsondoc.read(b"[1e400, 0.1, -0]") == [Decimal("1e400"), Decimal("0.1"), 0]
    assert jsondoc.read(fill("[0", ",0", "]"))


def test_depth_is_refused_however_much_stack_is_left() -> None:
    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        else:
            for body in (b"[" * 100_000, b"[" * 900 + b"]" * 900):
                with pytest.raises(ProtocolError):
                    jsondoc.read(body)

    for levels in (0, 500, 800):
        deep(levels)


def test_an_answer_holds_two_hundred_thousand_values_at_most() -> None:
    assert jsondoc.read(b"[" + b"0," * 199_000 + b"0]")
    with pytest.raises(ProtocolError, match="200,000"):
        jsondoc.read(b"[" + b"[]," * 200_000 + b"0]")


ORDER = '{"id": 7, "status": "NEW", "created": 1443402092000, "totalCost": 1, "localNumbers": {"ordered": 1, "unitCost": 1, "fulfilled": []}}'


@pytest.mark.parametrize(
    ("sound", "wrong"),
    [
        ('"id": 7', '"id": null'),
        ('"id": 7', '"id": 7.0'),
        ('"id": 7', '"id": true'),
        ('"id": 7', '"id": -7'),
        ('"id": 7', '"id": {"id": 7}'),
        ('"NEW"', '""'),
        ('"NEW"', "null"),
        ('"NEW"', "5"),
        ('"NEW"', '["NEW"]'),
        ("1443402092000", '"1443402092000"'),
        ("1443402092000", "1443402092000.5"),
        ("1443402092000", "99999999999999999"),
        ("1443402092000", "-99999999999999"),
        ("1443402092000", "null"),
        ('"totalCost": 1', '"totalCost": "1"'),
        ('"totalCost": 1', '"totalCost": true'),
        ('"totalCost": 1', '"totalCost": 1e300'),
        ('"totalCost": 1', '"totalCost": null'),
        ('"ordered": 1', '"ordered": 1.5'),
        ('"ordered": 1', '"ordered": -1'),
        ('"ordered": 1', '"ordered": 2147483648'),
        ('"ordered": 1', '"none": 1'),
        ("[]", '"12065550100"'),
        ("[]", "[12065550100]"),
        ("[]", "{}"),
        ('{"ordered": 1, "unitCost": 1, "fulfilled": []}', "[]"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_a_sentence(sound: str, wrong: str) -> None:
    assert DECODERS["status"](ORDER.encode())
    with pytest.raises(ProtocolError, match=r"no order that can be read: .+\.$"):
        DECODERS["status"](ORDER.replace(sound, wrong, 1).encode())


@pytest.mark.parametrize(
    ("sound", "other"), [("[]", "null"), ('"totalCost"', '"new": {"a": []}, "totalCost"'), ("{", '{"localNumber": 5, ')]
)
def test_what_is_null_or_unknown_is_passed_over(sound: str, other: str) -> None:
    assert DECODERS["status"](ORDER.replace(sound, other, 1).encode()) == DECODERS["status"](ORDER.encode())


def test_an_unknown_status_is_pending_kept_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    codec = CallFireV2Provider()
    for _ in range(2):
        state = codec.decode_status(Reply(status=200, body=ORDER.replace("NEW", "Pondering").encode()))
        assert (state.status, state.outcome) == ("Pondering", "pending")
    assert len(caplog.records) == 1


def test_a_status_without_end_is_refused() -> None:
    with pytest.raises(ProtocolError, match="101 characters"):
        DECODERS["status"](ORDER.replace("NEW", "N" * 101).encode())


# ------------------------------------------------------------------ refusals

SAMPLE = b'{"httpStatusCode": 404, "internalCode": 0, "message": "order 1 does not exist", "developerMessage": "", "helpLink": ""}'


@pytest.mark.parametrize("status", [200, 404])
def test_the_error_body_is_an_error_under_any_status(status: int) -> None:
    with pytest.raises(NotFoundError) as caught:
        CODEC.decode_status(Reply(status=status, body=SAMPLE))
    assert (caught.value.status, caught.value.message) == (404, "order 1 does not exist")


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (400, b'{"message": "", "developerMessage": "no credits"}', BadRequestError, "no credits"),
        (429, b"<html>", RateLimitedError, "CallFire refused without a message that can be read"),
        (500, b"", ServerError, "CallFire refused without a message that can be read"),
        (503, b'{"message": 5}', ServerError, "CallFire refused without a message that can be read"),
        (400, b'["message"]', BadRequestError, "CallFire refused without a message that can be read"),
        (400, b'{"message": "' + b"x" * 5_000 + b'"}', BadRequestError, "x" * 500),
        (302, b"", APIError, "CallFire refused without a message that can be read"),
    ],
)
def test_a_refusal_tells_what_the_provider_told(status: int, body: bytes, kind: type[APIError], message: str) -> None:
    with pytest.raises(kind) as caught:
        CODEC.decode_receipt(Reply(status=status, body=body))
    assert (type(caught.value), caught.value.message) == (kind, message)


def test_updates_and_deletions_are_refused_too() -> None:
    assert done(Reply(status=204)) is None  # type: ignore[func-returns-value]
    with pytest.raises(NotFoundError, match="does not exist"):
        done(Reply(status=404, body=SAMPLE))


@pytest.mark.parametrize("status", ["200", 200, 99, 600, "404", None, True, 404.0, [404]])
def test_an_error_code_that_is_none_is_no_refusal(status: Any) -> None:
    body = json.dumps({"id": 1, "httpStatusCode": status}).encode()
    assert CODEC.decode_receipt(Reply(status=200, body=body)).order_id == "1"


# ------------------------------------------------------------------ chance

SAMPLES = [operation.example for operation in CALLFIRE_V2.operations.values()] + [SAMPLE, ORDER.encode()]
WORDS = [
    b"", b"null", b"true", b"0", b"-1", b"1.5", b"1e400", b"9" * 20, b"9" * 5_000, b"NaN", b"[]", b"{}", b"[[[]]]", b'""', b'"\\ud800"',
    b'"\\u0000"', b'"id":1,', b'"items":', b"99999999999999999", b"\xff", b"\0", "\u0667".encode(), b'{"id":7,"totalCost":1}',
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A sample with some values replaced, some bytes changed and some of its length lost."""
    body = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(0, 3))):
        marks = [at for at, byte in enumerate(body) if byte in b'{}[],:"'] or [0]
        start = draw(st.sampled_from(marks))
        stop = draw(st.sampled_from([at for at in marks if at >= start][:4]))
        body = body[:start] + draw(st.sampled_from(WORDS)) + body[stop:]
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=2)) + body[at + draw(st.integers(0, 3)) :]
    return body


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "status", "items", "events", "resource", "totalCost", "created"])
            | st.text(max_size=5),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)
CHANCE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def survive(decode: Callable[[bytes], object], body: bytes) -> None:
    """Decode. Any exception that is not one of ours comes through and fails the test; what was read can be told and kept."""
    said = ""
    try:
        repr(decode(body)).encode()
    except Error as exc:
        said = str(exc)
    assert len(said) < 1_000


@every_decoder
@given(
    body=st.binary(max_size=2_000)
    | st.text(max_size=500).map(str.encode)
    | VALUES.map(lambda value: json.dumps(value).encode())
)
@example(body=b"[" * 100_000)
@CHANCE
def test_any_bytes_end_in_a_result_or_in_an_error_of_ours(decode: Callable[[bytes], object], body: bytes) -> None:
    survive(decode, body)


@every_decoder
@given(body=damaged())
@CHANCE
def test_a_damaged_document_ends_in_a_result_or_in_an_error_of_ours(
    decode: Callable[[bytes], object], body: bytes
) -> None:
    survive(decode, body)


@given(status=st.integers(100, 599), header=st.text(max_size=20), body=damaged())
@CHANCE
def test_any_http_status_ends_in_a_result_or_in_an_error_of_ours(status: int, header: str, body: bytes) -> None:
    reply = Reply(status=status, headers={"retry-after": header, "date": header}, body=body)
    survive(lambda _: CODEC.decode_receipt(reply), body)


@given(body=damaged())
@CHANCE
def test_a_state_that_was_read_comes_back_from_the_store_the_same(body: bytes) -> None:
    try:
        state = CODEC.decode_status(Reply(status=200, body=body))
    except Error:
        return
    assert CODEC.load(CODEC.dump(state)) == state
