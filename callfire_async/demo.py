"""Five orders and their ends, told as they happen: what `callfire-async demo` shows."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from callfire_async import CallFire, CallFireV2, CMVoice, Error, Listener, Outcome, Region
from callfire_async.sandbox import Life, Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from callfire_async import Order, OrderClient

PROCESSING = 1.5
"""Seconds the demo's sandbox works on an order; CallFire's pages speak of up to twenty."""

SEATTLE = Region(city="Seattle", state="WA", country="US")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """Where the demo plays: one provider, how to talk to it, and what happens to five orders of three numbers."""

    provider: str
    #: What it calls the news that it sends.
    news: str
    client: Callable[[Sandbox, Listener], OrderClient[Any]]
    order: Callable[[Any], Awaitable[Order[Any]]]
    stories: tuple[tuple[str, Life], ...]
    #: Has the news sent to the listener.
    subscribe: Callable[[Sandbox, Any, Listener], Awaitable[object]]


async def _subscription(sandbox: Sandbox, _: Any, listener: Listener) -> None:
    sandbox.subscribe(listener.url)


async def _webhook(_: Sandbox, client: CallFireV2, listener: Listener) -> None:
    await client.create_webhook("demo", resource="CallBroadcast", events=["Finished"], callback=listener.url)


async def _nothing(_: Sandbox, __: Any, ___: Listener) -> None:
    """CM.com needs none of it: each of its orders carries an address of its own."""


_CALLFIRES_STORIES = (
    ("all goes well", Life()),
    ("its postback gets lost", Life(postback="lost", processing=5.5)),
    ("one number is not to be had", Life(result="partial")),
    ("CallFire cannot deliver", Life(result="errored")),
    ("it waits for money", Life(result="parked")),
)

SCENES = {
    "callfire": _Scene(
        provider="CallFire",
        news="postback",
        client=lambda sandbox, listener: CallFire(
            sandbox.login, sandbox.password, base_url=sandbox.callfire_url, listener=listener
        ),
        order=lambda client: client.order(local=3, region=SEATTLE),
        stories=_CALLFIRES_STORIES,
        subscribe=_subscription,
    ),
    "callfire-v2": _Scene(
        provider="CallFire's API v2",
        news="webhook",
        client=lambda sandbox, listener: CallFireV2(
            sandbox.login, sandbox.password, base_url=sandbox.callfire_v2_url, listener=listener
        ),
        order=lambda client: client.order(local=3, region=Region(city="Seattle", state="WA")),
        stories=_CALLFIRES_STORIES,
        subscribe=_webhook,
    ),
    "cm": _Scene(
        provider="CM.com",
        news="callback",
        client=lambda sandbox, listener: CMVoice(
            sandbox.cm_token, account=sandbox.cm_account, base_url=sandbox.cm_url, listener=listener
        ),
        order=lambda client: client.order(
            company_profile=Sandbox.cm_company_profile, quantity=3, area_code="206", city="Seattle"
        ),
        stories=(
            ("all goes well", Life()),
            ("its callbacks get lost", Life(postback="lost", processing=5.5)),
            ("one number is not to be had", Life(result="partial")),
            ("CM.com rejects it", Life(result="rejected")),
            ("its numbers are there at once", Life(processing=0)),
        ),
        subscribe=_nothing,
    ),
}
"""What `run` can show, by name."""


class _Teller:
    """Prints lines with the seconds since the beginning."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._start = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self._start

    def tell(self, line: str) -> None:
        self._say(f"{self.seconds():5.1f} s  {line}")


async def run(say: Callable[[str], object], *, provider: str = "callfire", seed: int | None = None) -> bool:
    """Run the demo, each line through `say`. False if two calls about one order came within a second."""
    teller, scene = _Teller(say), SCENES[provider]
    listener = Listener()
    async with Sandbox(processing=PROCESSING, seed=seed) as sandbox, scene.client(sandbox, listener) as client:
        await scene.subscribe(sandbox, client, listener)
        teller.tell(f"A sandbox stands in for {scene.provider}: {client}")
        teller.tell(
            f"A listener takes {scene.news}s on port {listener.port}; the client asks for itself where none comes"
        )
        followed = []
        for name, (story, life) in zip("ABCDE", scene.stories, strict=True):
            sandbox.plan(life)
            order = await scene.order(client)
            teller.tell(f"{name}: order {order.id} of 3 numbers is accepted ({story})")
            followed.append((name, order, asyncio.create_task(_follow(teller, sandbox, scene, name, order))))
        ends = [(name, order, await task) for name, order, task in followed]
        stats = client.stats()
    width = max(len(order.id) for _, order, _ in ends)
    say(f"\n   {'order':<{width}}  ordered  fulfilled  status            settled by  seconds  calls")
    for name, order, seconds in ends:
        state = order.latest
        if state is None:
            continue  # its end was not seen; the line above said why
        got, calls = len(state.numbers), sandbox.orders[order.id].calls
        say(
            f"{name}: {order.id:<{width}}  {got + state.shortfall:>7}  {got:>9}  {state.status:<16}  {order.settled_by or '':<10}  "
            f"{seconds:>7.1f}  {calls:>5}"
        )
    say(
        f"\n{stats.placed} orders, {stats.polls} calls about them, {stats.postbacks_accepted} {scene.news}s taken as hints."
    )
    say(_verdict(sandbox))
    return sandbox.violations == 0


async def _follow(teller: _Teller, sandbox: Sandbox, scene: _Scene, name: str, order: Order[Any]) -> float:
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
        how = {
            "create": "final in the answer to the order, so never asked about",
            "postback": f"told by its {scene.news}, confirmed by asking",
        }.get(order.settled_by or "", f"no {scene.news} came, found by asking")
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
