"""What becomes due by itself: never early, in order, and nothing left behind."""

from __future__ import annotations

import math

import pytest
from redis import Redis

from asynqpy._broker.due import FORWARD_LIMIT, Swept, delete_expired, forward
from tests.redis.drive import Driver
from tests.redis.seed import Queue, nanoseconds, scores
from tests.redis.snapshot import Between, Hash, Items, Members, Scores, snapshot

WAITING = ["scheduled", "retry"]


@pytest.mark.parametrize("which", WAITING)
class TestForward:
    """From either set."""

    def test_a_due_task_becomes_pending(self, redis: Redis, run: Driver, q: Queue, which: str) -> None:
        """Out of the set and the index, with the moment it began to wait in the queue."""
        before = q.now()
        q.waiting(which, "a", before - 5)
        assert run(forward("low")) == Swept(1, -1)
        assert snapshot(redis) == {
            q.keys.pending: Items.of("a"),
            **q.task(q.message("a"), "pending", pending_since=nanoseconds(before, q.now())),
        }

    def test_nobody_is_early(self, redis: Redis, run: Driver, q: Queue, which: str) -> None:
        """Neither by the whole seconds nor by the index; the answer tells how long to sleep."""
        q.waiting(which, "whole", math.ceil(q.now()) + 60)
        before = snapshot(redis)
        swept = run(forward("low"))
        assert swept == Swept(0, swept.next_milliseconds)
        assert swept.next_milliseconds == Between(58_000, 61_000)
        assert snapshot(redis) == before
        q.waiting(which, "fine", math.ceil(q.now()) + 20.5)
        before = snapshot(redis)
        assert run(forward("low")).next_milliseconds == Between(18_500, 21_500)
        assert snapshot(redis) == before

    def test_a_task_of_go_waits_for_its_whole_second(self, redis: Redis, run: Driver, q: Queue, which: str) -> None:
        """Without an index entry the score says it all: the present second is due, the next is not."""
        second = math.floor(inside_a_second(q))
        q.waiting(which, "present", second)
        q.waiting(which, "next", second + 1)
        swept = run(forward("low"))
        assert swept.count == 1
        assert swept.next_milliseconds == Between(1, 900)
        left = snapshot(redis)
        assert left[q.keys.pending] == Items.of("present")
        assert left[q.keys.prefix + which] == scores(next=second + 1)

    def test_the_index_is_exact(self, redis: Redis, run: Driver, q: Queue, which: str) -> None:
        """A task leaves at its millisecond, though its whole second is yet to come."""
        due = inside_a_second(q) - 0.001
        q.waiting(which, "a", due)
        later = math.ceil(due) + 30
        q.waiting(which, "later", later, exact=False)
        assert q.redis.zscore(q.keys.prefix + which, "a") == math.ceil(due)
        assert run(forward("low")).count == 1
        left = snapshot(redis)
        assert left[q.keys.pending] == Items.of("a")
        assert left[q.keys.prefix + which] == scores(later=later)
        assert q.keys.due not in left

    @pytest.mark.parametrize("moved_by", [-20, 20])
    def test_an_entry_that_disagrees_is_dropped(
        self, redis: Redis, run: Driver, q: Queue, which: str, moved_by: int
    ) -> None:
        """A Go peer gave the task another moment: the score wins, the index forgets."""
        due = inside_a_second(q) - 0.001
        q.waiting(which, "a", due)
        score = math.ceil(due) + moved_by
        q.redis.zadd(q.keys.prefix + which, {"a": score})
        swept = run(forward("low"))
        left = snapshot(redis)
        assert q.keys.due not in left
        if moved_by > 0:
            assert swept.count == 0
            assert left[q.keys.prefix + which] == scores(a=score)
        else:
            assert swept.count == 1
            assert left[q.keys.pending] == Items.of("a")

    def test_an_entry_for_later_goes_with_its_task(self, redis: Redis, run: Driver, q: Queue, which: str) -> None:
        """A Go peer made the task due now: nothing of it waits in the index any more."""
        q.waiting(which, "a", math.ceil(q.now()) + 100.5)
        q.redis.zadd(q.keys.prefix + which, {"a": math.floor(q.now()) - 1})
        assert run(forward("low")) == Swept(1, -1)
        assert snapshot(redis).keys() == {q.keys.pending, q.keys.task("a")}

    def test_an_entry_of_a_task_that_went_away_is_dropped(
        self, redis: Redis, run: Driver, q: Queue, which: str
    ) -> None:
        """Run, archived or deleted by a Go inspector: it does not know the index."""
        q.hash("a", "archived")
        q.redis.zadd(q.keys.archived, {"a": 1})
        q.redis.zadd(q.keys.due, {"a": round(q.now() * 1000) - 10, "gone": round(q.now() * 1000) - 20})
        assert run(forward("low")) == Swept(0, -1)
        assert snapshot(redis) == {q.keys.archived: scores(a=1), **q.task(q.message("a"), "archived")}

    def test_a_grouped_task_joins_its_group(self, redis: Redis, run: Driver, q: Queue, which: str) -> None:
        """With the present second, and the group is listed, which asynq forgets."""
        before = q.now()
        q.waiting(which, "a", before - 5, group="g")
        assert run(forward("low")) == Swept(1, -1)
        assert snapshot(redis) == {
            q.keys.group("g"): Scores({"a": Between(math.floor(before), q.now())}),
            q.keys.groups: Members.of("g"),
            **q.task(q.message("a"), "aggregating", group=b"g"),
        }

    def test_an_empty_group_is_none(self, redis: Redis, run: Driver, q: Queue, which: str) -> None:
        """As asynq has it."""
        q.waiting(which, "a", q.now() - 5, group="")
        run(forward("low"))
        assert snapshot(redis)[q.keys.pending] == Items.of("a")

    @pytest.mark.parametrize("left_over", [None, b"late result"])
    def test_an_id_without_a_task_is_dropped(
        self, redis: Redis, run: Driver, q: Queue, which: str, left_over: bytes | None
    ) -> None:
        """It would haunt the pending list; what is left of its hash goes too."""
        q.redis.zadd(q.keys.prefix + which, {"ghost": 1})
        if left_over:
            q.redis.hset(q.keys.task("ghost"), "result", left_over)
        assert run(forward("low")) == Swept(1, -1)
        assert snapshot(redis) == {}

    def test_the_limit_holds(self, redis: Redis, run: Driver, q: Queue, which: str) -> None:
        """No call moves more; while more is due the answer is: call again."""
        for n in range(5):
            q.waiting(which, f"whole-{n}", q.now() - 100 + n, exact=False)
            q.waiting(which, f"fine-{n}", math.floor(q.now()) - 50.5 + n)
        counts = []
        while True:
            swept = run(forward("low", limit=3))
            counts.append(swept.count)
            if swept.next_milliseconds:
                break
        assert swept.next_milliseconds == -1
        assert counts == [3, 3, 3, 1]
        assert isinstance(pending := snapshot(redis)[q.keys.pending], Items)
        assert len(set(pending.items)) == 10

    def test_stale_entries_count_against_the_limit(self, redis: Redis, run: Driver, q: Queue, which: str) -> None:
        """Many of them do not make a call long, nor end the sweep too soon."""
        q.redis.zadd(q.keys.due, {f"stale-{n}": n + 1 for n in range(10)})
        q.waiting(which, "a", math.floor(q.now()) - 0.5)
        moved, calls = 0, 0
        while True:
            swept = run(forward("low", limit=4))
            moved, calls = moved + swept.count, calls + 1
            if swept.next_milliseconds:
                break
        assert (moved, swept.next_milliseconds) == (1, -1)
        assert calls <= 4
        assert snapshot(redis).keys() == {q.keys.pending, q.keys.task("a")}

    def test_thousands_at_once(self, redis: Redis, run: Driver, q: Queue, which: str) -> None:
        """All move, in the order they were due."""
        pipeline = q.redis.pipeline(transaction=False)
        ids = [f"{n:04}" for n in range(2 * FORWARD_LIMIT + 7)]
        for n, task_id in enumerate(ids):
            pipeline.hset(q.keys.task(task_id), mapping={"msg": b"", "state": which})
            pipeline.zadd(q.keys.prefix + which, {task_id: n})
        pipeline.execute()
        full = Swept(FORWARD_LIMIT, 0)
        assert [run(forward("low")) for _ in range(3)] == [full, full, Swept(7, -1)]
        assert [task_id.decode() for task_id in reversed(q.redis.lrange(q.keys.pending, 0, -1))] == ids


def test_the_order_of_service(redis: Redis, run: Driver, q: Queue) -> None:
    """Scheduled before retried, each by moment and then by id, as in asynq."""
    now = math.floor(q.now())
    q.waiting("retry", "e", now - 90)
    q.waiting("retry", "d", now - 90)
    q.waiting("scheduled", "c", now - 10)
    q.waiting("scheduled", "b", now - 20)
    q.waiting("scheduled", "a", now - 20)
    assert run(forward("low")) == Swept(5, -1)
    assert snapshot(redis)[q.keys.pending] == Items.of("e", "d", "c", "b", "a")


def test_fine_moments_are_served_in_their_order(redis: Redis, run: Driver, q: Queue) -> None:
    """Within one second, too, where asynq goes by id."""
    second = math.floor(q.now()) - 10
    for task_id, fraction in (("a", 0.9), ("b", 0.1), ("c", 0.5)):
        q.waiting("scheduled", task_id, second + fraction)
    run(forward("low"))
    assert snapshot(redis)[q.keys.pending] == Items.of("a", "c", "b")


def test_new_arrivals_wait_behind(redis: Redis, run: Driver, q: Queue) -> None:
    """What becomes due is served after what is pending already."""
    q.pending("first")
    q.waiting("scheduled", "a", q.now() - 5)
    run(forward("low"))
    assert snapshot(redis)[q.keys.pending] == Items.of("a", "first")


def test_the_nearest_moment_of_all_sets_counts(run: Driver, q: Queue) -> None:
    """A sleep must not outlast any of them."""
    whole = math.ceil(q.now())
    q.waiting("scheduled", "a", whole + 90)
    q.waiting("retry", "b", whole + 60)
    assert run(forward("low")).next_milliseconds == Between(58_000, 61_000)
    q.waiting("retry", "c", whole + 30.5)
    assert run(forward("low")).next_milliseconds == Between(28_500, 31_500)
    q.waiting("scheduled", "d", whole + 10)
    assert run(forward("low")).next_milliseconds == Between(8_000, 11_000)


def test_a_task_in_the_far_future(run: Driver, q: Queue) -> None:
    """Farther than anybody lives: a long sleep, no overflow."""
    q.redis.zadd(q.keys.scheduled, {"a": 2**53 - 1})
    swept = run(forward("low"))
    assert swept.count == 0
    assert swept.next_milliseconds > 10**15


def test_a_paused_queue_is_forwarded(redis: Redis, run: Driver, q: Queue) -> None:
    """By design: only claims look at the flag."""
    q.redis.set(q.keys.paused, 1)
    q.waiting("scheduled", "a", q.now() - 5)
    assert run(forward("low")).count == 1


def test_nothing_to_forward(redis: Redis, run: Driver) -> None:
    """An empty queue leaves no trace."""
    assert run(forward("low")) == Swept(0, -1)
    assert snapshot(redis) == {}


class TestDeleteExpired:
    """Completed tasks whose retention ends."""

    def test_they_are_deleted(self, redis: Redis, run: Driver, q: Queue) -> None:
        """With their hashes and results; others stay until their second."""
        later = math.floor(q.now()) + 60
        q.completed("a", q.now() - 5)
        q.completed("now", q.now())
        q.completed("later", later)
        swept = run(delete_expired("low", limit=100))
        assert swept.count == 2
        assert swept.next_milliseconds == Between(58_000, 60_001)
        assert snapshot(redis) == {
            q.keys.completed: scores(later=later),
            q.keys.task("later"): Hash(
                {"msg": q.message("later").encode(), "state": b"completed", "result": b"result"}
            ),
        }

    def test_the_limit_holds(self, redis: Redis, run: Driver, q: Queue) -> None:
        """While more has expired the answer is: call again."""
        for n in range(5):
            q.completed(str(n), q.now() - 100 + n)
        assert run(delete_expired("low", limit=2)) == Swept(2, 0)
        assert redis.zrange(q.keys.completed, 0, -1) == [b"2", b"3", b"4"]
        assert run(delete_expired("low", limit=2)) == Swept(2, 0)
        assert run(delete_expired("low", limit=2)) == Swept(1, -1)
        assert snapshot(redis) == {}

    def test_a_janitor_may_ask_for_any_number(self, redis: Redis, run: Driver, q: Queue) -> None:
        """Nine thousand at once meet no limit of Lua."""
        q.redis.zadd(q.keys.completed, {str(n): n for n in range(9000)})
        swept, count = Swept(0, 0), 0
        while swept.next_milliseconds == 0:
            swept = run(delete_expired("low", limit=100_000))
            count += swept.count
        assert (count, swept.next_milliseconds) == (9000, -1)
        assert snapshot(redis) == {}

    def test_nothing_to_delete(self, redis: Redis, run: Driver) -> None:
        """An empty queue leaves no trace."""
        assert run(delete_expired("low", limit=100)) == Swept(0, -1)
        assert snapshot(redis) == {}


def inside_a_second(q: Queue) -> float:
    """A moment of the server whose second began and will not end at once; comes within half a second."""
    while not 0.1 < (now := q.now()) % 1 < 0.7:
        q.redis.blpop("no such key", timeout=0.05)
    return now
