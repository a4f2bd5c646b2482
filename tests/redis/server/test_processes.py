"""Handlers with isolate="process": what they see, what comes back, and that a stop really ends them."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from asynqpy import ServeMux, Task
from asynqpy._wire import keys
from asynqpy._wire.keys import CANCEL_CHANNEL

from . import isolated
from .stage import Stage, eventually

pytestmark = pytest.mark.anyio


def is_running(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def pid_in(path: Path) -> int:
    """The process id that a handler has written."""
    await eventually(path.exists)
    return int(path.read_bytes())  # noqa: ASYNC240 - it is there and tiny


async def test_an_isolated_handler_runs_in_a_process_of_its_own(stage: Stage) -> None:
    """It sees its task, may write results, and what it returns comes back; an async one gets a loop there."""
    mux = ServeMux()
    handlers = {
        "pid": isolated.own_pid,
        "write": isolated.write_result,
        "id": isolated.current_id,
        "async": isolated.name_of_type,
    }
    for pattern, handler in handlers.items():
        mux.handle(pattern, handler, isolate="process")
    infos = {pattern: stage.enqueue(pattern, retention=60) for pattern in handlers}
    async with stage.serving(mux, isolated_processes=1):
        results = {name: (await stage.until_state(info, "completed")).result for name, info in infos.items()}
    assert int(results["pid"] or b"0") not in {0, os.getpid()}
    assert results["write"] == b"from a process"
    assert results["id"] == infos["id"].id.encode()
    assert results["async"] == b"async"


async def test_errors_and_instructions_travel_back(stage: Stage) -> None:
    """What is raised in the child counts as if it were raised here, with the traceback of the child."""
    mux = ServeMux()
    mux.handle("fail", isolated.fail, isolate="process")
    infos = {kind: stage.enqueue("fail", kind) for kind in ("value", "unpicklable", "skip", "revoke", "snooze")}
    async with stage.serving(mux, isolated_processes=1):
        value = await stage.until_state(infos["value"], "retry")
        unpicklable = await stage.until_state(infos["unpicklable"], "retry")
        skipped = await stage.until_state(infos["skip"], "archived")
        snoozed = await stage.until_state(infos["snooze"], "scheduled")
        await stage.until_gone(infos["revoke"])
    assert value.message.error_msg == "ValueError: bad value"
    assert 'raise ValueError("bad value")' in value.traceback
    assert "TwoPartError: this and that" in unpicklable.message.error_msg
    assert skipped.message.error_msg == "no more"
    assert snoozed.message.retried == 0


async def test_a_result_that_cannot_travel_fails_the_attempt(stage: Stage) -> None:
    """The error says why."""
    mux = ServeMux()
    mux.handle("t", isolated.unpicklable_result, isolate="process")
    info = stage.enqueue()
    async with stage.serving(mux, isolated_processes=1):
        stored = await stage.until_state(info, "retry")
    assert "pickle" in stored.message.error_msg.lower()


@pytest.mark.parametrize("handler", [isolated.die, isolated.kill_itself, isolated.exit_politely])
async def test_the_death_of_a_child_is_a_failure_and_the_next_task_gets_a_new_one(stage: Stage, handler: Any) -> None:
    """A child that exits or is killed costs its own task an attempt, and nothing else."""
    mux = ServeMux()
    mux.handle("die", handler, isolate="process")
    mux.handle("pid", isolated.own_pid, isolate="process")
    dying = stage.enqueue("die")
    async with stage.serving(mux, isolated_processes=1):
        stored = await stage.until_state(dying, "retry")
        after = stage.enqueue("pid", retention=60)
        await stage.until_state(after, "completed")
    assert stored.message.retried == 1
    assert any(word in stored.message.error_msg for word in ("died", "SystemExit"))


async def test_a_timeout_really_kills_the_process(stage: Stage, tmp_path: Path) -> None:
    """A child that is deaf to everything is gone after its timeout, and its slot serves the next task."""
    mux = ServeMux()
    mux.handle("hang", isolated.note_pid_and_hang, isolate="process")
    mux.handle("pid", isolated.own_pid, isolate="process")
    hanging = stage.enqueue("hang", str(tmp_path / "pid"), timeout=4)
    async with stage.serving(mux, isolated_processes=1, concurrency=1):
        pid = await pid_in(tmp_path / "pid")
        stored = await stage.until_state(hanging, "retry")
        await eventually(lambda: not is_running(pid))
        after = stage.enqueue("pid", retention=60)
        await stage.until_state(after, "completed")
    assert stored.message.error_msg == "context deadline exceeded"


async def test_a_cancellation_really_kills_the_process(stage: Stage, tmp_path: Path, redis: Redis) -> None:
    """As a timeout does; the text is Go's."""
    mux = ServeMux()
    mux.handle("hang", isolated.note_pid_and_hang, isolate="process")
    info = stage.enqueue("hang", str(tmp_path / "pid"))
    async with stage.serving(mux, isolated_processes=1):
        pid = await pid_in(tmp_path / "pid")
        redis.publish(CANCEL_CHANNEL, info.id)
        stored = await stage.until_state(info, "retry")
        await eventually(lambda: not is_running(pid))
    assert stored.message.error_msg == "context canceled"


async def test_a_lost_lease_really_kills_the_process(stage: Stage, tmp_path: Path, redis: Redis) -> None:
    """The task runs elsewhere then; nothing is written about this attempt."""
    mux = ServeMux()
    mux.handle("hang", isolated.note_pid_and_hang, isolate="process")
    info = stage.enqueue("hang", str(tmp_path / "pid"))
    async with stage.serving(mux, isolated_processes=1) as server:
        pid = await pid_in(tmp_path / "pid")
        redis.hset(keys.of_queue("default").task(info.id), "py:claim", "somebody else")
        assert server._rings is not None
        server._rings._heartbeater.beat_soon()
        await eventually(lambda: not is_running(pid))
    assert stage.state(info) == "active"
    assert stage.counters() == (0, 0)


async def test_the_end_of_the_server_ends_its_processes_and_puts_the_task_back(stage: Stage, tmp_path: Path) -> None:
    """No child outlives its server, and the task it ran is pending again with no retry spent."""
    mux = ServeMux()
    mux.handle("hang", isolated.note_pid_and_hang, isolate="process")
    info = stage.enqueue("hang", str(tmp_path / "pid"))
    async with stage.serving(mux, isolated_processes=1, shutdown_timeout=0):
        pid = await pid_in(tmp_path / "pid")
    await eventually(lambda: not is_running(pid))
    stored = stage.stored(info)
    assert stored is not None
    assert (stored.state, stored.message.retried) == ("pending", 0)


async def test_a_task_stopped_before_its_process_starts_never_starts(stage: Stage, tmp_path: Path) -> None:
    """When a middleware takes longer than the timeout allows, the handler is not run after all."""
    mux = ServeMux()
    mux.handle("hang", isolated.note_pid_and_hang, isolate="process")
    entered = asyncio.Event()

    @mux.middleware
    async def slow(task: Task, next: Any) -> object:
        entered.set()
        await eventually(lambda: task.cancelled)
        return await next(task)

    info = stage.enqueue("hang", str(tmp_path / "pid"), timeout=1)
    async with stage.serving(mux, isolated_processes=1, concurrency=1):
        stored = await stage.until_state(info, "retry")
        mux.handle("after", isolated.name_of_type)
        after = stage.enqueue("after", retention=60, timeout=1)
        await stage.until_state(after, "retry")  # its own middleware waits for its own timeout: the slot is free
    assert stored.message.error_msg == "context deadline exceeded"
    assert not (tmp_path / "pid").exists()


async def test_a_child_cannot_write_results_when_the_server_was_lent_a_client(stage: Stage) -> None:
    """A client cannot travel to another process; the error says what to give instead. Returned results do travel."""
    mux = ServeMux()
    mux.handle("write", isolated.write_result, isolate="process")
    mux.handle("return", isolated.name_of_type, isolate="process")
    write, give = stage.enqueue("write"), stage.enqueue("return", retention=60)
    with Redis.from_url(stage.url) as lent:
        async with stage.serving(mux, isolated_processes=1, redis=lent):
            stored = await stage.until_state(write, "retry")
            assert (await stage.until_state(give, "completed")).result == b"return"
    assert "was given a URL" in stored.message.error_msg


async def test_more_tasks_than_processes_wait_in_line(stage: Stage) -> None:
    """isolated_processes bounds the children; every task runs in one of them."""
    mux = ServeMux()
    mux.handle("pid", isolated.own_pid, isolate="process")
    infos = [stage.enqueue("pid", retention=60) for _ in range(20)]
    async with stage.serving(mux, isolated_processes=2, concurrency=20):
        pids = {(await stage.until_state(info, "completed")).result for info in infos}
    assert 1 <= len(pids) <= 2


async def test_a_worker_that_is_killed_from_outside_is_replaced(stage: Stage, tmp_path: Path) -> None:
    """What the kernel's out-of-memory killer does to a child is a failed attempt."""
    mux = ServeMux()
    mux.handle("hang", isolated.note_pid_and_hang, isolate="process")
    info = stage.enqueue("hang", str(tmp_path / "pid"))
    async with stage.serving(mux, isolated_processes=1):
        os.kill(await pid_in(tmp_path / "pid"), signal.SIGKILL)
        stored = await stage.until_state(info, "retry")
    assert "died" in stored.message.error_msg
