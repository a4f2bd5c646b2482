"""Tasks go from one queue to another: what is left in both, also when something comes in between."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from redis import Redis

from asynqpy._broker.enqueue import Registry
from asynqpy._broker.inspect import move, tasks
from asynqpy._broker.inspect.places import STATES_MOVED, Place
from asynqpy._broker.inspect.transfer import BATCH, move_all, move_task
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage
from asynqpy.actions import Action, states_of
from asynqpy.errors import (
    BrokerError,
    DuplicateTaskError,
    QueryError,
    QueueNotFoundError,
    TaskIDConflictError,
    TaskNotFoundError,
    TaskStateError,
)
from asynqpy.inspection import MoveReport
from asynqpy.task import TaskState
from tests.redis.drive import Driver
from tests.redis.inspected import SINCE, Inspected
from tests.redis.interleave import between

MOVED = [state.value for state in STATES_MOVED]


@pytest.fixture
def low(redis: Redis) -> Inspected:
    """The queue that tasks go away from."""
    return Inspected(redis)


@pytest.fixture
def high(redis: Redis) -> Inspected:
    """The queue that they go to, which nobody has used."""
    return Inspected(redis, "high")


@pytest.fixture
def now(low: Inspected) -> datetime:
    """The present moment of the server."""
    return low.today()


def place(state: str, queue: str = "low") -> Place:
    return Place(queue, TaskState(state), "g" if state == "aggregating" else "")


def everything(now: datetime, state: str, **more: Any) -> Any:
    """The flow that moves all of a state from low to high."""
    return move_all(place(state), "high", now=now, registry=Registry(), **more)


def one(now: datetime, task_id: str) -> Any:
    """The flow that moves one task."""
    return move_task("low", task_id, "high", now=now, registry=Registry())


def ids(run: Driver, state: str, queue: str, now: datetime) -> list[str]:
    """The ids of a state in the order of a listing."""
    return [info.id for info in run(tasks.task_page(place(state, queue), 1, 1000, now=now))]


def test_the_table_of_actions_tells_the_same() -> None:
    """What is offered is what is accepted."""
    assert set(states_of(Action.MOVE, of_all=True)) == set(STATES_MOVED)


@pytest.mark.parametrize("state", MOVED)
def test_tasks_of_each_state_move_with_all_that_they_have(
    run: Driver, low: Inspected, high: Inspected, now: datetime, state: str
) -> None:
    """Order, score and fields stay; only the queue in the message is another; nothing is left behind."""
    for number in range(3):
        low.bring(state, f"t{number}", {"py:crashes": 2, "py:failed_by": b"{}"}, payload=b"x", headers={"k": "v"})
    before = ids(run, state, "low", now)
    assert run(everything(now, state)) == MoveReport(moved=3, stayed=0, tasks_stayed=())
    assert ids(run, state, "high", now) == before
    assert [key for key in high.snapshot() if "{low}" in key] == []
    high.check()
    stored = high.redis.hgetall(high.keys.task("t0"))
    group = "g" if state == "aggregating" else ""
    wanted = TaskMessage(
        type="t", id="t0", queue="high", retry=25, timeout=1800, payload=b"x", headers={"k": "v"}, group_key=group
    )
    assert TaskMessage.decode(stored[b"msg"]) == wanted
    assert (stored[b"state"], stored[b"py:crashes"], stored[b"py:failed_by"]) == (state.encode(), b"2", b"{}")
    if state != "pending":
        key = high.keys.group("g") if state == "aggregating" else high.keys.prefix + state
        assert high.redis.zscore(key, "t0") == SINCE


def test_the_exact_moment_moves_too(run: Driver, low: Inspected, high: Inspected, now: datetime) -> None:
    """A task that is due between two seconds stays so."""
    due = low.now() + 60.25
    low.waiting("scheduled", "a", due)
    run(everything(now, "scheduled"))
    assert high.redis.zscore(high.keys.due, "a") == round(due * 1000)
    assert low.redis.exists(low.keys.due) == 0


def test_pending_tasks_keep_their_order_and_their_waiting_time(
    run: Driver, low: Inspected, high: Inspected, now: datetime
) -> None:
    """The first to run is the first to run there, and has waited as long."""
    low.pending("a", "b", "c")
    run(everything(now, "pending"))
    assert ids(run, "pending", "high", now) == ["a", "b", "c"]
    assert high.redis.hget(high.keys.task("a"), "pending_since") == b"1700000000000000000"


def test_a_lock_moves_and_ends_when_it_would_have_ended(
    run: Driver, low: Inspected, high: Inspected, now: datetime
) -> None:
    """The lock of the other queue is held by the task, and no longer the one of the first."""
    lock, there = low.keys.unique("t", b"x"), high.keys.unique("t", b"x")
    low.bring("scheduled", "a", {"unique_key": lock}, payload=b"x", unique_key=lock)
    low.redis.set(lock, "a", ex=600)
    run(everything(now, "scheduled"))
    assert low.redis.exists(lock) == 0
    assert high.redis.get(there) == b"a"
    assert 590 < high.redis.ttl(there) <= 600
    assert high.redis.hget(high.keys.task("a"), "unique_key") == there.encode()
    assert TaskMessage.decode(high.redis.hget(high.keys.task("a"), "msg")).unique_key == there


def test_a_lock_that_has_ended_is_not_taken_again(run: Driver, low: Inspected, high: Inspected, now: datetime) -> None:
    """The task is no longer unique here, so it is not there."""
    lock = low.keys.unique("t", b"x")
    low.bring("retry", "a", {"unique_key": lock}, payload=b"x", unique_key=lock)
    run(everything(now, "retry"))
    assert high.redis.exists(high.keys.unique("t", b"x")) == 0


@pytest.mark.parametrize("state", MOVED)
def test_what_the_other_queue_has_already_stays(
    run: Driver, low: Inspected, high: Inspected, now: datetime, state: str
) -> None:
    """A taken id and a taken lock are told, and these tasks are as they were."""
    lock = low.keys.unique("t", b"x")
    low.bring(state, "taken")
    low.bring(state, "unique", {"unique_key": lock}, payload=b"x", unique_key=lock)
    low.bring(state, "free")
    low.redis.set(lock, "unique", ex=600)
    high.bring("completed", "taken")
    high.redis.set(high.keys.unique("t", b"x"), "somebody", ex=600)
    report = run(everything(now, state))
    assert (report.moved, report.stayed) == (1, 2)
    assert {each.task_id: each.reason for each in report.tasks_stayed} == {
        "taken": str(TaskIDConflictError("high", "taken")),
        "unique": str(DuplicateTaskError("high", "t")),
    }
    assert sorted(ids(run, state, "low", now)) == ["taken", "unique"]
    assert low.redis.get(lock) == b"unique"
    low.check()
    high.check()


@pytest.mark.parametrize("state", [state for state in MOVED if state != "archived"])
def test_what_the_other_queue_gets_at_the_last_moment_comes_back(
    run: Driver, low: Inspected, high: Inspected, now: datetime, state: str
) -> None:
    """Somebody takes the id between the look and the move: the task is where it was, and can run."""
    low.bring(state, "a", payload=b"x")
    before = low.redis.hgetall(low.keys.task("a"))
    report = run(between(everything(now, state), "move_out", lambda: high.bring("completed", "a")))
    assert (report.moved, report.stayed) == (0, 1)
    assert ids(run, state, "low", now) == ["a"]
    assert low.redis.hgetall(low.keys.task("a")) == before
    low.check()


def test_a_worker_that_is_quicker_has_the_task(run: Driver, low: Inspected, high: Inspected, now: datetime) -> None:
    """A task that is claimed after it was read stays, and runs once."""
    low.pending("a")
    flow = everything(now, "pending")

    def claim() -> None:
        low.redis.delete(low.keys.pending)
        low.active("a")

    report = run(between(flow, "move_out", claim, before=True))
    assert (report.moved, report.stayed) == (0, 1)
    assert high.redis.exists(high.keys.task("a")) == 0
    low.check()


def test_a_task_that_is_run_while_on_its_way_is_in_one_queue(
    run: Driver, low: Inspected, high: Inspected, now: datetime
) -> None:
    """Whoever takes it out of the archive where it was parked keeps it."""
    low.pending("a")
    flow = everything(now, "pending")
    report = run(between(flow, "move_in", lambda: run(move.run_task("low", "a", now=now))))
    assert (report.moved, report.stayed) == (0, 1)
    assert ids(run, "pending", "low", now) == ["a"]
    assert high.redis.exists(high.keys.task("a")) == 0
    low.check()
    high.check()


class BrokenError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("script", ["move_out", "move_in"])
def test_a_task_on_its_way_is_never_lost(
    run: Driver, low: Inspected, high: Inspected, now: datetime, script: str
) -> None:
    """If the way breaks off it is in the archive, and at most one of the two can run by itself."""
    low.pending("a")

    def broken() -> None:
        raise BrokenError

    with pytest.raises(BrokenError):
        run(between(everything(now, "pending"), script, broken))
    assert ids(run, "archived", "low", now) == ["a"]
    assert low.redis.llen(low.keys.pending) == 0
    low.check()
    high.check()


def test_many_move_in_batches_and_tell_how_far_they_are(
    run: Driver, low: Inspected, high: Inspected, now: datetime
) -> None:
    """A hundred at a time; those that stay are met once, wherever they are."""
    wanted = low.many("pending", 2 * BATCH + 50)
    for task_id in wanted[10:20]:
        high.bring("completed", task_id)
    told: list[tuple[int, int]] = []
    report = run(everything(now, "pending", on_progress=lambda done, of: told.append((done, of))))
    assert (report.moved, report.stayed) == (240, 10)
    assert ids(run, "pending", "low", now) == wanted[10:20]
    assert ids(run, "pending", "high", now) == wanted[:10] + wanted[20:]
    assert told[-1] == (250, 250)
    assert len(told) >= 3


def test_all_of_a_full_batch_may_stay(run: Driver, low: Inspected, high: Inspected, now: datetime) -> None:
    """What stays in front does not hide what is behind it."""
    wanted = low.many("scheduled", BATCH + 20)
    for task_id in wanted[:BATCH]:
        high.bring("completed", task_id)
    report = run(everything(now, "scheduled"))
    assert (report.moved, report.stayed) == (20, BATCH)
    assert ids(run, "scheduled", "high", now) == wanted[BATCH:]


@pytest.mark.parametrize("state", MOVED)
def test_one_task_moves(run: Driver, low: Inspected, high: Inspected, now: datetime, state: str) -> None:
    """By its id, wherever it waits."""
    low.bring(state, "a")
    low.bring(state, "b")
    run(one(now, "a"))
    assert ids(run, state, "high", now) == ["a"]
    assert ids(run, state, "low", now) == ["b"]
    low.check()
    high.check()


@pytest.mark.parametrize("state", ["active", "completed"])
def test_a_task_that_runs_or_is_done_does_not_move(run: Driver, low: Inspected, now: datetime, state: str) -> None:
    """It is refused, and stays."""
    low.bring(state, "a")
    with pytest.raises(TaskStateError, match=state):
        run(one(now, "a"))
    low.check()


def test_what_cannot_be_is_refused(run: Driver, low: Inspected, high: Inspected, now: datetime) -> None:
    """No such task or queue, the same queue, a taken id, a queue without a name."""
    low.pending("a")
    high.bring("completed", "a")
    with pytest.raises(TaskIDConflictError):
        run(one(now, "a"))
    with pytest.raises(TaskNotFoundError):
        run(one(now, "none"))
    with pytest.raises(QueryError, match="already"):
        run(move_task("low", "a", "low", now=now, registry=Registry()))
    with pytest.raises(ValueError, match="one or more characters"):
        run(move_task("low", "a", " ", now=now, registry=Registry()))
    with pytest.raises(QueueNotFoundError):
        run(move_all(Place("none", TaskState.PENDING), "high", now=now, registry=Registry()))


def test_an_unreadable_message_stays(run: Driver, low: Inspected, now: datetime) -> None:
    """Nobody can tell what to write into it."""
    low.pending("a")
    low.redis.hset(low.keys.task("a"), "msg", b"\xff\xff")
    report = run(everything(now, "pending"))
    assert (report.moved, report.stayed) == (0, 1)
    assert low.redis.hget(low.keys.task("a"), "state") == b"pending"


def test_a_queue_that_cannot_be_listed_gets_nothing(low: Inspected, now: datetime) -> None:
    """The name of the other queue is written first; if that fails nothing has moved."""
    low.pending("a")
    flow = everything(now, "pending")
    request = next(flow)
    while request.words[:2] != ("SADD", keys.QUEUES):
        request = flow.send(1)
    with pytest.raises(BrokerError):
        flow.throw(BrokerError("refused"))
    assert low.redis.llen(low.keys.pending) == 1
