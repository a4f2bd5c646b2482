"""Limits across servers: never more at once, never more often, nobody behind them waits, and nobody pays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asynqpy import ConfigError, Rate, ServeMux, SkipRetry, Task, TaskInfo
from asynqpy._wire import keys
from asynqpy.limits import Limit
from tests.conftest import StartServer
from tests.eventually import eventually

from . import programs
from .stage import Stage, soon

pytestmark = pytest.mark.anyio


class Counter:
    """Notes when tasks start, and how many run at once, over all servers of a test."""

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.payloads: list[bytes] = []
        self.running: dict[object, int] = {}
        self.most: dict[object, int] = {}
        self.go_on = asyncio.Event()

    async def run(self, task: Task, key: object = "") -> None:
        """One task."""
        self.starts.append(time.time())
        self.payloads.append(task.payload)
        self.running[key] = self.running.get(key, 0) + 1
        self.most[key] = max(self.most.get(key, 0), self.running[key])
        try:
            await self.go_on.wait()
        finally:
            self.running[key] -= 1


def muxes(count: int, counter: Counter, **limits: Any) -> list[ServeMux]:
    """The same program on so many servers."""
    made = [ServeMux() for _ in range(count)]
    for mux in made:

        @mux.handler("limited:", **limits)
        async def limited(task: Task) -> None:
            await counter.run(task)

        @mux.handler("free")
        async def free(task: Task) -> None:
            await counter.run(task, "free")

    return made


def untouched(stage: Stage, info: TaskInfo) -> bool:
    """Whether nothing has been counted against a task."""
    stored = stage.stored(info)
    assert stored is not None
    return (stored.message.retried, stored.message.error_msg, stored.message.last_failed_at) == (0, "", 0)


async def test_two_servers_share_a_rate(stage: Stage) -> None:
    """The nth task starts no earlier than n intervals after the first could; all run, and no retry is spent."""
    counter = Counter()
    counter.go_on.set()
    began = time.time()
    one, two = muxes(2, counter, limit="20/second")
    for n in range(15):
        stage.enqueue("limited:a" if n % 2 else "limited:b", n, max_retry=0)
    async with stage.serving(one), stage.serving(two):
        await stage.until_processed(15)
    assert [start - began >= n * 0.05 for n, start in enumerate(sorted(counter.starts))] == [True] * 15
    assert stage.counters() == (15, 0)


async def test_what_is_behind_limited_tasks_is_not_blocked(stage: Stage) -> None:
    """One slot, and a hundred tasks that may not start this hour: the one behind them runs, and they wait unharmed."""
    counter = Counter()
    counter.go_on.set()
    [mux] = muxes(1, counter, limit="1/hour")
    limited = [stage.enqueue("limited:a", n, max_retry=0) for n in range(100)]
    free = stage.enqueue("free")
    async with stage.serving(mux, concurrency=1):
        await stage.until_gone(free)
        await eventually(lambda: len(stage.ids("scheduled")) == 99)
    assert len(counter.starts) == 2
    waiting = [info for info in limited if stage.stored(info) is not None]
    assert all(untouched(stage, info) for info in waiting)
    assert all("py:claim" not in stored.fields for info in waiting if (stored := stage.stored(info)))
    assert stage.counters() == (2, 0)


async def test_a_burst_starts_at_once(stage: Stage) -> None:
    """As many as the burst says, and no more."""
    counter = Counter()
    counter.go_on.set()
    [mux] = muxes(1, counter, limit=Rate("10/hour", burst=4))
    for n in range(10):
        stage.enqueue("limited:a", n)
    async with stage.serving(mux):
        await stage.until_processed(4)
        await eventually(lambda: len(stage.ids("scheduled")) == 6)
    assert len(counter.starts) == 4


async def test_two_servers_share_permits(stage: Stage) -> None:
    """Never more than three run, whoever runs them; each that ends lets the next in, in the order of the line."""
    counter = Counter()
    counter.go_on.set()
    one, two = muxes(2, counter, max_active=3)
    infos = [stage.enqueue("limited:a", n, max_retry=0) for n in range(60)]
    async with stage.serving(one), stage.serving(two):
        await stage.until_gone(*infos)
    assert counter.most[""] <= 3
    assert len(counter.starts) == 60
    assert stage.counters() == (60, 0)


async def test_a_permit_goes_to_the_longest_waiting_at_once(stage: Stage) -> None:
    """It does not have to find out by itself: it would look in a hundred seconds."""
    gates: dict[bytes, asyncio.Event] = {b"%d" % n: asyncio.Event() for n in range(6)}
    started: list[bytes] = []
    mux = ServeMux()

    @mux.handler("t", max_active=2)
    async def limited(task: Task) -> None:
        started.append(task.payload)
        await gates[task.payload].wait()

    async with stage.serving(mux):
        infos = []
        for n in range(6):
            infos.append(stage.enqueue("t", n))
            await eventually(lambda n=n: len(started) + len(stage.ids("scheduled")) == n + 1)  # type: ignore[misc]
        line = keys.of_limit("t").waiting
        assert stage.redis.zrange(line, 0, -1) == [f"default\n{info.id}".encode() for info in infos[2:]]
        later = time.time() + 100
        for task_id in stage.ids("scheduled"):
            stage.redis.zadd(keys.of_queue("default").scheduled, {task_id: round(later)})
        stage.redis.delete(keys.of_queue("default").due)
        for ended, n in enumerate((1, 0, 2, 3, 4, 5), 1):
            gates[b"%d" % n].set()
            await eventually(lambda ended=ended: len(started) == min(6, 2 + ended))  # type: ignore[misc]
        await stage.until_processed(6)
    assert started == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert not stage.redis.exists(line, keys.of_limit("t").holders, keys.of_limit("t").owners)


@pytest.mark.parametrize(
    "limit_key", ["tenant", lambda task: task.json()["tenant"]], ids=["field of the payload", "function"]
)
async def test_limits_per_key(stage: Stage, limit_key: Any) -> None:
    """Each tenant has its own; those without one share another."""
    counter = Counter()
    mux = ServeMux()

    @mux.handler("t", max_active=2, limit_key=limit_key)
    async def limited(task: Task) -> None:
        await counter.run(task, task.json()["tenant"])

    for tenant in ("acme", "umbrella", 42, "{a}b|c%", None):
        for _ in range(4):
            stage.enqueue("t", {"tenant": tenant})
    async with stage.serving(mux, concurrency=100):
        await eventually(lambda: sum(counter.running.values()) == 10 and len(stage.ids("scheduled")) == 10)
        assert set(counter.running.values()) == {2}
        counter.go_on.set()
        await stage.until_processed(20)
    assert set(counter.most.values()) == {2}


async def test_a_typed_task_is_limited_by_an_argument(stage: Stage) -> None:
    """Its name is the name of a field of the payload."""
    counter = Counter()
    mux = ServeMux()

    @mux.task("call", max_active=1, limit_key="host")
    async def call(host: str, path: str = "/") -> None:
        counter.running[host] = counter.running.get(host, 0) + 1
        await counter.go_on.wait()

    for host in ("a", "a", "b"):
        stage.client.enqueue(call.task(host))
    async with stage.serving(mux):
        await eventually(lambda: counter.running == {"a": 1, "b": 1} and len(stage.ids("scheduled")) == 1)
        counter.go_on.set()
        await stage.until_processed(3)


async def test_a_key_that_cannot_be_read_fails_the_task(stage: Stage) -> None:
    """As a payload that does not fit: it never runs without its limit."""
    counter = Counter()
    mux = ServeMux()

    @mux.handler("t", limit="1/second", limit_key="tenant")
    async def limited(task: Task) -> None:
        await counter.run(task)

    info = stage.enqueue("t", b"no JSON", max_retry=0)
    async with stage.serving(mux):
        stored = await stage.until_state(info, "archived")
    assert "limit_key" in stored.message.error_msg
    assert counter.starts == []


async def test_limits_hold_for_threads_too(stage: Stage) -> None:
    """Plain functions; and whatever the handler raises gives the permit back."""
    running: list[int] = []
    most: list[int] = []
    mux = ServeMux()

    @mux.handler("t", max_active=1)
    def limited(task: Task) -> None:
        running.append(1)
        most.append(len(running))
        running.pop()
        if task.payload == b"1":
            raise SkipRetry("bad")

    for n in range(6):
        stage.enqueue("t", n)
    async with stage.serving(mux):
        await stage.until_processed(6)
    assert max(most) == 1
    assert len(stage.ids("archived")) == 1


async def test_a_middleware_sees_admitted_tasks_only(stage: Stage) -> None:
    """A task that has to wait is not handled at all."""
    seen: list[bytes] = []
    mux = ServeMux()

    @mux.middleware
    async def see(task: Task, next: Callable[[Task], Any]) -> object:
        seen.append(task.payload)
        return await next(task)

    @mux.handler("t", limit="1/hour")
    async def limited(task: Task) -> None: ...

    for n in range(5):
        stage.enqueue("t", n)
    async with stage.serving(mux):
        await eventually(lambda: len(stage.ids("scheduled")) == 4)
        await stage.until_processed(1)
    assert len(seen) == 1


async def test_a_deleted_task_lets_the_next_in(stage: Stage) -> None:
    """Its permit is passed on when it turns out that it will not come."""
    counter = Counter()
    [mux] = muxes(1, counter, max_active=1)
    infos = [stage.enqueue("limited:a", n) for n in range(4)]
    async with stage.serving(mux):
        await eventually(lambda: len(counter.starts) == 1 and len(stage.ids("scheduled")) == 3)
        q = keys.of_queue("default")
        order = [
            member.decode().split("\n")[1] for member in stage.redis.zrange(keys.of_limit("limited:").waiting, 0, -1)
        ]
        for task_id in order[:2]:
            stage.redis.zrem(q.scheduled, task_id)
            stage.redis.delete(q.task(task_id))
        stage.redis.zadd(q.scheduled, {order[2]: round(time.time()) + 100})
        stage.redis.delete(q.due)
        counter.go_on.set()
        await stage.until_gone(*infos)
    assert len(counter.starts) == 2


@pytest.mark.slow
async def test_a_killed_worker_frees_its_permits(stage: Stage, tmp_path: Path) -> None:
    """When its lease has ended; nobody has to do anything."""
    counter = Counter()
    [mux] = muxes(1, counter, max_active=1)
    mux.handle("limited", programs.quick, max_active=1)
    with programs.worker(stage.url, lease=10) as process:
        stage.enqueue("limited", 3600)
        holders = keys.of_limit("limited").holders
        await eventually(lambda: stage.redis.zcard(holders) == 1 and process.poll() is None)
        await eventually(lambda: len(stage.ids("active")) == 1)
        stage.redis.set(keys.of_queue("default").paused, 1)  # the task itself stays away
        process.kill()
    waiting = stage.enqueue("limited", 0, queue="other")
    async with stage.serving(mux, queues={"other": 1}):
        await stage.until_gone(waiting)
    assert stage.redis.zcard(holders) == 0


async def test_a_server_that_stops_gives_its_permits_back(stage: Stage) -> None:
    """So that others go on at once with what it puts back."""
    counter = Counter()
    one, two = muxes(2, counter, max_active=2)
    infos = [stage.enqueue("limited:a", n) for n in range(2)]
    async with stage.serving(one, shutdown_timeout=0):
        await eventually(lambda: len(counter.starts) == 2)
    assert not stage.redis.exists(keys.of_limit("limited:").holders)
    counter.go_on.set()
    async with stage.serving(two):
        await stage.until_gone(*infos)


async def test_permits_are_kept_while_a_task_runs(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The heartbeat extends them with the leases."""
    monkeypatch.setattr("asynqpy._worker.heartbeater.INTERVAL_SECONDS", 0.05)
    counter = Counter()
    [mux] = muxes(1, counter, max_active=1)
    stage.enqueue("limited:a")
    holders = keys.of_limit("limited:").holders
    async with stage.serving(mux):
        await eventually(lambda: stage.redis.zrange(holders, 0, -1, withscores=True))
        [(_, first)] = stage.redis.zrange(holders, 0, -1, withscores=True)
        await eventually(lambda: stage.redis.zrange(holders, 0, -1, withscores=True)[0][1] > first + 100)
        counter.go_on.set()


async def test_without_an_answer_nothing_runs(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Redis refuses to say whether the task may start: it waits, pays nothing, and runs when Redis answers."""
    counter = Counter()
    counter.go_on.set()
    [mux] = muxes(1, counter, limit="100/second", max_active=5)
    limit_keys = keys.of_limit("limited:")
    stage.redis.set(limit_keys.holders, "no sorted set")
    info = stage.enqueue("limited:a", max_retry=0)
    async with stage.serving(mux):
        await stage.until_state(info, "scheduled")
        assert untouched(stage, info)
        assert counter.starts == []
        stage.redis.delete(limit_keys.holders)
        await stage.until_gone(info)
    assert len(counter.starts) == 1
    assert caplog.text.count("limited tasks wait") == 1


async def test_a_full_redis_lets_limited_tasks_drain(start_server: StartServer) -> None:
    """As others: what begins to run needs no more memory than it frees."""
    redis_server = start_server("valkey", options={"maxmemory-policy": "noeviction"})
    counter = Counter()
    counter.go_on.set()
    [mux] = muxes(1, counter, limit="100/second", max_active=2)
    with redis_server.client() as redis:
        stage = Stage(redis_server.url, redis)
        infos = [stage.enqueue("limited:a", n) for n in range(20)]
        redis.config_set("maxmemory", 1)
        async with stage.serving(mux):
            await stage.until_gone(*infos)
        stage.close()
    assert len(counter.starts) == 20


async def test_a_stop_while_a_task_waits_in_its_place_is_heard(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled task that waits for its turn fails as any cancelled task does, and holds no permit."""
    waiting = asyncio.Event()

    class Asyncio:
        """What the limits see of it: their waits last for ever."""

        create_task = staticmethod(asyncio.create_task)
        wait = staticmethod(asyncio.wait)

        @staticmethod
        async def sleep(seconds: float) -> None:
            waiting.set()
            await asyncio.Event().wait()

    monkeypatch.setattr("asynqpy._worker.limits.asyncio", Asyncio)
    counter = Counter()
    counter.go_on.set()
    [mux] = muxes(1, counter, limit="21/second", max_active=5)
    infos = [stage.enqueue("limited:a", n, max_retry=0) for n in range(2)]  # so both ask in one round trip
    async with stage.serving(mux):
        await soon(waiting)
        for info in infos:
            stage.redis.publish(keys.CANCEL_CHANNEL, info.id)
        await eventually(lambda: len(stage.ids("archived")) == 1)
        await stage.until_processed(2)
    assert len(counter.starts) == 1
    assert not stage.redis.exists(keys.of_limit("limited:").holders)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"limit": "10 per minute"}, "10/minute"),
        ({"limit": 10}, "10/minute"),
        ({"limit": "0/s"}, "no task start"),
        ({"max_active": 0}, "max_active"),
        ({"max_active": True}, "max_active"),
        ({"limit_key": "tenant"}, "limit_key"),
        ({"limit": "1/s", "limit_key": " "}, "limit_key"),
        ({"limit": "1/s", "limit_key": 5}, "limit_key"),
    ],
)
def test_limits_that_cannot_work_are_refused(limits: Any, message: str) -> None:
    """When the handler is registered, with the remedy."""
    with pytest.raises(ConfigError, match=message):
        ServeMux().handler("t", **limits)(programs.quick)
    with pytest.raises(ConfigError, match=message):
        ServeMux().task("t", **limits)(lambda: None)


def test_limits_belong_to_handlers() -> None:
    """A nested mux has none of its own."""
    with pytest.raises(ConfigError, match="nested mux"):
        ServeMux().handle("t", ServeMux(), max_active=1)


def test_a_limit_survives_outer_middlewares() -> None:
    """A nested mux hands on the limits of its handlers."""
    inner, outer = ServeMux(), ServeMux()
    inner.handle("a:b", programs.quick, limit="1/s")
    outer.handle("a:", inner)

    @outer.middleware
    async def through(task: Task, next: Callable[[Task], Any]) -> object:
        return await next(task)

    assert isinstance(outer.route("a:b").limit, Limit)
    assert outer.route("a:b").pattern == "a:b"
