"""kill -9, restarts, network cuts and signals in the middle of 20,000 tasks."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
from redis import Redis

from asynqpy import Client, Task
from asynqpy._wire import keys
from tests.conftest import StartProxy, StartServer
from tests.redis.server.programs import worker
from tests.servers import wait_until

from .conftest import PATIENCE_SECONDS, TASKS, Load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CONCURRENCY = 50


def test_a_worker_is_killed(redis_url: str, redis: Redis, load: Load) -> None:
    """kill -9: its tasks run elsewhere when their leases have ended, and spend no retry."""
    load.enqueue(redis_url)
    with (
        worker(redis_url, marks=load.marks, lease=10, concurrency=CONCURRENCY) as victim,
        worker(redis_url, marks=load.marks, lease=10, concurrency=CONCURRENCY),
    ):
        load.wait_for(3000)
        os.kill(victim.pid, signal.SIGKILL)
        load.wait_until_done(redis)
    load.check_the_end(redis, most_runs_again=CONCURRENCY)


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_redis_is_restarted(start_server: StartServer, load: Load, how: str) -> None:
    """With an append-only file that is synced: stopped in good order, or killed. Workers go on by themselves."""
    server = start_server(options={"appendonly": "yes", "appendfsync": "always"})
    load.enqueue(server.url)
    with worker(server.url, marks=load.marks, concurrency=CONCURRENCY):
        for share in (0.15, 0.4):
            load.wait_for(int(TASKS * share))
            if how == "kill":
                server.kill()
                server.start()
            else:
                server.restart()
        with server.client() as redis:
            load.wait_until_done(redis)
    with server.client() as redis:
        load.check_the_end(redis, most_runs_again=0)


def test_the_network_is_cut(redis_url: str, redis: Redis, load: Load, start_proxy: StartProxy) -> None:
    """For ten seconds: what ended meanwhile is written afterwards, within the lease, so that nothing runs twice."""
    proxy = start_proxy(redis_url)
    load.enqueue(redis_url)
    with worker(proxy.url, marks=load.marks, concurrency=CONCURRENCY):
        load.wait_for(5000)
        proxy.cut()
        time.sleep(10)  # the length of the cut is what is tested
        assert load.started < TASKS
        proxy.heal()
        load.wait_until_done(redis)
    load.check_the_end(redis, most_runs_again=0)


def test_the_network_hangs(redis_url: str, redis: Redis, load: Load, start_proxy: StartProxy) -> None:
    """The same when connections stay and nothing gets through; leases of ten seconds may be lost, tasks may not."""
    proxy = start_proxy(redis_url)
    load.enqueue(redis_url)
    with worker(proxy.url, marks=load.marks, concurrency=CONCURRENCY, lease=10):
        load.wait_for(5000)
        proxy.stall()
        time.sleep(13)
        proxy.heal()
        load.wait_until_done(redis)
    load.check_the_end(redis, most_runs_again=2 * CONCURRENCY)


def test_connections_break_all_the_time(redis_url: str, redis: Redis, load: Load, start_proxy: StartProxy) -> None:
    """Requests and replies are lost in the middle, again and again: each task runs, and is counted once."""
    proxy = start_proxy(redis_url)
    load.enqueue(redis_url)
    with worker(proxy.url, marks=load.marks, concurrency=CONCURRENCY):
        for step in range(24):
            before = load.started
            proxy.drop_after(step * 997, toward="client" if step % 2 else "server")
            wait_until(lambda before=before: load.started > min(before + 200, TASKS - 1), limit_seconds=60)  # type: ignore[misc]
        proxy.heal()
        load.wait_until_done(redis)
    load.check_the_end(redis, most_runs_again=0)


def test_workers_are_terminated(redis_url: str, redis: Redis, load: Load) -> None:
    """SIGTERM under load: what runs finishes or is put back, and nothing waits for a lease to end."""
    load.enqueue(redis_url)
    q = keys.of_queue("default")
    for share in (0.1, 0.3, 0.5):
        with worker(redis_url, marks=load.marks, concurrency=CONCURRENCY) as process:
            load.wait_for(int(TASKS * share))
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        places: Any = [redis.llen(q.active), redis.zcard(q.lease)]
        assert places == [0, 0]
        pending: Any = redis.llen(q.pending)
        assert pending + int(redis.get(q.processed) or 0) == TASKS  # type: ignore[arg-type]
    with worker(redis_url, marks=load.marks, concurrency=CONCURRENCY):
        load.wait_until_done(redis)
    load.check_the_end(redis, most_runs_again=0)


def test_workers_are_terminated_in_the_middle_of_long_tasks(redis_url: str, redis: Redis) -> None:
    """Those that do not end within the shutdown timeout are pending again when the process has gone."""
    q = keys.of_queue("default")
    with Client(redis_url) as client:
        infos = [client.enqueue(Task(kind, 3600)) for kind in ("slow", "stubborn") for _ in range(20)]
    with worker(redis_url, concurrency=40, shutdown_timeout=0.2) as process:
        wait_until(lambda: redis.llen(q.active) == 40)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    pending: Any = redis.lrange(q.pending, 0, -1)
    assert {task_id.decode() for task_id in pending} == {info.id for info in infos}
    places: Any = [redis.llen(q.active), redis.zcard(q.lease)]
    assert places == [0, 0]


def test_a_handler_blocks_the_event_loop_for_a_minute(redis_url: str, redis: Redis, load: Load) -> None:
    """With leases of ten seconds no other task loses its own, and the log names the culprit."""
    q = keys.of_queue("default")
    with Client(redis_url) as client:
        others = [client.enqueue(Task("slow", 5), retention=3600, timeout=600) for _ in range(50)]
        with worker(redis_url, lease=10, concurrency=100, log=load.log):
            wait_until(lambda: redis.llen(q.active) == 50)
            culprit = client.enqueue(Task("block", 60), retention=3600)
            with worker(redis_url, lease=10, concurrency=1, queues={"default": 1}):  # would take over what is lost
                wait_until(lambda: b"has been blocked" in load.log.read_bytes())
                until = time.monotonic() + 55
                while time.monotonic() < until:
                    scores: Any = redis.zrange(q.lease, 0, 0, withscores=True)
                    assert scores[0][1] > time.time()
                    time.sleep(0.5)
                completed = q.completed
                wait_until(lambda: redis.zcard(completed) == 51, limit_seconds=PATIENCE_SECONDS)
    for info in [*others, culprit]:
        fields: Any = redis.hgetall(q.task(info.id))
        assert b"py:crashes" not in fields
    report = load.log.read_text()
    assert f"the handler of task 'block' (id {culprit.id}, queue 'default')" in report
    assert "in block" in report
