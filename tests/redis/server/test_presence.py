"""What a server tells about itself in Redis."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest

from asynqpy import Task
from asynqpy._wire import keys
from asynqpy._wire.records import ServerInfo, WorkerInfo
from tests.conftest import StartProxy
from tests.servers import RedisServer

from .stage import Stage, eventually, soon

pytestmark = pytest.mark.anyio


async def test_a_server_announces_itself_and_its_attempts(stage: Stage, server: RedisServer) -> None:
    """Both records decode, name host, process and server, and expire by themselves after ten seconds."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(task: Task) -> None:
        started.set()
        await go_on.wait()

    info = stage.enqueue("email:welcome", b"payload", queue="low", timeout=100)
    before = datetime.now(UTC)
    async with stage.serving(handler, queues={"low": 2, "default": 1}, strict_priority=True, concurrency=7) as running:
        await soon(started)
        rings = running._rings
        assert rings is not None
        await asyncio.to_thread(rings._heartbeater.beat)
        identity = f"{socket.gethostname()}:{os.getpid()}:{running.id}"
        found = ServerInfo.decode(stage.redis.get(keys.server(identity)))
        assert (found.host, found.pid, found.server_id) == (socket.gethostname(), os.getpid(), running.id)
        assert (found.concurrency, dict(found.queues), found.strict_priority) == (7, {"low": 2, "default": 1}, True)
        assert (found.status, found.active_worker_count) == ("active", 1)
        assert before <= found.start_time <= datetime.now(UTC)
        attempts = stage.redis.hgetall(keys.workers(identity))
        assert list(attempts) == [info.id.encode()]
        attempt = WorkerInfo.decode(attempts[info.id.encode()])
        assert (attempt.task_id, attempt.task_type, attempt.task_payload) == (info.id, "email:welcome", b"payload")
        assert (attempt.queue, attempt.host, attempt.pid, attempt.server_id) == (
            "low",
            socket.gethostname(),
            os.getpid(),
            running.id,
        )
        assert attempt.deadline is not None
        assert abs(attempt.deadline - attempt.start_time - timedelta(seconds=100)) < timedelta(seconds=1)
        for key in (keys.server(identity), keys.workers(identity)):
            assert 0 < stage.redis.ttl(key) <= 10
        for key, member in ((keys.SERVERS, keys.server(identity)), (keys.WORKERS, keys.workers(identity))):
            assert time.time() < stage.redis.zscore(key, member) <= time.time() + 11
        go_on.set()
        await stage.until_gone(info)
        await asyncio.to_thread(rings._heartbeater.beat)
        assert stage.redis.hgetall(keys.workers(identity)) == {}
    assert stage.left_keys() == set()


async def test_leases_are_extended_while_a_handler_runs(stage: Stage) -> None:
    """A beat moves the end of the lease, by Redis' own clock, to a full lease from now."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(task: Task) -> None:
        started.set()
        await go_on.wait()

    info = stage.enqueue()
    async with stage.serving(handler, lease=20) as running:
        await soon(started)
        q = keys.of_queue("default")
        stage.redis.zadd(q.lease, {info.id: time.time() + 3.25})
        assert running._rings is not None
        await asyncio.to_thread(running._rings._heartbeater.beat)
        assert stage.redis.zscore(q.lease, info.id) > time.time() + 15
        go_on.set()


async def test_beats_come_by_themselves(stage: Stage) -> None:
    """The announcement is renewed without anybody asking, and the lease with it."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(task: Task) -> None:
        started.set()
        await go_on.wait()

    info = stage.enqueue()
    async with stage.serving(handler):
        await soon(started)
        q = keys.of_queue("default")
        first = stage.redis.zscore(q.lease, info.id)
        await eventually(lambda: stage.redis.zscore(q.lease, info.id) > first)
        go_on.set()


async def test_a_beat_that_failed_is_followed_by_another_soon(
    stage: Stage, start_proxy: StartProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """A short lease may not last until the next regular one. A connection that was closed meanwhile is no failure."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(task: Task) -> None:
        started.set()
        await go_on.wait()

    proxy = start_proxy(stage.url)
    info = stage.enqueue()
    async with stage.serving(handler, redis=proxy.url) as running:
        await soon(started)
        rings = running._rings
        assert rings is not None
        q = keys.of_queue("default")
        await eventually(lambda: stage.redis.keys("asynq:servers:*"))  # the first beat has been
        first = stage.redis.zscore(q.lease, info.id)
        proxy.drop_connections()
        rings._heartbeater.beat_soon()
        await eventually(lambda: stage.redis.zscore(q.lease, info.id) > first)
        assert "could not extend" not in caplog.text
        proxy.cut()
        rings._heartbeater.beat_soon()
        await eventually(lambda: "could not extend" in caplog.text)
        second = stage.redis.zscore(q.lease, info.id)
        proxy.heal()
        await eventually(lambda: stage.redis.zscore(q.lease, info.id) > second)
        go_on.set()


async def test_a_failing_heartbeat_does_not_end_the_heartbeats(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A bug there is logged, and the next beat comes: leases depend on it."""
    calls: list[int] = []

    async def handler(task: Task) -> None:
        return None

    async with stage.serving(handler) as running:
        rings = running._rings
        assert rings is not None
        heartbeater = rings._heartbeater
        beat = heartbeater.beat

        def fails_once() -> None:
            calls.append(1)
            if len(calls) == 1:
                raise RuntimeError("a bug")
            beat()

        heartbeater.beat = fails_once  # type: ignore[method-assign]
        heartbeater.beat_soon()
        await eventually(lambda: len(calls) == 1)
        heartbeater.beat_soon()
        await eventually(lambda: len(calls) >= 2)
    assert "a heartbeat failed" in caplog.text
