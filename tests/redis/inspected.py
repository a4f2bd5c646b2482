"""A queue with tasks in every state, for tests of what inspectors see and do."""

from __future__ import annotations

from typing import Any

from redis import Redis

from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage

from .seed import Queue
from .snapshot import Hash, Snapshot, Stored, snapshot

SINCE = 1_700_000_000
"""When everything here began, in Unix seconds."""

WAITING = ("pending", "scheduled", "retry", "archived", "completed", "aggregating")
"""The states of tasks that do not run."""


class Inspected(Queue):
    """A queue that is listed, as every queue is that a client has used."""

    def __init__(self, redis: Redis, name: str = "low") -> None:
        super().__init__(redis, name)
        self.list()

    def list(self) -> None:
        """Put it into the set of queues."""
        self.redis.sadd(keys.QUEUES, self.name)

    def archived(self, task_id: str, at: float = SINCE, fields: dict[str, Any] | None = None, **message: Any) -> None:
        """A task that failed for good."""
        self.hash(task_id, "archived", fields, **message)
        self.redis.zadd(self.keys.archived, {task_id: at})

    def grouped(
        self, task_id: str, group: str = "g", at: float = SINCE, fields: dict[str, Any] | None = None, **message: Any
    ) -> None:
        """A task that waits in a group."""
        self.hash(task_id, "aggregating", {"group": group, **(fields or {})}, group_key=group, **message)
        self.redis.zadd(self.keys.group(group), {task_id: at})
        self.redis.sadd(self.keys.groups, group)

    def taken_out(self, task_id: str, set_id: str = "b7f7", group: str = "g", deadline: int = SINCE + 120) -> str:
        """A task that is just being aggregated; returns the key of the aggregation set."""
        key = f"{self.keys.group(group)}:{set_id}"
        self.hash(task_id, "aggregating", {"group": group}, group_key=group)
        self.redis.zadd(key, {task_id: SINCE})
        self.redis.zadd(self.keys.aggregation_sets, {key: deadline})
        return key

    def bring(self, state: str, task_id: str, fields: dict[str, Any] | None = None, **message: Any) -> TaskMessage:
        """A task in any state, as peers leave it there; the sets have scores from `SINCE` on."""
        match state:
            case "pending":
                self.hash(task_id, state, {"pending_since": SINCE * 10**9, **(fields or {})}, **message)
                self.redis.lpush(self.keys.pending, task_id)
            case "active":
                self.active(task_id, fields=fields, **message)
            case "aggregating":
                self.grouped(task_id, fields=fields, **message)
                return self.message(task_id, group_key="g", **message)
            case _:
                self.hash(task_id, state, fields, **message)
                self.redis.zadd(self.keys.prefix + state, {task_id: SINCE})
        return self.message(task_id, **message)

    def snapshot(self) -> Snapshot:
        """Everything but the set of queues."""
        return {key: value for key, value in snapshot(self.redis).items() if key != keys.QUEUES}

    def many(self, state: str, count: int, *, group: str = "g", prefix: str = "t") -> list[str]:
        """So many tasks in a state, in one go; returns their ids, those first that come first."""
        ids = [f"{prefix}-{n:05}" for n in range(count)]
        pipeline = self.redis.pipeline(transaction=False)
        for n, task_id in enumerate(ids):
            fields: dict[str, Any] = {"msg": self.message(task_id).encode(), "state": state}
            if state == "aggregating":
                fields["group"] = group
            pipeline.hset(self.keys.task(task_id), mapping=fields)
            if state == "pending":
                pipeline.lpush(self.keys.pending, task_id)
            else:
                key = self.keys.group(group) if state == "aggregating" else self.keys.prefix + state
                pipeline.zadd(key, {task_id: SINCE + n // 10})
        if state == "aggregating":
            pipeline.sadd(self.keys.groups, group)
        pipeline.execute()
        return ids

    def task_hash(self, message: TaskMessage, state: str, **fields: Any) -> dict[str, Stored]:
        """What a snapshot has for a hash; None leaves a field out."""
        known = {name: value for name, value in fields.items() if value is not None}
        return {self.keys.task(message.id): Hash({"msg": message.encode(), "state": state.encode(), **known})}

    def check(self) -> None:
        """Fail unless each hash is in exactly one list or set, which is the one that it names."""
        held: dict[bytes, list[tuple[bytes, bytes]]] = {}
        for state in ("pending", "active"):
            for task_id in self.redis.lrange(self.keys.prefix + state, 0, -1):
                held.setdefault(task_id, []).append((state.encode(), b""))
        for state in ("scheduled", "retry", "archived", "completed"):
            for task_id in self.redis.zrange(self.keys.prefix + state, 0, -1):
                held.setdefault(task_id, []).append((state.encode(), b""))
        for key in self.redis.scan_iter(self.keys.group("*")):
            for task_id in self.redis.zrange(key, 0, -1):
                held.setdefault(task_id, []).append((b"aggregating", b""))
        hashes = {
            key.removeprefix(self.keys.task_prefix.encode()): self.redis.hget(key, "state")
            for key in self.redis.scan_iter(self.keys.task_prefix + "*")
        }
        assert {task_id: [(state, b"")] for task_id, state in hashes.items()} == held
        active = set(self.redis.lrange(self.keys.active, 0, -1))
        assert set(self.redis.zrange(self.keys.lease, 0, -1)) == active
        groups = {name.decode() for name in self.redis.smembers(self.keys.groups)}
        found = {key.decode().removeprefix(self.keys.group("")) for key in self.redis.scan_iter(self.keys.group("*"))}
        assert found == groups
