"""The name of every key. Keys of one queue share the hash tag ``{queue}``, so that a cluster keeps them together."""

from __future__ import annotations

import hashlib
from functools import lru_cache

QUEUES = "asynq:queues"
SERVERS = "asynq:servers"
WORKERS = "asynq:workers"
SCHEDULERS = "asynq:schedulers"
CANCEL_CHANNEL = "asynq:cancel"


class QueueKeys:
    """The keys of one queue. Those with ``py:`` are ours; Go never looks at them."""

    __slots__ = (
        "active",
        "aggregation_sets",
        "archived",
        "completed",
        "due",
        "failed",
        "groups",
        "lease",
        "name",
        "paused",
        "pending",
        "prefix",
        "processed",
        "retry",
        "scheduled",
        "spent",
        "task_prefix",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefix = prefix = f"asynq:{{{name}}}:"
        self.task_prefix = prefix + "t:"
        self.pending = prefix + "pending"
        self.active = prefix + "active"
        self.lease = prefix + "lease"
        self.scheduled = prefix + "scheduled"
        self.retry = prefix + "retry"
        self.archived = prefix + "archived"
        self.completed = prefix + "completed"
        self.groups = prefix + "groups"
        self.aggregation_sets = prefix + "aggregation_sets"
        self.paused = prefix + "paused"
        self.processed = prefix + "processed"
        self.failed = prefix + "failed"
        self.due = prefix + "py:due"
        self.spent = prefix + "py:spent"

    def task(self, task_id: str) -> str:
        """The hash of a task."""
        return self.task_prefix + task_id

    def group(self, name: str) -> str:
        """The waiting tasks of a group."""
        return f"{self.prefix}g:{name}"

    def aggregation_set(self, group: str, set_id: str) -> str:
        """Tasks taken out of a group for one aggregation."""
        return f"{self.prefix}g:{group}:{set_id}"

    def tick(self, entry_id: str) -> str:
        """Which tick of a periodic entry was decided last."""
        return f"{self.prefix}py:tick:{entry_id}"

    def rollup(self, minute: int) -> str:
        """What its handlers did in a minute since 1970."""
        return f"{self.prefix}py:rollup:{minute}"

    def processed_on(self, day: str) -> str:
        """The counter of tasks processed on a UTC *day*."""
        return f"{self.processed}:{day}"

    def failed_on(self, day: str) -> str:
        """The counter of tasks failed on a UTC *day*."""
        return f"{self.failed}:{day}"

    def unique(self, task_type: str, payload: bytes | None) -> str:
        """The uniqueness lock of a type and payload. Without a payload nothing follows the last colon."""
        digest = "" if payload is None else hashlib.md5(payload, usedforsecurity=False).hexdigest()
        return f"{self.prefix}unique:{task_type}:{digest}"


@lru_cache(maxsize=4096)
def of_queue(name: str) -> QueueKeys:
    """The keys of queue *name*, made once."""
    return QueueKeys(name)


def server(identity: str) -> str:
    """What a server tells about itself; *identity* is ``host:pid:server id``."""
    return f"{SERVERS}:{{{identity}}}"


def workers(identity: str) -> str:
    """The running attempts of a server."""
    return f"{WORKERS}:{{{identity}}}"


def handled(identity: str) -> str:
    """The patterns that a Python server handles, beside what it tells about itself; Go servers have no such key."""
    return f"asynq:py:handled:{{{identity}}}"


def schemas(identity: str) -> str:
    """What the payloads look like that a Python server handles; Go servers have no such key."""
    return f"asynq:py:schemas:{{{identity}}}"


def about(identity: str) -> str:
    """Which versions a Python server runs; Go servers have no such key."""
    return f"asynq:py:about:{{{identity}}}"


def schedulers(identity: str) -> str:
    """The entries of a scheduler; *identity* is ``host:pid:uuid``."""
    return f"{SCHEDULERS}:{{{identity}}}"


def scheduler_history(entry_id: str) -> str:
    """The firings of a scheduler entry."""
    return f"asynq:scheduler_history:{entry_id}"


class LimitKeys:
    """The keys of one limit. Ours alone, and of one slot: never together with those of a queue."""

    __slots__ = ("due", "holders", "line", "next", "owners", "waiting")

    def __init__(self, scope: str) -> None:
        prefix = f"asynq:py:limit:{{{scope}}}"
        self.next = prefix + ":next"
        self.line = prefix + ":line"
        self.due = prefix + ":due"
        self.holders = prefix + ":holders"
        self.owners = prefix + ":owners"
        self.waiting = prefix + ":waiting"


@lru_cache(maxsize=4096)
def of_limit(scope: str) -> LimitKeys:
    """The keys of the limit *scope*, made once."""
    return LimitKeys(scope)


def semaphore(scope: str) -> str:
    """The token holders of asynq's semaphore."""
    return f"asynq:sema:{scope}"
