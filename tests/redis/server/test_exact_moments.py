"""Moments finer than the seconds of the wire: kept by servers of Python, invisible to those of Go."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from asynqpy import ServeMux, Snooze, Task
from asynqpy._wire import keys

from .stage import Stage, eventually

pytestmark = pytest.mark.anyio

PARTS = {"a": 0.8, "b": 0.5, "c": 0.2}
"""Ids and the part of one second at which their tasks are due: by whole seconds their order would be the other way."""


def same_second() -> dict[str, float]:
    """Moments of one and the same second, two seconds from now."""
    second = math.ceil(time.time()) + 1
    return {task_id: second + part for task_id, part in PARTS.items()}


class Recorder:
    """Remembers when the second attempt of each task began, in order."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}

    async def done(self, due: dict[str, float]) -> None:
        """All have begun: none early, and in the order of their moments."""
        await eventually(lambda: len(self.began) == len(due))
        assert list(self.began) == ["c", "b", "a"]
        for task_id, moment in due.items():
            assert self.began[task_id] >= moment - 0.001, task_id


def assert_whole_seconds(stage: Stage, which: str, due: dict[str, float]) -> None:
    """What Go reads is the whole second after, never more than a second late; ours is the millisecond."""
    q = keys.of_queue("default")
    for task_id, moment in due.items():
        assert stage.redis.zscore(q.prefix + which, task_id) == math.ceil(moment)
        assert 0 <= stage.redis.zscore(q.due, task_id) - moment * 1000 < 1.001


async def test_scheduled_tasks_run_at_their_moment_not_at_their_second(stage: Stage) -> None:
    """Those of one second run in the order of their moments, and not at its end."""
    recorder = Recorder()

    async def handler(task: Task) -> None:
        recorder.began[task.id] = time.time()

    due = same_second()
    async with stage.serving(handler, concurrency=1):
        for task_id, moment in due.items():
            stage.enqueue(task_id=task_id, process_at=datetime.fromtimestamp(moment, UTC))
        assert_whole_seconds(stage, "scheduled", due)
        await recorder.done(due)
    assert stage.left_keys() == set()


@pytest.mark.parametrize("way", ["retry", "scheduled"])
async def test_retries_and_snoozes_too(stage: Stage, way: str) -> None:
    """Whatever part of a second the policy or the handler asks for."""
    recorder = Recorder()
    due = same_second()
    attempts: list[str] = []

    async def handler(task: Task) -> None:
        if task.id in attempts:
            recorder.began[task.id] = time.time()
            return
        attempts.append(task.id)
        if way == "scheduled":
            raise Snooze(due[task.id] - time.time())
        raise RuntimeError

    def until_due(retried: int, error: BaseException, task: Task) -> timedelta:
        return timedelta(seconds=due[task.id] - time.time())

    for task_id in due:
        stage.enqueue(task_id=task_id)
    async with stage.serving(handler, concurrency=1, retry_delay=until_due):
        await recorder.done(due)
    assert stage.left_keys() == set()


@pytest.mark.parametrize("delay", [0.25, 0.001, timedelta(milliseconds=999)])
async def test_a_delay_below_a_second_is_a_delay(stage: Stage, delay: float | timedelta) -> None:
    """Neither nothing nor a second: the moment that the client was told is the one that counts."""
    began: list[float] = []

    async def handler(task: Task) -> None:
        began.append(time.time())

    async with stage.serving(handler):
        before = time.time()
        info = stage.enqueue(process_in=delay)
        after = time.time()
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
        assert info.next_process_at is not None
        due = info.next_process_at.timestamp()
        assert before + seconds - 0.001 <= due <= after + seconds + 0.001
        await stage.until_gone(info)
    assert began[0] >= due - 0.001


@pytest.mark.parametrize("change", ["earlier", "later", "run"])
async def test_whatever_go_does_to_a_task_wins(stage: Stage, change: str) -> None:
    """A score that a Go peer has moved makes the exact moment void."""
    q = keys.of_queue("default")
    began: list[str] = []

    async def handler(task: Task) -> None:
        began.append(task.id)

    moment = time.time() + 3600.25
    stage.enqueue(task_id="moved", process_at=datetime.fromtimestamp(moment, UTC))
    moves: dict[str, Callable[[], object]] = {
        "earlier": lambda: stage.redis.zadd(q.scheduled, {"moved": int(time.time())}),
        "later": lambda: stage.redis.zadd(q.due, {"moved": 1}),  # as if it had been due: its second says otherwise
        "run": lambda: (stage.redis.zrem(q.scheduled, "moved"), stage.redis.lpush(q.pending, "moved")),
    }
    async with stage.serving(handler):
        moves[change]()
        stage.enqueue(task_id="other", process_in=0.05)
        await eventually(lambda: "other" in began)
        if change == "later":
            assert stage.ids("scheduled") == ["moved"]
            assert began == ["other"]
        else:
            await eventually(lambda: "moved" in began)


async def test_a_mux_may_have_policies_below_a_second(stage: Stage) -> None:
    """The handler's own policy is as exact as the server's."""
    mux = ServeMux()
    moments: list[float] = []

    @mux.handler("t", retry_delay=lambda retried, error, task: 0.3)
    async def handler(task: Task) -> None:
        moments.append(time.time())
        if task.retried == 0:
            raise RuntimeError

    async with stage.serving(mux):
        await stage.until_gone(stage.enqueue("t"))
    assert moments[1] - moments[0] >= 0.299
