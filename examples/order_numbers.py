"""Order three local numbers and wait for them.

With CALLFIRE_LOGIN and CALLFIRE_PASSWORD in the environment this is a real order at CallFire: it says what it is about to buy and asks first
(`--yes` answers for you). Without them it orders from a sandbox on this machine, which costs nothing.
"""

import asyncio
import os
import sys

from callfire_async import CallFire, OrderFailedError, OrderInDoubtError, Region
from callfire_async.sandbox import Sandbox

SEATTLE = Region(city="Seattle", state="WA", country="US")


async def buy(client: CallFire) -> None:
    try:
        order = await client.order(local=3, region=SEATTLE)
    except OrderInDoubtError as exc:
        sys.exit(f"{exc}")  # the one case where nobody knows: look before you order again
    print(f"Accepted as order {order.id}.")
    try:
        async with asyncio.timeout(60):
            async for state in order.updates():
                print(f"  {state.status}")
        state = await order
    except OrderFailedError as exc:
        sys.exit(f"{exc}")
    except TimeoutError:
        sys.exit(f"Order {order.id} goes on, and may take days. Later: client.attach({order.id}).")
    print(
        f"Yours for {state.total_cost}: {', '.join(state.numbers)}"
        + (f" ({state.shortfall} short)" if state.shortfall else "")
    )


async def buy_from_callfire() -> None:
    async with CallFire() as client:
        await buy(client)


async def buy_from_sandbox() -> None:
    async with (
        Sandbox(processing=2) as sandbox,
        CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url) as client,
    ):
        await buy(client)


def main() -> None:
    if not os.environ.get("CALLFIRE_LOGIN"):
        print("No CALLFIRE_LOGIN in the environment, so this order goes to a sandbox and costs nothing.")
        asyncio.run(buy_from_sandbox())
    elif (
        "--yes" in sys.argv
        or input("Buy three numbers in Seattle from CallFire, for money? [y/N] ").strip().lower() == "y"
    ):
        asyncio.run(buy_from_callfire())
    else:
        print("Nothing was ordered.")


if __name__ == "__main__":
    main()
