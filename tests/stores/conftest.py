"""Every store, behind one fixture: what holds for one holds for all."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from callfire_async import Store
from callfire_async.stores.memory import MemoryStore
from callfire_async.stores.postgres import PostgresStore
from callfire_async.stores.sqlite import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store that is not open yet. Opened again after a close, it stands for the next run of the program."""
    makers: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "sqlite": lambda: SQLiteStore(tmp_path / "orders.db"),
        "postgres": lambda: PostgresStore(request.getfixturevalue("postgres_url")),
    }
    return makers[request.param]()
