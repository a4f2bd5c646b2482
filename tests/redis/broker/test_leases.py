"""Keeping claims alive, and taking tasks back from claims that ended."""

from __future__ import annotations

import math
from datetime import datetime

import msgspec
import pytest
from redis import Redis

from asynqpy import attempts
from asynqpy._broker.dequeue import Held, claim, claimed_by
from asynqpy._broker.finish import Done, finish
from asynqpy._broker.leases import Recovered, begin, expired, extend, is_last_chance, mend, recover
from asynqpy._wire.moments import unix_nanoseconds
from asynqpy.errors import LeaseExpiredError
from tests.redis.drive import Driver
from tests.redis.seed import TOKEN, Queue, fractional, scores
from tests.redis.snapshot import Fraction, Items, Scores, snapshot


@pytest.fixture
def now(q: Queue) -> datetime:
    """The present moment of the server."""
    return q.today()


class TestExtend:
    """Fresh leases for running tasks."""

    def test_a_lease_is_moved(self, redis: Redis, run: Driver, q: Queue) -> None:
        """To the asked distance from the server's present, and nothing else changes."""
        message = q.active("a", ends_in=3)
        before = q.now()
        assert run(extend("low", [("a", TOKEN)], lease_milliseconds=30_000)) == []
        assert snapshot(redis) == {
            q.keys.active: Items.of("a"),
            q.keys.lease: Scores({"a": Fraction(before + 29.999, q.now() + 30.001)}),
            **q.task(message, "active", py_claim=TOKEN.encode()),
        }

    @pytest.mark.parametrize("milliseconds", [1000, 10_000, 30_000, 3_600_000])
    def test_a_lease_never_ends_on_a_whole_second(self, run: Driver, q: Queue, milliseconds: int) -> None:
        """Or it would pass for a Go server's."""
        q.active("a")
        before = q.now()
        run(extend("low", [("a", TOKEN)], lease_milliseconds=milliseconds))
        score = q.redis.zscore(q.keys.lease, "a")
        assert score == Fraction(before + milliseconds / 1000 - 0.001, q.now() + milliseconds / 1000 + 0.001)

    def test_a_lease_that_would_end_on_a_whole_second_ends_later(self, run: Driver, q: Queue) -> None:
        """Aimed at whole seconds a hundred times, it never does."""
        q.active("a")
        for n in range(100):
            to_the_second = 1000 - round(q.now() * 1000) % 1000
            run(extend("low", [("a", TOKEN)], lease_milliseconds=10_000 + to_the_second + n % 3 - 1))
            assert q.redis.zscore(q.keys.lease, "a") % 1 != 0

    def test_a_lost_claim_is_reported_and_left_alone(self, redis: Redis, run: Driver, q: Queue) -> None:
        """Held by another claim, by a Go server, finished, or never there."""
        q.active("another", token="another")
        q.go_active("go")
        q.active("finished")
        run(finish([Done("low", "finished", TOKEN)], now=q.today()))
        before = snapshot(redis)
        claims = [(task_id, TOKEN) for task_id in ("another", "go", "finished", "unknown")]
        assert run(extend("low", claims, lease_milliseconds=30_000)) == [task_id for task_id, _ in claims]
        assert snapshot(redis) == before

    def test_a_task_retaken_by_go_is_lost(self, redis: Redis, run: Driver, q: Queue) -> None:
        """Our token may still be in its hash, for Go leaves unknown fields alone; the whole second tells."""
        q.active("a")
        q.redis.zadd(q.keys.lease, {"a": math.floor(q.now()) + 30})
        assert run(extend("low", [("a", TOKEN)], lease_milliseconds=30_000)) == ["a"]

    def test_a_lease_that_ended_may_still_be_extended(self, run: Driver, q: Queue) -> None:
        """While nobody has taken the task back it is still this claim's."""
        q.active("a", ends_in=-1)
        assert run(extend("low", [("a", TOKEN)], lease_milliseconds=30_000)) == []
        assert run(expired("low")) == []

    def test_each_claim_has_its_own_token(self, run: Driver, q: Queue) -> None:
        """One call serves the claims of many turns."""
        q.active("a", token="1")
        q.active("b", token="2")
        q.active("c", token="3")
        assert run(extend("low", [("a", "1"), ("b", "9"), ("c", "3")], lease_milliseconds=30_000)) == ["b"]

    def test_thousands_of_claims(self, run: Driver, q: Queue) -> None:
        """In pieces, none forgotten."""
        for n in range(1500):
            q.active(str(n), ends_in=1)
        before = q.now()
        assert run(extend("low", [(str(n), TOKEN) for n in range(1500)], lease_milliseconds=30_000)) == []
        ends = [score for _, score in q.redis.zrange(q.keys.lease, 0, -1, withscores=True)]
        assert len(ends) == 1500
        assert min(ends) >= before + 29


def lost(now: datetime) -> bytes:
    """What is kept of an attempt that was lost with its worker."""
    return attempts.encode("the worker died while it ran this task", now=now.timestamp(), is_lost=True)


class TestExpired:
    """Tasks whose lease has ended by the server's own clock."""

    def test_they_are_found_without_an_allowance(self, redis: Redis, run: Driver, q: Queue) -> None:
        """A few milliseconds after the end; nothing is changed."""
        message = q.active("a", ends_in=-0.005, fields={"py:crashes": 2})
        q.active("alive", ends_in=5)
        before = snapshot(redis)
        [held] = run(expired("low"))
        assert (held.id, held.message, held.crashes, held.begun) == ("a", message.encode(), 2, False)
        assert float(held.lease_score) == q.redis.zscore(q.keys.lease, "a")
        assert snapshot(redis) == before

    def test_they_tell_whether_they_had_begun(self, run: Driver, q: Queue) -> None:
        """By this very claim; of a Go server nobody knows, so it is assumed."""
        q.active("claimed", ends_in=-1, fields={"py:begun": "an earlier claim"})
        q.active("begun", ends_in=-2, fields={"py:begun": TOKEN})
        q.go_active("go", ends_in=-40)
        q.redis.zadd(q.keys.lease, {"ghost": fractional(q.now() - 50)})
        assert {held.id: held.begun for held in run(expired("low"))} == {
            "ghost": False,
            "go": True,
            "begun": True,
            "claimed": False,
        }

    def test_leases_of_go_get_thirty_seconds(self, run: Driver, q: Queue) -> None:
        """They were made by another clock, and Go's own recoverer waits as long."""
        q.go_active("recent", ends_in=-27)
        q.go_active("old", ends_in=-31)
        assert [held.id for held in run(expired("low"))] == ["old"]

    def test_the_longest_ended_come_first(self, run: Driver, q: Queue) -> None:
        """And no more than the limit."""
        for seconds in (1, 5, 3):
            q.active(str(seconds), ends_in=-seconds)
        assert [held.id for held in run(expired("low"))] == ["5", "3", "1"]
        assert [held.id for held in run(expired("low", limit=2))] == ["5", "3"]

    def test_an_id_without_a_message_is_found_too(self, run: Driver, q: Queue) -> None:
        """Recovery clears it away."""
        q.redis.zadd(q.keys.lease, {"ghost": fractional(q.now() - 1)})
        assert [(held.id, held.message) for held in run(expired("low"))] == [("ghost", b"")]

    def test_nothing_has_ended(self, redis: Redis, run: Driver) -> None:
        """An empty queue leaves no trace."""
        assert run(expired("low")) == []
        assert snapshot(redis) == {}


class TestBegin:
    """The mark of an attempt that begins."""

    def test_it_names_the_claim(self, redis: Redis, run: Driver, q: Queue) -> None:
        """In the hash, and nowhere else."""
        message = q.active("a", fields={"py:crashes": 2})
        before = snapshot(redis)
        run(begin("low", "a", TOKEN))
        mark = q.task(message, "active", py_claim=TOKEN.encode(), py_begun=TOKEN.encode(), py_crashes=b"2")
        assert snapshot(redis) == before | mark

    def test_a_lost_claim_does_not_begin(self, redis: Redis, run: Driver, q: Queue) -> None:
        """Of a task that runs elsewhere, that is gone, or that waits again."""
        q.active("elsewhere", token="another")
        q.hash("waits", "pending", {"py:claim": TOKEN})
        before = snapshot(redis)
        for task_id in ("elsewhere", "gone", "waits"):
            with pytest.raises(LeaseExpiredError):
                run(begin("low", task_id, TOKEN))
        assert snapshot(redis) == before


class TestRecover:
    """Tasks that were lost with their worker."""

    def test_a_task_goes_to_the_front(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """Next to run, message unchanged so that no retry is spent, the crash remembered, nothing counted."""
        q.pending("waiting")
        message = q.active("a", ends_in=-1, retried=3, fields={"py:traceback": b"before"})
        assert run(recover("low", run(expired("low")), max_crashes=3, now=now)) == [Recovered("a", 1, False)]
        assert snapshot(redis) == {
            q.keys.pending: Items.of("waiting", "a"),
            **q.task(q.message("waiting"), "pending", pending_since=b"1700000000000000000"),
            **q.task(
                message,
                "pending",
                pending_since=b"%d" % unix_nanoseconds(now),
                py_crashes=b"1",
                py_traceback=b"before",
                py_attempts=lost(now),
            ),
        }

    def test_the_third_crash_archives(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """With the reason and the moment in the message; counted as processed and failed."""
        message = q.active("a", ends_in=-1, retried=3, fields={"py:crashes": 2, "py:begun": TOKEN})
        assert run(recover("low", run(expired("low")), max_crashes=3, now=now)) == [Recovered("a", 3, True)]
        seconds = math.floor(now.timestamp())
        told = msgspec.structs.replace(
            message, error_msg="the worker died 3 times while it ran this task", last_failed_at=seconds
        )
        assert snapshot(redis) == {
            q.keys.archived: scores(a=seconds),
            **q.task(told, "archived", py_crashes=b"3", py_attempts=lost(now)),
            **q.counters(now, processed=1, failed=1),
        }

    def test_a_last_chance_that_was_not_taken_stays(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """Its worker died, but of another task: this one was claimed and not begun."""
        message = q.active("a", ends_in=-1, fields={"py:crashes": 2, "py:begun": "an earlier claim"})
        assert run(recover("low", run(expired("low")), max_crashes=3, now=now)) == [Recovered("a", 2, False)]
        assert snapshot(redis) == {
            q.keys.pending: Items.of("a"),
            **q.task(message, "pending", pending_since=b"%d" % unix_nanoseconds(now), py_crashes=b"2"),
        }

    def test_three_lives(self, run: Driver, q: Queue, now: datetime) -> None:
        """From the first claim to the archive, as a task that kills its worker goes."""
        q.pending("killer")
        fates = []
        for life in range(3):
            [claimed] = run(claim("low", 1, token=f"life-{life}", lease_milliseconds=30_000))
            assert (claimed.id, claimed.crashes) == ("killer", life)
            if is_last_chance(claimed.crashes, 3):
                run(begin("low", "killer", f"life-{life}"))
            q.pass_time(31)
            fates += run(recover("low", run(expired("low")), max_crashes=3, now=now))
        assert fates == [Recovered("killer", 1, False), Recovered("killer", 2, False), Recovered("killer", 3, True)]
        assert run(claim("low", 1, token="after", lease_milliseconds=30_000)) == []

    def test_an_unreadable_message_is_archived_as_it_is(
        self, redis: Redis, run: Driver, q: Queue, now: datetime
    ) -> None:
        """A Go recoverer would stop at it for ever; out of ``active`` it harms nobody."""
        q.active("a", ends_in=-1, fields={"py:crashes": 2, "py:begun": TOKEN, "msg": b"\xff\xff"})
        assert run(recover("low", run(expired("low")), max_crashes=3, now=now)) == [Recovered("a", 3, True)]
        left = snapshot(redis)
        assert redis.hgetall(q.keys.task("a")) == {b"msg": b"\xff\xff", b"state": b"archived", b"py:crashes": b"3"} | {
            b"py:attempts": lost(now)
        }
        assert left.keys() == {q.keys.archived, q.keys.task("a"), *q.counters(now, 1, 1)}

    def test_a_lease_that_changed_since_keeps_its_task(
        self, redis: Redis, run: Driver, q: Queue, now: datetime
    ) -> None:
        """Extended, finished, or recovered by another server between the look and the deed."""
        for task_id in ("extended", "finished", "recovered", "lost"):
            q.active(task_id, ends_in=-1)
        lost = run(expired("low"))
        assert len(lost) == 4
        run(extend("low", [("extended", TOKEN), ("finished", TOKEN)], lease_milliseconds=30_000))
        run(finish([Done("low", "finished", TOKEN)], now=now))
        run(recover("low", [held for held in lost if held.id == "recovered"], max_crashes=3, now=now))
        assert run(recover("low", lost, max_crashes=3, now=now)) == [Recovered("lost", 1, False)]
        left = snapshot(redis)
        assert left[q.keys.active] == Items.of("extended")
        assert left[q.keys.pending] == Items.of("recovered", "lost")

    def test_its_old_worker_cannot_finish_it(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """The claim of the dead is broken, before and after the task runs elsewhere."""
        q.active("a", ends_in=-1)
        run(recover("low", run(expired("low")), max_crashes=3, now=now))
        assert run(finish([Done("low", "a", TOKEN)], now=now)) == ["a"]
        run(claim("low", 1, token="elsewhere", lease_milliseconds=30_000))
        before = snapshot(redis)
        assert run(finish([Done("low", "a", TOKEN)], now=now)) == ["a"]
        assert run(extend("low", [("a", TOKEN)], lease_milliseconds=30_000)) == ["a"]
        assert snapshot(redis) == before

    def test_a_task_of_go_is_recovered_too(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """After its allowance, by our rule: no retry is spent."""
        message = q.go_active("a", ends_in=-31)
        run(recover("low", run(expired("low")), max_crashes=3, now=now))
        assert snapshot(redis) == {
            q.keys.pending: Items.of("a"),
            **q.task(
                message, "pending", pending_since=b"%d" % unix_nanoseconds(now), py_crashes=b"1", py_attempts=lost(now)
            ),
        }

    def test_a_lease_without_an_active_task_is_cleared_away(
        self, redis: Redis, run: Driver, q: Queue, now: datetime
    ) -> None:
        """The task, wherever it is, stays as it is."""
        q.pending("elsewhere")
        before = snapshot(redis)
        q.redis.zadd(q.keys.lease, {"elsewhere": fractional(q.now() - 1), "gone": fractional(q.now() - 1)})
        assert run(recover("low", run(expired("low")), max_crashes=3, now=now)) == []
        assert snapshot(redis) == before

    def test_an_active_id_without_a_message_is_cleared_away(
        self, redis: Redis, run: Driver, q: Queue, now: datetime
    ) -> None:
        """A Go server that dequeued a ghost leaves a hash with nothing but a state: it would block its id for ever."""
        q.redis.lpush(q.keys.active, "ghost")
        q.redis.zadd(q.keys.lease, {"ghost": math.floor(q.now()) - 40})
        q.redis.hset(q.keys.task("ghost"), "state", "active")
        assert run(recover("low", run(expired("low")), max_crashes=3, now=now)) == []
        assert snapshot(redis) == {}

    def test_an_id_that_is_active_twice_runs_once(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """All its entries go when it is put back."""
        q.active("a", ends_in=-1)
        q.redis.lpush(q.keys.active, "a")
        run(recover("low", run(expired("low")), max_crashes=3, now=now))
        left = snapshot(redis)
        assert left[q.keys.pending] == Items.of("a")
        assert q.keys.active not in left

    def test_a_supervisor_returns_the_tasks_of_its_child(
        self, redis: Redis, run: Driver, q: Queue, now: datetime
    ) -> None:
        """Before their leases end: what `claimed_by` finds can be recovered at once."""
        q.active("a", token="child1-7")
        q.active("b", token="child2-7")
        held = run(claimed_by("low", "child1-"))
        assert run(recover("low", held, max_crashes=3, now=now)) == [Recovered("a", 1, False)]
        left = snapshot(redis)
        assert left[q.keys.pending] == Items.of("a")
        assert left[q.keys.active] == Items.of("b")

    def test_thousands_at_once(self, run: Driver, q: Queue, now: datetime) -> None:
        """As many as `expired` gives."""
        for n in range(1000):
            q.active(str(n), ends_in=-1, fields={"py:crashes": n % 3, "py:begun": TOKEN})
        fates = run(recover("low", run(expired("low")), max_crashes=3, now=now))
        assert len(fates) == 1000
        assert sum(fate.archived for fate in fates) == 333
        assert q.redis.llen(q.keys.pending) == 667
        assert q.redis.zcard(q.keys.archived) == 333
        assert q.redis.exists(q.keys.active, q.keys.lease) == 0
        assert q.redis.get(q.keys.failed) == b"333"

    def test_nobody_was_lost(self, redis: Redis, run: Driver, now: datetime) -> None:
        """Then nothing is said and nothing written."""
        assert run(recover("low", [], max_crashes=3, now=now)) == []
        assert snapshot(redis) == {}

    def test_what_was_never_there_is_not_recovered(self, redis: Redis, run: Driver, now: datetime) -> None:
        """An id from nowhere leaves no trace."""
        assert run(recover("low", [Held("unknown", b"", "1.5", 0)], max_crashes=3, now=now)) == []
        assert snapshot(redis) == {}


class TestMend:
    """What only something broken leaves behind."""

    def test_an_active_task_without_a_lease_runs_again(
        self, redis: Redis, run: Driver, q: Queue, now: datetime
    ) -> None:
        """Nobody extends or recovers it otherwise. It is the next to run; no crash is counted."""
        q.pending("waiting")
        q.active("healthy")
        message = q.active("a", fields={"py:begun": TOKEN})
        q.redis.zrem(q.keys.lease, "a")
        before = snapshot(redis)
        assert run(mend("low", now=now)) == (["a"], 0)
        assert snapshot(redis) == before | {
            q.keys.pending: Items.of("waiting", "a"),
            q.keys.active: Items.of("healthy"),
            **q.task(message, "pending", pending_since=b"%d" % unix_nanoseconds(now)),
        }

    def test_an_active_id_without_a_message_is_cleared_away(
        self, redis: Redis, run: Driver, q: Queue, now: datetime
    ) -> None:
        """With what is left of its hash."""
        q.active("healthy")
        before = snapshot(redis)
        q.redis.lpush(q.keys.active, "ghost")
        q.redis.hset(q.keys.task("ghost"), "state", "active")
        assert run(mend("low", now=now)) == ([], 1)
        assert snapshot(redis) == before

    def test_a_lease_without_an_active_task_is_cleared_away(
        self, redis: Redis, run: Driver, q: Queue, now: datetime
    ) -> None:
        """A Go recoverer would warn about it for ever. Its task, if there is one, stays as it is."""
        q.active("healthy")
        q.pending("elsewhere")
        before = snapshot(redis)
        q.redis.zadd(q.keys.lease, {"elsewhere": 1, "gone": 2.5})
        assert run(mend("low", now=now)) == ([], 2)
        assert snapshot(redis) == before

    def test_an_id_that_is_active_twice_without_a_lease_runs_once(
        self, redis: Redis, run: Driver, q: Queue, now: datetime
    ) -> None:
        """All its entries go."""
        q.active("a")
        q.redis.zrem(q.keys.lease, "a")
        q.redis.lpush(q.keys.active, "a")
        assert run(mend("low", now=now)) == (["a"], 0)
        assert snapshot(redis)[q.keys.pending] == Items.of("a")

    @pytest.mark.parametrize("count", [0, 1, 5])
    def test_a_sound_queue_is_left_alone(self, redis: Redis, run: Driver, q: Queue, now: datetime, count: int) -> None:
        """Whatever runs there, for Python or for Go."""
        for n in range(count):
            q.active(f"python-{n}")
            q.go_active(f"go-{n}")
        before = snapshot(redis)
        assert run(mend("low", now=now)) == ([], 0)
        assert snapshot(redis) == before
