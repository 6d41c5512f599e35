"""The tables in PostgreSQL: created and brought up to date by whoever comes first, if that one may."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from callfire_async.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from callfire_async.stores.postgres_pool import Database, Session

#: Each brings the schema from one version to the next; its version is how many it has seen. Never change one that was released.
MIGRATIONS: Final[list[str]] = [
    """
    CREATE SCHEMA IF NOT EXISTS {schema};
    CREATE TABLE {schema}.version (version integer NOT NULL);
    INSERT INTO {schema}.version VALUES (0);

    -- The processes that have the store open, and when each was last heard of.
    CREATE TABLE {schema}.nodes (
        node bigint PRIMARY KEY,
        seen timestamptz NOT NULL
    );

    -- The purchases. node and attempt tell who wrote the intention, and which one it was; changed_at is when the provider's word last changed.
    CREATE TABLE {schema}.orders (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        provider text NOT NULL,
        account text NOT NULL,
        key text NOT NULL,
        content text NOT NULL,
        phase text NOT NULL,
        submitted_at timestamptz NOT NULL,
        order_id text,
        state text,
        settled_by text,
        callback text,
        settled_at timestamptz,
        changed_at timestamptz,
        node bigint,
        attempt bigint
    );
    CREATE UNIQUE INDEX orders_by_key ON {schema}.orders (provider, account, key);
    CREATE UNIQUE INDEX orders_by_id ON {schema}.orders (provider, account, order_id) WHERE order_id IS NOT NULL;
    CREATE UNIQUE INDEX orders_by_callback ON {schema}.orders (provider, account, callback) WHERE callback IS NOT NULL;
    CREATE INDEX orders_not_settled ON {schema}.orders (provider, account, phase) WHERE phase <> 'settled';
    CREATE INDEX orders_settled ON {schema}.orders (settled_at) WHERE phase = 'settled';
    CREATE INDEX orders_changed ON {schema}.orders (changed_at) WHERE changed_at IS NOT NULL;

    -- What may be asked about when. Ids that are not orders come here too, and go once they have rested.
    -- due: when it may be claimed, the end of the lease while it is claimed; null: not by itself.
    CREATE TABLE {schema}.schedule (
        provider text NOT NULL,
        account text NOT NULL,
        order_id text NOT NULL,
        since timestamptz NOT NULL,
        due timestamptz,
        resting timestamptz NOT NULL,
        followed boolean NOT NULL,
        wanted_by bigint,
        claim bigint,
        PRIMARY KEY (provider, account, order_id)
    ) WITH (fillfactor = 70);
    CREATE INDEX schedule_due ON {schema}.schedule (provider, account, due) WHERE due IS NOT NULL;
    CREATE INDEX schedule_over ON {schema}.schedule (resting) WHERE due IS NULL AND NOT followed;
    """,
]

_LOCK: Final = 0x43464153
"""Of two processes that create or migrate, one waits."""


def checked(schema: str) -> str:
    """The name. ConfigurationError unless it can stand in SQL as it is."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,47}", schema):
        raise ConfigurationError(
            f"schema={schema!r} must be 1 to 48 lower-case letters, digits and underscores, and begin with no digit."
        )
    return schema


def script(schema: str, *, after: int = 0, role: str | None = None) -> str:
    """The SQL that brings a schema up to date, from version `after` on, and lets a role use it. For an owner to run."""
    schema = checked(schema)
    statements = [*(migration.rstrip().replace("{schema}", schema) + "\n" for migration in MIGRATIONS[after:])]
    statements.append(f"    UPDATE {schema}.version SET version = {len(MIGRATIONS)};\n")
    if role is not None:
        name = '"' + role.replace('"', '""') + '"'
        statements.append(
            f"    GRANT USAGE ON SCHEMA {schema} TO {name};\n"
            f"    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {name};\n"
        )
    lines = [line.removeprefix("    ") for line in "".join(statements).splitlines()]
    return "\n".join(["BEGIN;", *lines, "COMMIT;", ""])


async def ensure(database: Database) -> None:
    """Create or migrate the schema. StoreError where this role may not, or a newer version of this library has been there."""
    if await database.transaction(_version) < len(MIGRATIONS):
        await database.transaction(_migrate)


async def _version(session: Session) -> int:
    """The schema's version; 0 where there is none. StoreError if it is a later one than this library knows."""
    # to_regclass may not have heard yet of what another process made while this one waited for the lock.
    ((there,),) = await session.fetch(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = '{schema}' AND tablename = 'version')"
    )
    rows: list[Any] = await session.fetch("SELECT version FROM {schema}.version") if there else []
    version: int = rows[0][0] if rows else 0
    if version > len(MIGRATIONS):
        raise StoreError(
            f"The tables were made by a newer callfire_async (their version is {version}, this one knows {len(MIGRATIONS)}). "
            "Install that version again; nothing was changed."
        )
    return version


async def _migrate(session: Session) -> None:
    import asyncpg  # the SQL can be printed without it

    await session.fetch("SELECT pg_advisory_xact_lock($1)", _LOCK)
    version = await _version(session)
    try:
        for migration in MIGRATIONS[version:]:
            for statement in _statements(migration):
                await session.fetch(statement)
        await session.fetch("UPDATE {schema}.version SET version = $1", len(MIGRATIONS))
    except asyncpg.InsufficientPrivilegeError as exc:
        raise StoreError(
            "The tables of this store are not there or not up to date, and this role may not make them. Let an owner of the database run what "
            f"`callfire-async postgres-schema --after {version} --role NAME` prints, NAME being this role; add --schema if you chose another."
        ) from exc


def _statements(migration: str) -> list[str]:
    lines = [line for line in migration.splitlines() if not line.lstrip().startswith("--")]
    return [statement for statement in "\n".join(lines).split(";") if statement.strip()]
