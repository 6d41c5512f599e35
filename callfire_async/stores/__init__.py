"""Where orders live, and the schedule that says when each may be asked about: one file per backend, and the protocol they share.

Every write is finished when its coroutine returns: what the caller does next may rely on it. Each order belongs to a scope, so that
several clients can share a store. Any method may raise StoreError.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, Self

from callfire_async.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from callfire_async.orders import Content, Outcome

__all__ = [
    "KEEP",
    "Claim",
    "Deadline",
    "Phase",
    "Record",
    "Scope",
    "Store",
    "SupersededError",
    "checked_keep",
    "gone",
    "open_store",
    "placed_before",
]


class Scope(NamedTuple):
    """Whose orders: a provider and an account there."""

    provider: str
    account: str


class Phase(StrEnum):
    """How far a purchase has come."""

    INTENDED = "intended"
    """Written down; its submission is on the way."""
    IN_DOUBT = "in doubt"
    """Sent, and whether it arrived is not known."""
    OPEN = "open"
    """Placed: the provider gave it an id, and has not said its final word."""
    SETTLED = "settled"
    """The provider has said its final word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One purchase as the store knows it."""

    scope: Scope
    #: The caller's own name for it, or a generated one; unique in its scope.
    key: str
    #: What was ordered; empty for an order that was placed elsewhere and attached here.
    content: Content
    phase: Phase
    #: When `order()` or `attach()` was called: aware, UTC.
    submitted_at: datetime
    #: Known from the moment it is placed.
    order_id: str | None = None
    #: The last state the provider told, as its codec dumps it.
    state: str | None = None
    #: What brought the final word: "create", "postback" or "poll".
    settled_by: str | None = None
    #: SHA-256, in hex, of the secret in the order's own callback address, where it has one. The secret itself is kept nowhere.
    callback: str | None = None

    @classmethod
    def attached(cls, scope: Scope, order_id: str) -> Self:
        """An order that was not bought under any key here, to be followed from now on."""
        return cls(
            scope=scope,
            key=secrets.token_hex(8),
            content={},
            phase=Phase.OPEN,
            submitted_at=datetime.now(UTC),
            order_id=order_id,
        )


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment after which something must not begin any more, by whichever of two clocks comes first.

    The monotonic one stands still while a machine is suspended, and the other may be set back.
    """

    monotonic: float
    wall: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """So many seconds from now."""
        return cls(time.monotonic() + seconds, time.time() + seconds)

    @property
    def passed(self) -> bool:
        """Whether it is too late."""
        return time.monotonic() >= self.monotonic or time.time() >= self.wall


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to ask about one order, once. Whoever holds it must give it back with `settle_claim`."""

    scope: Scope
    order_id: str
    #: Seconds since this store began to follow the order.
    age: float
    #: Until when its call must have begun; None where a claim cannot run out.
    send_by: Deadline | None = None
    #: Tells it from other claims of the same order.
    ticket: int = 0


class Store(Protocol):
    """What a store can do. Memory, SQLite and PostgreSQL implement it, and one suite of tests holds them all to it."""

    async def __aenter__(self) -> Self:
        """Open it. Submissions that an earlier run left on the way are in doubt from here on."""

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close it, everything written."""

    # What is written down, each time before the world hears of it.

    async def intend(self, record: Record) -> Record | None:
        """Write a purchase before it is sent. None when it is new; otherwise the record that has this key already, and nothing is written."""

    async def refuse(self, scope: Scope, key: str) -> Record | None:
        """Forget a purchase that surely was not made, and free its key. The record, which stays, if its callback has placed it meanwhile."""

    async def doubt(self, scope: Scope, key: str) -> Record:
        """Mark an intended purchase whose fate is unknown. The record as it is now: its callback may have placed it meanwhile."""

    async def place(self, scope: Scope, key: str, order_id: str, *, ask_in: float, rest: float) -> Record:
        """Give a purchase, intended or in doubt, its id. It is due after `ask_in` seconds, and nobody may ask before `rest` seconds.

        An order of that id that was only attached becomes this purchase, with all that is known of it. Placing it again under the same id changes
        nothing. StoreError if the id is another purchase's, or the purchase has another id.
        """

    async def attach(self, record: Record) -> Record:
        """Follow an order placed elsewhere, due at once; the record that has this order id already wins."""

    async def apply(self, scope: Scope, order_id: str, *, state: str, outcome: Outcome, by: str) -> bool:
        """Write what the provider said. False, and nothing written, for an order that is settled or unknown."""

    # What is read.

    async def find(self, scope: Scope, order_id: str) -> Record | None:
        """The record of an order id."""

    async def find_key(self, scope: Scope, key: str) -> Record | None:
        """The record of a key."""

    async def find_callback(self, scope: Scope, digest: str) -> Record | None:
        """The record whose `callback` this is."""

    async def in_phase(self, scope: Scope, phase: Phase) -> list[Record]:
        """All records in one phase, oldest first. Not for SETTLED ones, which may be a million."""

    # The schedule: the once-a-second rule lives here and nowhere else.

    async def hasten(self, scope: Scope, order_id: str) -> None:
        """Make an order due now, or as soon as the rule allows; any id, known here or not."""

    async def claim_due(self, scope: Scope, limit: int, *, lease: float = 60.0) -> list[Claim]:
        """Up to `limit` orders that may be asked about now, longest due first, each handed to one asker only.

        Where askers can die unseen, a claim that is not given back runs out `lease` seconds after the last moment at which its call may begin:
        as long as a call can take to reach the provider. What is done with it later counts for nothing.
        """

    async def settle_claim(self, claim: Claim, *, again_in: float | None, rest: float) -> None:
        """Give a claim back once the answer has arrived.

        Nobody may ask before `rest` seconds from now. An open order is due again after `again_in` seconds, or never by itself if that is None.
        """

    async def due_in(self, scope: Scope) -> float | None:
        """Seconds until `claim_due` may have something; None while nothing is scheduled."""

    # The news of others: another client of this store, another process.

    def watch(self, scope: Scope, heard: Callable[[str], None]) -> None:
        """Call `heard` with the id of each order that was applied from now on, whoever did it. A hint: it may come twice."""

    def unwatch(self, scope: Scope, heard: Callable[[str], None]) -> None:
        """Stop that."""


class SupersededError(StoreError):
    """A purchase was given up, or given another id, while its submission was on the way. Trying again changes nothing."""


def placed_before(record: Record, known: Record | None, order_id: str) -> bool:
    """Whether a purchase has this id already, for `place`. StoreError if one of the two belongs to another; `known` is whose id it is so far."""
    if known is not None and known.key != record.key and known.content:
        raise SupersededError(f"Order {order_id} is the purchase {known.key!r}, and cannot be {record.key!r} as well.")
    if record.order_id not in (None, order_id):
        raise SupersededError(
            f"The purchase {record.key!r} is order {record.order_id}, and cannot be {order_id} as well."
        )
    return record.order_id is not None


def gone(key: str) -> StoreError:
    """For a purchase that was there a moment ago."""
    return SupersededError(f"The purchase {key!r} is not in the store any more: it was refused or abandoned meanwhile.")


KEEP: Final = timedelta(days=30)
"""How long a settled order is kept, and with it what its key stands for."""


def checked_keep(keep: timedelta) -> None:
    """ConfigurationError for a time that no calendar has."""
    if not timedelta(0) <= keep <= timedelta(days=36_500):
        raise ConfigurationError(f"keep={keep!r} must be a timedelta from 0 to 100 years.")


def open_store(url: str) -> Store:
    """The store an address names, to be opened by `async with`. ConfigurationError if it names none.

    "memory:" is forgotten when the process ends. "sqlite:orders.db" (relative) and "sqlite:///abs/path/orders.db" are journals in a file.
    "postgresql://user:password@host/database" is shared by any number of processes.
    """
    kind, _, rest = url.partition(":")
    if url == "memory:":
        from callfire_async.stores.memory import MemoryStore  # a backend is imported when it is used

        return MemoryStore()
    if kind in ("postgresql", "postgres"):
        try:
            from callfire_async.stores.postgres import PostgresStore
        except ModuleNotFoundError as exc:
            if exc.name != "asyncpg":
                raise
            raise ConfigurationError(
                "A store in PostgreSQL needs asyncpg: pip install 'callfire-async[postgres]'."
            ) from exc
        return PostgresStore(url)
    path = rest.removeprefix("//")
    if kind == "sqlite" and path and not (rest.startswith("//") and not path.startswith("/")):
        from callfire_async.stores.sqlite import SQLiteStore

        return SQLiteStore(path)
    raise ConfigurationError(
        f"No store answers to '{kind[:20]}:…': the address must be 'memory:', 'sqlite:orders.db', 'sqlite:///abs/path/orders.db' or 'postgresql://user:password@host/database'."
    )
