"""Attempts and their ends, without Redis: slots, stops, and callbacks that fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from asynqpy import ServeMux, ServerConfig, Task, WireError
from asynqpy._broker.finish import Archive, Done, Requeue, Retry
from asynqpy._wire.records import TaskMessage
from asynqpy._worker.callers import Callers
from asynqpy._worker.executor import Executor
from asynqpy._worker.in_flight import InFlight, Running, StopReason
from asynqpy._worker.process_pool import ProcessPool
from asynqpy._worker.thread_pool import ThreadPool
from tests.eventually import eventually

from .conftest import NoResults, Outlet, message

pytestmark = pytest.mark.anyio


class Bench:
    """An executor, and everything that it touches."""

    def __init__(self, handler: Callable[[Task], object], **settings: Any) -> None:
        mux = ServeMux()
        mux.handle("t", handler)
        self.outlet = Outlet()
        self.in_flight = InFlight()
        self.threads = ThreadPool(4)
        callers = Callers(self.threads, ProcessPool(1, None))
        self.executor = Executor(mux, callers, self.in_flight, NoResults(), ServerConfig(**settings))

    def start(self, task_id: str = "id", **fields: Any) -> Running:
        """Start an attempt that was just claimed."""
        stored: TaskMessage = message(task_id, **fields)
        self.executor.start(stored, "token", time.monotonic() + 30, 0, self.outlet, time.time())
        running = self.in_flight.get("default", task_id)
        assert running is not None
        return running

    async def outcome(self) -> Any:
        """The only record written, once its slot is free again."""
        await eventually(lambda: self.outlet.released)
        assert self.outlet.released == 1
        assert len(self.outlet.written) == 1
        assert len(self.executor.deadlines) == 0
        return self.outlet.written[0]


async def wait_for_ever(task: Task) -> None:
    """A handler that only a cancellation ends."""
    await asyncio.Event().wait()


async def test_an_attempt_writes_its_record_and_frees_its_slot() -> None:
    """Each once."""

    async def handler(task: Task) -> None:
        return None

    bench = Bench(handler)
    bench.start()
    assert isinstance(await bench.outcome(), Done)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [(StopReason.DEADLINE, Retry), (StopReason.CANCELLED, Retry), (StopReason.SHUTDOWN, Requeue)],
)
@pytest.mark.parametrize("steps", [0, 1, 2, 5])
async def test_a_stop_is_heard_however_early_it_comes(reason: StopReason, kind: type, steps: int) -> None:
    """Also before the first step of the attempt: its slot is free again all the same."""
    bench = Bench(wait_for_ever)
    running = bench.start()
    for _ in range(steps):
        await asyncio.sleep(0)
    bench.executor.stop(running, reason)
    bench.executor.stop(running, reason)  # twice is once
    assert isinstance(await bench.outcome(), kind)


@pytest.mark.parametrize("steps", [0, 1, 5])
async def test_a_lost_lease_writes_nothing_and_frees_the_slot(steps: int) -> None:
    """The task is forgotten at once."""
    bench = Bench(wait_for_ever)
    running = bench.start()
    for _ in range(steps):
        await asyncio.sleep(0)
    bench.executor.stop(running, StopReason.LEASE_LOST)
    await eventually(lambda: bench.outlet.released)
    assert (bench.outlet.written, bench.outlet.released, len(bench.in_flight)) == ([], 1, 0)
    assert len(bench.executor.deadlines) == 0


async def test_a_lost_lease_overrules_another_reason() -> None:
    """A handler that is slow to stop may lose its lease meanwhile."""
    stop = asyncio.Event()

    async def stubborn(task: Task) -> None:
        while not stop.is_set():
            try:
                await stop.wait()
            except asyncio.CancelledError:
                continue

    bench = Bench(stubborn, cancel_grace=0.05)
    running = bench.start()
    await asyncio.sleep(0)
    bench.executor.stop(running, StopReason.CANCELLED)
    bench.executor.stop(running, StopReason.LEASE_LOST)
    await eventually(lambda: not len(bench.in_flight))
    stop.set()
    await eventually(lambda: bench.outlet.released)
    assert bench.outlet.written == []


async def test_a_stubborn_handler_is_overruled_once_and_holds_its_slot() -> None:
    """The record comes after the grace period, the slot when the handler ends; what it returns then is ignored."""
    stop = asyncio.Event()

    async def stubborn(task: Task) -> str:
        while not stop.is_set():
            try:
                await stop.wait()
            except asyncio.CancelledError:
                continue
        return "too late"

    bench = Bench(stubborn, cancel_grace=0.05)
    running = bench.start()
    await asyncio.sleep(0)
    bench.executor.stop(running, StopReason.DEADLINE)
    await eventually(lambda: bench.outlet.written)
    assert (len(bench.outlet.written), bench.outlet.released) == (1, 0)
    stop.set()
    assert isinstance(await bench.outcome(), Retry)


async def test_a_cancellation_during_the_error_handler_keeps_the_handlers_own_error() -> None:
    """The outcome was decided before."""
    entered = asyncio.Event()

    async def failing(task: Task) -> None:
        raise ValueError("own")

    async def slow(task: Task, error: BaseException) -> None:
        entered.set()
        await asyncio.Event().wait()

    bench = Bench(failing, error_handler=slow)
    running = bench.start()
    await entered.wait()
    bench.executor.stop(running, StopReason.CANCELLED)
    record = await bench.outcome()
    assert TaskMessage.decode(record.message).error_msg == "ValueError: own"


async def test_an_unreadable_task_is_archived_as_it_is() -> None:
    """With the reason beside it; its slot is free at once."""
    bench = Bench(wait_for_ever)
    bench.executor.reject("default", "bad", b"\xff", "token", bench.outlet, WireError("not a task message"))
    assert bench.outlet.written == [Archive("default", "bad", "token", b"\xff", b"not a task message")]
    assert bench.outlet.released == 1


async def test_a_thread_that_was_told_to_stop_keeps_its_slot_until_it_ends() -> None:
    """The function sees `cancelled`; the record says why it was stopped."""
    seen: list[bool] = []

    def handler(task: Task) -> None:
        while not task.cancelled:
            time.sleep(0.001)
        seen.append(True)

    bench = Bench(handler)
    running = bench.start()
    await eventually(lambda: running.interrupt)
    bench.executor.stop(running, StopReason.SHUTDOWN)
    assert isinstance(await bench.outcome(), Requeue)
    assert seen == [True]
    bench.threads.close()
