"""Who handles what, and what waits without anybody."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from redis import Redis

from asynqpy._broker.inspect.consumers import handled_patterns, types_without_consumer, waiting_types
from asynqpy._broker.presence import announce
from asynqpy._wire.records import ServerInfo
from asynqpy.errors import QueryError, QueueNotFoundError
from asynqpy.patterns import PatternTree
from tests.redis.drive import Driver
from tests.redis.seed import Queue
from tests.redis.snapshot import snapshot


@pytest.fixture
def now(q: Queue) -> datetime:
    """The present moment of the server."""
    return q.today()


class Servers:
    """Announces servers."""

    def __init__(self, run: Driver, now: datetime) -> None:
        self._run = run
        self._now = now

    def __call__(self, server_id: str, patterns: PatternTree | None, *queues: str, pid: int = 1) -> None:
        """A server that lives for ten seconds; without patterns it is as one of Go."""
        info = ServerInfo(
            host="h",
            pid=pid,
            server_id=server_id,
            concurrency=1,
            queues=dict.fromkeys(queues or ("low",), 1),
            start_time=self._now,
        )
        self._run(announce(f"h:{pid}:{server_id}", info, [], now=self._now, patterns=patterns))


@pytest.fixture
def announced(run: Driver, now: datetime) -> Servers:
    """Announces servers."""
    return Servers(run, now)


def wait_in(q: Queue, state: str, task_id: str, task_type: str) -> None:
    """A waiting task of a type."""
    if state == "pending":
        q.hash(task_id, "pending", type=task_type)
        q.redis.lpush(q.keys.pending, task_id)
    else:
        q.hash(task_id, state, type=task_type)
        q.redis.zadd(q.keys.prefix + state, {task_id: 4_000_000_000})


def types(run: Driver, sample: int = 300) -> dict[str, int]:
    """The types that wait in the queue of the test."""
    (found,) = run(waiting_types(["low"], sample=sample))
    return found


class TestHandledPatterns:
    """What living servers publish."""

    def test_each_server_with_its_patterns(self, run: Driver, now: datetime, announced: Servers) -> None:
        """In the order of processes; one that publishes nothing is there, and says so."""
        announced("b", {"email:": {"email:welcome": None}, "image:": None}, "low", "high", pid=2)
        announced("a", None, pid=1)
        first, second = run(handled_patterns(now=now))
        assert (first.server_id, first.pid, first.queues, first.patterns) == ("a", 1, ("low",), None)
        assert (second.host, second.queues) == ("h", ("high", "low"))
        assert second.patterns == ("email:welcome", "image:")
        assert first.handles("image:crop") is None
        assert second.handles("image:crop") is True
        assert second.handles("email:other") is False

    def test_the_dead_are_not_listed(self, redis: Redis, run: Driver, now: datetime, announced: Servers) -> None:
        """Neither those whose time has passed nor those that took their keys with them."""
        announced("a", {"": None})
        announced("b", {"": None})
        redis.delete("asynq:servers:{h:1:b}")
        assert [server.server_id for server in run(handled_patterns(now=now))] == ["a"]
        assert run(handled_patterns(now=now + timedelta(seconds=11))) == []

    def test_what_cannot_be_read_is_left_out(
        self, redis: Redis, run: Driver, now: datetime, announced: Servers
    ) -> None:
        """Patterns of a later version count as none; a server that is no server, a stranger's member, as nothing."""
        announced("a", {"": None})
        redis.set("asynq:py:handled:{h:1:a}", b'{"version": 2}')
        announced("b", {"": None})
        redis.set("asynq:servers:{h:1:b}", b"\xff\xff")
        redis.zadd("asynq:servers", {"stranger": 4_000_000_000})
        (found,) = run(handled_patterns(now=now))
        assert (found.server_id, found.patterns) == ("a", None)


class TestWaitingTypes:
    """The types of a sample."""

    def test_all_states_that_wait(self, redis: Redis, run: Driver, q: Queue) -> None:
        """Pending, scheduled and retried tasks; not those that run or have ended. Nothing is changed."""
        for number, state in enumerate(("pending", "pending", "scheduled", "retry", "archived", "completed")):
            wait_in(q, state, f"{number}", state)
        q.active("x", type="active")
        before = snapshot(redis)
        assert types(run) == {"pending": 2, "scheduled": 1, "retry": 1}
        assert snapshot(redis) == before

    def test_an_empty_queue_has_none(self, run: Driver) -> None:
        """Also one that nobody has used."""
        assert run(waiting_types(["nobody"]))[0] == {}

    @pytest.mark.parametrize("state", ["pending", "scheduled", "retry"])
    def test_both_ends_are_looked_at(self, run: Driver, q: Queue, state: str) -> None:
        """Half of the sample from each: the next to run and the last."""
        for number in range(30):
            wait_in(q, state, f"{number:02}", f"t{number:02}")
        assert sorted(types(run, 4)) == ["t00", "t01", "t28", "t29"]
        assert len(types(run, 1000)) == 30
        assert set(types(run, 1000).values()) == {1}

    @pytest.mark.parametrize("length", [1, 127, 128, 300, 512, 513, 20_000])
    def test_types_of_any_length(self, run: Driver, q: Queue, length: int) -> None:
        """The length of the first field takes one byte or two; what is too long to be a type of a person's is cut."""
        wait_in(q, "pending", "a", "ü" * (length // 2) + "x" * (length % 2))
        (found,) = types(run)
        assert len(found.encode()) >= min(length, 512)
        assert found.startswith("ü" * min(length // 2, 200))

    def test_large_messages_take_no_more_than_their_share(self, run: Driver, q: Queue) -> None:
        """Some of them are looked at, and those that are small all the same."""
        for number in range(4):
            q.hash(f"{number}", "pending", type="large", payload=b"x" * 1_500_000)
            q.redis.lpush(q.keys.pending, f"{number}")
        for number in range(4, 8):
            wait_in(q, "pending", f"{number}", "small")
        assert types(run) == {"large": 2, "small": 4}

    def test_a_message_with_its_fields_in_another_order(self, run: Driver, q: Queue) -> None:
        """Any order is legal: whoever wrote it so is understood; what is no message at all is left out."""
        message = q.message("a", type="late")
        encoded = message.encode()
        length = 2 + len("late")
        q.hash("a", "pending")
        q.redis.hset(q.keys.task("a"), "msg", encoded[length:] + encoded[:length])
        q.redis.hset(q.keys.task("b"), "msg", b"\xff\xff\xff")
        q.redis.lpush(q.keys.pending, "a", "b", "an id without a task")
        assert types(run) == {"late": 1}


@pytest.mark.parametrize("sample", [0, -1, 1001, True, 1.5])
def test_a_sample_that_cannot_be_is_refused(run: Driver, sample: int) -> None:
    """With the bounds."""
    with pytest.raises(QueryError, match="sample must be between 1 and 1000"):
        run(waiting_types(["low"], sample=sample))


class TestTypesWithoutConsumer:
    """Waiting tasks that nobody is known to handle."""

    @pytest.fixture(autouse=True)
    def known(self, redis: Redis) -> None:
        """The queue is in the set of queues."""
        redis.sadd("asynq:queues", "low")

    def test_all_queues_together(self, redis: Redis, run: Driver, now: datetime, announced: Servers) -> None:
        """By name, each with its own servers; one that nobody has used is an error."""
        for name in ("b", "a", "empty"):
            redis.sadd("asynq:queues", name)
        for name in ("b", "a"):
            wait_in(Queue(redis, name), "pending", "x", "t")
        announced("server", {"t": None}, "a")
        found = run(types_without_consumer(None, now=now))
        assert [(each.queue, each.type) for each in found] == [("b", "t")]
        with pytest.raises(QueueNotFoundError):
            run(types_without_consumer("nobody", now=now))

    def test_the_most_frequent_first(self, run: Driver, q: Queue, now: datetime, announced: Servers) -> None:
        """Known types are not among them."""
        for number, task_type in enumerate(["known", "b", "a", "b", "known:more"]):
            wait_in(q, "pending", f"{number}", task_type)
        announced("a", {"known": None})
        found = run(types_without_consumer("low", now=now))
        assert [(each.queue, each.type, each.count, each.is_certain) for each in found] == [
            ("low", "b", 2, True),
            ("low", "a", 1, True),
        ]

    def test_one_server_that_knows_it_is_enough(self, run: Driver, q: Queue, now: datetime, announced: Servers) -> None:
        """The others hand it on, or retry it."""
        wait_in(q, "scheduled", "a", "new")
        announced("old", {"old": None})
        assert [each.type for each in run(types_without_consumer("low", now=now))] == ["new"]
        announced("new", {"new": None})
        assert run(types_without_consumer("low", now=now)) == []

    def test_servers_of_other_queues_do_not_count(
        self, run: Driver, q: Queue, now: datetime, announced: Servers
    ) -> None:
        """They will never see the task, Go's neither."""
        wait_in(q, "retry", "a", "t")
        announced("elsewhere", {"t": None}, "high")
        announced("go elsewhere", None, "high")
        (found,) = run(types_without_consumer("low", now=now))
        assert found.is_certain

    def test_a_server_that_does_not_say_leaves_it_open(
        self, run: Driver, q: Queue, now: datetime, announced: Servers
    ) -> None:
        """A Go server of the queue may know the type: then nobody can be certain."""
        wait_in(q, "pending", "a", "t")
        announced("python", {"other": None})
        announced("go", None)
        (found,) = run(types_without_consumer("low", now=now))
        assert not found.is_certain

    def test_without_any_server_nobody_handles_anything(self, run: Driver, q: Queue, now: datetime) -> None:
        """That is certain."""
        wait_in(q, "pending", "a", "t")
        (found,) = run(types_without_consumer("low", now=now))
        assert found.is_certain
