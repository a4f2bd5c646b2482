"""Why a task does not run, from what was found around it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from asynqpy._wire.records import TaskMessage
from asynqpy.diagnosis import Cause, Circumstances, Weight, why
from asynqpy.inspection import HandledPatterns, QueueInfo, ServerInfo, UniqueLock, WorkerInfo
from asynqpy.task import TaskInfo, TaskMarks, TaskState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def queue(**numbers: Any) -> QueueInfo:
    names = ["size", "groups", *(state.value for state in TaskState), "processed", "failed"]
    zeros = dict.fromkeys([*names, "processed_total", "failed_total"], 0)
    given = {"memory_usage": None, "latency": timedelta(0), "paused": False, "timestamp": NOW}
    return QueueInfo(queue="low", **{**zeros, **given, **numbers})


def server(busy: int = 0, **facts: Any) -> ServerInfo:
    worker = WorkerInfo(task_id="x", task_type="t", task_payload=b"", queue="low", started=NOW, deadline=None)
    defaults: dict[str, Any] = {
        "id": "s",
        "host": "h",
        "pid": 1,
        "concurrency": 2,
        "queues": {"low": 1},
        "strict_priority": False,
        "status": "active",
        "started": NOW,
        "active_workers": (worker,) * busy,
    }
    return ServerInfo(**{**defaults, **facts})


def handling(*types: str | None) -> HandledPatterns:
    tree = None if None in types else dict.fromkeys(types)
    patterns = None if tree is None else tuple(tree)
    return HandledPatterns(server_id="s", host="h", pid=1, queues=("low",), patterns=patterns, tree=tree)  # type: ignore[arg-type]


def task(state: TaskState, *, due: timedelta = timedelta(0), orphaned: bool = False, **message: Any) -> TaskInfo:
    marks = message.pop("marks", TaskMarks())
    stored = TaskMessage(**{"type": "t", "id": "a", "queue": "low", "retry": 3, **message})
    return TaskInfo(stored, state, (NOW + due).timestamp(), is_orphaned=orphaned, marks=marks)


def causes(info: TaskInfo, **around: Any) -> list[Cause]:
    defaults: dict[str, Any] = {
        "queue": queue(),
        "servers": [server()],
        "patterns": [handling("t")],
        "now": NOW,
        "redis_now": NOW,
    }
    return [reason.cause for reason in why(info, Circumstances(**{**defaults, **around}))]


PENDING = task(TaskState.PENDING)


@pytest.mark.parametrize(
    ("info", "around", "expected"),
    [
        (PENDING, {}, []),
        (PENDING, {"queue": queue(paused=True)}, [Cause.QUEUE_PAUSED]),
        (PENDING, {"servers": []}, [Cause.NO_SERVER]),
        (PENDING, {"servers": [server(queues={"high": 1})]}, [Cause.NO_SERVER]),
        (PENDING, {"servers": [server(status="stopped")]}, [Cause.SERVERS_STOPPED]),
        (PENDING, {"patterns": [handling("u")]}, [Cause.TYPE_UNKNOWN]),
        (PENDING, {"patterns": [handling(None)]}, [Cause.TYPE_PERHAPS_UNKNOWN]),
        (PENDING, {"patterns": []}, [Cause.TYPE_PERHAPS_UNKNOWN]),
        (PENDING, {"servers": [server(busy=2)]}, [Cause.SLOTS_BUSY]),
        (
            PENDING,
            {"servers": [server(busy=2, strict_priority=True, queues={"low": 1, "high": 2})]},
            [Cause.SLOTS_BUSY, Cause.HEAVIER_QUEUES],
        ),
        (PENDING, {"queue": queue(pending=5)}, [Cause.QUEUED_BEHIND]),
        (PENDING, {"redis_now": NOW - timedelta(seconds=60)}, [Cause.CLOCK_SKEW]),
        (task(TaskState.PENDING, marks=TaskMarks(released=3)), {}, [Cause.HANDED_ON]),
        (task(TaskState.PENDING, marks=TaskMarks(is_readable=False)), {}, [Cause.UNREADABLE]),
        (task(TaskState.PENDING, deadline=1), {}, [Cause.DEADLINE_PASSED]),
        (task(TaskState.SCHEDULED, due=timedelta(hours=1)), {}, [Cause.DUE_LATER]),
        (task(TaskState.SCHEDULED, due=-timedelta(hours=1)), {"servers": []}, [Cause.OVERDUE, Cause.NO_SERVER]),
        (task(TaskState.SCHEDULED, due=-timedelta(seconds=1)), {}, []),
        (task(TaskState.RETRY, due=timedelta(hours=1), error_msg="boom"), {}, [Cause.RETRY_LATER]),
        (task(TaskState.AGGREGATING, group_key="g"), {}, [Cause.GROUP_WAITS]),
        (task(TaskState.ACTIVE), {}, [Cause.NO_WORKER]),
        (task(TaskState.ACTIVE, id="x"), {"servers": [server(busy=1)]}, [Cause.RUNNING]),
        (task(TaskState.ACTIVE, orphaned=True), {}, [Cause.LEASE_EXPIRED]),
        (task(TaskState.COMPLETED), {}, [Cause.COMPLETED, Cause.ID_HELD]),
        (task(TaskState.ARCHIVED), {}, [Cause.ARCHIVED, Cause.ID_HELD]),
        (task(TaskState.ARCHIVED, error_msg="boom", retried=3), {}, [Cause.RETRIES_SPENT, Cause.ID_HELD]),
        (task(TaskState.ARCHIVED, marks=TaskMarks(crashes=3)), {}, [Cause.ARCHIVED, Cause.CRASHES, Cause.ID_HELD]),
        (
            task(TaskState.ARCHIVED),
            {"lock": UniqueLock(key="k", task_id="a", expires_in=timedelta(hours=1))},
            [Cause.ARCHIVED, Cause.LOCK_HELD, Cause.ID_HELD],
        ),
    ],
)
def test_causes(info: TaskInfo, around: dict[str, Any], expected: list[Cause]) -> None:
    """Each circumstance has its reason, the weightiest first."""
    assert causes(info, **around) == expected


def test_a_reason_tells_what_to_do() -> None:
    """In words, with the facts beside them."""
    around = Circumstances(queue=queue(), servers=[], patterns=[], now=NOW, redis_now=NOW)
    (reason,) = why(PENDING, around)
    assert (reason.weight, reason.text) == (Weight.BLOCKS, "no living server serves queue 'low'")
    assert reason.remedy == "start a worker with --queue low"
    (later,) = [
        each for each in why(task(TaskState.SCHEDULED, due=timedelta(hours=3)), around) if each.facts.get("due")
    ]
    assert later.text == "it is scheduled for 3 h from now"
