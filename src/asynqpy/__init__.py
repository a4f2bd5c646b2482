"""asynq for Python: a distributed task queue on Redis, wire-compatible with hibiken/asynq."""

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
    HandlerNotFoundError,
    InvalidTaskError,
    LeaseExpiredError,
    PayloadError,
    PayloadTooLargeError,
    ProcessDiedError,
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
    WireError,
)
from asynqpy.handlers import Handler, Middleware, Next, TypedTask
from asynqpy.mux import ServeMux
from asynqpy.options import EnqueueOptions
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
    "Handler",
    "HandlerNotFoundError",
    "InvalidTaskError",
    "LeaseExpiredError",
    "Middleware",
    "Next",
    "PayloadError",
    "PayloadTooLargeError",
    "ProcessDiedError",
    "QueueNotEmptyError",
    "QueueNotFoundError",
    "RedisOptions",
    "RevokeTask",
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
    "TypedTask",
    "WireError",
    "__version__",
    "current_task",
]
