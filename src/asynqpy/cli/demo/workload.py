"""The tasks of the demo: what they do, and how they come in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Unpack

from asynqpy.cli.demo.journal import Journal, Kind
from asynqpy.client import AsyncClient
from asynqpy.errors import BrokerError, DuplicateTaskError
from asynqpy.handlers import Next
from asynqpy.mux import ServeMux
from asynqpy.options import EnqueueOptions
from asynqpy.retry import fixed
from asynqpy.task import Task

WEIGHTS = {"critical": 6, "default": 3, "low": 1}
"""The queues of the demo, most important first."""

LEGEND = {
    "critical": "email:welcome at once; payment:charge fails half the time",
    "default": "report:build scheduled; search:index unique; webhook:deliver fails",
    "low": "image:resize, slow, in threads, thirty at once",
}
"""What comes in on each queue."""

WAIT = "from enqueue to start, the median of tasks that are not scheduled"

_SENT = "demo-sent"
_KEPT_SECONDS = 20
_BURST = 30


class DeclinedError(Exception):
    """What a payment fails with."""


class UnavailableError(Exception):
    """What a webhook fails with."""


def make_mux(journal: Journal, rng: Random) -> ServeMux:
    """Handlers that take their time, and fail as the legend says."""
    mux = ServeMux()

    @mux.middleware
    async def measure(task: Task, call: Next) -> object:
        sent = task.headers.get(_SENT)
        if sent and not task.retried:
            journal.started(task.queue, float(sent))
        return await call(task)

    @mux.handler("email:welcome")
    async def welcome(task: Task) -> dict[str, bool]:
        await asyncio.sleep(rng.uniform(0.01, 0.04))
        return {"sent": True}

    @mux.handler("payment:charge", retry_delay=fixed(1.5))
    async def charge(task: Task) -> None:
        await asyncio.sleep(rng.uniform(0.02, 0.08))
        if rng.random() < 0.5:
            raise DeclinedError("the bank says: try again")

    @mux.handler("report:build")
    async def build(task: Task) -> None:
        await asyncio.sleep(rng.uniform(0.2, 0.6))

    @mux.handler("search:index")
    async def index(task: Task) -> None:
        await asyncio.sleep(rng.uniform(0.02, 0.1))

    @mux.handler("webhook:deliver", retry_delay=fixed(0.8))
    async def deliver(task: Task) -> None:
        await asyncio.sleep(rng.uniform(0.05, 0.2))
        raise UnavailableError("503 Service Unavailable")

    @mux.handler("image:resize")
    def resize(task: Task) -> None:
        time.sleep(rng.uniform(0.3, 0.9))

    return mux


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How one kind of task comes in."""

    mean_seconds: float
    """Between two arrivals."""
    send: Callable[[], Awaitable[None]]


class Workload:
    """Sends tasks until cancelled.

    Args:
        prefix: put before the name of each queue.
    """

    def __init__(self, client: AsyncClient, journal: Journal, rng: Random, *, prefix: str = "") -> None:
        self._client = client
        self._journal = journal
        self._rng = rng
        self._prefix = prefix
        self._number = 0

    def arrivals(self) -> list[Arrivals]:
        """Every kind of task."""
        return [
            Arrivals(0.12, self._welcome),
            Arrivals(0.4, self._charge),
            Arrivals(0.5, self._build),
            Arrivals(0.7, self._index),
            Arrivals(1.0, self._deliver),
            Arrivals(4.0, self._resize),
        ]

    async def run(self, arrivals: Arrivals) -> None:
        """Send one kind of task until cancelled; trouble with Redis is noted and waited out."""
        while True:
            try:
                await arrivals.send()
            except BrokerError as error:
                self._journal.note_once(Kind.TROUBLE, f"cannot enqueue: {error}")
                await asyncio.sleep(1)
            await asyncio.sleep(arrivals.mean_seconds * self._rng.uniform(0.5, 1.5))

    async def _welcome(self) -> None:
        await self._send("email:welcome", "critical", retention=_KEPT_SECONDS)

    async def _charge(self) -> None:
        await self._send("payment:charge", "critical", max_retry=5, retention=_KEPT_SECONDS)

    async def _build(self) -> None:
        delay = self._rng.uniform(1, 5)
        await self._send("report:build", "default", process_in=delay, retention=_KEPT_SECONDS)
        self._journal.note(Kind.SCHEDULED, f"report:build in {delay:.1f} s")

    async def _index(self) -> None:
        document = self._rng.randrange(3)
        payload = {"document": document}
        try:
            await self._send("search:index", "default", payload, unique_for=10, process_in=2, retention=_KEPT_SECONDS)
        except DuplicateTaskError:
            self._journal.refused += 1
            self._journal.note(Kind.REFUSED, f"search:index of document {document}: one is there already")

    async def _deliver(self) -> None:
        await self._send("webhook:deliver", "default", max_retry=1)

    async def _resize(self) -> None:
        for _ in range(_BURST):
            await self._send("image:resize", "low", retention=_KEPT_SECONDS)
        self._journal.note(Kind.BURST, f"{_BURST} x image:resize")

    async def _send(self, task_type: str, to: str, payload: object = None, **options: Unpack[EnqueueOptions]) -> None:
        self._number += 1
        headers = {} if "process_in" in options else {_SENT: repr(time.time())}
        task = Task(task_type, payload or {"number": self._number}, queue=self._prefix + to, headers=headers)
        await self._client.enqueue(task, **options)
        self._journal.enqueued += 1


def failure_noter(journal: Journal) -> Callable[[Task, BaseException], None]:
    """An error handler that notes failures."""

    def note(task: Task, error: BaseException) -> None:
        if task.retried >= task.max_retry:
            journal.note(Kind.ARCHIVED, f"{task.type} after {task.retried + 1} attempts: {error}")
        else:
            journal.note(Kind.RETRY, f"{task.type}, attempt {task.retried + 1} of {task.max_retry + 1}: {error}")

    return note
