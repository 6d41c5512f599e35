"""The main job over real sockets: order, await, whatever the postbacks and the network do."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from itertools import pairwise

import httpx
import pytest

from callfire_async import (
    CallFire,
    Error,
    Listener,
    NumberOrder,
    Order,
    OrderFailedError,
    OrderTimeoutError,
    Outcome,
    PollPolicy,
)
from callfire_async.sandbox import Life, Sandbox

ORDERS = int(os.environ.get("CALLFIRE_TEST_ORDERS", "200"))
WAITS = int(os.environ.get("CALLFIRE_TEST_WAITS", "10000"))


def gaps(sandbox: Sandbox) -> list[float]:
    """Seconds between two calls about the same order, as the server saw them arrive."""
    times: dict[str, list[float]] = {}
    for call in sandbox.calls:
        if call.order_id is not None:
            times.setdefault(call.order_id, []).append(call.at)
    return [later - earlier for at in times.values() for earlier, later in pairwise(at)]


async def first(states: AsyncIterator[NumberOrder]) -> NumberOrder:
    return await anext(states)


def client_of(sandbox: Sandbox, listener: Listener | None = None, **options: object) -> CallFire:
    return CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url, listener=listener, **options)  # type: ignore[arg-type]


async def test_many_orders_each_settle_once_and_no_two_calls_come_within_a_second() -> None:
    """Half of the postbacks are lost, answers take 0 to 2 s, and refresh() and get_order() are called at random on the way."""
    seed = int(os.environ.get("CALLFIRE_TEST_SEED", "20261121"))
    print(f"seed {seed}, {ORDERS} orders")
    chance = random.Random(seed)
    listener = Listener()
    ends: Counter[str] = Counter()

    async def meddle(client: CallFire, order: Order[NumberOrder]) -> None:
        while not order.done():
            await asyncio.sleep(chance.uniform(0.0, 1.5))
            call = order.refresh() if chance.random() < 0.5 else client.get_order(order.id)
            state = await call
            assert state.id == order.id

    async def buy(client: CallFire) -> None:
        order = await client.order(local=1)
        finals = 0
        meddling = asyncio.create_task(meddle(client, order)) if chance.random() < 0.5 else None
        async for state in order.updates():
            finals += state.outcome.final
        assert finals == 1
        state = await order
        assert state.outcome is Outcome.FINISHED
        ends[str(order.settled_by)] += 1
        if meddling is not None:
            await meddling

    async with (
        Sandbox(processing=2.0, latency=(0.0, 2.0), seed=seed) as sandbox,
        client_of(sandbox, listener) as client,
    ):
        sandbox.subscribe(listener.url)
        sandbox.plan(
            *(
                Life(postback="lost" if i % 2 else "delivered", processing=chance.uniform(0.5, 4.0))
                for i in range(ORDERS)
            )
        )
        await asyncio.gather(*(buy(client) for _ in range(ORDERS)))
        stats = client.stats()
        assert await client.pending() == []

    assert sandbox.purchases == ORDERS
    assert sum(ends.values()) == stats.settled_by_poll + stats.settled_by_postback == ORDERS
    assert ends["postback"] > 0
    assert ends["poll"] > 0
    assert sandbox.violations == 0
    assert gaps(sandbox), "the rule is only shown where an order is asked about twice"
    assert min(gaps(sandbox)) >= 1.0


async def wait_for_result(_: CallFire, order: Order[NumberOrder], patience: float) -> None:
    await order.result(timeout=patience)


async def keep_refreshing(_: CallFire, order: Order[NumberOrder], __: float) -> None:
    while True:
        await order.refresh()


async def keep_asking(client: CallFire, order: Order[NumberOrder], _: float) -> None:
    while True:
        await client.get_order(order.id)


async def read_updates(_: CallFire, order: Order[NumberOrder], __: float) -> None:
    async for _state in order.updates():
        pass


@pytest.mark.parametrize("carrier", ["own transport", "plain httpx"])
async def test_ten_thousand_abandoned_waits_cost_neither_connections_nor_tasks(carrier: str) -> None:
    before = asyncio.all_tasks()
    http = (
        httpx.AsyncClient(limits=httpx.Limits(max_connections=4), trust_env=False) if carrier == "plain httpx" else None
    )
    policy = PollPolicy(max_concurrency=4)
    chance = random.Random(7)
    async with (
        Sandbox(processing=12.0, latency=(0.05, 0.6), seed=7) as sandbox,
        client_of(sandbox, http=http, poll=policy) as client,
    ):
        orders = [await client.order(local=1) for _ in range(20)]
        abandoned: Counter[str] = Counter()

        async def wait_in_vain(order: Order[NumberOrder]) -> None:
            way = chance.choice([wait_for_result, keep_refreshing, keep_asking, read_updates])
            try:
                async with asyncio.timeout(chance.uniform(0.0, 3.0)):
                    await way(client, order, chance.uniform(0.0, 3.0))
            except OrderTimeoutError:
                abandoned["timed out"] += 1
            except TimeoutError:
                abandoned["cancelled"] += 1

        await asyncio.gather(*(wait_in_vain(chance.choice(orders)) for _ in range(WAITS)))
        assert sum(abandoned.values()) == WAITS
        assert min(abandoned["timed out"], abandoned["cancelled"]) > WAITS // 20
        states = await asyncio.gather(*orders)
        assert {state.outcome for state in states} == {Outcome.FINISHED}
        assert (await client.order(toll_free=1)).id
        assert sandbox.violations == 0
    if http is not None:
        await http.aclose()
    assert asyncio.all_tasks() == before


async def test_one_of_five_waiters_cancelled_and_one_timed_out_leaves_three_with_the_result() -> None:
    async with Sandbox(processing=2.0) as sandbox, client_of(sandbox) as client:
        order = await client.order(local=2)
        waits = [asyncio.create_task(order.result(timeout=0.2 if i == 4 else None)) for i in range(5)]
        await asyncio.sleep(0)
        waits[3].cancel()
        *results, cancelled, timed_out = await asyncio.gather(*waits, return_exceptions=True)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert isinstance(timed_out, OrderTimeoutError)
    assert timed_out.order is order
    assert [type(result) for result in results] == [NumberOrder] * 3
    assert results[0] == results[1] == results[2]


ENDS = [
    pytest.param(Life(), "FINISHED", 0, id="finished"),
    pytest.param(Life(result="partial"), "FINISHED", 1, id="partial"),
    pytest.param(Life(result="parked", paid_after=0.1), "FINISHED", 0, id="parked-then-paid"),
    pytest.param(Life(newer_fields=True, notes=True), "FINISHED", 0, id="newer-fields-and-notes"),
    pytest.param(Life(postback="twice"), "FINISHED", 0, id="postback-twice"),
    pytest.param(Life(postback="early"), "FINISHED", 0, id="postback-early"),
    pytest.param(Life(postback="out_of_order"), "FINISHED", 0, id="postback-out-of-order"),
    pytest.param(Life(postback="malformed"), "FINISHED", 0, id="postback-malformed"),
    pytest.param(Life(postback="forged"), "FINISHED", 0, id="postback-forged"),
    pytest.param(Life(polls=["error500", "drop", "html"]), "FINISHED", 0, id="flaky-polls"),
    pytest.param(Life(polls=["malformed", "html_with_200", "not_found"]), "FINISHED", 0, id="unreadable-polls"),
    pytest.param(Life(polls=["rate_limited"], retry_after=1), "FINISHED", 0, id="rate-limited"),
    pytest.param(Life(reply="slow", reply_after=0.3), "FINISHED", 0, id="slow-reply"),
]


@pytest.mark.parametrize(("life", "status", "shortfall"), ENDS)
async def test_every_order_ends_with_the_providers_final_word(life: Life, status: str, shortfall: int) -> None:
    listener = Listener()
    policy = PollPolicy(grace=1.0, parked_interval=1.0, max_interval=2.0)
    async with Sandbox(processing=0.4, seed=3) as sandbox, client_of(sandbox, listener, poll=policy) as client:
        sandbox.subscribe(listener.url)
        sandbox.plan(life)
        order = await client.order(local=2)
        state = await order.result(timeout=20)
        assert (state.status, state.shortfall) == (status, shortfall)
        assert state.numbers == sandbox.orders[order.id].fulfilled
        assert await client.pending() == []
    assert sandbox.violations == 0


@pytest.mark.parametrize("result", ["errored", "rejected", "void"])
async def test_a_bad_end_raises_with_the_final_state(result: str) -> None:
    async with Sandbox(processing=0.1, life=Life(result=result)) as sandbox, client_of(sandbox) as client:  # type: ignore[arg-type]
        order = await client.order(local=1)
        with pytest.raises(OrderFailedError, match=order.id) as caught:
            await order
        assert caught.value.state == order.latest
        assert order.outcome is Outcome.FAILED
        with pytest.raises(OrderFailedError):
            await order.result(timeout=0)


async def test_wrong_credentials_surface_and_waiting_again_asks_again() -> None:
    async with Sandbox(processing=0.1) as sandbox, client_of(sandbox) as client:
        order = await client.order(local=1)
        right, sandbox.password = sandbox.password, "another one"
        for _ in range(2):
            with pytest.raises(Error, match="UNAUTHORIZED"):
                await order
        assert [o.id for o in await client.pending()] == [order.id]
        sandbox.password = right
        assert (await order).outcome is Outcome.FINISHED


async def test_the_same_key_gives_back_the_same_order_and_buys_nothing() -> None:
    async with Sandbox(processing=0.1) as sandbox, client_of(sandbox) as client:
        orders = await asyncio.gather(*(client.order(local=1, key="invoice 7") for _ in range(10)))
        assert len({order.id for order in orders}) == 1
        await orders[0]
        again = await client.order(local=1, key="invoice 7")
        assert again.done()
        assert again.settled_by == "store"
        with pytest.raises(Error, match="local was 1 and is now 2"):
            await client.order(local=2, key="invoice 7")
        assert sandbox.purchases == 1


async def test_an_order_placed_elsewhere_can_be_attached() -> None:
    async with Sandbox(processing=0.1) as sandbox, client_of(sandbox) as one, client_of(sandbox) as other:
        order = await one.order(local=1)
        attached = await other.attach(int(order.id))
        assert (await attached).numbers == (await order).numbers
        assert (await other.attach(order.id)).done()


async def test_a_closed_client_releases_those_who_wait() -> None:
    async with Sandbox(processing=60) as sandbox:
        async with client_of(sandbox) as client:
            order = await client.order(local=1)
            wait = asyncio.create_task(order.result())
            news = asyncio.create_task(first(order.updates()))
            asking = asyncio.create_task(order.refresh())
            await asyncio.sleep(0)
        for task in (wait, news, asking):
            with pytest.raises(Error, match="closed"):
                await task
        with pytest.raises(Error, match="closed"):
            await order
        with pytest.raises(Error, match="closed"):
            await client.order(local=1)


async def test_a_late_reader_of_updates_still_gets_the_final_state() -> None:
    async with Sandbox(processing=0.1) as sandbox, client_of(sandbox) as client:
        order = await client.order(local=1)
        final = await order
        assert [state async for state in order.updates()] == [final]
