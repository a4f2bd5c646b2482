"""Attempts that must end early: timeouts, deadlines, cancellations, lost leases."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from asynqpy import ServeMux, Task, TaskCancelledError, retry
from asynqpy._wire import keys
from asynqpy._wire.keys import CANCEL_CHANNEL
from asynqpy._wire.records import TaskMessage

from .conftest import PLAIN, UVLOOP
from .stage import Stage, eventually, soon

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[UVLOOP, PLAIN], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


async def sleep_for_ever(task: Task) -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


async def test_a_timeout_ends_an_async_handler(stage: Stage) -> None:
    """The handler is cancelled, its clean-up runs, and the task fails with asynq's text."""
    cleaned = asyncio.Event()

    async def handler(task: Task) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            assert task.cancelled
            cleaned.set()

    info = stage.enqueue(timeout=1)
    async with stage.serving(handler):
        stored = await stage.until_state(info, "retry")
    assert cleaned.is_set()
    assert (stored.message.error_msg, stored.message.retried) == ("context deadline exceeded", 1)
    assert "asyncio.Event().wait()" in stored.traceback  # where it was


async def test_a_handler_that_swallows_its_cancellation_has_timed_out_all_the_same(stage: Stage) -> None:
    """What it returns afterwards does not count."""

    async def handler(task: Task) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "never mind"
        return ""

    info = stage.enqueue(timeout=1, retention=60)
    async with stage.serving(handler):
        stored = await stage.until_state(info, "retry")
    assert stored.message.error_msg == "context deadline exceeded"


async def test_a_handler_that_does_not_stop_is_overruled_after_the_grace_period(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """The outcome is written without it; its slot stays taken until it has really ended."""
    stubborn_goes_on, stubborn_ended = asyncio.Event(), asyncio.Event()
    mux = ServeMux()

    @mux.handler("stubborn")
    async def stubborn(task: Task) -> None:
        while not stubborn_goes_on.is_set():
            try:
                await stubborn_goes_on.wait()
            except asyncio.CancelledError:
                continue
        stubborn_ended.set()

    @mux.handler("next")
    async def after(task: Task) -> str:
        return "ran after the other" if stubborn_ended.is_set() else "ran beside the other"

    info = stage.enqueue("stubborn", timeout=1)
    async with stage.serving(mux, concurrency=1, cancel_grace=0.1):
        stored = await stage.until_state(info, "retry")
        following = stage.enqueue("next", retention=60)
        stubborn_goes_on.set()
        assert (await stage.until_state(following, "completed")).result == b"ran after the other"
    assert stored.message.error_msg == "context deadline exceeded"
    assert "does not stop" in caplog.text


async def test_a_thread_sees_that_it_should_stop(stage: Stage) -> None:
    """task.cancelled becomes true; when the function returns, the timeout counts, not what it returned."""
    stopped = threading.Event()

    def handler(task: Task) -> str:
        while not task.cancelled:
            time.sleep(0.005)
        stopped.set()
        return "result"

    info = stage.enqueue(timeout=1, retention=60)
    async with stage.serving(handler):
        stored = await stage.until_state(info, "retry")
    assert stopped.is_set()
    assert stored.message.error_msg == "context deadline exceeded"
    assert stored.result is None


async def test_a_stuck_thread_keeps_its_slot_and_nothing_more(stage: Stage) -> None:
    """Its task is retried after the grace period; no more handlers run than the limit allows."""
    release, running = threading.Event(), threading.Semaphore(0)
    mux = ServeMux()

    @mux.handler("stuck")
    def stuck(task: Task) -> None:
        running.release()
        assert release.wait(60)

    @mux.handler("quick")
    async def quick(task: Task) -> None:
        return None

    info = stage.enqueue("stuck", timeout=1)
    async with stage.serving(mux, concurrency=2, cancel_grace=0.1):
        await stage.until_state(info, "retry")
        await stage.until_gone(*[stage.enqueue("quick") for _ in range(5)])  # the other slot works
        release.set()


async def test_a_task_past_its_deadline_is_not_started(stage: Stage) -> None:
    """It fails at once, also when many come together, and no slot is lost."""
    started: list[str] = []

    async def handler(task: Task) -> None:
        started.append(task.id)

    infos = [stage.enqueue(deadline=datetime.now(UTC) - timedelta(seconds=5 * n)) for n in range(20)]
    async with stage.serving(handler, concurrency=2):
        for info in infos:
            stored = await stage.until_state(info, "retry")
            assert stored.message.error_msg == "context deadline exceeded"
        assert started == []
        await stage.until_gone(*[stage.enqueue() for _ in range(4)])
    assert len(started) == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"timeout": -5},
        {"timeout": 2**62},
        {"deadline": 2**62},
        {"deadline": -(2**62)},
        {"deadline": 253_402_300_800},
        {"timeout": -(2**63), "deadline": 2**63 - 1},
    ],
    ids=str,
)
async def test_odd_timeouts_of_other_producers_hurt_only_their_own_task(stage: Stage, fields: dict[str, int]) -> None:
    """Whatever numbers a message carries, the attempt runs or fails, and heartbeats and other tasks go on."""
    q = keys.of_queue("default")
    message = TaskMessage(type="odd", id="odd", queue="default", retry=0, **fields).encode()
    stage.redis.hset(q.task("odd"), mapping={"msg": message, "state": "pending"})
    stage.redis.lpush(q.pending, "odd")
    beaten, go_on = asyncio.Event(), asyncio.Event()

    async def handler(task: Task) -> None:
        if task.type == "odd":
            beaten.set()
            await go_on.wait()

    async with stage.serving(handler) as server:
        await eventually(lambda: beaten.is_set() or stage.ids("archived"))
        assert server._rings is not None
        await asyncio.to_thread(server._rings._heartbeater.beat)  # describes what is running
        assert stage.redis.keys("asynq:servers:*")
        go_on.set()
        await stage.until_gone(stage.enqueue("after"))
        await eventually(lambda: not stage.ids("active"))


async def test_the_deadline_of_a_task_ends_its_attempt(stage: Stage) -> None:
    """As a timeout does; the handler is told when."""
    deadlines: list[datetime | None] = []

    async def handler(task: Task) -> None:
        deadlines.append(task.deadline)
        await asyncio.Event().wait()

    deadline = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    info = stage.enqueue(deadline=deadline)
    async with stage.serving(handler):
        stored = await stage.until_state(info, "retry")
        assert datetime.now(UTC) >= deadline
    assert deadlines == [deadline]
    assert stored.message.error_msg == "context deadline exceeded"


async def test_a_published_id_cancels_the_running_task(stage: Stage) -> None:
    """By Go's message: the attempt fails with asynq's text and the task is retried."""
    started = asyncio.Event()
    errors: list[BaseException] = []

    async def handler(task: Task) -> None:
        started.set()
        await asyncio.Event().wait()

    info = stage.enqueue()
    async with stage.serving(handler, error_handler=lambda task, error: errors.append(error)):
        await soon(started)
        await eventually(lambda: stage.redis.publish(CANCEL_CHANNEL, info.id))
        stored = await stage.until_state(info, "retry")
    assert (stored.message.error_msg, stored.message.retried) == ("context canceled", 1)
    assert isinstance(errors[0], TaskCancelledError)


async def test_a_cancellation_stops_threads_that_look(stage: Stage) -> None:
    """task.cancelled is how a thread hears of it."""
    started = threading.Event()

    def handler(task: Task) -> None:
        started.set()
        while not task.cancelled:
            time.sleep(0.005)

    info = stage.enqueue()
    async with stage.serving(handler):
        await eventually(started.is_set)
        await eventually(lambda: stage.redis.publish(CANCEL_CHANNEL, info.id))
        stored = await stage.until_state(info, "retry")
    assert stored.message.error_msg == "context canceled"


async def test_a_cancellation_of_something_else_changes_nothing(stage: Stage) -> None:
    """Unknown ids, ids of pending tasks and bytes that are no text are ignored."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(task: Task) -> None:
        started.set()
        await go_on.wait()

    running = stage.enqueue()
    waiting = stage.enqueue()
    async with stage.serving(handler, concurrency=1):
        await soon(started)
        for message in ("unknown", waiting.id, b"\xff\xfe", ""):
            await eventually(lambda message=message: stage.redis.publish(CANCEL_CHANNEL, message))  # type: ignore[misc]
        go_on.set()
        await stage.until_gone(running, waiting)
    assert stage.counters() == (2, 0)


async def test_equal_ids_in_two_queues_are_cancelled_together(stage: Stage) -> None:
    """The message names no queue, as in asynq."""
    started = asyncio.Semaphore(0)

    async def handler(task: Task) -> None:
        started.release()
        await asyncio.Event().wait()

    infos = [stage.enqueue(queue=queue, task_id="same") for queue in ("one", "two")]
    async with stage.serving(handler, queues={"one": 1, "two": 1}):
        async with asyncio.timeout(30):
            await started.acquire()
            await started.acquire()
        await eventually(lambda: stage.redis.publish(CANCEL_CHANNEL, "same"))
        for info in infos:
            await stage.until_state(info, "retry")


async def test_a_cancelled_task_with_no_retries_left_is_archived(stage: Stage) -> None:
    """Cancellation is a failure like any other."""
    started = asyncio.Event()

    async def handler(task: Task) -> None:
        started.set()
        await asyncio.Event().wait()

    info = stage.enqueue(max_retry=0)
    async with stage.serving(handler):
        await soon(started)
        await eventually(lambda: stage.redis.publish(CANCEL_CHANNEL, info.id))
        await stage.until_state(info, "archived")
    assert stage.counters() == (1, 1)


async def test_a_cancellation_while_the_error_handler_waits_keeps_the_outcome(stage: Stage) -> None:
    """The handler has ended with its own error: that is what is written, once."""
    in_error_handler = asyncio.Event()
    calls: list[str] = []

    async def handler(task: Task) -> None:
        raise ValueError("own error")

    async def slow(task: Task, error: BaseException) -> None:
        calls.append(str(error))
        in_error_handler.set()
        await asyncio.Event().wait()

    info = stage.enqueue()
    async with stage.serving(handler, error_handler=slow):
        await soon(in_error_handler)
        await eventually(lambda: stage.redis.publish(CANCEL_CHANNEL, info.id))
        await eventually(lambda: stage.state(info) == "retry")
    assert calls == ["own error"]
    assert stage.counters() == (1, 1)


async def test_a_lost_lease_stops_the_handler_and_writes_nothing(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """When another worker has taken the task over, the first attempt is cancelled and leaves it alone."""
    started, stopped = asyncio.Event(), asyncio.Event()

    async def handler(task: Task) -> None:
        if started.is_set():
            return
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    info = stage.enqueue()
    async with stage.serving(handler) as server:
        await soon(started)
        q = keys.of_queue("default")
        stage.redis.hset(q.task(info.id), "py:claim", "somebody else")
        assert server._rings is not None
        await asyncio.to_thread(server._rings._heartbeater.beat)
        await soon(stopped)
        assert stage.state(info) == "active"
        assert stage.redis.hget(q.task(info.id), "py:claim") == b"somebody else"
    assert "lease lost" in caplog.text
    assert stage.counters() == (0, 0)


async def test_an_outcome_that_comes_too_late_is_refused(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A worker that was declared dead cannot finish a task that is claimed by another."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(task: Task) -> None:
        started.set()
        await go_on.wait()

    info = stage.enqueue()
    async with stage.serving(handler):
        await soon(started)
        stage.redis.hset(keys.of_queue("default").task(info.id), "py:claim", "somebody else")
        go_on.set()
        await eventually(lambda: "came too late" in caplog.text)
    assert stage.state(info) == "active"
    assert stage.counters() == (0, 0)


async def test_a_middleware_that_waits_too_long_is_cancelled_before_a_thread_starts(stage: Stage) -> None:
    """A plain function whose attempt ended in its middleware is not run, and its slot is free again."""
    ran: list[str] = []
    mux = ServeMux()

    @mux.middleware
    async def gate(task: Task, next: Any) -> object:
        if task.type == "gated":
            await asyncio.Event().wait()
        return await next(task)

    def handler(task: Task) -> None:
        ran.append(task.type)

    mux.handle("gated", handler)
    mux.handle("free", handler)
    info = stage.enqueue("gated", timeout=1)
    async with stage.serving(mux, concurrency=1):
        stored = await stage.until_state(info, "retry")
        await stage.until_gone(stage.enqueue("free"))
    assert stored.message.error_msg == "context deadline exceeded"
    assert ran == ["free"]


async def test_many_timeouts_at_once_leave_nothing_behind(stage: Stage) -> None:
    """Two hundred attempts that all time out are all retried, and all slots serve again."""
    infos = stage.enqueue_many(200, timeout=1, max_retry=1)
    async with stage.serving(sleep_for_ever, concurrency=200, retry_delay=retry.fixed(3600)):
        await stage.until_processed(200)
        for info in infos:
            await stage.until_state(info, "retry")
    assert stage.counters() == (200, 200)
    assert stage.ids("active") == stage.ids("lease") == []
