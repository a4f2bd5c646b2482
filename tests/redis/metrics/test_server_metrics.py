"""What a running server counts and times."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from redis import Redis

from asynqpy import ServeMux, SkipRetry, Task
from asynqpy.metrics import ServerMetrics
from tests.conftest import StartProxy
from tests.redis.server.stage import Stage, eventually, soon

pytestmark = pytest.mark.anyio

Read = Callable[..., float | None]


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def stage(redis_url: str, redis: Redis) -> Iterator[Stage]:
    """An empty Redis with a client."""
    made = Stage(redis_url, redis)
    yield made
    made.close()


@pytest.fixture
def registry() -> CollectorRegistry:
    """One of the test's own."""
    return CollectorRegistry()


@pytest.fixture
def read(registry: CollectorRegistry) -> Read:
    """Reads a number: ``read("turn_size_count")``, ``read("tasks_in_progress", queue="low", pattern="t")``."""
    return lambda name, **labels: registry.get_sample_value(f"asynqpy_{name}", labels)


async def test_attempts_are_counted_by_what_became_of_them(
    stage: Stage, registry: CollectorRegistry, read: Read
) -> None:
    """With the pattern of the mux that matched, and timed."""
    mux = ServeMux()

    @mux.handler("email:")
    async def email(task: Task) -> None:
        if task.type == "email:bad":
            raise ValueError

    @mux.handler("skip")
    def skip(task: Task) -> None:
        raise SkipRetry

    async with stage.serving(mux, observer=ServerMetrics(registry)):
        for user in range(3):
            stage.enqueue(f"email:{user}")
        stage.enqueue("email:bad")
        stage.enqueue("email:bad", max_retry=0)
        stage.enqueue("skip")
        stage.enqueue("unknown")
        await stage.until_processed(7)
        await eventually(lambda: read("turn_size_count"))
    emails = {"queue": "default", "pattern": "email:"}
    assert read("tasks_handled_total", **emails, outcome="succeeded") == 3
    assert read("tasks_handled_total", **emails, outcome="retried") == 1
    assert read("tasks_handled_total", **emails, outcome="archived") == 1
    assert read("tasks_handled_total", **emails, outcome="snoozed") == 0
    assert read("tasks_handled_total", queue="default", pattern="skip", outcome="archived") == 1
    assert read("tasks_handled_total", queue="default", pattern="", outcome="retried") == 1
    assert read("task_duration_seconds_count", **emails) == 5
    assert read("task_wait_seconds_count", **emails) == 5
    assert read("tasks_in_progress", **emails) == 0


async def test_what_runs_is_in_progress(stage: Stage, registry: CollectorRegistry, read: Read) -> None:
    """Until its outcome is decided, however it ends."""
    go_on = asyncio.Event()

    async def handler(task: Task) -> None:
        await go_on.wait()

    labels = {"queue": "default", "pattern": ""}
    async with stage.serving(handler, observer=ServerMetrics(registry), shutdown_timeout=0):
        stage.enqueue_many(3)
        await eventually(lambda: read("tasks_in_progress", **labels) == 3)
        go_on.set()
        await stage.until_processed(3)
        assert read("tasks_in_progress", **labels) == 0
        go_on.clear()
        stage.enqueue_many(2)
        await eventually(lambda: read("tasks_in_progress", **labels) == 2)
    assert read("tasks_in_progress", **labels) == 0
    assert read("tasks_handled_total", **labels, outcome="put_back") == 2


async def test_times_are_those_of_the_task(stage: Stage, registry: CollectorRegistry, read: Read) -> None:
    """How long it ran, and how long it was ready before: not the time for which it was scheduled."""
    began, held = asyncio.Event(), 0.2

    async def handler(task: Task) -> None:
        began.set()
        await asyncio.sleep(held)

    stage.enqueue()
    stage.redis.hset(f"asynq:{{default}}:t:{stage.ids('pending')[0]}", "pending_since", 10**9)
    async with stage.serving(handler, observer=ServerMetrics(registry)):
        await soon(began)
        await stage.until_processed(1)
        stage.enqueue(process_in=0.5)
        await stage.until_processed(2)
    labels = {"queue": "default", "pattern": ""}
    ran, waited = read("task_duration_seconds_sum", **labels), read("task_wait_seconds_sum", **labels)
    assert ran is not None
    assert ran >= 2 * held * 0.99
    assert waited is not None
    assert waited > 1_000_000_000  # since 1970, as the hash said
    assert read("task_duration_seconds_bucket", **labels, le="0.1") == 0
    assert read("task_wait_seconds_bucket", **labels, le="+Inf") == 2


async def test_turns_are_counted_with_what_they_moved(stage: Stage, registry: CollectorRegistry, read: Read) -> None:
    """Each task is claimed once and its outcome written once."""

    async def handler(task: Task) -> None:
        """Succeed."""

    async with stage.serving(handler, observer=ServerMetrics(registry), concurrency=50):
        stage.enqueue_many(500)
        await stage.until_processed(500)
        await eventually(lambda: read("turn_size_sum") == 1000)
    assert read("turn_size_count") == read("turn_duration_seconds_count")
    turns = read("turn_size_count")
    assert turns is not None
    assert turns > 1000 / 250


async def test_tasks_that_are_handed_on_are_counted(stage: Stage, registry: CollectorRegistry, read: Read) -> None:
    """They are no attempts."""
    async with stage.serving(ServeMux(), observer=ServerMetrics(registry), unknown_types="release"):
        await stage.until_state(stage.enqueue("new"), "scheduled")
        await eventually(lambda: read("tasks_released_total", queue="default") == 1)
    assert read("tasks_in_progress", queue="default", pattern="") is None


async def test_reconnects_are_counted(
    stage: Stage, registry: CollectorRegistry, read: Read, start_proxy: StartProxy
) -> None:
    """Of the lanes that move tasks and of the connection that wakes them; none while nothing breaks."""

    async def handler(task: Task) -> None:
        """Succeed."""

    proxy = start_proxy(stage.url)
    async with stage.serving(handler, redis=proxy.url, observer=ServerMetrics(registry)):
        stage.enqueue()
        await stage.until_processed(1)
        assert (read("reconnects_total", connection="tasks"), read("reconnects_total", connection="changes")) == (0, 0)
        proxy.drop_connections()
        await eventually(lambda: read("reconnects_total", connection="changes") == 1)
        stage.enqueue()
        await stage.until_processed(2)
        await eventually(lambda: read("reconnects_total", connection="tasks") == 1)


def test_servers_one_after_the_other_share_one(stage: Stage, registry: CollectorRegistry, read: Read) -> None:
    """Each on an event loop of its own; nothing is lost with the loop."""
    metrics = ServerMetrics(registry)
    started = 0

    async def handler(task: Task) -> None:
        nonlocal started
        started += 1
        await asyncio.sleep(600)

    async def serve(count: int) -> None:
        async with stage.serving(handler, observer=metrics, shutdown_timeout=0):
            await eventually(lambda: started == count)

    stage.enqueue_many(2)
    asyncio.run(serve(2))
    asyncio.run(serve(4))
    assert read("tasks_handled_total", queue="default", pattern="", outcome="put_back") == 4
    assert read("tasks_in_progress", queue="default", pattern="") == 0


async def test_servers_of_a_process_share_one(stage: Stage, registry: CollectorRegistry, read: Read) -> None:
    """A registry takes each name once; two servers add up."""
    metrics = ServerMetrics(registry)

    async def handler(task: Task) -> None:
        """Succeed."""

    async with (
        stage.serving(handler, queues={"a": 1}, observer=metrics),
        stage.serving(handler, queues={"b": 1}, observer=metrics),
    ):
        for queue in "ab":
            stage.enqueue(queue=queue)
            await stage.until_processed(1, queue)
    for queue in "ab":
        assert read("tasks_handled_total", queue=queue, pattern="", outcome="succeeded") == 1
    with pytest.raises(ValueError, match="Duplicated"):
        ServerMetrics(registry)
