"""A program is killed in the middle of buying, and the next run takes up what it left. Everything happens in a sandbox and costs nothing.

The buyer is a process of its own: it orders under keys of its own choosing, which are on disk before anything is sent, and is killed (kill -9)
while one purchase is on its way and another waits for its end. The next run opens the same journal.
"""

import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path

from callfire_async import CallFire, OrderInDoubtError
from callfire_async.sandbox import Life, Sandbox


def client_of(url: str, journal: str) -> CallFire:
    return CallFire("sandbox-login", "sandbox-password", base_url=url, store=f"sqlite:{journal}")


async def buyer(url: str, journal: str) -> None:
    """The first run. It does not live to see the end."""
    async with client_of(url, journal) as client:
        order = await client.order(local=2, key="invoice 1")
        print(f"  first run:  invoice 1 is order {order.id}, and is waited for", flush=True)
        buying = asyncio.create_task(client.order(numbers=["+1 206 555 0101"], key="invoice 2"))
        await asyncio.sleep(0.3)
        print(f"  first run:  invoice 2 is on its way (answered: {buying.done()}) … killed", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


async def next_run(url: str, journal: str) -> None:
    async with client_of(url, journal) as client:
        for order in await client.pending():
            print(f"  second run: {order.key} is order {order.id}: {(await order).status}")
        for doubt in await client.in_doubt():
            print(f"  second run: {doubt.key} may or may not have been placed. It is not sent again:")
            try:
                await client.order(numbers=["+1 206 555 0101"], key=doubt.key)
            except OrderInDoubtError as exc:
                print(f"    {exc}")
            found = await client.reconcile(doubt.key)
            print(f"    reconcile says {found.verdict}: {' '.join(found.evidence)}")
        order = await client.order(local=2, key="invoice 1")
        print(f"  second run: ordering invoice 1 again buys nothing: it is order {order.id}, {(await order).numbers}")


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        journal = str(Path(directory) / "orders.db")
        async with Sandbox(processing=1) as sandbox:
            sandbox.plan(Life(), Life(reply="slow", reply_after=60))
            run = await asyncio.create_subprocess_exec(sys.executable, __file__, sandbox.callfire_url, journal)
            print(f"The first run ended with {await run.wait()}, and the journal is all that is left of it.")
            await asyncio.sleep(1)
            await next_run(sandbox.callfire_url, journal)
            print(f"Purchases at the provider: {sandbox.purchases}. Calls within a second: {sandbox.violations}.")


if __name__ == "__main__":
    asyncio.run(buyer(*sys.argv[1:]) if len(sys.argv) > 1 else main())
