"""What type checkers see of the inspectors. Checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import assert_type

from asynqpy.inspection import OrphanReport, QueueInfo, SchedulerEntry, SearchCoverage, ServerInfo
from asynqpy.inspector import AsyncInspector, AsyncTaskSearch, Inspector, TaskSearch
from asynqpy.options import EnqueueOptions
from asynqpy.task import TaskInfo, TaskState


def blocking(inspector: Inspector) -> None:
    assert_type(inspector.queues(), list[str])
    assert_type(inspector.queue_infos(["low"]), list[QueueInfo])
    assert_type(inspector.queue_info("low").latency, timedelta)
    assert_type(inspector.queue_info("low", memory=False).memory_usage, int | None)
    assert_type(inspector.list_tasks("low", TaskState.RETRY, page=2), list[TaskInfo])
    assert_type(inspector.iter_tasks("low", "aggregating", group="g"), Iterator[TaskInfo])
    search = inspector.find_tasks(states=["retry", TaskState.ARCHIVED], type="email:*", ids="a")
    inspector.find_tasks(headers={"a": "b", "c": ...}, payload_fields={"user.id": 7, "x": None, "y.0": ...})
    assert_type(search, TaskSearch)
    assert_type(next(search).progress_at, datetime | None)
    assert_type(search.coverage, SearchCoverage)
    assert_type(inspector.run_all("low", "retry", on_progress=lambda done, total: done / total), int)
    assert_type(inspector.move_all("low", "pending", "high").tasks_stayed[0].reason, str)
    assert_type(inspector.redis_time(), datetime)
    assert_type(inspector.supports_tracking(), bool)
    assert_type(inspector.enqueue_again("low", "a", {"x": 1}, to_queue="high"), TaskInfo)
    assert_type(inspector.recover_orphans("low", repair=True), OrphanReport)
    assert_type(inspector.scheduler_entries()[0].options, EnqueueOptions)
    inspector.list_tasks("low")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    inspector.run_all("low", "retry", on_progress=lambda done: None)  # type: ignore[misc, arg-type]  # pyright: ignore[reportArgumentType]
    with inspector as same:
        assert_type(same, Inspector)


async def awaited(inspector: AsyncInspector) -> None:
    assert_type(await inspector.pause_queue("low"), bool)
    assert_type(await inspector.servers(), list[ServerInfo])
    assert_type(await inspector.scheduler_entries(), list[SchedulerEntry])
    assert_type(inspector.iter_tasks("low", "retry"), AsyncIterator[TaskInfo])
    assert_type(inspector.find_tasks(limit=3), AsyncTaskSearch)
    async for info in inspector.find_tasks(limit=3):
        assert_type(info, TaskInfo)
    assert_type(inspector.cluster_key_slot("low"), int)
    async with inspector as same:
        assert_type(same, AsyncInspector)
