"""Creating tasks: in the right place, once, with their locks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from asynqpy._broker.enqueue import NewTask, Registry, enqueue, enqueue_many, prepare
from asynqpy._broker.flow import Batch, Call
from asynqpy._wire import keys
from asynqpy._wire.moments import unix_nanoseconds
from asynqpy.errors import AsynqpyError, BrokerError, ConnectionLostError, DuplicateTaskError, TaskIDConflictError
from asynqpy.options import resolve
from asynqpy.task import Task, TaskInfo, TaskState
from tests.redis.drive import Driver
from tests.redis.seed import Queue, scores
from tests.redis.snapshot import Between, Hash, Items, Members, Scores, Text, snapshot

QUEUES = {"asynq:queues": Members.of("low")}
LOCK = keys.of_queue("low").unique("t", b"x")


@pytest.fixture
def now(q: Queue) -> datetime:
    """The present moment of the server."""
    return q.today()


def new(now: datetime, task_id: str = "a", payload: object = b"x", **options: Any) -> NewTask:
    """A task of queue ``low``, as the client prepares it."""
    return prepare(
        Task("t", payload),
        resolve({"queue": "low", "task_id": task_id, **options}),  # type: ignore[typeddict-item]
        now=now.timestamp(),
        new_id=lambda: "never asked",
        max_payload_bytes=10**6,
    )


def lock_of(task_id: str, now: float, seconds: int) -> Text:
    """A lock that was taken now, as a snapshot has it."""
    return Text(task_id.encode(), Between((now + seconds - 5) * 1000, (now + seconds + 5) * 1000))


class TestPending:
    """Tasks that may run at once."""

    def test_a_task_is_stored(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """A hash, a place on the list, and the queue in the set of queues: nothing else."""
        task = new(now)
        info = run(enqueue(task, now=now, registry=Registry()))
        assert (info.id, info.queue, info.state, info.next_process_at) == ("a", "low", TaskState.PENDING, now)
        assert snapshot(redis) == {
            **QUEUES,
            q.keys.pending: Items.of("a"),
            **q.task(task.message, "pending", pending_since=b"%d" % unix_nanoseconds(now)),
        }

    def test_a_unique_task_takes_its_lock(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """The lock holds the id and ends by itself; the hash names it."""
        task = new(now, unique_for=60)
        run(enqueue(task, now=now, registry=Registry()))
        assert snapshot(redis) == {
            **QUEUES,
            LOCK: lock_of("a", q.now(), 60),
            q.keys.pending: Items.of("a"),
            **q.task(
                task.message,
                "pending",
                pending_since=b"%d" % unix_nanoseconds(now),
                unique_key=LOCK.encode(),
            ),
        }

    def test_the_newest_stands_on_the_left(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """In one call as in several: consumers take from the right."""
        run(enqueue_many([new(now, task_id) for task_id in "abc"], now=now, registry=Registry()))
        run(enqueue(new(now, "d"), now=now, registry=Registry()))
        assert snapshot(redis)[q.keys.pending] == Items.of("d", "c", "b", "a")


class TestScheduled:
    """Tasks for later."""

    def test_a_whole_second_is_a_score_and_no_more(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """What Go knows is enough; no index entry, no ``pending_since``."""
        due = math.ceil(now.timestamp()) + 100
        task = new(now, process_at=datetime.fromtimestamp(due, UTC))
        info = run(enqueue(task, now=now, registry=Registry()))
        assert info.next_process_at == datetime.fromtimestamp(due, UTC)
        assert snapshot(redis) == {
            **QUEUES,
            q.keys.scheduled: scores(a=due),
            **q.task(task.message, "scheduled"),
        }

    def test_a_finer_moment_is_kept_beside_it(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """The score is the next whole second, so that Go is not early; the index has milliseconds and an end."""
        whole = math.ceil(now.timestamp()) + 100
        task = new(now, process_at=datetime.fromtimestamp(whole + 0.25, UTC))
        run(enqueue(task, now=now, registry=Registry()))
        assert snapshot(redis) == {
            **QUEUES,
            q.keys.scheduled: scores(a=whole + 1),
            q.keys.due: Scores({"a": whole * 1000 + 250}, expires=whole * 1000 + 250 + 3_600_000),
            **q.task(task.message, "scheduled"),
        }

    @pytest.mark.parametrize("waits", [(10, 500), (500, 10)])
    def test_the_index_lives_an_hour_past_its_last_moment(
        self, run: Driver, q: Queue, now: datetime, waits: Sequence[int]
    ) -> None:
        """A nearer task does not shorten its life."""
        whole = math.ceil(now.timestamp())
        for wait in waits:
            task = new(now, str(wait), process_at=datetime.fromtimestamp(whole + wait + 0.5, UTC))
            run(enqueue(task, now=now, registry=Registry()))
        assert q.redis.pexpiretime(q.keys.due) == (whole + 500) * 1000 + 500 + 3_600_000

    def test_a_group_is_kept_for_later(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """In the hash, where forwarders look; asynq loses it. The group does not exist yet."""
        due = math.ceil(now.timestamp()) + 100
        task = new(now, process_at=datetime.fromtimestamp(due, UTC), group="g")
        info = run(enqueue(task, now=now, registry=Registry()))
        assert (info.state, info.group) == (TaskState.SCHEDULED, "g")
        assert snapshot(redis) == {
            **QUEUES,
            q.keys.scheduled: scores(a=due),
            **q.task(task.message, "scheduled", group=b"g"),
        }

    def test_the_lock_lasts_past_the_due_moment(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """Until then and as long again as asked for."""
        task = new(now, process_in=100, unique_for=60)
        run(enqueue(task, now=now, registry=Registry()))
        left = snapshot(redis)
        assert left[LOCK] == lock_of("a", q.now(), 160)
        assert isinstance(stored := left[q.keys.task("a")], Hash)
        assert stored.fields["unique_key"] == LOCK.encode()


class TestGrouped:
    """Tasks that wait to be aggregated."""

    def test_a_task_joins_its_group(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """With the moment it was added, in whole seconds; the group is listed."""
        task = new(now, group="g")
        info = run(enqueue(task, now=now, registry=Registry()))
        assert (info.state, info.next_process_at, info.group) == (TaskState.AGGREGATING, None, "g")
        assert snapshot(redis) == {
            **QUEUES,
            q.keys.group("g"): scores(a=math.floor(now.timestamp())),
            q.keys.groups: Members.of("g"),
            **q.task(task.message, "aggregating", group=b"g"),
        }

    def test_groups_share_a_call(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """Several groups in one batch."""
        run(
            enqueue_many(
                [new(now, "a", group="g"), new(now, "b", group="h"), new(now, "c", group="g")],
                now=now,
                registry=Registry(),
            )
        )
        left, added = snapshot(redis), math.floor(now.timestamp())
        assert left[q.keys.group("g")] == scores(a=added, c=added)
        assert left[q.keys.group("h")] == scores(b=added)
        assert left[q.keys.groups] == Members.of("g", "h")

    def test_a_unique_task_names_its_lock(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """In the hash too, which asynq leaves out: so deleting the task can release it."""
        task = new(now, group="g", unique_for=60)
        run(enqueue(task, now=now, registry=Registry()))
        assert snapshot(redis) == {
            **QUEUES,
            LOCK: lock_of("a", q.now(), 60),
            q.keys.group("g"): scores(a=math.floor(now.timestamp())),
            q.keys.groups: Members.of("g"),
            **q.task(task.message, "aggregating", group=b"g", unique_key=LOCK.encode()),
        }


KINDS: dict[str, dict[str, Any]] = {
    "pending": {},
    "scheduled": {"process_at": datetime(2040, 1, 1, tzinfo=UTC)},
    "scheduled finely": {"process_at": datetime(2040, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC)},
    "grouped": {"group": "g"},
}


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
class TestConflicts:
    """What stands against a new task, whatever its kind."""

    @pytest.mark.parametrize("state", ["pending", "active", "archived", "completed"])
    def test_a_taken_id_is_a_conflict(
        self, redis: Redis, run: Driver, q: Queue, now: datetime, options: dict[str, Any], state: str
    ) -> None:
        """In whatever state the other task is; nothing is written."""
        q.hash("a", state, payload=b"other")
        q.redis.sadd("asynq:queues", "low")
        before = snapshot(redis)
        with pytest.raises(TaskIDConflictError):
            run(enqueue(new(now, **options), now=now, registry=Registry()))
        assert snapshot(redis) == before

    def test_a_conflict_leaves_no_lock_behind(
        self, redis: Redis, run: Driver, q: Queue, now: datetime, options: dict[str, Any]
    ) -> None:
        """asynq takes the lock first, and then refuses every later task of this kind."""
        q.hash("a", "archived", payload=b"other")
        q.redis.sadd("asynq:queues", "low")
        before = snapshot(redis)
        with pytest.raises(TaskIDConflictError):
            run(enqueue(new(now, unique_for=60, **options), now=now, registry=Registry()))
        assert snapshot(redis) == before
        assert run(enqueue(new(now, "b", unique_for=60, **options), now=now, registry=Registry())).id == "b"

    def test_a_duplicate_is_refused(
        self, redis: Redis, run: Driver, q: Queue, now: datetime, options: dict[str, Any]
    ) -> None:
        """Whoever holds the lock, also a task that is gone; the lock keeps its holder and its life."""
        q.redis.set(LOCK, "holder", ex=1000)
        q.redis.sadd("asynq:queues", "low")
        before = snapshot(redis)
        with pytest.raises(DuplicateTaskError):
            run(enqueue(new(now, unique_for=60, **options), now=now, registry=Registry()))
        assert snapshot(redis) == before

    def test_a_duplicate_is_reported_before_a_conflict(
        self, redis: Redis, run: Driver, q: Queue, now: datetime, options: dict[str, Any]
    ) -> None:
        """As asynq, which tests the lock first."""
        q.hash("a", "pending", payload=b"other")
        q.redis.set(LOCK, "a", ex=1000)
        q.redis.sadd("asynq:queues", "low")
        before = snapshot(redis)
        with pytest.raises(DuplicateTaskError):
            run(enqueue(new(now, unique_for=60, **options), now=now, registry=Registry()))
        assert snapshot(redis) == before

    def test_a_task_without_a_lock_does_not_mind_one(
        self, run: Driver, q: Queue, now: datetime, options: dict[str, Any]
    ) -> None:
        """Only unique tasks look at it."""
        q.redis.set(LOCK, "holder", ex=1000)
        assert run(enqueue(new(now, **options), now=now, registry=Registry())).id == "a"

    @pytest.mark.parametrize(("unique", "error"), [({}, TaskIDConflictError), ({"unique_for": 60}, DuplicateTaskError)])
    def test_the_same_task_twice_is_refused(
        self,
        redis: Redis,
        run: Driver,
        now: datetime,
        options: dict[str, Any],
        unique: dict[str, Any],
        error: type[AsynqpyError],
    ) -> None:
        """Though it is the very same: only a repetition after a lost reply may find itself. Duplicates come first."""
        task = new(now, **options, **unique)
        run(enqueue(task, now=now, registry=Registry()))
        before = snapshot(redis)
        with pytest.raises(error):
            run(enqueue(task, now=now, registry=Registry()))
        after = snapshot(redis)
        assert after.keys() == before.keys()
        assert {key: value for key, value in after.items() if key != LOCK} == {
            key: value for key, value in before.items() if key != LOCK
        }

    def test_in_one_batch_the_first_wins(
        self, redis: Redis, run: Driver, q: Queue, now: datetime, options: dict[str, Any]
    ) -> None:
        """Tasks of one call meet each other as tasks of several would."""
        tasks = [
            new(now, "a", unique_for=60, **options),
            new(now, "b", unique_for=60, **options),
            new(now, "a", b"y", **options),
            new(now, "c", **options),
        ]
        results = run(enqueue_many(tasks, now=now, registry=Registry()))
        assert [type(result) for result in results] == [TaskInfo, DuplicateTaskError, TaskIDConflictError, TaskInfo]
        assert {key for key in snapshot(redis) if key.startswith(q.keys.task_prefix)} == {
            q.keys.task("a"),
            q.keys.task("c"),
        }


class LosesTheFirstReply(Driver):
    """A connection that breaks after the first batch was executed, before its replies arrive."""

    lost = False

    def _perform(self, request: Call | Batch) -> Any:
        replies = super()._perform(request)
        if self.lost:
            return replies
        self.lost = True
        return [ConnectionLostError("the connection broke") for _ in replies]


@pytest.mark.parametrize("unique", [{}, {"unique_for": 60}], ids=["", "unique"])
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
class TestLostReplies:
    """The tasks are sent again, and nobody is enqueued twice."""

    def test_a_task_that_was_stored_counts_as_created(
        self, redis: Redis, run: Driver, now: datetime, options: dict[str, Any], unique: dict[str, Any]
    ) -> None:
        """It finds itself, with its lock; the database is as after one call."""
        task = new(now, **options, **unique)
        assert LosesTheFirstReply(redis)(enqueue(task, now=now, registry=Registry())).id == "a"
        left = snapshot(redis)
        redis.flushall()
        run(enqueue(task, now=now, registry=Registry()))
        once = snapshot(redis)
        assert left.keys() == once.keys()
        assert {key: value for key, value in left.items() if key != LOCK} == {
            key: value for key, value in once.items() if key != LOCK
        }

    def test_another_task_is_still_in_the_way(
        self, redis: Redis, q: Queue, now: datetime, options: dict[str, Any], unique: dict[str, Any]
    ) -> None:
        """One with the same id and another message is no echo."""
        q.hash("a", "archived", payload=b"other")
        with pytest.raises(TaskIDConflictError):
            LosesTheFirstReply(redis)(enqueue(new(now, **options, **unique), now=now, registry=Registry()))
        assert LOCK not in snapshot(redis)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
def test_another_holder_of_the_lock_is_in_the_way_after_a_lost_reply(
    redis: Redis, q: Queue, now: datetime, options: dict[str, Any]
) -> None:
    """A task that is sent again is no less a duplicate."""
    q.redis.set(LOCK, "b")
    with pytest.raises(DuplicateTaskError):
        LosesTheFirstReply(redis)(enqueue(new(now, unique_for=60, **options), now=now, registry=Registry()))
    assert q.keys.task("a") not in snapshot(redis)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
def test_a_batch_leaves_what_single_calls_leave(
    redis: Redis, run: Driver, now: datetime, options: dict[str, Any]
) -> None:
    """Value for value, in the same order."""
    tasks = [
        new(now, "a", **options),
        new(now, "b", b"y", unique_for=60, **options),
        new(now, "a", **options),
        new(now, "c", b"y", unique_for=60, **options),
        new(now, "d", **options),
    ]
    together = run(enqueue_many(tasks, now=now, registry=Registry()))
    left = snapshot(redis)
    redis.flushall()
    singly: list[TaskInfo | AsynqpyError] = []
    for task in tasks:
        singly += run(enqueue_many([task], now=now, registry=Registry()))
    assert [repr(result) for result in together] == [repr(result) for result in singly]
    lock = keys.of_queue("low").unique("t", b"y")
    assert isinstance(first := left.pop(lock), Text)
    again = snapshot(redis)
    assert isinstance(second := again.pop(lock), Text)
    assert first.value == second.value
    assert left == again


def test_many_tasks_of_every_kind(redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
    """Two thousand and five hundred in one round trip, none lost, none twice."""
    tasks = [new(now, f"{kind}-{n}", **options) for n in range(625) for kind, options in KINDS.items()]
    results = run(enqueue_many(tasks, now=now, registry=Registry()))
    assert [result.id for result in results if isinstance(result, TaskInfo)] == [task.message.id for task in tasks]
    assert q.redis.llen(q.keys.pending) == 625
    assert q.redis.zcard(q.keys.scheduled) == 1250
    assert q.redis.zcard(q.keys.due) == 625
    assert q.redis.zcard(q.keys.group("g")) == 625
    assert q.redis.dbsize() == 2500 + 6  # queues, pending, scheduled, due, groups and the group


def test_one_broken_queue_spoils_nothing_else(redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
    """A key of the wrong type refuses its own tasks only."""
    q.redis.set(keys.of_queue("broken").pending, "no list")
    broken = prepare(
        Task("t"),
        resolve({"queue": "broken"}),
        now=now.timestamp(),
        new_id=lambda: "b",
        max_payload_bytes=1,
    )
    results = run(enqueue_many([new(now), broken], now=now, registry=Registry()))
    assert isinstance(results[0], TaskInfo)
    assert isinstance(results[1], BrokerError)
    assert snapshot(redis)[q.keys.pending] == Items.of("a")


def test_a_registered_queue_is_not_registered_again(redis: Redis, run: Driver, now: datetime) -> None:
    """Until ten seconds have passed: then it is, in case another process removed it."""
    registry = Registry()
    run(enqueue(new(now, "a"), now=now, registry=registry))
    redis.delete("asynq:queues")
    run(enqueue(new(now, "b"), now=now, registry=registry))
    assert "asynq:queues" not in snapshot(redis)
    later = datetime.fromtimestamp(now.timestamp() + 10.5, UTC)
    run(enqueue(new(now, "c"), now=later, registry=registry))
    assert snapshot(redis)["asynq:queues"] == Members.of("low")
