"""Tasks that were lost with their worker, and states that no operation leaves behind but a crash can."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import time

import pytest

from asynqpy import Task
from asynqpy._wire import keys

from .programs import worker
from .stage import Stage, eventually

pytestmark = pytest.mark.anyio


async def nothing(task: Task) -> None:
    """Succeed."""


def lose(stage: Stage, info_id: str, crashes: int = 0) -> None:
    """Leave a pending task as a worker that died leaves it, its lease just ended."""
    q = keys.of_queue("default")
    stage.redis.lrem(q.pending, 0, info_id)
    stage.redis.lpush(q.active, info_id)
    stage.redis.zadd(q.lease, {info_id: time.time() - 0.5})
    fields: dict[str, object] = {"state": "active", "py:claim": "dead0000dead:0.1"}
    if crashes:
        fields |= {"py:crashes": crashes, "py:begun": "dead0000dead:0.1"}
    stage.redis.hset(q.task(info_id), mapping=fields)


async def test_a_task_of_a_dead_worker_runs_again_and_spends_no_retry(stage: Stage) -> None:
    """It is found when its lease has ended, and is served next."""
    seen: list[int] = []

    async def handler(task: Task) -> None:
        seen.append(task.retried)

    info = stage.enqueue(max_retry=0)
    lose(stage, info.id)
    async with stage.serving(handler):
        await stage.until_gone(info)
    assert seen == [0]
    assert stage.counters() == (1, 0)


async def test_a_task_that_took_three_workers_with_it_is_archived(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """With the reason; the others go on."""
    info = stage.enqueue()
    lose(stage, info.id, crashes=2)
    other = stage.enqueue()
    async with stage.serving(nothing):
        stored = await stage.until_state(info, "archived")
        await stage.until_gone(other)
    assert stored.message.error_msg == "the worker died 3 times while it ran this task"
    assert "archived" in caplog.text


async def test_max_crashes_is_a_setting(stage: Stage) -> None:
    """One means: never again after the first."""
    info = stage.enqueue()
    lose(stage, info.id)
    async with stage.serving(nothing, max_crashes=1):
        await stage.until_state(info, "archived")


async def test_more_lost_tasks_than_fit_in_one_call_are_all_recovered(stage: Stage) -> None:
    """A worker with many slots leaves many."""
    infos = stage.enqueue_many(1500)
    q = keys.of_queue("default")
    pipe = stage.redis.pipeline()
    pipe.delete(q.pending)
    for info in infos:
        pipe.lpush(q.active, info.id)
        pipe.zadd(q.lease, {info.id: time.time() - 0.5})
        pipe.hset(q.task(info.id), mapping={"state": "active", "py:claim": "dead0000dead:0.1"})
    pipe.execute()
    async with stage.serving(nothing, concurrency=100):
        await stage.until_processed(1500)
    assert stage.left_keys() == set()


async def test_an_active_task_without_a_lease_is_mended(stage: Stage) -> None:
    """No worker holds it, so it is put back."""
    info = stage.enqueue()
    lose(stage, info.id)
    q = keys.of_queue("default")
    stage.redis.delete(q.lease)
    stage.redis.lpush(q.active, "no such task")
    async with stage.serving(nothing):
        await stage.until_gone(info)
        await eventually(lambda: not stage.ids("active"))


async def test_a_lease_without_a_task_is_mended(stage: Stage) -> None:
    """It is cleared away."""
    q = keys.of_queue("default")
    stage.redis.zadd(q.lease, {"nobody": time.time() + 1000.5})
    async with stage.serving(nothing):
        await eventually(lambda: not stage.ids("lease"))


@pytest.mark.slow
async def test_tasks_of_a_killed_worker_run_elsewhere_after_the_lease(stage: Stage) -> None:
    """kill -9: within the lease of ten seconds and a recovery round, no retry spent."""
    infos = [stage.enqueue("slow", 0.01) for _ in range(3)]
    with worker(stage.url, lease=10, queues={"other": 1}) as process:
        blocked = stage.enqueue("slow", 3600, queue="other", timeout=7200)
        await stage.until_state(blocked, "active")
        os.kill(process.pid, signal.SIGKILL)
        killed_at = time.monotonic()
        seen: list[int] = []

        async def handler(task: Task) -> None:
            seen.append(task.retried)

        async with stage.serving(handler, lease=10, queues={"default": 1, "other": 1}):
            await stage.until_gone(blocked, *infos)
        assert time.monotonic() - killed_at < 60
    assert seen == [0, 0, 0, 0]
    assert stage.counters("other") == (1, 0)


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 10])
async def test_a_task_that_kills_its_worker_each_time_is_archived_and_the_others_go_on(
    stage: Stage, concurrency: int
) -> None:
    """After three crashes; each loses its lease at once here, so that nobody has to wait for that."""
    deadly = stage.enqueue("kill")
    others = [stage.enqueue("quick") for _ in range(20)]
    lease = keys.of_queue("default").lease

    def all_over() -> bool:
        """In one look: tasks move from one to the other meanwhile."""
        q = keys.of_queue("default")
        return not stage.redis.exists(q.pending, q.active, q.scheduled)

    def died_or_done(process: subprocess.Popen[str]) -> bool:
        return process.poll() is not None or all_over()

    for _ in range(10):
        with worker(stage.url, concurrency=concurrency) as process:
            await eventually(functools.partial(died_or_done, process), limit_seconds=60)
        if all_over():
            break
        for task_id in stage.ids("lease"):
            stage.redis.zadd(lease, {task_id: time.time() - 0.5})
    assert all_over()
    assert [stage.state(info) for info in others] == [None] * 20
    stored = stage.stored(deadly)
    assert stored is not None
    assert stored.fields["py:crashes"] == b"3"
    assert stored.message.error_msg == "the worker died 3 times while it ran this task"
