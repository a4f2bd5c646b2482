"""Tasks, failures, and actions on them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from asynqpy.actions import Action
from asynqpy.diagnosis import Cause, Weight
from asynqpy.task import TaskState
from asynqpy.web.jobs import JobState
from asynqpy.web.v2.schema.base import (
    LONGEST_NAME,
    MOST_CONDITIONS,
    MOST_SELECTED,
    Condition,
    Content,
    Coverage,
    Model,
    Name,
    Page,
)


class Task(Model):
    """A task, as lists show it."""

    id: str
    queue: str
    type: str
    state: TaskState
    group: str
    payload: Content
    result: Content | None
    retried: int
    max_retry: int
    last_error: str
    last_failed_at: datetime | None
    next_process_at: datetime | None
    pending_since: datetime | None
    archived_at: datetime | None
    completed_at: datetime | None
    expires_at: datetime | None = Field(description="When a completed task is deleted.")
    is_orphaned: bool
    is_readable: bool
    cancel_requested_at: datetime | None = Field(
        description=(
            "When this web server was last asked to cancel the attempt that runs, in the last hour. Whether its worker"
            " has heard of it, nobody can tell."
        )
    )
    progress: float | None
    progress_text: str
    actions: list[Action] = Field(description="What its state, and whoever asks, allow.")


class Worker(Model):
    """A running attempt."""

    server_id: str
    host: str
    pid: int
    started: datetime
    deadline: datetime | None


class StoredField(Model):
    """A field of the hash of a task."""

    name: str
    size: int
    text: str = Field(
        description="What it holds, where that is text of at most 2048 characters; else the begin of its Base64."
    )
    is_text: bool


class UnknownField(Model):
    """A field of the message that this version does not know."""

    number: int
    value: str = Field(description="A number in digits; bytes in Base64.")


class StoredTask(Model):
    """A task as it lies in Redis."""

    message_base64: str = Field(description="The TaskMessage in protobuf: its first 65536 bytes.")
    message_size: int
    error: str = Field(description="Why the message cannot be read; empty when it can.")
    unknown_fields: list[UnknownField]
    fields: list[StoredField] = Field(
        description="The other fields of its hash; those with `py:` are ours, asynq has no eye for them."
    )


class Lock(Model):
    """A uniqueness lock."""

    key: str
    task_id: str
    is_held_by_it: bool
    expires_in_seconds: float | None


class FailedAttempt(Model):
    """An attempt that failed, or was lost with its worker."""

    failed_at: datetime
    error: str
    traceback: str = Field(description="The last 2 KiB of it.")
    worker: str = Field(description="`host:pid` of the server that ran it; empty where nobody knows.")
    app_version: str = Field(description="The version of the application that ran it; empty where nobody knows.")
    seconds: float | None = Field(description="How long it ran; null where nobody knows.")
    retried: int | None = Field(description="How often the task had been retried before.")
    is_lost: bool


Happening: TypeAlias = Literal["pending", "started", "failed", "lost", "completed", "archived", "due"]
"""What can happen to a task, as far as it is written down; `due` is what it waits for."""


class HistoryEvent(Model):
    """Something that happened to a task."""

    at: datetime
    event: Happening
    text: str = Field(description="The error, or who ran it.")


class TaskDetails(Task):
    """Everything that is known of a task."""

    headers: dict[str, str]
    traceback: str
    attempts: list[FailedAttempt] = Field(
        description="The last ten that failed, the oldest first, as Python servers tell."
    )
    retry_preview: list[float] = Field(
        description=(
            "An estimate: if each attempt still to come fails at once, it is retried so many seconds from now. By"
            " asynq's default curve, which the handler or its server may have replaced; ten at most."
        )
    )
    history: list[HistoryEvent] = Field(description="What is known to have happened to it, the oldest first.")
    payload_etag: str | None = Field(
        description="For `If-Match` when the payload is exchanged; null for those from whom something in it is hidden."
    )
    may_reschedule: bool = Field(description="Whether its state, and whoever asks, allow another moment.")
    timeout_seconds: float
    deadline: datetime | None
    retention_seconds: float
    unique_key: str
    lock: Lock | None
    crashes: int
    released: int
    progress_at: datetime | None
    worker: Worker | None
    fingerprint: str | None = Field(description="Of its failure, see `/failures`.")
    cli: list[str] = Field(description="Commands that show the same.")


class TaskPage(Page[Task]):
    """Tasks, and how much was looked at to find them."""

    coverage: Coverage
    cli: str = Field(description="A command that shows the same.")
    missing_queues: list[str] = Field(description="Queues that were asked for beside others, and are gone.")


class Reason(Model):
    """Why a task does not run, or what it does instead."""

    cause: Cause
    weight: Weight
    text: str
    remedy: str
    facts: dict[str, Any]


class Why(Model):
    """All reasons, the weightiest first."""

    state: TaskState
    items: list[Reason]


class NewTask(Model):
    """A task to be enqueued."""

    type: Name
    payload: Any = Field(default=None, description="Anything that JSON can say; or see `payload_base64`.")
    payload_base64: str | None = None
    task_id: Name | None = None
    max_retry: int | None = Field(default=None, ge=0, le=2**31 - 1)
    timeout_seconds: float | None = Field(default=None, ge=0, le=10**9)
    deadline: datetime | None = None
    unique_for_seconds: float | None = Field(default=None, ge=1, le=10**9)
    process_at: datetime | None = None
    process_in_seconds: float | None = Field(default=None, ge=0, le=10**9)
    retention_seconds: float | None = Field(default=None, ge=0, le=10**9)
    group: Name | None = None
    headers: dict[str, str] | None = None


class Payload(Model):
    """A new payload: one of the two."""

    payload: Any = None
    payload_base64: str | None = None


class NewMoment(Model):
    """For when: one of the two."""

    process_at: datetime | None = None
    process_in_seconds: float | None = Field(default=None, ge=0, le=10**9)


class ActionBody(Model):
    """How to do it."""

    to_queue: Name | None = Field(default=None, description="Where to, for `move` and `again`.")
    payload: Any = Field(default=None, description="Another payload, for `again`.")


class TaskName(Model):
    """Which task."""

    queue: Name
    id: Name


class Filter(Model):
    """Which tasks, by what they are. Without anything: all."""

    queues: Annotated[list[Name], Field(max_length=MOST_SELECTED)] | None = None
    states: Annotated[list[TaskState], Field(min_length=1, max_length=len(TaskState))] | None = None
    id_prefix: str | None = Field(default=None, max_length=LONGEST_NAME, description="What the id begins with.")
    type: str | None = Field(default=None, max_length=LONGEST_NAME, description="A pattern such as `email:*`.")
    payload: str | None = Field(default=None, max_length=LONGEST_NAME, description="Text that is part of it.")
    error: str | None = Field(default=None, max_length=LONGEST_NAME, description="Text that is part of it.")
    group: str | None = Field(default=None, max_length=LONGEST_NAME)
    headers: list[Condition] | None = Field(
        default=None, max_length=MOST_CONDITIONS, description="Each `name` or `name=value`."
    )
    fields: list[Condition] | None = Field(
        default=None, max_length=MOST_CONDITIONS, description="Of the payload, each `path` or `path=value`."
    )
    since: datetime | None = None
    until: datetime | None = None
    fingerprint: str | None = Field(default=None, pattern="^[0-9a-f]{16}$", description="Of a group of failures.")


class NewJob(Model):
    """An action on many tasks: on those named, or on all that fit a filter."""

    action: Action
    tasks: Annotated[list[TaskName], Field(min_length=1, max_length=MOST_SELECTED)] | None = None
    filter: Filter | None = None
    to_queue: Name | None = Field(default=None, description="Where to, for `move` and `again`.")


class Job(Model):
    """An action on many tasks."""

    id: str
    action: Action
    user: str
    queues: list[str]
    created_at: datetime
    ended_at: datetime | None
    state: JobState
    total: int | None
    scanned: int
    done: int
    failed: int
    error: str


class Jobs(Model):
    """The newest first."""

    items: list[Job]


class JobResult(Model):
    """What became of one task."""

    queue: str
    task_id: str
    error: str
    new_queue: str = Field(description="With `new_task_id` where it was moved to, or its copy is; else empty.")
    new_task_id: str


class Preview(Model):
    """What a job would do, without doing it."""

    action: Action
    queues: list[str]
    matched: int
    coverage: Coverage
    sample: list[Task]
    must_confirm: bool


class Failure(Model):
    """Tasks that have failed for the same reason."""

    fingerprint: str
    error_class: str
    text: str
    frames: list[str]
    count: int
    queues: dict[str, int]
    types: dict[str, int]
    states: dict[TaskState, int]
    servers: dict[str, int] = Field(
        description="Where they failed last, by `host:pid`, at most 200; the empty name is for what nobody knows."
    )
    server_count: int = Field(description="How many servers are known, also where `servers` does not name them all.")
    versions: dict[str, int] = Field(
        description=(
            "The versions of the application that failed there, as its servers were told; under the empty name those"
            " of whom nobody knows."
        )
    )
    first_seen: datetime | None = Field(description="The first last failure of those that are still there.")
    last_seen: datetime | None
    trend: list[int] = Field(description="How many failed last in each of the last 24 hours, the newest hour last.")
    sample: Task
    sample_traceback: str


class Failures(Model):
    """The groups with most tasks first."""

    items: list[Failure]
    coverage: Coverage
    next_cursor: str | None


class JobResultPage(Page[JobResult]):
    """What became of the tasks of a job."""
