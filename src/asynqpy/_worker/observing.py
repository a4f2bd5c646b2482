"""Keeps what an observer of the user's raises away from the server."""

from __future__ import annotations

import logging

from asynqpy.observer import AttemptOutcome, ServerObserver

log = logging.getLogger("asynqpy")

COMPLAINT = "the observer failed"


def guarded(observer: ServerObserver | None) -> ServerObserver | None:
    """*observer* with its exceptions logged instead of raised; None where there is none."""
    return None if observer is None else _Guarded(observer)


class _Guarded:
    def __init__(self, observer: ServerObserver) -> None:
        self._observer = observer

    def attempt_started(self, queue: str, pattern: str, waited_seconds: float | None) -> None:
        try:
            self._observer.attempt_started(queue, pattern, waited_seconds)
        except Exception:
            log.exception(COMPLAINT)

    def attempt_ended(self, queue: str, pattern: str, outcome: AttemptOutcome, ran_seconds: float) -> None:
        try:
            self._observer.attempt_ended(queue, pattern, outcome, ran_seconds)
        except Exception:
            log.exception(COMPLAINT)

    def task_released(self, queue: str) -> None:
        try:
            self._observer.task_released(queue)
        except Exception:
            log.exception(COMPLAINT)

    def turn_ended(self, size: int, seconds: float) -> None:
        try:
            self._observer.turn_ended(size, seconds)
        except Exception:
            log.exception(COMPLAINT)

    def reconnected(self, connection: str) -> None:
        try:
            self._observer.reconnected(connection)
        except Exception:
            log.exception(COMPLAINT)
