"""What is in Redis, read with plain commands and a decoder of our own: neither library is asked about itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from redis import Redis

T = TypeVar("T")

PATIENCE_SECONDS = 20.0
"""How long an event may take that should come at once: these machines are shared."""

_FIELDS = {
    1: "type",
    2: "payload",
    3: "id",
    4: "queue",
    5: "retry",
    6: "retried",
    7: "error_msg",
    8: "timeout",
    9: "deadline",
    10: "unique_key",
    11: "last_failed_at",
    12: "retention",
    13: "completed_at",
    14: "group_key",
    15: "headers",
}
_MOMENTS = {"last_failed_at", "completed_at", "deadline"}


def eventually(condition: Callable[[], T], what: str = "", seconds: float = PATIENCE_SECONDS) -> T:
    """The first true value of *condition*, looked at again and again; fails when none comes in time."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < until, f"waited {seconds:g} s in vain for {what or condition}: last {value!r}"
        time.sleep(0.01)


def go_url(redis_url: str) -> str:
    """The same Redis as asynq spells it: Unix sockets have a scheme of their own, a bare slash is refused."""
    parts = urlsplit(redis_url)
    if parts.scheme == "unix":
        return parts._replace(scheme="redis-socket").geturl()
    return redis_url.rstrip("/")


def decode(message: bytes) -> dict[str, Any]:
    """The fields of a TaskMessage that are present, by the names in asynq's schema."""
    fields: dict[str, Any] = {}
    for number, value in _records(message):
        name = _FIELDS[number]
        if name == "headers":
            entry = {key: cast("bytes", text).decode() for key, text in _records(cast("bytes", value))}
            fields.setdefault(name, {})[entry.get(1, "")] = entry.get(2, "")
        elif isinstance(value, bytes) and name != "payload":
            fields[name] = value.decode()
        else:
            fields[name] = value
    return fields


def _records(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        value, position = _varint(message, position)
        match tag & 7:
            case 0:
                yield tag >> 3, value
            case 2:
                yield tag >> 3, message[position : position + value]
                position += value
            case kind:
                raise AssertionError(f"wire type {kind} is not in a TaskMessage")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def key(queue: str, rest: str) -> str:
    """A key of a queue."""
    return f"asynq:{{{queue}}}:{rest}"


@dataclass(frozen=True)
class Near:
    """A number of seconds from now, equal to any other one within half a minute."""

    seconds: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Near) and abs(self.seconds - other.seconds) < 30

    __hash__ = None  # type: ignore[assignment]


class Look:
    """A view of one database."""

    def __init__(self, redis: Redis) -> None:
        self.redis: Any = redis

    def message(self, queue: str, task_id: str) -> dict[str, Any]:
        """The stored message of a task."""
        return decode(self.redis.hget(key(queue, f"t:{task_id}"), "msg"))

    def field(self, queue: str, task_id: str, name: str) -> bytes | None:
        """A field of the task's hash."""
        return cast("bytes | None", self.redis.hget(key(queue, f"t:{task_id}"), name))

    def state(self, queue: str, task_id: str) -> str | None:
        """The state of a task; None when there is no such task."""
        state = self.field(queue, task_id, "state")
        return None if state is None else state.decode()

    def wait(self, task_id: str, *states: str | None, queue: str = "default") -> str | None:
        """The state of a task, once it is one of *states*; None: there is no such task any more."""
        state: str | None = None

        def reached() -> bool:
            nonlocal state
            state = self.state(queue, task_id)
            return state in states

        try:
            eventually(reached)
        except AssertionError:
            raise AssertionError(
                f"task {task_id!r} of {queue!r} is {state}, not {' or '.join(map(str, states))}"
            ) from None
        return state

    def wait_empty(self, queue: str = "default") -> None:
        """Return once nothing of the queue but its counters is left."""
        eventually(lambda: not self.leftovers(queue), f"queue {queue!r} to be empty")

    def score(self, queue: str, container: str, task_id: str) -> float | None:
        """The score of a task in a sorted set of its queue."""
        return cast("float | None", self.redis.zscore(key(queue, container), task_id))

    def counters(self, queue: str) -> tuple[int, int]:
        """How many tasks were processed, and how many of these failed; today's counters must agree with the totals."""
        today = datetime.now(UTC).date().isoformat()
        names = ("processed", "failed", f"processed:{today}", f"failed:{today}")
        processed, failed, processed_today, failed_today = (int(self.redis.get(key(queue, n)) or 0) for n in names)
        assert (processed, failed) == (processed_today, failed_today)
        return processed, failed

    def leftovers(self, queue: str) -> dict[str, Any]:
        """Whatever of the queue is still stored, counters apart; empty when all is done."""
        kept = ("processed", "failed")
        return {k: v for k, v in self.snapshot(queue).items() if not k.removeprefix(key(queue, "")).startswith(kept)}

    def servers(self) -> list[str]:
        """The keys of the servers that report themselves."""
        return [member.decode() for member in self.redis.zrange("asynq:servers", 0, -1)]

    def snapshot(self, queue: str) -> dict[str, Any]:
        """Everything stored for a queue that Go knows of, with moments relative to now; not our own ``py:`` notes."""
        found = sorted(k.decode() for k in self.redis.scan_iter(match=_literally(key(queue, "")) + "*"))
        found = [name for name in found if not name.startswith(key(queue, "py:"))]
        now = time.time()
        values = {name: self._value(name, now) for name in found}
        return {name: value for name, value in values.items() if value is not None}

    def _value(self, name: str, now: float) -> Any:
        match self.redis.type(name):
            case b"string":
                value = self.redis.get(name)
                if name.endswith("}:paused"):  # since when, in Unix seconds
                    assert value.isdigit(), value
                    value = Near(int(value) - now)
                return value, Near(self.redis.ttl(name))
            case b"list":
                return self.redis.lrange(name, 0, -1)
            case b"set":
                return self.redis.smembers(name)
            case b"zset":
                scores = self.redis.zrange(name, 0, -1, withscores=True)
                assert all(score == int(score) for _, score in scores) or name.endswith(":lease"), (name, scores)
                return {member.decode(): Near(score - now) for member, score in scores}
            case b"hash":
                fields = {k.decode(): v for k, v in self.redis.hgetall(name).items()}
                return {k: _field(k, v, now) for k, v in fields.items() if not k.startswith("py:")}
            case b"none":
                return None  # gone since it was found
            case other:
                raise AssertionError(f"{name} is of type {other!r}")


def _field(name: str, value: bytes, now: float) -> Any:
    if name == "msg":
        message = decode(value)
        return {k: Near(v - now) if k in _MOMENTS else v for k, v in message.items()}
    if name == "pending_since":
        assert value.isdigit(), value
        return Near(int(value) / 1e9 - now)
    return value


def _literally(pattern: str) -> str:
    return "".join(f"\\{c}" if c in "*?[]\\" else c for c in pattern)
