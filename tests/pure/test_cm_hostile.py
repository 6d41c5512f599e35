"""JSON meant to hurt: refused with a ProtocolError, or read, and never anything else."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, strategies as st

from callfire_async import ProtocolError
from callfire_async.providers import Reply
from callfire_async.providers.cm import CMProvider

if TYPE_CHECKING:
    from collections.abc import Callable

CODEC = CMProvider("11111111-2222-3333-4444-555555555555")

DECODERS: dict[str, Callable[[bytes], object]] = {
    "receipt": lambda body: CODEC.decode_receipt(Reply(status=201, body=body)),
    "status": lambda body: CODEC.decode_status(Reply(status=200, body=body)),
    "list": lambda body: CODEC.decode_list(Reply(status=200, body=body)),
    "postback": lambda body: CODEC.decode_postback({}, body),
}
every_decoder = pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)

HOSTILE = {
    "arrays without end": b"[" * 60_000,
    "objects without end": b'{"a":' * 12_000,
    "a tower": b"[" * 30_000 + b"]" * 30_000,
    "NaN": b'{"guid": "1", "status": "X", "quantity": NaN}',
    "infinity": b'{"guid": "1", "status": "X", "quantity": -Infinity}',
    "a number without end": b'{"guid": "1", "status": "X", "quantity": ' + b"9" * 60_000 + b"}",
    "half a character": b'{"guid": "1", "status": "\\ud83d"}',
    "half a character in a name": b'{"guid": "1", "status": "X", "\\udc00": 1}',
    "a name twice": b'{"guid": "1", "guid": "2", "status": "X"}',
    "not UTF-8": b'{"guid": "1", "status": "\xff"}',
    "UTF-16": '{"guid": "1", "status": "X"}'.encode("utf-16"),
    "cut in half": b'{"guid": "1", "stat',
    "nothing": b"",
    "XML": b"<NumberOrder/>",
    "an exponent": b'{"guid": "1", "status": "X", "quantity": 1e999999999999999999999}',
}


@every_decoder
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_what_other_readers_trip_over_is_refused(decode: Callable[[bytes], object], body: bytes) -> None:
    begin = time.perf_counter()
    with pytest.raises(ProtocolError) as caught:
        decode(body)
    assert len(caught.value.body) <= 512
    assert len(str(caught.value)) < 500
    assert time.perf_counter() - begin < 1.0  # not a measurement: only what grows without bound would fail


@every_decoder
@given(st.binary(max_size=400))
@example(b"\xef\xbb\xbf{}")
def test_bytes_are_read_or_refused(decode: Callable[[bytes], object], body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        decode(body)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["COMPLETED", "2026-03-04T12:00:00Z"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
NAMES = ("guid", "id", "status", "statusReason", "quantity", "numberRanges", "createdOn", "callbackUrl")
RANGES = st.lists(
    st.dictionaries(st.sampled_from(["id", "start", "size", "validFrom"]), VALUES, max_size=4), max_size=3
)
REQUESTS = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, VALUES) | {"numberRanges": RANGES | VALUES})


@every_decoder
@given(REQUESTS)
@example({"guid": "1", "status": "X", "createdOn": "0001-01-01T00:00:00+14:00"})
@example({"guid": "1", "status": "X", "numberRanges": [{"start": "1", "size": 10**39}]})
def test_documents_of_the_right_shape_are_read_or_refused(decode: Callable[[bytes], object], document: object) -> None:
    with contextlib.suppress(ProtocolError):
        decode(json.dumps(document).encode())


@given(REQUESTS)
def test_what_was_read_can_be_written_shown_and_read_again(document: object) -> None:
    try:
        state = CODEC.decode_status(Reply(status=200, body=json.dumps(document).encode()))
    except ProtocolError:
        return
    assert CODEC.load(CODEC.dump(state)) == state
    CODEC.dump(state).encode()
    repr(state).encode()
    assert state.shortfall >= 0
    assert len(state.numbers) <= 100_000
