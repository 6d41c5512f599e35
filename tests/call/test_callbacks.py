"""An order's own callback address: who may speak of which order, and what is known when the answer to the purchase is not."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import httpx
import pytest

from callfire_async import (
    BadRequestError,
    CMVoice,
    Listener,
    OrderInDoubtError,
    Outcome,
    PollPolicy,
    StoreError,
    open_store,
)
from callfire_async.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

ACCOUNT = "5a4dbd0c-0000-4000-8000-00000000acc0"
PROFILE = "5a4dbd0c-0000-4000-8000-0000000c0de5"
HOOKS = "https://example.com/hooks"
#: Nobody asks by itself within a test: what is asked was caused by a callback.
PATIENT = PollPolicy(grace=600.0)


@dataclass
class Provider:
    """A CM.com whose answers a test writes."""

    #: What happens to the next purchases, in turn; then they are answered with an id.
    creates: list[Callable[[str], Awaitable[httpx.Response]]] = field(default_factory=list)
    #: id -> status, for GET.
    orders: dict[str, str] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            address = json.loads(request.content or b'{"callbackUrl": ""}')["callbackUrl"]
            self.addresses.append(address)
            if self.creates:
                return await self.creates.pop(0)(address)
            order_id = f"order-{len(self.addresses)}"
            self.orders[order_id] = "REQUESTED"
            return httpx.Response(201, json=document(order_id, "REQUESTED"))
        order_id = request.url.path.rpartition("/")[2]
        self.asked.append(order_id)
        return httpx.Response(200, json=document(order_id, self.orders[order_id]))


def document(order_id: str | None, status: str) -> dict[str, Any]:
    ranges = [{"start": "+31201234567"}] if status == "COMPLETED" else []
    return {"guid": order_id, "status": status, "quantity": 1, "numberRanges": ranges}


class House:
    """A client, its listener, and the provider they know."""

    def __init__(self, **options: Any) -> None:
        self.provider = Provider()
        self.listener = Listener(serve=False, public_url=HOOKS)
        self.options = {"poll": PATIENT, **options}

    async def __aenter__(self) -> Self:
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self.provider.answer))
        self.client = self.another()
        await self.client.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.client.aclose()
        await self.http.aclose()

    def another(self) -> CMVoice:
        return CMVoice(
            "t",
            account=ACCOUNT,
            base_url="https://api.example.com",
            listener=self.listener,
            http=self.http,
            **self.options,
        )

    async def buy(self, key: str) -> Any:
        return await self.client.order(company_profile=PROFILE, quantity=1, city="Breda", key=key)

    async def call_back(self, address: str, body: object) -> int:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        assert address.startswith(f"{HOOKS}/")
        return await self.listener.receive(address.removeprefix(HOOKS), {}, raw)


async def nameless(_: str) -> httpx.Response:
    return httpx.Response(201, json={"guid": None, "status": "REQUESTED"})


async def refused(_: str) -> httpx.Response:
    return httpx.Response(400)


async def lost(_: str) -> httpx.Response:
    raise httpx.ReadError("The connection broke.")


# ------------------------------------------------------------------ when the answer is lost


@pytest.mark.parametrize("create", [nameless, lost])
async def test_a_callback_ends_a_doubt(create: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "callfire_async.registry")
    async with House() as house:
        house.provider.creates = [create]
        with pytest.raises(OrderInDoubtError, match="and so does its callback, should one come"):
            await house.buy("a")
        assert [doubt.key for doubt in await house.client.in_doubt()] == ["a"]
        house.provider.orders["7"] = "COMPLETED"
        assert await house.call_back(house.provider.addresses[0], document("7", "APPROVED")) == 200
        assert await house.client.in_doubt() == []
        (order,) = await house.client.pending()
        assert (order.id, order.key) == ("7", "a")
        assert (await order).numbers == ("+31201234567",)
        assert order.settled_by == "postback"
        assert (await house.buy("a")).id == "7"
        assert len(house.provider.addresses) == 1
        assert "The purchase 'a' is order 7: its callback says so." in caplog.messages


@pytest.mark.parametrize("create", [nameless, lost])
async def test_a_callback_that_comes_before_the_answer_is_lost_makes_it_no_doubt(create: Any) -> None:
    async with House() as house:

        async def called_back_first(address: str) -> httpx.Response:
            assert await house.call_back(address, document("7", "REQUESTED")) == 200
            answer: httpx.Response = await create(address)
            return answer

        house.provider.orders["7"] = "REQUESTED"
        house.provider.creates = [called_back_first]
        order = await house.buy("a")
        assert (order.id, order.key) == ("7", "a")
        assert (house.client.stats().placed, house.client.stats().in_doubt) == (1, 0)


async def test_a_refusal_does_not_count_for_an_order_that_has_called_back() -> None:
    async with House() as house:

        async def refused_after_all(address: str) -> httpx.Response:
            assert await house.call_back(address, document("7", "REQUESTED")) == 200
            return httpx.Response(400)

        house.provider.orders["7"] = "REQUESTED"
        house.provider.creates = [refused_after_all, refused]
        assert (await house.buy("a")).id == "7"
        with pytest.raises(BadRequestError):
            await house.buy("b")
        assert [order.key for order in await house.client.pending()] == ["a"]
        assert await house.call_back(house.provider.addresses[1], document("8", "REQUESTED")) == 404


@pytest.mark.parametrize("trust", [False, True])
async def test_an_order_that_ends_before_its_answer_comes_was_settled_by_its_callback(
    *, trust: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with House(trust_postbacks=trust) as house:

        async def ends_first(address: str) -> httpx.Response:
            house.provider.orders["7"] = "COMPLETED"
            assert await house.call_back(address, document("7", "COMPLETED")) == 200
            while house.client.stats().settled_by_postback < 1:  # noqa: ASYNC110  # what it waits for has no event
                await asyncio.sleep(0.002)
            return httpx.Response(201, json=document("7", "REQUESTED"))

        house.provider.creates = [ends_first]
        order = await house.buy("a")
        assert order.done()
        assert order.settled_by == "postback"
        assert (await order).outcome is Outcome.FINISHED
        stats = house.client.stats()
        assert (stats.placed, stats.settled_by_postback, stats.settled_by_store, stats.settled_by_create) == (
            1,
            1,
            0,
            0,
        )
        assert stats.polls == (0 if trust else 1)
        assert caplog.messages == []


# ------------------------------------------------------------------ whose word it is


async def test_a_callback_speaks_of_its_own_order_whatever_it_names() -> None:
    """Trusted or not: with the address of one order nobody settles another."""
    for trust in (False, True):
        async with House(trust_postbacks=trust) as house:
            one, other = await house.buy("one"), await house.buy("other")
            assert await house.call_back(house.provider.addresses[0], document(other.id, "REJECTED")) == 200
            await asyncio.sleep(1.1)  # the orders have rested, and who is asked about now was named
            assert house.provider.asked == [one.id]
            assert other.latest.status == "REQUESTED"
            assert not other.done()


async def test_a_callback_of_a_doubt_cannot_take_another_purchases_order(caplog: pytest.LogCaptureFixture) -> None:
    async with House() as house:
        house.provider.creates = [nameless]
        with pytest.raises(OrderInDoubtError):
            await house.buy("a")
        other = await house.buy("b")
        for _ in range(2):
            assert await house.call_back(house.provider.addresses[0], document(other.id, "REJECTED")) == 200
        assert [doubt.key for doubt in await house.client.in_doubt()] == ["a"]
        assert other.latest.status == "REQUESTED"
        assert house.provider.asked == []
        assert f"names order {other.id}, which is the purchase 'b'" in caplog.text
        assert house.client.stats().postbacks_unknown == 2


async def test_a_callback_without_an_id_is_a_reason_to_ask_about_its_order() -> None:
    async with House() as house:
        order = await house.buy("a")
        house.provider.orders[order.id] = "COMPLETED"
        assert await house.call_back(house.provider.addresses[0], {"status": "COMPLETED"}) == 200
        await order
        assert order.settled_by == "postback"


async def test_a_callback_without_an_id_cannot_name_a_doubt() -> None:
    async with House() as house:
        house.provider.creates = [nameless]
        with pytest.raises(OrderInDoubtError):
            await house.buy("a")
        bodies: list[object] = [{"status": "COMPLETED"}, document("../7", "COMPLETED"), []]
        for body in bodies:
            assert await house.call_back(house.provider.addresses[0], body) == 200
        assert [doubt.key for doubt in await house.client.in_doubt()] == ["a"]
        assert await house.call_back(house.provider.addresses[0], b"{") == 400


async def test_a_callback_is_heeded_though_a_cancellation_goes_out_first() -> None:
    async with House() as house:
        order = await house.buy("a")
        house.provider.creates = [refused]  # the cancellation is the next POST
        assert await house.call_back(house.provider.addresses[0], document(order.id, "COMPLETED")) == 200
        house.provider.orders[order.id] = "COMPLETED"
        with pytest.raises(BadRequestError):
            await house.client.cancel(order.id)
        assert house.provider.asked == []
        await order
        assert order.settled_by == "postback"


async def test_a_settled_order_hears_no_more() -> None:
    async with House(trust_postbacks=True) as house:
        order = await house.buy("a")
        (address,) = house.provider.addresses
        for status in ("COMPLETED", "COMPLETED", "REJECTED", "REQUESTED"):
            assert await house.call_back(address, document(order.id, status)) == 200
        assert (await order).status == "COMPLETED"
        assert house.client.stats().postbacks_duplicate == 3
        assert house.provider.asked == []


async def test_only_the_address_that_was_given_out_is_one() -> None:
    async with House() as house:
        order = await house.buy("a")
        address = house.provider.addresses[0]
        another = address[:-1] + ("A" if address[-1] != "A" else "B")
        for wrong in (another, address[:-1], f"{HOOKS}/{order.id}", f"{HOOKS}/"):
            assert await house.call_back(wrong, document(order.id, "REJECTED")) == 404
        assert house.client.stats().postbacks_refused == 4
        assert address not in repr(order.latest.raw) + repr(house.listener) + repr(house.client)


async def test_a_store_that_is_away_is_503_and_the_sender_may_try_again() -> None:
    class Fickle(MemoryStore):
        away = False

        async def find_callback(self, *args: Any) -> Any:
            if self.away:
                raise StoreError("The disk is full.")
            return await super().find_callback(*args)

    async with Fickle() as store, House(store=store) as house:
        order = await house.buy("a")
        house.provider.orders[order.id] = "COMPLETED"
        (address,) = house.provider.addresses
        store.away = True
        assert await house.call_back(address, document(order.id, "COMPLETED")) == 503
        store.away = False
        assert await house.call_back(address, document(order.id, "COMPLETED")) == 200
        assert (await order).status == "COMPLETED"


# ------------------------------------------------------------------ after a restart


def written(folder: Path, secret: str) -> bool:
    return any(secret.encode() in path.read_bytes() for path in folder.iterdir())


@pytest.mark.parametrize("create", [None, nameless, lost])
async def test_a_callback_finds_its_order_after_a_restart(create: Any, tmp_path: Path) -> None:
    house = House(store=f"sqlite:{tmp_path / 'orders.db'}")
    async with house:
        if create is None:
            await house.buy("a")
        else:
            house.provider.creates = [create]
            with pytest.raises(OrderInDoubtError):
                await house.buy("a")
    (address,) = house.provider.addresses
    assert not written(tmp_path, address.rpartition("/")[2])
    house.provider.orders["order-1"] = "COMPLETED"
    assert await house.call_back(address, document("order-1", "COMPLETED")) == 503  # nobody is there to hear it
    async with house:
        assert await house.call_back(address, document("order-1", "COMPLETED")) == 200
        order = await house.buy("a")
        assert (await order).numbers == ("+31201234567",)
        assert order.key == "a"
        assert len(house.provider.addresses) == 1


async def test_one_listener_and_one_store_serve_two_accounts_and_nothing_is_crossed() -> None:
    async with open_store("memory:") as store, House(store=store) as house:
        other = CMVoice(
            "t", account=PROFILE, base_url="https://api.example.com", listener=house.listener, http=house.http,
            store=store, poll=PATIENT, trust_postbacks=True,
        )  # fmt: skip
        async with other:
            one = await house.buy("a")
            two = await other.order(company_profile=PROFILE, quantity=1, city="Breda", key="a")
            assert await house.call_back(house.provider.addresses[1], document(two.id, "COMPLETED")) == 200
            assert two.done()
            assert not one.done()
            assert other.stats().postbacks_accepted == 1
            assert house.client.stats().postbacks_accepted == 0
