"""Two clients with a store each on one database, as in two processes: keys, waits, questions, and a database that goes away."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from callfire_async import CallFire, Listener, OrderInDoubtError, Outcome, PollPolicy, StoreError
from callfire_async.errors import AuthenticationError
from callfire_async.sandbox import Life, Sandbox
from callfire_async.stores import Claim, Deadline, Scope
from callfire_async.stores.memory import MemoryStore

if TYPE_CHECKING:
    from postgres_server import PostgresServer

TOKEN = "0123456789abcdef"  # noqa: S105 - it keeps nobody out


def client_of(
    sandbox: Sandbox, database: str, *, listener: Listener | None = None, password: str | None = None
) -> CallFire:
    return CallFire(
        sandbox.login,
        password or sandbox.password,
        base_url=sandbox.callfire_url,
        store=database,
        listener=listener,
        poll=PollPolicy(grace=60.0 if listener else 0.0),
        timeout=3.0,
    )


@asynccontextmanager
async def two(sandbox: Sandbox, database: str) -> AsyncIterator[tuple[CallFire, CallFire]]:
    async with client_of(sandbox, database) as one, client_of(sandbox, database) as other:
        yield one, other


async def test_the_same_key_at_the_same_time_buys_once_and_both_wait_for_it(postgres_url: str) -> None:
    async with Sandbox(processing=0.5) as sandbox, two(sandbox, postgres_url) as (one, other):
        sandbox.plan(Life(reply="slow", reply_after=0.5))
        orders = await asyncio.gather(one.order(local=1, key="a"), other.order(local=1, key="a"))
        assert orders[0].id == orders[1].id
        states = await asyncio.gather(*orders)
        assert states[0] == states[1]
        assert (sandbox.purchases, sandbox.violations) == (1, 0)


async def test_a_key_that_one_refused_is_bought_by_the_other_who_waited(postgres_url: str) -> None:
    async with Sandbox(processing=0.0) as sandbox:
        async with (
            client_of(sandbox, postgres_url, password="wrong") as one,  # noqa: S106 - on purpose
            client_of(sandbox, postgres_url) as other,
        ):
            first, second = await asyncio.gather(
                one.order(local=1, key="a"), other.order(local=1, key="a"), return_exceptions=True
            )
            assert isinstance(first, AuthenticationError) or first.id == second.id  # type: ignore[union-attr]
            assert not isinstance(second, BaseException)
            await second
        assert sandbox.purchases == 1


async def test_a_doubt_of_one_is_a_doubt_of_all(postgres_url: str) -> None:
    async with Sandbox(processing=0.0) as sandbox, two(sandbox, postgres_url) as (one, other):
        sandbox.plan(Life(reply="lost_after_accepting"))
        ends = await asyncio.gather(one.order(local=1, key="a"), other.order(local=1, key="a"), return_exceptions=True)
        assert {type(end) for end in ends} == {OrderInDoubtError}
        assert [doubt.key for doubt in await other.in_doubt()] == ["a"]
        (order_id,) = sandbox.orders
        order = await other.resolve("a", order_id=order_id)
        assert await order == await (await one.order(local=1, key="a"))
        assert sandbox.purchases == 1


async def test_a_postback_at_one_settles_the_wait_at_the_other(postgres_url: str) -> None:
    async with Sandbox(processing=0.3) as sandbox:
        async with (
            client_of(sandbox, postgres_url, listener=Listener(token=TOKEN)) as waiting,
            client_of(sandbox, postgres_url, listener=(listener := Listener(token=TOKEN))) as hearing,
        ):
            sandbox.subscribe(listener.url)
            async with asyncio.timeout(5):
                state = await (await waiting.order(local=1))
            assert state.outcome is Outcome.FINISHED
            assert hearing.stats().settled_by_postback + waiting.stats().settled_by_postback == 1
        assert sandbox.violations == 0


async def test_who_wants_an_answer_gets_one_whoever_asks_by_the_schedule(postgres_url: str) -> None:
    async with Sandbox(processing=60.0) as sandbox, two(sandbox, postgres_url) as clients:
        order = await clients[0].order(local=1)
        async with asyncio.timeout(20):
            for _ in range(3):
                states = await asyncio.gather(*(client.get_order(order.id) for client in clients))
                assert [state.status for state in states] == ["PROCESSING"] * 2
        assert sandbox.violations == 0


async def test_an_order_of_a_process_that_is_gone_is_asked_about_by_the_others(postgres_url: str) -> None:
    async with Sandbox(processing=0.5) as sandbox:
        async with client_of(sandbox, postgres_url) as idle:
            async with client_of(sandbox, postgres_url) as gone:
                order_id = (await gone.order(local=1)).id
            (left,) = await idle.pending()
            assert left.id == order_id
            assert (await left.result(timeout=15)).outcome is Outcome.FINISHED
        assert sandbox.violations == 0


async def test_one_with_a_wrong_password_does_not_stop_the_asking_of_the_other(postgres_url: str) -> None:
    async with (
        Sandbox(processing=1.5) as sandbox,
        client_of(sandbox, postgres_url, password="wrong"),  # noqa: S106 - on purpose
        client_of(sandbox, postgres_url) as right,
    ):
        orders = await asyncio.gather(*(right.order(local=1) for _ in range(8)))
        await asyncio.gather(*(order.result(timeout=30) for order in orders))


async def test_the_database_goes_away_and_comes_back(
    postgres_server: "PostgresServer", postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Listener(token=TOKEN)
    async with Sandbox(processing=2.0) as sandbox, client_of(sandbox, postgres_url, listener=listener) as client:
        order = await client.order(local=1, key="before")
        waiting = asyncio.create_task(order.result())
        await asyncio.to_thread(postgres_server.stop)
        try:
            with pytest.raises(StoreError, match="cannot be reached"):
                await client.order(local=1, key="meanwhile")
            assert sandbox.purchases == 1
            async with httpx.AsyncClient() as sender:
                body = f'<NumberOrder id="{order.id}"><Status>FINISHED</Status></NumberOrder>'
                assert (await sender.post(listener.url, content=body)).status_code == 503
            await asyncio.sleep(3.0)
            assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) < 8, "the log is not flooded"
        finally:
            await asyncio.to_thread(postgres_server.start)
        sandbox.subscribe(listener.url)
        again = await in_time(client, "meanwhile")
        await sandbox.deliver(order.id)
        async with asyncio.timeout(15):
            assert (await waiting).outcome is Outcome.FINISHED
            await again.result()
        assert (sandbox.purchases, sandbox.violations) == (2, 0)


async def in_time(client: CallFire, key: str):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """The order, once the database is back."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await client.order(local=1, key=key)
            except StoreError:
                await asyncio.sleep(0.1)


class Late(MemoryStore):
    """Its first claim comes so late that it has run out."""

    first = True

    async def claim_due(self, scope: Scope, limit: int, *, lease: float = 60.0) -> list[Claim]:
        claims = await super().claim_due(scope, limit, lease=lease)
        if claims and self.first:
            self.first = False
            return [replace(claim, send_by=Deadline.after(-0.001)) for claim in claims]
        return [replace(claim, send_by=Deadline.after(5.0)) for claim in claims]


async def test_a_call_whose_claim_has_run_out_is_not_sent() -> None:
    async with Sandbox(processing=60.0) as sandbox, Late() as store:
        async with CallFire(
            sandbox.login, sandbox.password, base_url=sandbox.callfire_url, store=store, poll=PollPolicy(grace=0.0)
        ) as client:
            order = await client.order(local=1)
            assert (await order.refresh()).status == "PROCESSING"
            assert not store.first
            assert client.stats().polls == sandbox.orders[order.id].calls
        assert sandbox.violations == 0


@pytest.mark.parametrize("clock", ["monotonic", "wall"])
def test_a_deadline_has_passed_by_whichever_clock_comes_first(clock: str) -> None:
    assert not Deadline.after(60.0).passed
    assert replace(Deadline.after(60.0), **{clock: 0.0}).passed
