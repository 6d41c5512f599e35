"""The number service: what is accepted, what is refused, and what an order's document says."""
# ruff: noqa: PLR0917  # pytest imports by path; the XML is the sandbox's; a table has its columns

import re
from collections.abc import AsyncIterator
from http import HTTPStatus
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


async def buy(http: httpx.AsyncClient, **form: str) -> str:
    reply = await http.post("/number/order", data=form or {"localCount": "1"})
    assert reply.status_code == 201, reply.text
    return ET.fromstring(reply.text).findtext(f"{R}Id", "")


async def see(http: httpx.AsyncClient, order_id: str) -> ET.Element:
    reply = await http.get(f"/number/order/{order_id}")
    assert reply.status_code == 200, reply.text
    order = ET.fromstring(reply.text).find(f"{D}NumberOrder")
    assert order is not None
    assert order.get("id") == order_id
    return order


def block(order: ET.Element, name: str) -> tuple[str | None, ...] | None:
    item = order.find(D + name)
    return None if item is None else tuple(item.findtext(D + part) for part in ("Ordered", "UnitCost", "Fulfilled"))


def refusal(reply: httpx.Response) -> tuple[int, str]:
    """The status and sentence of a ResourceException, its two statuses being the same."""
    root = ET.fromstring(reply.text)
    assert root.tag == f"{R}ResourceException"
    assert root.findtext(f"{R}HttpStatus") == str(reply.status_code)
    return reply.status_code, root.findtext(f"{R}Message", "")


async def test_create_answers_201_with_a_reference(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    reply = await http.post("/number/order", data={"localCount": "1"})
    assert reply.status_code == 201
    assert reply.headers["Content-Type"] == "application/xml; charset=UTF-8"
    root = ET.fromstring(reply.text)
    assert [child.tag for child in root] == [f"{R}Id", f"{R}Location"]
    (order_id,) = sandbox.orders
    assert root.findtext(f"{R}Id") == order_id
    # The host is CallFire's own whatever host was called.
    assert root.findtext(f"{R}Location") == f"https://www.callfire.com/api/1.1/rest/number/order/{order_id}"
    assert re.fullmatch(r"1[0-9]{6}003", order_id)


async def test_the_ledger_tells_of_an_order(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    life = Life(processing=60)
    sandbox.plan(life)
    order_id = await buy(http, localCount="2", City="Seattle")
    assert sandbox.purchases == len(sandbox.orders) == 1
    before = sandbox.orders[order_id]
    assert (before.id, dict(before.form)) == (order_id, {"localCount": "2", "City": "Seattle"})
    assert (before.status, before.fulfilled, before.life, before.calls) == ("PROCESSING", (), life, 0)
    await see(http, order_id)
    assert (before.calls, sandbox.orders[order_id].calls) == (0, 1)
    assert [(call.method, call.path.rpartition("rest")[2], call.order_id, call.status) for call in sandbox.calls] == [
        ("POST", "/number/order", None, 201),
        ("GET", f"/number/order/{order_id}", order_id, 200),
    ]
    assert sandbox.calls[0].at <= before.accepted_at <= sandbox.calls[1].at


async def test_an_order_at_work_has_no_fulfilled(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.plan(Life(processing=60))
    order = await see(http, await buy(http, localCount="2", tollFreeCount="1", Keywords="SUN MOON"))
    assert order.findtext(f"{D}Status") == "PROCESSING"
    assert order.findtext(f"{D}TotalCost") == "15.0"
    assert block(order, "LocalNumbers") == ("2", "1.0", None)
    assert block(order, "TollFreeNumbers") == ("1", "2.0", None)
    assert block(order, "Keywords") == ("2", "5.5", None)


async def test_named_numbers_are_sorted_into_local_and_toll_free(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    order_id = await buy(http, Numbers="18005550100 12065550199 18885550101", localCount="1", Prefix="1206555")
    order = await see(http, order_id)
    assert block(order, "TollFreeNumbers") == ("2", "2.0", "18005550100 18885550101")
    ordered, _, fulfilled = block(order, "LocalNumbers") or ()
    assert ordered == "2"
    named, generated = (fulfilled or "").split()
    assert named == "12065550199"
    assert re.fullmatch(r"120655501[0-9]{2}", generated)
    assert order.find(f"{D}Keywords") is None
    assert sandbox.orders[order_id].fulfilled == (named, generated, "18005550100", "18885550101")


@pytest.mark.parametrize(
    ("prefix", "pattern"),
    [
        ("1206", "120655501[0-9]{2}"),
        ("12065", "120655501[0-9]{2}"),
        ("120672", "120672[0-9]01[0-9]{2}"),
        ("1920659", "192065901[0-9]{2}"),
    ],
)
async def test_generated_numbers_honour_the_prefix(http: httpx.AsyncClient, prefix: str, pattern: str) -> None:
    order = await see(http, await buy(http, localCount="20", Prefix=prefix))
    numbers = (order.findtext(f"{D}LocalNumbers/{D}Fulfilled") or "").split()
    assert len(set(numbers)) == 20
    assert [number for number in numbers if not re.fullmatch(pattern, number)] == []


async def test_beyond_the_fictional_numbers_others_are_made_up(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    first, second = await buy(http, localCount="150", Prefix="1206"), await buy(http, localCount="150", Prefix="1206")
    numbers = sandbox.orders[first].fulfilled + sandbox.orders[second].fulfilled
    assert len(set(numbers)) == 300
    assert all(re.fullmatch(r"1206[2-9][0-9]{6}", number) for number in numbers)


async def test_numbers_can_run_out(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    for _ in range(10):
        await buy(http, localCount="1000", Prefix="1206777")
    # An exchange has 10,000 numbers, and the last are found by luck.
    last = await see(http, await buy(http, localCount="1000", Prefix="1206777"))
    ordered, _, fulfilled = block(last, "LocalNumbers") or ()
    assert ordered == "1000"
    assert len((fulfilled or "").split()) < 1000
    everything = [number for order in sandbox.orders.values() for number in order.fulfilled]
    assert len(everything) == len(set(everything)) <= 10_000


async def test_the_same_seed_gives_the_same_ids_numbers_and_subscriptions() -> None:
    async def run(seed: int | None) -> list[object]:
        async with Sandbox(seed=seed, processing=0) as sandbox:
            async with httpx.AsyncClient(base_url=sandbox.callfire_url, auth=(sandbox.login, sandbox.password)) as http:
                await buy(http, localCount="3")
                await buy(http, tollFreeCount="3")
            return [sandbox.subscribe("http://x/"), *[(order.id, order.fulfilled) for order in sandbox.orders.values()]]

    assert await run(1) == await run(1) != await run(2)
    assert await run(None) != await run(None)


async def test_multipart_is_understood_too(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    reply = await http.post("/number/order", files={"Keywords": (None, "SUN")})
    assert reply.status_code == 201
    assert [order.form["Keywords"] for order in sandbox.orders.values()] == ["SUN"]


EVERY_REGION_FIELD = {
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
}


async def test_every_documented_parameter_is_accepted(http: httpx.AsyncClient) -> None:
    await buy(http, Numbers="12065550100", Keywords="SUN", localCount="1", tollFreeCount="1", **EVERY_REGION_FIELD)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({}, "An order needs Numbers, Keywords, localCount or tollFreeCount."),
        ({"Prefix": "1206"}, "An order needs Numbers, Keywords, localCount or tollFreeCount."),
        ({"LocalCount": "1"}, "Unknown parameter LocalCount; it is spelt localCount."),
        ({"numbers": "12065550100"}, "Unknown parameter numbers; it is spelt Numbers."),
        ({"Count": "1"}, "Unknown parameter Count."),
        ({"RequestId": "once"}, "Unknown parameter RequestId."),
        ({"A<b>&\x01": "1"}, "Unknown parameter A<b>&\ufffd."),
        ({"Numbers": "+12065550100"}, "Numbers is numbers of 11 digits"),
        ({"Numbers": "12065550100,12065550101"}, "Numbers is numbers of 11 digits"),
        ({"Numbers": "2065550100"}, "Numbers is numbers of 11 digits"),
        ({"Keywords": "SUN-MOON"}, "Keywords is keywords of 1 to 64 letters and digits"),
        ({"Keywords": "A" * 65}, "Keywords is keywords of 1 to 64 letters and digits"),
        ({"localCount": "0"}, "localCount is a whole number from 1 to 1000."),
        ({"localCount": "-1"}, "localCount is a whole number from 1 to 1000."),
        ({"tollFreeCount": "two"}, "tollFreeCount is a whole number from 1 to 1000."),
        ({"tollFreeCount": "1001"}, "At most 1000 numbers are sold at once."),
        ({"localCount": "1", "Prefix": "206"}, "Prefix is 4 to 7 digits"),
        ({"localCount": "1", "City": ""}, "City is a text"),
        ({"localCount": "1", "Country": "USA"}, "Country is 2 letters."),
        ({"localCount": "1", "Latitude": "north"}, "Latitude is a decimal number of degrees."),
    ],
)
async def test_a_wrong_parameter_is_refused_with_a_sentence(
    sandbox: Sandbox, http: httpx.AsyncClient, form: dict[str, str], sentence: str
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, message = refusal(await http.post("/number/order", data=form, headers=headers))
    assert status == 400
    assert message.startswith(sentence)
    assert sandbox.purchases == 0


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("address", "content_type", "body", "status", "sentence"),
    [
        (
            "",
            "application/xml",
            b"<CreateNumberOrder/>",
            415,
            "Parameters are sent as form fields, not as application/xml.",
        ),
        ("", FORM, b"localCount=1&localCount=1", 400, "Parameter localCount is given twice."),
        (
            "?localCount=1",
            FORM,
            b"localCount=1",
            400,
            "Parameters of a POST or PUT stand in the form, not in the address.",
        ),
        ("", FORM, b"City=%FF%FE", 400, "The form is not UTF-8."),
        ("", FORM, b"City=\xff", 400, "The form cannot be read."),
        ("", f"{FORM}; charset=klingon", b"localCount=1", 400, "The form cannot be read."),
        ("", "multipart/form-data", b"localCount=1", 400, "The form cannot be read."),
        ("", FORM, b"City=" + b"x" * 70_000, 413, HTTPStatus(413).phrase),
        (
            "",
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="localCount"\r\nContent-Type: image/png\r\n\r\n1\r\n--b--\r\n',
            400,
            "Parameter localCount is a plain form field, not a file.",
        ),
    ],
)
async def test_a_wrong_body_is_refused(
    sandbox: Sandbox, http: httpx.AsyncClient, address: str, content_type: str, body: bytes, status: int, sentence: str
) -> None:
    reply = await http.post(f"/number/order{address}", content=body, headers={"Content-Type": content_type})
    assert refusal(reply) == (status, sentence)
    assert sandbox.purchases == 0


async def test_a_file_is_no_parameter(http: httpx.AsyncClient) -> None:
    reply = await http.post("/number/order", files={"Numbers": ("numbers.txt", b"12065550100")})
    assert refusal(reply) == (400, "Parameter Numbers is a plain form field, not a file.")


async def test_wrong_credentials_are_refused_everywhere(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    paths = [("POST", "/number/order"), ("GET", "/number/order/1"), ("GET", "/subscription"), ("GET", "/nowhere")]
    for method, path in paths:
        for auth in (("sandbox-login", "guess"), ("guess", "sandbox-password"), ("", "")):
            reply = await http.request(method, path, auth=auth)
            assert refusal(reply) == (401, "UNAUTHORIZED")
    assert (
        "Authorization" not in (reply := await httpx.AsyncClient.get(http, "/subscription", auth=None)).request.headers
    )
    assert refusal(reply) == (401, "UNAUTHORIZED")
    bearer = await http.get("/subscription", auth=None, headers={"Authorization": "Bearer x"})
    assert refusal(bearer) == (401, "UNAUTHORIZED")
    sandbox.password = "changed"  # noqa: S105  # the sandbox's
    assert (await http.get("/subscription")).status_code == 401
    assert (await http.get("/subscription", auth=(sandbox.login, "changed"))).status_code == 200
    assert sandbox.purchases == 0


async def test_what_does_not_exist_is_an_exception_document_too(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    assert refusal(await http.get("/nowhere")) == (404, "Not Found")
    assert refusal(await http.delete("/number/order")) == (405, "Method Not Allowed")
    assert refusal(await http.get("/number/order/42")) == (404, "number order 42 does not exist")
    assert refusal(await http.get("/number/order/43?MaxResults=1")) == (400, "Unknown parameter MaxResults.")
    assert refusal(await http.get("/number/order/44?A=1&A=1")) == (400, "Parameter A is given twice.")
    assert [call.status for call in sandbox.calls] == [404, 405, 404, 400, 400]
