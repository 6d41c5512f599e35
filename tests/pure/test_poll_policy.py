"""When to ask: the bounds of a policy, and the intervals it gives."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from callfire_async import ConfigurationError, Outcome, PollPolicy

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, id=f"{name}={value}")
        for name, values in {
            "min_interval": (0.999, 0.0, -1.0, 0, False),
            "grace": (-0.001, -1),
            "brisk_for": (-0.001, -1),
            "backoff": (0.999, 0.0, -2.0),
            "max_interval": (0.999, 0.0, -1.0),
            "parked_interval": (0.999, 0.0, -1.0),
            "max_concurrency": (0, -1),
            "max_rate": (0, 0.0, -1.0),
        }.items()
        for value in (*values, NAN, INF, -INF)
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^PollPolicy\({name}=.*\.$"):
        PollPolicy(**{name: value})


@pytest.mark.parametrize("name", ["max_interval", "parked_interval"])
def test_no_interval_is_shorter_than_the_least(name: str) -> None:
    five: dict[str, Any] = {name: 5.0}
    four: dict[str, Any] = {name: 4.0}
    assert PollPolicy(min_interval=5.0, **five)
    with pytest.raises(ConfigurationError, match=rf"{name}=4.*at least 5"):
        PollPolicy(min_interval=5.0, **four)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({}, id="the defaults"),
        pytest.param(
            {
                "min_interval": 1.0,
                "grace": 0.0,
                "brisk_for": 0.0,
                "backoff": 1.0,
                "max_interval": 1.0,
                "parked_interval": 1.0,
                "max_concurrency": 1,
                "max_rate": 0.001,
            },
            id="each at its least",
        ),
        pytest.param({"min_interval": 1, "max_rate": None}, id="whole numbers"),
    ],
)
def test_a_value_at_its_bound_is_accepted(arguments: dict[str, Any]) -> None:
    assert PollPolicy(**arguments)


@pytest.mark.parametrize(
    ("policy", "listening", "seconds"),
    [
        pytest.param(PollPolicy(), False, 1.0, id="alone"),
        pytest.param(PollPolicy(), True, 3.0, id="with a listener, after the grace"),
        pytest.param(PollPolicy(grace=0.0), True, 1.0, id="a grace shorter than the least interval"),
        pytest.param(PollPolicy(min_interval=5.0), True, 5.0, id="a least interval longer than the grace"),
        pytest.param(PollPolicy(min_interval=5.0, grace=9.0), False, 5.0, id="no grace without a listener"),
    ],
)
def test_the_first_question_comes_after(policy: PollPolicy, listening: bool, seconds: float) -> None:  # noqa: FBT001
    assert policy.first(listening=listening) == seconds


@pytest.mark.parametrize(
    ("age", "outcome", "failures", "seconds"),
    [
        pytest.param(0.0, Outcome.PENDING, 0, 1.0, id="new"),
        pytest.param(20.0, Outcome.PENDING, 0, 1.0, id="the end of the brisk phase"),
        pytest.param(21.0, Outcome.PENDING, 0, 1.5, id="a second later"),
        pytest.param(22.5, Outcome.PENDING, 0, 2.25, id="and so on"),
        pytest.param(137.0, Outcome.PENDING, 0, 59.5, id="just below the longest"),
        pytest.param(139.0, Outcome.PENDING, 0, 60.0, id="the longest"),
        pytest.param(1e9, Outcome.PENDING, 0, 60.0, id="thirty years"),
        pytest.param(0.0, Outcome.PARKED, 0, 300.0, id="parked at once"),
        pytest.param(1e9, Outcome.PARKED, 3, 300.0, id="parked for ever"),
        pytest.param(0.0, Outcome.PENDING, 1, 2.0, id="one failure"),
        pytest.param(0.0, Outcome.PENDING, 3, 8.0, id="three failures"),
        pytest.param(21.0, Outcome.PENDING, 2, 6.0, id="failures beyond the brisk phase"),
        pytest.param(0.0, Outcome.PENDING, 6, 60.0, id="failures up to the longest"),
        pytest.param(0.0, Outcome.PENDING, 100_000, 60.0, id="failures for a day"),
    ],
)
def test_the_default_policy_asks_again_after(age: float, outcome: Outcome, failures: int, seconds: float) -> None:
    assert PollPolicy().interval(age, outcome, failures) == seconds


def test_the_questions_about_a_slow_order_grow_rarer_by_the_factor() -> None:
    policy = PollPolicy()
    ages = [20.0]
    while policy.interval(ages[-1]) < policy.max_interval:
        ages.append(ages[-1] + policy.interval(ages[-1]))
    intervals = [policy.interval(age) for age in ages[:-1]]
    assert len(intervals) == 11
    assert [later / sooner for sooner, later in pairwise(intervals)] == pytest.approx([1.5] * 10)


def test_a_factor_of_one_never_grows_rarer() -> None:
    assert PollPolicy(backoff=1.0).interval(1e9) == 1.0


def test_a_failed_call_of_ten_thousand_seconds_is_not_punished_beyond_a_factor_of_1024() -> None:
    policy = PollPolicy(max_interval=1e6)
    assert policy.interval(0.0, failures=10) == 1024.0
    assert policy.interval(0.0, failures=11) == 1024.0


AGES = st.floats(0.0, 1e7)
POLICIES = st.builds(
    lambda least, brisk, factor, most, parked: PollPolicy(
        min_interval=least, brisk_for=brisk, backoff=factor, max_interval=least * most, parked_interval=least * parked
    ),
    st.floats(1.0, 60.0),
    st.floats(0.0, 600.0),
    st.floats(1.0, 10.0),
    st.floats(1.0, 1e4),
    st.floats(1.0, 1e4),
)


@given(policy=POLICIES, age=AGES, outcome=st.sampled_from(Outcome), failures=st.integers(0, 10**6))
def test_no_interval_leaves_its_bounds(policy: PollPolicy, age: float, outcome: Outcome, failures: int) -> None:
    interval = policy.interval(age, outcome, failures)
    assert policy.min_interval <= interval <= max(policy.max_interval, policy.parked_interval)
    if outcome is Outcome.PARKED:
        assert interval == policy.parked_interval
    else:
        assert interval <= policy.max_interval


@given(policy=POLICIES, ages=st.tuples(AGES, AGES), failures=st.integers(0, 20))
def test_older_orders_and_more_failures_are_never_asked_about_sooner(
    policy: PollPolicy, ages: tuple[float, float], failures: int
) -> None:
    younger, older = sorted(ages)
    assert policy.interval(younger) <= policy.interval(older)
    assert policy.interval(younger, failures=failures) <= policy.interval(younger, failures=failures + 1)
    if younger <= policy.brisk_for:
        assert policy.interval(younger) == policy.min_interval


@given(policy=POLICIES, after=AGES)
def test_successive_intervals_are_the_factor_apart_until_the_longest(policy: PollPolicy, after: float) -> None:
    age = policy.brisk_for + after
    interval = policy.interval(age)
    if interval < policy.max_interval:
        following = policy.interval(age + interval)
        assert following == pytest.approx(min(policy.max_interval, interval * policy.backoff), rel=1e-6)
