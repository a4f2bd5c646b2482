"""What an attempt came to, and what to write about it. Pure: the whole retry policy is one match.

Order and effects are those of asynq's processor; see the table of outcomes in the documentation of the concepts.
"""

from __future__ import annotations

import math
import traceback as tracebacks
from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias, assert_never

import msgspec

from asynqpy import attempts
from asynqpy._broker.finish import Archive, Complete, Delay, Done, DoneUnique, Finish, Requeue, Retry
from asynqpy._wire.moments import unix_milliseconds_up
from asynqpy._wire.records import TaskMessage, storable_text
from asynqpy.attempts import NOBODY, Runner
from asynqpy.errors import AsynqpyError, RevokeTask, SkipRetry, Snooze
from asynqpy.observer import AttemptOutcome

TRACEBACK_LIMIT = 16 * 1024
"""Bytes of a traceback that are kept; the end tells most, so the beginning goes."""

ERROR_TEXT_LIMIT = 4096
"""Characters of an error's text that are kept."""


class Succeeded(msgspec.Struct, frozen=True):
    """The handler returned; *result* is what it returned, encoded, or None."""

    result: bytes | None = None


class Failed(msgspec.Struct, frozen=True):
    """The handler raised, or was stopped."""

    error: BaseException
    is_failure: bool = True
    """Whether it counts: if not, no retry is spent."""
    delay: timedelta = timedelta(0)
    """How long to wait before the next attempt."""


class Skipped(msgspec.Struct, frozen=True):
    """The handler asked for no further attempt."""

    error: BaseException


class Revoked(msgspec.Struct, frozen=True):
    """The handler asked to drop the task."""

    error: BaseException


class Snoozed(msgspec.Struct, frozen=True):
    """The handler asked to be called later."""

    error: BaseException
    delay: timedelta


class Limited(msgspec.Struct, frozen=True):
    """The handler was not called: a limit lets the task run later."""

    due_milliseconds: int


class PutBack(msgspec.Struct, frozen=True):
    """The server stops; the task goes to another."""


class LeaseLost(msgspec.Struct, frozen=True):
    """The claim ended before the attempt did: the recoverer decides, nothing is written."""


Outcome: TypeAlias = Succeeded | Failed | Skipped | Revoked | Snoozed | Limited | PutBack | LeaseLost


def record_of(
    outcome: Outcome,
    message: TaskMessage,
    token: str,
    now: float,
    *,
    started: float | None = None,
    runner: Runner = NOBODY,
) -> Finish | None:
    """What to write about *outcome*; None when nothing may be written.

    *now*, and when the attempt *started*, are in Unix seconds; *runner* ran it.
    """
    match outcome:
        case Succeeded(result=result) if message.retention > 0:
            completed_at = int(now)
            stored = msgspec.structs.replace(message, completed_at=completed_at).encode()
            delete_at = completed_at + message.retention
            return Complete(message.queue, message.id, token, stored, delete_at, message.unique_key, result)
        case Succeeded() | Revoked():
            if message.unique_key:
                return DoneUnique(message.queue, message.id, token, message.unique_key)
            return Done(message.queue, message.id, token)
        case Failed(error=error) if message.retried >= message.retry:
            return _archive(message, token, error, now, started, runner)
        case Failed(error=error, is_failure=is_failure, delay=delay):
            stored = _with_error(message, error, now, retried=message.retried + is_failure)
            due = unix_milliseconds_up(now + delay.total_seconds())
            trace = traceback_of(error)
            kept = _kept(message, error, trace, now, started, runner)
            return Retry(message.queue, message.id, token, stored, due, is_failure, trace, kept)
        case Skipped(error=error):
            return _archive(message, token, error, now, started, runner)
        case Snoozed(error=error, delay=delay):
            due = unix_milliseconds_up(now + delay.total_seconds())
            stored = _with_error(message, error, now, retried=message.retried)
            return Delay(message.queue, message.id, token, stored, due, is_failure=False)
        case Limited(due_milliseconds=due):
            return Delay(message.queue, message.id, token, message.encode(), due, is_failure=False)
        case PutBack():
            return Requeue(message.queue, message.id, token)
        case LeaseLost():
            return None
        case _:
            assert_never(outcome)


def in_a_word(outcome: Outcome, message: TaskMessage) -> AttemptOutcome:
    """*outcome* as observers know it."""
    match outcome:
        case Succeeded():
            return AttemptOutcome.SUCCEEDED
        case Failed() if message.retried < message.retry:
            return AttemptOutcome.RETRIED
        case Failed() | Skipped():
            return AttemptOutcome.ARCHIVED
        case Revoked():
            return AttemptOutcome.REVOKED
        case Snoozed():
            return AttemptOutcome.SNOOZED
        case Limited():
            return AttemptOutcome.LIMITED
        case PutBack():
            return AttemptOutcome.PUT_BACK
        case LeaseLost():
            return AttemptOutcome.LEASE_LOST
        case _:
            assert_never(outcome)


def outcome_of_error(error: BaseException, message: TaskMessage) -> Outcome:
    """The outcome of an attempt whose handler raised *error*; `Failed` still lacks its policy."""
    instruction = find_instruction(error)
    match instruction:
        case RevokeTask():
            return Revoked(error)
        case SkipRetry():
            return Skipped(error)
        case Snooze(delay=delay):
            return Snoozed(error, delay)
        case _:
            return Failed(error)


def with_policy(
    failed: Failed, message: TaskMessage, is_failure: Callable[[BaseException], bool], delay: Callable[[], timedelta]
) -> Failed:
    """*failed* with the user's policy applied. As in asynq, nobody asks it when the retries are used up."""
    if message.retried >= message.retry:
        return failed
    return Failed(failed.error, is_failure(failed.error), delay())


def find_instruction(error: BaseException) -> RevokeTask | SkipRetry | Snooze | None:
    """The instruction that *error* is, wraps by ``raise … from``, or holds in an exception group."""
    seen: set[int] = set()
    stack: list[BaseException] = [error]
    while stack:
        current = stack.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, RevokeTask | SkipRetry | Snooze):
            return current
        if isinstance(current, BaseExceptionGroup):
            stack += current.exceptions
        if current.__cause__ is not None:
            stack.append(current.__cause__)
    return None


def one_line(error: BaseException) -> str:
    """The text of *error* without line breaks, whatever its class does."""
    try:
        return " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - a user's class may fail at anything
        return "(its text cannot be had)"


def error_text(error: BaseException) -> str:
    """One line for ``error_msg``: the text, after the name of the class unless the text is made to stand alone."""
    text = one_line(error)
    if not isinstance(error, AsynqpyError | SkipRetry | RevokeTask | Snooze):
        name = type(error).__name__
        text = f"{name}: {text}" if text else name
    return storable_text(text[:ERROR_TEXT_LIMIT])


def traceback_of(error: BaseException) -> bytes:
    """The traceback as UTF-8, at most 16 KiB; empty when the error was never raised."""
    if error.__traceback__ is None and error.__cause__ is None:
        return b""
    text = "".join(tracebacks.format_exception(error))
    data = text.encode("utf-8", "replace")
    if len(data) > TRACEBACK_LIMIT:
        data = data[-TRACEBACK_LIMIT:].decode("utf-8", "ignore").encode()
    return data


def attempt_deadline(message: TaskMessage, now: float) -> float:
    """When an attempt that starts *now* must end, in Unix seconds: the earlier of timeout and deadline.

    With both, asynq counts the timeout from the whole second. With neither it allows 30 minutes.
    """
    if message.timeout and message.deadline:
        return float(min(math.floor(now) + message.timeout, message.deadline))
    if message.deadline:
        return float(message.deadline)
    return now + (message.timeout or 1800)


def _archive(
    message: TaskMessage, token: str, error: BaseException, now: float, started: float | None, runner: Runner
) -> Archive:
    stored = _with_error(message, error, now, retried=message.retried)
    trace = traceback_of(error)
    kept = _kept(message, error, trace, now, started, runner)
    return Archive(message.queue, message.id, token, stored, trace, kept)


def _kept(
    message: TaskMessage, error: BaseException, traceback: bytes, now: float, started: float | None, runner: Runner
) -> bytes:
    """The attempt as it is kept with the task."""
    return attempts.encode(
        error_text(error),
        now=now,
        traceback=traceback,
        runner=runner,
        ran_seconds=None if started is None else now - started,
        retried=message.retried,
    )


def _with_error(message: TaskMessage, error: BaseException, now: float, *, retried: int) -> bytes:
    return msgspec.structs.replace(
        message, error_msg=error_text(error), last_failed_at=int(now), retried=retried
    ).encode()
