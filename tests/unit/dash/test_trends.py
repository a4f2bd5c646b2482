"""Rates out of totals that grow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from asynqpy import QueueInfo
from asynqpy.dash.trends import LENGTH, Trends

START = datetime(2030, 1, 1, tzinfo=UTC)
STATES = ("pending", "active", "scheduled", "retry", "archived", "completed", "aggregating")


def info(queue: str, done: int, failed: int, second: float) -> QueueInfo:
    """What was read of a queue at a moment."""
    return QueueInfo(
        queue=queue,
        memory_usage=None,
        latency=timedelta(0),
        size=0,
        groups=0,
        **dict.fromkeys(STATES, 0),
        processed=0,
        failed=0,
        processed_total=done,
        failed_total=failed,
        paused=False,
        timestamp=START + timedelta(seconds=second),
    )


def test_one_queue() -> None:
    """The first reading tells nothing yet; each further one adds a rate."""
    trends = Trends(2)
    trends.add(info("q", 100, 10, 0))
    assert (trends["q"].done_now, trends["q"].failed_now) == (None, None)
    trends.add(info("q", 120, 12, 2))
    trends.add(info("q", 120, 12, 4))
    assert (list(trends["q"].done), list(trends["q"].failed)) == ([10, 0], [1, 0])


def test_a_pause_fills_its_places() -> None:
    """When it was not read for a while, the average stands in every place of that while."""
    trends = Trends(2)
    trends.add(info("q", 0, 0, 0))
    trends.add(info("q", 60, 0, 6))
    assert list(trends["q"].done) == [10, 10, 10]
    trends.add(info("q", 60, 0, 100_000))
    assert list(trends["q"].done) == [0] * LENGTH


def test_a_queue_that_was_made_anew() -> None:
    """Totals that shrink begin a new line."""
    trends = Trends(2)
    for second, done in ((0, 100), (2, 200), (4, 5), (6, 15)):
        trends.add(info("q", done, 0, second))
    assert list(trends["q"].done) == [5]


def test_all_queues_together() -> None:
    """New queues count from their second reading; those that are gone are forgotten, without taking the rest along."""
    trends = Trends(1)
    trends.add_all([info("a", 10, 1, 0), info("b", 50, 0, 0)], START)
    trends.add_all([info("a", 20, 3, 1), info("b", 60, 0, 1), info("c", 500, 0, 1)], START + timedelta(seconds=1))
    trends.add_all([info("a", 25, 3, 2), info("c", 501, 0, 2)], START + timedelta(seconds=2))
    assert (list(trends.total.done), list(trends.total.failed)) == ([20, 6], [2, 0])
    assert trends["b"].done_now is None
    assert trends["c"].done_now == 1


def test_the_same_moment_twice() -> None:
    """Nothing can be said of no time."""
    trends = Trends(1)
    trends.add_all([info("a", 10, 1, 0)], START)
    trends.add_all([info("a", 10, 1, 0)], START)
    assert not trends.total.done
    assert trends["a"].done_now is None
