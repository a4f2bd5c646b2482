"""One clock for all deadlines."""

from __future__ import annotations

import asyncio
import time

import pytest

from asynqpy._worker.deadlines import Deadlines
from asynqpy._worker.in_flight import Running
from tests.eventually import eventually

from .conftest import attempt

pytestmark = pytest.mark.anyio


async def test_an_attempt_expires_at_its_deadline_and_not_before() -> None:
    """Once its second has come it gets a timer of its own."""
    expired: list[tuple[Running, float]] = []
    deadlines = Deadlines(lambda running: expired.append((running, time.time())))
    soon, later = attempt(deadline=time.time() + 0.2), attempt(deadline=time.time() + 3600)
    deadlines.watch(soon)
    deadlines.watch(later)
    deadlines.open_due(time.time())
    await eventually(lambda: expired)
    assert [running for running, _ in expired] == [soon]
    assert expired[0][1] >= soon.deadline - 0.002
    deadlines.forget(later)
    assert len(deadlines) == 0


async def test_a_deadline_in_the_past_expires_at_once() -> None:
    """Also long ago, and before anything was opened."""
    expired: list[Running] = []
    deadlines = Deadlines(expired.append)
    deadlines.open_due(time.time())
    old, ancient = attempt(deadline=time.time() - 5), attempt(deadline=-1e18)
    deadlines.watch(old)
    deadlines.watch(ancient)
    await eventually(lambda: len(expired) == 2)
    assert set(expired) == {old, ancient}
    assert len(deadlines) == 0


async def test_a_second_that_comes_is_opened_whole_and_the_next_one_is_not() -> None:
    """Buckets by the second."""
    deadlines = Deadlines(lambda running: None)
    watched = [attempt(deadline=1000.0 + n / 4) for n in range(16)]
    for running in watched:
        deadlines.watch(running)
    assert sorted(deadlines._buckets) == [1000, 1001, 1002, 1003]
    deadlines.open_due(999.9)  # opens up to second 1000
    assert sorted(deadlines._buckets) == [1001, 1002, 1003]
    deadlines.open_due(1000.5)
    deadlines.open_due(1000.6)  # the same second again: nothing to do
    assert sorted(deadlines._buckets) == [1002, 1003]
    deadlines.open_due(5000.0)  # the loop was away for long
    assert deadlines._buckets == {}
    for running in watched:
        deadlines.forget(running)
    assert len(deadlines) == 0


async def test_what_is_forgotten_does_not_expire() -> None:
    """Whether it waits in its bucket or on its timer."""
    expired: list[Running] = []
    deadlines = Deadlines(expired.append)
    in_bucket, on_timer = attempt(deadline=time.time() + 100), attempt(deadline=time.time() + 0.05)
    deadlines.watch(in_bucket)
    deadlines.watch(on_timer)
    deadlines.open_due(time.time())
    deadlines.forget(in_bucket)
    deadlines.forget(on_timer)
    deadlines.forget(on_timer)  # twice is allowed
    deadlines.forget(attempt(deadline=12345.0))  # and what was never watched
    deadlines.open_due(time.time() + 200)
    await asyncio.sleep(0.1)
    assert expired == []
    assert (len(deadlines), deadlines._buckets, deadlines._timers) == (0, {}, {})


async def test_memory_is_empty_after_many() -> None:
    """Thousands of attempts with deadlines all over the future leave nothing behind."""
    deadlines = Deadlines(lambda running: None)
    watched = [attempt(deadline=time.time() + (n * 7919) % 5000 / 3) for n in range(5000)]
    for running in watched:
        deadlines.watch(running)
    deadlines.open_due(time.time())
    for running in watched:
        deadlines.forget(running)
    assert (len(deadlines), deadlines._buckets, deadlines._timers) == (0, {}, {})


async def test_it_runs_by_itself() -> None:
    """run() opens the buckets as time goes by."""
    expired: list[Running] = []
    deadlines = Deadlines(expired.append)
    running = asyncio.create_task(deadlines.run())
    deadlines.watch(attempt(deadline=time.time() + 1.2))
    await eventually(lambda: expired)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
