"""Promise 4: never two calls about one order within a second, as the provider's server sees it."""

from __future__ import annotations

import asyncio
import os
import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from callfire_async import Listener, PollPolicy, open_store
from callfire_async.sandbox import Life, Sandbox

if TYPE_CHECKING:
    from adapters import Adapter

    from callfire_async import Order

SEED = int(os.environ.get("CALLFIRE_TEST_SEED", "20261121"))


def gaps(sandbox: Sandbox) -> list[float]:
    """Seconds between two calls about the same order, as the server saw them arrive."""
    times: dict[str, list[float]] = {}
    for call in sandbox.calls:
        if call.order_id is not None:
            times.setdefault(call.order_id, []).append(call.at)
    return [later - earlier for at in times.values() for earlier, later in pairwise(at)]


async def test_polls_questions_by_hand_and_postbacks_of_two_clients_of_one_store_keep_the_pace(
    provider: Adapter,
) -> None:
    """Answers take up to 0.3 s, and postbacks come twice, or late, or false, or by hand."""
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    fates = ["delivered", "twice", "late", "early", "out_of_order", "forged"]
    listener = Listener()

    async def meddle(client: Any, order: Order[Any]) -> None:
        while not order.done():
            await asyncio.sleep(chance.uniform(0.0, 0.3))
            match chance.randrange(3):
                case 0:
                    await order.refresh()
                case 1:
                    await client.get_order(order.id)
                case 2:
                    await sandbox.deliver(order.id)

    async with (
        Sandbox(processing=0.5, latency=(0.0, 0.3), seed=SEED) as sandbox,
        open_store("memory:") as store,
        provider.client(sandbox, store=store, listener=listener, poll=PollPolicy(grace=0.0)) as one,
        provider.client(sandbox, store=store, listener=listener) as other,
    ):
        await provider.subscribe(sandbox, one, listener)
        sandbox.plan(*(Life(postback=fate, late_by=0.5) for fate in fates * 2))  # type: ignore[arg-type]
        orders = [await provider.order(chance.choice([one, other])) for _ in fates * 2]
        async with asyncio.timeout(40):
            await asyncio.gather(*(meddle(chance.choice([one, other]), order) for order in orders))
        assert sandbox.violations == 0
        assert gaps(sandbox), "the rule is only shown where an order is asked about twice"
        assert min(gaps(sandbox)) >= 1.0
