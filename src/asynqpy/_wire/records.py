"""Frozen records of what is stored, and their encoding.

protobuf stays behind this module. The records are msgspec Structs: immutable, and made ten times faster than frozen
dataclasses. What the wire cannot carry is refused when it is encoded: one undecodable message stops recovery and
listing in a Go peer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.unknown_fields import UnknownFieldSet

from asynqpy._wire import asynq_pb2 as pb
from asynqpy._wire.moments import GO_ZERO_SECONDS
from asynqpy.errors import WireError

_NO_HEADERS: Mapping[str, str] = {}

_SELDOM = (
    "retried",
    "error_msg",
    "deadline",
    "unique_key",
    "last_failed_at",
    "retention",
    "completed_at",
    "group_key",
)


class TaskMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A task as stored; times are Unix seconds, 0 means "never" or "none"."""

    type: str
    id: str
    queue: str
    payload: bytes = b""
    retry: int = 0
    retried: int = 0
    error_msg: str = ""
    timeout: int = 0
    deadline: int = 0
    unique_key: str = ""
    last_failed_at: int = 0
    retention: int = 0
    completed_at: int = 0
    group_key: str = ""
    headers: Mapping[str, str] = _NO_HEADERS

    def encode(self) -> bytes:
        """The bytes for field ``msg``.

        Raises:
            WireError: invalid Unicode in a text, or an integer outside the range of its field.
        """
        try:
            stored = pb.TaskMessage(
                type=self.type,
                payload=self.payload,
                id=self.id,
                queue=self.queue,
                retry=self.retry,
                timeout=self.timeout,
            )
            # Most tasks carry nothing else, and a test is cheaper than an assignment: this runs once per enqueued task.
            if self.headers:
                stored.headers.update(self.headers)
            for name in _SELDOM:
                value = getattr(self, name)
                if value:
                    setattr(stored, name, value)
            return stored.SerializeToString()
        except (ValueError, TypeError) as error:
            raise WireError(f"task {self.id!r} cannot be stored: {error}") from error

    @classmethod
    def decode(cls, data: bytes) -> TaskMessage:
        """The record in *data*.

        Raises:
            WireError: not a TaskMessage, or invalid UTF-8 in a text.
        """
        try:
            stored = pb.TaskMessage.FromString(data)
        except DecodeError as error:
            raise WireError(f"not a task message ({len(data)} bytes): {error}") from error
        return cls(
            type=stored.type,
            id=stored.id,
            queue=stored.queue,
            payload=stored.payload,
            retry=stored.retry,
            retried=stored.retried,
            error_msg=stored.error_msg,
            timeout=stored.timeout,
            deadline=stored.deadline,
            unique_key=stored.unique_key,
            last_failed_at=stored.last_failed_at,
            retention=stored.retention,
            completed_at=stored.completed_at,
            group_key=stored.group_key,
            headers=dict(headers) if (headers := stored.headers) else _NO_HEADERS,
        )


def unknown_fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """The fields of a `TaskMessage` in *data* that the schema does not have: number and value.

    Raises:
        WireError: not a TaskMessage.
    """
    try:
        stored = pb.TaskMessage.FromString(data)
    except DecodeError as error:
        raise WireError(f"not a task message ({len(data)} bytes): {error}") from error
    found = UnknownFieldSet(stored)
    fields = (found[at] for at in range(len(found)))
    return [(field.field_number, field.data if isinstance(field.data, int | bytes) else b"") for field in fields]


class ServerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A worker server as it announces itself."""

    host: str
    pid: int
    server_id: str
    concurrency: int
    queues: Mapping[str, int]
    strict_priority: bool = False
    status: str = "new"
    start_time: datetime
    active_worker_count: int = 0

    def encode(self) -> bytes:
        """The bytes of the server's key."""
        return _encode(pb.ServerInfo, self, start_time=_timestamp(self.start_time))

    @classmethod
    def decode(cls, data: bytes) -> ServerInfo:
        """The record in *data*.

        Raises:
            WireError: not a ServerInfo.
        """
        stored = _parse(pb.ServerInfo, data)
        return cls(
            host=stored.host,
            pid=stored.pid,
            server_id=stored.server_id,
            concurrency=stored.concurrency,
            queues=dict(stored.queues),
            strict_priority=stored.strict_priority,
            status=stored.status,
            start_time=_datetime(stored.start_time) or datetime.fromtimestamp(0, UTC),
            active_worker_count=stored.active_worker_count,
        )


class WorkerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One running attempt of a server."""

    host: str
    pid: int
    server_id: str
    task_id: str
    task_type: str
    task_payload: bytes
    queue: str
    start_time: datetime
    deadline: datetime | None

    def encode(self) -> bytes:
        """The bytes of one field in the server's workers hash."""
        return _encode(pb.WorkerInfo, self, start_time=_timestamp(self.start_time), deadline=_timestamp(self.deadline))

    @classmethod
    def decode(cls, data: bytes) -> WorkerInfo:
        """The record in *data*.

        Raises:
            WireError: not a WorkerInfo.
        """
        stored = _parse(pb.WorkerInfo, data)
        return cls(
            host=stored.host,
            pid=stored.pid,
            server_id=stored.server_id,
            task_id=stored.task_id,
            task_type=stored.task_type,
            task_payload=stored.task_payload,
            queue=stored.queue,
            start_time=_datetime(stored.start_time) or datetime.fromtimestamp(0, UTC),
            deadline=_datetime(stored.deadline),
        )


class SchedulerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A registered periodic task; None means "never"."""

    id: str
    spec: str
    task_type: str
    task_payload: bytes = b""
    enqueue_options: tuple[str, ...] = ()
    next_enqueue_time: datetime | None = None
    prev_enqueue_time: datetime | None = None

    def encode(self) -> bytes:
        """The bytes of one element in the scheduler's list.

        Raises:
            WireError: an option without ``(``, which makes a Go inspector panic.
        """
        for option in self.enqueue_options:
            if "(" not in option:
                raise WireError(f"option {option!r} has no '(': a Go inspector panics when it reads it")
        return _encode(
            pb.SchedulerEntry,
            self,
            next_enqueue_time=_timestamp(self.next_enqueue_time),
            prev_enqueue_time=_timestamp(self.prev_enqueue_time),
        )

    @classmethod
    def decode(cls, data: bytes) -> SchedulerEntry:
        """The record in *data*.

        Raises:
            WireError: not a SchedulerEntry.
        """
        stored = _parse(pb.SchedulerEntry, data)
        return cls(
            id=stored.id,
            spec=stored.spec,
            task_type=stored.task_type,
            task_payload=stored.task_payload,
            enqueue_options=tuple(stored.enqueue_options),
            next_enqueue_time=_datetime(stored.next_enqueue_time),
            prev_enqueue_time=_datetime(stored.prev_enqueue_time),
        )


class SchedulerEnqueueEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One firing of a periodic task."""

    task_id: str
    enqueue_time: datetime

    def encode(self) -> bytes:
        """The bytes of one member of the entry's history."""
        return _encode(pb.SchedulerEnqueueEvent, self, enqueue_time=_timestamp(self.enqueue_time))

    @classmethod
    def decode(cls, data: bytes) -> SchedulerEnqueueEvent:
        """The record in *data*.

        Raises:
            WireError: not a SchedulerEnqueueEvent.
        """
        stored = _parse(pb.SchedulerEnqueueEvent, data)
        return cls(
            task_id=stored.task_id,
            enqueue_time=_datetime(stored.enqueue_time) or datetime.fromtimestamp(0, UTC),
        )


def storable_text(text: str) -> str:
    """*text* with whatever UTF-8 cannot carry replaced: for error texts, which must always be storable."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _encode(kind: type[Message], record: msgspec.Struct, **timestamps: Timestamp) -> bytes:
    try:
        return kind(**{**msgspec.structs.asdict(record), **timestamps}).SerializeToString()
    except (ValueError, TypeError) as error:
        raise WireError(f"{kind.__name__} cannot be stored: {error}") from error


def _parse(kind: type[Message], data: bytes) -> Any:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise WireError(f"not a {kind.__name__} ({len(data)} bytes): {error}") from error


def _timestamp(moment: datetime | None) -> Timestamp:
    # Go's "never" is year 1; an absent Timestamp would read as 1970.
    stamp = Timestamp()
    if moment is None:
        stamp.seconds = GO_ZERO_SECONDS
    else:
        stamp.FromDatetime(moment.astimezone(UTC))
    return stamp


def _datetime(stamp: Timestamp) -> datetime | None:
    if stamp.seconds <= GO_ZERO_SECONDS:
        return None
    try:
        return datetime.fromtimestamp(stamp.seconds, UTC) + timedelta(microseconds=stamp.nanos // 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise WireError(f"not a moment that a datetime can hold: {stamp.seconds} s {stamp.nanos} ns") from error
