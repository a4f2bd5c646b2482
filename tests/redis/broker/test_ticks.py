"""Ticks of periodic entries: decided once, whoever asks and how often; their history, and the list of entries."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from asynqpy import DuplicateTaskError, TaskIDConflictError, TaskInfo, TaskState
from asynqpy._broker.enqueue import NewTask, Registry, enqueue, prepare
from asynqpy._broker.ticks import (
    Begun,
    NotEnqueued,
    Tick,
    announce_entries,
    begin_entry,
    enqueue_tick,
    record_event,
    server_time,
    withdraw_entries,
)
from asynqpy._wire.records import SchedulerEnqueueEvent, SchedulerEntry
from asynqpy.options import EnqueueOptions, resolve
from asynqpy.task import Task
from tests.redis.drive import Driver
from tests.redis.seed import Queue, scores
from tests.redis.snapshot import Between, Hash, Items, Members, Scores, Text, snapshot

MARKER = "asynq:{low}:py:tick:e"
NOON = 1_767_268_800
HOUR = 3600


@pytest.fixture
def now(q: Queue) -> datetime:
    """The present moment of the server."""
    return q.today()


def a_task(now: datetime, tick: int, **options: Any) -> NewTask:
    """The task of a tick."""
    given: EnqueueOptions = {"queue": "low", **options}  # type: ignore[typeddict-item]
    resolved = resolve(given)
    return prepare(Task("t", b"x"), resolved, now=now.timestamp(), new_id=lambda: f"e:{tick}", max_payload_bytes=1000)


def a_tick(unix: int, *, by: str = "one", overlap: bool = True, own_id: bool = False) -> Tick:
    """A tick of entry ``e``, tried by a scheduler."""
    return Tick(
        entry_id="e",
        unix=unix,
        keep_seconds=600,
        overlap=overlap,
        has_own_id=own_id,
        scheduler_id=by,
    )


class Scheduler:
    """Tries ticks."""

    def __init__(self, run: Driver, now: datetime, by: str = "one") -> None:
        self._run, self._now, self._by = run, now, by
        self._registry = Registry()

    def tries(self, tick: int, *, overlap: bool = True, **options: Any) -> Any:
        """What becomes of a tick: the id of its task, or why there is none."""
        kept = a_tick(tick, by=self._by, overlap=overlap, own_id="task_id" in options)
        outcome = self._run(
            enqueue_tick(a_task(self._now, tick, **options), kept, now=self._now, registry=self._registry)
        )
        return outcome.id if isinstance(outcome, TaskInfo) else outcome


@pytest.fixture
def one(run: Driver, now: datetime) -> Scheduler:
    """A scheduler."""
    return Scheduler(run, now)


@pytest.fixture
def other(run: Driver, now: datetime) -> Scheduler:
    """Another one with the same entry."""
    return Scheduler(run, now, "other")


def marker(now: datetime, tick: int, *, task: str | None, code: int = 1, by: str = "one") -> Hash:
    """What a snapshot has for the marker."""
    fields = {"tick": b"%d" % tick, "code": b"%d" % code, "by": by.encode()}
    milliseconds = now.timestamp() * 1000
    expires = Between(milliseconds + 590_000, milliseconds + 610_000)
    return Hash(fields | ({"task": task.encode()} if task is not None else {}), expires)


def test_a_tick_enqueues_its_task(run: Driver, q: Queue, redis: Redis, now: datetime) -> None:
    """As `enqueue` would, and moves the marker, which expires."""
    new = a_task(now, NOON, unique_for=60)
    info = run(enqueue_tick(new, a_tick(NOON), now=now, registry=Registry()))
    assert isinstance(info, TaskInfo)
    assert (info.id, info.state, info.next_process_at) == (f"e:{NOON}", TaskState.PENDING, now)
    lock = q.keys.unique("t", b"x")
    fields = {"pending_since": b"%d" % (math.floor(now.timestamp() * 1e6) * 1000), "unique_key": lock.encode()}
    found = snapshot(redis)
    assert isinstance(stored := found[q.keys.task(info.id)], Hash)
    assert abs(int(stored.fields["pending_since"]) - int(fields["pending_since"])) < 10_000
    assert found == {
        "asynq:queues": Members.of("low"),
        MARKER: marker(now, NOON, task=info.id),
        q.keys.pending: Items.of(info.id),
        q.keys.task(info.id): Hash(
            {"msg": new.encoded, "state": b"pending", **fields, "pending_since": stored.fields["pending_since"]}
        ),
        lock: Text(info.id.encode(), Between(now.timestamp() * 1000 + 50_000, now.timestamp() * 1000 + 61_000)),
    }


def test_a_tick_may_be_for_later(run: Driver, q: Queue, redis: Redis, now: datetime) -> None:
    """Scheduled, to the millisecond, with its group."""
    at = now.replace(microsecond=250_000) + timedelta(hours=1)
    new = a_task(now, NOON, process_at=at, group="g")
    info = run(enqueue_tick(new, a_tick(NOON), now=now, registry=Registry()))
    assert isinstance(info, TaskInfo)
    assert (info.state, info.next_process_at) == (TaskState.SCHEDULED, at)
    found = snapshot(redis)
    assert found[q.keys.scheduled] == scores(**{info.id: math.ceil(at.timestamp())})
    assert found[q.keys.task(info.id)] == Hash({"msg": new.encoded, "state": b"scheduled", "group": b"g"})
    assert isinstance(due := found[q.keys.due], Scores)
    assert due.scores == {info.id: round(at.timestamp() * 1000)}
    assert found.keys() == {
        "asynq:queues", MARKER, q.keys.scheduled, q.keys.due, q.keys.task(info.id),
    }  # fmt: skip


def test_a_tick_may_join_a_group(run: Driver, q: Queue, redis: Redis, now: datetime) -> None:
    """The group is listed, and the task says which it is in."""
    new = a_task(now, NOON, group="g")
    info = run(enqueue_tick(new, a_tick(NOON), now=now, registry=Registry()))
    assert isinstance(info, TaskInfo)
    assert (info.state, info.next_process_at) == (TaskState.AGGREGATING, None)
    assert snapshot(redis) == {
        "asynq:queues": Members.of("low"),
        MARKER: marker(now, NOON, task=info.id),
        q.keys.groups: Members.of("g"),
        q.keys.group("g"): scores(**{info.id: math.floor(now.timestamp())}),
        q.keys.task(info.id): Hash({"msg": new.encoded, "state": b"aggregating", "group": b"g"}),
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"unique_for": 60, "retention": 60, "headers": {"a": "b"}},
        {"process_in": 60.25},
        {"process_in": 60.25, "unique_for": 60, "group": "g"},
        {"group": "g"},
        {"group": "g", "unique_for": 60},
    ],
    ids=str,
)
def test_what_a_tick_writes_is_what_enqueue_writes(
    run: Driver, redis: Redis, now: datetime, options: dict[str, Any]
) -> None:
    """Field by field, wherever the task goes; nothing else but the marker."""
    new = a_task(now, NOON, **options)
    run(enqueue(new, now=now, registry=Registry()))
    expected = snapshot(redis)
    redis.flushdb()
    run(enqueue_tick(new, a_tick(NOON), now=now, registry=Registry()))
    found = snapshot(redis)
    del found[MARKER]
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if value.expires is None:
            assert found[key] == value
        else:
            assert abs(found[key].expires - value.expires) < 10_000
            assert replace(found[key], expires=None) == replace(value, expires=None)


def test_only_the_first_scheduler_enqueues(one: Scheduler, other: Scheduler, q: Queue, redis: Redis) -> None:
    """The other hears that it is decided, also when the task was done and forgotten long ago."""
    assert one.tries(NOON) == f"e:{NOON}"
    assert other.tries(NOON) is NotEnqueued.TAKEN
    redis.delete(q.keys.pending, q.keys.task(f"e:{NOON}"))
    assert other.tries(NOON) is NotEnqueued.TAKEN
    assert other.tries(NOON - HOUR) is NotEnqueued.TAKEN
    assert redis.exists(q.keys.pending) == 0
    assert other.tries(NOON + HOUR) == f"e:{NOON + HOUR}"
    assert one.tries(NOON + HOUR) is NotEnqueued.TAKEN


def test_ticks_go_forward_only(one: Scheduler, other: Scheduler, q: Queue, redis: Redis, now: datetime) -> None:
    """Whatever the clocks say: one that is late finds its tick decided, and changes nothing."""
    assert one.tries(NOON + HOUR) == f"e:{NOON + HOUR}"
    before = snapshot(redis)
    assert other.tries(NOON) is NotEnqueued.TAKEN
    assert other.tries(NOON + HOUR) is NotEnqueued.TAKEN
    assert snapshot(redis) == before


@pytest.mark.parametrize("options", [{}, {"unique_for": 60}, {"task_id": "mine"}])
def test_asking_again_gives_the_same_answer(one: Scheduler, options: EnqueueOptions, redis: Redis, q: Queue) -> None:
    """After a lost reply nobody knows whether the tick was decided: the same scheduler hears what it was."""
    first = one.tries(NOON, **options)
    assert isinstance(first, str)
    assert one.tries(NOON, **options) == first
    assert redis.llen(q.keys.pending) == 1
    redis.delete(q.keys.pending, q.keys.task(first))
    assert one.tries(NOON, **options) == first
    assert redis.exists(q.keys.pending) == 0


def test_a_lost_marker_does_not_repeat_a_tick_whose_task_is_there(
    one: Scheduler, other: Scheduler, redis: Redis, q: Queue
) -> None:
    """The id of the task is that of the tick."""
    one.tries(NOON)
    redis.delete(MARKER)
    assert other.tries(NOON) is NotEnqueued.TAKEN
    assert redis.llen(q.keys.pending) == 1


def test_a_taken_id_is_a_conflict_and_decides_the_tick(one: Scheduler, other: Scheduler, q: Queue) -> None:
    """One that the user has chosen; the scheduler that was first hears of it, also when it asks again."""
    assert one.tries(NOON, task_id="mine") == "mine"
    conflict = one.tries(NOON + HOUR, task_id="mine")
    assert isinstance(conflict, TaskIDConflictError)
    assert (conflict.queue, conflict.task_id) == ("low", "mine")
    assert isinstance(one.tries(NOON + HOUR, task_id="mine"), TaskIDConflictError)
    assert other.tries(NOON + HOUR, task_id="mine") is NotEnqueued.TAKEN


def test_a_duplicate_is_refused_and_decides_the_tick(
    one: Scheduler, other: Scheduler, q: Queue, redis: Redis, now: datetime
) -> None:
    """While the lock of the last run is held; the marker still names the last task."""
    one.tries(NOON, unique_for=60)
    assert isinstance(one.tries(NOON + HOUR, unique_for=60), DuplicateTaskError)
    assert other.tries(NOON + HOUR, unique_for=60) is NotEnqueued.TAKEN
    assert snapshot(redis)[MARKER] == marker(now, NOON + HOUR, task=f"e:{NOON}", code=-1)
    redis.delete(q.keys.unique("t", b"x"))
    assert one.tries(NOON + 2 * HOUR, unique_for=60) == f"e:{NOON + 2 * HOUR}"


@pytest.mark.parametrize("state", ["pending", "active", "scheduled", "retry", "aggregating"])
def test_without_overlap_a_tick_is_skipped_while_the_last_run_goes_on(
    one: Scheduler, other: Scheduler, q: Queue, redis: Redis, state: str, now: datetime
) -> None:
    """Whichever scheduler enqueued it; the skipped tick is decided."""
    one.tries(NOON)
    redis.hset(q.keys.task(f"e:{NOON}"), "state", state)
    assert other.tries(NOON + HOUR, overlap=False) is NotEnqueued.RUNNING
    assert other.tries(NOON + HOUR, overlap=False) is NotEnqueued.RUNNING  # a lost reply
    assert one.tries(NOON + HOUR, overlap=False) is NotEnqueued.TAKEN
    assert snapshot(redis)[MARKER] == marker(now, NOON + HOUR, task=f"e:{NOON}", code=-4, by="other")
    assert one.tries(NOON + 2 * HOUR, overlap=False) is NotEnqueued.RUNNING
    assert redis.llen(q.keys.pending) == 1


@pytest.mark.parametrize("state", ["completed", "archived", None])
def test_without_overlap_a_tick_follows_a_run_that_has_ended(
    one: Scheduler, q: Queue, redis: Redis, state: str | None
) -> None:
    """Well, for good, or without a trace."""
    one.tries(NOON)
    key = q.keys.task(f"e:{NOON}")
    redis.hset(key, "state", state) if state else redis.delete(key)
    assert one.tries(NOON + HOUR, overlap=False) == f"e:{NOON + HOUR}"


def test_the_first_to_ask_notes_where_an_entry_begins(run: Driver, redis: Redis, one: Scheduler, q: Queue) -> None:
    """Later ones hear where it stands; whether it has fired is told, too."""

    def begin(tick: int) -> Begun:
        return run(begin_entry("low", "e", tick=tick, keep_seconds=600))

    assert begin(NOON) == Begun(NOON, has_fired=False)
    assert begin(NOON + HOUR) == Begun(NOON, has_fired=False)
    assert redis.hgetall(MARKER) == {b"tick": b"%d" % NOON}
    assert 0 < redis.ttl(MARKER) <= 600  # type: ignore[operator]
    assert one.tries(NOON) is NotEnqueued.TAKEN
    one.tries(NOON + HOUR)
    assert begin(NOON) == Begun(NOON + HOUR, has_fired=True)


def test_history_keeps_the_last_thousand(run: Driver, redis: Redis, now: datetime) -> None:
    """Each with its moment; the key lives on by itself for a while."""
    redis.zadd("asynq:scheduler_history:e", {f"old {n}": n for n in range(1200)})
    event = SchedulerEnqueueEvent(task_id="a", enqueue_time=now)
    run(record_event("e", event, keep_seconds=600))
    history: Any = redis.zrange("asynq:scheduler_history:e", 0, -1, withscores=True)
    assert len(history) == 1000
    assert history[-1] == (event.encode(), math.floor(now.timestamp()))
    assert history[0] == (b"old 201", 201)
    assert 0 < redis.ttl("asynq:scheduler_history:e") <= 600  # type: ignore[operator]
    assert SchedulerEnqueueEvent.decode(history[-1][0]) == event


def test_entries_are_announced_and_withdrawn(run: Driver, redis: Redis, now: datetime) -> None:
    """The last one first, as asynq does, for so many whole seconds; year 1 stands for never."""
    entries = [
        SchedulerEntry(id=name, spec="@hourly", task_type="t", next_enqueue_time=datetime(2030, 1, 1, tzinfo=UTC))
        for name in ("first", "second")
    ]
    key = "asynq:schedulers:{h:1:sid}"
    for announced in (entries, entries[:1], []):
        run(announce_entries("h:1:sid", announced, ttl_seconds=20, now=now))
        stored: Any = redis.lrange(key, 0, -1)
        assert [SchedulerEntry.decode(data) for data in stored] == announced[::-1]
        assert redis.zrange("asynq:schedulers", 0, -1, withscores=True) == [
            (key.encode(), math.floor(now.timestamp()) + 20)
        ]
        assert not announced or 0 < redis.ttl(key) <= 20  # type: ignore[operator]
    run(announce_entries("h:1:sid", entries, ttl_seconds=20, now=now))
    run(withdraw_entries("h:1:sid"))
    assert snapshot(redis) == {}


def test_redis_tells_the_time(run: Driver, q: Queue) -> None:
    """To the microsecond, in UTC."""
    before = q.now()
    told = run(server_time())
    assert before <= told.timestamp() <= q.now()
    assert told.tzinfo is UTC
