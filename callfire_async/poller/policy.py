"""When to ask."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from callfire_async.errors import ConfigurationError
from callfire_async.orders import Outcome

FLOOR: Final = 1.0
"""Seconds between two calls about one order, at least: CallFire's pages allow no more than one a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPolicy:
    """When to ask. All times are seconds. Nothing here can bring two calls about one order closer than `min_interval`.

    A fresh order is asked about after `grace` where a listener waits for postbacks as well, otherwise after `min_interval`; then every
    `min_interval` until it is `brisk_for` old (the pages: "up to 20 seconds"); then ever more rarely, each interval about `backoff` times the
    last, up to `max_interval`. A parked order is asked about every `parked_interval`. At most `max_concurrency` calls are under way at once, and
    at most `max_rate` begin in a second. Raises ConfigurationError for a value out of bounds: the floor of `min_interval` is 1.0.
    """

    min_interval: float = 1.0
    grace: float = 3.0
    brisk_for: float = 20.0
    backoff: float = 1.5
    max_interval: float = 60.0
    parked_interval: float = 300.0
    max_concurrency: int = 32
    max_rate: float | None = None

    def __post_init__(self) -> None:
        """Check the bounds."""
        least = {"min_interval": FLOOR, "grace": 0.0, "brisk_for": 0.0, "backoff": 1.0, "max_concurrency": 1}
        least |= {"max_interval": self.min_interval, "parked_interval": self.min_interval}
        for name, bound in least.items():
            value = getattr(self, name)
            if not bound <= value < math.inf:
                raise ConfigurationError(f"PollPolicy({name}={value!r}) must be a finite number of at least {bound:g}.")
        if self.max_rate is not None and not 0 < self.max_rate < math.inf:
            raise ConfigurationError(
                f"PollPolicy(max_rate={self.max_rate!r}) must be a number of calls a second above 0, or None."
            )

    def first(self, *, listening: bool) -> float:
        """Seconds from the provider's acceptance to the first question."""
        return max(self.min_interval, self.grace) if listening else self.min_interval

    def interval(self, age: float, outcome: Outcome = Outcome.PENDING, failures: int = 0) -> float:
        """Seconds from an answer to the next question about an order of that age, before jitter.

        Beyond the brisk phase the interval grows with the age, which makes successive intervals grow by the factor `backoff`
        without anyone counting them; `failures` in a row double it.
        """
        if outcome is Outcome.PARKED:
            return self.parked_interval
        calm = self.min_interval + (self.backoff - 1.0) * max(0.0, age - self.brisk_for)
        return min(self.max_interval, calm * 2.0 ** min(failures, 10))
