"""How long the event loop stands still for the worst of the hostile bodies: as postbacks, and as answers of the provider.

    python tests/benchmarks/hostile.py [times each]

The bodies are those of the tests. A task that runs at every turn of the loop sees the longest time between two turns; of several tries the shortest
counts, because other jobs on the machine make the loop stand still as well. Answers may be larger than postbacks, so those are repeated up to 1 MiB.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import runpy
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callfire_async import CallFire, CallFireV2, CMVoice, Error, Listener
from callfire_async.providers import Reply
from callfire_async.transport import decoded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

PURE = Path(__file__).parents[1] / "pure"
TOKEN = "t" * 43
NOWHERE = "http://127.0.0.1:9"
MOST = 5.0


async def stall(work: Callable[[], Awaitable[object]]) -> float:
    """The longest turn of the loop while the work is done, in milliseconds."""
    longest, last, over = 0.0, time.perf_counter(), False

    async def watch() -> None:
        nonlocal longest, last
        while not over:
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    with contextlib.suppress(Error):
        await work()
    await asyncio.sleep(0)
    over = True
    await watching
    return longest * 1e3


async def compare(
    title: str, times: int, corpus: Mapping[str, bytes], handle: Callable[[bytes], Awaitable[object]]
) -> None:
    found = {}
    for name, body in corpus.items():
        found[name] = min([await stall(lambda body=body: handle(body)) for _ in range(times)])  # type: ignore[misc]
    worst = sorted(found, key=found.__getitem__, reverse=True)
    over = sum(value > MOST for value in found.values())
    print(
        f"{title}: {len(corpus)} bodies, {over} over {MOST:g} ms; worst: "
        + ", ".join(f"{found[name]:.2f} ms {name!r}" for name in worst[:4])
    )


def repeated(body: bytes) -> bytes:
    """As an answer may be: sixteen times as much of what stands in the middle."""
    middle = len(body) // 2
    piece = body[middle - 256 : middle + 256]
    start = piece.find(b"<")
    stop = piece.rfind(b"<")
    piece = piece[start:stop] if 0 <= start < stop else piece
    at = middle - 256 + max(start, 0)
    return body[:at] + piece * ((1 << 20) // max(1, len(piece))) + body[at:]


async def main() -> None:
    logging.disable()
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    xml: dict[str, bytes] = runpy.run_path(str(PURE / "test_callfire_hostile.py"))["CORPUS"]
    json: dict[str, bytes] = runpy.run_path(str(PURE / "test_cm_hostile.py"))["HOSTILE"]
    makers: dict[str, tuple[Callable[..., Any], dict[str, bytes]]] = {
        "1.1": (lambda **k: CallFire("login", "password", subscription=None, **k), xml | json),
        "v2": (lambda **k: CallFireV2("login", "password", **k), json),
        "CM.com": (lambda **k: CMVoice("token", account="11111111-2222-3333-4444-555555555555", **k), json),
    }
    for name, (maker, corpus) in makers.items():
        listener = Listener(public_url=NOWHERE, token=TOKEN, serve=False)
        async with maker(base_url=NOWHERE, listener=listener) as client:

            async def receive(body: bytes, listener: Listener = listener) -> int:
                return await listener.receive(f"/{TOKEN}", {}, body)

            async def answer(body: bytes, decode: Callable[[Reply], object] = client._provider.decode_status) -> object:
                return await decoded(Reply(status=200, body=body), decode)

            await compare(f"{name} postbacks", times, corpus, receive)
            await compare(f"{name} answers", times, corpus, answer)
            await compare(
                f"{name} answers, 1 MiB", times, {key: repeated(body) for key, body in corpus.items()}, answer
            )
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
