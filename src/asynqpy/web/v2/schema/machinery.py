"""Servers, schedulers, Redis, and what a user interface must know first."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from asynqpy.actions import Action
from asynqpy.task import TaskState
from asynqpy.web.users import Permission, Role
from asynqpy.web.v2.schema.base import Content, Model, Page


class RunningTask(Model):
    """What a server runs."""

    task_id: str
    type: str
    queue: str
    payload: Content
    started: datetime
    deadline: datetime | None
    cancel_requested_at: datetime | None = Field(description="As for tasks.")


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
    app_version: str | None = Field(description="The version of its application, where it was told one.")
    asynqpy_version: str | None = Field(description="The version of asynqpy; null for servers of Go.")
    busy: int
    workers: list[RunningTask]


class ServerPage(Page[ServerInfo]):
    """Living servers."""


class TaskType(Model):
    """A task type, or the beginning of many, and who handles it."""

    pattern: str = Field(description="Empty where a single function handles everything.")
    queues: list[str] = Field(description="Those that the servers serve.")
    server_ids: list[str]
    payload_schema: dict[str, Any] | None = Field(
        description="A JSON Schema (2020-12) of the payload; null where the handler takes it as it is."
    )


class TypePage(Page[TaskType]):
    """Task types. One that differs from server to server is there more than once."""


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
    next_runs: list[datetime] = Field(
        description="The next five, `next_enqueue_at` first; an estimate if its scheduler has a time zone."
    )
    is_duplicate: bool = Field(description="Another scheduler has an entry that is just like it.")
    is_missed: bool = Field(description="It was due more than a few seconds ago.")


class SchedulerPage(Page[SchedulerEntry]):
    """Periodic tasks."""


class SchedulerEvent(Model):
    """A firing of a periodic task."""

    task_id: str
    enqueued_at: datetime


class SchedulerEventPage(Page[SchedulerEvent]):
    """Firings of a periodic task."""


class Redis(Model):
    """What Redis says about itself."""

    name: str
    is_cluster: bool
    info: dict[str, str]
    cluster: dict[str, str]
    nodes: dict[str, dict[str, str]] = Field(
        description="What each master of a cluster says about itself, by its address; `info` is of one of them."
    )
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


class Me(Model):
    """Who asks."""

    name: str
    role: Role
    queues: list[str]
    permissions: list[Permission]
    may_see_payloads: bool
    log_out: str | None = Field(
        description="The path to POST to that ends the session of this browser; null without one."
    )


class Broker(Model):
    """One Redis and where its pages are."""

    name: str
    path: str


class Limits(Model):
    """How much may be asked at once."""

    page_size: int
    search_budget: int
    selected_tasks: int
    body_bytes: int = Field(description="How large a request may be; a payload in Base64 is a quarter smaller.")


class Meta(Model):
    """What a user interface must know before anything else."""

    version: str
    base_path: str
    broker: str
    brokers: list[Broker]
    redis_url: str | None = Field(
        description="This Redis as commands take it, without passwords; null where nobody knows, and for those who do"
        " not see every queue."
    )
    read_only: bool
    user: Me
    actions: dict[TaskState, list[Action]] = Field(description="What each state allows.")
    actions_for_all: dict[TaskState, list[Action]] = Field(description="What it allows for all tasks at once.")
    must_confirm: list[Action]
    must_confirm_for_all: list[Action]
    memory_usage: bool
    prometheus: bool = Field(description="Whether there is a Prometheus to ask for what happened when.")
    limits: Limits
