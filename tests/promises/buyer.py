"""A program that makes three purchases, one after the other, and never comes back from the third: its parent kills it.

Run as: python buyer.py PROVIDER BASE_URL JOURNAL
"""

import asyncio
import sys

from adapters import ADAPTERS, PATIENT


async def main(name: str, url: str, journal: str) -> None:
    (provider,) = (adapter for adapter in ADAPTERS if adapter.name == name)
    async with provider.at(url, store=f"sqlite:{journal}", poll=PATIENT) as client:
        settled = await provider.order(client, key="settled")
        await settled.refresh()
        await provider.order(client, key="open")
        await provider.order(client, key="on the way")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
