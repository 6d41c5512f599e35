"""One of several processes on one database: it orders every key, as all the others do, and waits for the end of every order.

Run as: python worker.py BASE_URL DATABASE_URL SEED NUMBER... Each key buys the phone number it is. It prints the address of its listener first,
and at the end what it has counted, both as JSON. SIGTERM ends it early.
"""

import asyncio
import json
import logging
import os
import random
import sys
from dataclasses import asdict

from callfire_async import CallFire, Listener, OrderInDoubtError, PollPolicy, StoreError
from callfire_async.stores.postgres import PostgresStore

TOKEN = "token-of-the-test-workers"  # noqa: S105 - it keeps nobody out
CALLERS = 40


async def settle(client: CallFire, number: str) -> str:
    """How one order ended here."""
    while True:
        try:
            order = await client.order(numbers=[number], key=number)
            await order
        except OrderInDoubtError:
            return "in doubt"
        except StoreError:
            await asyncio.sleep(0.2)  # the database is away; the same key buys nothing twice
        else:
            return "settled"


async def main(base_url: str, database: str, seed: str, numbers: list[str]) -> None:
    random.Random(seed).shuffle(numbers)
    room = asyncio.Semaphore(CALLERS)
    listener = Listener(token=TOKEN)

    async def one(number: str) -> str:
        async with room:
            return await settle(client, number)

    poll = PollPolicy(grace=1.5, max_concurrency=64)
    async with (
        PostgresStore(database, pool_size=6) as store,
        CallFire(
            "sandbox-login",
            "sandbox-password",
            base_url=base_url,
            store=store,
            listener=listener,
            poll=poll,
            timeout=2.0,
        ) as client,
    ):
        print(json.dumps({"listener": listener.url}), flush=True)
        ends = await asyncio.gather(*(one(number) for number in numbers))
        counted = {name: count for name, count in asdict(client.stats()).items() if count}
        counted |= {end: ends.count(end) for end in set(ends)}
        print(json.dumps(counted), flush=True)
        await asyncio.to_thread(sys.stdin.read)  # the others may still need us: stay until told to go


if __name__ == "__main__":
    logging.basicConfig(level=os.environ.get("LOG", "ERROR"), format=f"%(asctime)s {os.getpid()} %(message)s")
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
