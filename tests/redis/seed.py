"""Puts tasks where a test wants them, as a Python server would have left them, by plain commands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from asynqpy._wire import keys
from asynqpy._wire.moments import utc_day
from asynqpy._wire.records import TaskMessage

from .snapshot import Between, Hash, Scores, Snapshot, Text

TOKEN = "5ca1ab1e0000-1"


class Queue:
    """One queue of a test: its keys, its seeds, and the clock of its server."""

    def __init__(self, redis: Redis, name: str = "low") -> None:
        self.redis: Any = redis
        self.name = name
        self.keys = keys.of_queue(name)

    def now(self) -> float:
        """Unix seconds by the server's clock."""
        seconds, microseconds = self.redis.time()
        return float(seconds + microseconds / 1e6)

    def today(self) -> datetime:
        """The same, as the flows take it."""
        return datetime.fromtimestamp(self.now(), UTC)

    def message(self, task_id: str, **fields: Any) -> TaskMessage:
        """The message of a task of this queue."""
        defaults: dict[str, Any] = {"type": "t", "id": task_id, "queue": self.name, "retry": 25, "timeout": 1800}
        return TaskMessage(**defaults | fields)

    def hash(self, task_id: str, state: str, fields: Mapping[str, Any] | None = None, **message: Any) -> TaskMessage:
        """Write the hash of a task, and no more."""
        stored = self.message(task_id, **message)
        self.redis.hset(self.keys.task(task_id), mapping={"msg": stored.encode(), "state": state, **(fields or {})})
        return stored

    def pending(self, *task_ids: str) -> None:
        """Tasks that wait; the first is the next to run."""
        for task_id in task_ids:
            self.hash(task_id, "pending", {"pending_since": 1_700_000_000_000_000_000})
            self.redis.lpush(self.keys.pending, task_id)

    def active(
        self,
        task_id: str,
        *,
        token: str = TOKEN,
        ends_in: float = 30.0,
        fields: Mapping[str, Any] | None = None,
        **message: Any,
    ) -> TaskMessage:
        """A task that runs under *token*; its lease ends *ends_in* seconds from now, at no whole second."""
        stored = self.hash(task_id, "active", {"py:claim": token, **(fields or {})}, **message)
        self.redis.lpush(self.keys.active, task_id)
        self.redis.zadd(self.keys.lease, {task_id: fractional(self.now() + ends_in)})
        return stored

    def go_active(self, task_id: str, *, ends_in: float = 30.0) -> TaskMessage:
        """A task that a Go server runs: whole seconds, no token."""
        stored = self.hash(task_id, "active")
        self.redis.lpush(self.keys.active, task_id)
        self.redis.zadd(self.keys.lease, {task_id: math.floor(self.now() + ends_in)})
        return stored

    def waiting(self, which: str, task_id: str, due: float, *, exact: bool = True, **fields: Any) -> None:
        """A task of the sets ``scheduled`` or ``retry``, due at Unix seconds *due*."""
        self.hash(task_id, which, fields)
        self.redis.zadd(self.keys.prefix + which, {task_id: math.ceil(due)})
        if exact and due % 1:
            self.redis.zadd(self.keys.due, {task_id: round(due * 1000)})

    def completed(self, task_id: str, delete_at: float) -> None:
        """A task that is kept until *delete_at*."""
        self.hash(task_id, "completed", {"result": b"result"})
        self.redis.zadd(self.keys.completed, {task_id: math.floor(delete_at)})

    def pass_time(self, seconds: int) -> None:
        """Let *seconds* pass for what waits in this queue, by moving its scores back."""
        for name in ("lease", "scheduled", "retry", "completed", "py:due"):
            key = self.keys.prefix + name
            by = seconds * (1000 if name == "py:due" else 1)
            for member, score in self.redis.zrange(key, 0, -1, withscores=True):
                self.redis.zadd(key, {member: score - by})

    def task(self, message: TaskMessage, state: str, **fields: Any) -> Snapshot:
        """What a snapshot has for the hash of a task; ``py_claim`` stands for the field ``py:claim``."""
        named = {name.replace("py_", "py:"): value for name, value in fields.items()}
        return {self.keys.task(message.id): Hash({"msg": message.encode(), "state": state.encode(), **named})}

    def counters(self, now: datetime, processed: int, failed: int = 0) -> Snapshot:
        """What a snapshot has for counters that were all made at *now*."""
        day, expiry = utc_day(now), (math.floor(now.timestamp()) + 7_776_000) * 1000
        found: Snapshot = {}
        for total, count in ((self.keys.processed, processed), (self.keys.failed, failed)):
            if count:
                found[total] = Text(b"%d" % count)
                found[f"{total}:{day}"] = Text(b"%d" % count, expiry)
        return found


def fractional(unix: float) -> float:
    """*unix* to the millisecond, but never a whole second: such leases belong to Go."""
    milliseconds = round(unix * 1000)
    return (milliseconds + (milliseconds % 1000 == 0)) / 1000


def nanoseconds(low: float, high: float) -> Between:
    """A moment in nanoseconds between two in seconds; a microsecond is forgiven, which a double may lose."""
    return Between(round((low - 1e-6) * 1e9), round((high + 1e-6) * 1e9))


def scores(**members: float) -> Scores:
    """A sorted set whose members are identifiers."""
    return Scores(members)
