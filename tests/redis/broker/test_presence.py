"""How servers make themselves known, and results that are written while a task runs."""

from __future__ import annotations

import math
from datetime import datetime

import pytest
from redis import Redis

from asynqpy._broker.finish import Complete, Done, Requeue, finish
from asynqpy._broker.presence import announce, ping, withdraw, write_result
from asynqpy._wire.records import ServerInfo, WorkerInfo
from asynqpy.errors import LeaseExpiredError
from tests.redis.drive import Driver
from tests.redis.seed import TOKEN, Queue
from tests.redis.snapshot import Between, Hash, Scores, Text, snapshot

SERVER, WORKERS = "asynq:servers:{h:1:sid}", "asynq:workers:{h:1:sid}"
HANDLED = "asynq:py:handled:{h:1:sid}"
IDENTITY = "h:1:sid"


@pytest.fixture
def now(q: Queue) -> datetime:
    """The present moment of the server."""
    return q.today()


def info(now: datetime, status: str = "active") -> ServerInfo:
    """A server."""
    return ServerInfo(
        host="h",
        pid=1,
        server_id="sid",
        concurrency=10,
        queues={"low": 1},
        status=status,
        start_time=now,
    )


def attempt(now: datetime, task_id: str) -> WorkerInfo:
    """A running attempt of it."""
    return WorkerInfo(
        host="h",
        pid=1,
        server_id="sid",
        task_id=task_id,
        task_type="t",
        task_payload=b"x",
        queue="low",
        start_time=now,
        deadline=now,
    )


def lives(redis: Redis, seconds: int) -> Between:
    """Expires so many seconds from now, give or take the test's own time."""
    now = Queue(redis).now()
    return Between((now + seconds - 5) * 1000, (now + seconds) * 1000)


class TestAnnounce:
    """Servers on the list."""

    def test_a_server_is_listed_with_its_attempts(self, redis: Redis, run: Driver, now: datetime) -> None:
        """In two sets with the moment of expiry, and under two keys that live for ten seconds."""
        run(announce(IDENTITY, info(now), [attempt(now, "a"), attempt(now, "b")], now=now))
        expiry = math.floor(now.timestamp()) + 10
        assert snapshot(redis) == {
            "asynq:servers": Scores({SERVER: expiry}),
            "asynq:workers": Scores({WORKERS: expiry}),
            SERVER: Text(info(now).encode(), lives(redis, 10)),
            WORKERS: Hash({task_id: attempt(now, task_id).encode() for task_id in "ab"}, lives(redis, 10)),
        }

    def test_an_idle_server_has_no_attempts(self, redis: Redis, run: Driver, now: datetime) -> None:
        """The hash is absent, as asynq has it; those that ended are gone from it."""
        run(announce(IDENTITY, info(now), [attempt(now, "a")], now=now))
        run(announce(IDENTITY, info(now, "stopped"), [], now=now))
        left = snapshot(redis)
        assert left.keys() == {"asynq:servers", "asynq:workers", SERVER}
        assert left[SERVER] == Text(info(now, "stopped").encode(), lives(redis, 10))

    def test_attempts_are_replaced(self, redis: Redis, run: Driver, now: datetime) -> None:
        """Each announcement tells all of them."""
        run(announce(IDENTITY, info(now), [attempt(now, "a"), attempt(now, "b")], now=now))
        run(announce(IDENTITY, info(now), [attempt(now, "b"), attempt(now, "c")], now=now))
        assert isinstance(workers := snapshot(redis)[WORKERS], Hash)
        assert workers.fields.keys() == {"b", "c"}

    def test_thousands_of_attempts(self, redis: Redis, run: Driver, now: datetime) -> None:
        """A server of any concurrency can tell what it does."""
        run(announce(IDENTITY, info(now), [attempt(now, str(n)) for n in range(5000)], now=now))
        assert redis.hlen(WORKERS) == 5000

    def test_servers_do_not_touch_each_other(self, redis: Redis, run: Driver, now: datetime) -> None:
        """Each has keys of its own."""
        run(announce(IDENTITY, info(now), [attempt(now, "a")], now=now))
        run(announce("h:2:other", info(now), [], now=now))
        run(withdraw("h:2:other"))
        assert snapshot(redis).keys() == {"asynq:servers", "asynq:workers", SERVER, WORKERS}


class TestPatterns:
    """What a server handles."""

    def test_they_are_beside_what_it_tells_about_itself(self, redis: Redis, run: Driver, now: datetime) -> None:
        """Under a key that Go does not know, of the same slot, for the same time."""
        run(announce(IDENTITY, info(now), [], now=now, patterns={"email:": {"email:welcome": None}}))
        left = snapshot(redis)
        assert left.keys() == {"asynq:servers", "asynq:workers", SERVER, HANDLED}
        assert left[HANDLED] == Text(b'{"email:":{"email:welcome":null}}', lives(redis, 10))

    def test_they_leave_with_it(self, redis: Redis, run: Driver, now: datetime) -> None:
        """At once, not ten seconds later."""
        run(announce(IDENTITY, info(now), [], now=now, patterns={"": None}))
        run(withdraw(IDENTITY))
        assert snapshot(redis) == {}


class TestWithdraw:
    """Servers that leave."""

    def test_nothing_is_left(self, redis: Redis, run: Driver, now: datetime) -> None:
        """Of what was announced."""
        run(announce(IDENTITY, info(now), [attempt(now, "a")], now=now))
        run(withdraw(IDENTITY))
        assert snapshot(redis) == {}

    def test_who_is_not_listed_may_leave(self, redis: Redis, run: Driver) -> None:
        """Twice, or after the announcement expired."""
        run(withdraw(IDENTITY))
        assert snapshot(redis) == {}


class TestWriteResult:
    """Results of running tasks."""

    def test_a_result_is_stored(self, redis: Redis, run: Driver, q: Queue) -> None:
        """In the hash, byte for byte; the last one wins."""
        message = q.active("a")
        before = snapshot(redis)
        assert run(write_result("low", "a", TOKEN, b"first")) == 5
        assert run(write_result("low", "a", TOKEN, b"\x00\xff")) == 2
        task = q.task(message, "active", py_claim=TOKEN.encode(), result=b"\x00\xff")
        assert snapshot(redis) == before | task

    def test_a_result_survives_completion(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """The task is kept with it."""
        message = q.active("a")
        run(write_result("low", "a", TOKEN, b"result"))
        run(finish([Complete("low", "a", TOKEN, message.encode(), 4_000_000_000)], now=now))
        assert snapshot(redis)[q.keys.task("a")] == Hash(
            {"msg": message.encode(), "state": b"completed", "result": b"result"}
        )

    def test_a_result_that_comes_too_late_is_refused(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """asynq would bring the deleted task back as a hash that nobody ever removes."""
        q.active("a")
        run(finish([Done("low", "a", TOKEN)], now=now))
        before = snapshot(redis)
        with pytest.raises(LeaseExpiredError):
            run(write_result("low", "a", TOKEN, b"late"))
        assert snapshot(redis) == before

    def test_another_claim_is_refused(self, redis: Redis, run: Driver, q: Queue, now: datetime) -> None:
        """Of a task that runs elsewhere, that waits again, or that never was."""
        q.active("elsewhere", token="another")
        q.active("again")
        run(finish([Requeue("low", "again", TOKEN)], now=now))
        before = snapshot(redis)
        for task_id in ("elsewhere", "again", "unknown"):
            with pytest.raises(LeaseExpiredError):
                run(write_result("low", task_id, TOKEN, b"late"))
        assert snapshot(redis) == before


def test_ping_is_answered(redis: Redis, run: Driver) -> None:
    """And leaves no trace."""
    run(ping())
    assert snapshot(redis) == {}
