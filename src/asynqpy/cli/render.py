"""Values of the faces as text. Pure: nothing here asks Redis or prints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from asynqpy.cli.values import shown_duration
from asynqpy.config import Address, RedisOptions
from asynqpy.task import TaskInfo, TaskState


def redis_address(options: RedisOptions) -> str:
    """*options* as a URL that may be shown: without the password."""
    if options.embedded:
        return f"embedded://{options.embedded_folder or ''}"
    user = _secret(options.username, options.password)
    if options.unix_socket_path is not None:
        return f"redis-socket://{user}{options.unix_socket_path}?db={options.db}"
    if options.sentinels:
        scheme = "rediss-sentinel" if options.tls else "redis-sentinel"
        at_sentinels = _secret(options.sentinel_username, options.sentinel_password)
        return f"{scheme}://{at_sentinels}{_places(options.sentinels)}/{options.db}?master={options.sentinel_master}"
    if options.cluster:
        return f"{'rediss' if options.tls else 'redis'}-cluster://{user}{_places(options.cluster)}"
    return f"{'rediss' if options.tls else 'redis'}://{user}{options.host}:{options.port}/{options.db}"


def _secret(username: str | None, password: str | None) -> str:
    if password:
        return f"{username or ''}:***@"
    return f"{username}@" if username else ""


def _places(addresses: Sequence[Address]) -> str:
    return ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in addresses)


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
