"""asynq for Python: a distributed task queue on Redis, wire-compatible with hibiken/asynq.

Names are imported when they are first used: ``import asynqpy`` alone costs nothing, and the command line shows its help
without a Redis client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynqpy._scheduling.file_provider import FileProvider
    from asynqpy._scheduling.periodic_config import PeriodicTaskConfig
    from asynqpy._transport.connect import RedisTarget
    from asynqpy._transport.waiting import ProgressListener
    from asynqpy.aggregators import Aggregator, Aggregators
    from asynqpy.attempts import FailedAttempt
    from asynqpy.client import AsyncClient, Client, EnqueueResult
    from asynqpy.clock import Clock, SystemClock
    from asynqpy.config import RedisOptions, ServerConfig
    from asynqpy.context import current_task
    from asynqpy.errors import (
        AsynqpyError,
        BrokerError,
        ConfigError,
        ConnectionLostError,
        DeadlineExceededError,
        DuplicateTaskError,
        EntryNotFoundError,
        HandlerNotFoundError,
        InvalidTaskError,
        LeaseExpiredError,
        PayloadChangedError,
        PayloadError,
        PayloadTooLargeError,
        ProcessDiedError,
        ProviderError,
        QueryError,
        QueueNotEmptyError,
        QueueNotFoundError,
        ResultLostError,
        RevokeTask,
        SemaphoreFull,
        ServerClosedError,
        ServerStateError,
        SkipRetry,
        Snooze,
        TaskCancelledError,
        TaskFailedError,
        TaskIDConflictError,
        TaskNotFoundError,
        TaskStateError,
        TickSkippedError,
        WaitTimeoutError,
        WireError,
    )
    from asynqpy.handlers import Handler, Isolation, Middleware, Next, TypedTask
    from asynqpy.inspection import (
        AllRates,
        ClusterNode,
        DailyStats,
        GroupInfo,
        HandledPatterns,
        MoveReport,
        Orphan,
        OrphanReport,
        PatternRates,
        PayloadSchema,
        Percentiles,
        QueueInfo,
        QueueRates,
        RateMinute,
        SchedulerEntry,
        SchedulerEvent,
        SearchCoverage,
        ServerInfo,
        Stayed,
        StoredTask,
        Trouble,
        TypeWithoutConsumer,
        UniqueLock,
        UnknownField,
        WorkerInfo,
    )
    from asynqpy.inspector import AsyncInspector, AsyncTaskSearch, Inspector, TaskSearch
    from asynqpy.limits import LimitKey, Rate
    from asynqpy.mux import ServeMux
    from asynqpy.observer import AttemptOutcome, ServerObserver
    from asynqpy.options import EnqueueOptions
    from asynqpy.outgoing import ClientMiddleware, Outgoing
    from asynqpy.periodic import PeriodicTaskManager
    from asynqpy.rate import Semaphore
    from asynqpy.retry import RetryDelay
    from asynqpy.scheduler import Scheduler, SchedulerState
    from asynqpy.server import Server, ServerState
    from asynqpy.task import Progress, Task, TaskInfo, TaskState

__version__ = "0.1.0"

__all__ = [
    "Aggregator",
    "Aggregators",
    "AllRates",
    "AsyncClient",
    "AsyncInspector",
    "AsyncTaskSearch",
    "AsynqpyError",
    "AttemptOutcome",
    "BrokerError",
    "Client",
    "ClientMiddleware",
    "Clock",
    "ClusterNode",
    "ConfigError",
    "ConnectionLostError",
    "DailyStats",
    "DeadlineExceededError",
    "DuplicateTaskError",
    "EnqueueOptions",
    "EnqueueResult",
    "EntryNotFoundError",
    "FailedAttempt",
    "FileProvider",
    "GroupInfo",
    "HandledPatterns",
    "Handler",
    "HandlerNotFoundError",
    "Inspector",
    "InvalidTaskError",
    "Isolation",
    "LeaseExpiredError",
    "LimitKey",
    "Middleware",
    "MoveReport",
    "Next",
    "Orphan",
    "OrphanReport",
    "Outgoing",
    "PatternRates",
    "PayloadChangedError",
    "PayloadError",
    "PayloadSchema",
    "PayloadTooLargeError",
    "Percentiles",
    "PeriodicTaskConfig",
    "PeriodicTaskManager",
    "ProcessDiedError",
    "Progress",
    "ProgressListener",
    "ProviderError",
    "QueryError",
    "QueueInfo",
    "QueueNotEmptyError",
    "QueueNotFoundError",
    "QueueRates",
    "Rate",
    "RateMinute",
    "RedisOptions",
    "RedisTarget",
    "ResultLostError",
    "RetryDelay",
    "RevokeTask",
    "Scheduler",
    "SchedulerEntry",
    "SchedulerEvent",
    "SchedulerState",
    "SearchCoverage",
    "Semaphore",
    "SemaphoreFull",
    "ServeMux",
    "Server",
    "ServerClosedError",
    "ServerConfig",
    "ServerInfo",
    "ServerObserver",
    "ServerState",
    "ServerStateError",
    "SkipRetry",
    "Snooze",
    "Stayed",
    "StoredTask",
    "SystemClock",
    "Task",
    "TaskCancelledError",
    "TaskFailedError",
    "TaskIDConflictError",
    "TaskInfo",
    "TaskNotFoundError",
    "TaskSearch",
    "TaskState",
    "TaskStateError",
    "TickSkippedError",
    "Trouble",
    "TypeWithoutConsumer",
    "TypedTask",
    "UniqueLock",
    "UnknownField",
    "WaitTimeoutError",
    "WireError",
    "WorkerInfo",
    "__version__",
    "current_task",
]

_NAMES = {
    "asynqpy._scheduling.file_provider": ("FileProvider",),
    "asynqpy._scheduling.periodic_config": ("PeriodicTaskConfig",),
    "asynqpy._transport.connect": ("RedisTarget",),
    "asynqpy._transport.waiting": ("ProgressListener",),
    "asynqpy.aggregators": (
        "Aggregator",
        "Aggregators",
    ),
    "asynqpy.attempts": ("FailedAttempt",),
    "asynqpy.client": (
        "AsyncClient",
        "Client",
        "EnqueueResult",
    ),
    "asynqpy.clock": (
        "Clock",
        "SystemClock",
    ),
    "asynqpy.config": (
        "RedisOptions",
        "ServerConfig",
    ),
    "asynqpy.context": ("current_task",),
    "asynqpy.errors": (
        "AsynqpyError",
        "BrokerError",
        "ConfigError",
        "ConnectionLostError",
        "DeadlineExceededError",
        "DuplicateTaskError",
        "EntryNotFoundError",
        "HandlerNotFoundError",
        "InvalidTaskError",
        "LeaseExpiredError",
        "PayloadChangedError",
        "PayloadError",
        "PayloadTooLargeError",
        "ProcessDiedError",
        "ProviderError",
        "QueryError",
        "QueueNotEmptyError",
        "QueueNotFoundError",
        "ResultLostError",
        "RevokeTask",
        "SemaphoreFull",
        "ServerClosedError",
        "ServerStateError",
        "SkipRetry",
        "Snooze",
        "TaskCancelledError",
        "TaskFailedError",
        "TaskIDConflictError",
        "TaskNotFoundError",
        "TaskStateError",
        "TickSkippedError",
        "WaitTimeoutError",
        "WireError",
    ),
    "asynqpy.handlers": (
        "Handler",
        "Isolation",
        "Middleware",
        "Next",
        "TypedTask",
    ),
    "asynqpy.inspection": (
        "AllRates",
        "ClusterNode",
        "DailyStats",
        "GroupInfo",
        "HandledPatterns",
        "MoveReport",
        "Orphan",
        "OrphanReport",
        "PayloadSchema",
        "PatternRates",
        "Percentiles",
        "QueueInfo",
        "QueueRates",
        "RateMinute",
        "SchedulerEntry",
        "SchedulerEvent",
        "SearchCoverage",
        "ServerInfo",
        "Stayed",
        "StoredTask",
        "Trouble",
        "TypeWithoutConsumer",
        "UniqueLock",
        "UnknownField",
        "WorkerInfo",
    ),
    "asynqpy.inspector": (
        "AsyncInspector",
        "AsyncTaskSearch",
        "Inspector",
        "TaskSearch",
    ),
    "asynqpy.limits": (
        "LimitKey",
        "Rate",
    ),
    "asynqpy.mux": ("ServeMux",),
    "asynqpy.observer": (
        "AttemptOutcome",
        "ServerObserver",
    ),
    "asynqpy.options": ("EnqueueOptions",),
    "asynqpy.outgoing": (
        "ClientMiddleware",
        "Outgoing",
    ),
    "asynqpy.periodic": ("PeriodicTaskManager",),
    "asynqpy.rate": ("Semaphore",),
    "asynqpy.retry": ("RetryDelay",),
    "asynqpy.scheduler": (
        "Scheduler",
        "SchedulerState",
    ),
    "asynqpy.server": (
        "Server",
        "ServerState",
    ),
    "asynqpy.task": (
        "Progress",
        "Task",
        "TaskInfo",
        "TaskState",
    ),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name == "retry":  # the one public module below, which ``asynqpy.retry.fixed`` finds without an import of its own
        return import_module("asynqpy.retry")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return __all__
