"""A handler that blocks the event loop: it costs nobody a lease, and the log names it."""

from __future__ import annotations

import asyncio
import time

import pytest

from asynqpy import ServeMux, Task
from asynqpy._wire import keys

from .stage import Stage, eventually, soon

pytestmark = pytest.mark.anyio


def block(seconds: float) -> None:
    """What should have been in a thread."""
    time.sleep(seconds)


async def test_a_blocking_handler_costs_no_lease_and_the_log_names_it(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Heartbeats have a thread of their own; the stall is reported with task and stack."""
    mux = ServeMux()
    started, go_on = asyncio.Event(), asyncio.Event()

    @mux.handler("patient")
    async def patient(task: Task) -> None:
        started.set()
        await go_on.wait()

    @mux.handler("blocking")
    async def blocking(task: Task) -> None:
        q = keys.of_queue("default")
        stage.redis.zadd(q.lease, {patient_info.id: time.time() + 1.5})
        assert server._rings is not None
        server._rings._heartbeater.beat_soon()
        block(3)

    patient_info = stage.enqueue("patient")
    async with stage.serving(mux) as server:
        await soon(started)
        culprit = stage.enqueue("blocking")
        await stage.until_gone(culprit)
        assert stage.redis.zscore(keys.of_queue("default").lease, patient_info.id) > time.time()
        go_on.set()
        await stage.until_gone(patient_info)
        await eventually(lambda: "the event loop runs again" in caplog.text)
    assert stage.counters() == (2, 0)
    report = next(record.getMessage() for record in caplog.records if "has been blocked" in record.getMessage())
    assert f"the handler of task 'blocking' (id {culprit.id}, queue 'default')" in report
    assert "in block" in report


async def test_a_stall_in_a_task_that_a_handler_started_names_the_handler_too(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Helpers run on behalf of the handler; the stack shows where they are."""

    async def helper() -> None:
        block(2.5)

    async def handler(task: Task) -> None:
        await asyncio.gather(helper(), asyncio.sleep(0))

    info = stage.enqueue("indirect")
    async with stage.serving(handler):
        await stage.until_gone(info)
        await eventually(lambda: "the event loop runs again" in caplog.text)
    report = next(record.getMessage() for record in caplog.records if "has been blocked" in record.getMessage())
    assert "in block" in report


async def test_a_busy_loop_that_comes_round_is_no_stall(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Many short handlers are no reason for an alarm."""

    async def handler(task: Task) -> None:
        block(0.001)

    stage.enqueue_many(800)
    async with stage.serving(handler):
        await stage.until_processed(800)
    assert "has been blocked" not in caplog.text
