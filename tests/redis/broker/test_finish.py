"""Ending attempts: exact effects of each outcome, and who is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

import msgspec
import pytest
from redis import Redis

from asynqpy import attempts
from asynqpy._broker.finish import Archive, Complete, Delay, Done, DoneUnique, Finish, HandOn, Requeue, Retry, finish
from asynqpy._broker.turn import turn
from asynqpy._wire import keys
from asynqpy._wire.moments import utc_day
from asynqpy._wire.records import TaskMessage
from tests.redis.drive import Driver
from tests.redis.seed import TOKEN, Queue, fractional, scores
from tests.redis.snapshot import Between, Hash, Items, Scores, Text, snapshot

LOCK = keys.of_queue("low").unique("t", b"")
DUE = 4_000_000_000
"""Unix seconds in the year 2096: later than any test runs."""


@pytest.fixture
def now(q: Queue) -> datetime:
    """The present moment of the server."""
    return q.today()


def failed(message: TaskMessage, now: datetime, retried: int = 1) -> TaskMessage:
    """What a worker stores after a failure."""
    return msgspec.structs.replace(
        message, retried=retried, error_msg="boom", last_failed_at=math.floor(now.timestamp())
    )


class TestDone:
    """Succeeded and not kept, or revoked."""

    def test_the_task_is_deleted_and_counted(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """Nothing is left but four counters' worth of numbers, the daily ones with 90 days to live."""
        q.active("a", fields={"result": b"result", "py:traceback": b"trace"})
        assert run(finish([Done("low", "a", TOKEN)], now=now)) == []
        assert snapshot(redis) == q.counters(now, processed=1)

    def test_the_lock_is_released(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """If it is this task's."""
        q.active("a", unique_key=LOCK, fields={"unique_key": LOCK})
        q.redis.set(LOCK, "a", ex=1000)
        run(finish([DoneUnique("low", "a", TOKEN, LOCK)], now=now))
        assert snapshot(redis) == q.counters(now, processed=1)

    def test_a_lock_of_another_task_stays(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """This task's own lock had ended and another task took it."""
        q.active("a", unique_key=LOCK, fields={"unique_key": LOCK})
        q.redis.set(LOCK, "b")
        run(finish([DoneUnique("low", "a", TOKEN, LOCK)], now=now))
        assert snapshot(redis) == {LOCK: Text(b"b"), **q.counters(now, processed=1)}


class TestComplete:
    """Succeeded and kept."""

    def test_the_task_is_kept_until_its_time(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """With its message, under the moment of its deletion."""
        message = q.active("a", retention=60)
        kept = msgspec.structs.replace(message, completed_at=math.floor(now.timestamp()))
        assert run(finish([Complete("low", "a", TOKEN, kept.encode(), DUE)], now=now)) == []
        assert snapshot(redis) == {
            q.keys.completed: scores(a=DUE),
            **q.task(kept, "completed"),
            **q.counters(now, processed=1),
        }

    @pytest.mark.parametrize(
        ("written", "returned", "stored"),
        [
            (None, b"returned", b"returned"),
            (b"written", b"returned", b"returned"),
            (b"written", b"", b""),
            (b"written", None, b"written"),
        ],
    )
    def test_a_returned_result_replaces_a_written_one(
        self,
        redis: Redis,
        run: Driver,
        q: Queue,
        now: datetime,
        written: bytes | None,
        returned: bytes | None,
        stored: bytes,
    ) -> None:
        """A handler that returns nothing keeps what it wrote."""
        message = q.active("a", fields={} if written is None else {"result": written})
        run(finish([Complete("low", "a", TOKEN, message.encode(), DUE, "", returned)], now=now))
        assert snapshot(redis)[q.keys.task("a")] == Hash(
            {"msg": message.encode(), "state": b"completed", "result": stored}
        )

    def test_an_old_traceback_goes(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """It belongs to an attempt that no longer matters; what Go or others wrote stays."""
        message = q.active("a", fields={"py:traceback": b"trace", "unique_key": LOCK, "theirs": b"kept"})
        run(finish([Complete("low", "a", TOKEN, message.encode(), DUE)], now=now))
        assert snapshot(redis)[q.keys.task("a")] == Hash(
            {"msg": message.encode(), "state": b"completed", "unique_key": LOCK.encode(), "theirs": b"kept"}
        )

    @pytest.mark.parametrize(("holder", "left"), [(b"a", None), (b"b", b"b")])
    def test_the_lock_is_released_by_its_holder(
        self, redis: Redis, run: Driver, q: Queue, now: datetime, holder: bytes, left: bytes | None
    ) -> None:
        """A duplicate may be enqueued while the completed task is still kept."""
        message = q.active("a", unique_key=LOCK)
        q.redis.set(LOCK, holder)
        run(finish([Complete("low", "a", TOKEN, message.encode(), DUE, LOCK)], now=now))
        assert redis.get(LOCK) == left


class TestRetry:
    """Failed, or put off."""

    def test_a_failure_waits_and_counts(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """In the set of retries with its new message and its traceback; all four counters move."""
        message = failed(q.active("a"), now)
        assert run(finish([Retry("low", "a", TOKEN, message.encode(), DUE * 1000, True, b"trace")], now=now)) == []
        assert snapshot(redis) == {
            q.keys.retry: scores(a=DUE),
            **q.task(message, "retry", py_traceback=b"trace"),
            **q.counters(now, processed=1, failed=1),
        }

    def test_a_finer_moment_is_kept_beside_the_score(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """As for scheduled tasks: Go sees the next whole second."""
        message = failed(q.active("a"), now)
        run(finish([Retry("low", "a", TOKEN, message.encode(), DUE * 1000 + 1)], now=now))
        assert snapshot(redis) == {
            q.keys.retry: scores(a=DUE + 1),
            q.keys.due: Scores({"a": DUE * 1000 + 1}, expires=DUE * 1000 + 1 + 3_600_000),
            **q.task(message, "retry"),
            **q.counters(now, processed=1, failed=1),
        }

    def test_what_is_no_failure_counts_nothing(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """Not even as processed, as in asynq."""
        message = q.active("a")
        run(finish([Retry("low", "a", TOKEN, message.encode(), DUE * 1000, is_failure=False)], now=now))
        assert snapshot(redis) == {q.keys.retry: scores(a=DUE), **q.task(message, "retry")}

    def test_an_old_traceback_stays_until_there_is_a_new_one(
        self, redis: Redis, run: Driver, q: Queue, now: datetime
    ) -> None:
        """Putting a task off does not hide why it failed before."""
        message = q.active("a", fields={"py:traceback": b"before"})
        run(finish([Retry("low", "a", TOKEN, message.encode(), DUE * 1000, is_failure=False)], now=now))
        assert snapshot(redis)[q.keys.task("a")] == Hash(
            {"msg": message.encode(), "state": b"retry", "py:traceback": b"before"}
        )

    def test_the_lock_stays(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """A unique task that will run again is still the only one."""
        message = q.active("a", unique_key=LOCK)
        q.redis.set(LOCK, "a")
        run(finish([Retry("low", "a", TOKEN, message.encode(), DUE * 1000)], now=now))
        assert redis.get(LOCK) == b"a"

    def test_crashes_are_remembered(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """A failure between two crashes does not hide the first."""
        message = q.active("a", fields={"py:crashes": 1})
        run(finish([Retry("low", "a", TOKEN, message.encode(), DUE * 1000)], now=now))
        assert redis.hget(q.keys.task("a"), "py:crashes") == b"1"


def attempt(n: int, size: int = 40) -> bytes:
    return b'{"at":%d,"error":"%s"}' % (n, b"x" * size)


@pytest.mark.parametrize("kind", ["retry", "archive"])
class TestHistory:
    """What is kept of attempts that failed."""

    def finish(self, kind: str, message: TaskMessage, attempt: bytes) -> Retry | Archive:
        if kind == "retry":
            return Retry("low", "a", TOKEN, message.encode(), DUE * 1000, True, b"", attempt)
        return Archive("low", "a", TOKEN, message.encode(), b"", attempt)

    @pytest.mark.parametrize(
        ("before", "size", "left"),
        [(0, 40, range(1)), (1, 40, range(2)), (9, 40, range(10)), (12, 40, range(3, 13)), (4, 10_000, range(3, 5))],
    )
    def test_the_last_are_kept(
        self, run: Driver, q: Queue, now: datetime, kind: str, before: int, size: int, left: range
    ) -> None:
        """Ten of them, and no more than 24 KiB."""
        earlier = b"\n".join(attempt(n, size) for n in range(before))
        message = q.active("a", fields={"py:attempts": earlier} if earlier else {})
        run(finish([self.finish(kind, message, attempt(before, size))], now=now))
        stored = q.redis.hget(q.keys.task("a"), "py:attempts")
        assert stored == b"\n".join(attempt(n, size) for n in left)

    def test_the_newest_is_kept_whatever_its_size(self, run: Driver, q: Queue, now: datetime, kind: str) -> None:
        """It is bounded by whoever writes it."""
        message = q.active("a", fields={"py:attempts": attempt(1)})
        run(finish([self.finish(kind, message, attempt(2, 30_000))], now=now))
        assert q.redis.hget(q.keys.task("a"), "py:attempts") == attempt(2, 30_000)

    @pytest.mark.parametrize("error", ["boom", ',"worker":"x","version":"0"', '\\","error":"'])
    def test_who_ran_it_is_kept_apart(self, run: Driver, q: Queue, now: datetime, kind: str, error: str) -> None:
        """In few bytes, whatever the texts are; gone when nobody knows who ran it."""
        message = q.active("a", fields={"py:attempts": attempt(1)})
        told = {"traceback": error.encode() * 50, "runner": attempts.Runner("h:1", "1.4.2"), "retried": 0}
        run(finish([self.finish(kind, message, attempts.encode(error, now=7.5, **told))], now=now))
        stored = q.redis.hget(q.keys.task("a"), "py:failed_by")
        assert stored == b'{"at":7500,"worker":"h:1","retried":0,"version":"1.4.2"}'
        assert attempts.runner_in(stored, failed_at=7, retried=1) == attempts.Runner("h:1", "1.4.2")
        message = q.active("a", fields={"py:failed_by": stored})
        run(finish([self.finish(kind, message, attempts.encode("lost", now=8, is_lost=True))], now=now))
        assert q.redis.hget(q.keys.task("a"), "py:failed_by") is None

    def test_nothing_told_keeps_what_there_is(self, run: Driver, q: Queue, now: datetime, kind: str) -> None:
        """Nobody ran a task whose message cannot be read."""
        message = q.active("a", fields={"py:attempts": attempt(1)})
        run(finish([self.finish(kind, message, b"")], now=now))
        assert q.redis.hget(q.keys.task("a"), "py:attempts") == attempt(1)


class TestDelay:
    """Put off by the handler."""

    def test_a_task_waits_among_the_scheduled(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """No retry is spent and nothing counted: it looks like a task for later."""
        message = q.active("a")
        assert run(finish([Delay("low", "a", TOKEN, message.encode(), DUE * 1000 + 1, False)], now=now)) == []
        assert snapshot(redis) == {
            q.keys.scheduled: scores(a=DUE + 1),
            q.keys.due: Scores({"a": DUE * 1000 + 1}, expires=DUE * 1000 + 1 + 3_600_000),
            **q.task(message, "scheduled"),
        }


class TestArchive:
    """Failed for good."""

    def test_the_task_is_archived_and_counted(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """Under the present second, with its new message and its traceback."""
        message = failed(q.active("a"), now, retried=0)
        assert run(finish([Archive("low", "a", TOKEN, message.encode(), b"trace")], now=now)) == []
        assert snapshot(redis) == {
            q.keys.archived: scores(a=math.floor(now.timestamp())),
            **q.task(message, "archived", py_traceback=b"trace"),
            **q.counters(now, processed=1, failed=1),
        }

    def test_a_refused_task_trims_nothing(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """What is too old waits for an archiving that counts."""
        q.hash("old", "archived")
        q.redis.zadd(q.keys.archived, {"old": 1})
        before = snapshot(redis)
        assert run(finish([Archive("low", "a", TOKEN, b"")], now=now)) == ["a"]
        assert snapshot(redis) == before

    def test_the_lock_stays(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """As in asynq: until its time is over, or the task is deleted."""
        message = q.active("a", unique_key=LOCK)
        q.redis.set(LOCK, "a")
        run(finish([Archive("low", "a", TOKEN, message.encode())], now=now))
        assert redis.get(LOCK) == b"a"


class TestRequeue:
    """Put back because the worker stops."""

    def test_the_task_is_the_next_to_run(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """On the right of the list, message unchanged, nothing counted, no ``pending_since``: as asynq."""
        q.pending("waiting")
        message = q.active("a")
        assert run(finish([Requeue("low", "a", TOKEN)], now=now)) == []
        assert snapshot(redis) == {
            q.keys.pending: Items.of("waiting", "a"),
            **q.task(q.message("waiting"), "pending", pending_since=b"1700000000000000000"),
            **q.task(message, "pending"),
        }


MESSAGE = TaskMessage(type="t", id="a", queue="low").encode()
OUTCOMES: dict[str, Callable[[str], Finish]] = {
    "done": lambda task_id: DoneUnique("low", task_id, TOKEN, LOCK),
    "complete": lambda task_id: Complete("low", task_id, TOKEN, MESSAGE, DUE, LOCK, b"result"),
    "retry": lambda task_id: Retry("low", task_id, TOKEN, MESSAGE, DUE * 1000 + 1, True, b"trace"),
    "delay": lambda task_id: Delay("low", task_id, TOKEN, MESSAGE, DUE * 1000 + 1, False),
    "archive": lambda task_id: Archive("low", task_id, TOKEN, MESSAGE, b"trace"),
    "requeue": lambda task_id: Requeue("low", task_id, TOKEN),
}


def another_token(q: Queue) -> None:
    """The task runs elsewhere by now."""
    q.active("a", token="another")


def no_token(q: Queue) -> None:
    """A Go server put it back and took it again."""
    q.active("a")
    q.redis.hdel(q.keys.task("a"), "py:claim")


def a_lease_of_go(q: Queue) -> None:
    """A Go server has it; our field is still there, for Go names only its own."""
    q.active("a")
    q.redis.zadd(q.keys.lease, {"a": math.floor(q.now() + 30)})


def a_lease_that_is_over(q: Queue) -> None:
    """Whoever recovers it decides now, even if nobody has yet."""
    q.active("a", ends_in=-0.002)


def no_lease(q: Queue) -> None:
    """Recovered, or never claimed."""
    q.active("a")
    q.redis.zrem(q.keys.lease, "a")


def not_active(q: Queue) -> None:
    """A lease whose task is elsewhere."""
    q.active("a")
    q.redis.lrem(q.keys.active, 0, "a")


def nothing(q: Queue) -> None:
    """The task is gone."""


REASONS = [another_token, no_token, a_lease_of_go, a_lease_that_is_over, no_lease, not_active, nothing]


class TestHandOn:
    """Given up by a server that has no handler for them."""

    def test_a_task_waits_among_the_scheduled(self, redis: Redis, run: Driver, q: Queue) -> None:
        """A second from now by Redis' clock, its message untouched, nothing counted, no retry spent."""
        message = q.active("a", retried=2, error_msg="boom")
        before = q.now()
        assert run(finish([HandOn("low", "a", TOKEN)], now=q.today())) == []
        after = q.now()
        left = snapshot(redis)
        due = left.pop(q.keys.due)
        assert left == {
            q.keys.scheduled: Scores({"a": Between(math.floor(before + 1), math.ceil(after + 1))}),
            **q.task(message, "scheduled", py_released=b"1"),
        }
        assert due == Scores({"a": Between(before * 1000 + 999, after * 1000 + 1001)}, Between(0, DUE * 1000))

    def test_it_waits_longer_each_time(self, redis: Redis, run: Driver, q: Queue) -> None:
        """Twice as long, a minute at most, and but the share that chance leaves of it; the count is in the hash."""
        waited = []
        for _ in range(9):
            q.active("a")
            before = q.now()
            run(finish([HandOn("low", "a", TOKEN, 0.75)], now=q.today()))
            redis.zadd(q.keys.due, {"a": 0}, nx=True)  # a due moment that is a whole second is in the set alone
            score = redis.zscore(q.keys.due, "a") or (redis.zscore(q.keys.scheduled, "a") or 0) * 1000
            waited.append(round(float(score) / 1000 - before, 1))  # type: ignore[arg-type]
            redis.delete(q.keys.due, q.keys.scheduled)
        expected = [0.75, 1.5, 3, 6, 12, 24, 45, 45, 45]
        assert waited == [Between(seconds - 0.05, seconds + 5) for seconds in expected]
        assert redis.hget(q.keys.task("a"), "py:released") == b"9"

    @pytest.mark.parametrize("kind", [Retry, Delay, Archive, Complete])
    def test_who_handles_it_starts_the_count_anew(
        self, redis: Redis, run: Driver, q: Queue, now: datetime, kind: type
    ) -> None:
        """Whatever comes of the attempt: the type has a consumer."""
        message = q.active("a", fields={"py:released": 7})
        records: dict[type, Finish] = {
            Retry: Retry("low", "a", TOKEN, message.encode(), DUE * 1000),
            Delay: Delay("low", "a", TOKEN, message.encode(), DUE * 1000),
            Archive: Archive("low", "a", TOKEN, message.encode()),
            Complete: Complete("low", "a", TOKEN, message.encode(), DUE),
        }
        assert run(finish([records[kind]], now=now)) == []
        assert redis.hget(q.keys.task("a"), "py:released") is None

    def test_a_group_and_a_lock_stay(self, redis: Redis, run: Driver, q: Queue) -> None:
        """It is the same task, only later."""
        q.active("a", unique_key=LOCK, group_key="g", fields={"group": "g"})
        q.redis.set(LOCK, "a")
        run(finish([HandOn("low", "a", TOKEN)], now=q.today()))
        assert redis.get(LOCK) == b"a"
        assert redis.hget(q.keys.task("a"), "group") == b"g"

    @pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.__name__)
    def test_nothing_is_written_without_a_claim(
        self, redis: Redis, run: Driver, q: Queue, reason: Callable[[Queue], None]
    ) -> None:
        """The id is reported, and not one key changes; so it is the second time."""
        reason(q)
        before = snapshot(redis)
        assert run(finish([HandOn("low", "a", TOKEN)], now=q.today())) == ["a"]
        assert snapshot(redis) == before
        q.active("b")
        assert run(finish([HandOn("low", "b", TOKEN), HandOn("low", "b", TOKEN)], now=q.today())) == ["b"]
        assert redis.hget(q.keys.task("b"), "py:released") == b"1"


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES.keys())
class TestRefusals:
    """An outcome counts only while the claim holds the task."""

    @pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.__name__)
    def test_nothing_is_written_without_a_claim(
        self,
        redis: Redis,
        run: Driver,
        q: Queue,
        now: datetime,
        outcome: Callable[[str], Finish],
        reason: Callable[[Queue], None],
    ) -> None:
        """The id is reported, and not one key changes."""
        reason(q)
        q.redis.set(LOCK, "a")
        before = snapshot(redis)
        assert run(finish([outcome("a")], now=now)) == ["a"]
        assert snapshot(redis) == before

    def test_the_second_time_is_refused(
        self, redis: Redis, run: Driver, q: Queue, now: datetime, outcome: Callable[[str], Finish]
    ) -> None:
        """A write that is sent again after a lost reply is never counted twice."""
        q.active("a")
        assert run(finish([outcome("a")], now=now)) == []
        before = snapshot(redis)
        assert run(finish([outcome("a")], now=now)) == ["a"]
        assert snapshot(redis) == before

    def test_twice_in_one_call_is_once(
        self, redis: Redis, run: Driver, q: Queue, now: datetime, outcome: Callable[[str], Finish]
    ) -> None:
        """The first of them counts."""
        q.active("a")
        run(finish([outcome("a")], now=now))
        once = snapshot(redis)
        redis.flushall()
        q.active("a")
        assert run(finish([outcome("a"), outcome("a")], now=now)) == ["a"]
        assert snapshot(redis) == once

    def test_others_in_the_call_do_not_suffer(
        self, redis: Redis, run: Driver, q: Queue, now: datetime, outcome: Callable[[str], Finish]
    ) -> None:
        """Refused ones are skipped between those that are held."""
        q.active("b")
        q.active("a", token="another")
        q.active("c")
        assert run(finish([outcome(task_id) for task_id in "bac"], now=now)) == ["a"]
        left = snapshot(redis)
        assert left[q.keys.active] == Items.of("a")
        assert isinstance(leases := left[q.keys.lease], Scores)
        assert leases.scores.keys() == {"a"}

    def test_a_batch_leaves_what_single_calls_leave(
        self, redis: Redis, run: Driver, q: Queue, now: datetime, outcome: Callable[[str], Finish]
    ) -> None:
        """Key for key; also the lock, which one of them holds."""

        def seed() -> list[Finish]:
            for task_id in ("a", "b", "c", "d"):
                q.active(task_id, token=TOKEN if task_id != "c" else "another")
            q.redis.zadd(q.keys.lease, {"c": fractional(DUE)})
            q.redis.set(LOCK, "b")
            return [outcome(task_id) for task_id in ("b", "c", "a", "d")]

        together = run(finish(seed(), now=now))
        left = snapshot(redis)
        redis.flushall()
        singly = [task_id for record in seed() for task_id in run(finish([record], now=now))]
        assert together == singly == ["c"]
        assert snapshot(redis) == left


@pytest.mark.parametrize("outcome", [name for name in OUTCOMES if name != "done"])
def test_the_mark_of_the_attempt_goes_with_it(redis: Redis, run: Driver, q: Queue, now: datetime, outcome: str) -> None:
    """Neither the claim nor its beginning outlives the attempt."""
    q.active("a", fields={"py:begun": TOKEN, "py:crashes": 2})
    run(finish([OUTCOMES[outcome]("a")], now=now))
    assert redis.hmget(q.keys.task("a"), "py:claim", "py:begun", "py:crashes") == [None, None, b"2"]


def test_odd_ids_are_found(redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
    """Ids that look like numbers, and any Unicode."""
    ids = ["1e3", "1000", "007", "日本", "a:b c", "-1"]
    for task_id in ids:
        q.active(task_id)
    assert run(finish([Done("low", task_id, TOKEN) for task_id in ids], now=now)) == []
    assert snapshot(redis) == q.counters(now, processed=6)


def test_a_turn_of_all_kinds(redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
    """Twelve hundred attempts end in six ways in one round trip, and each is where it belongs."""
    names = list(OUTCOMES)
    records = []
    for n in range(1200):
        q.active(str(n))
        records.append(OUTCOMES[names[n % 6]](str(n)))
    report = run(turn(records, {}, token="next", lease_milliseconds=30_000, now=now))
    assert (report.error, report.refused, report.unwritten) == (None, [], [])
    left = snapshot(redis)
    assert q.keys.active not in left
    assert q.keys.lease not in left
    for name in ("completed", "retry", "scheduled", "archived"):
        assert isinstance(found := left[q.keys.prefix + name], Scores)
        assert len(found.scores) == 200
    assert isinstance(pending := left[q.keys.pending], Items)
    assert len(pending.items) == 200
    assert len([key for key in left if key.startswith(q.keys.task_prefix)]) == 1000
    assert left[q.keys.processed] == Text(b"800")
    assert left[q.keys.failed] == Text(b"400")


class TestCounters:
    """How outcomes are counted."""

    def test_they_add_up(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """The life of a daily counter is set once, when it is made."""
        day = utc_day(now)
        q.redis.set(q.keys.processed, 41)
        q.redis.set(q.keys.failed, 6)
        q.redis.set(q.keys.processed_on(day), 11, pxat=DUE * 1000)
        for task_id in "abc":
            q.active(task_id)
        run(finish([OUTCOMES["done"]("a"), OUTCOMES["archive"]("b"), OUTCOMES["retry"]("c")], now=now))
        left = snapshot(redis)
        assert left[q.keys.processed] == Text(b"44")
        assert left[q.keys.failed] == Text(b"8")
        assert left[q.keys.processed_on(day)] == Text(b"14", DUE * 1000)
        assert left[q.keys.failed_on(day)] == Text(b"2", (math.floor(now.timestamp()) + 7_776_000) * 1000)

    def test_a_full_total_starts_again(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """At its largest value it becomes what is counted now; successes leave the failures alone, as in asynq."""
        q.redis.set(q.keys.processed, 2**63 - 1)
        q.redis.set(q.keys.failed, 5)
        q.active("a")
        q.active("b")
        run(finish([Done("low", "a", TOKEN), Done("low", "b", TOKEN)], now=now))
        left = snapshot(redis)
        assert left[q.keys.processed] == Text(b"2")
        assert left[q.keys.failed] == Text(b"5")

    def test_failures_start_again_with_the_total(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """Or there would be more failures than tasks."""
        q.redis.set(q.keys.processed, 2**63 - 1)
        q.redis.set(q.keys.failed, 2**62)
        q.active("a")
        run(finish([OUTCOMES["archive"]("a")], now=now))
        left = snapshot(redis)
        assert left[q.keys.processed] == Text(b"1")
        assert left[q.keys.failed] == Text(b"1")

    def test_a_batch_that_would_pass_the_end(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """Two more than one below the largest value."""
        q.redis.set(q.keys.processed, 2**63 - 2)
        q.active("a")
        q.active("b")
        assert run(finish([Done("low", "a", TOKEN), Done("low", "b", TOKEN)], now=now)) == []
        assert redis.get(q.keys.processed) == b"2"

    @pytest.mark.parametrize("outcome", [name for name in OUTCOMES if name not in {"delay", "requeue"}])
    def test_a_counter_that_is_no_number_loses_no_task(
        self, redis: Redis, run: Driver, q: Queue, now: datetime, outcome: str
    ) -> None:
        """In asynq it would: the claim is gone when the count fails. Here the counter starts again, with its life."""
        day, expiry = utc_day(now), (math.floor(now.timestamp()) + 7_776_000) * 1000
        q.active("good")
        run(finish([OUTCOMES[outcome]("good")], now=now))
        good = {name: value for name, value in snapshot(redis).items() if "processed" in name or "failed" in name}
        redis.flushall()
        for key in (q.keys.processed, q.keys.processed_on(day), q.keys.failed_on(day)):
            if key in good:
                q.redis.set(key, "no number")
        if q.keys.failed in good:
            q.redis.rpush(q.keys.failed, "no number either")
        q.active("a")
        assert run(finish([OUTCOMES[outcome]("a")], now=now)) == []
        left = snapshot(redis)
        assert {name: value for name, value in left.items() if name in good} == good
        assert left[q.keys.processed_on(day)] == Text(b"1", expiry)
        assert q.keys.active not in left

    def test_the_day_is_that_of_utc(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """Of the moment the worker tells, wherever it is."""
        q.active("a")
        run(finish([Done("low", "a", TOKEN)], now=now))
        assert q.keys.processed_on(utc_day(now)) in snapshot(redis)
        assert q.redis.ttl(q.keys.processed_on(utc_day(now))) == Between(7_776_000 - 5, 7_776_000)
