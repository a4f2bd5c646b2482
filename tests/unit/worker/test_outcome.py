"""The table of outcomes: what is written about an attempt, and the texts that go with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from asynqpy import (
    AsynqpyError,
    DeadlineExceededError,
    HandlerNotFoundError,
    RevokeTask,
    SkipRetry,
    Snooze,
    TaskCancelledError,
    attempts,
)
from asynqpy._broker.finish import Archive, Complete, Delay, Done, DoneUnique, Requeue, Retry
from asynqpy._wire.records import TaskMessage
from asynqpy._worker.outcome import (
    ERROR_TEXT_LIMIT,
    TRACEBACK_LIMIT,
    Failed,
    LeaseLost,
    Limited,
    PutBack,
    Revoked,
    Skipped,
    Snoozed,
    Succeeded,
    attempt_deadline,
    error_text,
    find_instruction,
    outcome_of_error,
    record_of,
    traceback_of,
    with_policy,
)

from .conftest import message

NOW = 1_700_000_000.25
RUNNER = attempts.Runner("h:1", "1.4.2")


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """*error* as a handler raises it."""
    try:
        raise error from cause
    except BaseException as caught:
        return caught


# The table.


def test_success_without_retention_is_done() -> None:
    """The task is deleted and its lock freed."""
    record = record_of(Succeeded(b"result"), message(unique_key="lock"), "token", NOW)
    assert record == DoneUnique("default", "id", "token", "lock")


def test_success_with_retention_is_complete() -> None:
    """It is kept with its result until its retention ends, counted from the whole second."""
    record = record_of(Succeeded(b"result"), message(retention=60, unique_key="lock"), "token", NOW)
    assert isinstance(record, Complete)
    stored = TaskMessage.decode(record.message)
    assert (stored.completed_at, record.delete_at) == (1_700_000_000, 1_700_000_060)
    assert (record.lock_key, record.result) == ("lock", b"result")
    assert record_of(Succeeded(), message(retention=60), "token", NOW).result is None  # type: ignore[union-attr]


def test_a_revoke_is_done_whatever_the_retention() -> None:
    """Revoked tasks leave no trace, nor does their lock if they have one."""
    assert record_of(Revoked(RevokeTask()), message(), "token", NOW) == Done("default", "id", "token")
    record = record_of(Revoked(RevokeTask()), message(retention=60, unique_key="lock"), "token", NOW)
    assert record == DoneUnique("default", "id", "token", "lock")


@pytest.mark.parametrize("is_failure", [True, False])
@pytest.mark.parametrize(("retried", "retry"), [(0, 0), (3, 3), (9, 3)])
def test_used_up_retries_archive(*, is_failure: bool, retried: int, retry: int) -> None:
    """Whether the error counts as a failure or not; the number of retries stays."""
    failed = Failed(raised(ValueError("x")), is_failure, timedelta(seconds=5))
    record = record_of(failed, message(retried=retried, retry=retry), "token", NOW)
    assert isinstance(record, Archive)
    stored = TaskMessage.decode(record.message)
    assert (stored.retried, stored.error_msg, stored.last_failed_at) == (retried, "ValueError: x", 1_700_000_000)
    assert record.traceback.endswith(b"ValueError: x\n")


def test_a_failure_waits_and_spends_a_retry() -> None:
    """Due after the delay, to the millisecond."""
    failed = Failed(raised(ValueError("x")), is_failure=True, delay=timedelta(seconds=1.5))
    record = record_of(failed, message(retried=1), "token", NOW)
    assert isinstance(record, Retry)
    assert not isinstance(record, Delay)
    assert (record.due_milliseconds, record.is_failure) == (1_700_000_001_750, True)
    assert TaskMessage.decode(record.message).retried == 2


def test_an_error_that_is_no_failure_waits_and_spends_nothing() -> None:
    """Its text is kept."""
    failed = Failed(raised(ValueError("x")), is_failure=False, delay=timedelta(seconds=1))
    record = record_of(failed, message(retried=1), "token", NOW)
    assert isinstance(record, Retry)
    assert not record.is_failure
    stored = TaskMessage.decode(record.message)
    assert (stored.retried, stored.error_msg) == (1, "ValueError: x")


@pytest.mark.parametrize(("retried", "outcome"), [(1, Failed), (25, Failed), (1, Skipped)])
def test_what_failed_is_kept(retried: int, outcome: type[Failed | Skipped]) -> None:
    """Whatever is written: the error in short, where it failed, who ran it and for how long."""
    error = raised(ValueError("x" * 600))
    record: Any = record_of(outcome(error), message(retried=retried), "token", NOW, started=NOW - 2.5, runner=RUNNER)
    [kept] = attempts.decode(record.attempt)
    assert (kept.error, kept.retried) == (f"ValueError: {'x' * 600}"[:512], retried)
    assert (kept.worker, kept.app_version) == ("h:1", "1.4.2")
    assert (kept.ran_for, kept.failed_at.timestamp()) == (timedelta(seconds=2.5), pytest.approx(NOW, abs=0.001))
    assert kept.traceback.endswith("x\n")
    assert not kept.is_lost


def test_skip_archives_at_once() -> None:
    """However many retries are left."""
    record = record_of(Skipped(raised(SkipRetry("bad input"))), message(), "token", NOW)
    assert isinstance(record, Archive)
    assert TaskMessage.decode(record.message).error_msg == "bad input"


def test_a_snooze_waits_among_the_scheduled() -> None:
    """No retry spent, also when none is left; no traceback; the reason is kept."""
    outcome = Snoozed(raised(Snooze(10, "not yet")), timedelta(seconds=10))
    record = record_of(outcome, message(retried=3, retry=3), "token", NOW)
    assert isinstance(record, Delay)
    assert (record.due_milliseconds, record.is_failure, record.traceback) == (1_700_000_010_250, False, b"")
    stored = TaskMessage.decode(record.message)
    assert (stored.retried, stored.error_msg) == (3, "not yet")


def test_a_limited_task_waits_as_it_is() -> None:
    """Not a byte of its message changes, and its moment is Redis' own."""
    record = record_of(Limited(1_700_000_010_251), message(retried=3, retry=3, error_msg="before"), "token", NOW)
    assert isinstance(record, Delay)
    assert (record.due_milliseconds, record.is_failure, record.traceback) == (1_700_000_010_251, False, b"")
    assert record.message == message(retried=3, retry=3, error_msg="before").encode()


def test_a_shutdown_puts_back_and_a_lost_lease_writes_nothing() -> None:
    """The first by id and token alone, so that the stored message stays as it is."""
    assert record_of(PutBack(), message(retention=60), "token", NOW) == Requeue("default", "id", "token")
    assert record_of(LeaseLost(), message(retention=60), "token", NOW) is None


def test_nothing_else_of_the_message_changes() -> None:
    """Payload, headers, options survive every outcome byte for byte."""
    original = message(
        payload=b"\x00\xff", headers={"a": "b"}, group_key="g", unique_key="lock", deadline=2_000_000_000, retention=60
    )
    for outcome in (Succeeded(), Failed(ValueError("x")), Skipped(SkipRetry()), Snoozed(Snooze(1), timedelta(1))):
        record: Any = record_of(outcome, original, "token", NOW)
        stored = TaskMessage.decode(record.message)
        for field in ("payload", "headers", "group_key", "unique_key", "deadline", "retention", "type", "retry"):
            assert getattr(stored, field) == getattr(original, field)


@pytest.mark.parametrize("days", [0, 3650, timedelta.max.days - 1])
def test_delays_of_any_length_can_be_stored(days: int) -> None:
    """From now to the end of time."""
    record = record_of(Failed(ValueError(), delay=timedelta(days=days)), message(), "token", NOW)
    assert isinstance(record, Retry)


# Instructions.


@pytest.mark.parametrize(
    ("instruction", "kind"), [(SkipRetry("s"), Skipped), (RevokeTask("r"), Revoked), (Snooze(5), Snoozed)]
)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda error: error,
        lambda error: raised(RuntimeError("outer"), error),
        lambda error: raised(RuntimeError("outermost"), raised(KeyError("outer"), error)),
        lambda error: ExceptionGroup("group", [ValueError("other"), error]),
        lambda error: ExceptionGroup("group", [ExceptionGroup("inner", [error])]),
        lambda error: BaseExceptionGroup("group", [SystemExit(1), raised(ValueError("v"), error)]),
    ],
)
def test_instructions_are_found_wherever_they_are(
    instruction: Exception, kind: type, wrap: Callable[[Exception], BaseException]
) -> None:
    """Raised, as a cause of a cause, in nested groups."""
    assert isinstance(outcome_of_error(wrap(instruction), message()), kind)


def test_a_subclass_of_an_instruction_is_one() -> None:
    """Users may name their reasons."""

    class BadInput(SkipRetry):
        pass

    assert isinstance(outcome_of_error(BadInput("no such user"), message()), Skipped)


def test_an_instruction_that_was_only_seen_on_the_way_is_none() -> None:
    """One that was caught and answered by another error (its context, not its cause) does not count."""
    error = ValueError("something else")
    error.__context__ = SkipRetry()
    assert find_instruction(error) is None
    assert isinstance(outcome_of_error(error, message()), Failed)


def test_causes_that_go_in_circles_end() -> None:
    """Such things exist."""
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert find_instruction(one) is None


def test_a_snooze_knows_its_delay() -> None:
    """As a timedelta, never negative."""
    for delay, expected in ((5, 5), (timedelta(minutes=1), 60), (-5, 0), (0.25, 0.25)):
        outcome = outcome_of_error(Snooze(delay), message())
        assert isinstance(outcome, Snoozed)
        assert outcome.delay == timedelta(seconds=expected)


# The policy.


def test_the_policy_is_asked_while_retries_are_left() -> None:
    """It decides about failure and delay."""
    failed = with_policy(Failed(ValueError()), message(), lambda error: False, lambda: timedelta(seconds=9))
    assert (failed.is_failure, failed.delay) == (False, timedelta(seconds=9))


def test_nobody_is_asked_when_the_retries_are_used_up() -> None:
    """As in asynq."""

    def never(*_: object) -> Any:
        raise AssertionError("asked")

    failed = Failed(ValueError())
    assert with_policy(failed, message(retried=3, retry=3), never, never) is failed


# Texts.


class NoTextError(Exception):
    """Fails when it is asked for its text."""

    def __str__(self) -> str:
        raise RuntimeError("none")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("bad value"), "ValueError: bad value"),
        (ValueError(), "ValueError"),
        (ValueError("several\n lines\t and   spaces\r\n"), "ValueError: several lines and spaces"),
        (KeyError("key"), "KeyError: 'key'"),
        (SystemExit(3), "SystemExit: 3"),
        (DeadlineExceededError(), "context deadline exceeded"),
        (TaskCancelledError(), "context canceled"),
        (HandlerNotFoundError("t"), 'handler not found for task "t"'),
        (SkipRetry("reason"), "reason"),
        (SkipRetry(), "skip retry for the task"),
        (RevokeTask(), "revoke task"),
        (Snooze(1.5), "snoozed for 1.5 s"),
        (AsynqpyError("ours"), "ours"),
        (ExceptionGroup("several", [ValueError("x")]), "ExceptionGroup: several (1 sub-exception)"),
        (NoTextError(), "NoTextError: (its text cannot be had)"),
        (ValueError("lone \ud800 surrogate \U0001f600 \x00"), "ValueError: lone ? surrogate \U0001f600 \x00"),
    ],
    ids=repr,
)
def test_error_texts_are_one_line_that_can_be_stored(error: BaseException, text: str) -> None:
    """With the name of the class, except where the text is made to stand alone."""
    assert error_text(error) == text
    assert TaskMessage.decode(msgspec.structs.replace(message(), error_msg=text).encode()).error_msg == text


def test_a_huge_error_text_is_cut() -> None:
    """Megabytes do not belong into a task."""
    text = error_text(ValueError("x" * 5_000_000))
    assert len(text) == ERROR_TEXT_LIMIT
    assert text.startswith("ValueError: xxx")


def test_tracebacks_end_with_the_error_and_show_causes() -> None:
    """As Python prints them."""
    trace = traceback_of(raised(ValueError("outer"), raised(KeyError("inner")))).decode()
    assert trace.startswith("Traceback (most recent call last)")
    assert "KeyError: 'inner'" in trace
    assert "direct cause" in trace
    assert trace.endswith("ValueError: outer\n")


def test_an_error_that_was_never_raised_has_no_traceback() -> None:
    """Ours for timeouts, when nothing was interrupted."""
    assert traceback_of(DeadlineExceededError()) == b""


@pytest.mark.parametrize("text", ["x" * 100_000, "\u20ac" * 100_000, "\ud800" * 100_000, "line\n" * 50_000])
def test_long_tracebacks_keep_their_end(text: str) -> None:
    """At most 16 KiB of valid UTF-8, cut at the beginning."""
    trace = traceback_of(raised(ValueError(text + "the end")))
    assert TRACEBACK_LIMIT - 4 <= len(trace) <= TRACEBACK_LIMIT
    assert trace.decode().endswith("the end\n")


def test_a_deep_recursion_has_a_traceback_of_bounded_size() -> None:
    """A RecursionError is no exception."""

    def deeper() -> None:
        deeper()

    try:
        deeper()
    except RecursionError as error:
        trace = traceback_of(error)
    assert 0 < len(trace) <= TRACEBACK_LIMIT
    assert b"RecursionError" in trace


# Deadlines.


@pytest.mark.parametrize(
    ("timeout", "deadline", "expected"),
    [
        (0, 0, NOW + 1800),
        (20, 0, NOW + 20),
        (0, 1_700_000_100, 1_700_000_100),
        (20, 1_700_000_100, 1_700_000_020),
        (200, 1_700_000_100, 1_700_000_100),
        (-5, 0, NOW - 5),
        (0, 1, 1),
    ],
)
def test_an_attempt_ends_at_the_earlier_of_timeout_and_deadline(timeout: int, deadline: int, expected: float) -> None:
    """The table of asynq: both together count from the whole second, neither means half an hour."""
    assert attempt_deadline(message(timeout=timeout, deadline=deadline), NOW) == expected
