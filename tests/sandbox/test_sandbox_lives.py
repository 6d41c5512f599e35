"""Each fault that a Life can order, the once-a-second rule, and the sandbox's own start and end."""
# ruff: noqa: PLR0917  # pytest imports by path; the XML is the sandbox's; a table has its columns

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import httpx
import pytest

from callfire_async.sandbox import Life, Sandbox

D = "{http://api.callfire.com/data}"
R = "{http://api.callfire.com/resource}"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7, processing=0) as running:
        yield running


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sandbox.callfire_url, auth=(sandbox.login, sandbox.password)) as client:
        yield client


async def buy(sandbox: Sandbox, http: httpx.AsyncClient, life: Life, **form: str) -> str:
    sandbox.plan(life)
    reply = await http.post("/number/order", data=form or {"localCount": "3"})
    assert reply.status_code == 201, reply.text
    return list(sandbox.orders)[-1]


async def ask(sandbox: Sandbox, http: httpx.AsyncClient, order_id: str) -> httpx.Response:
    """GET the order's status as if a second had passed since the last time."""
    asked = sandbox._ledger._asked
    asked[order_id] = asked.get(order_id, 0.0) - 1
    return await http.get(f"/number/order/{order_id}")


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110  # what it waits for has no event
            await asyncio.sleep(0.002)


def status(reply: httpx.Response) -> str | None:
    return ET.fromstring(reply.text).findtext(f"{D}NumberOrder/{D}Status")


# ------------------------------------------------------------------ how it ends


@pytest.mark.parametrize(
    ("result", "word", "fulfilled", "cost"),
    [
        ("finished", "FINISHED", 3, "3.0"),
        ("partial", "FINISHED", 2, "2.0"),
        ("errored", "ERRORED", 0, "0.0"),
        ("rejected", "REJECTED", 0, "0.0"),
        ("void", "VOID", 0, "0.0"),
    ],
)
async def test_each_result(
    sandbox: Sandbox, http: httpx.AsyncClient, result: Any, word: str, fulfilled: int, cost: str
) -> None:
    order_id = await buy(sandbox, http, Life(result=result))
    reply = await ask(sandbox, http, order_id)
    assert status(reply) == sandbox.orders[order_id].status == word
    item = ET.fromstring(reply.text).find(f"{D}NumberOrder/{D}LocalNumbers/{D}Fulfilled")
    assert item is not None
    assert len((item.text or "").split()) == fulfilled == len(sandbox.orders[order_id].fulfilled)
    assert ET.fromstring(reply.text).findtext(f"{D}NumberOrder/{D}TotalCost") == cost


async def test_half_of_one_thing_is_nothing(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    order_id = await buy(sandbox, http, Life(result="partial"), Keywords="SUN")
    assert "<Fulfilled></Fulfilled>" in (await ask(sandbox, http, order_id)).text


async def test_a_partial_order_misses_one_of_its_largest_block(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    order_id = await buy(sandbox, http, Life(result="partial"), localCount="1", Keywords="SUN MOON")
    assert len(sandbox.orders[order_id].fulfilled) == 2
    assert sandbox.orders[order_id].fulfilled[1:] == ("SUN",)


async def test_processing_takes_its_time(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    order_id = await buy(sandbox, http, Life(processing=0.05))
    assert sandbox.orders[order_id].status == "PROCESSING"
    await until(lambda: sandbox.orders[order_id].status == "FINISHED")
    assert time.monotonic() - sandbox.orders[order_id].accepted_at >= 0.05


async def test_a_parked_order_waits_to_be_paid(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    order_id = await buy(sandbox, http, Life(result="parked"))
    assert status(await ask(sandbox, http, order_id)) == "WAIT_FOR_PAYMENT"
    sandbox.pay(order_id)
    assert status(await ask(sandbox, http, order_id)) == "FINISHED"
    with pytest.raises(ValueError, match="is FINISHED: only a parked order can be paid"):
        sandbox.pay(order_id)
    with pytest.raises(LookupError, match="The sandbox has no order '42'"):
        sandbox.pay("42")


async def test_a_parked_order_may_be_paid_in_its_time_or_before(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    alone = await buy(sandbox, http, Life(result="parked", paid_after=0.03))
    assert sandbox.orders[alone].status == "WAIT_FOR_PAYMENT"
    await until(lambda: sandbox.orders[alone].status == "FINISHED")
    helped = await buy(sandbox, http, Life(result="parked", paid_after=60))
    sandbox.pay(helped)
    assert sandbox.orders[helped].status == "FINISHED"


async def test_any_status_may_be_scripted(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    first = await buy(
        sandbox, http, Life(statuses=[(0, "NEW"), (0.04, "PROCESSING_ACH"), (0.08, "PARTIALLY_ADJUSTED")])
    )
    assert sandbox.orders[first].status == "NEW"
    await until(lambda: sandbox.orders[first].status == "PROCESSING_ACH")
    await until(lambda: sandbox.orders[first].status == "PARTIALLY_ADJUSTED")
    assert len(sandbox.orders[first].fulfilled) == 2
    second = await buy(sandbox, http, Life(statuses=[(60, "ON_HOLIDAY")]))
    assert sandbox.orders[second].status == "PROCESSING"


async def test_planned_lives_are_lived_in_turn_and_then_the_default() -> None:
    async with Sandbox(life=Life(processing=0, result="errored")) as sandbox:
        sandbox.plan(Life(processing=0), Life(processing=0, result="void"))
        async with httpx.AsyncClient(base_url=sandbox.callfire_url, auth=(sandbox.login, sandbox.password)) as http:
            await http.post("/number/order", data={"localCount": "0"})  # refused: takes no life
            for _ in range(4):
                await http.post("/number/order", data={"localCount": "1"})
        assert [order.status for order in sandbox.orders.values()] == ["FINISHED", "VOID", "ERRORED", "ERRORED"]


async def test_notes_and_newer_fields(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    order_id = await buy(sandbox, http, Life(notes=True, newer_fields=True))
    root = ET.fromstring((await ask(sandbox, http, order_id)).text)
    assert [child.tag for child in root] == [f"{R}Note", f"{D}NumberOrder"]
    fields = [child.tag.removeprefix(D) for child in root[1]]
    assert fields == ["Status", "Created", "TotalCost", "Summary", "SalesTax", "Total", "LocalNumbers"]


# ------------------------------------------------------------------ the create's reply


@pytest.mark.parametrize(
    ("reply", "accepted", "http_status", "content_type"),
    [
        ("prompt", 1, 201, "application/xml"),
        ("slow", 1, 201, "application/xml"),
        ("error_after_accepting", 1, 500, "application/xml"),
        ("error_before_accepting", 0, 503, "application/xml"),
        ("html", 0, 502, "text/html"),
        ("html_after_accepting", 1, 200, "text/html"),
        ("empty_after_accepting", 1, 201, ""),
    ],
)
async def test_each_reply_to_a_create(
    sandbox: Sandbox, http: httpx.AsyncClient, reply: Any, accepted: int, http_status: int, content_type: str
) -> None:
    sandbox.plan(Life(reply=reply, reply_after=0.05))
    answer = await http.post("/number/order", data={"localCount": "1"})
    assert answer.status_code == http_status
    assert answer.headers.get("Content-Type", "").partition(";")[0] == content_type
    assert sandbox.purchases == len(sandbox.orders) == accepted
    assert [call.status for call in sandbox.calls] == [http_status]
    if reply == "slow":
        (order,) = sandbox.orders.values()
        assert time.monotonic() - order.accepted_at >= 0.05
    if http_status >= 500 and content_type.endswith("xml"):
        assert ET.fromstring(answer.text).findtext(f"{R}HttpStatus") == str(http_status)


@pytest.mark.parametrize(("reply", "accepted"), [("lost_after_accepting", 1), ("lost_before_accepting", 0)])
async def test_a_lost_reply_is_a_closed_connection_without_a_byte(sandbox: Sandbox, reply: Any, accepted: int) -> None:
    sandbox.plan(Life(reply=reply))
    address = urlsplit(sandbox.callfire_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(
        b"POST /api/1.1/rest/number/order HTTP/1.1\r\nHost: x\r\n"
        b"Authorization: Basic c2FuZGJveC1sb2dpbjpzYW5kYm94LXBhc3N3b3Jk\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 12\r\n\r\nlocalCount=1"
    )
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    assert sandbox.purchases == accepted
    assert [call.status for call in sandbox.calls] == [None]


# ------------------------------------------------------------------ the polls


@pytest.mark.parametrize(
    ("fault", "http_status", "content_type"),
    [
        ("error500", 500, "application/xml"),
        ("html", 502, "text/html"),
        ("html_with_200", 200, "text/html"),
        ("rate_limited", 429, "application/xml"),
        ("not_found", 404, "application/xml"),
        ("unauthorized", 401, "application/xml"),
        ("malformed", 200, "application/xml"),
    ],
)
async def test_each_fault_of_a_poll_comes_once(
    sandbox: Sandbox, http: httpx.AsyncClient, fault: Any, http_status: int, content_type: str
) -> None:
    order_id = await buy(sandbox, http, Life(polls=["ok", fault], retry_after=3))
    assert status(await ask(sandbox, http, order_id)) == "FINISHED"
    reply = await ask(sandbox, http, order_id)
    assert reply.status_code == http_status
    assert reply.headers["Content-Type"].partition(";")[0] == content_type
    assert reply.headers.get("Retry-After") == ("3" if fault == "rate_limited" else None)
    if fault == "malformed":
        with pytest.raises(ET.ParseError):
            ET.fromstring(reply.text)
    assert status(await ask(sandbox, http, order_id)) == "FINISHED"
    assert sandbox.violations == 0
    assert sandbox.orders[order_id].calls == 3


async def test_a_dropped_poll_gets_no_answer(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    order_id = await buy(sandbox, http, Life(polls=["drop"]))
    with pytest.raises(httpx.RemoteProtocolError):
        await ask(sandbox, http, order_id)
    assert sandbox.calls[-1].status is None
    assert status(await ask(sandbox, http, order_id)) == "FINISHED"


async def test_a_silent_poll_is_answered_in_the_end(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    order_id = await buy(sandbox, http, Life(polls=["silent"], silent_for=0.05))
    before = time.monotonic()
    assert status(await ask(sandbox, http, order_id)) == "FINISHED"
    assert time.monotonic() - before >= 0.05


# ------------------------------------------------------------------ the once-a-second rule


async def test_a_second_call_within_a_second_is_answered_429(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    order_id = await buy(sandbox, http, Life(polls=["ok", "html"]))
    other = await buy(sandbox, http, Life())
    path = f"/number/order/{order_id}"
    assert (await http.get(path)).status_code == 200
    assert (await http.get(f"/number/order/{other}")).status_code == 200
    for _ in range(2):
        assert (await http.get(path)).status_code == 429
    assert sandbox.violations == 2
    await asyncio.sleep(1)
    # The calls too soon have used up no fault.
    assert (await http.get(path)).status_code == 502
    assert sandbox.violations == 2
    assert sandbox.orders[order_id].calls == 4


async def test_a_call_too_soon_becomes_the_one_before(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    path = "/number/order/42"
    assert (await http.get(path)).status_code == 404  # unknown ids are no exception
    sandbox._ledger._asked["42"] -= 0.9
    assert (await http.get(path)).status_code == 429
    sandbox._ledger._asked["42"] -= 0.9
    assert (await http.get(path)).status_code == 429
    sandbox._ledger._asked["42"] -= 1.0
    assert (await http.get(path)).status_code == 404
    assert sandbox.violations == 2


async def test_a_call_without_credentials_counts(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    assert (await http.get("/number/order/42", auth=("x", "y"))).status_code == 401
    assert (await http.get("/number/order/42", auth=("x", "y"))).status_code == 401
    assert sandbox.violations == 1


async def test_the_rule_looks_at_arrival_not_at_the_answer() -> None:
    async with Sandbox(latency=0.1) as sandbox:
        async with httpx.AsyncClient(base_url=sandbox.callfire_url, auth=(sandbox.login, sandbox.password)) as http:
            before = time.monotonic()
            await http.get("/number/order/42")
            assert time.monotonic() - before >= 0.1
            sandbox._ledger._asked["42"] -= 1.0
            await http.get("/number/order/42")
        first, second = sandbox.calls
        assert sandbox.violations == 0
        assert before <= first.at
        assert second.at - first.at >= 0.1


async def test_latencies_are_drawn_from_the_seed() -> None:
    async def draw(seed: int) -> float:
        async with Sandbox(latency=(0.0, 0.02), seed=seed) as sandbox:
            async with httpx.AsyncClient(base_url=sandbox.callfire_url, auth=(sandbox.login, sandbox.password)) as http:
                await http.get("/number/order/42")
            return sandbox._callfire._door._random.random()

    assert await draw(1) == await draw(1) != await draw(2)


# ------------------------------------------------------------------ start, end and arguments


async def test_leaving_does_not_wait_for_calls_under_way() -> None:
    async with asyncio.timeout(5), Sandbox(processing=0) as sandbox:
        sandbox.plan(Life(polls=["silent"], silent_for=60), Life(reply="slow", reply_after=60))
        async with httpx.AsyncClient(base_url=sandbox.callfire_url, auth=(sandbox.login, sandbox.password)) as http:
            await http.post("/number/order", data={"localCount": "1"})
            (order_id,) = sandbox.orders
            calls = [
                asyncio.ensure_future(http.get(f"/number/order/{order_id}")),
                asyncio.ensure_future(http.post("/number/order", data={"localCount": "1"})),
            ]
            await until(lambda: sandbox.purchases == 2 and len(sandbox.calls) == 3)
            before = time.monotonic()
            await sandbox.__aexit__(None, None, None)
            assert time.monotonic() - before < 1
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(answer, httpx.TransportError) for answer in answers)


async def test_it_keeps_its_books_after_the_end_and_can_start_again() -> None:
    sandbox = Sandbox(processing=0)
    with pytest.raises(RuntimeError, match="The sandbox is not running"):
        _ = sandbox.callfire_url
    for round_ in (1, 2):
        async with sandbox:
            async with httpx.AsyncClient(base_url=sandbox.callfire_url, auth=(sandbox.login, sandbox.password)) as http:
                assert (await http.post("/number/order", data={"localCount": "1"})).status_code == 201
            with pytest.raises(RuntimeError, match="running already"):
                await sandbox.__aenter__()
        assert sandbox.purchases == round_


async def test_a_taken_port_is_an_error_that_leaves_nothing_behind(sandbox: Sandbox) -> None:
    taken = urlsplit(sandbox.callfire_url).port
    assert taken is not None
    second = Sandbox(port=taken)
    with pytest.raises(OSError, match="address already in use"):
        await second.__aenter__()
    with pytest.raises(RuntimeError, match="not running"):
        _ = second.callfire_url


async def test_it_lives_on_ipv6_too() -> None:
    try:
        probe = await asyncio.start_server(lambda _reader, _writer: None, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    probe.close()
    await probe.wait_closed()
    async with Sandbox(host="::1") as sandbox:
        assert sandbox.callfire_url.startswith("http://[::1]:")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"processing": -1}, "processing is a number of seconds, zero or more, not -1."),
        ({"processing": None}, "processing is a number of seconds"),
        ({"processing": True}, "processing is a number of seconds"),
        ({"postbacks": "maybe"}, "postbacks is one of delivered, lost, twice"),
        ({"latency": float("nan")}, "latency is a number of seconds, zero or more, not nan."),
        ({"latency": (0.2, 0.1)}, r"latency is a number of seconds or \(least, most\), not \(0.2, 0.1\)."),
        ({"latency": (0.1, 0.2, 0.3)}, r"latency is a number of seconds or \(least, most\)"),
    ],
)
def test_a_sandbox_refuses_bad_arguments(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        Sandbox(**arguments)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"processing": float("inf")}, "processing is a number of seconds"),
        ({"result": "happy"}, "result is one of finished, partial, errored, rejected, void, parked, not 'happy'."),
        ({"paid_after": 1.0}, "paid_after belongs to result='parked'"),
        ({"result": "parked", "paid_after": -1.0}, "paid_after is a number of seconds"),
        ({"postback": "maybe"}, "postback is one of delivered"),
        ({"late_by": -1}, "late_by is a number of seconds"),
        ({"reply": "never"}, "reply is one of prompt"),
        ({"reply_after": "1"}, "reply_after is a number of seconds"),
        ({"polls": "drop"}, "polls is a sequence of words, not the one string 'drop'."),
        ({"polls": ["ok", "fine"]}, "Each of polls is one of ok"),
        ({"retry_after": 1.5}, "retry_after is a whole number of seconds"),
        ({"retry_after": -1}, "retry_after is a whole number of seconds"),
        ({"silent_for": -1}, "silent_for is a number of seconds"),
        ({"statuses": [(-1, "NEW")]}, "The time of each status is a number of seconds"),
        ({"statuses": [(2, "NEW"), (1, "FINISHED")]}, "statuses stand in order of time, and 1 comes after 2."),
        ({"statuses": [(0, "new")]}, "A status is a word of capitals"),
    ],
)
def test_a_life_refuses_bad_arguments(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        Life(**arguments)


def test_a_life_cannot_be_changed_from_outside() -> None:
    polls: list[Any] = ["ok"]
    life = Life(polls=polls)
    polls.append("drop")
    assert life.polls == ("ok",)
