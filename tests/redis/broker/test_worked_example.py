"""The life of one unique, retained task that fails once, step by step: the worked example of the wire contract.

Redis' own clock decides leases and due moments, so time passes here by moving the scores back, not by waiting. Where
we differ from asynq on purpose, the difference stands in a comment.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from redis import Redis

from asynqpy import attempts
from asynqpy._broker.dequeue import claim
from asynqpy._broker.due import Swept, delete_expired, forward
from asynqpy._broker.enqueue import Registry, enqueue, prepare
from asynqpy._broker.finish import Complete, Requeue, Retry, finish
from asynqpy._broker.leases import Recovered, expired, extend, recover
from asynqpy._broker.presence import announce, withdraw, write_result
from asynqpy._wire.moments import unix_milliseconds_up, unix_nanoseconds
from asynqpy._wire.records import ServerInfo, TaskMessage, WorkerInfo
from asynqpy.options import resolve
from asynqpy.task import Task
from tests.redis.drive import Driver
from tests.redis.seed import Queue, nanoseconds, scores
from tests.redis.snapshot import Between, Fraction, Hash, Items, Members, Scores, Snapshot, Text, snapshot

IDENTITY = "h:1:sid"


class Life:
    """The task, what is known of it so far, and the steps of its life."""

    def __init__(self, redis: Redis, run: Driver, q: Queue) -> None:
        self.redis = redis
        self.run = run
        self.q = q
        self.key = q.keys.task("A")
        self.lock = q.keys.unique("t", b"x")
        self.common: Snapshot = {"asynq:queues": Members.of("low")}
        self.fields: dict[str, Any] = {}
        self.message: TaskMessage

    def now(self) -> datetime:
        return self.q.today()

    def expect(self, **containers: Any) -> None:
        """The database holds these containers, the hash, the lock if it is held, and nothing else."""
        names = {getattr(self.q.keys, name): value for name, value in containers.items()}
        assert snapshot(self.redis) == self.common | names | {self.key: Hash(self.fields)}

    def enqueue(self) -> None:
        now = self.now()
        new = prepare(
            Task("t", "x"),
            resolve({"queue": "low", "task_id": "A", "unique_for": 60, "retention": 10}),
            now=now.timestamp(),
            new_id=lambda: "never asked",
            max_payload_bytes=10,
        )
        self.run(enqueue(new, now=now, registry=Registry()))
        self.message = new.message
        assert (self.message.retention, self.message.unique_key) == (10, self.lock)
        ends = now.timestamp() + 60
        self.common[self.lock] = Text(b"A", Between((ends - 1) * 1000, (ends + 5) * 1000))
        self.fields = {
            "msg": self.message.encode(),
            "state": b"pending",
            "pending_since": b"%d" % unix_nanoseconds(now),
            "unique_key": self.lock.encode(),
        }
        self.expect(pending=Items.of("A"))

    def claim(self, token: str) -> None:
        before = self.q.now()
        [claimed] = self.run(claim("low", 1, token=token, lease_milliseconds=30_000))
        assert (claimed.id, claimed.message) == ("A", self.message.encode())
        del self.fields["pending_since"]
        # Ours: the token of the claim, and a lease to the millisecond by Redis' clock.
        self.fields |= {"state": b"active", "py:claim": token.encode()}
        self.expect(active=Items.of("A"), lease=Scores({"A": Fraction(before + 29.999, self.q.now() + 30.001)}))

    def beat(self, token: str) -> None:
        now = self.now()
        server = ServerInfo(
            host="h", pid=1, server_id="sid", concurrency=1, queues={"low": 1}, status="active", start_time=now
        )
        attempt = WorkerInfo(
            host="h",
            pid=1,
            server_id="sid",
            task_id="A",
            task_type="t",
            task_payload=b"x",
            queue="low",
            start_time=now,
            deadline=now,
        )
        self.q.pass_time(5)
        self.run(announce(IDENTITY, server, [attempt], now=now))
        before = self.q.now()
        assert self.run(extend("low", [("A", token)], lease_milliseconds=30_000)) == []
        left = snapshot(self.redis)
        assert left[self.q.keys.lease] == Scores({"A": Fraction(before + 29.999, self.q.now() + 30.001)})
        assert isinstance(workers := left["asynq:workers:{h:1:sid}"], Hash)
        assert workers.fields == {"A": attempt.encode()}
        self.run(withdraw(IDENTITY))

    def fail(self, token: str, delay: int) -> None:
        now = self.now()
        seconds = math.floor(now.timestamp())
        self.message = msgspec.structs.replace(self.message, retried=1, error_msg="boom", last_failed_at=seconds)
        due = unix_milliseconds_up(now.timestamp() + delay)
        assert self.run(finish([Retry("low", "A", token, self.message.encode(), due)], now=now)) == []
        self.common |= self.q.counters(now, processed=1, failed=1)
        del self.fields["py:claim"]
        self.fields |= {"msg": self.message.encode(), "state": b"retry"}
        # Ours: rounded up, so that nobody is early, with the exact moment beside it.
        score = math.ceil(due / 1000)
        exact = {"due": Scores({"A": due}, expires=due + 3_600_000)} if due % 1000 else {}
        self.expect(retry=scores(A=score), **exact)

    def fall_due(self, delay: int) -> None:
        self.q.pass_time(delay + 1)
        before = self.q.now()
        assert self.run(forward("low")) == Swept(1, -1)
        self.fields |= {"state": b"pending", "pending_since": nanoseconds(before, self.q.now())}
        self.expect(pending=Items.of("A"))

    def until_the_second_claim(self) -> None:
        self.enqueue()
        self.claim("first")
        self.beat("first")
        self.fail("first", 20)
        self.fall_due(20)
        self.claim("second")


@pytest.fixture
def life(redis: Redis, run: Driver, q: Queue) -> Life:
    """A life that has not begun."""
    return Life(redis, run, q)


def test_it_succeeds_and_is_deleted_in_time(life: Life) -> None:
    """Enqueued, claimed, kept alive, failed, due again, claimed again, completed with a result, swept away."""
    life.until_the_second_claim()
    q, run, now = life.q, life.run, life.now()
    seconds = math.floor(now.timestamp())

    assert run(write_result("low", "A", "second", b"result")) == 6
    life.message = msgspec.structs.replace(life.message, completed_at=seconds)
    complete = Complete("low", "A", "second", life.message.encode(), seconds + 10, life.lock)
    assert run(finish([complete], now=now)) == []
    del life.fields["py:claim"]
    life.fields |= {"msg": life.message.encode(), "state": b"completed", "result": b"result"}
    del life.common[life.lock]
    for key, counter in q.counters(now, processed=2).items():
        # The daily counter keeps the expiry of its first task.
        expires = life.common[key].expires if key in life.common else counter.expires
        life.common[key] = Text(b"2", expires)
    life.expect(completed=scores(A=seconds + 10))

    swept = run(delete_expired("low", limit=100))
    assert swept.count == 0
    assert swept.next_milliseconds == Between(5_000, 10_000)
    q.pass_time(11)
    assert run(delete_expired("low", limit=100)) == Swept(1, -1)
    assert snapshot(life.redis) == life.common


def test_a_shutdown_puts_it_back(life: Life) -> None:
    """On the right of the list, without ``pending_since``, message unchanged, nothing counted."""
    life.until_the_second_claim()
    assert life.run(finish([Requeue("low", "A", "second")], now=life.now())) == []
    del life.fields["py:claim"]
    life.fields["state"] = b"pending"
    life.expect(pending=Items.of("A"))


def test_a_crash_gives_it_back_when_its_lease_ends(life: Life) -> None:
    """Ours: at once, to the front, without spending a retry. asynq waits 30 seconds more and counts a failure."""
    life.until_the_second_claim()
    q, run = life.q, life.run
    q.pass_time(29)
    assert run(expired("low")) == []
    q.pass_time(2)
    now = life.now()
    assert run(recover("low", run(expired("low")), max_crashes=3, now=now)) == [Recovered("A", 1, False)]
    del life.fields["py:claim"]
    life.fields |= {
        "state": b"pending",
        "pending_since": b"%d" % unix_nanoseconds(now.astimezone(UTC)),
        "py:crashes": b"1",
        "py:attempts": attempts.encode("the worker died while it ran this task", now=now.timestamp(), is_lost=True),
    }
    life.expect(pending=Items.of("A"))
    assert TaskMessage.decode(life.fields["msg"]).retried == 1
