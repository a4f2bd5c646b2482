"""The tree of errors, and what each of them carries."""

from __future__ import annotations

import copy
import inspect
import pickle
from datetime import UTC, datetime, timedelta

import pytest

from asynqpy import errors
from asynqpy.errors import AsynqpyError, RevokeTask, SemaphoreFull, SkipRetry, Snooze

SAMPLES: list[BaseException] = [
    AsynqpyError("a fact"),
    errors.ConfigError("a fact"),
    errors.InvalidTaskError("a fact"),
    errors.PayloadTooLargeError(12, 10),
    errors.BrokerError("a fact"),
    errors.ConnectionLostError("a fact"),
    errors.WireError("a fact"),
    errors.DuplicateTaskError("low", "email:send"),
    errors.TaskIDConflictError("low", "abc"),
    errors.TaskNotFoundError("low", "abc"),
    errors.ResultLostError("low", "abc"),
    errors.TaskFailedError("low", "abc", "boom", task_type="t", retried=3),
    errors.WaitTimeoutError("low", "abc", 1.5),
    errors.QueueNotFoundError("low"),
    errors.QueueNotEmptyError("low"),
    errors.QueueNotEmptyError("low", {"pending": 2, "retry": 0}),
    errors.QueryError("a fact"),
    errors.EntryNotFoundError("an entry"),
    errors.TickSkippedError("an entry", datetime(2026, 1, 2, tzinfo=UTC)),
    errors.ProviderError("a fact"),
    errors.TaskStateError("low", "abc", "active", "delete", "cancel it"),
    errors.HandlerNotFoundError("email:send"),
    errors.PayloadChangedError("low", "a"),
    errors.PayloadError("a fact"),
    errors.DeadlineExceededError(),
    errors.TaskCancelledError(),
    errors.LeaseExpiredError(),
    errors.ProcessDiedError("a fact"),
    errors.EntryNotFoundError("e"),
    errors.TickSkippedError("e", datetime(2026, 1, 1, tzinfo=UTC)),
    errors.ProviderError("a fact"),
    errors.ServerStateError("a fact"),
    errors.ServerClosedError(),
    SkipRetry(),
    SkipRetry("a reason"),
    RevokeTask("a reason"),
    Snooze(1.5),
    Snooze(timedelta(minutes=1), "a reason"),
    SemaphoreFull(1, "sms"),
]


def drawn_tree() -> dict[str, str]:
    """Child -> parent, as the docstring of the module draws it: four columns a level."""
    path = ["AsynqpyError"]
    tree: dict[str, str] = {}
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        drawing, mark, rest = line.partition("── ")
        if mark:
            level = len(drawing) // 4
            name = rest.split()[0]
            path[level:] = [name]
            tree[name] = path[level - 1]
    return tree


def real_tree(kind: type[BaseException] = AsynqpyError) -> dict[str, str]:
    """Child -> parent, as the classes have it."""
    tree: dict[str, str] = {}
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            tree |= {child.__name__: kind.__name__} | real_tree(child)
    return tree


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
class TestEachError:
    """What holds for every one of them."""

    def test_survives_pickling(self, error: BaseException) -> None:
        """An error that crosses a process border arrives with its type, its text and its facts."""
        arrived = pickle.loads(pickle.dumps(error))
        assert type(arrived) is type(error)
        assert str(arrived) == str(error)
        assert arrived.args == error.args
        assert vars(arrived) == vars(error)

    def test_survives_copying(self, error: BaseException) -> None:
        """A copy, as tracing tools make it, equals the error."""
        copied = copy.copy(error)
        assert type(copied) is type(error)
        assert (str(copied), vars(copied)) == (str(error), vars(error))

    def test_says_something(self, error: BaseException) -> None:
        """No error has an empty text: it is stored with the task."""
        assert str(error)


def test_notes_travel_too() -> None:
    """Notes added to an error are not lost when it is pickled."""
    error = errors.TaskNotFoundError("q", "abc")
    error.add_note("seen while cancelling")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["seen while cancelling"]


def test_samples_are_complete() -> None:
    """Every class of the tree has a sample above."""
    instructions = {"SkipRetry", "RevokeTask", "Snooze", "SemaphoreFull"}
    assert {type(sample).__name__ for sample in SAMPLES} - {"AsynqpyError"} - instructions == set(real_tree())


def test_the_drawn_tree_is_the_real_one() -> None:
    """The tree in the module's docstring shows every class under its parent."""
    assert drawn_tree() == real_tree()


@pytest.mark.parametrize("instruction", [SkipRetry(), RevokeTask(), Snooze(1)], ids=lambda e: type(e).__name__)
def test_instructions_stand_apart(instruction: BaseException) -> None:
    """``except AsynqpyError`` in a handler does not swallow an instruction to the worker."""
    assert not isinstance(instruction, AsynqpyError)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.ConfigError, ValueError),
        (errors.InvalidTaskError, ValueError),
        (errors.PayloadTooLargeError, ValueError),
        (errors.PayloadError, ValueError),
        (errors.QueryError, ValueError),
        (errors.WaitTimeoutError, TimeoutError),
        (errors.ServerStateError, RuntimeError),
        (errors.ServerClosedError, RuntimeError),
    ],
)
def test_python_habits_catch_them(kind: type[Exception], builtin: type[Exception]) -> None:
    """Wrong values are ValueErrors, wrong moments RuntimeErrors, and waits that are too long TimeoutErrors."""
    assert issubclass(kind, builtin)


def test_facts_are_attributes() -> None:
    """What an error is about can be read without parsing its text."""
    assert vars(errors.PayloadTooLargeError(12, 10)) == {"size": 12, "limit": 10}
    assert vars(errors.DuplicateTaskError("low", "t")) == {"queue": "low", "task_type": "t"}
    assert vars(errors.TaskIDConflictError("low", "abc")) == {"queue": "low", "task_id": "abc"}
    assert vars(errors.TaskNotFoundError("low", "abc")) == {"queue": "low", "task_id": "abc"}
    assert vars(errors.ResultLostError("low", "abc")) == {"queue": "low", "task_id": "abc"}
    failed = {"queue": "low", "task_id": "abc", "error": "boom", "task_type": "t", "retried": 3}
    assert vars(errors.TaskFailedError("low", "abc", "boom", task_type="t", retried=3)) == failed
    assert vars(errors.WaitTimeoutError("low", "abc", 1.5)) == {"queue": "low", "task_id": "abc", "seconds": 1.5}
    assert vars(errors.QueueNotFoundError("low")) == {"queue": "low"}
    not_empty = errors.QueueNotEmptyError("low", {"pending": 2, "retry": 0})
    assert vars(not_empty) == {"queue": "low", "counts": {"pending": 2}}
    refused = errors.TaskStateError("low", "abc", "active", "delete", "cancel it")
    assert vars(refused) == {"queue": "low", "task_id": "abc", "state": "active", "remedy": "cancel it"}
    assert vars(errors.HandlerNotFoundError("t")) == {"task_type": "t"}


def test_a_queue_that_is_not_empty_says_what_to_do() -> None:
    """Running tasks are not dropped by force."""
    assert "holds 2 pending; force=True drops them" in str(errors.QueueNotEmptyError("low", {"pending": 2}))
    running = str(errors.QueueNotEmptyError("low", {"active": 1, "retry": 3}))
    assert "holds 1 active, 3 retry; pause it" in running


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.DeadlineExceededError(), "context deadline exceeded"),
        (errors.TaskCancelledError(), "context canceled"),
        (errors.LeaseExpiredError(), "asynq: task lease expired"),
        (errors.HandlerNotFoundError("email:send"), 'handler not found for task "email:send"'),
        (errors.ServerClosedError(), "asynq: Server closed"),
        (SkipRetry(), "skip retry for the task"),
        (RevokeTask(), "revoke task"),
    ],
)
def test_stored_texts_are_those_of_asynq(error: BaseException, text: str) -> None:
    """One alert rule serves Go and Python workers."""
    assert str(error) == text


@pytest.mark.parametrize(
    ("delay", "expected", "text"),
    [
        (30, timedelta(seconds=30), "snoozed for 30 s"),
        (0.25, timedelta(milliseconds=250), "snoozed for 0.25 s"),
        (timedelta(minutes=2), timedelta(minutes=2), "snoozed for 120 s"),
        (-5, timedelta(0), "snoozed for -5 s"),
    ],
)
def test_snooze_reads_seconds_and_durations(delay: timedelta | float, expected: timedelta, text: str) -> None:
    """A plain number means seconds; nobody waits for less than nothing."""
    snooze = Snooze(delay)
    assert (snooze.delay, str(snooze)) == (expected, text)
