"""What is enqueued, what a handler gets, and what is known of a stored task."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, TypeVar, Unpack, cast

import msgspec

from asynqpy import payload as payloads
from asynqpy.attempts import FailedAttempt
from asynqpy.errors import InvalidTaskError
from asynqpy.options import DEFAULTS, EnqueueOptions, Options, encodable, resolve, text

T = TypeVar("T")

_NO_HEADERS: Mapping[str, str] = {}


class TaskState(StrEnum):
    """Where a task is; the words are those stored in Redis."""

    ACTIVE = "active"
    """A worker holds it."""
    PENDING = "pending"
    """Ready to run."""
    SCHEDULED = "scheduled"
    """Waits for its moment."""
    RETRY = "retry"
    """Has failed and waits for another attempt."""
    ARCHIVED = "archived"
    """Has failed for good; kept for people to look at."""
    COMPLETED = "completed"
    """Has succeeded and is kept for its retention."""
    AGGREGATING = "aggregating"
    """Waits in its group."""


LONGEST_PROGRESS_TEXT = 1024
"""Bytes of UTF-8 that the text of a progress may have."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running task is, as its handler last reported it."""

    fraction: float
    """From 0 to 1."""
    text: str
    """What it is doing; may be empty."""
    at: datetime
    """When it was reported, by Redis' clock."""


class Attempt(Protocol):
    """What a task needs from the worker that runs it."""

    @property
    def cancelled(self) -> bool:
        """Whether the attempt should stop: timeout, cancellation, lost lease or shutdown."""
        ...

    async def write_result(self, data: bytes) -> int:
        """Store *data* as the task's result."""
        ...

    def write_result_sync(self, data: bytes) -> int:
        """The same from a thread or a child process."""
        ...

    async def report_progress(self, fraction: float, text: str) -> None:
        """Make known how far the attempt is."""
        ...

    def report_progress_sync(self, fraction: float, text: str) -> None:
        """The same from a thread or a child process."""
        ...


class Task:
    """A unit of work: a type name, a payload, headers, and default options for enqueueing.

    The same class is used on both sides. Before a task is enqueued `id` is empty unless ``task_id`` was given; in a
    handler `id`, `queue`, `retried`, `max_retry` and `deadline` tell about the running attempt.

    Args:
        type: what kind of work; handlers are chosen by it. Never blank.
        payload: bytes, text (UTF-8), or anything that msgspec encodes to JSON, pydantic models included.
        options: defaults for ``enqueue``, see `EnqueueOptions`.

    Raises:
        InvalidTaskError: a blank type, a payload without a JSON form, an option that cannot work.
    """

    __slots__ = (
        "_attempt",
        "_deadline",
        "_payload",
        "headers",
        "id",
        "max_retry",
        "options",
        "queue",
        "retried",
        "type",
    )

    type: str
    headers: Mapping[str, str]
    options: Options
    id: str
    queue: str
    retried: int
    max_retry: int

    def __init__(self, type: str, payload: object = None, **options: Unpack[EnqueueOptions]) -> None:  # noqa: A002
        self.type = text("task type", type)
        self._payload = None if payload is None else payloads.encode(payload)
        self._bind(resolve(options) if options else DEFAULTS)

    @classmethod
    def prepared(cls, type: str, payload: bytes | None, options: Options) -> Task:  # noqa: A002
        """A task from parts that were validated before."""
        task = cls.__new__(cls)
        task.type = type
        task._payload = payload
        task._bind(options)
        return task

    @classmethod
    def running(
        cls,
        type: str,  # noqa: A002
        payload: bytes,
        headers: Mapping[str, str],
        id: str,  # noqa: A002
        queue: str,
        retried: int,
        max_retry: int,
        deadline: float,
        attempt: Attempt | None,
    ) -> Task:
        """A task as a handler sees it. On the hot path: no checks, one call per task."""
        task = cls.__new__(cls)
        task.type = type
        task._payload = payload
        task.headers = headers
        task.options = DEFAULTS
        task.id = id
        task.queue = queue
        task.retried = retried
        task.max_retry = max_retry
        task._deadline = deadline
        task._attempt = attempt
        return task

    def _bind(self, options: Options) -> None:
        self.options = options
        self.headers = options.headers or _NO_HEADERS
        self.id = options.task_id
        self.queue = options.queue
        self.retried = 0
        self.max_retry = options.max_retry
        self._deadline = float(options.deadline_unix)
        self._attempt: Attempt | None = None

    @property
    def payload(self) -> bytes:
        """The payload as stored; empty when there is none."""
        return self._payload or b""

    @property
    def raw_payload(self) -> bytes | None:
        """The payload, or None when none was given: the two differ in the key of a unique task."""
        return self._payload

    @property
    def deadline(self) -> datetime | None:
        """When the attempt must have ended; in a handler never None."""
        return _moment(self._deadline)

    @property
    def attempt(self) -> Attempt | None:
        """The attempt that runs this task; None outside of a worker."""
        return self._attempt

    @property
    def cancelled(self) -> bool:
        """Whether the attempt should stop. Plain functions in threads look here from time to time."""
        return self._attempt is not None and self._attempt.cancelled

    def json(self) -> Any:
        """The payload, a JSON document, as plain Python values.

        Raises:
            PayloadError: not JSON.
        """
        return payloads.decode_any(self.payload)

    def load(self, model: builtins.type[T]) -> T:
        """The payload, a JSON document, as *model*: a dataclass, Struct, TypedDict or pydantic model.

        Raises:
            PayloadError: the document does not fit the model.
        """
        return payloads.decode(self.payload, model)

    async def write_result(self, data: object) -> int:
        """Store *data* (encoded like a payload) as the task's result and return its size in bytes.

        Every call replaces the previous result. It lives as long as the task: without ``retention`` it is gone on
        success.

        Raises:
            InvalidTaskError: called outside a handler.
            LeaseExpiredError: this attempt no longer owns the task; nothing was written.
            BrokerError: Redis is down.
        """
        return await self._running().write_result(payloads.encode(data))

    def write_result_sync(self, data: object) -> int:
        """`write_result` for plain functions in threads and child processes."""
        return self._running().write_result_sync(payloads.encode(data))

    async def report_progress(self, fraction: float, text: str = "") -> None:
        """Make known how far this attempt is: to ``wait(on_progress=...)``, the inspector and the dashboards.

        Call it as often as you like: a few times a second the last value is written, and the final one always. It
        waits for nothing, and trouble with Redis does not fail the task.

        Args:
            fraction: from 0 to 1.
            text: what it is doing, at most 1024 bytes.

        Raises:
            InvalidTaskError: called outside a handler, or a value that cannot work.
        """
        attempt = self._running("progress is reported")
        await attempt.report_progress(*_checked_progress(fraction, text))

    def report_progress_sync(self, fraction: float, text: str = "") -> None:
        """`report_progress` for plain functions in threads and child processes."""
        attempt = self._running("progress is reported")
        attempt.report_progress_sync(*_checked_progress(fraction, text))

    def _running(self, what: str = "results are written") -> Attempt:
        if self._attempt is None:
            raise InvalidTaskError(f"task {self.type!r} is not running: {what} inside its handler")
        return self._attempt

    def __repr__(self) -> str:
        known = f" id={self.id!r}" if self.id else ""
        return f"<Task {self.type!r}{known} payload={self.payload[:40]!r}>"


def _checked_progress(fraction: float, text: str) -> tuple[float, str]:
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
        raise InvalidTaskError(f"progress must be a number from 0 to 1, got {fraction!r}; divide by the whole")
    if not isinstance(text, str):
        raise InvalidTaskError(f"the text of a progress must be text, got {text!r}")
    size = len(encodable("the text of a progress", text).encode())
    if size > LONGEST_PROGRESS_TEXT:
        raise InvalidTaskError(f"the text of a progress may have {LONGEST_PROGRESS_TEXT} bytes, got {size}; shorten it")
    return float(fraction), text


class StoredMessage(Protocol):
    """The fields of a stored task message, as the wire layer decodes them."""

    id: str
    queue: str
    type: str
    payload: bytes
    headers: Mapping[str, str]
    retry: int
    retried: int
    error_msg: str
    timeout: int
    deadline: int
    last_failed_at: int
    retention: int
    completed_at: int
    group_key: str
    unique_key: str


class TaskMarks(msgspec.Struct, frozen=True):
    """What Redis holds of a task beside its message; moments are Unix seconds, 0 where there is none."""

    crashes: int = 0
    pending_since: float = 0.0
    archived_at: float = 0.0
    progress: float | None = None
    progress_text: str = ""
    progress_at: float = 0.0
    released: int = 0
    is_readable: bool = True
    failed_by: bytes = b""
    attempts: tuple[FailedAttempt, ...] = ()


_NO_MARKS = TaskMarks()


class TaskInfo:
    """What is known of a stored task at one moment."""

    __slots__ = ("_marks", "_message", "_next_process_at", "is_orphaned", "result", "state", "traceback")

    def __init__(
        self,
        message: object,
        state: TaskState,
        next_process_at: float = 0.0,
        result: bytes | None = None,
        *,
        is_orphaned: bool = False,
        traceback: str = "",
        marks: TaskMarks = _NO_MARKS,
    ) -> None:
        self._message = cast("StoredMessage", message)
        self._next_process_at = next_process_at
        self._marks = marks
        self.state = state
        """Where the task was when this was read."""
        self.result = result
        """What the handler wrote or returned; None when nothing."""
        self.is_orphaned = is_orphaned
        """Active, but its worker's lease has ended."""
        self.traceback = traceback
        """Where the last attempt failed, when a Python worker ran it; at most 16 KiB."""

    @property
    def id(self) -> str:
        """The id of the task, unique in its queue."""
        return self._message.id

    @property
    def queue(self) -> str:
        """The queue it belongs to."""
        return self._message.queue

    @property
    def type(self) -> str:
        """Its type name."""
        return self._message.type

    @property
    def payload(self) -> bytes:
        """Its payload as stored."""
        return self._message.payload

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers; empty when it has none."""
        return self._message.headers

    @property
    def max_retry(self) -> int:
        """How often it may be tried again."""
        return self._message.retry

    @property
    def retried(self) -> int:
        """How often it was tried again so far."""
        return self._message.retried

    @property
    def last_error(self) -> str:
        """Text of the last failure; empty when it never failed."""
        return self._message.error_msg

    @property
    def last_failed_at(self) -> datetime | None:
        """When it last failed."""
        return _moment(self._message.last_failed_at)

    @property
    def timeout(self) -> timedelta:
        """Longest run of one attempt; zero means only the deadline counts."""
        return _span(self._message.timeout)

    @property
    def deadline(self) -> datetime | None:
        """No attempt runs past this moment."""
        return _moment(self._message.deadline)

    @property
    def retention(self) -> timedelta:
        """How long it is kept after success."""
        return _span(self._message.retention)

    @property
    def completed_at(self) -> datetime | None:
        """When it succeeded."""
        return _moment(self._message.completed_at)

    @property
    def group(self) -> str:
        """The group it was enqueued to; empty when none."""
        return self._message.group_key

    @property
    def next_process_at(self) -> datetime | None:
        """The earliest moment it may run: now for pending tasks, None for those that wait for nothing."""
        return _moment(self._next_process_at)

    @property
    def unique_key(self) -> str:
        """The key of the uniqueness lock that it was enqueued with; empty when it is not unique."""
        return self._message.unique_key

    @property
    def pending_since(self) -> datetime | None:
        """Since when it is ready to run; None unless it is pending, and where a Go server put it back."""
        return _moment(self._marks.pending_since)

    @property
    def archived_at(self) -> datetime | None:
        """When it was archived; None unless it is."""
        return _moment(self._marks.archived_at)

    @property
    def released(self) -> int:
        """How often servers without a handler for it have handed it on; forgotten when somebody handles it."""
        return self._marks.released

    @property
    def crashes(self) -> int:
        """How often it was lost with its worker."""
        return self._marks.crashes

    @property
    def attempts(self) -> tuple[FailedAttempt, ...]:
        """The last ten attempts that failed, as Python servers tell, the oldest first; not read for lists."""
        return self._marks.attempts

    @property
    def progress(self) -> float | None:
        """How much of it is done, from 0 to 1, as its handler last told; None when it never did."""
        return self._marks.progress

    @property
    def progress_text(self) -> str:
        """What its handler said about that."""
        return self._marks.progress_text

    @property
    def progress_at(self) -> datetime | None:
        """When it said so."""
        return _moment(self._marks.progress_at)

    @property
    def is_readable(self) -> bool:
        """Whether its message can be decoded. If not, its type is empty and its payload is the undecoded message."""
        return self._marks.is_readable

    def to_dict(self) -> dict[str, Any]:
        """Everything above by its name, in types that msgspec encodes to JSON and MessagePack."""
        return {name: getattr(self, name) for name in _INFO_NAMES} | {"headers": dict(self.headers)}

    def __repr__(self) -> str:
        return f"<TaskInfo {self.type!r} id={self.id!r} queue={self.queue!r} state={self.state.value}>"


_INFO_NAMES = sorted(name for name in dir(TaskInfo) if not name.startswith("_") and name != "to_dict")


def _moment(unix: float) -> datetime | None:
    """A moment; one that no calendar holds becomes the last or first that it does: the wire carries any number."""
    if not unix:
        return None
    try:
        return datetime.fromtimestamp(unix, UTC)
    except (ValueError, OverflowError, OSError):
        edge = datetime.max if unix > 0 else datetime.min  # noqa: DTZ901 - the zone follows
        return edge.replace(tzinfo=UTC)


def _span(seconds: int) -> timedelta:
    """A span of time; one that is too long becomes the longest."""
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        return timedelta.max if seconds > 0 else timedelta.min
