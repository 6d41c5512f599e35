"""What is wrong is said before a byte is sent."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from operations import OPERATIONS, everything

from callfire_async import CallFire, ClosedError, ConfigurationError, InvalidOrderError, Region

NOWHERE = "http://127.0.0.1:9"  # if anything were sent, it would be a TransportError

WRONG: list[tuple[Callable[[CallFire], Awaitable[object]], str]] = [
    (lambda c: c.number("555-0101"), "11 digits|eleven|North American"),
    (lambda c: c.number(12065550101), "^12065550101 is .* text"),  # type: ignore[arg-type]
    (lambda c: c.search_numbers(count=0), "at least 1"),
    (lambda c: c.search_numbers(count=-1), "count"),
    (lambda c: c.search_numbers(count=True), "count"),
    (lambda c: c.search_numbers(count=10**9), "count"),
    (lambda c: c.search_numbers(count=1.5), "count"),  # type: ignore[arg-type]
    (lambda c: c.search_numbers(count=1, region=Region(prefix="12")), "prefix"),
    (lambda c: c.search_keywords([]), "at least one keyword"),
    (lambda c: c.search_keywords("SUN"), r"\['SUN'\]"),
    (lambda c: c.search_keywords(["no blanks"]), "keyword"),
    (lambda c: c.configure_number("12065550101"), "nothing to change"),
    (lambda c: c.configure_number("12065550101", colour="red"), "no parameter 'colour'"),
    (lambda c: c.configure_number("12065550101", transfer_number=["12"]), "digits"),
    (lambda c: c.release(""), "number"),
    (lambda c: c.release("67076", keyword="no blanks"), "keyword"),
    (lambda c: c.subscribe("https://x", trigger_event="ORDER_FINISHED"), "one of UNDEFINED_EVENT, INBOUND"),
    (lambda c: c.subscribe("https://x", notification_format="YAML"), "one of XML, JSON"),
    (lambda c: c.subscribe("https://x", order_id=7), "no 'order_id': it has endpoint"),
    (lambda c: c.subscribe(""), "endpoint"),
    (lambda c: c.subscription("19001/../.."), "decimal digits"),
    (lambda c: c.unsubscribe(-1), "decimal digits"),
    (lambda c: c.update_subscription(19001), "nothing to change"),
    (lambda c: c.update_subscription(19001, colour="red"), "no 'colour'"),
    (lambda c: everything(c.numbers(limit=0)), "limit=0 must be"),
    (lambda c: everything(c.regions(limit=True)), "limit=True must be"),
    (lambda c: everything(c.keywords(limit="3")), "limit='3' must be"),  # type: ignore[arg-type]
    (lambda c: everything(c.numbers(region=Region(state=" "))), "state"),
]


@pytest.fixture
async def client() -> AsyncIterator[CallFire]:
    async with CallFire("login", "password", base_url=NOWHERE) as it:
        yield it


@pytest.mark.parametrize(("call", "sentence"), WRONG)
async def test_wrong_arguments_raise_before_anything_is_sent(
    call: Callable[[CallFire], Awaitable[object]], sentence: str, client: CallFire
) -> None:
    with pytest.raises(InvalidOrderError, match=f"(?s){sentence}.*[Nn]othing was sent"):
        await call(client)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_a_client_that_is_not_open_says_so(operation: Any) -> None:
    client = CallFire("login", "password", base_url=NOWHERE)
    with pytest.raises(ConfigurationError, match="async with"):
        await operation.call(client)
    async with client:
        pass
    with pytest.raises(ClosedError, match="Nothing was sent"):
        await operation.call(client)
