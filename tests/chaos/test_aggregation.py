"""kill -9 in the middle of aggregating 20,000 tasks."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from typing import Any

import pytest
from redis import Redis

from asynqpy import Client, Task
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage
from tests.redis.server.programs import worker
from tests.servers import wait_until

from .conftest import PATIENCE_SECONDS, TASKS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Q = keys.of_queue("default")
GROUPS = 20
SETTINGS: dict[str, Any] = {"aggregation": "slow", "group_max_size": 100, "group_grace_period": 1}


def joined(redis: Any) -> list[int]:
    """The numbers of the tasks that pending tasks were made of."""
    messages = [redis.hget(Q.task(task_id.decode()), "msg") for task_id in redis.lrange(Q.pending, 0, -1)]
    return [int(n) for message in messages for n in TaskMessage.decode(message).payload.split(b",")]


def let_time_pass(redis: Any) -> None:
    """The deadlines of all sets pass: those of the dead, and those of the living, who come too late then."""
    for set_key in redis.zrange(Q.aggregation_sets, 0, -1):
        redis.zadd(Q.aggregation_sets, {set_key: 1}, xx=True)


def test_workers_are_killed_while_they_aggregate(redis_url: str, redis: Redis) -> None:
    """Again and again, whatever they are doing: in the end each task is in one aggregated task, and in one only."""
    redis.set(Q.paused, 1)  # so that the aggregated tasks stay where they can be counted
    with Client(redis_url) as client:
        tasks = (Task("part", n, group=f"g{n % GROUPS}") for n in range(TASKS))
        for result in client.enqueue_stream(tasks):
            result.unwrap()
    with ExitStack() as stack:
        stack.enter_context(worker(redis_url, **SETTINGS))
        for share in (0.1, 0.3, 0.5, 0.7):
            victim = stack.enter_context(worker(redis_url, **SETTINGS))
            reached = int(TASKS / 100 * share)
            wait_until(lambda reached=reached: redis.llen(Q.pending) >= reached, limit_seconds=PATIENCE_SECONDS)  # type: ignore[misc]
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait()
            let_time_pass(redis)
        wait_until(lambda: not redis.exists(Q.aggregation_sets, Q.groups, Q.spent), limit_seconds=PATIENCE_SECONDS)
    assert sorted(joined(redis)) == list(range(TASKS))
    pending: Any = redis.llen(Q.pending)
    found: Any = redis.keys("asynq:{*")
    assert len(found) == pending + 2  # the list and the flag
