"""What is read of a task that somebody waits for, and what it means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from asynqpy import Progress, ResultLostError, TaskFailedError, TaskNotFoundError
from asynqpy._broker.waiting import Sight, failure, failure_call, gone, look, read_look, read_progress
from asynqpy._wire.records import TaskMessage

AT = datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)


def test_a_look_reads_five_fields() -> None:
    """Never the message, which may be large."""
    call = look("low", "a")
    fields = ("state", "result", "py:progress", "py:progress_text", "py:progress_at")
    assert call.words == ("HMGET", "asynq:{low}:t:a", *fields)
    assert call.key == "asynq:{low}:t:a"
    assert failure_call("low", "a").words == ("HGET", "asynq:{low}:t:a", "msg")


@pytest.mark.parametrize(
    ("reply", "sight", "is_final"),
    [
        ([None] * 5, Sight(None), True),
        ([b"pending", None, None, None, None], Sight("pending"), False),
        ([b"completed", b"\xff", None, None, None], Sight("completed", b"\xff"), True),
        ([b"archived", None, None, None, None], Sight("archived"), True),
        (
            [b"active", None, b"0.25", "ü".encode(), b"1700000000250"],
            Sight("active", None, Progress(0.25, "ü", AT)),
            False,
        ),
        ([None, b"left over", None, None, None], Sight(None), True),
    ],
)
def test_a_reply_is_a_sight(reply: list[bytes | None], sight: Sight, is_final: bool) -> None:
    """Completed, archived and gone are the ends."""
    assert read_look(reply) == sight
    assert read_look(reply).is_final is is_final


@pytest.mark.parametrize(
    ("fraction", "text", "at"),
    [(None, None, None), (b"0.5", b"", None), (b"x", b"", b"1"), (b"0.5", b"", b"soon"), (b"0.5", b"", b"9" * 30)],
)
def test_what_is_no_progress_is_none(fraction: bytes | None, text: bytes | None, at: bytes | None) -> None:
    """A wait is for the result."""
    assert read_progress(fraction, text, at) is None


def test_text_of_a_progress_that_is_no_text_is_shown_as_far_as_it_goes() -> None:
    """Whoever wrote it."""
    assert read_progress(b"1", b"a\xff", b"1700000000250") == Progress(1.0, "a\ufffd", AT)


def test_an_archived_task_has_failed_with_its_error() -> None:
    """Read from its message; one that cannot be read, or is gone by now, is an error too."""
    message = TaskMessage(type="t", id="a", queue="low", error_msg="boom", retried=2)
    error = failure("low", "a", message.encode())
    assert isinstance(error, TaskFailedError)
    assert vars(error) == {"queue": "low", "task_id": "a", "error": "boom", "task_type": "t", "retried": 2}
    assert isinstance(failure("low", "a", b"\xff"), TaskFailedError)
    assert isinstance(failure("low", "a", None), ResultLostError)
    by_hand = failure("low", "a", TaskMessage(type="t", id="a", queue="low").encode())
    assert "archived by hand" in str(by_hand)


def test_who_knew_the_task_has_lost_its_result() -> None:
    """Who did not is told that there is none."""
    assert type(gone("low", "a", existed=True)) is ResultLostError
    assert type(gone("low", "a", existed=False)) is TaskNotFoundError
