"""``asynqpy worker`` in one process."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from redis import Redis

from asynqpy import Client, Task
from asynqpy._wire.records import ServerInfo
from tests.servers import wait_until

from .conftest import Ran
from .programs import LIMIT_SECONDS, Program

Start = Callable[..., Program]
STARTED = "server started"


def notes(redis: Redis) -> list[str]:
    """What the handlers wrote down."""
    return [note.decode() for note in redis.lrange("notes", 0, -1) if isinstance(note, bytes)]


def announced_states(redis: Redis) -> list[str]:
    """The state that each running worker announces."""
    announced = [redis.get(key) for key in redis.keys("asynq:servers:*")]
    return [ServerInfo.decode(each).status for each in announced if isinstance(each, bytes)]


def until_noted(redis: Redis, text: str, *, times: int = 1) -> None:
    """Wait until handlers have written down *text* so often."""
    wait_until(lambda: sum(text in note for note in notes(redis)) >= times, limit_seconds=LIMIT_SECONDS)


def test_it_runs_tasks_until_terminated(start: Start, redis: Redis, redis_url: str) -> None:
    """Tasks enqueued before and after its start are run; TERM ends it with exit code 0."""
    with Client(redis_url) as client:
        client.enqueue(Task("note", b"before"))
        worker = start("worker", "tasks:mux")
        worker.until(STARTED)
        client.enqueue(Task("note", b"after"))
        until_noted(redis, "after")
    assert worker.end() == 0
    assert [note.split()[0] for note in notes(redis)] == ["before", "after"]
    assert "server ended" in worker.output


@pytest.mark.parametrize("more", [[], ["--processes", "1"]])
def test_its_version_is_known(start: Start, redis: Redis, more: list[str]) -> None:
    """From the environment, as all options; of processes under a supervisor too."""
    worker = start("worker", "tasks", *more, ASYNQPY_APP_VERSION="1.4.2")
    wait_until(lambda: redis.keys("asynq:py:about:*"), limit_seconds=LIMIT_SECONDS)
    (told,) = redis.mget(redis.keys("asynq:py:about:*"))
    assert json.loads(told)["app"] == "1.4.2"
    assert worker.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_drains(start: Start, redis: Redis, redis_url: str, number: signal.Signals) -> None:
    """A running task may finish within the shutdown timeout; one that is too long goes back, no retry spent."""
    worker = start("worker", "tasks", "-c", "2", "--shutdown-timeout", "2s")
    worker.until(STARTED)
    with Client(redis_url) as client:
        client.enqueue(Task("sleep", b"0.5", task_id="short"))
        client.enqueue(Task("sleep", b"600", task_id="long"))
        client.enqueue(Task("sleep", b"0", task_id="waiting"))
        until_noted(redis, "began", times=2)
    assert worker.end(number) == 0
    assert "ended short" in notes(redis)
    assert redis.lrange("asynq:{default}:pending", 0, -1) == [b"waiting", b"long"]
    assert redis.llen("asynq:{default}:active") == 0
    assert redis.zcard("asynq:{default}:lease") == 0


def test_the_second_signal_does_not_wait(start: Start, redis: Redis, redis_url: str) -> None:
    """Asked twice, it puts running tasks back at once."""
    worker = start("worker", "tasks", "--shutdown-timeout", "1h")
    worker.until(STARTED)
    with Client(redis_url) as client:
        client.enqueue(Task("sleep", b"600", task_id="long"))
    until_noted(redis, "began long")
    worker.send(signal.SIGTERM)
    worker.until("shutting down")
    assert worker.end() == 0
    assert redis.lrange("asynq:{default}:pending", 0, -1) == [b"long"]


def test_it_can_be_quiet(start: Start, redis: Redis, redis_url: str) -> None:
    """After TSTP it finishes what it has and takes nothing new."""
    worker = start("worker", "tasks", "-c", "2")
    worker.until(STARTED)
    with Client(redis_url) as client:
        client.enqueue(Task("sleep", b"1", task_id="running"))
        until_noted(redis, "began running")
        worker.send(signal.SIGTSTP)
        wait_until(lambda: announced_states(redis) == ["stopped"], limit_seconds=LIMIT_SECONDS)
        client.enqueue(Task("note", b"late", task_id="late"))
    until_noted(redis, "ended running")
    assert worker.end() == 0
    assert redis.lrange("asynq:{default}:pending", 0, -1) == [b"late"]


def test_json_logs(start: Start, redis_url: str) -> None:
    """Every line is an object with moment, level and message, and the fields of its event."""
    worker = start("worker", "tasks:mux", "-q", "critical=6", "-q", "low", "-c", "7", "--log-format", "json")
    worker.until(STARTED)
    assert worker.end() == 0
    records = {record["message"]: record for record in worker.records}
    assert {"worker starts", "server started", "shutting down", "server ended"} <= records.keys()
    assert all(datetime.fromisoformat(record["time"]).tzinfo for record in records.values())
    assert records["server started"]["queues"] == {"critical": 6, "low": 1}
    assert records["server started"]["concurrency"] == 7
    assert records["worker starts"]["patterns"] == ["note", "sleep", "once", "isolated", "kill", "hang"]
    assert records["worker starts"]["redis"] == redis_url
    assert records["worker starts"]["process"] == worker.process.pid


def test_options_come_from_the_environment(start: Start, redis: Redis) -> None:
    """Each option has a variable; what is given on the command line wins."""
    worker = start(
        *("worker", "tasks", "--concurrency", "3"),
        ASYNQPY_CONCURRENCY="9",
        ASYNQPY_QUEUE="critical=6 default=3",
        ASYNQPY_STRICT="1",
        ASYNQPY_LEASE="15s",
        ASYNQPY_SHUTDOWN_TIMEOUT="1m",
        ASYNQPY_LOG_FORMAT="json",
        ASYNQPY_LOG_LEVEL="info",
    )
    worker.until(STARTED)
    started = next(record for record in worker.records if record["message"] == STARTED)
    assert (started["concurrency"], started["queues"]) == (3, {"critical": 6, "default": 3})
    assert worker.end() == 0


def test_groups_are_aggregated(start: Start, redis: Redis, redis_url: str) -> None:
    """By what --aggregators names, with the settings of the command line and of the environment."""
    worker = start(
        *("worker", "tasks:mux", "--aggregators", "tasks:aggregators", "--group-grace-period", "1h"),
        ASYNQPY_GROUP_MAX_SIZE="3",
        ASYNQPY_GROUP_MAX_DELAY="1h",
    )
    worker.until(STARTED)
    with Client(redis_url) as client:
        for n in range(3):
            client.enqueue(Task("part", f"{n}"), group="notes", task_id=f"{n}")
    until_noted(redis, "0 1 2 retried=0")
    assert worker.end() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--aggregators", "tasks:mux"], "an aggregate function takes two arguments"),
        (["--aggregators", "tasks"], "write MODULE:NAME, as in tasks:aggregators"),
        (["--aggregators", "tasks:nothing"], "module 'tasks' has no 'nothing'"),
        (["--group-grace-period", "100ms"], "group_grace_period must be at least 1 second"),
        (["--group-max-size", "-1"], "group_max_size must be a whole number of at least 0"),
    ],
)
def test_aggregation_that_cannot_work(complete: Callable[..., Ran], arguments: list[str], message: str) -> None:
    """The worker ends at once and says why."""
    ran = complete("worker", "tasks:mux", *arguments)
    assert ran.code != 0
    assert message in ran.err


def test_failures_are_logged(start: Start, redis_url: str) -> None:
    """What failed, why, and what comes next; with the traceback where the handler's own code failed."""
    worker = start("worker", "tasks", "--log-format", "json")
    worker.until(STARTED)
    with Client(redis_url) as client:
        client.enqueue(Task("unknown", task_id="a"))
        worker.until("task failed and will be tried again")
        client.enqueue(Task("sleep", b"long", task_id="b", max_retry=0))
        worker.until("task failed and is archived")
    assert worker.end() == 0
    first, second = (record for record in worker.records if record["message"].startswith("task failed"))
    assert (first["task_id"], first["task_type"], first["queue"]) == ("a", "unknown", "default")
    assert first["error"] == 'HandlerNotFoundError: handler not found for task "unknown"'
    assert "exception" not in first
    assert second["error"] == "ValueError: could not convert string to float: b'long'"
    assert "tasks.py" in second["exception"].splitlines()[1]  # the first frame is the handler's


def test_passwords_are_not_logged(start: Start, redis_url: str) -> None:
    """The URL is logged without its password."""
    url = redis_url.replace("redis://", "redis://default:s3cret@")
    worker = start("worker", "tasks", "--redis", url)
    worker.until("worker starts")
    worker.end()
    assert "s3cret" not in worker.output
    assert "redis://default:***@" in worker.output


def test_an_empty_mux_is_said(start: Start, folder: Path) -> None:
    """A worker without handlers would fail every task, so it warns."""
    (folder / "empty.py").write_text("from asynqpy import ServeMux\nmux = ServeMux()")
    worker = start("worker", "empty")
    worker.until("the mux has no handlers")
    worker.until(STARTED)
    assert worker.end() == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere"], "there is no module 'nowhere'"),
        (["tasks:nowhere"], "module 'tasks' has no 'nowhere'; did you mean tasks:mux?"),
        (["tasks:note"], "tasks:note is of type function, no ServeMux"),
        (["tasks", "-q", "low=many"], "'low=many' is not a queue"),
        (["tasks", "-q", "low=0"], "weight of queue 'low' must be"),
        (["tasks", "-c", "0"], "concurrency must be"),
        (["tasks", "--app-version", " "], "app_version must be 1 to 64 visible characters"),
        (["tasks", "--lease", "5s"], "lease must be at least 10 seconds"),
        (["tasks", "--shutdown-timeout", "soon"], "'soon' is not a duration"),
        (["tasks", "-P", "0"], "--processes"),
        (["tasks", "--redis", "redis://h:port"], "could not parse the Redis URL"),
        (["tasks", "-P", "2", "--lease", "5s"], "lease must be at least 10 seconds"),
    ],
)
def test_what_cannot_start_is_wrong_usage(complete: Callable[..., Ran], arguments: list[str], expected: str) -> None:
    """One line, exit code 2."""
    ran = complete("worker", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert expected in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["--processes", "2"]])
def test_an_unreachable_redis_is_said_at_the_start(complete: Callable[..., Ran], arguments: list[str]) -> None:
    """A worker that would wait for ever does not start: one line, exit code 3."""
    ran = complete("worker", "tasks", *arguments, "--redis", "redis://127.0.0.1:1", "--log-level", "error")
    assert ran.code == 3
    assert "cannot reach Redis" in ran.err
    assert ran.err.count("\n") == 1
