"""What the counts of some minutes say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from asynqpy._broker.rollups import all_rates, percentiles, rates, summary
from asynqpy.errors import QueryError

from .by_hand import talk

NOW = datetime(2026, 1, 1, 12, 10, 0, tzinfo=UTC)
LAST = int(NOW.timestamp()) // 60


def test_a_queue_that_gets_emptier() -> None:
    """Half of what is done arrives anew, so it takes twice as long."""
    by_minute = {
        LAST - 2: {"s:t": 600, "k:t": 600, "first_at": (LAST - 2) * 60 + 3, "first_depth": 1500, "depth": 1200},
        LAST - 1: {"s:t": 600, "k:t": 540, "f:t": 60, "depth": 900},
        LAST: {},
    }
    found = summary("low", by_minute, depth=900, now=NOW)
    assert found.services_per_second == 10
    assert found.observed == timedelta(minutes=2)
    assert found.arrivals_per_second == 5
    assert found.time_to_empty == timedelta(seconds=180)
    assert [(point.started, point.failed, point.depth) for point in found.points] == [
        (600, 0, 1200),
        (600, 60, 900),
        (0, 0, None),
    ]
    (pattern,) = found.patterns
    assert (pattern.pattern, pattern.started, pattern.succeeded, pattern.failed) == ("t", 1200, 1140, 60)


def test_a_worker_that_is_younger_than_the_window() -> None:
    """All rates are of the time that it wrote about: what flows through steadily arrives as fast as it is served."""
    by_minute: dict[int, dict[str, int]] = {minute: {} for minute in range(LAST - 59, LAST + 1)}
    by_minute[LAST - 2] = {"s:t": 70, "k:t": 70, "first_at": (LAST - 2) * 60 + 45, "first_depth": 30, "depth": 31}
    by_minute[LAST - 1] = {
        "s:t": 210,
        "k:t": 200,
        "f:t": 10,
        "first_at": LAST * 60 - 60,
        "first_depth": 30,
        "depth": 30,
    }
    found = summary("low", by_minute, depth=30, now=NOW)
    assert (found.minutes, found.observed) == (60, timedelta(seconds=80))
    assert found.starts_per_second == found.services_per_second == found.arrivals_per_second == 3.5
    assert found.time_to_empty is None
    faster = summary("low", by_minute, depth=10, now=NOW)
    assert faster.services_per_second == 3.5
    assert faster.arrivals_per_second == 3.25
    assert faster.time_to_empty == timedelta(seconds=40)


def test_a_worker_that_has_just_begun() -> None:
    """What it did is told at once, what arrives after a minute; what older servers wrote counts from its minute."""
    new = {LAST - 1: {"s:t": 50, "k:t": 50, "first_at": LAST * 60 - 20, "first_depth": 9, "depth": 9}, LAST: {}}
    found = summary("low", new, depth=9, now=NOW)
    assert (found.observed, found.services_per_second) == (timedelta(seconds=25), 2)
    assert (found.arrivals_per_second, found.time_to_empty) == (None, None)
    older = {LAST - 2: {"s:t": 60, "k:t": 60, "depth": 9}, LAST - 1: {"s:t": 60, "k:t": 60, "depth": 3}, LAST: {}}
    found = summary("low", older, depth=3, now=NOW)
    assert (found.observed, found.arrivals_per_second) == (timedelta(minutes=2), 114 / 120)


def test_spans_of_each_minute() -> None:
    """Of what began and ended in it; none where nothing did."""
    found = summary(
        "low", {LAST - 1: {"s:t": 2, "w3:t": 1, "w3:u": 1, "r1:t": 1, "depth": 0}, LAST: {}}, depth=0, now=NOW
    )
    assert found.points[0].waited.p50 == timedelta(milliseconds=6)
    assert found.points[0].ran.p50 == timedelta(milliseconds=1.5)
    assert (found.points[1].waited.p50, found.points[1].ran.p99) == (None, None)


def test_a_queue_that_does_not() -> None:
    """Never, or nobody knows; an empty one is empty now."""
    growing = {LAST - 2: {"s:t": 60, "k:t": 60, "depth": 0}, LAST - 1: {"s:t": 60, "k:t": 60, "depth": 100}, LAST: {}}
    assert summary("low", growing, depth=100, now=NOW).time_to_empty is None
    unknown = summary("low", {LAST: {}}, depth=5, now=NOW)
    assert (unknown.arrivals_per_second, unknown.time_to_empty) == (None, None)
    assert summary("low", {LAST: {}}, depth=0, now=NOW).time_to_empty == timedelta(0)


def test_percentiles() -> None:
    """Taken to lie evenly in their buckets; none where nothing was counted."""
    found = percentiles({"w1": 50, "w11": 40, "w12": 10}, "w")
    assert found.p50 == timedelta(milliseconds=2)
    assert found.p90 == timedelta(milliseconds=2048)
    assert found.p99 is not None
    assert timedelta(milliseconds=2048) < found.p99 <= timedelta(milliseconds=4096)
    assert percentiles({}, "r").p50 is None


@pytest.mark.parametrize("minutes", [0, 121, True, 1.5])
def test_minutes_that_cannot_be(minutes: int) -> None:
    """Refused before Redis is asked."""
    with pytest.raises(QueryError):
        next(rates("low", minutes, now=NOW))


def test_many_queues_together() -> None:
    """Whether there is anything is asked first; idle queues are not read. Sums, arrivals and depths are of all."""
    counts = [b"s:t", b"60", b"k:t", b"50", b"f:t", b"10", b"w3", b"9", b"depth", b"100"]
    other = [b"s:t", b"6", b"k:t", b"6", b"depth", b"5", b"first_at", str((LAST - 2) * 60 + 35).encode()]
    run = talk(
        all_rates(["a", "idle", "b"], 3, now=NOW),
        [100, 3, 7, 0, 5, 1],
        [counts, counts, counts, other, [], []],
    )
    assert [call.words[0] for call in run.calls] == ["LLEN", "EXISTS"] * 3 + ["HGETALL"] * 6
    found = run.result
    assert [(each.queue, each.depth, each.points[0].started) for each in found.queues] == [
        ("a", 100, 60),
        ("idle", 7, 0),
        ("b", 5, 6),
    ]
    together = found.together
    assert (together.queue, together.depth) == ("", 112)
    assert [(point.started, point.succeeded, point.failed, point.depth) for point in together.points] == [
        (66, 56, 10, 105),
        (60, 50, 10, 105),
        (60, 50, 10, 105),
    ]
    (pattern,) = together.patterns
    assert (pattern.pattern, pattern.started, pattern.failed) == ("t", 186, 30)
    assert [each.observed.total_seconds() for each in found.queues] == [120, 0, 90]
    assert (together.observed.total_seconds(), together.services_per_second) == (120, 186 / 120)
    assert together.arrivals_per_second == 186 / 120
    assert together.time_to_empty is None  # as much arrives as is done


def test_no_queue_at_all() -> None:
    """Nothing is said but that."""
    run = talk(all_rates([], 1, now=NOW))
    assert (run.result.queues, run.result.together.depth) == ((), 0)
    with pytest.raises(QueryError):
        talk(all_rates([], 0, now=NOW))
