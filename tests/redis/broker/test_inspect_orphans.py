"""What broken and killed peers leave behind is found, and mended where that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import pytest
from redis import Redis

from asynqpy._broker.inspect import orphans
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage
from asynqpy.errors import QueueNotFoundError
from asynqpy.inspection import Orphan, Trouble
from tests.redis.drive import Driver
from tests.redis.inspected import SINCE, WAITING, Inspected
from tests.redis.interleave import between
from tests.redis.snapshot import snapshot

Q = keys.of_queue("low")
LOCK = Q.unique("t", b"")


@pytest.fixture
def low(redis: Redis) -> Inspected:
    """The queue ``low``, listed."""
    return Inspected(redis)


@pytest.fixture
def now(low: Inspected) -> datetime:
    """The present moment of the server."""
    return low.today()


def homeless(low: Inspected, state: str, **fields: Any) -> None:
    """A task that nothing holds."""
    low.hash("a", state, fields.pop("fields", None), **fields)


def active_without_lease(low: Inspected) -> None:
    low.active("a")
    low.redis.zrem(Q.lease, "a")


def ghost_of_go(low: Inspected) -> None:
    """What Go leaves when it claims an id without a hash."""
    low.redis.lpush(Q.active, "a")
    low.redis.zadd(Q.lease, {"a": SINCE + 2 * 10**9})
    low.redis.hset(Q.task("a"), "state", "active")


def half_archived(low: Inspected) -> None:
    """What Go leaves when it cannot trim its archive."""
    low.archived("a")
    low.redis.hset(Q.task("a"), "state", "active")


def twice(low: Inspected) -> None:
    low.bring("retry", "a")
    low.redis.zadd(Q.archived, {"a": SINCE})


def wrong_group(low: Inspected) -> None:
    low.grouped("a", "g")
    low.redis.hset(Q.task("a"), "group", "h")


def unlisted_group(low: Inspected) -> None:
    low.grouped("a", "g")
    low.redis.srem(Q.groups, "g")


def unlisted_set(low: Inspected) -> None:
    low.redis.zrem(Q.aggregation_sets, low.taken_out("a"))


def unlisted_queue(low: Inspected) -> None:
    low.bring("retry", "a")
    low.redis.srem(keys.QUEUES, "low")


def lock_of_nobody(low: Inspected) -> None:
    low.redis.set(LOCK, "gone")


def lock_of_another(low: Inspected) -> None:
    low.bring("retry", "a")
    low.redis.set(LOCK, "a")


Case = tuple[Trouble, str, str, Callable[[Inspected], object]]

TROUBLES: dict[str, Case] = {
    **{
        f"nothing holds a task of state {state}": (
            Trouble.HOMELESS_TASK,
            "a",
            state,
            lambda low, state=state: homeless(low, state, fields={"group": "g"} if state == "aggregating" else None),
        )
        for state in (*WAITING, "active", "nonsense")
    },
    "a result without a task": (Trouble.EMPTY_HASH, "a", "", lambda low: low.redis.hset(Q.task("a"), "result", "r")),
    "an id without a task is pending": (
        Trouble.MISSING_TASK, "a", "pending", lambda low: low.redis.lpush(Q.pending, "a"),
    ),
    "an id without a task is in a set": (
        Trouble.MISSING_TASK, "a", "retry", lambda low: low.redis.zadd(Q.retry, {"a": SINCE}),
    ),
    "an id without a task is active": (Trouble.MISSING_TASK, "a", "active", ghost_of_go),
    "a task is half archived": (Trouble.WRONG_STATE, "a", "active", half_archived),
    "a task is in two sets": (Trouble.WRONG_STATE, "a", "retry", twice),
    "a task names another group": (Trouble.WRONG_STATE, "a", "aggregating", wrong_group),
    "no lease": (Trouble.ACTIVE_WITHOUT_LEASE, "a", "active", active_without_lease),
    "a lease alone": (Trouble.LEASE_WITHOUT_TASK, "a", "", lambda low: low.redis.zadd(Q.lease, {"a": SINCE})),
    "a group is not listed": (Trouble.UNLISTED_GROUP, "g", "", unlisted_group),
    "an aggregation is not listed": (Trouble.UNLISTED_AGGREGATION, "g:b7f7", "", unlisted_set),
    "a lock of nobody": (Trouble.STALE_LOCK, "t:" + LOCK.rpartition(":")[2], "", lock_of_nobody),
    "a lock of another task": (Trouble.STALE_LOCK, "t:" + LOCK.rpartition(":")[2], "", lock_of_another),
    "a queue is not listed": (Trouble.UNLISTED_QUEUE, "low", "", unlisted_queue),
}  # fmt: skip


@pytest.mark.parametrize("case", TROUBLES.values(), ids=TROUBLES)
class TestEachTrouble:
    """It is found among healthy tasks, and only it."""

    def test_is_reported(self, run: Driver, redis: Redis, low: Inspected, now: datetime, case: Case) -> None:
        """Without a change."""
        trouble, name, state, make = case
        healthy(low)
        make(low)
        before = snapshot(redis)
        report = run(orphans.recover_orphans("low", repair=False, now=now))
        assert report.orphans == (Orphan(trouble=trouble, name=name, state=state),)
        assert (dict(report.counts), report.repaired, report.queue) == ({trouble: 1}, 0, "low")
        assert report.scanned > 10
        assert snapshot(redis) == before

    def test_is_mended(self, run: Driver, low: Inspected, now: datetime, case: Case) -> None:
        """After that everything agrees again, and another look finds nothing."""
        trouble, name, state, make = case
        healthy(low)
        before = low.snapshot()
        make(low)
        report = run(orphans.recover_orphans("low", repair=True, now=now))
        assert report.orphans == (Orphan(trouble=trouble, name=name, state=state, is_repaired=True),)
        assert report.repaired == 1
        again = run(orphans.recover_orphans("low", repair=True, now=now))
        assert again.is_clean
        after = low.snapshot()
        assert {key for key in before if key.startswith(Q.task_prefix)} <= set(after)
        if trouble is not Trouble.UNLISTED_AGGREGATION:  # its tasks are in their set until a server puts them back
            low.check()


def healthy(low: Inspected) -> None:
    """Tasks of every state to which nothing is wrong."""
    for state in (*WAITING, "active"):
        low.bring(state, f"healthy {state}", {"unique_key": f"{LOCK}{state}"})
        low.redis.set(f"{LOCK}{state}", f"healthy {state}")
    low.redis.zrem(Q.group("g"), "healthy aggregating")
    low.redis.delete(Q.task("healthy aggregating"), f"{LOCK}aggregating")
    low.redis.srem(Q.groups, "g")
    low.grouped("healthy in a group", "listed")


class TestWhatBecomesOfIt:
    """The rules by which trouble is mended."""

    @pytest.mark.parametrize("state", ["pending", "scheduled", "retry", "active", "nonsense"])
    def test_a_lost_task_is_archived(self, run: Driver, low: Inspected, now: datetime, state: str) -> None:
        """With the reason as its error, so that somebody looks; what held it is forgotten."""
        low.hash("a", state, {"py:claim": "token", "pending_since": 1, "py:traceback": "where"}, payload=b"p")
        run(orphans.recover_orphans("low", repair=True, now=now))
        stored = {k.decode(): v for k, v in low.redis.hgetall(Q.task("a")).items()}
        message = TaskMessage.decode(stored.pop("msg"))
        assert stored == {"state": b"archived", "py:traceback": b"where"}
        seconds = int(now.timestamp())
        assert f"its state was {state}" in message.error_msg
        assert message == low.message("a", payload=b"p", error_msg=message.error_msg, last_failed_at=seconds)
        assert low.redis.zscore(Q.archived, "a") == seconds

    @pytest.mark.parametrize(("last_failed_at", "score"), [(SINCE + 5, SINCE + 5), (0, None), (2**40, None)])
    def test_one_that_was_archived_goes_back(
        self, run: Driver, low: Inspected, now: datetime, last_failed_at: int, score: int | None
    ) -> None:
        """To the moment when it failed, so that the archive's own bounds decide about it."""
        message = low.hash("a", "archived", last_failed_at=last_failed_at)
        run(orphans.recover_orphans("low", repair=True, now=now))
        assert low.redis.zscore(Q.archived, "a") == (score or int(now.timestamp()))
        assert low.redis.hget(Q.task("a"), "msg") == message.encode()

    @pytest.mark.parametrize(("completed_at", "score"), [(SINCE, SINCE + 60), (0, 60)])
    def test_one_that_was_completed_goes_back(
        self, run: Driver, low: Inspected, now: datetime, completed_at: int, score: int
    ) -> None:
        """Until its retention ends, which may be at once."""
        low.hash("a", "completed", {"result": "r"}, completed_at=completed_at, retention=60)
        run(orphans.recover_orphans("low", repair=True, now=now))
        assert low.redis.zscore(Q.completed, "a") == score
        assert low.redis.hget(Q.task("a"), "result") == b"r"

    def test_one_that_cannot_be_read_is_archived_as_it_is(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Somebody may still know what it is."""
        low.redis.hset(Q.task("a"), mapping={"msg": b"\xff\xff", "state": "retry"})
        run(orphans.recover_orphans("low", repair=True, now=now))
        assert low.redis.hget(Q.task("a"), "msg") == b"\xff\xff"
        low.check()

    def test_a_hash_is_told_where_it_is(self, run: Driver, low: Inspected, now: datetime) -> None:
        """What holds the id counts; where two do, the one that the hash names."""
        half_archived(low)
        low.bring("retry", "b")
        low.redis.lpush(Q.pending, "b")
        run(orphans.recover_orphans("low", repair=True, now=now))
        assert low.redis.hget(Q.task("a"), "state") == b"archived"
        assert (low.redis.llen(Q.pending), low.redis.zscore(Q.retry, "b")) == (0, SINCE)
        low.check()

    def test_a_pending_one_gets_a_moment(self, run: Driver, low: Inspected, now: datetime) -> None:
        """From which its latency counts."""
        low.bring("pending", "a")
        low.redis.hset(Q.task("a"), "state", "retry")
        low.redis.hdel(Q.task("a"), "pending_since")
        run(orphans.recover_orphans("low", repair=True, now=now))
        assert low.redis.hmget(Q.task("a"), "state", "pending_since")[0] == b"pending"
        assert low.redis.hexists(Q.task("a"), "pending_since")

    def test_a_set_that_nobody_knows_is_due_at_once(self, run: Driver, low: Inspected, now: datetime) -> None:
        """So the next server that looks for such sets puts its tasks back."""
        key = low.taken_out("a")
        low.redis.zrem(Q.aggregation_sets, key)
        run(orphans.recover_orphans("low", repair=True, now=now))
        assert low.redis.zscore(Q.aggregation_sets, key) == int(now.timestamp())

    def test_a_lock_in_a_message_of_go_counts(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Go does not write it into the hash of a grouped task."""
        low.grouped("a", unique_key=LOCK)
        low.redis.set(LOCK, "a")
        assert run(orphans.recover_orphans("low", repair=True, now=now)).is_clean
        assert low.redis.exists(LOCK)


class TestAmongTheLiving:
    """What others do meanwhile is no trouble."""

    def test_tasks_that_were_aggregated(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Their set is no aggregation set any more, but whoever made it will delete what is in it."""
        key = low.taken_out("a")
        low.redis.zrem(Q.aggregation_sets, key)
        low.redis.zadd(f"{Q.prefix}py:spent", {key: SINCE})
        before = low.snapshot()
        assert run(orphans.recover_orphans("low", repair=True, now=now)).is_clean
        assert low.snapshot() == before

    def test_tasks_that_are_enqueued_while_it_looks(self, run: Driver, low: Inspected, now: datetime) -> None:
        """They were not pending when the pending ones were read."""
        low.many("pending", 10)
        flow = between(
            orphans.recover_orphans("low", repair=True, now=now),
            "unleased",
            lambda: [low.bring("pending", f"new-{n}", {"pending_since": int(now.timestamp() * 1e9)}) for n in range(5)],
        )
        assert run(flow).is_clean
        low.check()

    def test_tasks_that_are_put_back_while_it_looks(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Nobody notes since when they are pending: they are looked for in the list itself."""
        low.many("pending", 10)

        def put_back() -> None:
            low.hash("back", "pending")
            low.redis.rpush(Q.pending, "back")

        assert run(between(orphans.recover_orphans("low", repair=True, now=now), "unleased", put_back)).is_clean
        low.check()

    @pytest.mark.parametrize("script", ["place", "settle"])
    def test_what_rights_itself_is_left_alone(self, run: Driver, low: Inspected, now: datetime, script: str) -> None:
        """Between the look and the repair; it is reported, but not as mended."""

        def add() -> None:
            low.redis.zadd(Q.retry, {"a": SINCE})

        def make() -> None:
            low.hash("a", "retry")

        first, then = (make, add) if script == "place" else (add, make)
        first()
        flow = between(orphans.recover_orphans("low", repair=True, now=now), script, then, before=True)
        report = run(flow)
        assert (len(report.orphans), report.repaired) == (1, 0)
        assert low.redis.zscore(Q.retry, "a") == SINCE
        low.check()

    def test_thousands(self, run: Driver, low: Inspected, now: datetime) -> None:
        """All are mended; a report names the first thousand."""
        low.many("retry", 1500)
        low.redis.delete(Q.retry)
        low.many("pending", 600, prefix="p")
        low.redis.delete(*(Q.task(f"p-{n:05}") for n in range(500)))
        report = run(orphans.recover_orphans("low", repair=True, now=now))
        assert report.counts == {Trouble.HOMELESS_TASK: 1500, Trouble.MISSING_TASK: 500}
        assert (len(report.orphans), report.repaired) == (1000, 2000)
        assert (low.redis.zcard(Q.archived), low.redis.llen(Q.pending)) == (1500, 100)
        low.check()

    def test_neighbours_with_similar_names(self, run: Driver, redis: Redis, low: Inspected, now: datetime) -> None:
        """A name is no pattern."""
        odd = Inspected(redis, "l*[a-z]?\\")
        odd.hash("a", "retry")
        Inspected(redis, "loud").hash("b", "retry")
        report = run(orphans.recover_orphans("l*[a-z]?\\", repair=True, now=now))
        assert [orphan.name for orphan in report.orphans] == ["a"]

    def test_a_queue_that_does_not_exist(self, run: Driver, redis: Redis, now: datetime) -> None:
        """Is told from a clean one."""
        with pytest.raises(QueueNotFoundError):
            run(orphans.recover_orphans("none", repair=True, now=now))
        assert run(orphans.recover_orphans("low", repair=False, now=now)).is_clean


def test_reports_can_be_written_as_json(run: Driver, low: Inspected, now: datetime) -> None:
    """For whoever collects them."""
    low.hash("a", "retry")
    report = run(orphans.recover_orphans("low", repair=False, now=now))
    read = msgspec.json.decode(msgspec.json.encode(report))
    assert read["counts"] == {"homeless_task": 1}
    assert read["orphans"] == [{"trouble": "homeless_task", "name": "a", "state": "retry", "is_repaired": False}]
