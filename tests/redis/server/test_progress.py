"""Progress that handlers report: where it is stored, how often it is written, and when it is gone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asynqpy import AsyncClient, InvalidTaskError, Progress, ServeMux, Snooze, Task, TaskInfo, current_task
from asynqpy._worker import progress as progress_module
from asynqpy._worker.in_flight import Running
from tests.eventually import eventually

from . import isolated
from .stage import Stage, soon

pytestmark = pytest.mark.anyio


def progress_of(stage: Stage, info: TaskInfo) -> tuple[str, str] | None:
    """What is stored, if anything."""
    stored = stage.stored(info)
    if stored is None or "py:progress" not in stored.fields:
        return None
    assert int(stored.fields["py:progress_at"]) > 1_700_000_000_000
    return stored.fields["py:progress"].decode(), stored.fields["py:progress_text"].decode()


async def test_progress_is_stored_and_told(stage: Stage) -> None:
    """The first at once, the final one before the outcome; who waits hears of both, and gets the result."""
    go_on = asyncio.Event()

    async def handler(task: Task) -> str:
        await task.report_progress(0.25, "resizing ü")
        await go_on.wait()
        for n in range(1000):
            await task.report_progress(0.25 + n / 2000)
        await task.report_progress(1, "done")
        return "result"

    info = stage.enqueue(retention=60)
    told: list[Progress] = []
    async with AsyncClient(stage.url) as client, stage.serving(handler):
        waiting = asyncio.create_task(client.wait(info, on_progress=told.append))
        await eventually(lambda: progress_of(stage, info) == ("0.25", "resizing ü"))
        await eventually(lambda: told)
        go_on.set()
        assert await waiting == b"result"
    assert progress_of(stage, info) == ("1", "done")
    assert (told[0].fraction, told[0].text) == (0.25, "resizing ü")
    assert (told[-1].fraction, told[-1].text) == (1.0, "done")
    assert [each.fraction for each in told] == sorted(each.fraction for each in told)


async def test_writes_are_few(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of reports are one write now, one for each interval, and the final one."""
    monkeypatch.setattr(progress_module, "INTERVAL_SECONDS", 3600)
    writes: list[tuple[float, str]] = []
    write = progress_module.ProgressReporter._write

    async def counted(self: Any, running: Any, report: Any) -> None:
        writes.append(report.latest)
        await write(self, running, report)

    monkeypatch.setattr(progress_module.ProgressReporter, "_write", counted)

    async def handler(task: Task) -> None:
        for n in range(5000):
            await task.report_progress(n / 5000)
            if n % 100 == 0:
                await asyncio.sleep(0)

    info = stage.enqueue(retention=60)
    async with stage.serving(handler):
        await stage.until_state(info, "completed")
    assert writes[-1] == (4999 / 5000, "")
    assert len(writes) == 2


async def test_later_reports_are_written_after_the_interval(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the handler says nothing more: the last value wins."""
    monkeypatch.setattr(progress_module, "INTERVAL_SECONDS", 0.05)
    go_on = asyncio.Event()

    async def handler(task: Task) -> None:
        for n in (1, 2, 3):
            await task.report_progress(n / 4, f"{n}")
        await go_on.wait()

    info = stage.enqueue()
    async with stage.serving(handler):
        await eventually(lambda: progress_of(stage, info) == ("0.75", "3"))
        go_on.set()
        await stage.until_gone(info)


@pytest.mark.parametrize("end", ["retry", "snooze", "put back"])
async def test_progress_ends_with_its_attempt(stage: Stage, end: str) -> None:
    """A task that is tried again does not look as if it were nearly done."""
    started = asyncio.Event()

    async def handler(task: Task) -> None:
        await task.report_progress(0.8)
        started.set()
        if end == "retry":
            raise ValueError("bad")
        if end == "snooze":
            raise Snooze(3600)
        await asyncio.Event().wait()

    info = stage.enqueue()
    async with stage.serving(handler, shutdown_timeout=0):
        await soon(started)
        state = {"retry": "retry", "snooze": "scheduled"}.get(end)
        if state is None:
            await eventually(lambda: progress_of(stage, info))
        else:
            await stage.until_state(info, state)
    assert stage.state(info) == (state or "pending")
    assert progress_of(stage, info) is None


async def test_an_archived_task_shows_how_far_it_came(stage: Stage) -> None:
    """For who looks at it."""

    async def handler(task: Task) -> None:
        await task.report_progress(0.8, "step 8")
        raise ValueError("bad")

    info = stage.enqueue(max_retry=0)
    async with stage.serving(handler):
        await stage.until_state(info, "archived")
    assert progress_of(stage, info) == ("0.8", "step 8")


async def test_plain_functions_report_too(stage: Stage) -> None:
    """From their threads."""

    def handler(task: Task) -> None:
        for n in range(100):
            task.report_progress_sync(n / 100)
        current_task().report_progress_sync(1, "done")

    info = stage.enqueue(retention=60)
    async with stage.serving(handler):
        await stage.until_state(info, "completed")
    assert progress_of(stage, info) == ("1", "done")


async def test_isolated_handlers_report_too(stage: Stage) -> None:
    """From their processes: at once, after the interval, and in the end."""
    mux = ServeMux()
    mux.handle("plain", isolated.report_and_wait, isolate="process")
    mux.handle("async", isolated.report_asynchronously, isolate="process")
    info = stage.enqueue("plain", retention=60)
    async with stage.serving(mux, isolated_processes=1):
        await eventually(lambda: progress_of(stage, info) == ("0.75", "second"))
        stage.redis.set("go on", 1)
        await stage.until_state(info, "completed")
        assert progress_of(stage, info) == ("1", "third")
        other = stage.enqueue("async", retention=60)
        await stage.until_state(other, "completed")
    assert progress_of(stage, other) == ("0.5", "half")


async def test_nothing_is_written_by_who_has_lost_the_task(stage: Stage) -> None:
    """Another claim holds it; the handler is not troubled by it."""
    go_on = asyncio.Event()
    started = asyncio.Event()

    async def handler(task: Task) -> None:
        started.set()
        await go_on.wait()
        await task.report_progress(0.9)

    info = stage.enqueue()
    async with stage.serving(handler):
        await soon(started)
        stage.redis.hset(f"asynq:{{default}}:t:{info.id}", "py:claim", "another")
        go_on.set()
        await eventually(lambda: len(stage.ids("active")) == 1)
    assert progress_of(stage, info) is None


async def test_trouble_with_redis_fails_no_task(stage: Stage) -> None:
    """Progress is for people."""
    mended = asyncio.Event()

    async def handler(task: Task) -> None:
        key = f"asynq:{{default}}:t:{task.id}"
        stage.redis.rename(key, "away")
        stage.redis.set(key, "no hash")
        await task.report_progress(0.5)
        running = task.attempt
        assert isinstance(running, Running)
        await eventually(lambda: running.progress is not None and running.progress.timer is not None)
        stage.redis.rename("away", key)
        mended.set()

    info = stage.enqueue(retention=60, max_retry=0)
    async with stage.serving(handler):
        await soon(mended)
        await stage.until_state(info, "completed")
    assert progress_of(stage, info) is None


@pytest.mark.parametrize(
    ("fraction", "text", "message"),
    [
        (1.5, "", "from 0 to 1"),
        (-0.1, "", "from 0 to 1"),
        (float("nan"), "", "from 0 to 1"),
        ("half", "", "from 0 to 1"),
        (True, "", "from 0 to 1"),
        (0.5, "x" * 1025, "1024 bytes"),
        (0.5, "\ud800", "surrogates"),
        (0.5, b"text", "must be text"),
    ],
)
async def test_values_that_cannot_work_are_refused(fraction: Any, text: Any, message: str) -> None:
    """At the call, in a handler and outside of one alike."""
    from asynqpy.testing import run_task

    async def handler(task: Task) -> None:
        await task.report_progress(fraction, text)

    run = await run_task(handler, Task("t"))
    assert isinstance(run.error, InvalidTaskError)
    assert message in str(run.error)


async def test_progress_belongs_to_a_running_task() -> None:
    """Outside of a handler there is none."""
    with pytest.raises(InvalidTaskError, match="inside its handler"):
        await Task("t").report_progress(0.5)
    with pytest.raises(InvalidTaskError, match="inside its handler"):
        Task("t").report_progress_sync(0.5)
