"""One listener and one store serve the clients of three providers at once, and nothing is crossed."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from adapters import ADAPTERS, POSTBACKS

from callfire_async import Listener, Outcome, open_store
from callfire_async.sandbox import Life, Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from adapters import Adapter

ORDERS = int(os.environ.get("CALLFIRE_TEST_ORDERS", "300"))
SEED = int(os.environ.get("CALLFIRE_TEST_SEED", "20261121"))


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_three_hundred_orders_of_three_clients_end_each_as_its_own(kind: str, tmp_path: Path) -> None:
    """The same hundred keys in each client, and a fate of its own for every postback."""
    print(f"seed {SEED}, {ORDERS} orders")
    chance = random.Random(SEED)
    listener = Listener()
    ends: Counter[str] = Counter()
    quantities = {f"invoice {n}": chance.randint(1, 3) for n in range(ORDERS // 3)}

    async def buy(provider: Adapter, client: Any, key: str) -> str:
        """Buy under this key, and follow it to its end; the id."""
        order = await provider.order(client, quantity=quantities[key], key=key)
        state = await order
        assert state.id == order.id
        assert state.numbers == sandbox.orders[order.id].fulfilled
        assert state.outcome is Outcome.FINISHED
        ends[str(order.settled_by)] += 1
        return order.id

    async with (
        Sandbox(seed=SEED) as sandbox,
        open_store("memory:" if kind == "memory" else f"sqlite:{tmp_path / 'orders.db'}") as store,
        AsyncExitStack() as clients,
    ):
        three = [
            (provider, await clients.enter_async_context(provider.client(sandbox, store=store, listener=listener)))
            for provider in ADAPTERS
        ]
        for provider, client in three:
            await provider.subscribe(sandbox, client, listener)
        sandbox.plan(
            *(
                Life(
                    postback=chance.choice(list(POSTBACKS)),  # type: ignore[arg-type]
                    processing=chance.uniform(0.0, 3.0),
                    late_by=0.5,
                )
                for _ in range(ORDERS)
            )
        )
        purchases = [(provider, client, key) for key in quantities for provider, client in three]
        chance.shuffle(purchases)
        async with asyncio.timeout(50):
            ids = await asyncio.gather(*(buy(*purchase) for purchase in purchases))
        print(dict(ends))
        assert len(set(ids)) == sandbox.purchases == len(purchases)
        assert sandbox.violations == 0
        assert min(ends["postback"], ends["poll"]) > ORDERS // 10

        owners = {order_id: provider for (provider, _, _), order_id in zip(purchases, ids, strict=True)}
        for call in sandbox.calls:
            if call.order_id is not None:  # each order was asked about by its own client alone
                provider = owners[call.order_id]
                assert call.path.startswith(f"{urlsplit(provider.url(sandbox)).path}{provider.purchases}")
        for provider, client in three:
            stats = client.stats()
            assert stats.placed == ORDERS // 3
            assert stats.settled_by_create + stats.settled_by_postback + stats.settled_by_poll == ORDERS // 3
            assert await client.pending() == await client.in_doubt() == []
            again = [await provider.order(client, quantity, key) for key, quantity in quantities.items()]
            assert {owners[order.id] for order in again} == {provider}
            assert {order.settled_by for order in again} == {"store"}
        assert sandbox.purchases == len(purchases)
