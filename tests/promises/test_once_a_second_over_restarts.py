"""Promise 4 again: the pace outlives the program that keeps it."""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING

from callfire_async.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from adapters import Adapter

SEED = int(os.environ.get("CALLFIRE_TEST_SEED", "20261121"))


async def test_restarts_in_the_middle_of_asking_keep_the_pace(provider: Adapter, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    store = f"sqlite:{tmp_path / 'orders.db'}"
    async with Sandbox(processing=600.0, latency=(0.0, 0.3), seed=SEED) as sandbox:
        for patience in chance.sample([0.05, 0.3, 1.1, 1.2], k=4):
            async with provider.client(sandbox, store=store) as client:
                orders = await client.pending() or [await provider.order(client) for _ in range(5)]
                asking = [asyncio.create_task(order.refresh()) for order in orders]
                await asyncio.wait(asking, timeout=patience)
            await asyncio.gather(*asking, return_exceptions=True)
        assert len([call for call in sandbox.calls if call.order_id is not None]) > len(orders)
        assert sandbox.violations == 0
