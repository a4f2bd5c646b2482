"""Everything that can go wrong, and the instructions that a handler may raise.

    AsynqpyError
    ├── ConfigError              settings that cannot work
    ├── InvalidTaskError         a task or an option that cannot be enqueued
    │   └── PayloadTooLargeError
    ├── BrokerError              Redis is down or refuses
    │   └── ConnectionLostError  it broke while a command was on its way
    ├── WireError                bytes in Redis that cannot be read, or values that cannot be written
    ├── DuplicateTaskError       a unique task of this kind exists
    ├── TaskIDConflictError      the id is taken
    ├── TaskNotFoundError
    │   └── ResultLostError      waited for: gone, and its result with it
    ├── TaskFailedError          waited for: archived
    ├── WaitTimeoutError         waited for: not done in time
    ├── QueueNotFoundError
    ├── QueueNotEmptyError
    ├── QueryError               an inspector was asked for what cannot be
    ├── TaskStateError           the state of a task does not allow what was asked
    ├── PayloadChangedError      the payload of a task is no longer the one that was read
    ├── HandlerNotFoundError     no pattern of the mux matches the type
    ├── PayloadError             a payload that does not fit what its handler expects
    ├── DeadlineExceededError    the attempt ran longer than its timeout or deadline
    ├── TaskCancelledError       the running task was cancelled by a message
    ├── LeaseExpiredError        the claim on the task ended before its outcome was written
    ├── ProcessDiedError         the child process of an isolated handler died
    ├── EntryNotFoundError       the scheduler has no entry with this id
    ├── TickSkippedError         a periodic task was not enqueued: its last run has not ended
    ├── ProviderError            the first look at the configuration of periodic tasks failed
    └── ServerStateError         start or stop in a state that does not allow it
        └── ServerClosedError

`SkipRetry`, `RevokeTask` and `Snooze` are for handlers to raise: instructions, not errors, so they stand apart. So does
`SemaphoreFull`, a `Snooze`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

E = TypeVar("E", bound=BaseException)


class AsynqpyError(Exception):
    """Base of every error that asynqpy raises, so that ``except AsynqpyError`` catches them all."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)


class ConfigError(AsynqpyError, ValueError):
    """Settings that cannot work: a wrong URL, a concurrency of zero, a missing extra."""


class InvalidTaskError(AsynqpyError, ValueError):
    """A task or an enqueue option was refused before anything was sent to Redis."""


class PayloadTooLargeError(InvalidTaskError):
    """The payload is larger than the client's ``max_payload_bytes``."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"payload of {size} bytes is over the limit of {limit}; store the data elsewhere and enqueue a reference,"
            " or raise max_payload_bytes on the client"
        )
        self.size = size
        self.limit = limit


class BrokerError(AsynqpyError):
    """Redis could not be reached or refused a command; ``__cause__`` holds the driver's own error."""


class ConnectionLostError(BrokerError):
    """The connection failed while a command was on its way: it may or may not have been executed."""


class WireError(AsynqpyError):
    """Bytes in Redis that cannot be read, or a value that the wire format cannot carry."""


class DuplicateTaskError(AsynqpyError):
    """A unique task with the same queue, type and payload holds the lock."""

    def __init__(self, queue: str, task_type: str) -> None:
        super().__init__(f"task already exists: a unique {task_type!r} with this payload is in queue {queue!r}")
        self.queue = queue
        self.task_type = task_type


class TaskIDConflictError(AsynqpyError):
    """Another task of the queue, in whatever state, has this id."""

    def __init__(self, queue: str, task_id: str) -> None:
        super().__init__(f"task ID conflicts with another task: {task_id!r} in queue {queue!r}")
        self.queue = queue
        self.task_id = task_id


class TaskNotFoundError(AsynqpyError):
    """The queue has no task with this id."""

    def __init__(self, queue: str, task_id: str) -> None:
        super().__init__(f"task not found: {task_id!r} in queue {queue!r}")
        self.queue = queue
        self.task_id = task_id


class ResultLostError(TaskNotFoundError):
    """The task that was waited for is gone, and its result with it.

    It succeeded without ``retention=``, was revoked, was aggregated with others, or was deleted: Redis keeps nothing
    that tells these apart. Enqueue with ``retention=`` what you want to wait for.
    """

    def __init__(self, queue: str, task_id: str) -> None:
        AsynqpyError.__init__(
            self,
            f"task {task_id!r} is gone from queue {queue!r}, and its result with it: it has succeeded or was deleted;"
            " enqueue with retention= what is waited for",
        )
        self.queue = queue
        self.task_id = task_id


class TaskFailedError(AsynqpyError):
    """The task that was waited for has failed for good: it is archived."""

    def __init__(self, queue: str, task_id: str, error: str, *, task_type: str = "", retried: int = 0) -> None:
        super().__init__(f"task {task_id!r} in queue {queue!r} has failed: {error or 'archived by hand'}")
        self.queue = queue
        self.task_id = task_id
        self.error = error
        """Text of its last failure; empty when it was archived without one."""
        self.task_type = task_type
        self.retried = retried
        """How often it was tried again."""


class WaitTimeoutError(AsynqpyError, TimeoutError):
    """The task was not done within the *timeout* of ``wait``; it goes on, and may be waited for again."""

    def __init__(self, queue: str, task_id: str, seconds: float) -> None:
        super().__init__(f"task {task_id!r} in queue {queue!r} was not done within {seconds:g} s; it goes on")
        self.queue = queue
        self.task_id = task_id
        self.seconds = seconds


class QueueNotFoundError(AsynqpyError):
    """No task was ever enqueued to this queue, or the queue was removed."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"queue not found: {queue!r}")
        self.queue = queue


class QueueNotEmptyError(AsynqpyError):
    """The queue still holds tasks; remove it with ``force=True`` to drop them. Not even that drops running ones."""

    def __init__(self, queue: str, counts: Mapping[str, int] | None = None) -> None:
        self.queue = queue
        self.counts = {state: count for state, count in (counts or {}).items() if count}
        """How many tasks are in which state, those without any left out."""
        what = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        remedy = "force=True drops them"
        if self.counts.get("active"):
            remedy = "pause it and wait until the active ones have ended, or cancel them"
        super().__init__(f"queue is not empty: {queue!r}" + (f" holds {what}; {remedy}" if what else ""))


class QueryError(AsynqpyError, ValueError):
    """An inspector was asked for what cannot be: page 0, an unknown state, a group where none can be."""


class TaskStateError(AsynqpyError):
    """The state of the task does not allow what was asked of it."""

    def __init__(self, queue: str, task_id: str, state: str, action: str, remedy: str) -> None:
        super().__init__(f"cannot {action} task {task_id!r} in queue {queue!r}: its state is {state!r}; {remedy}")
        self.queue = queue
        self.task_id = task_id
        self.state = state
        self.remedy = remedy


class PayloadChangedError(AsynqpyError):
    """The payload of the task is no longer the one that was expected: somebody else has changed it meanwhile."""

    def __init__(self, queue: str, task_id: str) -> None:
        super().__init__(f"the payload of task {task_id!r} in queue {queue!r} was changed meanwhile; read it again")
        self.queue = queue
        self.task_id = task_id


class HandlerNotFoundError(AsynqpyError):
    """No pattern of the mux matches the type of the task."""

    def __init__(self, task_type: str) -> None:
        # The text is stored as the task's error; asynq's wording lets one alert rule serve Go and Python workers.
        super().__init__(f'handler not found for task "{task_type}"')
        self.task_type = task_type


class PayloadError(AsynqpyError, ValueError):
    """The payload cannot be decoded into what was asked for."""


class DeadlineExceededError(AsynqpyError):
    """The attempt ran longer than the task's timeout or past its deadline. The text is asynq's."""

    def __init__(self) -> None:
        super().__init__("context deadline exceeded")


class TaskCancelledError(AsynqpyError):
    """The running task was cancelled through the inspector, the CLI or a Go peer. The text is asynq's."""

    def __init__(self) -> None:
        super().__init__("context canceled")


class LeaseExpiredError(AsynqpyError):
    """The worker's claim on the task ended before its outcome was written. The text is asynq's."""

    def __init__(self) -> None:
        super().__init__("asynq: task lease expired")


class ProcessDiedError(AsynqpyError):
    """The child process that ran an isolated handler died before the handler ended."""


class EntryNotFoundError(AsynqpyError):
    """The scheduler has no entry with this id."""

    def __init__(self, entry_id: str) -> None:
        super().__init__(f"no scheduler entry found: {entry_id!r}")
        self.entry_id = entry_id


class TickSkippedError(AsynqpyError):
    """A tick of an entry with ``overlap=False`` was skipped, because the task of an earlier one waits or runs."""

    def __init__(self, entry_id: str, tick: datetime) -> None:
        super().__init__(f"tick {tick.isoformat()} of entry {entry_id!r} was skipped: its last run has not ended")
        self.entry_id = entry_id
        self.tick = tick


class ProviderError(AsynqpyError):
    """The provider of periodic tasks failed, or gave something that cannot be scheduled; ``__cause__`` tells more."""


class ServerStateError(AsynqpyError, RuntimeError):
    """The server or scheduler cannot do this in its present state."""


class ServerClosedError(ServerStateError):
    """The server was shut down; a closed server does not start again. Make a new one."""

    def __init__(self) -> None:
        super().__init__("asynq: Server closed")


class SkipRetry(Exception):  # noqa: N818 - an instruction, not an error
    """Raise it in a handler to archive the task at once, whatever retries are left."""

    def __init__(self, reason: str = "skip retry for the task") -> None:
        super().__init__(reason)


class RevokeTask(Exception):  # noqa: N818 - an instruction, not an error
    """Raise it in a handler to drop the task: not retried, not archived, counted as processed."""

    def __init__(self, reason: str = "revoke task") -> None:
        super().__init__(reason)


class Snooze(Exception):  # noqa: N818 - an instruction, not an error
    """Raise it in a handler to run the task again after *delay*, spending no retry and counting no failure.

    Args:
        delay: how long to wait; a plain number means seconds.
        reason: kept with the task as its last error text, for whoever wonders why it waits.
    """

    def __init__(self, delay: timedelta | float, reason: str = "") -> None:
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else float(delay)
        super().__init__(reason or f"snoozed for {seconds:g} s")
        self.delay = timedelta(seconds=max(seconds, 0.0))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)


class SemaphoreFull(Snooze):
    """All tokens of a semaphore are taken: the task runs again after *delay*, spending no retry.

    Raised by ``with`` and ``async with`` on a `Semaphore`; catch it to do something else instead.
    """

    def __init__(self, delay: timedelta | float, scope: str) -> None:
        super().__init__(delay, f"all tokens of the semaphore {scope!r} are taken")
        self.scope = scope


def _restore(kind: type[E], arguments: tuple[Any, ...], facts: dict[str, Any]) -> E:
    # Pickle would hand the text to the constructor, which wants the facts that the text was made of.
    error = kind.__new__(kind, *arguments)
    error.args = arguments  # those derived from OSError leave it to the constructor
    error.__dict__.update(facts)
    return error
