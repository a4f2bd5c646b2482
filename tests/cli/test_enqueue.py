"""``asynqpy enqueue``."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from asynqpy._wire.records import TaskMessage

from .conftest import Ran


@pytest.fixture
def enqueue(run: Callable[..., Ran], redis_url: str) -> Callable[..., Ran]:
    """Runs the command against the shared server."""
    return lambda *arguments: run("enqueue", *arguments, "--redis", redis_url)


Enqueue = Callable[..., Ran]


def stored(redis: Redis, task_id: str, queue: str = "default") -> TaskMessage:
    """The message of a task."""
    message = redis.hget(f"asynq:{{{queue}}}:t:{task_id}", "msg")
    assert isinstance(message, bytes)
    return TaskMessage.decode(message)


def test_one_line_tells_what_became_of_it(enqueue: Enqueue, redis: Redis) -> None:
    """Type, id, queue and state."""
    ran = enqueue("email:welcome", '{"user_id": 42}', "--id", "a")
    assert ran == (0, "email:welcome  id=a  queue=default  pending\n", "")
    assert stored(redis, "a").payload == b'{"user_id": 42}'


def test_without_a_payload(enqueue: Enqueue, redis: Redis) -> None:
    """A task needs none."""
    assert enqueue("t", "--id", "a").code == 0
    assert stored(redis, "a").payload == b""


def test_every_option_arrives(enqueue: Enqueue, redis: Redis) -> None:
    """Names, durations and moments, each in its place."""
    ran = enqueue(
        *("t", "x", "--queue", "low", "--id", "a", "--max-retry", "3", "--timeout", "1m30s"),
        *("--deadline", "2100-01-01T00:00Z", "--unique", "1h", "--in", "2h", "--retention", "1d"),
        *("--header", "a=1", "--header", "b=x=y"),
    )
    assert ran.code == 0, ran.err
    message = stored(redis, "a", "low")
    assert (message.queue, message.retry, message.timeout, message.retention) == ("low", 3, 90, 86_400)
    assert message.deadline == datetime(2100, 1, 1, tzinfo=UTC).timestamp()
    assert message.headers == {"a": "1", "b": "x=y"}
    assert message.unique_key.startswith("asynq:{low}:unique:t:")
    assert redis.zscore("asynq:{low}:scheduled", "a") == pytest.approx(datetime.now(UTC).timestamp() + 7200, abs=30)
    assert "scheduled for" in ran.out
    assert "in 2h" in ran.out or "in 1h 59m" in ran.out


def test_at_a_local_moment(enqueue: Enqueue, redis: Redis) -> None:
    """A moment without a zone is by the clock of this machine."""
    moment = (datetime.now() + timedelta(days=1)).replace(microsecond=0)  # noqa: DTZ005 - that is the point
    assert enqueue("t", "--id", "a", "--at", moment.isoformat()).code == 0
    assert redis.zscore("asynq:{default}:scheduled", "a") == moment.timestamp()


def test_into_a_group(enqueue: Enqueue, redis: Redis) -> None:
    """The line names the group."""
    assert enqueue("t", "--id", "a", "--group", "g") == (0, "t  id=a  queue=default  waiting in group g\n", "")
    assert redis.zcard("asynq:{default}:g:g") == 1


def test_json(enqueue: Enqueue) -> None:
    """One object with every fact; durations in seconds, moments in UTC, null where there is none."""
    found = json.loads(enqueue("t", "x", "--id", "a", "--timeout", "250ms", "-H", "k=v", "--json").out)
    moment = datetime.fromisoformat(found.pop("next_process_at"))
    assert abs(datetime.now(UTC) - moment) < timedelta(seconds=30)
    nothing = [name for name, value in found.items() if value is None]
    for name in (*nothing, "attempts", "crashes", "is_orphaned", "is_readable", "is_unique", "payload"):
        found.pop(name)
    assert {"deadline", "group", "result", "last_error"} <= set(nothing)
    assert found == {
        "id": "a",
        "type": "t",
        "queue": "default",
        "state": "pending",
        "max_retry": 25,
        "retried": 0,
        "timeout_seconds": 1.0,
        "retention_seconds": 0.0,
        "headers": {"k": "v"},
    }


def test_the_payload_of_a_file(enqueue: Enqueue, redis: Redis, tmp_path: Path) -> None:
    """@FILE sends its bytes as they are."""
    (tmp_path / "payload").write_bytes(b"\x00\xff\n")
    assert enqueue("t", f"@{tmp_path / 'payload'}", "--id", "a").code == 0
    assert stored(redis, "a").payload == b"\x00\xff\n"


def test_the_payload_from_standard_input(complete: Callable[..., Ran], redis: Redis) -> None:
    """- reads it to its end; Redis comes from the environment."""
    assert complete("enqueue", "t", "-", "--id", "a", input="two\nlines\n").code == 0
    assert stored(redis, "a").payload == b"two\nlines\n"


def test_what_is_there_already_is_refused(enqueue: Enqueue) -> None:
    """A taken id and a duplicate each say so, with exit code 1."""
    assert enqueue("t", "--id", "a", "--unique", "60").code == 0
    taken, duplicate = enqueue("t2", "--id", "a"), enqueue("t", "--unique", "60")
    assert (taken.code, duplicate.code) == (1, 1)
    assert "task ID conflicts with another task: 'a' in queue 'default'" in taken.err
    assert "task already exists" in duplicate.err
    assert taken.err.count("\n") == duplicate.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["t", "--in", "soon"], "'soon' is not a duration"),
        (["t", "--at", "tomorrow"], "'tomorrow' is not a moment"),
        (["t", "--in", "1s", "--at", "2030-01-01"], "give one of --in and --at"),
        (["t", "--header", "x"], "'x' is not a header"),
        (["t", "@/nowhere/to/be/found"], "cannot be read"),
        (["t", "--unique", "10ms"], "at least one second"),
        (["t", "--queue", " "], "must contain one or more characters"),
        ([" "], "must contain one or more characters"),
    ],
)
def test_what_cannot_be_enqueued_is_wrong_usage(
    enqueue: Enqueue, redis: Redis, arguments: list[str], expected: str
) -> None:
    """One line, exit code 2, and nothing in Redis."""
    ran = enqueue(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert expected in ran.err
    assert ran.err.count("\n") == 1
    assert redis.dbsize() == 0
