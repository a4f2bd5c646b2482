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
        PayloadError,
        PayloadTooLargeError,
        ProcessDiedError,
        ProviderError,
        QueueNotEmptyError,
        QueueNotFoundError,
        RevokeTask,
        ServerClosedError,
        ServerStateError,
        SkipRetry,
        Snooze,
        TaskCancelledError,
        TaskIDConflictError,
        TaskNotFoundError,
        TickSkippedError,
        WireError,
    )
    from asynqpy.handlers import Handler, Isolation, Middleware, Next, TypedTask
    from asynqpy.mux import ServeMux
    from asynqpy.options import EnqueueOptions
    from asynqpy.periodic import PeriodicTaskManager
    from asynqpy.retry import RetryDelay
    from asynqpy.scheduler import Scheduler, SchedulerState
    from asynqpy.server import Server, ServerState
    from asynqpy.task import Task, TaskInfo, TaskState

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "AsynqpyError",
    "BrokerError",
    "Client",
    "Clock",
    "ConfigError",
    "ConnectionLostError",
    "DeadlineExceededError",
    "DuplicateTaskError",
    "EnqueueOptions",
    "EnqueueResult",
    "EntryNotFoundError",
    "FileProvider",
    "Handler",
    "HandlerNotFoundError",
    "InvalidTaskError",
    "Isolation",
    "LeaseExpiredError",
    "Middleware",
    "Next",
    "PayloadError",
    "PayloadTooLargeError",
    "PeriodicTaskConfig",
    "PeriodicTaskManager",
    "ProcessDiedError",
    "ProviderError",
    "QueueNotEmptyError",
    "QueueNotFoundError",
    "RedisOptions",
    "RedisTarget",
    "RetryDelay",
    "RevokeTask",
    "Scheduler",
    "SchedulerState",
    "ServeMux",
    "Server",
    "ServerClosedError",
    "ServerConfig",
    "ServerState",
    "ServerStateError",
    "SkipRetry",
    "Snooze",
    "SystemClock",
    "Task",
    "TaskCancelledError",
    "TaskIDConflictError",
    "TaskInfo",
    "TaskNotFoundError",
    "TaskState",
    "TickSkippedError",
    "TypedTask",
    "WireError",
    "__version__",
    "current_task",
]

_NAMES = {
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
        "PayloadError",
        "PayloadTooLargeError",
        "ProcessDiedError",
        "ProviderError",
        "QueueNotEmptyError",
        "QueueNotFoundError",
        "RevokeTask",
        "ServerClosedError",
        "ServerStateError",
        "SkipRetry",
        "Snooze",
        "TaskCancelledError",
        "TaskIDConflictError",
        "TaskNotFoundError",
        "TickSkippedError",
        "WireError",
    ),
    "asynqpy._transport.connect": ("RedisTarget",),
    "asynqpy.handlers": (
        "Handler",
        "Isolation",
        "Middleware",
        "Next",
        "TypedTask",
    ),
    "asynqpy.mux": ("ServeMux",),
    "asynqpy.options": ("EnqueueOptions",),
    "asynqpy._scheduling.file_provider": ("FileProvider",),
    "asynqpy._scheduling.periodic_config": ("PeriodicTaskConfig",),
    "asynqpy.periodic": ("PeriodicTaskManager",),
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
