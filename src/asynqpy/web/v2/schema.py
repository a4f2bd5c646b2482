"""The objects of the API, as its description has them. Pydantic ends here: everything below is plain values."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from asynqpy.actions import Action
from asynqpy.diagnosis import Cause, Weight
from asynqpy.inspection import Trouble
from asynqpy.task import TaskState
from asynqpy.web.contents import ContentKind
from asynqpy.web.jobs import JobState
from asynqpy.web.users import Permission, Role

T = TypeVar("T")

MOST_SELECTED = 1000
LONGEST_NAME = 512


class Model(BaseModel):
    """What all have in common: built from values of the library, and nothing else gets in."""

    model_config = ConfigDict(from_attributes=True, extra="forbid", frozen=True)


Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]


class Page(Model, Generic[T]):
    """Some of a list, and where to go on."""

    items: list[T]
    total: int | None = Field(description="How many there are altogether; null where nobody has counted.")
    next_cursor: str | None = Field(description="Give it as `cursor` to get what follows; null at the end.")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str = Field(description="What it is, for programs.")
    detail: str


class Queue(Model):
    """The numbers of a queue."""

    queue: str
    paused: bool
    size: int
    groups: int
    latency_seconds: float = Field(description="How long the task has waited that is next to run.")
    memory_usage_bytes: int | None = Field(description="An estimate; null unless asked for and allowed.")
    pending: int
    active: int
    scheduled: int
    retry: int
    archived: int
    completed: int
    aggregating: int
    processed_today: int
    failed_today: int
    processed_total: int
    failed_total: int
    timestamp: datetime
    permissions: list[Permission] = Field(description="What whoever asks may do in it.")


class QueuePage(Page[Queue]):
    """Queues, and the sums over all that fit the filter."""

    sums: dict[TaskState, int]


class Day(Model):
    """What a queue did on a day in UTC."""

    queue: str
    day: date
    processed: int
    succeeded: int
    failed: int


class Days(Model):
    """The newest day first."""

    items: list[Day]


class Group(Model):
    """A group of tasks that wait to be aggregated."""

    group: str
    size: int


class Content(Model):
    """Bytes made readable."""

    kind: ContentKind
    text: str = Field(description="What to show; Base64 where the kind is binary.")
    size: int = Field(description="Bytes as they are stored.")
    encodings: list[str] = Field(description="What was undone, from the outside in: gzip, msgpack …")
    is_cut: bool


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


class Lock(Model):
    """A uniqueness lock."""

    key: str
    task_id: str
    is_held_by_it: bool
    expires_in_seconds: float | None


class TaskDetails(Task):
    """Everything that is known of a task."""

    headers: dict[str, str]
    traceback: str
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


class Coverage(Model):
    """How much a search has looked at."""

    scanned: int
    matched: int
    total: int = Field(description="Tasks in the places that were to be looked at; 0 when ids are looked up.")
    is_complete: bool


class TaskPage(Page[Task]):
    """Tasks, and how much was looked at to find them."""

    coverage: Coverage
    cli: str = Field(description="A command that shows the same.")


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
    type: str | None = Field(default=None, max_length=LONGEST_NAME, description="A pattern such as `email:*`.")
    payload: str | None = Field(default=None, max_length=LONGEST_NAME, description="Text that is part of it.")
    error: str | None = Field(default=None, max_length=LONGEST_NAME, description="Text that is part of it.")
    group: str | None = Field(default=None, max_length=LONGEST_NAME)
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


class ServerInfo(Model):
    """A living server."""

    id: str
    host: str
    pid: int
    concurrency: int
    queues: dict[str, int]
    strict_priority: bool
    status: str
    started: datetime
    speaks: Literal["python", "unknown"] = Field(description="Python servers publish what they handle, Go's do not.")
    handles: list[str] | None
    busy: int
    workers: list[RunningTask]


class RunningTask(Model):
    """What a server runs."""

    task_id: str
    type: str
    queue: str
    payload: Content
    started: datetime
    deadline: datetime | None


class SchedulerEntry(Model):
    """A periodic task."""

    id: str
    scheduler: str
    spec: str
    type: str
    queue: str
    payload: Content
    options: list[str]
    next_enqueue_at: datetime | None
    previous_enqueue_at: datetime | None
    is_duplicate: bool = Field(description="Another scheduler has an entry that is just like it.")
    is_missed: bool = Field(description="It was due more than a few seconds ago.")


class SchedulerEvent(Model):
    """A firing of a periodic task."""

    task_id: str
    enqueued_at: datetime


class ClusterNode(Model):
    """A node of a Redis Cluster."""

    id: str
    host: str
    port: int


class Redis(Model):
    """What Redis says about itself."""

    name: str
    is_cluster: bool
    info: dict[str, str]
    cluster: dict[str, str]
    clock_skew_seconds: float


class Cost(Model):
    """What this web server costs Redis."""

    uptime_seconds: float
    watchers: int
    looks: int = Field(description="How often the collector has looked at Redis for all watchers together.")
    look_seconds: float = Field(description="How long that took altogether.")
    asked: int = Field(description="Reads that somebody wanted.")
    read: int = Field(description="Reads that Redis was asked for: the others shared an answer.")
    redis_commands_processed: int | None = Field(description="By Redis for everybody since it started.")


class Orphan(Model):
    """One piece of trouble."""

    trouble: Trouble
    name: str
    state: str
    is_repaired: bool


class Orphans(Model):
    """What no operation of a healthy peer leaves behind."""

    queue: str
    scanned: int
    counts: dict[Trouble, int]
    orphans: list[Orphan]
    repaired: int


class Me(Model):
    """Who asks."""

    name: str
    role: Role
    queues: list[str]
    permissions: list[Permission]
    may_see_payloads: bool


class Broker(Model):
    """One Redis and where its pages are."""

    name: str
    path: str


class Limits(Model):
    """How much may be asked at once."""

    page_size: int
    search_budget: int
    selected_tasks: int


class Meta(Model):
    """What a user interface must know before anything else."""

    version: str
    base_path: str
    broker: str
    brokers: list[Broker]
    read_only: bool
    user: Me
    actions: dict[TaskState, list[Action]] = Field(description="What each state allows.")
    actions_for_all: dict[TaskState, list[Action]] = Field(description="What it allows for all tasks at once.")
    must_confirm: list[Action]
    must_confirm_for_all: list[Action]
    memory_usage: bool
    limits: Limits


class Percentiles(Model):
    """Seconds below which so many of a hundred are; null where there is nothing."""

    p50: float | None
    p90: float | None
    p99: float | None


class TypeRates(Model):
    """What one type of tasks did, or one pattern of handlers."""

    pattern: str
    started: int
    succeeded: int
    failed: int
    waited: Percentiles
    ran: Percentiles


class RatePoint(Model):
    """What a queue did in a minute."""

    minute: datetime
    started: int
    succeeded: int
    failed: int


class Rates(Model):
    """How fast a queue works, and how long it will take."""

    queue: str
    minutes: int
    depth: int = Field(description="Tasks that are pending now.")
    arrivals_per_second: float | None = Field(description="Became ready to run; null where that cannot be told.")
    starts_per_second: float
    services_per_second: float = Field(description="Attempts that ended.")
    seconds_to_empty: float | None = Field(description="Null where it does not get emptier.")
    waited: Percentiles
    ran: Percentiles
    patterns: list[TypeRates]
    points: list[RatePoint]


ServerInfo.model_rebuild()


class GroupPage(Page[Group]):
    """Groups of a queue."""


class JobResultPage(Page[JobResult]):
    """What became of the tasks of a job."""


class ServerPage(Page[ServerInfo]):
    """Living servers."""


class SchedulerPage(Page[SchedulerEntry]):
    """Periodic tasks."""


class SchedulerEventPage(Page[SchedulerEvent]):
    """Firings of a periodic task."""
