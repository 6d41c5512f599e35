"""JSON from strangers: read in bounded time and memory, and taken apart with a sentence for whatever is not as it should be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias, TypeVar

from callfire_async.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

Value: TypeAlias = "str | int | Decimal | bool | Sequence[Value] | Mapping[str, Value] | None"
Object: TypeAlias = "Mapping[str, Value]"

MAX_DEPTH: Final = 16
"""Arrays and objects inside one another. The deepest documented answer has four."""

MANY: Final = 200_000
"""Values a document may have; its size is bounded by the transport and the listener."""

LONGEST_NUMBER: Final = 40
"""Characters of a number. A double has at most 25, and a Decimal of a million digits takes its time."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: An escape that may be half a character. Only then is the whole document looked at for one.
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def read(body: bytes, *, most: int = MANY) -> Value:
    """The document, its fractions as Decimal. ProtocolError where it is no JSON, holds more than `most` values, or is refused.

    Refused is what other readers would understand differently or fail over later: a name that stands twice in an object, NaN and Infinity, half
    a surrogate pair, absurd numbers, and what nests too deep or holds too much.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > most:  # no less than the values in it
        raise ProtocolError(f"The JSON cannot be read: it holds more than {most:,} values.", body=body)
    try:
        document: Value = json.loads(
            body.decode("utf-8-sig"),
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_float=_fraction,
            parse_constant=_constant,
        )
        _check_depth(document)
        if _SURROGATE.search(body):
            json.dumps(document, ensure_ascii=False, default=str).encode()
    except RecursionError as exc:
        raise ProtocolError(f"The JSON cannot be read: it nests more than {MAX_DEPTH} levels.", body=body) from exc
    except ValueError as exc:  # JSONDecodeError and UnicodeError are such
        raise ProtocolError(f"The JSON cannot be read: {str(exc)[:200]}.", body=body) from exc
    return document


def _object(pairs: list[tuple[str, Value]]) -> Object:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number has {len(text):,} characters")
    return int(text)


def _fraction(text: str) -> Decimal:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number has {len(text):,} characters")
    try:
        return Decimal(text)
    except InvalidOperation as exc:
        raise ValueError("a number has an exponent beyond measure") from exc


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _check_depth(document: Value) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in children(node) if isinstance(child, dict | list)]
        if not level:
            return
    raise ValueError(f"it nests more than {MAX_DEPTH} levels")


def children(node: Value) -> Iterator[Value]:
    """What an object or an array holds, one after the other."""
    if isinstance(node, Mapping):
        yield from node.values()
    elif isinstance(node, list):
        yield from node


# ------------------------------------------------------------------ parts of a document
#
# Each is None where the name is absent or null, and a ValueError, to be told as a ProtocolError, where the value is of another kind.


def mapping(node: Value, what: str) -> Object:
    """An object; ValueError where it is none. `what` names it in the sentence."""
    if not isinstance(node, Mapping):
        raise ValueError(f"{what} is no object")  # noqa: TRY004 - the document is wrong, not a type
    return node


def array(node: Value, what: str) -> Sequence[Value]:
    """An array; ValueError where it is none."""
    if not isinstance(node, list):
        raise ValueError(f"{what} is no array")  # noqa: TRY004
    return node


def text(node: Object, name: str) -> str | None:
    """A text."""
    value = node.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"its {name} is no text")
    return value


def texts(node: Object, name: str) -> tuple[str, ...]:
    """An array of texts; empty where it is absent or null."""
    values = node.get(name)
    found = array([] if values is None else values, f"its {name}")
    if not all(isinstance(value, str) for value in found):
        raise ValueError(f"its {name} holds something that is no text")
    return tuple(map(str, found))


def flag(node: Object, name: str) -> bool | None:
    """True or false."""
    value = node.get(name)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"its {name} is neither true nor false")
    return value


def whole(node: Object, name: str) -> int | None:
    """A whole number."""
    value = node.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError(f"its {name} is no whole number")
    return value


def amount(node: Object, name: str) -> Decimal | None:
    """An amount of money, or degrees; ValueError also for more than all the money there is."""
    value = node.get(name)
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | Decimal)
        or abs((found := Decimal(value)).adjusted()) > 18
    ):
        raise ValueError(f"its {name} is no amount, or an absurd one")
    return found


def moment(node: Object, name: str) -> datetime | None:
    """Milliseconds since 1970 as an aware UTC time."""
    value = whole(node, name)
    if value is None:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except OverflowError as exc:
        raise ValueError(f"its {name} is no time") from exc


def must(value: T | None, name: str) -> T:
    """A part that has to be there."""
    if value is None:
        raise ValueError(f"it lacks its {name}")
    return value
