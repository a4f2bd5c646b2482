"""Taking tasks to another queue, and what is asked of Redis itself, by both inspectors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from asynqpy import QueryError, TaskIDConflictError, TaskState
from tests.redis.inspected import Inspected
from tests.servers import RedisServer

pytestmark = pytest.mark.anyio


async def test_one_task_and_all_of_a_state(face: Any, redis: Redis) -> None:
    """The other queue is made by it; what it has already is told."""
    low = Inspected(redis)
    low.pending("a", "b", "c")
    await face.move_task("low", "a", "high")
    assert [info.id for info in await face.list_tasks("high", "pending")] == ["a"]
    told: list[tuple[int, int]] = []
    report = await face.move_all("low", TaskState.PENDING, "high", on_progress=lambda done, of: told.append((done, of)))
    assert (report.moved, report.stayed, told) == (2, 0, [(2, 2)])
    assert await face.queues() == ["high", "low"]
    low.pending("a")
    with pytest.raises(TaskIDConflictError):
        await face.move_task("low", "a", "high")
    (stayed,) = (await face.move_all("low", "pending", "high")).tasks_stayed
    assert stayed.task_id == "a"


async def test_a_group(face: Any, redis: Redis) -> None:
    """Its name is needed, as for all that is done to aggregating tasks."""
    Inspected(redis).grouped("a", "g")
    with pytest.raises(QueryError, match="name one"):
        await face.move_all("low", "aggregating", "high")
    assert (await face.move_all("low", "aggregating", "high", group="g")).moved == 1
    assert [group.group for group in await face.groups("high")] == ["g"]


@pytest.mark.parametrize("state", ["active", "completed", "nope"])
async def test_states_that_do_not_move(face: Any, redis: Redis, state: str) -> None:
    """They are refused before anything is asked."""
    with pytest.raises(QueryError, match="state must be one of pending, scheduled, retry, archived, aggregating"):
        await face.move_all("low", state, "high")


async def test_what_redis_says_of_itself(face: Any, redis: Redis) -> None:
    """Its time, and that it pushes changes."""
    before = datetime.now(UTC)
    assert before - timedelta(seconds=1) <= await face.redis_time() <= datetime.now(UTC) + timedelta(seconds=1)
    assert await face.supports_tracking() is True


async def test_a_redis_that_refuses_to_push(face: Any, redis: Redis, valkey_server: RedisServer) -> None:
    """A user who may not use CLIENT, as behind some proxies."""
    from asynqpy import Inspector

    admin: Any = redis
    admin.acl_setuser("watcher", enabled=True, passwords=["+p"], keys=["*"], categories=["+@all"], commands=["-client"])
    try:
        url = valkey_server.url.replace("redis://", "redis://watcher:p@")
        with Inspector(url) as inspector:
            assert inspector.supports_tracking() is False
    finally:
        admin.acl_deluser("watcher")
