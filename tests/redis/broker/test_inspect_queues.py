"""Inspectors tell of queues, pause them, and delete them with all that belongs to them."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from asynqpy._broker.flow import Batch, Call, Flow
from asynqpy._broker.inspect import info, remove
from asynqpy._wire import keys
from asynqpy._wire.moments import unix_nanoseconds
from asynqpy.errors import BrokerError, QueryError, QueueNotEmptyError, QueueNotFoundError
from asynqpy.inspection import DailyStats, GroupInfo
from tests.redis.drive import Driver
from tests.redis.inspected import SINCE, Inspected
from tests.redis.seed import scores
from tests.redis.snapshot import Members, Text, snapshot

LOCK = keys.of_queue("low").unique("t", b"")


@pytest.fixture
def low(redis: Redis) -> Inspected:
    """The queue ``low``, listed."""
    return Inspected(redis)


@pytest.fixture
def now(low: Inspected) -> datetime:
    """The present moment of the server."""
    return low.today()


class TestInfo:
    """The numbers of queues."""

    def test_counts_every_state(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Tasks that are being aggregated are counted nowhere, as in asynq."""
        for state, count in {
            "pending": 1, "scheduled": 2, "retry": 3, "archived": 4, "completed": 5, "aggregating": 6,
        }.items():  # fmt: skip
            low.many(state, count, prefix=state)
        low.grouped("other", "h")
        low.active("running")
        low.taken_out("taken")
        day = now.date().isoformat()
        low.redis.mset({low.keys.processed: 70, low.keys.failed: 7})
        low.redis.mset({low.keys.processed_on(day): 20, low.keys.failed_on(day): 2})
        low.redis.set(low.keys.paused, 1)
        found = run(info.queue_info("low", memory=True, now=now))
        assert (found.queue, found.paused, found.timestamp) == ("low", True, now)
        assert (found.pending, found.scheduled, found.retry, found.archived, found.completed) == (1, 2, 3, 4, 5)
        assert (found.active, found.aggregating, found.groups, found.size) == (1, 7, 2, 23)
        assert (found.processed, found.failed, found.processed_total, found.failed_total) == (20, 2, 70, 7)
        assert found.memory_usage is not None
        assert found.memory_usage > 23 * 100

    def test_latency_is_that_of_the_next_to_run(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Zero where nobody noted since when it waits, and when none does."""
        assert run(info.queue_info("low", memory=False, now=now)).latency == timedelta(0)
        for task_id, waited in (("first", 90), ("second", 30)):
            low.bring("pending", task_id, {"pending_since": unix_nanoseconds(now - timedelta(seconds=waited))})
        assert run(info.queue_info("low", memory=False, now=now)).latency == timedelta(seconds=90)
        low.redis.hdel(low.keys.task("first"), "pending_since")
        assert run(info.queue_info("low", memory=False, now=now)).latency == timedelta(0)

    def test_memory_is_estimated_from_twenty_of_each_state(self, run: Driver, low: Inspected, now: datetime) -> None:
        """asynq's arithmetic: the average of the sampled times the number, and the container."""
        low.many("pending", 50)
        low.many("retry", 30, prefix="r")
        low.many("aggregating", 10, prefix="g")

        def usage(key: str) -> int:
            return int(low.redis.memory_usage(key))

        newest = [usage(low.keys.task(f"t-{n:05}")) for n in range(30, 50)]
        first = [usage(low.keys.task(f"r-{n:05}")) for n in range(20)]
        grouped = [usage(low.keys.task(f"g-{n:05}")) for n in range(10)]
        expected = sum(newest) / 20 * 50 + usage(low.keys.pending) + sum(first) / 20 * 30 + usage(low.keys.retry)
        found = run(info.queue_info("low", memory=True, now=now))
        assert found.memory_usage == math.floor(expected + sum(grouped))

    def test_memory_is_not_told_when_redis_refuses(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Some who rent it out forbid the command; everything else is told."""
        low.many("pending", 3)

        def refuse(call: Call) -> bool:
            return call.words[0] == "MEMORY"

        found = run(refusing(info.queue_info("low", memory=True, now=now), refuse))
        assert (found.memory_usage, found.pending) == (None, 3)
        assert run(info.queue_info("low", memory=False, now=now)).memory_usage is None

    def test_all_queues_at_once(self, run: Driver, redis: Redis, low: Inspected, now: datetime) -> None:
        """By name, or those asked for in their order."""
        Inspected(redis, "a").many("pending", 2)
        Inspected(redis, "z").grouped("a")
        assert run(info.queues()) == ["a", "low", "z"]
        found = run(info.queue_infos(None, memory=True, now=now))
        assert [(each.queue, each.size) for each in found] == [("a", 2), ("low", 0), ("z", 1)]
        assert all(each.memory_usage for each in found if each.size)
        assert [each.queue for each in run(info.queue_infos(["z", "a"], memory=False, now=now))] == ["z", "a"]
        assert run(info.queue_infos([], memory=True, now=now)) == []

    def test_counters_that_somebody_broke(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Count as nothing; the rest can be read."""
        low.redis.set(low.keys.processed, "nonsense")
        assert run(info.queue_info("low", memory=True, now=now)).processed_total == 0

    def test_ten_thousand_groups(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Are counted some at a time, without a long script."""
        pipeline = low.redis.pipeline(transaction=False)
        for n in range(10_000):
            pipeline.zadd(low.keys.group(f"g{n}"), {"a": 1, "b": 2})
            pipeline.sadd(low.keys.groups, f"g{n}")
        pipeline.execute()
        found = run(info.queue_info("low", memory=True, now=now))
        assert (found.groups, found.aggregating) == (10_000, 20_000)
        assert len(run(info.groups("low"))) == 10_000


def refusing(flow: Flow[Any], refuse: Callable[[Call], bool]) -> Flow[Any]:
    """*flow* on a Redis that refuses some commands."""
    try:
        request = next(flow)
        while True:
            if isinstance(request, Batch):
                replies = iter((yield Batch([call for call in request.calls if not refuse(call)])))
                answer = [BrokerError("refused") if refuse(call) else next(replies) for call in request.calls]
                request = flow.send(answer)
            elif refuse(request):
                request = flow.throw(BrokerError("refused"))
            else:
                request = flow.send((yield request))
    except StopIteration as finished:
        return finished.value


def test_history(run: Driver, low: Inspected, now: datetime) -> None:
    """Days in UTC, today first; missing ones are zero."""
    today = now.date()
    low.redis.set(low.keys.processed_on(today.isoformat()), 5)
    low.redis.set(low.keys.failed_on((today - timedelta(days=2)).isoformat()), 1)
    found = run(info.history("low", 3, now=now))
    days: list[tuple[date, int, int]] = [(today, 5, 0), (today - timedelta(1), 0, 0), (today - timedelta(2), 0, 1)]
    assert found == [DailyStats(queue="low", day=day, processed=p, failed=f) for day, p, f in days]
    assert found[0].succeeded == 5
    assert len(run(info.history("low", 90, now=now))) == 90


@pytest.mark.parametrize("days", [0, -1, True, 1.5, 100_000])
def test_days_that_cannot_be(now: datetime, days: Any) -> None:
    """As in asynq: one at least."""
    with pytest.raises(QueryError, match="days"):
        next(info.history("low", days, now=now))


def test_groups(run: Driver, low: Inspected) -> None:
    """By name, with sizes; names without tasks are left out."""
    low.grouped("a", "h")
    low.grouped("b", "g")
    low.grouped("c", "g")
    low.redis.sadd(low.keys.groups, "empty")
    assert run(info.groups("low")) == [GroupInfo(group="g", size=2), GroupInfo(group="h", size=1)]


def test_pause_and_unpause(run: Driver, redis: Redis, low: Inspected, now: datetime) -> None:
    """Each tells whether it changed anything."""
    assert run(info.pause("low", now=now)) is True
    assert snapshot(redis)[low.keys.paused] == Text(b"%d" % now.timestamp())
    assert run(info.pause("low", now=now + timedelta(hours=1))) is False
    assert snapshot(redis)[low.keys.paused] == Text(b"%d" % now.timestamp())
    assert run(info.unpause("low")) is True
    assert run(info.unpause("low")) is False
    assert low.snapshot() == {}


def test_missing_queues(run: Driver, redis: Redis, now: datetime) -> None:
    """Are named, whatever was asked; nothing is written."""
    asked: list[Flow[Any]] = [
        info.queue_info("none", memory=True, now=now),
        info.queue_infos(["low", "none"], memory=False, now=now),
        info.history("none", 3, now=now),
        info.groups("none"),
        info.pause("none", now=now),
        info.unpause("none"),
        remove.delete_queue("none", force=True, now=now),
    ]
    for flow in asked:
        with pytest.raises(QueueNotFoundError, match="none"):
            run(flow)
    assert snapshot(redis) == {keys.QUEUES: Members.of("low")}


def fill(low: Inspected, now: datetime, *states: str) -> None:
    """Tasks, and everything else that a queue can leave behind."""
    for state in states:
        low.many(state, 500, prefix=state)
        low.bring(state, f"unique {state}", {"unique_key": f"{LOCK}{state}"})
        low.redis.set(f"{LOCK}{state}", f"unique {state}")
    for back in (0, 1, 89, 90):
        day = (now - timedelta(days=back)).date().isoformat()
        low.redis.mset({low.keys.processed_on(day): 1, low.keys.failed_on(day): 1})
    low.redis.mset({low.keys.processed: 1, low.keys.failed: 1, low.keys.paused: 1})
    low.redis.zadd(low.keys.due, {"stale": 1})
    low.redis.zadd(low.keys.lease, {"stale": 1})
    low.redis.sadd(low.keys.groups, "empty")
    low.redis.set(f"{LOCK}stale", "gone")
    low.redis.hset(low.keys.task("orphan"), mapping={"msg": low.message("orphan").encode(), "state": "archived"})
    low.redis.hset(low.keys.task("empty"), "result", "r")
    low.redis.set(f"{low.keys.prefix}py:whatever", 1)


class TestDelete:
    """A queue goes with all that belongs to it."""

    def test_by_force_nothing_is_left(self, run: Driver, redis: Redis, low: Inspected, now: datetime) -> None:
        """Tasks of all states, groups listed and not, aggregations, locks, counters, and what others left behind."""
        other = Inspected(redis, "low2")
        other.many("pending", 2)
        kept = snapshot(redis)
        fill(low, now, "pending", "scheduled", "retry", "archived", "completed", "aggregating")
        low.taken_out("taken")
        low.grouped("lost", "unlisted")
        low.redis.srem(low.keys.groups, "unlisted")
        low.redis.zrem(low.keys.aggregation_sets, low.taken_out("lost too", "c001", "gone"))
        run(remove.delete_queue("low", force=True, now=now))
        assert snapshot(redis) == kept | {keys.QUEUES: Members.of("low2")}

    def test_without_force_completed_tasks_go(self, run: Driver, redis: Redis, low: Inspected, now: datetime) -> None:
        """Nothing waits for them."""
        fill(low, now, "completed")
        spent = low.taken_out("aggregated", "5be7")
        redis.zrem(low.keys.aggregation_sets, spent)
        redis.zadd(f"{low.keys.prefix}py:spent", {spent: SINCE})
        run(remove.delete_queue("low", force=False, now=now))
        assert snapshot(redis) == {}

    @pytest.mark.parametrize("state", ["pending", "active", "scheduled", "retry", "archived", "aggregating"])
    def test_that_holds_tasks_is_refused(self, run: Driver, low: Inspected, now: datetime, state: str) -> None:
        """The error tells what it holds; nothing is changed."""
        low.bring(state, "a")
        low.bring("completed", "b")
        before = low.snapshot()
        with pytest.raises(QueueNotEmptyError, match=f"1 {state}") as refused:
            run(remove.delete_queue("low", force=False, now=now))
        assert refused.value.counts == {state: 1}
        assert low.snapshot() == before

    def test_that_is_just_being_aggregated_is_refused(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Its tasks are about to become one."""
        low.taken_out("a")
        with pytest.raises(QueueNotEmptyError) as refused:
            run(remove.delete_queue("low", force=False, now=now))
        assert refused.value.counts == {"aggregating": 1}

    def test_running_tasks_are_never_dropped(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Not even by force; and the queue is not paused by the attempt."""
        low.active("a")
        low.many("pending", 3)
        before = low.snapshot()
        with pytest.raises(QueueNotEmptyError, match="cancel") as refused:
            run(remove.delete_queue("low", force=True, now=now))
        assert refused.value.counts == {"active": 1}
        assert low.snapshot() == before

    def test_a_task_claimed_at_the_last_moment_stops_it(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Between the first look and the pause; after that none can be claimed."""
        low.many("pending", 3)
        flow = remove.delete_queue("low", force=True, now=now)
        broken = interrupted(flow, lambda call: call.script is not None and call.script.name == "close_queue")
        run(broken)
        low.active("a")
        with pytest.raises(QueueNotEmptyError):
            run(rest(flow))
        assert low.redis.llen(low.keys.pending) == 3

    @pytest.mark.parametrize("force", [True, False])
    def test_what_breaks_off_anywhere_is_finished_by_another_try(
        self, run: Driver, redis: Redis, low: Inspected, now: datetime, force: bool
    ) -> None:
        """Whatever call was the last: the queue is listed to the end, and holds only whole tasks."""
        step = 0
        while True:
            redis.flushall()
            low.list()
            states = ("pending", "scheduled", "aggregating", "completed") if force else ("completed",)
            for state in states:
                low.many(state, 450, prefix=state)
            step += 3
            if not run(first_calls(remove.delete_queue("low", force=force, now=now), step)):
                break
            low.check()
            if not redis.sismember(keys.QUEUES, "low"):  # struck off last
                assert snapshot(redis) == {}
                continue
            run(remove.delete_queue("low", force=force, now=now))
            assert snapshot(redis) == {}
        assert step > 9

    def test_a_task_that_comes_meanwhile_stays_listed(
        self, run: Driver, redis: Redis, low: Inspected, now: datetime
    ) -> None:
        """It came after everything else was deleted: it is whole, and its queue is there."""
        low.many("pending", 3)
        flow = remove.delete_queue("low", force=True, now=now)
        run(interrupted(flow, lambda call: call.words[0] == "SREM"))
        message = low.bring("pending", "new")
        run(rest(flow))
        assert snapshot(redis) == {
            keys.QUEUES: Members.of("low"),
            low.keys.pending: snapshot(redis)[low.keys.pending],
            **low.task_hash(message, "pending", pending_since=b"%d" % (SINCE * 10**9)),
        }
        low.check()

    def test_a_task_that_comes_earlier_stays_listed(
        self, run: Driver, redis: Redis, low: Inspected, now: datetime
    ) -> None:
        """It came while the rest was swept up; nothing of it is taken for a leftover."""
        low.many("completed", 3)
        flow = remove.delete_queue("low", force=False, now=now)
        run(interrupted(flow, lambda call: call.words[0] == "SCAN"))
        low.bring("pending", "new", {"unique_key": LOCK})
        low.redis.set(LOCK, "new")
        low.waiting("scheduled", "later", SINCE + 0.5)
        run(rest(flow))
        left = snapshot(redis)
        assert left[keys.QUEUES] == Members.of("low")
        assert left[LOCK] == Text(b"new")
        assert left[low.keys.due] == scores(later=SINCE * 1000 + 500)
        low.check()


def interrupted(flow: Flow[Any], stop: Callable[[Call], bool]) -> Flow[Any]:
    """*flow* up to the first call that `stop` names, which is not made yet."""
    request = next(flow)
    while not (isinstance(request, Call) and stop(request)):
        request = flow.send((yield request))
    _held[id(flow)] = request


def rest(flow: Flow[Any]) -> Flow[Any]:
    """What `interrupted` has left of *flow*."""
    request = _held.pop(id(flow))
    try:
        while True:
            request = flow.send((yield request))
    except StopIteration as finished:
        return finished.value


_held: dict[int, Any] = {}


def first_calls(flow: Flow[Any], count: int) -> Flow[bool]:
    """Only so many requests of *flow*; whether there were more."""
    request = next(flow)
    for _ in range(count):
        reply = yield request
        try:
            request = flow.send(reply)
        except StopIteration:
            return False
    flow.close()
    return True
