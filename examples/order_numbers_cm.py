"""Order two local numbers from CM.com and wait for them, with a callback address of the order's own.

With CM_PRODUCT_TOKEN, CM_ACCOUNT and CM_COMPANY_PROFILE (uuids) in the environment this is a real order at CM.com: it says what it is about to
order and asks first (`--yes` answers for you). CM.com's people decide about it, which may take days; the journal orders.db remembers it, and
running this again goes on waiting and orders nothing twice. Without them it orders from a sandbox on this machine, which costs nothing.
"""

import asyncio
import os
import sys

from callfire_async import CMVoice, Listener, OrderFailedError, OrderInDoubtError, OrderTimeoutError
from callfire_async.sandbox import Sandbox


async def buy(client: CMVoice, company_profile: str) -> None:
    try:
        order = await client.order(
            company_profile=company_profile, quantity=2, area_code="206", city="Seattle", key="two in Seattle"
        )
    except OrderInDoubtError as exc:
        found = await client.reconcile(exc.key)  # it looks through CM.com's list, and buys nothing
        sys.exit(f"{exc}\nWhat a look at the account says: {found.verdict}. {' '.join(found.evidence)}")
    print(f"Accepted as number request {order.id}.")
    async for state in order.updates():
        print(f"  {state.status}" + (f" ({state.reason})" if state.reason else ""))
        if not state.outcome.final:
            break  # the next change may take days
    try:
        state = await order.result(timeout=60)
    except OrderFailedError as exc:
        sys.exit(f"{exc}")
    except OrderTimeoutError as exc:
        sys.exit(f"{exc} Run this again to go on waiting, or cancel it: client.cancel({order.id!r}).")
    print(f"Yours: {', '.join(state.numbers)}" + (f" ({state.shortfall} short)" if state.shortfall else ""))


async def buy_from_cm() -> None:
    # CM.com must reach the listener from outside: put its address here, the same at each run.
    public_url = os.environ.get("CM_CALLBACK_URL")
    listener = Listener(host="0.0.0.0", port=8080, public_url=public_url) if public_url else None  # noqa: S104
    async with CMVoice(account=os.environ["CM_ACCOUNT"], store="sqlite:orders.db", listener=listener) as client:
        await buy(client, os.environ["CM_COMPANY_PROFILE"])


async def buy_from_sandbox() -> None:
    async with (
        Sandbox(processing=2) as sandbox,
        CMVoice(sandbox.cm_token, account=sandbox.cm_account, base_url=sandbox.cm_url, listener=Listener()) as client,
    ):
        await buy(client, sandbox.cm_company_profile)


def main() -> None:
    if not os.environ.get("CM_PRODUCT_TOKEN"):
        print("No CM_PRODUCT_TOKEN in the environment, so this order goes to a sandbox and costs nothing.")
        asyncio.run(buy_from_sandbox())
    elif (
        "--yes" in sys.argv
        or input("Order two numbers in Seattle from CM.com, for money? [y/N] ").strip().lower() == "y"
    ):
        asyncio.run(buy_from_cm())
    else:
        print("Nothing was ordered.")


if __name__ == "__main__":
    main()
