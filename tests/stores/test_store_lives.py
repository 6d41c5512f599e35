"""Any life of a store, crashes included, against a model that is too simple to be wrong."""

import asyncio
import itertools
import shutil
import tempfile
import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callfire_async import Outcome, Store, StoreError
from callfire_async.stores import Claim, Phase, Record, Scope
from callfire_async.stores.memory import MemoryStore
from callfire_async.stores.postgres import PostgresStore
from callfire_async.stores.sqlite import SQLiteStore

T = TypeVar("T")

SCOPE = Scope("callfire", "me")

#: Many lives, each a process's; measured for coverage on a busy machine they take their time.
pytestmark = pytest.mark.timeout(300)
KEYS = st.sampled_from(["a", "b", "c"])
IDS = st.sampled_from(["1", "2", "3"])


@dataclass(frozen=True)
class Known:
    """What the model knows of one purchase."""

    phase: Phase
    order_id: str | None = None
    state: str | None = None
    settled_by: str | None = None


class StoreLife(RuleBasedStateMachine):
    """Interleaves every write, claims and crashes. Time is turned by hand."""

    #: Seconds by which the store's clock may differ from ours.
    slack = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="callfire-journal-"))
        self.now = 1000.0
        self.model: dict[str, Known] = {}
        self.claims: dict[str, Claim] = {}
        self.not_before: dict[str, float] = {}
        self.runs = 0

    def make(self) -> Store:
        raise AssertionError  # each store has a machine of its own

    def run(self, work: Coroutine[None, None, T]) -> T:
        return self.runner.run(work)

    def by_id(self, order_id: str) -> str | None:
        return next((key for key, known in self.model.items() if known.order_id == order_id), None)

    @initialize()
    def open(self) -> None:
        self.store = self.make()
        self.run(self.store.__aenter__())

    @rule(key=KEYS)
    def intend(self, key: str) -> None:
        record = Record(
            scope=SCOPE, key=key, content={"local": 1}, phase=Phase.INTENDED, submitted_at=datetime.now(UTC)
        )
        known = self.run(self.store.intend(record))
        assert (known is None) == (key not in self.model)
        if known is None:
            self.model[key] = Known(Phase.INTENDED)

    @rule(key=KEYS, order_id=IDS)
    def place(self, key: str, order_id: str) -> None:
        if key not in self.model or self.model[key].phase not in (Phase.INTENDED, Phase.IN_DOUBT):
            return
        try:
            self.run(self.store.place(SCOPE, key, order_id, ask_in=3.0, rest=1.0))
        except StoreError:
            assert self.by_id(order_id) is not None
            return
        assert self.by_id(order_id) is None
        self.model[key] = Known(Phase.OPEN, order_id)
        self.not_before[order_id] = max(self.not_before.get(order_id, 0.0), self.now + 1.0)

    @rule(key=KEYS)
    def refuse(self, key: str) -> None:
        if key in self.model and self.model[key].phase in (Phase.INTENDED, Phase.IN_DOUBT):
            self.run(self.store.refuse(SCOPE, key))
            del self.model[key]

    @rule(key=KEYS)
    def doubt(self, key: str) -> None:
        if key in self.model and self.model[key].phase is Phase.INTENDED:
            self.run(self.store.doubt(SCOPE, key))
            self.model[key] = Known(Phase.IN_DOUBT)

    @rule(order_id=IDS, outcome=st.sampled_from(Outcome), state=st.sampled_from(["x", "y"]))
    def apply(self, order_id: str, outcome: Outcome, state: str) -> None:
        applied = self.run(self.store.apply(SCOPE, order_id, state=state, outcome=outcome, by="poll"))
        key = self.by_id(order_id)
        assert applied == (key is not None and self.model[key].phase is Phase.OPEN)
        if applied and key is not None:
            self.model[key] = replace(self.model[key], state=state)
            if outcome.final:
                self.model[key] = replace(self.model[key], phase=Phase.SETTLED, settled_by="poll")

    @rule(order_id=IDS)
    def hasten(self, order_id: str) -> None:
        self.run(self.store.hasten(SCOPE, order_id))

    @rule(limit=st.integers(0, 3))
    def claim(self, limit: int) -> None:
        for claim in self.run(self.store.claim_due(SCOPE, limit, lease=1e6)):
            assert claim.order_id not in self.claims, "two askers hold the same order"
            assert self.now >= self.not_before.get(claim.order_id, 0.0) - self.slack, "asked before it has rested"
            self.claims[claim.order_id] = claim

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), again_in=st.sampled_from([None, 0.0, 5.0]), rest=st.sampled_from([1.0, 4.0]))
    def settle_claim(self, data: st.DataObject, again_in: float | None, rest: float) -> None:
        claim = self.claims.pop(data.draw(st.sampled_from(sorted(self.claims))))
        self.run(self.store.settle_claim(claim, again_in=again_in, rest=rest))
        self.not_before[claim.order_id] = self.now + rest

    @rule(seconds=st.sampled_from([0.25, 1.0, 6.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def close_and_open(self) -> None:
        self.run(self.store.__aexit__(None, None, None))
        self.begin_anew(self.store)

    def begin_anew(self, store: Store) -> None:
        self.store = store
        self.run(store.__aenter__())
        for key, known in self.model.items():
            if known.phase is Phase.INTENDED:
                self.model[key] = Known(Phase.IN_DOUBT)

    @invariant()
    def the_store_knows_what_the_model_knows(self) -> None:
        for key in ("a", "b", "c"):
            record = self.run(self.store.find_key(SCOPE, key))
            known = record and Known(record.phase, record.order_id, record.state, record.settled_by)
            assert known == self.model.get(key)
        for phase in (Phase.INTENDED, Phase.IN_DOUBT, Phase.OPEN):
            listed = {record.key for record in self.run(self.store.in_phase(SCOPE, phase))}
            assert listed == {key for key, known in self.model.items() if known.phase is phase}

    def teardown(self) -> None:
        self.run(self.store.__aexit__(None, None, None))
        self.runner.close()
        shutil.rmtree(self.folder)


class MemoryLife(StoreLife):
    def make(self) -> Store:
        return MemoryStore(clock=lambda: self.now)


class SQLiteLife(StoreLife):
    def make(self) -> Store:
        return SQLiteStore(self.folder / str(self.runs) / "orders.db", clock=lambda: self.now)

    @initialize()
    def open(self) -> None:
        (self.folder / "0").mkdir()
        super().open()

    def begin_anew(self, store: Store) -> None:
        super().begin_anew(store)
        self.claims.clear()  # the claims of an earlier run are gone, and its last questions are a second ago at least
        self.not_before = dict.fromkeys(["1", "2", "3"], self.now + 1.0)

    @rule()
    def crash(self) -> None:
        """Go on with what stands in the files at this moment, as the next process would after kill -9."""
        self.runs += 1
        shutil.copytree(self.folder / str(self.runs - 1), self.folder / str(self.runs))
        self.run(self.store.__aexit__(None, None, None))
        self.begin_anew(self.make())


class PostgresLife(StoreLife):
    """Time goes on by itself here, and faster where all that lies ahead is moved nearer."""

    url = ""
    schemas = itertools.count()
    slack = 0.2
    store: PostgresStore

    def __init__(self) -> None:
        super().__init__()
        self.schema = f"life_{next(self.schemas)}"

    @property
    def now(self) -> float:
        return time.monotonic() + self.ahead

    @now.setter
    def now(self, now: float) -> None:
        self.ahead = now - time.monotonic()

    def make(self) -> Store:
        return PostgresStore(self.url, schema=self.schema, pool_size=2)

    def sql(self, statement: str) -> None:
        self.run(self.store._database.fetch(statement))

    @rule(seconds=st.sampled_from([0.25, 1.0, 6.0]))
    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        nearer = f"due = due - interval '{seconds} s', resting = resting - interval '{seconds} s'"
        self.sql(f"UPDATE {{schema}}.schedule SET {nearer}")  # noqa: S608 - the test's own numbers

    @rule()
    def crash(self) -> None:
        """Go on in another process, once this one counts as dead."""
        self.sql("UPDATE {schema}.nodes SET seen = seen - interval '1 day'")
        task = self.store._wakes._task
        assert task is not None
        task.cancel()
        self.run(self.store._database.close())
        self.begin_anew(self.make())


@pytest.fixture
def postgres_life(postgres_url: str) -> None:
    PostgresLife.url = postgres_url


TestMemoryLife = MemoryLife.TestCase
TestMemoryLife.settings = settings(deadline=None, max_examples=60)
TestSQLiteLife = SQLiteLife.TestCase
TestSQLiteLife.settings = settings(deadline=None, max_examples=30, stateful_step_count=30)
TestPostgresLife = pytest.mark.usefixtures("postgres_life")(PostgresLife.TestCase)
TestPostgresLife.settings = settings(deadline=None, max_examples=10, stateful_step_count=25)
