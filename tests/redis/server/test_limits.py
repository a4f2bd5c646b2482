"""The limit of concurrency, and tables that are empty when all work is done."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import threading
import time
from collections import Counter
from typing import Any

import pytest

from asynqpy import RevokeTask, ServeMux, SkipRetry, Snooze, Task, retry
from asynqpy._wire.keys import CANCEL_CHANNEL
from asynqpy._worker.in_flight import Running
from tests.conftest import StartProxy

from .stage import Stage, eventually

pytestmark = pytest.mark.anyio


class Gauge:
    """How many are inside at once, and how many ever were."""

    def __init__(self) -> None:
        self.now = self.most = self.total = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.total += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1


@pytest.mark.parametrize("concurrency", [1, 3, 40, 101])
async def test_no_more_handlers_run_than_allowed_and_all_slots_are_used(stage: Stage, concurrency: int) -> None:
    """In Redis, too, there are never more active tasks than slots."""
    gauge = Gauge()
    most_active: list[int] = []

    async def handler(task: Task) -> None:
        with gauge:
            if task.json() % 50 == 0:
                most_active.append(len(stage.ids("active")))
            await asyncio.sleep(0.005)

    stage.enqueue_many(concurrency * 5 + 50)
    async with stage.serving(handler, concurrency=concurrency):
        await stage.until_processed(concurrency * 5 + 50)
    assert gauge.most == concurrency
    assert max(most_active) <= concurrency


@pytest.mark.parametrize("concurrency", [2, 40])
async def test_plain_functions_use_as_many_threads_as_there_are_slots(stage: Stage, concurrency: int) -> None:
    """All of them at once: each waits for all the others."""
    barrier = threading.Barrier(concurrency)
    gauge = Gauge()

    def handler(task: Task) -> None:
        with gauge:
            barrier.wait(30)

    async with stage.serving(handler, concurrency=concurrency):
        for _ in range(3):
            stage.enqueue_many(concurrency)
            await eventually(lambda: not stage.ids("active") and not stage.ids("pending"))
    assert (gauge.most, gauge.total) == (concurrency, concurrency * 3)
    assert stage.counters() == (concurrency * 3, 0)


async def test_stuck_threads_count_against_the_limit(stage: Stage) -> None:
    """Functions that run on after their timeout still hold their slots, so handlers never exceed the limit."""
    gauge, release = Gauge(), threading.Event()

    def stuck(task: Task) -> None:
        with gauge:
            release.wait(60)

    stage.enqueue_many(10, timeout=1, max_retry=0)
    async with stage.serving(stuck, concurrency=4, cancel_grace=0.05):
        await eventually(lambda: len(stage.ids("archived")) == 4)
        await asyncio.sleep(0.3)
        assert (gauge.now, gauge.total) == (4, 4)
        assert len(stage.ids("pending")) == 6
        release.set()
        await eventually(lambda: gauge.total == 10 and not gauge.now)
    assert gauge.most == 4


async def test_stubborn_async_handlers_count_against_the_limit(stage: Stage) -> None:
    """The same for handlers that swallow their cancellation."""
    gauge, release = Gauge(), asyncio.Event()

    async def stubborn(task: Task) -> None:
        with gauge:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue

    stage.enqueue_many(6, timeout=1, max_retry=0)
    async with stage.serving(stubborn, concurrency=2, cancel_grace=0.05):
        await eventually(lambda: len(stage.ids("archived")) == 2)
        assert (gauge.now, gauge.total) == (2, 2)
        release.set()
        await eventually(lambda: gauge.total == 6)
    assert gauge.most == 2


@pytest.mark.parametrize("concurrency", [5, 60])
async def test_lost_replies_never_lead_to_more_handlers_or_lost_tasks(
    stage: Stage, start_proxy: StartProxy, concurrency: int
) -> None:
    """The reply to a claim is lost again and again: its tasks are found, each runs, and the limit holds."""
    proxy = start_proxy(stage.url)
    gauge, seen = Gauge(), Counter[int]()

    async def handler(task: Task) -> None:
        with gauge:
            seen[task.json()] += 1
            await asyncio.sleep(0.002)

    stage.enqueue_many(1500)
    async with stage.serving(handler, redis=proxy.url, concurrency=concurrency):
        for dropped in range(10):
            reached = len(seen)
            proxy.drop_after(dropped * 37, toward="client")
            await eventually(lambda reached=reached: len(seen) > reached or len(seen) == 1500)  # type: ignore[misc]
        await stage.until_processed(1500)
    assert gauge.most <= concurrency
    assert dict(seen) == dict.fromkeys(range(1500), 1)
    assert stage.counters() == (1500, 0)


async def test_tables_are_empty_after_every_kind_of_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand attempts that end in every possible way leave no trace in memory, and none active in Redis."""
    monkeypatch.setattr(logging.getLogger("asynqpy"), "propagate", False)  # captured tracebacks would keep attempts
    rng = random.Random(7)
    endings = ["ok", "fail", "skip", "revoke", "snooze", "timeout", "thread", "result", "cancel", "unknown", "exit"]
    mux = ServeMux()

    async def end(task: Task) -> Any:
        match task.type:
            case "fail":
                raise ValueError("x")
            case "skip":
                raise SkipRetry
            case "revoke":
                raise RevokeTask
            case "snooze" if task.json() >= 0:
                raise Snooze(3600)
            case "timeout" | "cancel":
                await asyncio.Event().wait()
            case "exit":
                raise SystemExit(1)
            case "result":
                await task.write_result(b"r")
        return None

    for kind in endings:
        if kind not in ("thread", "unknown"):
            mux.handle(kind, end)
    mux.handle("thread", lambda task: time.sleep(0.001))
    kinds = [rng.choice(endings) for _ in range(1000)]
    infos = [
        stage.enqueue(kind, n, timeout=1 if kind == "timeout" else 100, retention=rng.choice([0, 0, 100]))
        for n, kind in enumerate(kinds)
    ]
    settings = {"concurrency": 50, "retry_delay": retry.fixed(3600), "cancel_grace": 0.2}
    async with stage.serving(mux, **settings) as server:
        to_cancel = [info.id for info, kind in zip(infos, kinds, strict=True) if kind == "cancel"]

        def all_ended() -> bool:
            for task_id in to_cancel:
                stage.redis.publish(CANCEL_CHANNEL, task_id)
            return not stage.ids("pending") and not stage.ids("active")

        await eventually(all_ended)
        rings = server._rings
        assert rings is not None
        await eventually(lambda: len(rings._in_flight) == 0)
        assert len(rings._executor.deadlines) == 0
        assert rings._executor.deadlines._buckets == {}
        assert rings._executor.deadlines._timers == {}

    def attempts_in_memory() -> int:
        gc.collect()
        return sum(isinstance(thing, Running) and thing.message.id in ids for thing in gc.get_objects())

    ids = {info.id for info in infos}

    await eventually(lambda: attempts_in_memory() < 60)  # the last jobs of threads, and what this test still holds
    assert stage.ids("lease") == []


async def test_many_task_types_do_not_fill_memory(stage: Stage) -> None:
    """A type per task is odd but allowed: what is remembered of types is bounded."""

    async def handler(task: Task) -> None:
        return None

    mux = ServeMux()
    mux.handle("user:", handler)
    for n in range(5000):
        mux.route(f"user:{n}")
    for n in range(300):
        stage.enqueue(f"user:{n}")
    async with stage.serving(mux) as server:
        await stage.until_processed(300)
        assert server._rings is not None
        assert len(server._rings._executor._calls) <= 2
