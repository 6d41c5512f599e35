"""The sandbox's CM.com held against the contract, by hand: nothing of the client takes part."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from aiohttp import web

from callfire_async.sandbox import Life, Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

PROFILE = "5a4dbd0c-0000-4000-8000-0000000c0de5"
LEAST = {"companyProfileGuid": PROFILE, "quantity": 2, "phoneNumberType": "LOCAL", "city": "Breda"}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7, processing=0.1) as running:
        yield running


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    base = f"{sandbox.cm_url}/voice-phonenumberrequestapi/v1/{sandbox.cm_account}"
    async with httpx.AsyncClient(base_url=base, headers={"X-CM-PRODUCTTOKEN": sandbox.cm_token}) as client:
        yield client


@pytest.fixture
async def heard() -> AsyncIterator[tuple[str, deque[Any]]]:
    """An address, and what was posted there."""
    bodies: deque[Any] = deque()

    async def take(request: web.Request) -> web.Response:
        text = await request.text()
        try:
            bodies.append(await request.json())
        except ValueError:
            bodies.append(text)
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", bodies
    await runner.cleanup()


async def buy(http: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    reply = await http.post("/numberrequests", json={**LEAST, **more})
    assert reply.status_code == 201, reply.text
    document: dict[str, Any] = reply.json()
    return document


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110  # what it waits for has no event
            await asyncio.sleep(0.002)


async def test_a_number_request_from_beginning_to_end(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    created = await buy(http, quantity=3, rangeSize=2, areaCode="206", region="WA", comment="hello")
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", created["guid"])
    assert re.fullmatch(r"20..-..-..T..:..:..\.\d+Z", created["createdOn"])
    empty = {"id": None, "start": None, "validFrom": None, "validTo": None}
    assert created == {
        **LEAST,
        "guid": created["guid"],
        "createdOn": created["createdOn"],
        "status": "REQUESTED",
        "statusReason": None,
        "quantity": 3,
        "rangeSize": 2,
        "areaCode": "206",
        "region": "WA",
        "comment": "hello",
        "callbackUrl": None,
        "numberRanges": [{**empty, "size": 2}, {**empty, "size": 1}],
    }
    await asyncio.sleep(0.15)
    ended = (await http.get(f"/numberrequests/{created['guid']}")).json()
    assert (ended["status"], bool(ended["statusReason"])) == ("COMPLETED", True)
    assert [part["size"] for part in ended["numberRanges"]] == [2, 1]
    first, second = (int(part["start"]) for part in ended["numberRanges"])
    assert second == first + 2
    assert sandbox.orders[created["guid"]].fulfilled == tuple(f"+{first + i}" for i in range(3))
    assert sandbox.purchases == 1


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"quantity": 0}, "quantity"),
        ({"quantity": 1001}, "quantity"),
        ({"quantity": "2"}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"companyProfileGuid": "7"}, "companyProfileGuid"),
        ({"phoneNumberType": "local"}, "phoneNumberType"),
        ({"rangeSize": 0}, "rangeSize"),
        ({"city": None}, "areaCode"),
        ({"city": ""}, "city"),
        ({"region": "NH", "areaCode": "20"}, "region"),
        ({"callbackUrl": "ftp://example.com/"}, "callbackUrl"),
        ({"Quantity": 2}, "Quantity"),
    ],
)
async def test_what_the_contract_forbids_is_refused_by_name(
    sandbox: Sandbox, http: httpx.AsyncClient, change: dict[str, Any], name: str
) -> None:
    reply = await http.post("/numberrequests", json={**LEAST, **change})
    assert reply.status_code == 400
    assert reply.headers["Content-Type"].startswith("application/problem+json")
    assert list(reply.json()["errors"]) == [name]
    assert sandbox.purchases == 0


async def test_refusals(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    for body in (b"", b"[]", b"{"):
        assert (await http.post("/numberrequests", content=body)).status_code == 400
    wrong = await http.post("/numberrequests", json=LEAST, headers={"X-CM-PRODUCTTOKEN": "wrong"})
    assert (wrong.status_code, wrong.text) == (401, "Unauthorized")
    elsewhere = str(http.base_url).replace(sandbox.cm_account, PROFILE)
    assert (await http.post(f"{elsewhere}/numberrequests", json=LEAST)).status_code == 404
    assert (await http.get("/numberrequests/nobody")).status_code == 404
    assert (await http.delete("/numberrequests/nobody")).status_code == 405
    assert (await http.get("/numberrequests", params={"skip": "-1"})).status_code == 400
    assert sandbox.purchases == 0


async def test_calls_about_one_order_within_a_second_are_counted_and_refused(
    sandbox: Sandbox, http: httpx.AsyncClient
) -> None:
    """A cancellation is one."""
    order_id = (await buy(http))["guid"]
    assert (await http.get(f"/numberrequests/{order_id}")).status_code == 200
    assert (await http.post(f"/numberrequests/{order_id}/cancel")).status_code == 429
    assert (await http.get("/numberrequests", params={"take": 1})).status_code == 200
    assert sandbox.violations == 1
    assert sandbox.orders[order_id].calls == 2


async def test_the_list_has_pages(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    placed = [(await buy(http))["guid"] for _ in range(60)]
    for params, skip, take in (({}, 0, 50), ({"skip": 55, "take": 20}, 55, 20), ({"take": 500}, 0, 50)):
        reply = await http.get("/numberrequests", params=params)
        assert [entry["guid"] for entry in reply.json()] == placed[skip : skip + take]
        headers = [reply.headers[f"X-Cm-Pagination-{name}"] for name in ("Skip", "Take", "Total")]
        assert headers == [str(skip), str(take), "60"]
    assert len(sandbox.orders) == 60


async def test_the_words_and_the_restrictions_can_be_asked_for(http: httpx.AsyncClient) -> None:
    statuses = (await http.get("/numberrequests/statuses")).json()
    assert {"REQUESTED", "COMPLETED", "REJECTED", "CANCELLED"} <= set(statuses)
    assert (await http.get("/numberrequests/restrictions")).json()["quantity"]["maximum"] == 1000


async def test_cancelling_is_possible_until_the_end(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.plan(Life(processing=60), Life(processing=0))
    order_id, ended = (await buy(http))["guid"], (await buy(http))["guid"]
    reply = await http.post(f"/numberrequests/{order_id}/cancel")
    assert (reply.status_code, reply.json()["status"]) == (200, "CANCELLED")
    assert sandbox.orders[order_id].status == "CANCELLED"
    assert (await http.post(f"/numberrequests/{ended}/cancel")).status_code == 409


CALLBACKS = [
    ("delivered", ["APPROVED", "COMPLETED"]),
    ("lost", []),
    ("twice", ["APPROVED", "APPROVED", "COMPLETED", "COMPLETED"]),
    ("early", ["REQUESTED", "APPROVED", "COMPLETED"]),
    ("out_of_order", ["APPROVED", "REQUESTED", "COMPLETED", "REQUESTED"]),
    ("forged", ["REJECTED", "APPROVED", "COMPLETED"]),
]


@pytest.mark.parametrize(("postback", "words"), CALLBACKS)
async def test_each_change_of_status_is_posted_whole(
    sandbox: Sandbox, http: httpx.AsyncClient, heard: tuple[str, deque[Any]], postback: Any, words: list[str]
) -> None:
    address, bodies = heard
    sandbox.plan(Life(postback=postback, processing=0.2))
    order_id = (await buy(http, callbackUrl=address))["guid"]
    await asyncio.sleep(0.3)
    await until(lambda: len(bodies) == len(words) == len(sandbox.deliveries))
    assert [body["status"] for body in bodies] == words
    if words:
        last = [body for body in bodies if body["status"] == "COMPLETED"][-1]
        assert last == (await http.get(f"/numberrequests/{order_id}")).json()


async def test_a_late_callback_and_a_malformed_one(
    sandbox: Sandbox, http: httpx.AsyncClient, heard: tuple[str, deque[Any]]
) -> None:
    address, bodies = heard
    sandbox.plan(Life(postback="late", late_by=0.3, processing=0), Life(postback="malformed"), Life(postback="late"))
    await buy(http, callbackUrl=address)
    await buy(http, callbackUrl=address)
    await until(lambda: len(bodies) == 2)
    assert all(isinstance(body, str) for body in bodies)
    assert (await buy(http, callbackUrl=address))["status"] == "REQUESTED"


async def test_final_at_once_parked_partial_and_a_script(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.plan(
        Life(processing=0),
        Life(result="parked", processing=0),
        Life(result="partial", processing=0),
        Life(statuses=[(0.0, "PORTED")]),
        Life(result="rejected", processing=0),
    )
    documents = [await buy(http) for _ in range(5)]
    assert [document["status"] for document in documents] == ["COMPLETED", "PENDING", "COMPLETED", "PORTED", "REJECTED"]
    assigned = [sum(part["start"] is not None for part in document["numberRanges"]) for document in documents]
    assert assigned == [2, 0, 1, 2, 0]
    sandbox.pay(documents[1]["guid"])
    assert sandbox.orders[documents[1]["guid"]].status == "COMPLETED"
    with pytest.raises(ValueError, match="only a PENDING one"):
        sandbox.pay(documents[0]["guid"])


@pytest.mark.parametrize(
    ("reply", "status"),
    [("error_before_accepting", 503), ("html", 502), ("error_after_accepting", 500), ("html_after_accepting", 200)],
)
async def test_the_answer_to_a_create_can_go_wrong(
    sandbox: Sandbox, http: httpx.AsyncClient, reply: Any, status: int
) -> None:
    sandbox.plan(Life(reply=reply))
    assert (await http.post("/numberrequests", json=LEAST)).status_code == status
    assert sandbox.purchases == (1 if "after" in reply else 0)


async def test_cm_and_callfire_do_not_know_each_others_orders(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    order_id = (await buy(http))["guid"]
    async with httpx.AsyncClient(base_url=sandbox.callfire_url, auth=(sandbox.login, sandbox.password)) as callfire:
        assert (await callfire.get(f"/number/order/{order_id}")).status_code == 404
        assert (await callfire.post("/number/order", data={"localCount": "1"})).status_code == 201
    assert (await http.get(f"/numberrequests/{list(sandbox.orders)[-1]}")).status_code == 404
    assert sandbox.purchases == 2


async def test_an_address_that_cannot_be_reached_is_in_the_log(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    order_id = (await buy(http, callbackUrl="http://127.0.0.1:9/hook"))["guid"]
    await until(lambda: len(sandbox.deliveries) == 2)
    assert {(delivery.order_id, delivery.status) for delivery in sandbox.deliveries} == {(order_id, None)}
    await sandbox.deliver(order_id, status="REJECTED")
    assert sandbox.deliveries[-1].word == "REJECTED"
