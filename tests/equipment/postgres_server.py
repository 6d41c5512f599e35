"""A PostgreSQL server that tests may stop."""

import asyncio
import itertools
import os
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

_numbers = itertools.count()


class PostgresServer:
    """The address of a database, and what can be done to its server: None where it is not ours."""

    def __init__(
        self, url: str, *, stop: Callable[[], None] | None = None, start: Callable[[], None] | None = None
    ) -> None:
        self.url = url
        self._stop = stop
        self._start = start

    def stop(self) -> None:
        """As an administrator does: every connection is cut."""
        if self._stop is None:
            pytest.skip("the server named by CALLFIRE_ASYNC_TEST_POSTGRES is not stopped by tests")
        self._stop()

    def start(self) -> None:
        assert self._start is not None
        self._start()

    def run(self, *statements: str) -> None:
        """Run statements as the owner of everything."""
        import asyncpg

        async def run() -> None:
            connection = await asyncpg.connect(self.url)
            for statement in statements:
                await connection.execute(statement)
            await connection.close()

        asyncio.run(run())

    def fresh_database(self) -> str:
        """The address of an empty database."""
        name = f"callfire_test_{os.getpid()}_{next(_numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()
