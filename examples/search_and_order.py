"""Find numbers, order the ones you like, set one up, and let it go again. Everything happens in a sandbox and costs nothing.

The calls are the same against CallFire: leave out `base_url` and the credentials, and set CALLFIRE_LOGIN and CALLFIRE_PASSWORD.
"""

import asyncio

from callfire_async import CallFire, NotFoundError, Region
from callfire_async.sandbox import Sandbox


async def main() -> None:
    async with (
        Sandbox(processing=1) as sandbox,
        CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url) as client,
    ):
        found = await client.search_numbers(count=3, region=Region(city="Seattle", state="WA"))
        print("For sale in Seattle:", ", ".join(n.national_format for n in found))
        words = await client.search_keywords(["SUN", "MOON"])
        print("Keywords for sale:  ", ", ".join(k.keyword for k in words))

        order = await client.order(numbers=[n.number for n in found], keywords=[words[0].keyword])
        state = await order
        print(f"Order {order.id}: {state.status}, {len(state.numbers)} numbers, {state.total_cost} in all")

        async for number in client.numbers():
            print(f"  mine: {number.number}, leased until {number.lease.end if number.lease else '?'}")
        first = state.numbers[0]
        await client.configure_number(
            first, call=True, inbound_call_configuration_type="TRACKING", transfer_number=["12065550199"]
        )
        configuration = (await client.number(first)).configuration
        print(f"  {first} passes calls on: {dict(configuration.inbound) if configuration else '?'}")
        await client.release(first)
        lease = (await client.number(first)).lease
        print(f"  {first} renews by itself: {lease.auto_renew if lease else '?'}")

        try:
            await client.number("12065559999")
        except NotFoundError as exc:
            print(f"Not mine: {exc}")


if __name__ == "__main__":
    asyncio.run(main())
