"""What `ServerMetrics` makes of what it is told, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from asynqpy import AttemptOutcome
from asynqpy.metrics import ServerMetrics
from asynqpy.metrics.servers import Tally
from tests.eventually import eventually

pytestmark = pytest.mark.anyio

Read = Callable[[str], float | None]


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def registry() -> CollectorRegistry:
    """One of the test's own."""
    return CollectorRegistry()


@pytest.fixture
def read(registry: CollectorRegistry) -> Read:
    """Reads a number of the pattern ``p``."""
    return lambda name: registry.get_sample_value(f"asynqpy_{name}", {"queue": "q", "pattern": "p"})


async def test_a_busy_server_has_its_numbers_soon(registry: CollectorRegistry, read: Read) -> None:
    """Without anything else happening: they do not wait for the next task."""
    metrics = ServerMetrics(registry)
    metrics.attempt_started("q", "p", 1.5)
    metrics.attempt_started("q", "p", None)
    metrics.turn_ended(2, 0.001)
    await eventually(lambda: read("tasks_in_progress") == 2)
    assert (read("task_wait_seconds_count"), read("task_wait_seconds_sum")) == (1, 1.5)
    metrics.attempt_ended("q", "p", AttemptOutcome.SUCCEEDED, 0.2)
    await eventually(lambda: read("tasks_in_progress") == 1)
    assert registry.get_sample_value("asynqpy_turn_size_sum") == 2


async def test_the_numbers_of_an_idle_server_are_complete(registry: CollectorRegistry, read: Read) -> None:
    """With the turn that writes the last outcome: a server may end right after it."""
    metrics = ServerMetrics(registry)
    metrics.attempt_started("q", "p", 0.0)
    metrics.attempt_ended("q", "p", AttemptOutcome.SNOOZED, 0.2)
    metrics.turn_ended(1, 0.001)
    assert (read("tasks_in_progress"), read("task_duration_seconds_count"), read("task_wait_seconds_count")) == (
        0,
        1,
        1,
    )
    snoozed = {"queue": "q", "pattern": "p", "outcome": "snoozed"}
    assert registry.get_sample_value("asynqpy_tasks_handled_total", snoozed) == 1


def test_a_loop_that_has_ended_takes_no_numbers_with_it(registry: CollectorRegistry, read: Read) -> None:
    """What was not handed over yet is, on the next loop; and outside of any loop at once."""
    metrics = ServerMetrics(registry)

    async def begin() -> None:
        metrics.attempt_started("q", "p", None)

    async def go_on() -> None:
        metrics.turn_ended(1, 0.001)
        await eventually(lambda: read("tasks_in_progress") == 1)

    asyncio.run(begin())
    assert read("tasks_in_progress") == 0
    asyncio.run(go_on())
    metrics.attempt_started("q", "p", None)
    assert read("tasks_in_progress") == 2


def test_buckets_may_be_chosen(registry: CollectorRegistry, read: Read) -> None:
    """For tasks that take hours."""
    metrics = ServerMetrics(registry, buckets=(60, 3600))
    metrics.attempt_started("q", "p", 0.0)
    metrics.attempt_ended("q", "p", AttemptOutcome.SUCCEEDED, 600)
    metrics.turn_ended(1, 0.001)
    labels = {"queue": "q", "pattern": "p"}
    bounds = ("60.0", "3600.0", "+Inf")
    counts = [registry.get_sample_value("asynqpy_task_duration_seconds_bucket", {**labels, "le": le}) for le in bounds]
    assert counts == [0, 1, 1]


@given(st.lists(st.lists(st.floats(0, 100), max_size=20), max_size=4))
def test_a_tally_is_what_single_observations_are(batches: list[list[float]]) -> None:
    """To the bucket, also on its bound; poured as often as may be."""
    registries = CollectorRegistry(), CollectorRegistry()
    bounds = (0, 0.5, 1, 2, 50)
    one, all_at_once = (Histogram("h", "H.", registry=registry, buckets=bounds) for registry in registries)
    tally = Tally(all_at_once)
    for batch in batches:
        for value in batch:
            one.observe(value)
            tally.add(value)
        tally.pour()
    for le in ("0.0", "0.5", "1.0", "2.0", "50.0", "+Inf"):
        expected, found = (registry.get_sample_value("h_bucket", {"le": le}) for registry in registries)
        assert found == expected
    expected_sum, found_sum = (registry.get_sample_value("h_sum") for registry in registries)
    assert found_sum == pytest.approx(expected_sum)
