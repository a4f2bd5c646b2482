"""``asynqpy scheduler``."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.servers import wait_until

from .conftest import Ran
from .programs import LIMIT_SECONDS, Program

Start = Callable[..., Program]
STARTED = "scheduler started"
PENDING = "asynq:{default}:pending"

SCHEDULE = """
from asynqpy import Scheduler, Task

scheduler = Scheduler()
scheduler.register("@every 1s", Task("tick"), entry_id="e")
"""

MANAGED = """
from asynqpy import FileProvider, PeriodicTaskManager

manager = PeriodicTaskManager(None, FileProvider("periodic.toml"))
"""


@pytest.fixture(autouse=True)
def schedule(folder: Path) -> Path:
    """``schedule.py`` and ``managed.py`` in the working directory of the command."""
    (folder / "schedule.py").write_text(SCHEDULE)
    (folder / "managed.py").write_text(MANAGED)
    (folder / "periodic.toml").write_text('[[tasks]]\ncron = "@every 1s"\ntype = "tick"\nid = "e"\n')
    return folder


def enqueued(redis: Redis) -> int:
    """How many ticks are enqueued."""
    count: Any = redis.llen(PENDING)
    return int(count)


@pytest.mark.parametrize("reference", ["schedule:scheduler", "schedule", "managed", "managed:manager"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_schedules_until_told_to_stop(
    start: Start, redis: Redis, redis_url: str, reference: str, number: signal.Signals
) -> None:
    """A scheduler or a manager, by its name or as the only one; it ends with 0."""
    command = start("scheduler", reference)
    command.until(STARTED)
    wait_until(lambda: enqueued(redis) >= 1, limit_seconds=LIMIT_SECONDS)
    assert command.end(number) == 0
    assert "scheduler ended" in command.output
    assert redis.keys("asynq:schedulers*") == []


def test_two_of_them(start: Start, redis: Redis) -> None:
    """Each tick once."""
    commands = [start("scheduler", "schedule") for _ in range(2)]
    for command in commands:
        command.until(STARTED)
    wait_until(lambda: enqueued(redis) >= 3, limit_seconds=LIMIT_SECONDS)
    for command in commands:
        assert command.end() == 0
    found: Any = redis.lrange(PENDING, 0, -1)
    ticks = [int(task_id.decode().removeprefix("e:")) for task_id in found][::-1]
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))


def test_redis_may_be_named(start: Start, redis: Redis, redis_url: str) -> None:
    """For schedulers that do not say it themselves; it wins over the environment."""
    command = start("scheduler", "schedule", "--redis", redis_url, ASYNQPY_REDIS_URL="redis://127.0.0.1:1")
    command.until(STARTED)
    wait_until(lambda: enqueued(redis) >= 1, limit_seconds=LIMIT_SECONDS)
    assert command.end() == 0


def test_a_scheduler_that_says_where_redis_is(folder: Path, complete: Callable[..., Ran], redis_url: str) -> None:
    """Cannot be told otherwise, and says so."""
    (folder / "schedule.py").write_text(SCHEDULE.replace("Scheduler()", f"Scheduler('{redis_url}')"))
    ran = complete("scheduler", "schedule", "--redis", "redis://127.0.0.1:1")
    assert ran.code == 2
    assert "the scheduler of 'schedule' says itself where Redis is: leave out --redis" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 2, "there is no module 'nowhere'"),
        (["a/b"], 2, "'a/b' names no module: write MODULE:SCHEDULER, as in schedule:scheduler"),
        (["tasks"], 2, "module 'tasks' has no Scheduler: it needs a line such as scheduler = Scheduler()"),
        (["schedule:nothing"], 2, "module 'schedule' has no 'nothing'; did you mean schedule:scheduler?"),
        (["tasks:mux"], 2, "tasks:mux is of type ServeMux, no Scheduler"),
        (["schedule", "--redis", "redis://127.0.0.1:1"], 3, "cannot reach Redis"),
        (["schedule", "--redis", "http://localhost"], 2, "unsupported scheme 'http'"),
        (["bad"], 2, "hour '24' is out of range; it goes from 0 to 23"),
        (["spoilt"], 1, "failed: the periodic tasks in 'missing.toml' cannot be read"),
    ],
)
def test_what_fails_is_said_in_one_line(
    folder: Path, complete: Callable[..., Ran], arguments: list[str], code: int, message: str
) -> None:
    """With an exit code that tells whether trying again may help."""
    (folder / "bad.py").write_text(SCHEDULE.replace("@every 1s", "0 24 * * *"))
    (folder / "spoilt.py").write_text(MANAGED.replace("periodic.toml", "missing.toml"))
    ran = complete("scheduler", *arguments)
    assert ran.code == code
    last = ran.err.strip().splitlines()[-1]
    assert last.startswith("asynqpy: ")
    assert message in last


def test_logs_as_json(start: Start) -> None:
    """With fields."""
    command = start("scheduler", "schedule", "--log-format", "json")
    command.until(STARTED)
    assert command.end() == 0
    started = next(record for record in command.records if record["message"] == STARTED)
    assert started["entries"] == 1
