"""Contestants in turn, several times, so that whatever else the machine does hits all of them; what is printed is medians and ratios."""

from __future__ import annotations

import gc
import os
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping


class Rate(NamedTuple):
    """How often something was done in a second of time, and in a second of this process's CPU, which other jobs on the machine disturb less."""

    wall: float
    cpu: float


class Stretch:
    """A stretch of time, from here on."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def rate(self, count: int) -> Rate:
        return Rate(count / (time.perf_counter() - self._wall), count / (time.process_time() - self._cpu))


async def in_turn(rounds: int, contestants: Mapping[str, Callable[[], Awaitable[Rate]]]) -> None:
    """Run each once a round. The last one is what the others are compared with."""
    rates: dict[str, list[Rate]] = {name: [] for name in contestants}
    load = os.getloadavg()[0]
    for _ in range(rounds):
        for name, contestant in contestants.items():
            gc.collect()
            rates[name].append(await contestant())
    baseline = next(reversed(rates))
    print(f"{rounds} rounds, load {load:.1f} before and {os.getloadavg()[0]:.1f} after; the baseline is the last line")
    print(f"{'':40} {'a second':>9} {'ratio':>6} {'a CPU second':>13} {'ratio':>6}   all rounds (a CPU second)")
    for name, found in rates.items():
        medians = [statistics.median(column) for column in zip(*found, strict=True)]
        of_pairs = [
            statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
            for ours, theirs in zip(zip(*found, strict=True), zip(*rates[baseline], strict=True), strict=True)
        ]
        every = " ".join(f"{rate.cpu:,.0f}" for rate in found)
        print(f"{name:40} {medians[0]:9,.0f} {of_pairs[0]:6.2f} {medians[1]:13,.0f} {of_pairs[1]:6.2f}   {every}")
