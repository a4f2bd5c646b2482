"""Who watches a server at work: what it is told, and the words for how an attempt ended."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class AttemptOutcome(StrEnum):
    """How an attempt ended; the words are those of the metrics."""

    SUCCEEDED = "succeeded"
    RETRIED = "retried"
    """It failed, and is tried again."""
    ARCHIVED = "archived"
    """It failed for good."""
    REVOKED = "revoked"
    """The handler dropped the task."""
    SNOOZED = "snoozed"
    """The handler asked to be called later."""
    LIMITED = "limited"
    """The handler was not called: a limit lets the task run later."""
    PUT_BACK = "put_back"
    """The server stopped before the handler had ended."""
    LEASE_LOST = "lease_lost"
    """The claim ended before the handler had: the task runs elsewhere."""


class ServerObserver(Protocol):
    """Told what a server does: `asynqpy.metrics.ServerMetrics` is one.

    It is called on the server's event loop, several times for each task, and so must be quick. What it raises is
    logged. *pattern* is the registered pattern that matched, never the type itself: producers may make up types without
    end. It is empty for a single function and for not-found handlers.
    """

    def attempt_started(self, queue: str, pattern: str, waited_seconds: float | None) -> None:
        """A handler begins; the task waited so long since it became ready (None: nobody knows)."""
        ...

    def attempt_ended(self, queue: str, pattern: str, outcome: AttemptOutcome, ran_seconds: float) -> None:
        """The outcome of an attempt is decided."""
        ...

    def task_released(self, queue: str) -> None:
        """A task that has no handler here was handed on."""
        ...

    def turn_ended(self, size: int, seconds: float) -> None:
        """A round trip has written outcomes and claimed tasks, *size* together."""
        ...

    def reconnected(self, connection: str) -> None:
        """A connection broke and was made anew: ``tasks``, that of a lane, or ``changes``, that which wakes it."""
        ...
