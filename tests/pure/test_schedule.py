"""The schedule of one scope, by a clock turned by hand."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callfire_async.stores.schedule import Schedule


class Clock:
    """Starts anywhere, as monotonic clocks do, and moves when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def schedule(clock: Clock) -> Schedule:
    return Schedule(clock=clock)


def claimed(schedule: Schedule, limit: int = 100) -> list[str]:
    return [order_id for order_id, _ in schedule.claim_due(limit)]


def kept(schedule: Schedule) -> tuple[int, int]:
    return len(schedule._slots), len(schedule._heap)


# ------------------------------------------------------------------ an order follows its schedule


def test_an_empty_schedule_has_nothing_to_claim(schedule: Schedule) -> None:
    assert claimed(schedule) == []
    assert schedule.due_in() is None


@pytest.mark.parametrize(
    ("ask_in", "rest", "first"),
    [
        pytest.param(0.0, 0.0, 0.0, id="at once"),
        pytest.param(3.0, 1.0, 3.0, id="when it is due"),
        pytest.param(0.0, 1.0, 1.0, id="when it has rested"),
    ],
)
def test_a_followed_order_is_first_asked_about(
    schedule: Schedule, clock: Clock, ask_in: float, rest: float, first: float
) -> None:
    schedule.follow("a", ask_in=ask_in, rest=rest)
    assert schedule.due_in() == first
    if first:
        clock.now += first - 0.125
        assert claimed(schedule) == []
        assert schedule.due_in() == 0.125
        clock.now += 0.125
    assert schedule.due_in() == 0.0
    assert schedule.claim_due(1) == [("a", first)]


def test_a_claimed_order_is_handed_to_nobody_else(schedule: Schedule, clock: Clock) -> None:
    schedule.follow("a", ask_in=0.0, rest=0.0)
    assert claimed(schedule) == ["a"]
    clock.now += 1_000.0
    schedule.hasten("a")
    assert claimed(schedule) == []
    assert schedule.due_in() is None


@pytest.mark.parametrize(
    ("again_in", "rest", "next_in"),
    [
        pytest.param(1.5, 1.0, 1.5, id="after the interval"),
        pytest.param(0.0, 1.0, 1.0, id="never before it has rested"),
        pytest.param(1.0, 30.0, 30.0, id="after the pause the provider asked for"),
        pytest.param(0.0, 0.0, 0.0, id="at once, if nobody minds"),
    ],
)
def test_a_settled_claim_is_due_again(
    schedule: Schedule, clock: Clock, again_in: float, rest: float, next_in: float
) -> None:
    schedule.follow("a", ask_in=0.0, rest=0.0)
    assert claimed(schedule) == ["a"]
    clock.now += 7.0  # the call takes its time, and counts from its answer on
    schedule.settle("a", again_in=again_in, rest=rest)
    assert schedule.due_in() == next_in
    clock.now += next_in
    assert schedule.claim_due(1) == [("a", 7.0 + next_in)]


def test_the_longest_due_are_claimed_first_and_no_more_than_asked_for(schedule: Schedule, clock: Clock) -> None:
    for order_id, ask_in in {"third": 3.0, "first": 1.0, "later": 9.0, "second": 2.0, "also third": 3.0}.items():
        schedule.follow(order_id, ask_in=ask_in, rest=0.0)
    clock.now += 5.0
    assert claimed(schedule, 0) == []
    assert claimed(schedule, 2) == ["first", "second"]
    assert schedule.due_in() == 0.0
    assert claimed(schedule, 5) == ["third", "also third"]
    assert schedule.due_in() == 4.0


def test_nothing_is_due_in_the_quiet_after_the_start(clock: Clock) -> None:
    schedule = Schedule(quiet=1.0, clock=clock)
    schedule.follow("a", ask_in=0.0, rest=0.0)
    schedule.hasten("b")
    assert schedule.due_in() == 1.0
    clock.now += 0.875
    assert claimed(schedule) == []
    clock.now += 0.125
    assert claimed(schedule) == ["a", "b"]


def test_the_age_counts_from_the_first_time_an_order_was_followed(schedule: Schedule, clock: Clock) -> None:
    schedule.follow("a", ask_in=0.0, rest=0.0)
    clock.now += 5.0
    schedule.follow("a", ask_in=1.0, rest=0.0)
    clock.now += 1.0
    assert schedule.claim_due(1) == [("a", 6.0)]


# ------------------------------------------------------------------ somebody wants to know


def test_a_hastened_order_is_due_at_once(schedule: Schedule) -> None:
    schedule.follow("a", ask_in=60.0, rest=0.0)
    schedule.hasten("a")
    assert schedule.due_in() == 0.0
    assert claimed(schedule) == ["a"]


def test_a_hastened_order_rests_first(schedule: Schedule, clock: Clock) -> None:
    schedule.follow("a", ask_in=60.0, rest=2.0)
    schedule.hasten("a")
    assert schedule.due_in() == 2.0
    clock.now += 2.0
    assert claimed(schedule) == ["a"]


def test_an_order_hastened_while_it_is_asked_about_is_asked_about_once_more(schedule: Schedule, clock: Clock) -> None:
    schedule.follow("a", ask_in=0.0, rest=0.0)
    assert claimed(schedule) == ["a"]
    for _ in range(3):
        schedule.hasten("a")
    schedule.settle("a", again_in=60.0, rest=1.0)
    assert schedule.due_in() == 1.0
    clock.now += 1.0
    assert claimed(schedule) == ["a"]
    schedule.settle("a", again_in=60.0, rest=1.0)
    assert schedule.due_in() == 60.0


@pytest.mark.parametrize("again_in", [None, 60.0])
def test_an_order_that_ends_while_it_is_hastened_is_asked_about_once_more_and_forgotten(
    schedule: Schedule, clock: Clock, again_in: float | None
) -> None:
    schedule.follow("a", ask_in=0.0, rest=0.0)
    assert claimed(schedule) == ["a"]
    schedule.hasten("a")
    schedule.leave("a")
    schedule.settle("a", again_in=again_in, rest=1.0)
    schedule.leave("a")
    clock.now += 1.0
    assert claimed(schedule) == ["a"]
    schedule.settle("a", again_in=again_in, rest=1.0)
    clock.now += 1.0
    assert claimed(schedule) == []
    assert kept(schedule) == (0, 0)


@pytest.mark.parametrize("again_in", [None, 60.0])
def test_an_order_nobody_follows_can_be_hastened_and_is_forgotten_after_its_rest(
    schedule: Schedule, clock: Clock, again_in: float | None
) -> None:
    schedule.hasten("a")
    assert schedule.claim_due(1) == [("a", 0.0)]
    schedule.settle("a", again_in=again_in, rest=1.0)
    schedule.hasten("a")
    assert schedule.due_in() == 1.0
    clock.now += 1.0
    assert claimed(schedule) == ["a"]
    schedule.settle("a", again_in=again_in, rest=1.0)
    clock.now += 1.0
    assert claimed(schedule) == []
    assert kept(schedule) == (0, 0)


def test_an_order_followed_while_it_is_asked_about_goes_on_after_the_answer(schedule: Schedule) -> None:
    schedule.hasten("a")
    assert claimed(schedule) == ["a"]
    schedule.follow("a", ask_in=0.0, rest=0.0)
    assert claimed(schedule) == []
    schedule.settle("a", again_in=2.0, rest=1.0)
    assert schedule.due_in() == 2.0


def test_an_order_that_is_not_asked_about_again_by_itself_waits_until_it_is_hastened(
    schedule: Schedule, clock: Clock
) -> None:
    schedule.follow("a", ask_in=0.0, rest=0.0)
    assert claimed(schedule) == ["a"]
    schedule.settle("a", again_in=None, rest=2.0)
    clock.now += 1.0
    assert claimed(schedule) == []
    schedule.hasten("a")
    assert schedule.due_in() == 1.0
    clock.now += 1.0
    assert claimed(schedule) == ["a"]
    schedule.settle("a", again_in=1.5, rest=1.0)
    assert schedule.due_in() == 1.5


def test_hastening_what_is_due_already_does_not_send_it_to_the_end_of_the_queue(
    schedule: Schedule, clock: Clock
) -> None:
    schedule.follow("a", ask_in=0.0, rest=0.0)
    clock.now += 1.0
    schedule.follow("b", ask_in=0.0, rest=0.0)
    schedule.hasten("a")
    assert claimed(schedule) == ["a", "b"]


def test_following_an_order_that_was_hastened_does_not_put_off_its_question(schedule: Schedule) -> None:
    schedule.hasten("a")
    schedule.follow("a", ask_in=60.0, rest=1.0)
    assert schedule.due_in() == 1.0


# ------------------------------------------------------------------ an order leaves


def test_an_order_that_left_is_asked_about_no_more_and_forgotten_after_its_rest(
    schedule: Schedule, clock: Clock
) -> None:
    schedule.follow("a", ask_in=1.0, rest=2.0)
    schedule.leave("a")
    clock.now += 1.0
    assert claimed(schedule) == []
    assert kept(schedule)[0] == 1  # its rest must be remembered, in case someone wants to know
    clock.now += 99.0
    assert claimed(schedule) == []
    assert kept(schedule) == (0, 0)
    assert schedule.due_in() is None


def test_an_order_that_left_still_rests_before_it_is_asked_about_again(schedule: Schedule, clock: Clock) -> None:
    schedule.follow("a", ask_in=0.0, rest=0.0)
    assert claimed(schedule) == ["a"]
    schedule.leave("a")
    schedule.settle("a", again_in=9.0, rest=2.0)
    clock.now += 1.0
    assert claimed(schedule) == []
    schedule.follow("a", ask_in=0.0, rest=0.0)
    assert schedule.due_in() == 1.0


def test_leaving_where_one_never_was_changes_nothing(schedule: Schedule) -> None:
    schedule.leave("a")
    assert kept(schedule) == (0, 0)


# ------------------------------------------------------------------ any life, against a model

IDS = st.sampled_from("abcde")
EIGHTHS = st.integers(0, 40).map(lambda eighths: eighths / 8)  # exact in binary, so that sums agree
INF = float("inf")


@dataclass
class Modelled:
    """What a schedule must know of an order, and nothing about how it does."""

    since: tuple[float, float]  # the earliest and the latest moment its age may count from
    due: float = INF  # when it may be claimed; INF while nobody wants to know
    resting: float = 0.0
    followed: bool = False
    claimed: bool = False
    hastened: bool = False


class AnyLife(RuleBasedStateMachine):
    """Orders come, are asked about, are hastened and go, in any sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.quiet_until = self.clock.now
        self.schedule = Schedule(clock=self.clock)
        self.orders: dict[str, Modelled] = {}

    def order(self, order_id: str) -> Modelled:
        """The order; one that nobody waited for and that has rested may have been forgotten, age and all."""
        now = self.clock.now
        order = self.orders.setdefault(order_id, Modelled((now, now)))
        if order.due == INF and not order.followed and not order.claimed and order.resting <= now:
            order.since = (order.since[0], now)
        return order

    @initialize(quiet=EIGHTHS)
    def begin(self, quiet: float) -> None:
        self.schedule = Schedule(quiet=quiet, clock=self.clock)
        self.quiet_until = self.clock.now + quiet

    @rule(seconds=EIGHTHS)
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(order_id=IDS, ask_in=EIGHTHS, rest=EIGHTHS)
    def follow(self, order_id: str, ask_in: float, rest: float) -> None:
        order = self.order(order_id)
        if order.hastened:
            return  # that has a test of its own
        self.schedule.follow(order_id, ask_in=ask_in, rest=rest)
        order.followed = True
        order.resting = max(order.resting, self.clock.now + rest)
        if not order.claimed:
            order.due = max(self.clock.now + ask_in, order.resting, self.quiet_until)

    @rule(order_id=IDS)
    def hasten(self, order_id: str) -> None:
        order = self.order(order_id)
        self.schedule.hasten(order_id)
        order.hastened = True
        if not order.claimed:
            order.due = min(order.due, max(self.clock.now, order.resting, self.quiet_until))

    @rule(order_id=IDS)
    def leave(self, order_id: str) -> None:
        self.schedule.leave(order_id)
        order = self.orders.get(order_id)
        if order is not None:
            order.followed = False
            if not order.claimed and not order.hastened:
                order.due = INF

    @rule(limit=st.integers(0, 6))
    def claim(self, limit: int) -> None:
        now = self.clock.now
        claimable = {i: order.due for i, order in self.orders.items() if not order.claimed and order.due <= now}
        claims = self.schedule.claim_due(limit)
        ids = [order_id for order_id, _ in claims]
        assert len(ids) == len(set(ids)) == min(limit, len(claimable))
        dues = [claimable.pop(order_id) for order_id in ids]  # KeyError: it was not to be claimed
        assert dues == sorted(dues)
        assert all(due >= dues[-1] for due in claimable.values() if dues)
        for order_id, age in claims:
            order = self.orders[order_id]
            assert order.resting <= now
            assert now - order.since[1] <= age <= now - order.since[0]
            order.claimed, order.hastened, order.due = True, False, INF

    @precondition(lambda self: any(order.claimed for order in self.orders.values()))
    @rule(data=st.data(), again_in=st.none() | EIGHTHS, rest=EIGHTHS)
    def settle(self, data: st.DataObject, again_in: float | None, rest: float) -> None:
        order_id = data.draw(st.sampled_from(sorted(i for i, order in self.orders.items() if order.claimed)))
        order = self.orders[order_id]
        self.schedule.settle(order_id, again_in=again_in, rest=rest)
        order.claimed, order.resting = False, self.clock.now + rest
        if order.hastened:
            again_in = 0.0
        elif not order.followed:
            again_in = None
        if again_in is not None:
            order.due = max(self.clock.now + again_in, order.resting, self.quiet_until)

    @invariant()
    def the_schedule_never_promises_to_be_later_than_it_is(self) -> None:
        due_in, now = self.schedule.due_in(), self.clock.now
        first = min((order.due for order in self.orders.values() if not order.claimed), default=INF)
        if first < INF:
            assert due_in is not None
            assert due_in <= max(0.0, first - now)
        if due_in == 0.0:
            assert first <= now

    @invariant()
    def nobody_who_waits_is_forgotten(self) -> None:
        waiting = {i for i, order in self.orders.items() if order.followed or order.claimed or order.due < INF}
        assert waiting <= self.schedule._slots.keys() <= self.orders.keys()

    @rule()
    def everyone_leaves(self) -> None:
        for order_id, order in self.orders.items():
            self.schedule.leave(order_id)
            if order.claimed:
                self.schedule.settle(order_id, again_in=1.0, rest=5.0)
        self.clock.now += 100.0
        for order_id, _ in self.schedule.claim_due(100):  # those who were hastened
            self.schedule.settle(order_id, again_in=1.0, rest=5.0)
        self.clock.now += 100.0
        assert self.schedule.claim_due(100) == []
        assert kept(self.schedule) == (0, 0)
        assert self.schedule.due_in() is None
        self.orders.clear()


AnyLife.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnyLife = AnyLife.TestCase
