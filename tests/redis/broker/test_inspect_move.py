"""Inspectors run, archive and delete tasks: every key that is left."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from asynqpy._broker import scripts
from asynqpy._broker.finish import ARCHIVE_LIMIT, ARCHIVE_SECONDS
from asynqpy._broker.inspect import move
from asynqpy._broker.inspect.places import Place
from asynqpy._wire import keys
from asynqpy._wire.moments import unix_nanoseconds
from asynqpy._wire.records import TaskMessage
from asynqpy.errors import QueueNotFoundError, TaskNotFoundError, TaskStateError
from asynqpy.task import TaskState
from tests.redis.drive import Driver
from tests.redis.inspected import SINCE, WAITING, Inspected
from tests.redis.seed import scores
from tests.redis.snapshot import Items, Members, Scores, Text

LOCK = keys.of_queue("low").unique("t", b"")


@pytest.fixture
def low(redis: Redis) -> Inspected:
    """The queue ``low``, listed."""
    return Inspected(redis)


@pytest.fixture
def now(low: Inspected) -> datetime:
    """The present moment of the server."""
    return low.today()


def seconds(now: datetime) -> int:
    return math.floor(now.timestamp())


def since(now: datetime) -> bytes:
    return b"%d" % unix_nanoseconds(now)


def place(state: str, group: str = "") -> Place:
    return Place("low", TaskState(state), group)


@pytest.mark.parametrize("state", ["scheduled", "retry", "archived", "completed", "aggregating"])
class TestRunOne:
    """A task that waits becomes pending."""

    def test_leaves_nothing_where_it_was(self, run: Driver, low: Inspected, now: datetime, state: str) -> None:
        """Its id is in `pending` alone, behind what is there, and its exact moment is forgotten."""
        low.pending("first")
        message = low.bring(state, "a")
        low.redis.zadd(low.keys.due, {"a": SINCE * 1000 - 1})
        run(move.run_task("low", "a", now=now))
        group = {"group": b"g"} if state == "aggregating" else {}
        assert low.snapshot() == {
            low.keys.pending: Items.of("a", "first"),
            **low.task_hash(low.message("first"), "pending", pending_since=b"%d" % (SINCE * 10**9)),
            **low.task_hash(message, "pending", pending_since=since(now), **group),
        }

    def test_leaves_others_alone(self, run: Driver, low: Inspected, now: datetime, state: str) -> None:
        """Another one of the same state stays, and so does its group."""
        low.bring(state, "a")
        low.bring(state, "b")
        before = low.snapshot()
        run(move.run_task("low", "a", now=now))
        after = low.snapshot()
        key = low.keys.group("g") if state == "aggregating" else low.keys.prefix + state
        assert after[key] == scores(b=SINCE)
        assert after[low.keys.task("b")] == before[low.keys.task("b")]
        assert after.get(low.keys.groups) == before.get(low.keys.groups)


class TestRefusals:
    """What the state of a task does not allow changes nothing."""

    @pytest.mark.parametrize(
        ("action", "state"),
        [("run", "active"), ("run", "pending"), ("archive", "active"), ("archive", "archived"), ("delete", "active")],
    )
    def test_by_state(self, run: Driver, low: Inspected, now: datetime, action: str, state: str) -> None:
        """The error names the state, and a remedy."""
        low.bring(state, "a")
        before = low.snapshot()
        with pytest.raises(TaskStateError) as refused:
            run(flow(action, now))
        assert (refused.value.queue, refused.value.task_id, refused.value.state) == ("low", "a", state)
        assert refused.value.remedy
        assert low.snapshot() == before

    @pytest.mark.parametrize("action", ["run", "archive", "delete"])
    def test_while_it_is_aggregated(self, run: Driver, low: Inspected, now: datetime, action: str) -> None:
        """A task in an aggregation set is about to be replaced."""
        low.taken_out("a")
        before = low.snapshot()
        with pytest.raises(TaskStateError, match="being aggregated"):
            run(flow(action, now))
        assert low.snapshot() == before

    @pytest.mark.parametrize("action", ["run", "archive", "delete"])
    def test_where_nothing_holds_it(self, run: Driver, low: Inspected, now: datetime, action: str) -> None:
        """What is broken is mended elsewhere."""
        low.hash("a", "retry")
        before = low.snapshot()
        with pytest.raises(TaskStateError, match="recover_orphans"):
            run(flow(action, now))
        assert low.snapshot() == before

    @pytest.mark.parametrize("action", ["run", "archive", "delete"])
    def test_of_what_does_not_exist(self, run: Driver, low: Inspected, now: datetime, action: str) -> None:
        """Neither a task, nor a hash without one, nor a queue."""
        low.redis.hset(low.keys.task("ghost"), "result", "left over")
        low.redis.zadd(low.keys.scheduled, {"ghost": SINCE, "a": SINCE})
        before = low.snapshot()
        for task_id in ("a", "ghost"):
            with pytest.raises(TaskNotFoundError):
                run(flow(action, now, task_id))
        low.redis.delete(keys.QUEUES)
        with pytest.raises(QueueNotFoundError):
            run(flow(action, now))
        assert low.snapshot() == before


def flow(action: str, now: datetime, task_id: str = "a") -> Any:
    """The flow of a verb."""
    if action == "delete":
        return move.delete_task("low", task_id)
    return {"run": move.run_task, "archive": move.archive_task}[action]("low", task_id, now=now)


@pytest.mark.parametrize("state", ["pending", "scheduled", "retry", "completed", "aggregating"])
class TestArchiveOne:
    """A task that waits is archived."""

    def test_leaves_nothing_where_it_was(self, run: Driver, low: Inspected, now: datetime, state: str) -> None:
        """Its message stays as it is, and nothing is counted."""
        message = low.bring(state, "a", {"py:traceback": "where"})
        low.redis.zadd(low.keys.due, {"a": SINCE * 1000 - 1})
        run(move.archive_task("low", "a", now=now))
        group = {"group": b"g"} if state == "aggregating" else {}
        assert low.snapshot() == {
            low.keys.archived: scores(a=seconds(now)),
            **low.task_hash(message, "archived", **{"py:traceback": b"where"}, **group),
        }


def test_archiving_bounds_the_archive(run: Driver, low: Inspected, now: datetime) -> None:
    """What is too old goes with its hash and its lock; asynq leaves the hash, which blocks its id for ever."""
    low.archived("old", seconds(now) - ARCHIVE_SECONDS, {"unique_key": LOCK})
    low.redis.set(LOCK, "old")
    message = low.bring("retry", "a")
    run(move.archive_task("low", "a", now=now))
    assert low.snapshot() == {low.keys.archived: scores(a=seconds(now)), **low.task_hash(message, "archived")}


@pytest.mark.parametrize("state", WAITING)
class TestDeleteOne:
    """A task that does not run is deleted."""

    @pytest.mark.parametrize("holder", ["a", "another", None])
    def test_leaves_nothing(self, run: Driver, low: Inspected, state: str, holder: str | None) -> None:
        """Its lock goes with it, unless somebody else holds that by now."""
        low.bring(state, "a", {"unique_key": LOCK, "result": "r"}, unique_key=LOCK)
        low.redis.zadd(low.keys.due, {"a": SINCE * 1000 - 1})
        if holder:
            low.redis.set(LOCK, holder)
        run(move.delete_task("low", "a"))
        assert low.snapshot() == ({LOCK: Text(b"another")} if holder == "another" else {})


class TestLocksOfGo:
    """Go writes the lock of a grouped task into its message alone."""

    @pytest.mark.parametrize("how", ["one", "all"])
    def test_are_released(self, run: Driver, low: Inspected, how: str) -> None:
        """The message is read for it, whatever else is in it."""
        rich = {"payload": b"x" * 300, "headers": {"a": "b"}, "error_msg": "é", "retention": 2**40, "deadline": 1}
        low.grouped("a", unique_key=LOCK, **rich)
        low.redis.set(LOCK, "a")
        run(move.delete_task("low", "a") if how == "one" else move.delete_all(place("aggregating", "g")))
        assert low.snapshot() == {}

    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        unique_key=st.text(max_size=200),
        payload=st.binary(max_size=300),
        error=st.text(),
        numbers=st.integers(0, 2**62),
        headers=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    )
    def test_are_found_in_any_message(
        self, redis: Redis, unique_key: str, payload: bytes, error: str, numbers: int, headers: dict[str, str]
    ) -> None:
        """The Lua that reads a message agrees with protobuf, whatever else is in the message."""
        message = TaskMessage(
            type="t", id="a", queue="q", payload=payload, error_msg=error, deadline=numbers, timeout=-numbers,
            retention=numbers, unique_key=unique_key, headers=headers,
        ).encode()  # fmt: skip
        source = f"{scripts.read('message_text')}\nreturn message_text(ARGV[1], UNIQUE_KEY) or ''"
        assert redis.eval(source, 0, message) == unique_key.encode()
        for end in range(0, len(message), 7):
            redis.eval(source, 0, message[:end])  # cut short: no error

    def test_of_other_queues_are_never_touched(self, run: Driver, low: Inspected) -> None:
        """A cluster would refuse to: they are elsewhere."""
        foreign = keys.of_queue("other").unique("t", b"")
        low.bring("retry", "a", {"unique_key": foreign})
        low.redis.set(foreign, "a")
        run(move.delete_task("low", "a"))
        assert low.snapshot() == {foreign: Text(b"a")}

    def test_of_unreadable_messages_are_kept(self, run: Driver, low: Inspected) -> None:
        """They end by themselves."""
        low.grouped("a")
        low.redis.hset(low.keys.task("a"), "msg", b"\xff\xff\xff\xff\xff\xff")
        low.redis.set(LOCK, "a")
        run(move.delete_all(place("aggregating", "g")))
        assert low.snapshot() == {LOCK: Text(b"a")}


class TestAll:
    """All tasks of a state, some hundred at a time."""

    @pytest.mark.parametrize("state", ["scheduled", "retry", "archived", "completed", "aggregating"])
    def test_run(self, run: Driver, low: Inspected, now: datetime, state: str) -> None:
        """Those with the lowest scores run first; progress is told after each batch."""
        ids = low.many(state, 1000)
        told: list[tuple[int, int]] = []
        target = place(state, "g" if state == "aggregating" else "")
        assert run(move.run_all(target, now=now, on_progress=lambda *now_and_all: told.append(now_and_all))) == 1000
        assert [task_id.decode() for task_id in reversed(low.redis.lrange(low.keys.pending, 0, -1))] == ids
        assert told == [(done, 1000) for done in range(200, 1001, 200)]
        assert low.redis.hget(low.keys.task(ids[7]), "pending_since") == since(now)
        assert set(low.snapshot()) == {low.keys.pending, *(low.keys.task(task_id) for task_id in ids)}
        low.check()

    @pytest.mark.parametrize("state", ["pending", "scheduled", "retry", "completed", "aggregating"])
    def test_archive(self, run: Driver, low: Inspected, now: datetime, state: str) -> None:
        """All get the present moment as their score."""
        ids = low.many(state, 1000)
        assert run(move.archive_all(place(state, "g" if state == "aggregating" else ""), now=now)) == 1000
        left = low.snapshot()
        assert left.pop(low.keys.archived) == Scores(dict.fromkeys(ids, seconds(now)))
        assert set(left) == {low.keys.task(task_id) for task_id in ids}
        low.check()

    @pytest.mark.parametrize("state", WAITING)
    def test_delete(self, run: Driver, low: Inspected, state: str) -> None:
        """Nothing is left, not even of a task in it that has a lock."""
        low.many(state, 1000)
        low.bring(state, "u", {"unique_key": LOCK})
        low.redis.set(LOCK, "u")
        assert run(move.delete_all(place(state, "g" if state == "aggregating" else ""))) == 1001
        assert low.snapshot() == {}

    @pytest.mark.parametrize("action", [move.run_all, move.archive_all])
    def test_ids_without_a_task_are_dropped(self, run: Driver, low: Inspected, now: datetime, action: Any) -> None:
        """They are not counted, and nothing rises from them."""
        low.redis.zadd(low.keys.scheduled, {"ghost": SINCE, "empty": SINCE})
        low.redis.hset(low.keys.task("empty"), "result", "r")
        low.bring("scheduled", "a")
        assert run(action(place("scheduled"), now=now)) == 1
        assert {key for key in low.snapshot() if key.startswith(low.keys.task_prefix)} == {low.keys.task("a")}
        low.check()

    def test_other_groups_stay(self, run: Driver, low: Inspected, now: datetime) -> None:
        """And stay listed."""
        low.grouped("a", "g")
        low.grouped("b", "h")
        assert run(move.run_all(place("aggregating", "g"), now=now)) == 1
        assert low.snapshot()[low.keys.groups] == Members.of("h")
        low.check()

    def test_nothing_to_do(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Is done at once; nothing is told."""
        told: list[Any] = []
        for state in ("scheduled", "archived"):
            assert run(move.run_all(place(state), now=now, on_progress=lambda *args: told.append(args))) == 0
        assert run(move.archive_all(place("pending"), now=now)) == 0
        assert run(move.delete_all(place("aggregating", "none"))) == 0
        assert (low.snapshot(), told) == ({}, [])

    def test_missing_queues(self, run: Driver, now: datetime) -> None:
        """Are told from empty ones."""
        nowhere = Place("none", TaskState.SCHEDULED)
        for each in (move.run_all(nowhere, now=now), move.archive_all(nowhere, now=now), move.delete_all(nowhere)):
            with pytest.raises(QueueNotFoundError):
                run(each)

    def test_a_callback_can_end_it(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Between two batches; what was moved stays moved."""
        low.many("retry", 1000)

        def enough(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(move.run_all(place("retry"), now=now, on_progress=enough))
        assert (low.redis.llen(low.keys.pending), low.redis.zcard(low.keys.retry)) == (200, 800)
        low.check()

    def test_what_is_enqueued_meanwhile_is_spared(self, run: Driver, low: Inspected) -> None:
        """From a list no more are deleted than were there, from its other end."""
        low.many("pending", 900)

        def enqueue(done: int, total: int) -> None:
            low.many("pending", 100, prefix=f"new-{done}")

        assert run(move.delete_all(place("pending"), on_progress=enqueue)) == 900
        assert low.redis.llen(low.keys.pending) == 500
        low.check()

    def test_what_fails_again_meanwhile_is_not_run_again(self, run: Driver, low: Inspected, now: datetime) -> None:
        """A task that comes back behind the place where the run has got to stays there."""
        low.many("retry", 900)

        def fail(done: int, total: int) -> None:
            task_id = low.redis.rpop(low.keys.pending).decode()
            low.hash(task_id, "retry")
            low.redis.zadd(low.keys.retry, {task_id: SINCE})
            low.redis.zadd(low.keys.retry, {"far": SINCE + 10**6})
            low.hash("far", "retry")

        assert run(move.run_all(place("retry"), now=now, on_progress=fail)) == 900
        assert {task_id.decode() for task_id in low.redis.zrange(low.keys.retry, 0, -1)} == {
            "far", *(f"t-0000{n}" for n in range(5)),
        }  # fmt: skip
        low.check()

    def test_the_archive_keeps_its_bounds(self, run: Driver, low: Inspected, now: datetime) -> None:
        """The oldest go, with their hashes."""
        low.many("pending", ARCHIVE_LIMIT + 500)
        assert run(move.archive_all(place("pending"), now=now)) == ARCHIVE_LIMIT + 500
        assert low.redis.zcard(low.keys.archived) == ARCHIVE_LIMIT
        low.check()
