"""Claiming pending tasks, and finding the tasks of a claim again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from redis import Redis

from asynqpy._broker.dequeue import Claimed, Held, claim, claimed_by
from asynqpy._broker.turn import turn
from tests.redis.drive import Driver
from tests.redis.seed import TOKEN, Queue, fractional
from tests.redis.snapshot import Fraction, Items, Scores, snapshot

SINCE = 1_700_000_000_000_000_000
LEASE = 30_000


def test_a_claim_moves_a_task_to_active(redis: Redis, run: Driver, q: Queue) -> None:
    """Out of the list, with a lease, marked with the token; ``pending_since`` is gone."""
    q.pending("a")
    message = q.message("a")
    q.redis.hset(q.keys.task("a"), "py:crashes", 2)
    before = q.now()
    claimed = run(claim("low", 1, token=TOKEN, lease_milliseconds=LEASE))
    assert claimed == [Claimed("a", message.encode(), SINCE, crashes=2)]
    assert snapshot(redis) == {
        q.keys.active: Items.of("a"),
        q.keys.lease: Scores({"a": Fraction(before + 29.999, q.now() + 30.001)}),
        **q.task(message, "active", py_claim=TOKEN.encode(), py_crashes=b"2"),
    }


def test_the_oldest_task_comes_first(redis: Redis, run: Driver, q: Queue) -> None:
    """First in, first out; the newest claim stands at the head of ``active``, as in asynq."""
    q.pending("a", "b", "c", "d")
    claimed = run(claim("low", 3, token=TOKEN, lease_milliseconds=LEASE))
    assert [task.id for task in claimed] == ["a", "b", "c"]
    left = snapshot(redis)
    assert left[q.keys.pending] == Items.of("d")
    assert left[q.keys.active] == Items.of("c", "b", "a")
    assert isinstance(leases := left[q.keys.lease], Scores)
    assert leases.scores.keys() == {"a", "b", "c"}


def test_a_task_put_back_is_the_next(run: Driver, q: Queue) -> None:
    """What is pushed on the right is served first."""
    q.pending("a", "b")
    q.hash("back", "pending")
    q.redis.rpush(q.keys.pending, "back")
    claimed = run(claim("low", 2, token=TOKEN, lease_milliseconds=LEASE))
    assert [(task.id, task.pending_since) for task in claimed] == [("back", 0), ("a", SINCE)]


def test_a_claim_takes_what_there_is(run: Driver, q: Queue) -> None:
    """Fewer than asked for when the queue has fewer."""
    q.pending("a", "b")
    assert len(run(claim("low", 10, token=TOKEN, lease_milliseconds=LEASE))) == 2
    assert run(claim("low", 10, token=TOKEN, lease_milliseconds=LEASE)) == []


def test_an_empty_queue_leaves_no_trace(redis: Redis, run: Driver) -> None:
    """A claim in vain writes nothing."""
    assert run(claim("low", 10, token=TOKEN, lease_milliseconds=LEASE)) == []
    assert snapshot(redis) == {}


def test_a_paused_queue_gives_nothing(redis: Redis, run: Driver, q: Queue) -> None:
    """Whatever the value of the key; a turn says which queue is paused."""
    q.pending("a")
    q.redis.set(q.keys.paused, "1700000000")
    before = snapshot(redis)
    assert run(claim("low", 1, token=TOKEN, lease_milliseconds=LEASE)) == []
    report = run(turn([], {"low": 1}, token=TOKEN, lease_milliseconds=LEASE, now=q.today()))
    assert (report.paused, report.claimed) == (["low"], {})
    assert snapshot(redis) == before


@pytest.mark.parametrize("left_over", [{}, {"result": b"late"}, {"state": b"active"}])
def test_an_id_without_a_message_is_dropped(redis: Redis, run: Driver, q: Queue, left_over: dict[str, Any]) -> None:
    """asynq would keep it in ``active`` for ever; what is left of its hash goes, so that the id is free again."""
    q.pending("a", "ghost", "b")
    q.redis.delete(q.keys.task("ghost"))
    if left_over:
        q.redis.hset(q.keys.task("ghost"), mapping=left_over)
    claimed = run(claim("low", 3, token=TOKEN, lease_milliseconds=LEASE))
    assert [task.id for task in claimed] == ["a", "b"]
    left = snapshot(redis)
    assert left.keys() == {q.keys.active, q.keys.lease, q.keys.task("a"), q.keys.task("b")}
    assert left[q.keys.active] == Items.of("b", "a")


def test_only_ghosts_leave_nothing(redis: Redis, run: Driver, q: Queue) -> None:
    """No empty claim is written."""
    q.redis.lpush(q.keys.pending, "ghost")
    assert run(claim("low", 1, token=TOKEN, lease_milliseconds=LEASE)) == []
    assert snapshot(redis) == {}


@pytest.mark.parametrize("milliseconds", [1, 999, 1000, 10_000, 30_000, 86_400_000])
def test_a_lease_never_ends_on_a_whole_second(run: Driver, q: Queue, milliseconds: int) -> None:
    """That is how it shows that a Python server made it; the odd millisecond is added, not taken."""
    q.pending("a")
    before = q.now()
    run(claim("low", 1, token=TOKEN, lease_milliseconds=milliseconds))
    score = q.redis.zscore(q.keys.lease, "a")
    assert score == Fraction(before + milliseconds / 1000 - 0.001, q.now() + milliseconds / 1000 + 0.001)


def test_a_lease_that_would_end_on_a_whole_second_ends_later(run: Driver, q: Queue) -> None:
    """Aimed at whole seconds a hundred times: each lease is at least the odd millisecond beside it."""
    for n in range(100):
        q.pending(str(n))
        to_the_second = 1000 - round(q.now() * 1000) % 1000
        run(claim("low", 1, token=TOKEN, lease_milliseconds=10_000 + to_the_second + n % 3 - 1))
    leases = q.redis.zrange(q.keys.lease, 0, -1, withscores=True)
    assert len(leases) == 100
    assert not [task_id for task_id, score in leases if score % 1 == 0]


def test_odd_ids_and_messages_arrive_unchanged(run: Driver, q: Queue) -> None:
    """Ids that look like numbers stay text, payloads stay bytes."""
    for task_id in ("1e3", "007", "日本", "a:b c"):
        q.hash(task_id, "pending", payload=b"\x00\xff\r\n")
        q.redis.lpush(q.keys.pending, task_id)
    claimed = run(claim("low", 9, token=TOKEN, lease_milliseconds=LEASE))
    assert [task.id for task in claimed] == ["1e3", "007", "日本", "a:b c"]
    assert claimed[0].message == q.message("1e3", payload=b"\x00\xff\r\n").encode()


def test_a_very_large_claim(redis: Redis, run: Driver, q: Queue) -> None:
    """A claim takes a thousand tasks at most, whatever was asked for, so that no call runs for long."""
    ids = [str(n) for n in range(10_000)]
    pipeline = q.redis.pipeline(transaction=False)
    message = q.message("same").encode()
    for task_id in ids:
        pipeline.hset(q.keys.task(task_id), mapping={"msg": message, "state": "pending"})
    pipeline.lpush(q.keys.pending, *ids)
    pipeline.execute()
    claimed = run(claim("low", 10_000, token=TOKEN, lease_milliseconds=LEASE))
    assert [task.id for task in claimed] == ids[:1000]
    assert q.redis.lrange(q.keys.active, 0, -1) == [task_id.encode() for task_id in reversed(ids[:1000])]
    assert q.redis.zcard(q.keys.lease) == 1000
    assert q.redis.llen(q.keys.pending) == 9000


@pytest.mark.parametrize("count", [1, 4, 5, 6, 100])
def test_the_leases_are_those_of_the_claimed(redis: Redis, run: Driver, q: Queue, count: int) -> None:
    """One for each, whatever their number and whoever else has some; nothing else is in the set."""
    q.active("older", token="another")
    q.pending(*(str(n) for n in range(count)))
    before = q.now()
    claimed = run(claim("low", count, token=TOKEN, lease_milliseconds=LEASE))
    left = snapshot(redis)
    assert isinstance(leases := left[q.keys.lease], Scores)
    assert leases.scores.keys() == {"older", *(task.id for task in claimed)}
    fresh = Fraction(before + 29.999, q.now() + 30.001)
    assert [task.id for task in claimed if leases.scores[task.id] == fresh] == [str(n) for n in range(count)]


class TestClaimedBy:
    """The active tasks of one claim, or of all claims of one server."""

    def test_finds_them_by_token(self, redis: Redis, run: Driver, q: Queue) -> None:
        """The prefix of a server finds all its claims; nothing is changed."""
        first = q.active("a", token="server1-1")
        second = q.active("b", token="server1-2", fields={"py:crashes": 2, "py:begun": "server1-2"})
        q.active("c", token="server2-1")
        before = snapshot(redis)
        lease = {task_id: q.redis.zscore(q.keys.lease, task_id) for task_id in "ab"}
        found = run(claimed_by("low", "server1-"))
        assert [msgspec.structs.replace(held, lease_score="") for held in found] == [
            Held("b", second.encode(), "", 2, begun=True, token="server1-2"),
            Held("a", first.encode(), "", 0, begun=False, token="server1-1"),
        ]
        assert [float(held.lease_score) for held in found] == [lease["b"], lease["a"]]
        assert [held.id for held in run(claimed_by("low", "server1-1"))] == ["a"]
        assert run(claimed_by("low", "server3-")) == []
        assert snapshot(redis) == before

    def test_tells_a_begun_attempt_from_an_earlier_one(self, run: Driver, q: Queue) -> None:
        """A mark of another claim says nothing about this one."""
        q.active("a", fields={"py:begun": "an earlier claim"})
        assert [held.begun for held in run(claimed_by("low", TOKEN))] == [False]

    def test_takes_the_prefix_literally(self, run: Driver, q: Queue) -> None:
        """A token is no pattern."""
        q.active("a", token="xyz")
        assert run(claimed_by("low", "x.z")) == []
        assert run(claimed_by("low", "xyzz")) == []

    def test_leaves_out_what_is_no_longer_of_the_claim(self, run: Driver, q: Queue) -> None:
        """Retaken by a Go server (a whole-second lease), without a lease, or without a message."""
        q.active("go")
        q.redis.zadd(q.keys.lease, {"go": int(q.now()) + 30})
        q.active("lost")
        q.redis.zrem(q.keys.lease, "lost")
        q.active("ghost")
        q.redis.hdel(q.keys.task("ghost"), "msg")
        q.go_active("other")
        assert run(claimed_by("low", TOKEN)) == []

    def test_the_score_is_the_one_that_recovery_compares(self, run: Driver, q: Queue) -> None:
        """As Redis spells it, digit by digit."""
        q.active("a")
        q.redis.zadd(q.keys.lease, {"a": fractional(1_700_000_000.123)})
        [held] = run(claimed_by("low", TOKEN))
        assert float(held.lease_score) == 1_700_000_000.123


def test_a_turn_writes_and_claims(redis: Redis, run: Driver, q: Queue) -> None:
    """Both halves in one round trip, on several queues."""
    high = Queue(redis, "high")
    q.pending("a", "b")
    high.pending("c")
    report = run(turn([], {"low": 1, "high": 5, "idle": 1}, token=TOKEN, lease_milliseconds=LEASE, now=q.today()))
    assert {queue: [task.id for task in tasks] for queue, tasks in report.claimed.items()} == {
        "low": ["a"],
        "high": ["c"],
        "idle": [],
    }
    left = snapshot(redis)
    assert left[q.keys.pending] == Items.of("b")
    assert high.keys.pending not in left
