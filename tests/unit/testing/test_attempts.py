"""Running a task through a mux without a worker."""

from __future__ import annotations

import asyncio
import os
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from asynqpy import (
    AsynqpyError,
    HandlerNotFoundError,
    PayloadError,
    RevokeTask,
    ServeMux,
    SkipRetry,
    Snooze,
    Task,
    TaskState,
    current_task,
)
from asynqpy.testing import TaskRun, run_task
from tests.redis.server import isolated

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """asyncio."""
    return "asyncio"


async def test_a_typed_task_gives_its_result() -> None:
    """As bytes, the way it would be stored; without retention the task would be gone."""
    mux = ServeMux()

    @mux.task("greet", retention=60)
    async def greet(name: str, times: int = 1) -> dict[str, str]:
        return {"text": f"Hello {name}" * times}

    run = await run_task(mux, greet.task("Ada"))
    assert run == TaskRun(state=TaskState.COMPLETED, result=b'{"text":"Hello Ada"}')
    assert run.unwrap() == b'{"text":"Hello Ada"}'


async def test_a_single_handler_needs_no_mux() -> None:
    """It sees the task as in a worker."""
    seen: dict[str, Any] = {}

    async def handler(task: Task) -> None:
        seen.update(type=task.type, id=task.id, queue=task.queue, retried=task.retried, max_retry=task.max_retry)
        seen.update(headers=dict(task.headers), deadline=task.deadline, cancelled=task.cancelled, json=task.json())

    deadline = datetime(2040, 1, 1, tzinfo=UTC)
    task = Task("t", {"n": 1}, task_id="x", queue="low", max_retry=3, headers={"a": "b"}, deadline=deadline)
    assert await run_task(handler, task, retried=2) == TaskRun(state=None)
    assert seen == {
        "type": "t",
        "id": "x",
        "queue": "low",
        "retried": 2,
        "max_retry": 3,
        "headers": {"a": "b"},
        "deadline": deadline,
        "cancelled": False,
        "json": {"n": 1},
    }


async def test_a_plain_function_runs_in_a_thread_and_an_isolated_one_too() -> None:
    """No process is started for a unit test."""
    mux = ServeMux()
    mux.handle("thread", lambda task: threading.get_ident())
    mux.handle("process", isolated.own_pid, isolate="process")
    mux.handle("async process", isolated.name_of_type, isolate="process")
    assert (await run_task(mux, Task("thread"))).unwrap() != str(threading.get_ident()).encode()
    assert (await run_task(mux, Task("process"))).unwrap() == str(os.getpid()).encode()
    assert (await run_task(mux, Task("async process"))).unwrap() == b"async process"


async def test_middlewares_are_around_it() -> None:
    """As in a worker."""
    mux = ServeMux()

    @mux.middleware
    async def shout(task: Task, next: Any) -> object:
        return str(await next(task)).upper()

    @mux.handler("t")
    async def handler(task: Task) -> str:
        return "quiet"

    assert (await run_task(mux, Task("t"))).result == b"QUIET"


@pytest.mark.parametrize(
    ("error", "options", "retried", "state"),
    [
        (ValueError("x"), {}, 0, TaskState.RETRY),
        (ValueError("x"), {"max_retry": 2}, 1, TaskState.RETRY),
        (ValueError("x"), {"max_retry": 2}, 2, TaskState.ARCHIVED),
        (SkipRetry("bad"), {}, 0, TaskState.ARCHIVED),
        (RevokeTask(), {"retention": 60}, 0, None),
        (Snooze(60), {"max_retry": 0}, 0, TaskState.SCHEDULED),
    ],
    ids=str,
)
async def test_errors_and_instructions_mean_what_they_mean_to_a_worker(
    error: Exception, options: Any, retried: int, state: TaskState | None
) -> None:
    """The run tells the error, and where the task would be."""

    async def handler(task: Task) -> None:
        raise error

    run = await run_task(handler, Task("t", **options), retried=retried)
    assert (run.state, run.error, run.result) == (state, error, None)
    with pytest.raises(type(error)):
        run.unwrap()


async def test_a_type_without_handler_and_a_payload_that_does_not_fit_are_errors() -> None:
    """The same as in a worker."""
    mux = ServeMux()

    @mux.task("add")
    async def add(a: int, b: int) -> int:
        return a + b

    assert isinstance((await run_task(mux, Task("unknown"))).error, HandlerNotFoundError)
    assert isinstance((await run_task(mux, Task("add", {"a": 1}))).error, PayloadError)


async def test_results_may_be_written_and_the_current_task_is_known() -> None:
    """What is returned replaces what was written; what was written outlives an error."""

    async def handler(task: Task) -> object:
        assert await current_task().write_result({"progress": 1}) == 14
        if task.type == "fail":
            raise ValueError("after writing")
        return b"returned" if task.type == "both" else None

    assert (await run_task(handler, Task("written"))).result == b'{"progress":1}'
    assert (await run_task(handler, Task("both"))).result == b"returned"
    assert (await run_task(handler, Task("fail"))).result == b'{"progress":1}'

    def in_thread(task: Task) -> None:
        current_task().write_result_sync("from a thread")

    assert (await run_task(in_thread, Task("t"))).result == b"from a thread"
    with pytest.raises(AsynqpyError, match="no task is running"):
        current_task()


async def test_a_result_without_a_json_form_is_an_error() -> None:
    """It could not be stored."""

    async def handler(task: Task) -> object:
        return object()

    assert (await run_task(handler, Task("t"))).error is not None


async def test_cancelling_the_test_cancels_the_handler() -> None:
    """Timeouts of the test work."""

    async def handler(task: Task) -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run_task(handler, Task("t"))
