"""Order two local numbers through CallFire's API v2 and wait for them; then list the account's latest orders.

With CALLFIRE_LOGIN and CALLFIRE_PASSWORD in the environment this is a real order at CallFire: it says what it is about to buy and asks first
(`--yes` answers for you). Without them it orders from a sandbox on this machine, which costs nothing.
"""

import asyncio
import os
import sys

from callfire_async import CallFireV2, OrderFailedError, OrderInDoubtError, OrderTimeoutError, Region
from callfire_async.sandbox import Sandbox

SEATTLE = Region(city="Seattle", state="WA")  # v2 knows no country


async def buy(client: CallFireV2) -> None:
    try:
        order = await client.order(local=2, region=SEATTLE)
    except OrderInDoubtError as exc:
        found = await client.reconcile(exc.key)  # v2 can list orders, so there is something to look at; it buys nothing
        sys.exit(f"{exc}\nIt is {found.verdict}: {' '.join(found.evidence)}")
    print(f"Accepted as order {order.id}.")
    try:
        state = await order.result(timeout=60)
    except OrderFailedError as exc:
        sys.exit(f"{exc}")
    except OrderTimeoutError as exc:
        sys.exit(f"{exc} Later: client.attach({order.id}).")
    short = f" ({state.shortfall} short)" if state.shortfall else ""
    print(f"Yours for {state.total_cost}: {', '.join(state.numbers)}{short}")
    print("The latest orders of the account:")
    async for placed in client.orders(limit=5):
        print(f"  {placed.id}  {placed.created:%Y-%m-%d %H:%M}  {placed.status}")


async def buy_from_callfire() -> None:
    async with CallFireV2() as client:
        await buy(client)


async def buy_from_sandbox() -> None:
    async with (
        Sandbox(processing=2) as sandbox,
        CallFireV2(sandbox.login, sandbox.password, base_url=sandbox.callfire_v2_url) as client,
    ):
        await buy(client)


def main() -> None:
    if not os.environ.get("CALLFIRE_LOGIN"):
        print("No CALLFIRE_LOGIN in the environment, so this order goes to a sandbox and costs nothing.")
        asyncio.run(buy_from_sandbox())
    elif (
        "--yes" in sys.argv
        or input("Buy two numbers in Seattle from CallFire, for money? [y/N] ").strip().lower() == "y"
    ):
        asyncio.run(buy_from_callfire())
    else:
        print("Nothing was ordered.")


if __name__ == "__main__":
    main()
