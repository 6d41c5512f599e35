"""What the list of orders proves about a purchase whose answer was lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from callfire_async import Reconciliation, TransportError
from callfire_async.providers import Reply
from callfire_async.providers.callfire_v2 import CallFireV2Provider, order_content

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callfire_async.orders import JSON

SUBMITTED = datetime(2030, 1, 1, 12, tzinfo=UTC)
NOW = SUBMITTED + timedelta(minutes=10)
LOCAL = order_content(local=2)
CODEC = CallFireV2Provider()


def order(number: int, seconds: float, *, kind: str = "localNumbers", ordered: int = 2, **more: Any) -> dict[str, Any]:
    """An order, created so long after the submission."""
    created = int((SUBMITTED + timedelta(seconds=seconds)).timestamp() * 1000)
    document = {"id": number, "status": "FINISHED", "created": created, "totalCost": 1.0}
    return {**document, kind: {"ordered": ordered, "unitCost": 1.0, **more}}


def silent(number: int, seconds: float) -> dict[str, Any]:
    """One that waits for money, as the list shows it."""
    document = order(number, seconds) | {"status": "WAIT_FOR_PAYMENT"}
    del document["localNumbers"]
    return document


def look(
    listed: Sequence[dict[str, Any]],
    *,
    content: dict[str, JSON] = LOCAL,
    now: datetime = NOW,
    date: datetime | str | None = NOW,
    total: bool = True,
    cap: int = 100,
    fail_at: int | None = None,
) -> tuple[Reconciliation, list[str]]:
    """Play the provider: the list, in pages of `cap` at most. The verdict, and what was asked."""
    investigation = CODEC.investigate(content, SUBMITTED, now)
    asked: list[str] = []
    request = next(investigation)
    headers = {} if date is None else {"date": date if isinstance(date, str) else format_datetime(date, usegmt=True)}
    try:
        while True:
            asked.append(request.path)
            query = parse_qs(urlsplit(request.path).query)
            first, most = int(query["offset"][0]), min(cap, int(query["limit"][0]))
            if len(asked) == fail_at:
                request = investigation.throw(TransportError("The line is dead.", sent=True))
                continue
            document = {"items": listed[first : first + most]} | ({"totalCount": len(listed)} if total else {})
            request = investigation.send(Reply(status=200, headers=headers, body=json.dumps(document).encode()))
    except StopIteration as end:
        found: Reconciliation = end.value
        return found, asked


OLD = [order(n, -3600.0 * (n + 1)) for n in range(500)]


@pytest.mark.parametrize(
    ("listed", "candidates"),
    [
        pytest.param([], (), id="no orders at all"),
        pytest.param([order(1, -3600)], (), id="only an older one"),
        pytest.param([order(7, 1), order(1, -3600)], ("7",), id="one that fits"),
        pytest.param([order(7, 200), order(6, 1), order(1, -3600)], ("7", "6"), id="two that fit"),
        pytest.param([order(7, -240)], ("7",), id="one that fits by a clock four minutes behind"),
        pytest.param([order(7, -360)], (), id="one of six minutes before"),
        pytest.param([order(7, 1, ordered=3)], (), id="one of another number"),
        pytest.param([order(7, 1, kind="tollFreeNumbers")], (), id="one of another kind"),
        pytest.param([order(900, 1), *OLD], ("900",), id="one before five hundred older ones"),
    ],
)
def test_orders_created_since_that_ask_for_the_same_are_candidates(listed: Any, candidates: tuple[str, ...]) -> None:
    found, _ = look(listed)
    assert (found.verdict, found.candidates, found.order_id) == ("not placed", candidates, None)
    assert f"{len(candidates)} of them fit" in found.evidence[-1]


def test_the_first_page_is_enough_where_the_newest_come_first() -> None:
    _, asked = look([order(501, 1), *OLD])
    assert asked == ["/orders?limit=100&offset=0"]


def test_all_pages_are_read_where_the_oldest_come_first() -> None:
    found, asked = look([*reversed(OLD), order(501, 1)])
    assert found.candidates == ("501",)
    assert len(asked) == 6


def test_pages_may_be_smaller_than_asked_for() -> None:
    found, asked = look([order(7, 1)] + [order(n, 2) for n in range(10, 20)], cap=3)
    assert len(found.candidates) == 11
    assert len(asked) == 4


NAMED = order_content(numbers=["12065550100", "18005550100"])
WORDS = order_content(keywords=["sun"])


@pytest.mark.parametrize(
    ("content", "document", "fits"),
    [
        pytest.param(WORDS, order(7, 1, kind="keywords", ordered=1, fulfilled=["SUN"]), True, id="the keyword"),
        pytest.param(WORDS, order(7, 1, kind="keywords", ordered=1, fulfilled=["MOON"]), False, id="another keyword"),
        pytest.param(WORDS, order(7, 1, kind="keywords", ordered=1), True, id="a keyword not yet delivered"),
        pytest.param(
            NAMED,
            order(7, 1, ordered=1, fulfilled=["12065550100"]) | {"tollFreeNumbers": {"ordered": 1, "unitCost": 2}},
            True,
            id="the numbers, one delivered",
        ),
        pytest.param(
            NAMED,
            order(7, 1, ordered=1, fulfilled=["12065550199"]) | {"tollFreeNumbers": {"ordered": 1, "unitCost": 2}},
            False,
            id="other numbers",
        ),
        pytest.param(LOCAL, order(7, 1, fulfilled=["12065550199"]), True, id="whatever number, where none was named"),
    ],
)
def test_what_was_delivered_has_to_be_what_was_named(content: Any, document: dict[str, Any], fits: bool) -> None:  # noqa: FBT001
    found, _ = look([document], content=content)
    assert found.candidates == (("7",) if fits else ())


# ------------------------------------------------------------------ where the evidence is not plain


@pytest.mark.parametrize(
    ("given", "because"),
    [
        pytest.param({"listed": [], "date": None}, "what time it is there", id="no Date"),
        pytest.param({"listed": [], "date": "yesterday"}, "what time it is there", id="a Date that is none"),
        pytest.param({"listed": [], "date": "Tue, 1 Jan 2030 12:00:00 -0000"}, "what time it is there", id="a Date without zone"),
        pytest.param({"listed": [], "date": NOW + timedelta(hours=1)}, "3,600 s apart", id="their clock is ahead"),
        pytest.param({"listed": [order(7, -3600)], "date": NOW - timedelta(hours=1)}, "3,600 s apart", id="their clock is behind"),
        pytest.param({"listed": [], "total": False}, "without telling how many", id="a list that does not say how long it is"),
        pytest.param({"listed": [order(7, 1)], "fail_at": 1}, "line is dead", id="the provider is down"),
        pytest.param({"listed": [order(7, 1), order(8, 1)], "cap": 1, "fail_at": 2}, "line is dead", id="it goes down on the way"),
        pytest.param({"listed": [silent(7, 1)]}, "does not tell what was ordered", id="an order that tells nothing"),
        pytest.param({"listed": [order(8, 2), silent(7, 1)]}, "does not tell what was ordered", id="one that fits and one that tells nothing"),
        pytest.param({"listed": list(reversed(OLD)) * 5}, "before they had all come", id="the same pages again"),
        pytest.param(
            {"listed": [order(n, -3600.0 - n % 7) for n in range(3000)]}, "more orders than the 2,000", id="too many orders"
        ),
    ],
)  # fmt: skip
def test_what_is_not_sure_is_unknown_and_names_no_candidate(given: dict[str, Any], because: str) -> None:
    found, _ = look(**given)
    assert (found.verdict, found.candidates) == ("unknown", ())
    assert because in " ".join(found.evidence)


def test_an_order_that_tells_nothing_counts_only_if_it_came_since() -> None:
    assert look([silent(7, -3600)])[0].verdict == "not placed"


def test_a_young_submission_may_still_arrive() -> None:
    now = SUBMITTED + timedelta(seconds=59)
    found, _ = look([], now=now, date=now)
    assert found.verdict == "unknown"
    assert "look again later" in found.evidence[-1]


def test_a_refusal_or_a_page_for_people_is_no_evidence() -> None:
    for reply in (
        Reply(status=500, body=b"<html>"),
        Reply(status=200, body=b"<html>"),
        Reply(status=200, body=b'{"items":[{}]}'),
    ):
        investigation = CODEC.investigate(LOCAL, SUBMITTED, NOW)
        next(investigation)
        with pytest.raises(StopIteration) as end:
            investigation.send(reply)
        assert end.value.value.verdict == "unknown"
