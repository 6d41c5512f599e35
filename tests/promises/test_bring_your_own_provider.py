"""A provider of one's own drives OrderClient from end to end, by public names alone; acme.py is all that had to be written."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from acme import Acme, AcmeOrder
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from callfire_async import (
    BadRequestError,
    InvalidOrderError,
    Listener,
    Order,
    OrderClient,
    OrderFailedError,
    OrderInDoubtError,
    PollPolicy,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Shop:
    """Acme itself. `status` is what becomes of the orders to come, `lose` makes it forget to answer the next purchase."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, float]] = []
        self.status = "ready"
        self.lose = False
        self.url = ""

    async def create(self, request: web.Request) -> web.Response:
        count = (await request.json())["count"]
        if count > 9:
            return web.Response(status=400)
        order = {"id": f"A{len(self.orders) + 1}", "status": "working", "count": count, "numbers": []}
        self.orders[str(order["id"])] = order
        if self.lose:
            self.lose = False
            return web.Response(status=502)
        return web.json_response(order, status=201)

    async def tell(self, request: web.Request) -> web.Response:
        order_id = request.match_info["id"]
        self.asked.append((order_id, monotonic()))
        return web.json_response(self.settled(order_id))

    async def list(self, _: web.Request) -> web.Response:
        return web.json_response(list(self.orders.values()))

    def settled(self, order_id: str) -> dict[str, Any]:
        order = self.orders[order_id]
        order["status"] = self.status
        order["numbers"] = [f"+1206555010{n}" for n in range(order["count"])] if self.status == "ready" else []
        return order


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop, app = Shop(), web.Application()
    app.add_routes(
        [web.post("/orders", shop.create), web.get("/orders", shop.list), web.get("/orders/{id}", shop.tell)]
    )
    async with TestServer(app) as server:
        shop.url = str(server.make_url("")).rstrip("/")
        yield shop


def client_of(shop: Shop, **options: Any) -> OrderClient[AcmeOrder]:
    return OrderClient(Acme(), "me", base_url=shop.url, headers={"Authorization": "Bearer abc"}, **options)


async def test_it_is_ordered_awaited_and_asked_about_once_a_second(shop: Shop) -> None:
    shop.status = "working"
    async with client_of(shop) as client:
        order = await client.order_content({"count": 2}, key="invoice 7")
        assert (order.id, order.key, order.latest and order.latest.status) == ("A1", "invoice 7", "working")
        states = await asyncio.gather(order.refresh(), client.get_order("A1"))
        assert {state.status for state in states} == {"working"}
        shop.status = "ready"
        state = await order
        assert state.numbers == ("+12065550100", "+12065550101")
        assert order.settled_by == "poll"
        assert (await client.order_content({"count": 2}, key="invoice 7")).id == "A1"
    assert min(later - earlier for (_, earlier), (_, later) in pairwise(shop.asked)) >= 1.0
    assert len(shop.orders) == 1


async def test_its_bad_end_and_its_refusal_raise(shop: Shop) -> None:
    shop.status = "failed"
    async with client_of(shop) as client:
        with pytest.raises(OrderFailedError, match="Order A1 ended as failed"):
            await (await client.order_content({"count": 1}))
        with pytest.raises(BadRequestError, match="Acme said no"):
            await client.order_content({"count": 10}, key="a")
        with pytest.raises(InvalidOrderError, match="no order of Acme's"):
            await client.attach("../A1")
        assert await client.in_doubt() == []


async def test_its_doubts_outlive_a_restart_and_are_settled(shop: Shop, tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'orders.db'}"
    shop.lose = True
    async with client_of(shop, store=store) as client:
        with pytest.raises(OrderInDoubtError):
            await client.order_content({"count": 3}, key="lost")
        await client.order_content({"count": 2}, key="open")
    async with client_of(shop, store=store) as client:
        (left,) = await client.pending()
        assert (left.id, left.key) == ("A2", "open")
        with pytest.raises(OrderInDoubtError, match="Nothing was sent now"):
            await client.order_content({"count": 3}, key="lost")
        found = await client.reconcile("lost")
        assert (found.verdict, found.order_id, found.evidence) == ("placed", "A1", ("1 of Acme's 2 orders fit.",))
        await client.get_order("A1")  # now it is known to exist, and need not be looked for
        assert (await client.reconcile("lost")).evidence[0].startswith("Order A1 exists, is ready")
        lost = await client.resolve("lost", order_id="A1")
        assert [len((await order).numbers) for order in (left, lost)] == [2, 3]
    async with client_of(shop, store=store) as client:
        again = await client.order_content({"count": 3}, key="lost")
        assert (again.id, again.settled_by, len((await again).numbers)) == ("A1", "store", 3)
    assert len(shop.orders) == 2


async def test_its_postbacks_make_the_client_ask(shop: Shop) -> None:
    listener = Listener()
    async with (
        client_of(shop, listener=listener, poll=PollPolicy(grace=600.0)) as client,
        ClientSession() as acme,
    ):
        order = await client.order_content({"count": 1})
        for body, status in ((shop.settled(order.id), 200), ({"id": order.id}, 400)):
            async with acme.post(listener.url, json=body) as answer:
                assert answer.status == status
        assert (await order).shortfall == 0
        assert order.settled_by == "postback"


class AcmeClient(OrderClient[AcmeOrder]):
    """A client with words of its own."""

    async def order(self, *, count: int, key: str | None = None) -> Order[AcmeOrder]:
        if count < 1:
            raise InvalidOrderError(f"count={count} must be at least 1; nothing was sent.")
        return await self.order_content({"count": count}, key=key)


async def test_a_client_of_its_own_checks_what_is_ordered(shop: Shop) -> None:
    async with AcmeClient(Acme(), "me", base_url=shop.url, headers={}) as client:
        with pytest.raises(InvalidOrderError, match="at least 1"):
            await client.order(count=0)
        assert shop.orders == {}
        assert len((await (await client.order(count=4))).numbers) == 4
