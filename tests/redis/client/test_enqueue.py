"""One task at a time: places, options, refusals. Everything holds for `Client` and `AsyncClient` alike."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from asynqpy import (
    DuplicateTaskError,
    InvalidTaskError,
    PayloadTooLargeError,
    Task,
    TaskIDConflictError,
    TaskState,
    WireError,
)
from asynqpy._wire import keys
from tests.servers import RedisServer

from .conftest import Connect, Face, Look

pytestmark = pytest.mark.anyio


async def test_a_task_goes_to_the_default_queue(client: Face, look: Look, server: RedisServer) -> None:
    """Defaults are asynq's: pending, 25 retries, half an hour, a fresh id; the queue becomes known."""
    before = time.time()
    info = await client.enqueue(Task("email:welcome", {"user": 42}))
    assert (info.queue, info.type, info.state) == ("default", "email:welcome", TaskState.PENDING)
    assert (info.payload, info.max_retry, info.retried) == (b'{"user":42}', 25, 0)
    assert (info.timeout, info.deadline, info.retention) == (timedelta(minutes=30), None, timedelta(0))
    assert (info.group, dict(info.headers), info.last_error, info.result) == ("", {}, "", None)
    assert info.next_process_at is not None
    assert before - 0.001 <= info.next_process_at.timestamp() <= time.time()
    assert len(info.id) == 36
    assert look.pending() == [info.id]
    message = look.message(info)
    assert (message.type, message.payload, message.id, message.queue) == (info.type, info.payload, info.id, "default")
    assert (message.retry, message.timeout, message.deadline) == (25, 1800, 0)
    fields = look.fields(info)
    assert fields["state"] == b"pending"
    assert before - 1 <= int(fields["pending_since"]) / 1e9 <= time.time() + 1
    assert look.redis.smembers(keys.QUEUES) == {b"default"}


@pytest.mark.parametrize(
    ("payload", "stored"),
    [
        (None, b""),
        (b"", b""),
        (b"\x00\xff", b"\x00\xff"),
        ("gr\u00fcn", "gr\u00fcn".encode()),
        ({"a": [1, 2.5, None, True]}, b'{"a":[1,2.5,null,true]}'),
        (42, b"42"),
        (bytearray(b"x"), b"x"),
    ],
)
async def test_payloads_are_stored_as_bytes(client: Face, look: Look, payload: object, stored: bytes) -> None:
    """Bytes stay, text becomes UTF-8, everything else JSON."""
    info = await client.enqueue(Task("t", payload))
    assert look.message(info).payload == stored


@pytest.mark.parametrize("where", ["task", "enqueue"])
@pytest.mark.parametrize(
    ("option", "field", "value"),
    [
        ({"queue": "Critical \u2603"}, "queue", "Critical \u2603"),
        ({"task_id": "my id"}, "id", "my id"),
        ({"max_retry": 3}, "retry", 3),
        ({"max_retry": -3}, "retry", 0),
        ({"timeout": 20}, "timeout", 20),
        ({"timeout": timedelta(milliseconds=500)}, "timeout", 1),
        ({"timeout": 0}, "timeout", 1800),
        ({"deadline": datetime(2040, 1, 1, tzinfo=UTC)}, "deadline", 2208988800),
        ({"deadline": datetime(2040, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))}, "deadline", 2208988800),
        ({"retention": timedelta(hours=2)}, "retention", 7200),
        ({"retention": 0.5}, "retention", 1),
        ({"retention": 0}, "retention", 0),
        ({"group": "tenant-7"}, "group_key", "tenant-7"),
        ({"headers": {"trace": "abc", "": ""}}, "headers", {"trace": "abc", "": ""}),
    ],
    ids=str,
)
async def test_every_option_reaches_the_message(
    client: Face, look: Look, where: str, option: dict[str, Any], field: str, value: object
) -> None:
    """Given to the task or to the call, it is stored in its field, and told in the info."""
    task, at_call = (Task("t", **option), {}) if where == "task" else (Task("t"), option)
    info = await client.enqueue(task, **at_call)
    stored = getattr(look.message(info), field)
    assert (dict(stored) if field == "headers" else stored) == value


@pytest.mark.parametrize(
    ("timeout", "deadline", "stored"),
    [
        (None, None, (1800, 0)),
        (20, None, (20, 0)),
        (None, datetime(2040, 1, 1, tzinfo=UTC), (0, 2208988800)),
        (20, datetime(2040, 1, 1, tzinfo=UTC), (20, 2208988800)),
        (0, None, (1800, 0)),
        (None, datetime(1970, 1, 1, tzinfo=UTC), (1800, 0)),
    ],
)
async def test_timeout_and_deadline_together(
    client: Face, look: Look, timeout: float | None, deadline: datetime | None, stored: tuple[int, int]
) -> None:
    """The table of asynq, with half seconds rounded up."""
    options: dict[str, Any] = {}
    if timeout is not None:
        options["timeout"] = timeout
    if deadline is not None:
        options["deadline"] = deadline
    message = look.message(await client.enqueue(Task("t"), **options))
    assert (message.timeout, message.deadline) == stored


@pytest.mark.parametrize(
    "option",
    [
        {"queue": ""},
        {"queue": " \t\n"},
        {"queue": None},
        {"queue": b"bytes"},
        {"queue": "\ud800"},
        {"task_id": ""},
        {"task_id": "  "},
        {"task_id": 5},
        {"task_id": "\udfff"},
        {"group": ""},
        {"group": " "},
        {"unique_for": 0.5},
        {"unique_for": 0},
        {"unique_for": -5},
        {"unique_for": "an hour"},
        {"timeout": -1},
        {"timeout": "soon"},
        {"timeout": math.nan},
        {"timeout": math.inf},
        {"timeout": True},
        {"deadline": datetime(2040, 1, 1)},  # noqa: DTZ001 - naive on purpose
        {"deadline": 2208988800},
        {"process_at": datetime(2040, 1, 1)},  # noqa: DTZ001
        {"process_at": "noon"},
        {"process_in": "a while"},
        {"process_in": math.nan},
        {"retention": -1},
        {"retention": None},
        {"max_retry": 1.5},
        {"max_retry": "many"},
        {"max_retry": True},
        {"headers": {"a": 1}},
        {"headers": {1: "a"}},
        {"headers": [("a", "b")]},
        {"headers": {"a": "\ud800"}},
        {"priority": 5},
        {"que": "low"},
    ],
    ids=str,
)
async def test_options_that_cannot_work_are_refused_before_anything_is_sent(
    client: Face, look: Look, option: dict[str, Any]
) -> None:
    """The message names the option; both on the task and at the call."""
    name = next(iter(option))
    with pytest.raises(InvalidTaskError, match=name):
        await client.enqueue(Task("t"), **option)
    with pytest.raises(InvalidTaskError, match=name):
        Task("t", **option)
    assert look.redis.dbsize() == 0


@pytest.mark.parametrize("wrong", [None, "email:welcome", {"type": "t"}, Task])
async def test_what_is_no_task_is_refused(client: Face, look: Look, wrong: Any) -> None:
    """With an error that says so."""
    with pytest.raises(InvalidTaskError, match="Task"):
        await client.enqueue(wrong)
    assert look.redis.dbsize() == 0


async def test_the_last_word_wins_and_headers_accumulate(client: Face, look: Look) -> None:
    """Options of the call win over those of the task; each header key wins by itself."""
    task = Task("t", queue="low", max_retry=1, timeout=5, headers={"a": "task", "b": "task"}, process_in=3600)
    info = await client.enqueue(
        task, queue="high", max_retry=2, headers={"b": "call", "c": "call"}, process_at=datetime.now(UTC)
    )
    message = look.message(info)
    assert (info.state, message.queue, message.retry, message.timeout) == (TaskState.PENDING, "high", 2, 5)
    assert dict(message.headers) == {"a": "task", "b": "call", "c": "call"}


async def test_the_future_schedules_and_the_past_does_not(client: Face, look: Look) -> None:
    """process_at and process_in; a moment in the past, or a negative delay, means now."""
    before = time.time()
    later = await client.enqueue(Task("t"), process_in=timedelta(hours=1))
    at = await client.enqueue(Task("t"), process_at=datetime(2040, 1, 1, tzinfo=UTC))
    now = [
        await client.enqueue(Task("t"), process_in=0),
        await client.enqueue(Task("t"), process_in=-5),
        await client.enqueue(Task("t"), process_at=datetime(2000, 1, 1, tzinfo=UTC)),
    ]
    assert [info.state for info in (later, at)] == [TaskState.SCHEDULED] * 2
    assert [info.state for info in now] == [TaskState.PENDING] * 3
    assert look.pending() == [info.id for info in now]
    scores = look.scores("scheduled")
    assert before + 3600 <= scores[later.id] <= time.time() + 3601
    assert scores[at.id] == 2208988800
    assert later.next_process_at is not None
    assert before + 3600 <= later.next_process_at.timestamp() <= time.time() + 3600.001
    assert look.fields(later)["state"] == b"scheduled"


async def test_a_scheduled_moment_is_kept_to_the_millisecond_and_never_early_for_go(client: Face, look: Look) -> None:
    """The set that Go reads has the whole second after; the exact one stands beside."""
    info = await client.enqueue(Task("t"), process_at=datetime(2040, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC))
    assert look.scores("scheduled") == {info.id: 2208988801}
    assert look.scores("py:due") == {info.id: 2208988800250}


async def test_a_group_collects_tasks(client: Face, look: Look) -> None:
    """Not pending but in the group, which becomes known; scheduled first when the moment is in the future."""
    info = await client.enqueue(Task("t"), group="g")
    assert (info.state, info.group, info.next_process_at) == (TaskState.AGGREGATING, "g", None)
    assert look.pending() == []
    assert list(look.scores("g:g")) == [info.id]
    assert look.redis.smembers(keys.of_queue("default").groups) == {b"g"}
    assert look.fields(info)["group"] == b"g"
    scheduled = await client.enqueue(Task("t"), group="g", process_in=60)
    assert (scheduled.state, scheduled.group) == (TaskState.SCHEDULED, "g")
    assert list(look.scores("g:g")) == [info.id]


async def test_a_unique_task_is_refused_twice(client: Face, look: Look) -> None:
    """Same queue, type and payload; the error says which. Another queue, type or payload is another task."""
    info = await client.enqueue(Task("t", b"p"), unique_for=100)
    with pytest.raises(DuplicateTaskError) as caught:
        await client.enqueue(Task("t", b"p"), unique_for=100)
    assert (caught.value.queue, caught.value.task_type) == ("default", "t")
    for task, options in (
        (Task("t", b"p"), {"queue": "other"}),
        (Task("other", b"p"), {}),
        (Task("t", b"other"), {}),
        (Task("t"), {}),
    ):
        await client.enqueue(task, unique_for=100, **options)
    await client.enqueue(Task("t", b"p"))  # does not ask for uniqueness
    lock = keys.of_queue("default").unique("t", b"p")
    assert look.redis.get(lock) == info.id.encode()
    assert 90 < look.redis.ttl(lock) <= 100
    assert look.message(info).unique_key == lock


async def test_no_payload_and_an_empty_one_are_different_to_uniqueness(client: Face) -> None:
    """As in asynq, though the wire cannot tell them apart."""
    await client.enqueue(Task("t"), unique_for=100)
    await client.enqueue(Task("t", b""), unique_for=100)
    with pytest.raises(DuplicateTaskError):
        await client.enqueue(Task("t", b""), unique_for=100)


async def test_a_unique_scheduled_task_holds_its_lock_until_it_is_due_and_longer(client: Face, look: Look) -> None:
    """Delay plus the option."""
    await client.enqueue(Task("t"), unique_for=100, process_in=1000)
    assert 1090 < look.redis.ttl(keys.of_queue("default").unique("t", None)) <= 1101


async def test_a_taken_id_is_a_conflict_in_whatever_state(client: Face, look: Look) -> None:
    """Pending, scheduled, grouped; in another queue it is free. A conflict leaves no lock behind."""
    for task_id, options in (("p", {}), ("s", {"process_in": 60}), ("g", {"group": "g"})):
        await client.enqueue(Task("t"), task_id=task_id, **options)
        for second in ({}, {"process_in": 60}, {"group": "g"}, {"unique_for": 60}):
            with pytest.raises(TaskIDConflictError) as caught:
                await client.enqueue(Task("t", b"other"), task_id=task_id, **second)
            assert (caught.value.queue, caught.value.task_id) == ("default", task_id)
        await client.enqueue(Task("t"), task_id=task_id, queue="other")
    assert not look.redis.exists(keys.of_queue("default").unique("t", b"other"))


async def test_a_duplicate_is_reported_before_a_conflict(client: Face) -> None:
    """As in asynq: the lock is looked at first."""
    await client.enqueue(Task("t", b"p"), unique_for=60, task_id="id")
    with pytest.raises(DuplicateTaskError):
        await client.enqueue(Task("t", b"p"), unique_for=60, task_id="id", max_retry=1)


async def test_the_same_task_enqueued_twice_with_an_id_is_a_conflict(client: Face, look: Look) -> None:
    """Even when every byte is the same: only a repeated sending counts as the same."""
    await client.enqueue(Task("t", b"p"), task_id="id")
    with pytest.raises(TaskIDConflictError):
        await client.enqueue(Task("t", b"p"), task_id="id")
    assert look.pending() == ["id"]


async def test_a_payload_over_the_limit_is_refused(connect: Connect, look: Look) -> None:
    """The error is typed and tells size, limit and what to do; the limit itself is allowed."""
    client = connect(max_payload_bytes=100)
    await client.enqueue(Task("t", b"x" * 100))
    with pytest.raises(PayloadTooLargeError, match="enqueue a reference") as caught:
        await client.enqueue(Task("t", b"x" * 101))
    assert (caught.value.size, caught.value.limit) == (101, 100)
    assert len(look.pending()) == 1


async def test_a_large_payload_goes_through(client: Face, look: Look) -> None:
    """Megabytes, in one command."""
    payload = bytes(range(256)) * (1 << 14)
    info = await client.enqueue(Task("t", payload))
    assert look.message(info).payload == payload


async def test_times_that_the_wire_cannot_carry_are_refused(client: Face, look: Look) -> None:
    """With a clear error instead of a message that a Go peer cannot read."""
    for option in ({"timeout": 2**53 - 1}, {"retention": 2**53 - 1}):
        await client.enqueue(Task("t"), **option)
    with pytest.raises((InvalidTaskError, WireError)):
        await client.enqueue(Task("t"), retention=2**70)


async def test_the_queue_is_known_again_after_somebody_removed_it(client: Face, look: Look) -> None:
    """A queue is registered anew from time to time, so that a removed one does not stay lost for ever."""
    await client.enqueue(Task("t"), queue="low")
    registry = (getattr(client, "client", client))._desk.registry
    look.redis.delete(keys.QUEUES)
    registry._registered_at["low"] -= 11
    await client.enqueue(Task("t"), queue="low")
    assert look.redis.smembers(keys.QUEUES) == {b"low"}


async def test_infos_have_a_readable_form(client: Face) -> None:
    """For logs."""
    info = await client.enqueue(Task("t"), task_id="x")
    assert repr(info) == "<TaskInfo 't' id='x' queue='default' state=pending>"
