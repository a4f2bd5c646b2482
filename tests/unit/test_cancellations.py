"""What the web server remembers of cancellations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from asynqpy._wire.records import TaskMessage
from asynqpy.task import TaskInfo, TaskMarks, TaskState
from asynqpy.web import cancellations
from asynqpy.web.cancellations import Cancellations


def running(state: TaskState = TaskState.ACTIVE, *, task_id: str = "a", crashes: int = 0, **message: int) -> TaskInfo:
    """A task that runs."""
    stored = TaskMessage(type="t", id=task_id, queue="low", **message)  # type: ignore[arg-type]
    return TaskInfo(stored, state, marks=TaskMarks(crashes=crashes))


def test_it_is_known_while_the_attempt_runs() -> None:
    """Of that task alone, and of the last request."""
    known = Cancellations()
    assert known.asked_at(running()) is None
    before = datetime.now(UTC)
    known.add(running())
    first = known.asked_at(running())
    assert first is not None
    assert before <= first <= datetime.now(UTC)
    assert known.asked_at(running(task_id="b")) is None
    known.add(running())
    last = known.asked_at(running())
    assert last is not None
    assert last >= first


@pytest.mark.parametrize(
    "later",
    [running(TaskState.RETRY), running(retried=1), running(last_failed_at=7), running(crashes=1)],
    ids=["ended", "retried", "failed without a retry", "lost"],
)
def test_another_attempt_was_not_meant(later: TaskInfo) -> None:
    """It has ended since, and nothing of it is remembered."""
    known = Cancellations()
    known.add(running())
    assert known.asked_at(later) is None
    assert known.asked_at(running()) is None


def test_one_that_began_later_was_not_meant() -> None:
    """As servers tell; a clock that is a little ahead does not count."""
    known = Cancellations()
    known.add(running())
    now = datetime.now(UTC)
    for started, is_meant in ((now - timedelta(hours=3), True), (now + timedelta(seconds=2), True)):
        assert (known.asked_at(running(), started=started) is not None) is is_meant
        assert (known.asked_at_of("low", "a", started=started) is not None) is is_meant
    later = now + timedelta(minutes=1)
    assert known.asked_at(running(), started=later) is None
    assert known.asked_at_of("low", "a", started=later) is None
    assert known.asked_at_of("low", "b", started=now) is None


def test_no_more_than_a_number_for_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first."""
    monkeypatch.setattr(cancellations, "MOST", 2)
    known = Cancellations()
    for name in "abc":
        known.add(running(task_id=name))
    assert [known.asked_at(running(task_id=name)) is not None for name in "abc"] == [False, True, True]
    monkeypatch.setattr(cancellations, "KEPT_FOR", timedelta(0))
    assert known.asked_at(running(task_id="c")) is None
    known.add(running(task_id="d"))
    assert len(known._asked) == 1
