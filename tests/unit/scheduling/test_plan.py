"""Which passed ticks are still to be enqueued."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynqpy._scheduling.plan import GRACE, MOST_MISSED_TICKS, CatchUp, plan
from asynqpy._scheduling.schedules import Every, parse_spec

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
MINUTELY = Every(60)


def at(minutes: float, seconds: float = 0) -> datetime:
    """So long after noon."""
    return NOON + timedelta(minutes=minutes, seconds=seconds)


@pytest.mark.parametrize("catch_up", ["none", "last", "all"])
def test_nothing_has_passed(catch_up: CatchUp) -> None:
    """There is nothing to do, and nothing is left out."""
    assert plan(MINUTELY, at(0), at(0, 59), catch_up) == ((), None, False)


@pytest.mark.parametrize("catch_up", ["none", "last", "all"])
def test_a_tick_that_is_hardly_late_is_not_missed(catch_up: CatchUp) -> None:
    """Up to the grace, to the instant."""
    assert plan(MINUTELY, at(0), at(1), catch_up) == ((at(1),), at(1), False)
    assert plan(MINUTELY, at(0), at(1) + GRACE, catch_up) == ((at(1),), at(1), False)
    late = plan(MINUTELY, at(0), at(1) + GRACE + timedelta(microseconds=1), catch_up)
    assert late == (((), at(1), True) if catch_up == "none" else ((at(1),), at(1), False))


@pytest.mark.parametrize(
    ("catch_up", "ticks", "skips"),
    [("none", [], True), ("last", [5], True), ("all", [1, 2, 3, 4, 5], False)],
)
def test_missed_ticks(catch_up: CatchUp, ticks: list[int], skips: bool) -> None:
    """By what the entry says."""
    assert plan(MINUTELY, at(0), at(5, 30), catch_up) == (tuple(map(at, ticks)), at(5), skips)


@pytest.mark.parametrize(
    ("catch_up", "ticks", "skips"),
    [("none", [1], True), ("last", [1, 5], True), ("all", [1, 2, 3, 4, 5], False)],
)
def test_the_awaited_tick_is_never_left_out(catch_up: CatchUp, ticks: list[int], skips: bool) -> None:
    """However late."""
    assert plan(MINUTELY, at(0), at(5, 30), catch_up, awaited=at(1)) == (tuple(map(at, ticks)), at(5), skips)


def test_what_is_left_out_around_the_awaited_tick() -> None:
    """Before it, after it, or nothing."""
    assert plan(MINUTELY, at(0), at(1, 30), "none", awaited=at(1)) == ((at(1),), at(1), False)
    assert plan(MINUTELY, at(0), at(2, 30), "none", awaited=at(2)) == ((at(2),), at(2), True)
    assert plan(MINUTELY, at(0), at(2, 5), "none", awaited=at(1)) == ((at(1), at(2)), at(2), False)
    assert plan(MINUTELY, at(0), at(3, 5), "none", awaited=at(1)) == ((at(1), at(3)), at(3), True)
    assert plan(MINUTELY, at(1), at(1, 30), "none", awaited=at(1)) == ((), None, False)
    assert plan(MINUTELY, at(0), at(0, 30), "none", awaited=at(1)) == ((), None, False)


def test_seconds_that_are_hardly_late_are_all_enqueued() -> None:
    """A busy machine is no outage."""
    found = plan(Every(1), at(0), at(0, 8.5), "none")
    assert found == (tuple(at(0, n) for n in range(1, 9)), at(0, 8), False)


def test_the_latest_thousand() -> None:
    """And what was awaited."""
    found = plan(Every(1), at(0), at(60), "all", awaited=at(0, 1))
    assert len(found.ticks) == MOST_MISSED_TICKS + 1
    assert found.ticks[:2] == (at(0, 1), at(60) - timedelta(seconds=999))
    assert found.skips


def test_an_entry_that_never_comes() -> None:
    """Has no ticks."""
    assert plan(parse_spec("0 0 31 2 *", UTC), at(0), at(10_000), "all") == ((), None, False)


@given(
    seconds=st.integers(1, 90),
    after=st.integers(0, 600),
    late=st.integers(0, 600),
    catch_up=st.sampled_from(["none", "last", "all"]),
    is_awaited=st.booleans(),
)
def test_plans_are_in_order_and_honest(
    seconds: int, after: int, late: int, catch_up: CatchUp, is_awaited: bool
) -> None:
    """Only passed ticks, each once; what is left out is told; the awaited one is there."""
    schedule, start, now = Every(seconds), at(0, after), at(0, after + late)
    awaited = schedule.next_after(start) if is_awaited else None
    passed = []
    tick = schedule.next_after(start)
    while tick is not None and tick <= now:
        passed.append(tick)
        tick = schedule.next_after(tick)
    found = plan(schedule, start, now, catch_up, awaited=awaited)
    assert list(found.ticks) == sorted(set(found.ticks))
    assert set(found.ticks) <= set(passed)
    assert found.skips == (set(found.ticks) != set(passed))
    assert found.until == (passed[-1] if passed else None)
    if awaited is not None and awaited <= now:
        assert awaited in found.ticks
