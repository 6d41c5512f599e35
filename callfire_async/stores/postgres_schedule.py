"""Who may be asked about when, among all processes on one database: one row per order, by the database's clock.

A row is due at one time, whatever it waits for: its next question, the end of its rest, or, while it is claimed, the end of the lease. So a claim
whose asker died is due again by itself. Times are compared with the statement's beginning and set from the moment they are written: never too early.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from callfire_async.stores import Claim, Deadline, Scope

if TYPE_CHECKING:
    from callfire_async.stores.postgres_pool import Database, Session

SEND_WITHIN: Final = 2.0
"""Seconds from a claim in which its call must begin; the lease counts on it."""

ASKED_FOR: Final = 2.0
"""Seconds in which an order is left to the process that asked for it, whose caller waits for the answer."""

LONGEST: Final = 1e8
"""Seconds, some three years: no time is set further ahead, because PostgreSQL's own end somewhere."""

_ROW: Final = "provider = $1 AND account = $2 AND order_id = $3"

_FOLLOW: Final = """
    INSERT INTO {schema}.schedule AS s (provider, account, order_id, since, followed, resting, due)
    SELECT $1, $2, $3, now, true, now + make_interval(secs => $5), now + make_interval(secs => greatest($4, $5)) FROM clock_timestamp() AS now
    ON CONFLICT (provider, account, order_id) DO UPDATE SET
        followed = true,
        resting = greatest(s.resting, excluded.resting),
        due = CASE
            WHEN s.claim IS NOT NULL THEN greatest(s.due, excluded.resting)
            WHEN s.wanted_by IS NOT NULL THEN greatest(s.resting, excluded.resting)
            ELSE greatest(s.resting, excluded.due)
        END
"""

_HASTEN: Final = """
    INSERT INTO {schema}.schedule AS s (provider, account, order_id, since, followed, resting, due, wanted_by)
    SELECT $1, $2, $3, now, false, now, now, $4 FROM clock_timestamp() AS now
    ON CONFLICT (provider, account, order_id) DO UPDATE SET
        wanted_by = $4,
        due = CASE WHEN s.claim IS NOT NULL THEN s.due ELSE least(s.due, greatest(s.resting, excluded.due)) END
"""

_CLAIM: Final = f"""
    WITH mine AS (
        SELECT order_id, due FROM {{schema}}.schedule
        WHERE provider = $1 AND account = $2 AND due <= statement_timestamp()
            AND (wanted_by IS NULL OR wanted_by = $4 OR due < statement_timestamp() - interval '{ASKED_FOR} seconds')
        ORDER BY due LIMIT $3 FOR UPDATE SKIP LOCKED
    )
    UPDATE {{schema}}.schedule AS s SET claim = $5, wanted_by = NULL, due = clock_timestamp() + make_interval(secs => $6)
    FROM mine WHERE s.provider = $1 AND s.account = $2 AND s.order_id = mine.order_id
    RETURNING mine.due, s.order_id, extract(epoch FROM clock_timestamp() - s.since)::float8
"""

_SETTLE: Final = f"""
    UPDATE {{schema}}.schedule SET
        claim = NULL,
        resting = clock_timestamp() + make_interval(secs => $5),
        due = CASE
            WHEN wanted_by IS NOT NULL THEN clock_timestamp() + make_interval(secs => $5)
            WHEN followed THEN clock_timestamp() + make_interval(secs => greatest($6, $5))
        END
    WHERE {_ROW} AND claim = $4
"""

# Orders that others have asked for are theirs for a moment: to count them would make everyone look again and again.
_DUE_IN: Final = """
    SELECT extract(epoch FROM due - clock_timestamp())::float8 FROM {schema}.schedule
    WHERE provider = $1 AND account = $2 AND due IS NOT NULL AND (wanted_by IS NULL OR wanted_by = $3)
    ORDER BY due LIMIT 1
"""


class SharedSchedule:
    """The schedule's half of a store in PostgreSQL. `node` is this process, for as long as it has the store open."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._node = 0

    async def hasten(self, scope: Scope, order_id: str) -> None:
        await self._database.fetch(_HASTEN, *scope, order_id, self._node)

    async def claim_due(self, scope: Scope, limit: int, *, lease: float = 60.0) -> list[Claim]:
        if limit < 1:
            return []
        # Counted from before the question, so that it ends here before it ends there.
        send_by, ticket = Deadline.after(SEND_WITHIN), secrets.randbits(62)
        rows = await self._database.fetch(_CLAIM, *scope, limit, self._node, ticket, min(SEND_WITHIN + lease, LONGEST))
        return [
            Claim(scope=scope, order_id=order_id, age=age, send_by=send_by, ticket=ticket)
            for _, order_id, age in sorted(rows)
        ]

    async def settle_claim(self, claim: Claim, *, again_in: float | None, rest: float) -> None:
        again_in = None if again_in is None else min(again_in, LONGEST)
        await self._database.fetch(_SETTLE, *claim.scope, claim.order_id, claim.ticket, min(rest, LONGEST), again_in)

    async def due_in(self, scope: Scope) -> float | None:
        rows = await self._database.fetch(_DUE_IN, *scope, self._node)
        return max(0.0, rows[0][0]) if rows else None


async def follow(session: Session, scope: Scope, order_id: str, *, ask_in: float, rest: float) -> None:
    """Put an order on the schedule, in the transaction that opens it."""
    await session.fetch(_FOLLOW, *scope, order_id, ask_in, rest)
