"""Tasks on both sides, and what is known of stored ones."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from asynqpy._wire.records import TaskMessage
from asynqpy.errors import InvalidTaskError, PayloadError
from asynqpy.options import DEFAULTS, Options
from asynqpy.task import Task, TaskInfo, TaskMarks, TaskState


class AttemptByHand:
    """An attempt that remembers what was written."""

    def __init__(self) -> None:
        self.cancelled = False
        self.written: list[bytes] = []

    async def write_result(self, data: bytes) -> int:
        self.written.append(data)
        return len(data)

    def write_result_sync(self, data: bytes) -> int:
        self.written.append(data)
        return len(data)


@pytest.fixture
def attempt() -> AttemptByHand:
    """The attempt of `running`."""
    return AttemptByHand()


@pytest.fixture
def running(attempt: AttemptByHand) -> Task:
    """A task as its handler sees it."""
    return Task.running("t", b'{"x":1}', {"h": "v"}, "abc", "low", 2, 5, 1_700_000_000.5, attempt)


def test_states_are_the_words_stored_in_redis() -> None:
    """Go names them the same."""
    assert {state.value for state in TaskState} == {
        "active", "pending", "scheduled", "retry", "archived", "completed", "aggregating",
    }  # fmt: skip
    assert f"{TaskState.PENDING}" == "pending"


class TestNewTask:
    """Before it is enqueued."""

    def test_has_defaults(self) -> None:
        """A type alone is a task."""
        task = Task("email:send")
        assert (task.type, task.payload, task.raw_payload) == ("email:send", b"", None)
        assert (task.id, task.queue, task.retried, task.max_retry) == ("", "default", 0, 25)
        assert (dict(task.headers), task.options, task.deadline) == ({}, DEFAULTS, None)
        assert not task.cancelled

    def test_tells_its_options(self) -> None:
        """What was asked for can be read from the task, and is validated at once."""
        task = Task(
            "t", queue="low", task_id="abc", max_retry=3, headers={"h": "v"}, deadline=datetime(2030, 1, 1, tzinfo=UTC)
        )
        assert (task.id, task.queue, task.max_retry, task.headers) == ("abc", "low", 3, {"h": "v"})
        assert task.deadline == datetime(2030, 1, 1, tzinfo=UTC)
        with pytest.raises(InvalidTaskError, match="queue must contain"):
            Task("t", queue=" ")

    @pytest.mark.parametrize("kind", ["", "  ", None, 3, b"t", "\ud800"])
    def test_needs_a_type(self, kind: Any) -> None:
        """Blank and unencodable types are refused where they are written."""
        with pytest.raises(InvalidTaskError, match="task type"):
            Task(kind)

    def test_none_and_empty_payloads_differ_in_secret(self) -> None:
        """Both read as empty; only the key of a unique task tells them apart."""
        assert (Task("t").payload, Task("t").raw_payload) == (b"", None)
        assert (Task("t", b"").payload, Task("t", b"").raw_payload) == (b"", b"")

    @pytest.mark.parametrize(("value", "stored"), [(b"raw", b"raw"), ("text", b"text"), ({"a": 1}, b'{"a":1}')])
    def test_encodes_its_payload(self, value: object, stored: bytes) -> None:
        """Bytes stay, text becomes UTF-8, the rest JSON."""
        assert Task("t", value).payload == stored

    def test_refuses_a_payload_without_a_form(self) -> None:
        """Not at enqueue: where the task is made."""
        with pytest.raises(InvalidTaskError, match="cannot encode a payload of type object"):
            Task("t", object())

    def test_prepared_parts_are_taken_as_they_are(self) -> None:
        """Typed handlers validate once and make many tasks."""
        options = Options(queue="low", headers={"h": "v"})
        task = Task.prepared("t", b"raw", options)
        assert (task.type, task.raw_payload, task.options, task.queue, task.headers) == (
            "t", b"raw", options, "low", {"h": "v"},
        )  # fmt: skip

    def test_has_no_result_to_write(self) -> None:
        """Results belong to attempts."""
        with pytest.raises(InvalidTaskError, match="task 't' is not running"):
            Task("t").write_result_sync(b"")
        with pytest.raises(InvalidTaskError, match="task 't' is not running"):
            asyncio.run(Task("t").write_result(b""))

    def test_shows_itself_shortly(self) -> None:
        """A large payload does not flood a log."""
        assert repr(Task("t", b"x")) == "<Task 't' payload=b'x'>"
        assert len(repr(Task("t", b"x" * 10_000, task_id="abc"))) < 100
        assert "id='abc'" in repr(Task("t", task_id="abc"))


class TestRunningTask:
    """In its handler."""

    def test_tells_about_the_attempt(self, running: Task) -> None:
        """Everything that a handler may want to know, without a second object."""
        assert (running.type, running.id, running.queue) == ("t", "abc", "low")
        assert (running.retried, running.max_retry, running.headers) == (2, 5, {"h": "v"})
        assert running.deadline == datetime.fromtimestamp(1_700_000_000.5, UTC)

    def test_carries_no_options(self, running: Task) -> None:
        """As asynq: a handler that enqueues its task again chooses anew."""
        assert running.options is DEFAULTS

    def test_knows_when_to_stop(self, running: Task, attempt: AttemptByHand) -> None:
        """Plain functions look at it from time to time."""
        assert not running.cancelled
        attempt.cancelled = True
        assert running.cancelled

    def test_writes_results_like_payloads(self, running: Task, attempt: AttemptByHand) -> None:
        """Bytes, text or JSON; the answer is the number of bytes."""
        assert running.write_result_sync({"a": 1}) == 7
        assert asyncio.run(running.write_result("grün")) == 5
        assert attempt.written == [b'{"a":1}', "grün".encode()]
        with pytest.raises(InvalidTaskError):
            running.write_result_sync(object())

    def test_reads_json(self, running: Task) -> None:
        """Plain values, or a model."""

        @dataclass
        class Model:
            x: int

        assert running.json() == {"x": 1}
        assert running.load(Model) == Model(1)

    def test_raises_one_error_for_a_wrong_payload(self) -> None:
        """Not JSON, and JSON that does not fit."""
        task = Task("t", b"\xff")
        with pytest.raises(PayloadError):
            task.json()
        with pytest.raises(PayloadError):
            task.load(int)


class TestTaskInfo:
    """What is known of a stored task."""

    def test_reads_a_message(self) -> None:
        """Seconds become durations and moments."""
        message = TaskMessage(
            type="t",
            id="abc",
            queue="low",
            payload=b"raw",
            retry=5,
            retried=2,
            error_msg="boom",
            timeout=30,
            deadline=1_700_000_100,
            last_failed_at=1_700_000_000,
            retention=60,
            completed_at=1_700_000_050,
            group_key="g",
            headers={"h": "v"},
        )
        info = TaskInfo(message, TaskState.RETRY, 1_700_000_000.5, b"result", is_orphaned=True, traceback="Traceback")
        assert (info.id, info.queue, info.type, info.payload) == ("abc", "low", "t", b"raw")
        assert (info.max_retry, info.retried, info.last_error, info.group) == (5, 2, "boom", "g")
        assert (info.timeout, info.retention) == (timedelta(seconds=30), timedelta(minutes=1))
        assert info.deadline == datetime.fromtimestamp(1_700_000_100, UTC)
        assert info.last_failed_at == datetime.fromtimestamp(1_700_000_000, UTC)
        assert info.completed_at == datetime.fromtimestamp(1_700_000_050, UTC)
        assert info.next_process_at == datetime.fromtimestamp(1_700_000_000.5, UTC)
        assert (info.state, info.result, info.is_orphaned, info.traceback) == (
            TaskState.RETRY, b"result", True, "Traceback",
        )  # fmt: skip
        assert info.headers == {"h": "v"}

    def test_zero_is_never(self) -> None:
        """What has not happened is None, not 1970."""
        info = TaskInfo(TaskMessage(type="t", id="abc", queue="low"), TaskState.PENDING)
        assert info.deadline is None
        assert info.last_failed_at is None
        assert info.completed_at is None
        assert info.next_process_at is None
        assert info.result is None
        assert (info.timeout, info.retention, info.traceback) == (timedelta(0), timedelta(0), "")

    def test_shows_where_the_task_is(self) -> None:
        """Type, id, queue and state are what a log needs."""
        info = TaskInfo(TaskMessage(type="t", id="abc", queue="low"), TaskState.PENDING)
        assert repr(info) == "<TaskInfo 't' id='abc' queue='low' state=pending>"

    def test_moments_beyond_every_calendar_can_be_asked_for(self) -> None:
        """A foreign or absurd number must not make a stored task unreadable; enqueue accepts such delays."""
        message = TaskMessage(type="t", id="abc", queue="low", deadline=2**62, retention=2**62, timeout=2**62)
        info = TaskInfo(message, TaskState.SCHEDULED, 9e15)
        _ = info.deadline, info.retention, info.timeout, info.next_process_at

    def test_tells_what_lies_beside_the_message(self) -> None:
        """Crashes, progress, and since when it waits or is archived."""
        message = TaskMessage(type="t", id="abc", queue="low", unique_key="lock")
        marks = TaskMarks(
            crashes=2, pending_since=1.5, archived_at=2, progress=0.4, progress_text="on it", progress_at=3
        )
        info = TaskInfo(message, TaskState.PENDING, marks=marks)
        assert (info.crashes, info.progress, info.progress_text, info.unique_key) == (2, 0.4, "on it", "lock")
        assert info.pending_since == datetime.fromtimestamp(1.5, UTC)
        assert info.archived_at == datetime.fromtimestamp(2, UTC)
        assert info.progress_at == datetime.fromtimestamp(3, UTC)
        assert info.is_readable

    def test_has_none_of_it_when_it_is_new(self) -> None:
        """As `enqueue` returns it."""
        info = TaskInfo(TaskMessage(type="t", id="abc", queue="low"), TaskState.SCHEDULED)
        assert (info.crashes, info.progress, info.progress_text, info.unique_key) == (0, None, "", "")
        assert (info.pending_since, info.archived_at, info.progress_at) == (None, None, None)

    def test_can_be_written_as_json(self) -> None:
        """All that it tells, by name."""
        message = TaskMessage(type="t", id="abc", queue="low", payload=b"raw", timeout=30, headers={"h": "v"})
        info = TaskInfo(message, TaskState.RETRY, 1_700_000_000.5, traceback="Traceback")
        told = info.to_dict()
        assert set(told) == {name for name in dir(TaskInfo) if not name.startswith("_")} - {"to_dict"}
        read = msgspec.json.decode(msgspec.json.encode(told))
        assert (read["id"], read["payload"], read["state"], read["timeout"]) == ("abc", "cmF3", "retry", "PT30S")
        assert (read["next_process_at"], read["headers"]) == ("2023-11-14T22:13:20.500000Z", {"h": "v"})
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(told))["payload"] == b"raw"
