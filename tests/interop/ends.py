"""The two ends of every exchange, Go's and Python's, with one face: clients that enqueue, workers that report."""

from __future__ import annotations

import base64
import json
import signal
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from asynqpy import Client, DuplicateTaskError, Task, TaskIDConflictError, TaskInfo

from . import look
from .pipes import LineProcess, Peer, PeerError

SIDES = ("go", "python")
OTHER = {"go": "python", "python": "go"}

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Order:
    """A task that a test wants enqueued. None: the option is not given."""

    type: str = "record"
    payload: bytes | None = b"{}"
    headers: Mapping[str, str] | None = None
    queue: str | None = None
    task_id: str | None = None
    max_retry: int | None = None
    timeout: float | None = None
    deadline: datetime | None = None
    unique_for: float | None = None
    process_at: datetime | None = None
    process_in: float | None = None
    retention: float | None = None
    group: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The options that are given."""
        return {k: v for k, v in vars(self).items() if k not in ("type", "payload") and v is not None}


def program(**steps: Any) -> bytes:
    """The payload of a task of type ``act``: what its handler shall do. ``go`` and ``python`` override for one side."""
    return json.dumps(steps).encode()


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a client or the inspector knows of a task."""

    id: str
    queue: str
    type: str
    payload: bytes
    headers: Mapping[str, str]
    state: str
    max_retry: int
    retried: int
    last_error: str
    last_failed_at: datetime | None
    timeout: float
    deadline: datetime | None
    group: str
    next_process_at: datetime | None
    is_orphaned: bool
    retention: float
    completed_at: datetime | None
    result: bytes | None

    @classmethod
    def from_go(cls, answer: dict[str, Any]) -> Known:
        """Read a task as the Go peer describes it."""
        fields = dict(answer)
        for name in ("last_failed_at", "deadline", "next_process_at", "completed_at"):
            fields[name] = moment(fields.pop(f"{name}_ns"))
        fields["payload"] = unpack(fields["payload"]) or b""
        fields["result"] = unpack(fields["result"])
        fields["headers"] = fields["headers"] or {}
        return cls(**fields)

    @classmethod
    def from_python(cls, info: TaskInfo) -> Known:
        """Read a task as our client describes it."""
        return cls(
            id=info.id,
            queue=info.queue,
            type=info.type,
            payload=info.payload,
            headers=dict(info.headers),
            state=info.state.value,
            max_retry=info.max_retry,
            retried=info.retried,
            last_error=info.last_error,
            last_failed_at=info.last_failed_at,
            timeout=info.timeout.total_seconds(),
            deadline=info.deadline,
            group=info.group,
            next_process_at=info.next_process_at,
            is_orphaned=info.is_orphaned,
            retention=info.retention.total_seconds(),
            completed_at=info.completed_at,
            result=info.result,
        )


class Duplicate(Exception):
    """A unique task of this kind exists."""


class Conflict(Exception):
    """The id is taken."""


class Enqueuer(Protocol):
    """Either client."""

    def enqueue(self, order: Order) -> Known:
        """Enqueue one task; raises `Duplicate` or `Conflict`."""

    def enqueue_many(self, orders: Iterable[Order]) -> list[Known]:
        """Enqueue many tasks, all of which must be accepted."""


class GoClient:
    """asynq's client."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def enqueue(self, order: Order) -> Known:
        """Enqueue one task; raises `Duplicate` or `Conflict`."""
        try:
            return Known.from_go(self._peer.ask("enqueue", task=_for_go(order)))
        except PeerError as error:
            raise {"ErrDuplicateTask": Duplicate, "ErrTaskIDConflict": Conflict}.get(error.name, PeerError)(
                error.name, error.text
            ) from error

    def enqueue_many(self, orders: Iterable[Order]) -> list[Known]:
        """Enqueue many tasks, all of which must be accepted."""
        answers = self._peer.ask("enqueue_many", tasks=[_for_go(order) for order in orders])
        assert not [answer["error"] for answer in answers if answer["error"]]
        return [Known.from_go(answer["result"]) for answer in answers]


class PythonClient:
    """asynqpy's client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def enqueue(self, order: Order) -> Known:
        """Enqueue one task; raises `Duplicate` or `Conflict`."""
        try:
            return Known.from_python(self._client.enqueue(Task(order.type, order.payload), **order.options))
        except DuplicateTaskError as error:
            raise Duplicate from error
        except TaskIDConflictError as error:
            raise Conflict from error

    def enqueue_many(self, orders: Iterable[Order]) -> list[Known]:
        """Enqueue many tasks, all of which must be accepted."""
        results = self._client.enqueue_many(Task(order.type, order.payload, **order.options) for order in orders)
        return [Known.from_python(result.unwrap()) for result in results]


@dataclass(frozen=True, kw_only=True)
class Event:
    """The start or the end of one attempt, as a worker reports it."""

    event: str
    id: str
    type: str
    payload: bytes
    headers: Mapping[str, str]
    queue: str
    retried: int
    max_retry: int
    deadline: datetime | None
    now: datetime
    error: str


class Worker(LineProcess):
    """A worker process of either side."""

    def __init__(self, side: str, command: list[str], *, folder: Path | None = None) -> None:
        self.side = side
        self.events: list[Event] = []
        super().__init__(*command, folder=folder)

    def receive(self, line: Any) -> None:
        """Keep what it reports."""
        fields = dict(line)
        fields["payload"] = unpack(fields["payload"]) or b""
        fields["headers"] = fields["headers"] or {}
        fields["deadline"] = moment(fields.pop("deadline_ns"))
        now = moment(fields.pop("now_ns"))
        assert now is not None
        self.events.append(Event(now=now, **fields))

    def starts(self, task_id: str | None = None) -> list[Event]:
        """Every attempt that was started, of one task or of all."""
        return [e for e in tuple(self.events) if e.event == "start" and task_id in (None, e.id)]

    def ends(self, task_id: str | None = None) -> list[Event]:
        """Every attempt that came to its end, of one task or of all."""
        return [e for e in tuple(self.events) if e.event == "end" and task_id in (None, e.id)]

    def wait_start(self, task_id: str, attempt: int = 1) -> Event:
        """The start of an attempt, once it has happened."""
        return self._wait(self.starts, task_id, attempt)

    def wait_end(self, task_id: str, attempt: int = 1) -> Event:
        """The end of an attempt, once it has happened."""
        return self._wait(self.ends, task_id, attempt)

    def _wait(self, events: Any, task_id: str, attempt: int) -> Event:
        def happened() -> bool:
            assert self.is_running or len(events(task_id)) >= attempt, f"the {self.side} worker ended: {self.stderr}"
            return len(events(task_id)) >= attempt

        look.eventually(happened, f"{events.__name__} of {task_id} on {self.side}; it said {self.stderr!r}")
        found: Event = events(task_id)[attempt - 1]
        return found

    def release(self, task_id: str) -> None:
        """Let a held task go on, now and whenever it comes back."""
        self.send({"command": "release", "id": task_id})

    def terminate(self) -> None:
        """Send TERM and wait until it has shut down."""
        self.signal(signal.SIGTERM)
        assert self.wait() == 0, self.stderr

    def kill(self) -> None:
        """Send KILL: it has no chance to tidy up."""
        self.signal(signal.SIGKILL)
        self.wait()


def start_worker(side: str, program_path: Path, redis_url: str, config: dict[str, Any]) -> Worker:
    """A worker of one side, not necessarily ready yet."""
    script = Path(__file__).with_name("python_worker.py")
    command, url = {
        "go": ([str(program_path), "worker"], look.go_url(redis_url)),
        "python": ([sys.executable, str(script)], redis_url),
    }[side]
    return Worker(side, [*command, "-redis", url, "-config", json.dumps(config)])


def start_supervised_workers(redis_url: str, *, processes: int) -> Worker:
    """The same Python worker as a user runs it: some processes under the supervisor of the command line."""
    command = [sys.executable, "-m", "asynqpy", "worker", "python_worker:mux", "--redis", redis_url]
    command += ["--processes", str(processes), "--shutdown-timeout", "0.5"]
    return Worker("python", command, folder=Path(__file__).parent)


def moment(nanoseconds: int) -> datetime | None:
    """A moment of the pipe protocol."""
    return EPOCH + timedelta(microseconds=nanoseconds // 1000) if nanoseconds else None


def unpack(encoded: str | None) -> bytes | None:
    """Bytes of the pipe protocol."""
    return None if encoded is None else base64.b64decode(encoded)


def _for_go(order: Order) -> dict[str, Any]:
    fields = replace(order, deadline=None, process_at=None).options
    for name, value in (("deadline_ns", order.deadline), ("process_at_ns", order.process_at)):
        if value is not None:
            fields[name] = (value - EPOCH) // timedelta(microseconds=1) * 1000
    payload = None if order.payload is None else base64.b64encode(order.payload).decode()
    return {"type": order.type, "payload": payload, **fields}
