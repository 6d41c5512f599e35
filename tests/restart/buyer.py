"""A program that buys, and dies by SIGKILL where it is told to: before or after its n-th write, or when its parent pleases.

Run as: python buyer.py BASE_URL JOURNAL KEY... with KILL_BEFORE or KILL_AFTER (a count of writes) in the environment.
Each key buys the phone number it is.
"""

import asyncio
import os
import signal
import sys
from types import TracebackType
from typing import Any, Self

from callfire_async import CallFire, OrderInDoubtError, PollPolicy
from callfire_async.stores.sqlite import SQLiteStore

WRITES = {"intend", "place", "refuse", "doubt", "apply"}


class MortalStore:
    """An SQLiteStore that kills the process at one of its writes."""

    def __init__(self, path: str) -> None:
        self.store = SQLiteStore(path)
        self.before = int(os.environ.get("KILL_BEFORE", "0"))
        self.after = int(os.environ.get("KILL_AFTER", "0"))
        self.writes = 0

    async def __aenter__(self) -> Self:
        await self.store.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.store.__aexit__(exc_type, exc, tb)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)
        if name not in WRITES:
            return method

        async def write(*args: Any, **kwargs: Any) -> Any:
            self.writes += 1
            number = self.writes
            if number == self.before:
                os.kill(os.getpid(), signal.SIGKILL)
            result = await method(*args, **kwargs)
            if number == self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return write


async def buy(client: CallFire, key: str) -> None:
    try:
        order = await client.order(numbers=[key], key=key)
    except OrderInDoubtError:
        print("in doubt", key, flush=True)
        return
    await order
    print("settled", key, flush=True)


async def main(base_url: str, journal: str, keys: list[str]) -> None:
    poll = PollPolicy(grace=0.0)
    async with (
        MortalStore(journal) as store,
        CallFire("sandbox-login", "sandbox-password", base_url=base_url, store=store, poll=poll) as client,
    ):
        print("open", flush=True)
        await asyncio.gather(*(buy(client, key) for key in keys), *(order.result() for order in await client.pending()))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
