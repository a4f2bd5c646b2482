"""Aggregation sets: who is taken when, what takes their place, and how they come back."""

from __future__ import annotations

import math
from typing import Any

import pytest
from redis import Redis

from asynqpy._broker import groups
from asynqpy._broker.due import Swept
from asynqpy._broker.enqueue import NewTask, Registry
from asynqpy._broker.groups import Formed, Parts, Rules
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage
from asynqpy.errors import DuplicateTaskError, TaskIDConflictError
from asynqpy.task import TaskState
from tests.redis.drive import Driver
from tests.redis.seed import Queue, nanoseconds, scores
from tests.redis.snapshot import Between, Hash, Items, Members, Scores, Snapshot, Text, snapshot

Q = keys.of_queue("low")
GROUP = Q.group("g")
SET = Q.aggregation_set("g", "id")
QUEUES: Snapshot = {keys.QUEUES: Members.of("low")}


def grouped(q: Queue, task_id: str, added_at: float, group: str = "g", **message: Any) -> TaskMessage:
    """A task that joined a group, as a client leaves it."""
    stored = q.hash(task_id, "aggregating", {"group": group}, group_key=group, **message)
    q.redis.zadd(q.keys.group(group), {task_id: math.floor(added_at)})
    q.redis.sadd(q.keys.groups, group)
    return stored


def in_set(q: Queue, *task_ids: str, deadline: float | None = None, set_id: str = "id", **message: Any) -> None:
    """Tasks of group ``g`` that are in an aggregation set."""
    set_key = q.keys.aggregation_set("g", set_id)
    for at, task_id in enumerate(task_ids):
        q.hash(task_id, "aggregating", {"group": "g"}, group_key="g", **message)
        q.redis.zadd(set_key, {task_id: 1_700_000_000 + at})
    q.redis.zadd(q.keys.aggregation_sets, {set_key: math.floor(q.now() + 60 if deadline is None else deadline)})


def waiting(q: Queue, *task_ids: str, **message: Any) -> Snapshot:
    """What a snapshot has for the hashes of grouped tasks."""
    found: Snapshot = {}
    for task_id in task_ids:
        found |= q.task(q.message(task_id, group_key="g", **message), "aggregating", group=b"g")
    return found


def form(run: Driver, *, size: int = 0, delay: int = 0, grace: int = 60, set_id: str = "id") -> Formed:
    """Try to form a set of group ``g``."""
    return run(groups.form_set("low", "g", set_id, Rules(size, delay, grace)))


def replace(run: Driver, q: Queue, message: TaskMessage, **more: Any) -> bool:
    """Put a task in the place of the set."""
    new = NewTask(message, message.encode(), more.pop("state", TaskState.PENDING), **more)
    return run(groups.replace_set("low", SET, new, now=q.today(), registry=Registry()))


class TestRules:
    """When tasks are taken, and which."""

    def test_a_group_that_is_quiet(self, redis: Redis, run: Driver, q: Queue) -> None:
        """All leave with their scores, the set is listed with its deadline; the tasks are as they were."""
        now = q.now()
        grouped(q, "a", now - 100)
        grouped(q, "b", now - 61)
        assert form(run) == Formed(2, 0, False)
        assert snapshot(redis) == {
            SET: scores(a=math.floor(now - 100), b=math.floor(now - 61)),
            Q.aggregation_sets: Scores({SET: Between(math.floor(now) + 120, q.now() + 120)}),
            **waiting(q, "a", "b"),
        }

    def test_a_group_that_is_not_quiet_yet(self, redis: Redis, run: Driver, q: Queue) -> None:
        """The newest decides; nothing changes."""
        grouped(q, "a", q.now() - 1000)
        grouped(q, "b", q.now() - 50)
        before = snapshot(redis)
        assert form(run) == Formed(0, 2, False)
        assert snapshot(redis) == before

    def test_the_grace_period_ends_with_its_second(self, run: Driver, q: Queue) -> None:
        """As in asynq: the score is at most now minus the period, in whole seconds."""
        while q.now() % 1 > 0.5:  # so that the second stays the same
            pass
        grouped(q, "a", math.floor(q.now()) - 59)
        assert form(run).size == 0
        grouped(q, "a", math.floor(q.now()) - 60)
        assert form(run).size == 1

    def test_a_task_that_has_waited_too_long(self, run: Driver, q: Queue) -> None:
        """Takes all with it, though the group is not quiet."""
        grouped(q, "a", q.now() - 301)
        grouped(q, "b", q.now())
        assert form(run, delay=302 + 10).size == 0
        assert form(run, delay=300) == Formed(2, 0, False)

    def test_as_many_as_there_may_be(self, redis: Redis, run: Driver, q: Queue) -> None:
        """The oldest ones; the rest stays, and is listed."""
        now = q.now()
        for at, task_id in enumerate("edcba"):
            grouped(q, task_id, now + at)
        assert form(run, size=6) == Formed(0, 5, False)
        assert form(run, size=3) == Formed(3, 2, False)
        found = snapshot(redis)
        assert found[SET] == scores(e=math.floor(now), d=math.floor(now + 1), c=math.floor(now + 2))
        assert found[GROUP] == scores(b=math.floor(now + 3), a=math.floor(now + 4))
        assert found[Q.groups] == Members.of("g")

    def test_exactly_as_many_leave_no_name(self, redis: Redis, run: Driver, q: Queue) -> None:
        """The group is empty, so it is not listed."""
        grouped(q, "a", q.now())
        grouped(q, "b", q.now())
        assert form(run, size=2) == Formed(2, 0, False)
        assert redis.exists(Q.groups, GROUP) == 0

    @pytest.mark.parametrize("rule", [{"delay": 300}, {"grace": 60}])
    def test_the_other_rules_keep_to_the_size(self, run: Driver, q: Queue, rule: dict[str, int]) -> None:
        """The oldest are taken; whether the rest has waited enough too is told."""
        for at, task_id in enumerate("abc"):
            grouped(q, task_id, q.now() - 400 + at)
        assert form(run, size=4, **rule) == Formed(3, 0, False)
        for at, task_id in enumerate("defgh"):
            grouped(q, task_id, q.now() - 400 + at)
        assert form(run, size=6, set_id="two", **{"grace": 60, **rule}).size == 5

    def test_the_rest_may_be_due_too(self, run: Driver, q: Queue) -> None:
        """By size, and by age; the size of a set without a limit is bounded."""
        for n in range(7):
            grouped(q, f"{n}", q.now())
        assert form(run, size=3, set_id="1") == Formed(3, 4, True)
        assert form(run, size=3, set_id="2") == Formed(3, 1, False)

    def test_a_group_without_limit_is_taken_in_bounded_sets(self, redis: Redis, run: Driver, q: Queue) -> None:
        """A thousand at once, so that no call takes long; the next call takes on."""
        many(q, 2300, q.now() - 100)
        assert form(run, set_id="1") == Formed(1000, 1300, True)
        assert form(run, set_id="2") == Formed(1000, 300, True)
        assert form(run, set_id="3") == Formed(300, 0, False)
        assert redis.zcard(Q.aggregation_sets) == 3
        assert redis.zrange(Q.aggregation_set("g", "1"), 0, 1) == [b"00000", b"00001"]
        assert redis.zrange(Q.aggregation_set("g", "3"), -1, -1) == [b"02299"]

    def test_a_large_set_is_formed_by_several_calls(self, redis: Redis, run: Driver, q: Queue) -> None:
        """One set with one deadline, and the oldest tasks."""
        many(q, 2300, q.now())
        assert form(run, size=2100) == Formed(2100, 200, False)
        assert redis.zcard(Q.aggregation_sets) == 1
        assert redis.zrange(SET, -1, -1) == [b"02099"]

    def test_a_call_that_is_repeated_takes_nothing_more(self, redis: Redis, run: Driver, q: Queue) -> None:
        """After a lost reply: the set is as large as it was asked to be."""
        for n in range(5):
            grouped(q, f"{n}", q.now())
        assert form(run, size=2) == Formed(2, 3, True)
        assert form(run, size=2) == Formed(2, 3, True)
        assert redis.zrange(SET, 0, -1) == [b"0", b"1"]

    def test_a_group_that_is_empty(self, redis: Redis, run: Driver, q: Queue) -> None:
        """It is not listed any more."""
        q.redis.sadd(Q.groups, "g", "other")
        assert form(run) == Formed(0, 0, False)
        assert snapshot(redis) == {Q.groups: Members.of("other")}


def many(q: Queue, count: int, added_at: float) -> None:
    """Many tasks of group ``g``, numbered in order."""
    pipe = q.redis.pipeline()
    for n in range(count):
        task_id = f"{n:05}"
        message = q.message(task_id, group_key="g").encode()
        pipe.hset(Q.task(task_id), mapping={"msg": message, "state": "aggregating", "group": "g"})
        pipe.zadd(GROUP, {task_id: math.floor(added_at)})
    pipe.sadd(Q.groups, "g")
    pipe.execute()


class TestReadSet:
    """What an aggregate function gets."""

    def test_oldest_first(self, redis: Redis, run: Driver, q: Queue) -> None:
        """In pages; nothing changes."""
        in_set(q, *(f"{n:03}" for n in range(600)))
        before = snapshot(redis)
        parts = run(groups.read_set("low", SET, now=q.today()))
        assert [message.id for message in parts.messages] == [f"{n:03}" for n in range(600)]
        assert parts.archived == []
        assert snapshot(redis) == before

    def test_what_nobody_can_read_is_archived(self, redis: Redis, run: Driver, q: Queue) -> None:
        """With the reason, and out of the set: it does not come back with it. Ids of no task are forgotten."""
        before = q.now()
        in_set(q, "a", "bad", "gone", "half", "moved")
        redis.hset(Q.task("bad"), "msg", b"\xff\xff")
        redis.delete(Q.task("gone"))
        redis.hdel(Q.task("half"), "msg")
        redis.hset(Q.task("moved"), "state", "pending")
        assert run(groups.read_set("low", SET, now=q.today())) == Parts([q.message("a", group_key="g")], ["bad"])
        found = snapshot(redis)
        bad, moved = found.pop(Q.task("bad")), found.pop(Q.task("moved"))
        assert isinstance(bad, Hash)
        assert isinstance(moved, Hash)
        assert (bad.fields["state"], bad.fields["msg"]) == (b"archived", b"\xff\xff")
        assert b"not a task message" in bad.fields["py:traceback"]
        assert moved.fields["state"] == b"pending"
        deadline = found.pop(Q.aggregation_sets)
        assert found == {
            SET: scores(a=1_700_000_000),
            Q.archived: Scores({"bad": Between(math.floor(before), q.now())}),
            **waiting(q, "a"),
        }
        assert isinstance(deadline, Scores)

    def test_a_set_that_nobody_can_read_is_gone(self, redis: Redis, run: Driver, q: Queue) -> None:
        """Nothing is left to be aggregated or reclaimed."""
        in_set(q, "bad")
        redis.hset(Q.task("bad"), "msg", b"\xff\xff")
        assert run(groups.read_set("low", SET, now=q.today())) == Parts([], ["bad"])
        assert snapshot(redis).keys() == {Q.archived, Q.task("bad")}

    def test_locks_that_go_did_not_note(self, redis: Redis, run: Driver, q: Queue) -> None:
        """They get into the hash, where whoever deletes the task finds them."""
        in_set(q, "a", unique_key="asynq:{low}:lock")
        run(groups.read_set("low", SET, now=q.today()))
        assert redis.hget(Q.task("a"), "unique_key") == b"asynq:{low}:lock"


class TestReplaceSet:
    """The new task comes and the old ones go, in one step."""

    def test_at_once(self, redis: Redis, run: Driver, q: Queue) -> None:
        """Nothing but the new task is left."""
        before = q.now()
        in_set(q, "a", "b", "c")
        new = q.message("new", payload=b"a,b,c")
        assert replace(run, q, new)
        assert snapshot(redis) == {
            Q.pending: Items.of("new"),
            **q.task(new, "pending", pending_since=nanoseconds(before, q.now())),
            **QUEUES,
        }

    def test_for_later(self, redis: Redis, run: Driver, q: Queue) -> None:
        """A scheduled task, to the millisecond, with a lock."""
        in_set(q, "a")
        due = (math.floor(q.now()) + 100) * 1000 + 250
        new = q.message("new", unique_key="asynq:{low}:lock")
        assert replace(run, q, new, state=TaskState.SCHEDULED, due_milliseconds=due, lock_seconds=60)
        assert snapshot(redis) == {
            Q.scheduled: scores(new=due // 1000 + 1),
            Q.due: Scores({"new": due}, due + 3_600_000),
            "asynq:{low}:lock": Text(b"new", Between(q.now() * 1000 + 50_000, q.now() * 1000 + 61_000)),
            **q.task(new, "scheduled", unique_key=b"asynq:{low}:lock"),
            **QUEUES,
        }

    def test_others_are_left_alone(self, redis: Redis, run: Driver, q: Queue) -> None:
        """Another set, the group itself, and a task that took the id of a part."""
        in_set(q, "other", set_id="other")
        grouped(q, "still waiting", q.now())
        before = snapshot(redis)
        in_set(q, "a", "taken")
        redis.hset(Q.task("taken"), "state", "pending")
        taken = snapshot(redis)[Q.task("taken")]
        assert replace(run, q, q.message("new"))
        found = snapshot(redis)
        assert {key: found[key] for key in before} == before
        assert found.keys() - before.keys() == {Q.pending, Q.task("new"), Q.task("taken"), keys.QUEUES}
        assert found[Q.task("taken")] == taken

    def test_locks_are_released(self, redis: Redis, run: Driver, q: Queue) -> None:
        """Those that the parts still hold; asynq keeps them to the end of their time."""
        in_set(q, "a", "b")
        for task_id, holder in (("a", "a"), ("b", "somebody else")):
            redis.hset(Q.task(task_id), "unique_key", f"asynq:{{low}}:{task_id}")
            redis.set(f"asynq:{{low}}:{task_id}", holder)
        assert replace(run, q, q.message("new"))
        assert redis.exists("asynq:{low}:a") == 0
        assert redis.get("asynq:{low}:b") == b"somebody else"

    def test_a_large_set_is_deleted_in_pages(self, redis: Redis, run: Driver, q: Queue) -> None:
        """All is gone in the end."""
        many(q, 2300, q.now())
        form(run, size=2300)
        assert replace(run, q, q.message("new"))
        assert snapshot(redis).keys() == {Q.pending, Q.task("new"), keys.QUEUES}

    def test_a_process_that_dies_between_the_pages_loses_nothing(self, redis: Redis, run: Driver, q: Queue) -> None:
        """The rest belongs to no group any more, and whoever comes next deletes it."""
        many(q, 2300, q.now())
        form(run, size=2300)
        new = q.message("new")
        flow = groups.replace_set(
            "low", SET, NewTask(new, new.encode(), TaskState.PENDING), now=q.today(), registry=Registry()
        )
        next(flow)
        call = flow.send([1])
        run._perform(call)  # and then it died
        assert redis.lrange(Q.pending, 0, -1) == [b"new"]
        assert (redis.zcard(SET), redis.exists(Q.aggregation_sets)) == (1300, 0)
        assert [key for key, _ in q.redis.zrange(Q.spent, 0, -1, withscores=True)] == [SET.encode()]
        assert run(groups.reclaim("low")) == Swept(0, -1)
        run(groups.drop_parts("low"))
        assert snapshot(redis).keys() == {Q.pending, Q.task("new")}

    @pytest.mark.parametrize("over", ["reclaimed", "deadline"])
    def test_too_late(self, redis: Redis, run: Driver, q: Queue, over: str) -> None:
        """Nothing is created: the parts are, or will be, in their group again."""
        in_set(q, "a", deadline=q.now() - 1)
        if over == "reclaimed":
            run(groups.reclaim("low"))
        before = snapshot(redis)
        assert not replace(run, q, q.message("new"))
        assert snapshot(redis) == before | QUEUES

    def test_a_call_that_is_repeated_changes_nothing(self, redis: Redis, run: Driver, q: Queue) -> None:
        """After a lost reply it counts as done."""
        in_set(q, "a")
        assert replace(run, q, q.message("new"))
        before = snapshot(redis)
        assert replace(run, q, q.message("new"))
        assert snapshot(redis) == before

    def test_an_id_that_is_taken(self, redis: Redis, run: Driver, q: Queue) -> None:
        """The set stays as it is."""
        in_set(q, "a")
        q.pending("new")
        before = snapshot(redis)
        with pytest.raises(TaskIDConflictError):
            replace(run, q, q.message("new", payload=b"another"))
        assert snapshot(redis) == before | QUEUES

    def test_a_lock_that_is_taken(self, redis: Redis, run: Driver, q: Queue) -> None:
        """The same."""
        in_set(q, "a")
        redis.set("asynq:{low}:lock", "somebody")
        before = snapshot(redis)
        with pytest.raises(DuplicateTaskError):
            replace(run, q, q.message("new", unique_key="asynq:{low}:lock"), lock_seconds=60)
        assert snapshot(redis) == before | QUEUES

    def test_the_id_and_the_lock_of_a_part_may_be_used_again(self, redis: Redis, run: Driver, q: Queue) -> None:
        """A function that returns one of its tasks: what it replaces is no obstacle."""
        in_set(q, "a", "b")
        lock = "asynq:{low}:lock"
        redis.hset(Q.task("b"), "unique_key", lock)
        redis.set(lock, "b")
        new = q.message("a", unique_key=lock)
        assert replace(run, q, new, lock_seconds=60)
        found = snapshot(redis)
        assert found.keys() == {Q.pending, Q.task("a"), lock, keys.QUEUES}
        assert found[Q.pending] == Items.of("a")
        assert redis.get(lock) == b"a"
        assert redis.hget(Q.task("a"), "state") == b"pending"

    def test_a_task_takes_over_its_own_lock(self, redis: Redis, run: Driver, q: Queue) -> None:
        """The new task has both the id and the lock of one part."""
        in_set(q, "a", "b")
        lock = "asynq:{low}:lock"
        redis.hset(Q.task("a"), "unique_key", lock)
        redis.set(lock, "a")
        assert replace(run, q, q.message("a", unique_key=lock), lock_seconds=60)
        assert redis.get(lock) == b"a"
        assert snapshot(redis).keys() == {Q.pending, Q.task("a"), lock, keys.QUEUES}


class TestReclaim:
    """Tasks return to their groups."""

    def test_a_stale_set(self, redis: Redis, run: Driver, q: Queue) -> None:
        """With their scores, beside those that came meanwhile, and the group is listed: asynq forgets it."""
        in_set(q, "a", "b", deadline=q.now() - 1)
        now = q.now()
        grouped(q, "c", now)
        redis.delete(Q.groups)
        assert run(groups.reclaim("low")) == Swept(2, -1)
        assert snapshot(redis) == {
            GROUP: scores(a=1_700_000_000, b=1_700_000_001, c=math.floor(now)),
            Q.groups: Members.of("g"),
            **waiting(q, "a", "b", "c"),
        }

    def test_a_set_in_time_stays(self, redis: Redis, run: Driver, q: Queue) -> None:
        """And it is told when its time is over."""
        in_set(q, "a", deadline=math.ceil(q.now()) + 60)
        before = snapshot(redis)
        swept = run(groups.reclaim("low"))
        assert swept == Swept(0, swept.next_milliseconds)
        assert swept.next_milliseconds == Between(58_000, 61_000)
        assert snapshot(redis) == before

    def test_one_after_the_other_in_pages(self, redis: Redis, run: Driver, q: Queue) -> None:
        """Sets of Go servers have any size: each call moves a bounded number."""
        in_set(q, *(f"{n:04}" for n in range(1100)), deadline=q.now() - 1)
        in_set(q, "last", deadline=math.ceil(q.now()) + 60, set_id="later")
        first, second, third = (run(groups.reclaim("low")) for _ in range(3))
        assert (first, second) == (Swept(500, 0), Swept(500, 0))
        assert third.count == 100
        assert third.next_milliseconds > 0
        assert redis.zcard(GROUP) == 1100
        assert redis.zrange(Q.aggregation_sets, 0, -1) == [Q.aggregation_set("g", "later").encode()]

    @pytest.mark.parametrize("name", ["a:b", "ü ", ":", "{x}", ""])
    def test_any_name_of_a_group(self, redis: Redis, run: Driver, q: Queue, name: str) -> None:
        """The id of the set is what follows the last colon."""
        set_key = Q.aggregation_set(name, "0c2f-id")
        redis.zadd(set_key, {"a": 5})
        redis.zadd(Q.aggregation_sets, {set_key: 1})
        assert run(groups.reclaim("low")) == Swept(1, -1)
        assert redis.zrange(Q.group(name), 0, -1) == [b"a"]
        assert redis.smembers(Q.groups) == {name.encode()}

    @pytest.mark.parametrize("member", ["rubbish", "asynq:{low}:g:no-id", SET])
    def test_entries_without_a_set_go(self, redis: Redis, run: Driver, q: Queue, member: str) -> None:
        """They would be looked at for ever."""
        redis.zadd(Q.aggregation_sets, {member: 1})
        assert run(groups.reclaim("low")) == Swept(0, -1)
        assert snapshot(redis) == {}

    def test_a_set_of_ones_own_in_time(self, redis: Redis, run: Driver, q: Queue) -> None:
        """A server that ends gives it back at once; others stay."""
        in_set(q, *(f"{n:04}" for n in range(700)))
        in_set(q, "other", set_id="other")
        run(groups.give_back("low", SET))
        assert redis.zcard(GROUP) == 700
        assert redis.zrange(Q.aggregation_sets, 0, -1) == [Q.aggregation_set("g", "other").encode()]
        before = snapshot(redis)
        run(groups.give_back("low", SET))
        assert snapshot(redis) == before


def test_groups_that_are_not_listed_are_listed_again(redis: Redis, run: Driver, q: Queue) -> None:
    """Those that have tasks."""
    grouped(q, "a", q.now(), "one")
    grouped(q, "b", q.now(), "two")
    redis.srem(Q.groups, "one")
    before = snapshot(redis)
    assert run(groups.relist("low", ["one", "two", "three"])) == ["one"]
    assert snapshot(redis) == before | {Q.groups: Members.of("one", "two")}
