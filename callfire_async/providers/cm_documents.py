"""CM.com Voice: the documents that come back. Every name in them is looked up in the table of cm_names.py, for most of them are inferred."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from callfire_async.errors import ProtocolError
from callfire_async.orders import NumberRange, NumberRequest, Outcome
from callfire_async.providers import jsondoc
from callfire_async.providers.states import LONGEST_STATUS, FirstTimes, dump

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callfire_async.providers.cm_names import CMNames

logger = logging.getLogger("callfire_async.cm")

#: An id is a uuid (inferred); any that cannot leave its place in a path will do.
ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

MOST_NUMBERS: Final = 100_000
"""The most numbers one answer may assign, a hundred times what one order may ask for: ours, because ranges are written out number by number."""


class Documents:
    """Reads number requests with one table of names. ValueError says why one cannot be read."""

    def __init__(self, names: CMNames) -> None:
        self._names = names
        self._first_times = FirstTimes()

    def order_id(self, document: jsondoc.Value) -> str | None:
        """The id of a number request, where it has one."""
        return _id(document, self._names.ids) if isinstance(document, Mapping) else None

    def number_request(self, document: jsondoc.Value, *, believed: bool = True) -> NumberRequest:
        """A number request. What decides nothing (reason and times) may be missing or odd: `raw` has it.

        What is odd is logged once if it is `believed`: not made up by a stranger.
        """
        names, node = self._names, jsondoc.mapping(document, "it")
        order_id, status = self.order_id(node), jsondoc.text(node, names.status)
        if order_id is None:
            raise ValueError(f"it has no id under {' or '.join(names.ids)}")
        if not status:
            raise ValueError(f"it lacks its {names.status}")
        if len(status) > LONGEST_STATUS:
            raise ValueError(f"its {names.status} has {len(status):,} characters")
        given = node.get(names.ranges)
        parts = jsondoc.array([] if given is None else given, f"its {names.ranges}")
        ranges = tuple(self._range(part) for part in parts)
        if sum(part.size or 1 for part in ranges) > MOST_NUMBERS:
            raise ValueError(f"its {names.ranges} hold more than {MOST_NUMBERS:,} numbers")
        quantity = jsondoc.whole(node, names.quantity)
        if quantity is None and believed and self._first_times.of(f"no {names.quantity}"):
            logger.warning("CM.com's number requests have no %s, so their shortfall is not known.", names.quantity)
        return NumberRequest(
            id=order_id,
            status=status,
            outcome=self._outcome(status, believed=believed),
            reason=reason if isinstance(reason := node.get(names.reason), str) else None,
            quantity=max(0, quantity or 0),
            ranges=ranges,
            created=_time(node.get(names.created)),
            # Whoever knows an order's own callback address can speak for it: it is kept nowhere.
            raw={name: value for name, value in node.items() if name.lower() != names.callback_url.lower()},
        )

    def listed(self, document: jsondoc.Value) -> Iterator[NumberRequest | None]:
        """The number requests of a list; None for each that cannot be read. ProtocolError where it is no list."""
        if isinstance(document, Mapping):
            document = next((document[name] for name in self._names.listed if name in document), None)
        if not isinstance(document, list):
            raise ProtocolError(
                "CM.com's answer holds no list of number requests. If it stands under a name of its own, pass CMVoice(names=CMNames(listed=…))."
            )
        for entry in document:
            try:
                yield self.number_request(entry)
            except ValueError as exc:
                logger.debug("A number request in the list cannot be read: %s", exc)
                yield None

    def dump(self, state: NumberRequest) -> str:
        """JSON, with times as text."""
        return dump(state, _leaf)

    def load(self, text: str) -> NumberRequest:
        """What `dump` wrote, whatever the names were then; its outcome is decided anew, so a corrected table counts for it too."""
        fields = json.loads(text, parse_float=Decimal)
        ranges = [
            NumberRange(**{**part, "valid_from": _time(part["valid_from"]), "valid_to": _time(part["valid_to"])})
            for part in fields["ranges"]
        ]
        outcome = self._outcome(fields["status"])
        return NumberRequest(
            **{**fields, "ranges": tuple(ranges), "created": _time(fields["created"]), "outcome": outcome}
        )

    def _range(self, document: jsondoc.Value) -> NumberRange:
        names, node = self._names, jsondoc.mapping(document, f"one of its {self._names.ranges}")
        start, size = node.get(names.start), jsondoc.whole(node, names.size)
        if isinstance(start, int) and not isinstance(start, bool):
            start = str(start)
        if start is not None and not (isinstance(start, str) and 1 <= len(start) <= 40):
            raise ValueError(f"a {names.start} is no number that can be read")
        if size is not None and size < 1:
            raise ValueError(f"a {names.size} is {size}")
        return NumberRange(
            id=_id(node, names.range_ids),
            start=start,
            size=size,
            valid_from=_time(node.get(names.valid_from)),
            valid_to=_time(node.get(names.valid_to)),
        )

    def _outcome(self, status: str, *, believed: bool = True) -> Outcome:
        outcome = self._names.outcomes.get(status.upper())
        if outcome is None and believed and self._first_times.of(status.upper()):
            logger.warning(
                "CM.com calls a number request %.40r, a status this library does not know. It counts as not final; "
                "if you know better, pass CMVoice(names=CMNames(outcomes={%.40r: Outcome.…})).",
                status,
                status,
            )
        return outcome or Outcome.PENDING


def read(body: bytes) -> jsondoc.Value:
    """A document. ProtocolError where it cannot be read."""
    try:
        return jsondoc.read(body)
    except ProtocolError as exc:
        raise ProtocolError(str(exc), body=without_addresses(body)) from exc.__cause__


def without_addresses(body: bytes) -> bytes:
    """What an error may show of a document: one of the addresses in it may be the order's own, which is secret."""
    return re.sub(rb'https?:[^"\s]+', b"(an address)", body)


def complaint(body: bytes) -> str:
    """What a refusal says: title, detail and errors of an RFC 7807 document, a plain text, or nothing. All of it is inferred but "Unauthorized"."""
    body = without_addresses(body)
    try:
        document = jsondoc.read(body)
    except ProtocolError:
        text = body[:2000].decode(errors="replace").strip()
        return "" if text.startswith("<") else _said(text)  # a gateway's page is for people
    if not isinstance(document, Mapping):
        return _said(document) if isinstance(document, str) else ""
    words = [word for name in ("title", "detail", "message") if isinstance(word := document.get(name), str)]
    errors = document.get("errors")
    for name, value in errors.items() if isinstance(errors, Mapping) else ():
        reasons = value if isinstance(value, list) else [value]
        words.append(f"{name}: {' '.join(reason for reason in reasons if isinstance(reason, str))}")
    return _said(" ".join(words))


def _said(text: str) -> str:
    """In one line of bounded length."""
    return " ".join(text.split())[:500]


def _id(node: jsondoc.Object, names: tuple[str, ...]) -> str | None:
    for name in names:
        value = node.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and ID.fullmatch(str(value)):
            return str(value)
    return None


def _time(value: jsondoc.Value) -> datetime | None:
    """An ISO 8601 time as an aware UTC time, and one without a zone as UTC (inferred)."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return found and (found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def _leaf(value: Any) -> str | float:
    return value.isoformat() if isinstance(value, datetime) else float(value)
