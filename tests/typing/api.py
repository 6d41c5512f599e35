"""Type-checked usage of the public names, as a user would write it. It is never executed: `mypy --strict` is its test."""

# ruff: noqa: TC002, TC003 - a user imports what he needs, without asking what it is needed for

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeVar, assert_type

import aiohttp.web
import httpx

import callfire_async
from callfire_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    CallFire,
    CallFireV2,
    ClosedError,
    CMNames,
    CMVoice,
    ConfigurationError,
    Error,
    InDoubt,
    InvalidOrderError,
    Listener,
    NotFoundError,
    NumberOrder,
    NumberRange,
    NumberRequest,
    Order,
    OrderClient,
    OrderError,
    OrderFailedError,
    OrderInDoubtError,
    OrderItem,
    OrderState,
    OrderTimeoutError,
    Outcome,
    PermissionDeniedError,
    PollPolicy,
    ProtocolError,
    Provider,
    RateLimitedError,
    Region,
    RequestTimeoutError,
    ServerError,
    Stats,
    Store,
    StoreError,
    TransportError,
    Webhook,
    open_store,
)
from callfire_async.providers.callfire import CallFireProvider
from callfire_async.sandbox import Sandbox
from callfire_async.stores.memory import MemoryStore

S = TypeVar("S", bound=OrderState)

version: str = callfire_async.__version__

# ------------------------------------------------------------------ values

region = Region(
    prefix="1206",
    city="Seattle",
    state="WA",
    zipcode="98154",
    country="US",
    lata="674",
    rate_center="SEATTLE",
    latitude=47.61,
    longitude=-122.331,
    time_zone="America/Los_Angeles",
)
nowhere = Region()

policy = PollPolicy(
    min_interval=1.0,
    grace=3.0,
    brisk_for=20.0,
    backoff=1.5,
    max_interval=60.0,
    parked_interval=300.0,
    max_concurrency=32,
    max_rate=None,
)
busy = PollPolicy(max_rate=50)


def look_at_an_item(item: OrderItem) -> None:
    assert_type(item.ordered, int)
    assert_type(item.unit_cost, Decimal)
    assert_type(item.fulfilled, tuple[str, ...])


def look_at_a_number_order(state: NumberOrder) -> None:
    assert_type(state.id, str)
    assert_type(state.status, str)
    assert_type(state.outcome, Outcome)
    assert_type(state.created, datetime)
    assert_type(state.total_cost, Decimal)
    assert_type(state.local_numbers, OrderItem | None)
    assert_type(state.toll_free_numbers, OrderItem | None)
    assert_type(state.keywords, OrderItem | None)
    assert_type(state.summary, Decimal | None)
    assert_type(state.sales_tax, Decimal | None)
    assert_type(state.total, Decimal | None)
    assert_type(state.numbers, tuple[str, ...])
    assert_type(state.shortfall, int)
    anyones: OrderState = state
    look_at_any_state(anyones)


def look_at_a_number_request(state: NumberRequest) -> None:
    assert_type(state.reason, str | None)
    assert_type(state.quantity, int)
    assert_type(state.ranges, tuple[NumberRange, ...])
    assert_type(state.created, datetime | None)
    assert_type(state.raw, Mapping[str, Any])
    for part in state.ranges:
        assert_type(part.id, str | None)
        assert_type(part.start, str | None)
        assert_type(part.size, int | None)
        assert_type(part.valid_from, datetime | None)
        assert_type(part.valid_to, datetime | None)
        assert_type(part.numbers, tuple[str, ...])
    look_at_any_state(state)


async def request_numbers(listener: Listener) -> None:
    names = CMNames(status="state", ids=("key",), outcomes={"PORTED": Outcome.FINISHED})
    client = CMVoice("token", account="uuid", base_url="https://api.cm.com", names=names, listener=listener)
    async with client as same, CMVoice(account="uuid"):
        assert_type(same, CMVoice)
        order = await client.order(
            company_profile="uuid",
            quantity=2,
            number_type="LOCAL",
            range_size=None,
            area_code="212",
            city="New York",
            region="NY",
            comment="hello",
            key="invoice 7",
        )
        assert_type(order, Order[NumberRequest])
        assert_type(await order, NumberRequest)
        assert_type(await client.get_order(order.id), NumberRequest)
        assert_type(await client.cancel(order.id), NumberRequest)
        assert_type([state async for state in client.orders(limit=7)], list[NumberRequest])


def look_at_any_state(state: OrderState) -> None:
    assert_type(state.id, str)
    assert_type(state.status, str)
    assert_type(state.outcome, Outcome)
    assert_type(state.numbers, tuple[str, ...])
    assert_type(state.shortfall, int)


def look_at_an_outcome(outcome: Outcome) -> str:
    match outcome:
        case Outcome.PENDING | Outcome.PARKED:
            return "not yet"
        case Outcome.FINISHED:
            return "good"
        case Outcome.FAILED:
            return outcome.upper()


# ------------------------------------------------------------------ a client and its orders


async def buy(http: httpx.AsyncClient, listener: Listener) -> None:
    async with CallFire() as client:
        assert_type(client, CallFire)

    client = CallFire(
        "login",
        "password",
        base_url="https://www.callfire.com/api/1.1/rest",
        store="memory:",
        listener=listener,
        trust_postbacks=False,
        poll=policy,
        timeout=30.0,
        max_retries=2,
        http=http,
    )
    CallFire(login="login", password="password", store=MemoryStore(), listener=None, http=None)  # noqa: S106
    async with client:
        order = await client.order(
            numbers=["18559875391"],
            keywords=("SUN",),
            local=3,
            toll_free=1,
            region=region,
            key="for the Seattle office",
        )
        assert_type(order, Order[NumberOrder])
        await client.order(numbers=(number for number in ("18559875391",)), region=None, key=None)
        assert_type(await client.get_order("1428507003"), NumberOrder)
        assert_type(await client.get_order(1428507003), NumberOrder)
        await follow(client, order)
    await client.aclose()


async def follow(client: CallFire, order: Order[NumberOrder]) -> None:
    assert_type(order.id, str)
    assert_type(order.key, str)
    assert_type(order.latest, NumberOrder | None)
    assert_type(order.outcome, Outcome)
    assert_type(order.settled_by, Literal["create", "postback", "poll", "store"] | None)
    assert_type(order.done(), bool)
    assert_type(await order, NumberOrder)
    assert_type(await order.result(), NumberOrder)
    assert_type(await order.result(timeout=60), NumberOrder)
    assert_type(await order.result(timeout=None), NumberOrder)
    assert_type(await order.refresh(), NumberOrder)
    async for state in order.updates():
        assert_type(state, NumberOrder)
    same: OrderClient[NumberOrder] = client
    await look_after(same)


async def look_after(client: OrderClient[S]) -> S | None:
    """What every provider's client can do, whatever its states are."""
    assert_type(await client.attach("1428507003"), Order[S])
    assert_type(await client.attach(1428507003), Order[S])
    assert_type(await client.pending(), list[Order[S]])
    for doubt in await client.in_doubt():
        assert_type(doubt, InDoubt)
        assert_type(doubt.key, str)
        assert_type(doubt.submitted_at, datetime)
        request: Mapping[str, Any] = doubt.request
        request.get("numbers")
    look_at_stats(client.stats())
    for order in await client.pending():
        return await order
    return None


def look_at_stats(stats: Stats) -> None:
    counts: Sequence[int] = (
        stats.placed,
        stats.in_doubt,
        stats.settled_by_create,
        stats.settled_by_postback,
        stats.settled_by_poll,
        stats.settled_by_store,
        stats.polls,
        stats.poll_errors,
        stats.postbacks_accepted,
        stats.postbacks_duplicate,
        stats.postbacks_unknown,
        stats.postbacks_early,
        stats.postbacks_refused,
    )
    assert_type(sum(counts), int)


async def buy_through_v2(http: httpx.AsyncClient, listener: Listener) -> None:
    async with CallFireV2(
        "login",
        "password",
        base_url="https://www.callfire.com/v2",
        store="memory:",
        listener=listener,
        trust_postbacks=False,
        poll=policy,
        timeout=30.0,
        max_retries=2,
        http=http,
        outcomes={"VOID": Outcome.FINISHED},
        webhook_secret="secret",  # noqa: S106
    ) as client:
        order = await client.order(
            numbers=["18559875391"], local=3, toll_free=1, region=Region(city="Seattle"), key="k"
        )
        assert_type(order, Order[NumberOrder])
        assert_type(await client.get_order(1428507003), NumberOrder)
        async for state in client.orders(status="FINISHED", since=None, until=None, limit=10):
            assert_type(state, NumberOrder)
        hook = await client.create_webhook(
            "name", resource="InboundText", events=["Finished"], callback=listener.url, single_use=True
        )
        assert_type(await client.webhook(hook), Webhook)
        await client.update_webhook(hook, enabled=False, events=("Finished",))
        await client.delete_webhook(hook)
        assert_type(await client.keyword_available("SUN"), bool)
        assert_type((await client.reconcile("k")).candidates, tuple[str, ...])
        same: OrderClient[NumberOrder] = client
        await look_after(same)


# ------------------------------------------------------------------ the listener


async def listen(context: ssl.SSLContext, parent: aiohttp.web.Application, scope: Any, receive: Any, send: Any) -> None:
    listener = Listener(
        host="0.0.0.0",  # noqa: S104
        port=8443,
        public_url="https://example.com/hooks",
        token="sixteen-and-more-letters",  # noqa: S106
        ssl=context,
        max_body=65536,
        read_timeout=5.0,
    )
    await listener.start()
    assert_type(listener.url, str)
    assert_type(listener.port, int)
    parent.add_subapp("/hooks", listener.app)
    await listener.asgi(scope, receive, send)
    assert_type(await listener.receive("/token", {"content-type": "text/xml"}, b"<a/>"), int)
    await listener.stop()


# ------------------------------------------------------------------ errors


async def fail(order: Order[NumberOrder]) -> None:
    try:
        await order.result(timeout=1)
    except OrderTimeoutError as exc:
        assert_type(exc.key, str)
        again: Order[Any] = exc.order
        await again
    except OrderFailedError as exc:
        look_at_any_state(exc.state)
        assert_type(exc.key, str)
    except OrderInDoubtError as exc:
        assert_type(exc.key, str)
    except RateLimitedError as exc:
        assert_type(exc.retry_after, float | None)
    except APIError as exc:
        assert_type(exc.status, int)
        assert_type(exc.message, str)
    except ProtocolError as exc:
        assert_type(exc.body, bytes)
    except TransportError as exc:
        assert_type(exc.sent, bool)


roots: tuple[type[Error], ...] = (
    InvalidOrderError,
    ConfigurationError,
    ClosedError,
    TransportError,
    RequestTimeoutError,
    ProtocolError,
    APIError,
    BadRequestError,
    AuthenticationError,
    PermissionDeniedError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    OrderError,
    OrderInDoubtError,
    OrderFailedError,
    OrderTimeoutError,
    StoreError,
)
timeouts: tuple[type[TimeoutError], ...] = (RequestTimeoutError, OrderTimeoutError)
values: tuple[type[ValueError], ...] = (InvalidOrderError, ConfigurationError)

# ------------------------------------------------------------------ seams

store: Store = MemoryStore()
named: Store = open_store("memory:")
provider: Provider[NumberOrder] = CallFireProvider({"VOID": Outcome.FINISHED})

# ------------------------------------------------------------------ the sandbox


async def play() -> None:
    async with Sandbox(host="127.0.0.1", port=0, processing=0.5, postbacks="delivered", seed=7) as sandbox:
        assert_type(sandbox, Sandbox)
        assert_type(sandbox.login, str)
        assert_type(sandbox.password, str)
        assert_type(sandbox.callfire_url, str)
        assert_type(sandbox.cm_url, str)
        assert_type(sandbox.callfire_v2_url, str)
        assert_type(sandbox.purchases, int)
        assert_type(sandbox.violations, int)
        sandbox.login = "another"
        async with CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url) as client:
            await (await client.order(local=1))
    Sandbox(seed=None)
