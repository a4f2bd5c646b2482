"""Inspectors change payloads and enqueue tasks again."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from redis import Redis

from asynqpy._broker.enqueue import Registry
from asynqpy._broker.inspect import edit
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage
from asynqpy.errors import (
    BrokerError,
    DuplicateTaskError,
    InvalidTaskError,
    PayloadChangedError,
    QueueNotFoundError,
    TaskNotFoundError,
    TaskStateError,
    WireError,
)
from asynqpy.task import TaskInfo, TaskState
from tests.redis.drive import Driver
from tests.redis.inspected import SINCE, Inspected
from tests.redis.snapshot import Members, snapshot

Q = keys.of_queue("low")
OLD, NEW = Q.unique("t", b"old"), Q.unique("t", b'{"x":1}')
CHANGEABLE = ["pending", "scheduled", "retry", "archived", "aggregating"]


@pytest.fixture
def low(redis: Redis) -> Inspected:
    """The queue ``low``, listed."""
    return Inspected(redis)


@pytest.fixture
def now(low: Inspected) -> datetime:
    """The present moment of the server."""
    return low.today()


def message_of(low: Inspected, task_id: str = "a") -> TaskMessage:
    return TaskMessage.decode(low.redis.hget(Q.task(task_id), "msg"))


@pytest.mark.parametrize("state", CHANGEABLE)
class TestUpdate:
    """A task that waits gets another payload."""

    def test_changes_nothing_else(self, run: Driver, low: Inspected, state: str) -> None:
        """Not the rest of its message, nor its place."""
        rich = {"headers": {"h": "v"}, "error_msg": "boom", "retried": 2, "deadline": 7, "retention": 60}
        before = low.bring(state, "a", {"py:traceback": "where"}, payload=b"old", **rich)
        snap = low.snapshot()
        run(edit.update_payload("low", "a", {"x": 1}))
        after = low.snapshot()
        assert message_of(low) == msgspec.structs.replace(before, payload=b'{"x":1}')
        assert {k: v for k, v in after.items() if k != Q.task("a")} == {
            k: v for k, v in snap.items() if k != Q.task("a")
        }
        assert low.redis.hget(Q.task("a"), "state") == state.encode()
        assert not low.redis.hexists(Q.task("a"), "unique_key")

    def test_moves_its_lock(self, run: Driver, low: Inspected, state: str) -> None:
        """To the new payload; it ends when it would have ended."""
        low.bring(state, "a", {"unique_key": OLD}, payload=b"old", unique_key=OLD)
        low.redis.set(OLD, "a", px=100_000)
        ends = low.redis.pexpiretime(OLD)
        run(edit.update_payload("low", "a", {"x": 1}))
        assert not low.redis.exists(OLD)
        assert low.redis.get(NEW) == b"a"
        assert abs(low.redis.pexpiretime(NEW) - ends) <= 20
        assert low.redis.hget(Q.task("a"), "unique_key") == NEW.encode()
        assert message_of(low).unique_key == NEW

    def test_is_refused_when_the_new_lock_is_held(self, run: Driver, low: Inspected, state: str) -> None:
        """Then there is a task like that already; nothing is changed."""
        low.bring(state, "a", {"unique_key": OLD}, payload=b"old", unique_key=OLD)
        low.redis.set(OLD, "a", ex=100)
        low.redis.set(NEW, "another", ex=100)
        before = low.snapshot()
        with pytest.raises(DuplicateTaskError):
            run(edit.update_payload("low", "a", {"x": 1}))
        assert low.snapshot() == before


@pytest.mark.parametrize("holder", [None, "another"])
def test_a_lock_that_is_over_is_not_taken_again(run: Driver, low: Inspected, holder: str | None) -> None:
    """The task is no longer protected; but its message and its hash name the same key."""
    low.bring("retry", "a", {"unique_key": OLD}, payload=b"old", unique_key=OLD)
    if holder:
        low.redis.set(OLD, holder)
    run(edit.update_payload("low", "a", {"x": 1}))
    assert low.redis.get(OLD) == (holder.encode() if holder else None)
    assert not low.redis.exists(NEW)
    assert low.redis.hget(Q.task("a"), "unique_key") == message_of(low).unique_key.encode() == NEW.encode()


def test_the_same_payload_again(run: Driver, low: Inspected) -> None:
    """Is no duplicate of itself."""
    low.bring("retry", "a", {"unique_key": NEW}, payload=b'{"x":1}', unique_key=NEW)
    low.redis.set(NEW, "a", ex=100)
    run(edit.update_payload("low", "a", {"x": 1}))
    assert low.redis.get(NEW) == b"a"


def test_no_payload(run: Driver, low: Inspected) -> None:
    """None is none, which has a lock key of its own."""
    low.bring("retry", "a", {"unique_key": OLD}, payload=b"old", unique_key=OLD)
    low.redis.set(OLD, "a")
    run(edit.update_payload("low", "a", None))
    assert message_of(low).payload == b""
    assert low.redis.get(Q.unique("t", None)) == b"a"
    assert low.redis.ttl(Q.unique("t", None)) == -1


@pytest.mark.parametrize("state", ["active", "completed"])
def test_other_states_are_refused(run: Driver, low: Inspected, state: str) -> None:
    """It runs, or it has run."""
    low.bring(state, "a", payload=b"old")
    before = low.snapshot()
    with pytest.raises(TaskStateError) as refused:
        run(edit.update_payload("low", "a", b"new"))
    assert refused.value.state == state
    assert low.snapshot() == before


def test_a_task_in_an_aggregation_set_is_refused(run: Driver, low: Inspected) -> None:
    """It was read already, perhaps."""
    low.taken_out("a")
    with pytest.raises(TaskStateError, match="aggregated"):
        run(edit.update_payload("low", "a", b"new"))


def test_changes_of_others_are_kept(run: Driver, low: Inspected) -> None:
    """A task that fails between reading and writing keeps its error, and gets the payload all the same."""
    low.bring("retry", "a", payload=b"old")
    flow = edit.update_payload("low", "a", b"new")
    run(reading_twice(flow, lambda: low.hash("a", "retry", payload=b"old", error_msg="boom", retried=1)))
    assert (message_of(low).payload, message_of(low).error_msg, message_of(low).retried) == (b"new", "boom", 1)


def reading_twice(flow: Any, meanwhile: Any) -> Any:
    """*flow*, with something that happens after its first look at the message."""
    request, done = next(flow), False
    try:
        while True:
            reply = yield request
            if request.words[0] == "HGET" and not done:
                done = True
                meanwhile()
            request = flow.send(reply)
    except StopIteration as finished:
        return finished.value


def test_others_that_never_stop_changing_it(run: Driver, low: Inspected) -> None:
    """Are not raced for ever."""
    low.bring("retry", "a", payload=b"old")
    count = 0

    def always(flow: Any) -> Any:
        nonlocal count
        request = next(flow)
        while True:
            reply = yield request
            if request.words[0] == "HGET":
                count += 1
                low.hash("a", "retry", payload=b"old", retried=count)
            request = flow.send(reply)

    with pytest.raises(BrokerError, match="changed by others"):
        run(always(edit.update_payload("low", "a", b"new")))
    assert count == edit.ATTEMPTS


def test_updating_what_is_not_there(run: Driver, low: Inspected) -> None:
    """Each has an error of its own."""
    with pytest.raises(TaskNotFoundError):
        run(edit.update_payload("low", "a", b"new"))
    with pytest.raises(QueueNotFoundError):
        run(edit.update_payload("none", "a", b"new"))
    with pytest.raises(InvalidTaskError):
        next(edit.update_payload("low", "a", object()))
    low.bring("retry", "a")
    low.redis.hset(Q.task("a"), "msg", b"\xff\xff")
    with pytest.raises(WireError):
        run(edit.update_payload("low", "a", b"new"))


class TestAgain:
    """A task that is over is enqueued once more."""

    def again(self, run: Driver, now: datetime, *args: Any, to_queue: str | None = None) -> TaskInfo:
        payload = args[0] if args else None
        flow = edit.enqueue_again("low", "a", payload, to_queue, now=now, new_id=lambda: "copy", registry=Registry())
        info: TaskInfo = run(flow)
        return info

    @pytest.mark.parametrize("state", ["completed", "archived"])
    def test_as_a_copy(self, run: Driver, low: Inspected, now: datetime, state: str) -> None:
        """With its options, but without its past; the task itself stays as it is."""
        kept = {"payload": b"p", "headers": {"h": "v"}, "retry": 3, "timeout": 7, "retention": 60}
        past = {"error_msg": "boom", "retried": 2, "last_failed_at": 5, "completed_at": 6, "unique_key": OLD}
        low.bring(state, "a", {"result": "r", "py:crashes": 1}, **kept, **past)
        before = low.snapshot()
        info = self.again(run, now)
        assert (info.id, info.queue, info.state, info.payload) == ("copy", "low", TaskState.PENDING, b"p")
        after = low.snapshot()
        assert {key: after[key] for key in before} == before
        assert message_of(low, "copy") == low.message("copy", **kept)
        assert low.redis.lrange(Q.pending, 0, -1) == [b"copy"]
        low.check()

    def test_with_another_payload_in_another_queue(
        self, run: Driver, redis: Redis, low: Inspected, now: datetime
    ) -> None:
        """Which is listed then."""
        low.bring("archived", "a", payload=b"p")
        info = self.again(run, now, {"x": 1}, to_queue="high")
        assert (info.queue, info.payload) == ("high", b'{"x":1}')
        assert snapshot(redis)[keys.QUEUES] == Members.of("low", "high")

    def test_in_its_group(self, run: Driver, low: Inspected, now: datetime) -> None:
        """It was to be aggregated, and so is its copy."""
        low.bring("archived", "a", group_key="g")
        assert self.again(run, now).state is TaskState.AGGREGATING
        assert low.redis.smembers(Q.groups) == {b"g"}
        low.check()

    @pytest.mark.parametrize(("deadline_in", "kept", "timeout"), [(-60, False, 1800), (3600, True, 0)])
    def test_with_a_deadline_that_is_still_to_come(
        self, run: Driver, low: Inspected, now: datetime, deadline_in: int, kept: bool, timeout: int
    ) -> None:
        """One that has passed would end it at once; without any, it gets the ordinary timeout."""
        deadline = int(now.timestamp()) + deadline_in
        low.bring("archived", "a", deadline=deadline, timeout=0)
        self.again(run, now)
        copy = message_of(low, "copy")
        assert (copy.deadline, copy.timeout) == (deadline if kept else 0, timeout)

    @pytest.mark.parametrize("state", ["pending", "active", "scheduled", "retry", "aggregating"])
    def test_not_before_it_is_over(self, run: Driver, low: Inspected, now: datetime, state: str) -> None:
        """It will run anyway."""
        low.bring(state, "a")
        before = low.snapshot()
        with pytest.raises(TaskStateError):
            self.again(run, now)
        assert low.snapshot() == before

    def test_not_what_is_not_there(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Each has an error of its own."""
        with pytest.raises(TaskNotFoundError):
            self.again(run, now)
        with pytest.raises(InvalidTaskError):
            self.again(run, now, to_queue=" ")
        low.redis.delete(keys.QUEUES)
        with pytest.raises(QueueNotFoundError):
            self.again(run, now)
        assert low.snapshot() == {}


class TestReschedule:
    """Tasks wait for another moment."""

    @pytest.mark.parametrize("state", ["scheduled", "retry"])
    @pytest.mark.parametrize(("seconds", "index"), [(60.0, None), (60.5, 60_500)])
    def test_moves_to_the_moment(
        self, run: Driver, low: Inspected, now: datetime, state: str, seconds: float, index: int | None
    ) -> None:
        """In whole seconds for Go, exactly in the index; nothing else changes."""
        low.bring(state, "a", {"py:traceback": "where"}, payload=b"p")
        low.redis.zadd(low.keys.due, {"a": SINCE * 1000 - 1})
        before = low.redis.hgetall(Q.task("a"))
        moment = now.replace(microsecond=0)
        run(edit.reschedule_task("low", "a", None, seconds, now=moment))
        assert low.redis.zscore(Q.prefix + state, "a") == math.ceil(moment.timestamp() + seconds)
        due = low.redis.zscore(Q.due, "a")
        assert due == (None if index is None else moment.timestamp() * 1000 + index)
        assert low.redis.hgetall(Q.task("a")) == before

    def test_a_moment_that_has_passed_is_now(self, run: Driver, low: Inspected, now: datetime) -> None:
        """The next look finds it due."""
        low.bring("scheduled", "a")
        run(edit.reschedule_task("low", "a", now - timedelta(days=1), None, now=now))
        assert low.redis.zscore(Q.scheduled, "a") <= now.timestamp()

    @pytest.mark.parametrize("state", ["pending", "active", "archived", "completed", "aggregating"])
    def test_other_states_are_refused(self, run: Driver, low: Inspected, now: datetime, state: str) -> None:
        """They wait for no moment."""
        low.bring(state, "a")
        before = low.snapshot()
        with pytest.raises(TaskStateError, match="only scheduled tasks, and those to be retried"):
            run(edit.reschedule_task("low", "a", None, 5, now=now))
        assert low.snapshot() == before

    def test_a_task_that_is_not_where_it_says(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Is not put there."""
        low.hash("a", "scheduled")
        with pytest.raises(TaskStateError, match="recover_orphans"):
            run(edit.reschedule_task("low", "a", None, 5, now=now))
        with pytest.raises(TaskNotFoundError):
            run(edit.reschedule_task("low", "b", None, 5, now=now))

    def test_one_moment_is_needed(self, run: Driver, now: datetime) -> None:
        """Not two, not none, and one with a time zone."""
        for moment, span in ((None, None), (now, 5), (now.replace(tzinfo=None), None), (None, "x")):
            with pytest.raises(InvalidTaskError):
                run(edit.reschedule_task("low", "a", moment, span, now=now))  # type: ignore[arg-type]


def test_a_payload_that_is_not_the_expected_one_stays(run: Driver, low: Inspected) -> None:
    """Somebody else has changed it."""
    low.bring("pending", "a", payload=b"theirs")
    before = low.snapshot()
    with pytest.raises(PayloadChangedError):
        run(edit.update_payload("low", "a", b"ours", b"read"))
    assert low.snapshot() == before
    run(edit.update_payload("low", "a", b"ours", b"theirs"))
    assert message_of(low).payload == b"ours"
