"""``asynqpy worker --processes``: the supervisor, its children, and what becomes of their tasks."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from asynqpy import Client, Task
from asynqpy._worker.supervisor import LONG_LIFE_SECONDS, LONGEST_DELAY_SECONDS, RestartDelays
from tests.servers import wait_until

from .conftest import Ran
from .programs import LIMIT_SECONDS, Program, is_running
from .test_worker import STARTED, announced_states, notes, until_noted

Start = Callable[..., Program]


def test_the_first_replacement_comes_at_once_and_later_ones_ever_later() -> None:
    """A child that keeps dying must not keep the machine busy; seconds are the most it costs."""
    delays = RestartDelays()
    waited = [delays.after(0.1) for _ in range(20)]
    assert waited[0] == 0
    assert waited[1:] == sorted(waited[1:])
    assert 0 < waited[1] < 1
    assert waited[-1] == LONGEST_DELAY_SECONDS


def test_a_long_life_is_forgiven() -> None:
    """A child that lived long is replaced at once, whatever came before."""
    delays = RestartDelays()
    for _ in range(20):
        delays.after(0.1)
    assert delays.after(LONG_LIFE_SECONDS) == 0
    assert delays.after(0.1) > 0


def noted_pid(redis: Redis, text: str) -> int:
    """The process in which a handler noted *text*."""
    note = next(note for note in notes(redis) if text in note)
    found = re.search(r"pid=(\d+)", note)
    assert found
    return int(found[1])


def test_children_share_the_work_and_drain_together(start: Start, redis: Redis, redis_url: str) -> None:
    """Tasks run in all children; TERM to the supervisor lets them all drain, and its exit code is 0."""
    supervisor = start("worker", "tasks", "--processes", "2", "-c", "1", "--shutdown-timeout", "3")
    supervisor.until(STARTED, times=2)
    with Client(redis_url) as client:
        for number in range(2):
            client.enqueue(Task("sleep", b"1", task_id=f"short-{number}"))
        until_noted(redis, "began", times=2)
        assert len({note.split()[2] for note in notes(redis)}) == 2
        until_noted(redis, "ended", times=2)
        client.enqueue(Task("sleep", b"1", task_id="finishes"))
        client.enqueue(Task("sleep", b"600", task_id="goes-back"))
        until_noted(redis, "began", times=4)
    children = supervisor.children()
    assert supervisor.end() == 0
    assert "ended finishes" in notes(redis)
    assert redis.lrange("asynq:{default}:pending", 0, -1) == [b"goes-back"]
    assert redis.llen("asynq:{default}:active") == 0
    assert redis.hget("asynq:{default}:t:goes-back", "py:crashes") is None
    assert not any(map(is_running, children))


def test_a_killed_child_is_replaced_and_its_tasks_run_at_once(start: Start, redis: Redis, redis_url: str) -> None:
    """kill -9 of a child: its task runs elsewhere long before its lease ends, with no retry spent."""
    supervisor = start("worker", "tasks", "--processes", "2", "-c", "2")
    supervisor.until(STARTED, times=2)
    with Client(redis_url) as client:
        client.enqueue(Task("once", task_id="a"))
        until_noted(redis, "began a")
        victim = noted_pid(redis, "began a")
        killed_at = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        until_noted(redis, "ended a")
        assert time.monotonic() - killed_at < 15  # its lease has 30 s; about 20 ms on an idle machine
        assert noted_pid(redis, "ended a") != victim
        assert "retried=0" in notes(redis)[-1]
        supervisor.until(STARTED, times=3)
        assert len(supervisor.children()) == 2
        assert victim not in supervisor.children()
    assert "exit=SIGKILL" in supervisor.output
    assert "task was lost with its worker and runs again" in supervisor.output
    assert supervisor.end() == 0
    assert redis.dbsize() > 0
    assert redis.llen("asynq:{default}:active") == 0


def test_what_a_killed_child_started_ends_with_it(start: Start, redis: Redis, redis_url: str) -> None:
    """The process of an isolated handler does not go on beside the one that runs the task again."""
    supervisor = start("worker", "tasks", "--processes", "2", "-c", "1")
    supervisor.until(STARTED, times=2)
    with Client(redis_url) as client:
        client.enqueue(Task("isolated", task_id="a"))
    until_noted(redis, "began a")
    isolated = noted_pid(redis, "began a")
    parent = int(Path(f"/proc/{isolated}/stat").read_text().rpartition(")")[2].split()[1])
    assert parent in supervisor.children()
    os.kill(parent, signal.SIGKILL)
    until_noted(redis, "ended a")
    assert not is_running(isolated)
    assert noted_pid(redis, "ended a") != isolated
    assert supervisor.end() == 0


def test_a_task_that_kills_its_worker_is_archived(start: Start, redis: Redis, redis_url: str) -> None:
    """After three crashes it is put away with the reason; those that ran beside it go on, and end."""
    supervisor = start("worker", "tasks", "--processes", "2", "-c", "5")
    supervisor.until(STARTED, times=2)
    with Client(redis_url) as client:
        client.enqueue(Task("kill", task_id="poison"))
        client.enqueue_many(Task("sleep", b"1", task_id=f"other-{number}") for number in range(12))
    until_noted(redis, "ended other", times=12)
    wait_until(lambda: redis.zcard("asynq:{default}:archived"), limit_seconds=LIMIT_SECONDS)
    assert redis.zrange("asynq:{default}:archived", 0, -1) == [b"poison"]
    assert sum(note.startswith("killed") for note in notes(redis)) == 3
    message = redis.hget("asynq:{default}:t:poison", "msg")
    assert message is not None
    assert b"the worker died 3 times while it ran this task" in message
    supervisor.until("is archived")
    assert supervisor.end() == 0


def test_no_child_outlives_a_killed_supervisor(start: Start, redis: Redis, redis_url: str) -> None:
    """kill -9 of the supervisor: its children drain, put back what is left, and end."""
    supervisor = start("worker", "tasks", "--processes", "2", "-c", "1", "--shutdown-timeout", "1")
    supervisor.until(STARTED, times=2)
    with Client(redis_url) as client:
        client.enqueue(Task("sleep", b"600", task_id="long"))
    until_noted(redis, "began long")
    children = supervisor.children()
    assert len(children) == 2
    assert supervisor.end(signal.SIGKILL) == -signal.SIGKILL
    wait_until(lambda: not any(map(is_running, children)), limit_seconds=LIMIT_SECONDS)
    assert supervisor.output.count("the supervisor is gone") == 2
    assert redis.lrange("asynq:{default}:pending", 0, -1) == [b"long"]


def test_the_second_signal_does_not_wait(start: Start, redis: Redis, redis_url: str) -> None:
    """Asked twice, the supervisor has running tasks put back at once."""
    supervisor = start("worker", "tasks", "-P", "2", "--shutdown-timeout", "1h")
    supervisor.until(STARTED, times=2)
    with Client(redis_url) as client:
        client.enqueue(Task("sleep", b"600", task_id="long"))
    until_noted(redis, "began long")
    supervisor.send(signal.SIGINT)
    supervisor.until("shutting down", times=2)
    assert supervisor.end(signal.SIGINT) == 0
    assert redis.lrange("asynq:{default}:pending", 0, -1) == [b"long"]


def test_all_children_can_be_quiet(start: Start, redis: Redis, redis_url: str) -> None:
    """After TSTP none of them takes a task, and one that dies is not replaced."""
    supervisor = start("worker", "tasks", "-P", "2", "-c", "1")
    supervisor.until(STARTED, times=2)
    supervisor.send(signal.SIGTSTP)
    wait_until(lambda: announced_states(redis) == ["stopped", "stopped"], limit_seconds=LIMIT_SECONDS)
    with Client(redis_url) as client:
        client.enqueue(Task("note", b"late", task_id="late"))
    os.kill(supervisor.children().pop(), signal.SIGKILL)
    supervisor.until("ended unexpectedly")
    assert supervisor.end() == 0
    assert supervisor.output.count(STARTED) == 2
    assert redis.lrange("asynq:{default}:pending", 0, -1) == [b"late"]


@pytest.fixture
def impatience(folder: Path) -> dict[str, str]:
    """Variables with which a supervisor and its children allow two seconds where a slow machine may need more."""
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'asynqpy' in sys.orig_argv:\n"
        "    from datetime import timedelta\n"
        "    import asynqpy._worker.supervisor as supervisor\n"
        "    supervisor.END_ALLOWANCE = timedelta(seconds=2)\n"
    )
    return {"PYTHONPATH": str(folder)}


def test_a_child_that_does_not_end_is_killed(
    start: Start, redis: Redis, redis_url: str, impatience: dict[str, str]
) -> None:
    """A handler that blocks its process cannot keep the supervisor from ending; its task goes back."""
    supervisor = start("worker", "tasks", "-P", "1", "--shutdown-timeout", "1", **impatience)
    supervisor.until(STARTED)
    with Client(redis_url) as client:
        client.enqueue(Task("hang", task_id="a"))
    until_noted(redis, "hangs")
    assert supervisor.end() == 1
    assert "did not end and is killed" in supervisor.output
    assert redis.lrange("asynq:{default}:pending", 0, -1) == [b"a"]


def test_not_even_a_blocked_child_outlives_a_killed_supervisor(
    start: Start, redis: Redis, redis_url: str, impatience: dict[str, str]
) -> None:
    """A child whose loop a handler blocks cannot drain: it gives up, so that its leases end and others take over."""
    supervisor = start("worker", "tasks", "-P", "1", "--shutdown-timeout", "1", **impatience)
    supervisor.until(STARTED)
    with Client(redis_url) as client:
        client.enqueue(Task("hang", task_id="a"))
    until_noted(redis, "hangs")
    (child,) = supervisor.children()
    supervisor.end(signal.SIGKILL)
    wait_until(lambda: not is_running(child), limit_seconds=LIMIT_SECONDS)
    assert "giving up" in supervisor.output


@pytest.mark.parametrize("reference", ["nowhere", "broken"])
def test_what_cannot_start_ends_at_once(complete: Callable[..., Ran], folder: Path, reference: str) -> None:
    """If the first child cannot start, its error is the supervisor's: said once, with the same exit code."""
    (folder / "broken.py").write_text("1 / 0")
    ran = complete("worker", reference, "--processes", "3")
    assert ran.code == 2
    assert ran.err.count("asynqpy: ") == 1


def test_children_share_an_embedded_server(start: Start, folder: Path, redis: Redis) -> None:
    """embedded:// works with several processes: they name the same folder."""
    url = f"embedded://{folder / 'data'}"
    supervisor = start("worker", "tasks", "--processes", "2", "--redis", url)
    supervisor.until(STARTED, times=2)
    with Client(url) as client:
        client.enqueue(Task("note", b"hello"))
        until_noted(redis, "hello")
    assert supervisor.end() == 0


VERSION = """
from asynqpy import ServeMux, Task
import tasks
mux = ServeMux()

@mux.handler("version")
async def version(task: Task) -> None:
    tasks.note("version {}")
"""


def test_reload_starts_anew_when_files_change(start: Start, folder: Path, redis: Redis, redis_url: str) -> None:
    """New code takes over when it is saved; code that cannot start waits for the next change."""
    code = folder / "code_.py"
    code.write_text(VERSION.format(1))
    supervisor = start("worker", "code_", "--reload")
    supervisor.until(STARTED)
    with Client(redis_url) as client:
        client.enqueue(Task("version"))
        until_noted(redis, "version 1")
        code.write_text("this is no Python")
        supervisor.until("waiting for files to change")
        code.write_text(VERSION.format(2))
        supervisor.until(STARTED, times=2)
        client.enqueue(Task("version"))
        until_noted(redis, "version 2")
    assert supervisor.end() == 0


def test_a_reload_lets_running_tasks_finish(start: Start, folder: Path, redis: Redis, redis_url: str) -> None:
    """The old process drains while the new one serves already."""
    supervisor = start("worker", "tasks", "--reload", "--shutdown-timeout", "30")
    supervisor.until(STARTED)
    with Client(redis_url) as client:
        client.enqueue(Task("sleep", b"3", task_id="a"))
        until_noted(redis, "began a")
        (folder / "other.py").write_text("")
        until_noted(redis, "ended a")
        supervisor.until(STARTED, times=2)
    assert supervisor.end() == 0
    assert redis.llen("asynq:{default}:pending") == 0
