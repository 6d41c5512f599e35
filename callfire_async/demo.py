"""Five orders and their ends, told as they happen: what `callfire-async demo` shows."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from callfire_async import CallFire, Error, Listener, Outcome, Region
from callfire_async.sandbox import Life, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from callfire_async import NumberOrder, Order

PROCESSING = 1.5
"""Seconds the demo's sandbox works on an order; CallFire's pages speak of up to twenty."""

STORIES = (
    ("all goes well", Life()),
    ("its postback gets lost", Life(postback="lost", processing=5.5)),
    ("one number is not to be had", Life(result="partial")),
    ("CallFire cannot deliver", Life(result="errored")),
    ("it waits for money", Life(result="parked")),
)

SEATTLE = Region(city="Seattle", state="WA", country="US")


class _Teller:
    """Prints lines with the seconds since the beginning."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._start = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self._start

    def tell(self, line: str) -> None:
        self._say(f"{self.seconds():5.1f} s  {line}")


async def run(say: Callable[[str], object], *, seed: int | None = None) -> bool:
    """Run the demo, each line through `say`. False if two calls about one order came within a second."""
    teller = _Teller(say)
    listener = Listener()
    async with (
        Sandbox(processing=PROCESSING, seed=seed) as sandbox,
        CallFire(sandbox.login, sandbox.password, base_url=sandbox.callfire_url, listener=listener) as client,
    ):
        sandbox.subscribe(listener.url)
        teller.tell(f"A sandbox stands in for CallFire at {sandbox.callfire_url}")
        teller.tell(f"A listener takes postbacks on port {listener.port}; the client asks for itself where none comes")
        followed = []
        for name, (story, life) in zip("ABCDE", STORIES, strict=True):
            sandbox.plan(life)
            order = await client.order(local=3, region=SEATTLE)
            teller.tell(f"{name}: order {order.id} of 3 numbers is accepted ({story})")
            followed.append((name, order, asyncio.create_task(_follow(teller, sandbox, name, order))))
        ends = [(name, order, await task) for name, order, task in followed]
        stats = client.stats()
    say("\norder           ordered  fulfilled  status            settled by  seconds  calls")
    for name, order, seconds in ends:
        state = order.latest
        if state is None:
            continue  # its end was not seen; the line above said why
        ordered = state.local_numbers.ordered if state.local_numbers else 0
        calls = sandbox.orders[order.id].calls
        say(
            f"{name}: {order.id:<12} {ordered:>7}  {len(state.numbers):>9}  {state.status:<16}  {order.settled_by or '':<10}  "
            f"{seconds:>7.1f}  {calls:>5}"
        )
    say(
        f"\n{stats.placed} orders, {stats.polls} calls about them, {stats.postbacks_accepted} postbacks taken as hints."
    )
    say(_verdict(sandbox))
    return sandbox.violations == 0


async def _follow(teller: _Teller, sandbox: Sandbox, name: str, order: Order[NumberOrder]) -> float:
    """Tell what becomes of one order, and return the seconds until its end."""
    begin = teller.seconds()
    async for state in order.updates():
        if state.outcome is Outcome.PARKED:
            teller.tell(
                f"{name}: {state.status}: it may stay so for days, so it is hardly asked about. Now somebody pays"
            )
            sandbox.pay(order.id)
    try:
        state = await order
        how = (
            "told by its postback, confirmed by asking"
            if order.settled_by == "postback"
            else "no postback came, found by asking"
        )
        short = f", {state.shortfall} short" if state.shortfall else ""
        teller.tell(f"{name}: {state.status}, {how}: {' '.join(state.numbers)}{short}")
    except Error as exc:
        teller.tell(f"{name}: {type(exc).__name__}: {exc}")
    return teller.seconds() - begin


def _verdict(sandbox: Sandbox) -> str:
    """What the server's own log says about the once-a-second rule."""
    times: dict[str, list[float]] = {}
    for call in sandbox.calls:
        if call.order_id is not None:
            times.setdefault(call.order_id, []).append(call.at)
    closest = min((later - earlier for at in times.values() for earlier, later in pairwise(at)), default=None)
    if sandbox.violations:
        return (
            f"{sandbox.violations} calls about an order came within a second of the one before, as the server saw them."
        )
    nearest = "" if closest is None else f" The closest two were {closest:.3f} s apart."
    return f"No two calls about an order came within a second, as the server saw them.{nearest}"
