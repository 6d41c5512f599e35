"""A program that makes two purchases, one after the other, and never comes back from the second: its parent kills it.

Run as: python buyer.py PROVIDER BASE_URL JOURNAL
"""

import asyncio
import sys

from adapters import ADAPTERS, PATIENT


async def main(name: str, url: str, journal: str) -> None:
    (provider,) = (adapter for adapter in ADAPTERS if adapter.name == name)
    async with provider.at(url, store=f"sqlite:{journal}", poll=PATIENT) as client:
        await provider.order(client, key="open")
        await provider.order(client, key="on the way")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
