"""Values of the faces as text and as JSON. Pure: nothing here asks Redis or prints."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from asynqpy.cli.values import shown_duration
from asynqpy.config import RedisOptions
from asynqpy.task import TaskInfo, TaskState


def redis_address(options: RedisOptions) -> str:
    """*options* as a URL that may be shown: without the password."""
    if options.embedded:
        return f"embedded://{options.embedded_folder or ''}"
    user = f"{options.username or ''}:***@" if options.password else f"{options.username}@" if options.username else ""
    if options.unix_socket_path is not None:
        return f"redis-socket://{user}{options.unix_socket_path}?db={options.db}"
    return f"{'rediss' if options.tls else 'redis'}://{user}{options.host}:{options.port}/{options.db}"


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


def task_json(info: TaskInfo) -> dict[str, object]:
    """A task for machines: durations in seconds, moments in ISO 8601 in UTC, null where there is none."""
    return {
        "id": info.id,
        "type": info.type,
        "queue": info.queue,
        "state": info.state.value,
        "next_process_at": _moment(info.next_process_at),
        "max_retry": info.max_retry,
        "retried": info.retried,
        "timeout_seconds": info.timeout.total_seconds(),
        "deadline": _moment(info.deadline),
        "retention_seconds": info.retention.total_seconds(),
        "group": info.group or None,
        "headers": dict(info.headers),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
