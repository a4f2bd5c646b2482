"""Values of the faces as text. Pure: nothing here asks Redis or prints."""

from __future__ import annotations

from datetime import datetime, timedelta

from asynqpy.cli.values import shown_duration
from asynqpy.task import TaskInfo, TaskState


def task_line(info: TaskInfo, *, now: datetime) -> str:
    """What became of an enqueued task, for people."""
    return f"{info.type}  id={info.id}  queue={info.queue}  {_state(info, now)}"


def _state(info: TaskInfo, now: datetime) -> str:
    due = info.next_process_at
    match info.state:
        case TaskState.SCHEDULED if due is not None:
            local = due.astimezone().isoformat(sep=" ", timespec="seconds")
            return f"scheduled for {local}, in {shown_duration(max(due - now, timedelta(0)))}"
        case TaskState.AGGREGATING:
            return f"waiting in group {info.group}"
        case _:
            return info.state.value
