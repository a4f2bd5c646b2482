"""The tasks of the demo: what they do, and how they come in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Unpack

from asynqpy.aggregators import Aggregators
from asynqpy.cli.demo.journal import Journal, Kind
from asynqpy.client import AsyncClient
from asynqpy.errors import BrokerError, DuplicateTaskError, SkipRetry
from asynqpy.handlers import Next
from asynqpy.inspector import AsyncInspector
from asynqpy.mux import ServeMux
from asynqpy.options import EnqueueOptions
from asynqpy.retry import fixed
from asynqpy.scheduler import Scheduler
from asynqpy.task import Task

WEIGHTS = {"critical": 6, "default": 3, "media": 2, "low": 1, "backfill": 1}
"""The queues of the demo, most important first."""

LEGEND = {
    "critical": "email:welcome at once; payment:charge fails half the time; sms:send, two a second",
    "default": "report:build scheduled; search:index unique; webhook:deliver, crm:sync fail; activity grouped",
    "media": "video:encode, slow, tells its progress, two at once",
    "low": "image:resize, slow, in threads, thirty at once; periodic tasks",
    "backfill": "paused",
}
"""What comes in on each queue."""

WAIT = "from enqueue to start, the median of tasks that are not scheduled"

_SENT = "demo-sent"
_KEPT_SECONDS = 120
_BURST = 30
_BACKFILL = 40
_FRAMES = 24
_LOCALES = ("de", "en", "fr")
_TIMED = ("critical", "default", "low")
"""Where the time from enqueue to start tells of the worker; in the others tasks are kept waiting."""


class DeclinedError(Exception):
    """What a payment fails with."""


class UnavailableError(Exception):
    """What a webhook fails with."""


class SyncError(Exception):
    """What a synchronization fails with."""


def make_mux(journal: Journal, rng: Random) -> ServeMux:
    """Handlers that take their time, and fail as the legend says."""
    mux = ServeMux()

    @mux.middleware
    async def measure(task: Task, call: Next) -> object:
        sent = task.headers.get(_SENT)
        if sent and not task.retried:
            journal.started(task.queue, float(sent))
        return await call(task)

    _add_quick_handlers(mux, rng)
    _add_slow_handlers(mux, rng)
    _add_failing_handlers(mux, rng)
    return mux


def _add_quick_handlers(mux: ServeMux, rng: Random) -> None:
    @mux.handler("email:welcome")
    async def welcome(task: Task) -> dict[str, object]:
        await asyncio.sleep(rng.uniform(0.01, 0.04))
        return {"sent": True, "provider": rng.choice(["ses", "postmark"])}

    @mux.handler("sms:send", limit="2/second")
    async def send(task: Task) -> dict[str, object]:
        await asyncio.sleep(rng.uniform(0.02, 0.1))
        return {"parts": 1}

    @mux.handler("search:index")
    async def index(task: Task) -> None:
        await asyncio.sleep(rng.uniform(0.02, 0.1))

    @mux.handler("activity:digest")
    async def digest(task: Task) -> dict[str, object]:
        await asyncio.sleep(rng.uniform(0.05, 0.2))
        return {"events": task.json()["events"]}

    @mux.handler("session:clean")
    async def clean(task: Task) -> dict[str, object]:
        await asyncio.sleep(rng.uniform(0.1, 0.3))
        return {"removed": rng.randrange(200)}


def _add_slow_handlers(mux: ServeMux, rng: Random) -> None:
    @mux.handler("report:")
    async def build(task: Task) -> dict[str, object]:
        await asyncio.sleep(rng.uniform(0.2, 0.6))
        return {"rows": rng.randrange(10_000)}

    @mux.handler("video:encode", max_active=2)
    async def encode(task: Task) -> dict[str, object]:
        for frame in range(_FRAMES):
            await task.report_progress(frame / _FRAMES, f"frame {frame * 100:,} of {_FRAMES * 100:,}")
            await asyncio.sleep(rng.uniform(0.3, 0.9))
        return {"file": task.json()["file"].replace(".mov", ".mp4"), "seconds": _FRAMES * 4}

    @mux.handler("image:resize")
    def resize(task: Task) -> None:
        time.sleep(rng.uniform(0.3, 0.9))


def _add_failing_handlers(mux: ServeMux, rng: Random) -> None:
    @mux.handler("payment:charge", retry_delay=fixed(1.5))
    async def charge(task: Task) -> None:
        await asyncio.sleep(rng.uniform(0.02, 0.08))
        if rng.random() < 0.5:
            raise DeclinedError(f"the bank says: try again (reference {rng.randrange(10**6):06})")

    @mux.handler("webhook:deliver", retry_delay=fixed(0.8))
    async def deliver(task: Task) -> None:
        await asyncio.sleep(rng.uniform(0.05, 0.2))
        if rng.random() < 0.2:
            raise SkipRetry("410 Gone: nobody wants this any more")
        raise UnavailableError("503 Service Unavailable")

    @mux.handler("crm:sync", retry_delay=fixed(6))
    async def sync(task: Task) -> None:
        await asyncio.sleep(rng.uniform(0.05, 0.3))
        fate = rng.random()
        if fate < 0.3:
            await asyncio.sleep(60)  # longer than it may take
        if fate < 0.6:
            _address_of({"name": "Ann"})


def _address_of(contact: dict[str, str]) -> str:
    try:
        return contact["email"]
    except KeyError as error:
        raise SyncError(f"contact {contact['name']} has no address") from error


def make_aggregators() -> Aggregators:
    """What becomes of groups."""
    aggregators = Aggregators()

    @aggregators.group("user-")
    def digest(group: str, tasks: list[Task]) -> Task:
        return Task("activity:digest", {"user": group, "events": len(tasks)}, retention=_KEPT_SECONDS)

    return aggregators


def register_schedules(scheduler: Scheduler, *, prefix: str = "") -> None:
    """Tasks that come again and again."""
    low = prefix + "low"
    scheduler.register("@every 15s", Task("session:clean", {"older_than": 3600}), queue=low, retention=_KEPT_SECONDS)
    scheduler.register("* * * * *", Task("report:traffic", {"of": "minute"}), queue=low, retention=_KEPT_SECONDS)
    scheduler.register("30 4 * * mon-fri", Task("report:sales", {"of": "day"}), queue=low)


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
            Arrivals(0.6, self._text),
            Arrivals(0.6, self._record),
            Arrivals(2.0, self._sync),
            Arrivals(4.0, self._resize),
            Arrivals(6.0, self._encode),
        ]

    async def begin(self, inspector: AsyncInspector) -> None:
        """What is there from the start: a queue that somebody has paused.

        Raises:
            BrokerError: Redis is down or refuses.
        """
        backfill = self._prefix + "backfill"
        for number in range(_BACKFILL):
            await self._send("image:resize", "backfill", {"src": f"s3://archive/{number:04}.png", "width": 320})
            if not number:
                await inspector.pause_queue(backfill)

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
        payload = {"user_id": 41_000 + self._number, "template": "welcome-v2", "locale": self._rng.choice(_LOCALES)}
        await self._send("email:welcome", "critical", payload, retention=_KEPT_SECONDS)

    async def _text(self) -> None:
        payload = {"to": f"+49 170 {self._rng.randrange(10**7):07}", "text": "Your parcel is on its way"}
        await self._send("sms:send", "critical", payload, retention=_KEPT_SECONDS)

    async def _charge(self) -> None:
        payload = {"order": f"A-{9000 + self._number}", "amount": self._rng.randrange(500, 20_000), "currency": "EUR"}
        await self._send("payment:charge", "critical", payload, max_retry=5, retention=_KEPT_SECONDS)

    async def _build(self) -> None:
        delay = self._rng.uniform(1, 5)
        payload = {"report": "visitors", "country": self._rng.choice(_LOCALES)}
        await self._send("report:build", "default", payload, process_in=delay, retention=_KEPT_SECONDS)
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
        payload = {"event": "order.created", "url": "https://shop.example/hooks/orders"}
        await self._send("webhook:deliver", "default", payload, max_retry=1)

    async def _sync(self) -> None:
        payload = {"contact": self._number, "fields": ["name", "email", "phone"]}
        await self._send("crm:sync", "default", payload, max_retry=2, timeout=1, retention=_KEPT_SECONDS)

    async def _record(self) -> None:
        user = self._rng.randrange(5)
        payload = {"user": user, "page": self._rng.choice(["/", "/cart", "/search"])}
        await self._send("activity:recorded", "default", payload, group=f"user-{user}")

    async def _encode(self) -> None:
        payload = {"file": f"clip-{self._number}.mov", "codec": "h265"}
        await self._send("video:encode", "media", payload, timeout=300, retention=_KEPT_SECONDS)

    async def _resize(self) -> None:
        for number in range(_BURST):
            payload = {"src": f"s3://uploads/{self._number + number}.png", "width": 640}
            await self._send("image:resize", "low", payload, retention=_KEPT_SECONDS)
        self._journal.note(Kind.BURST, f"{_BURST} x image:resize")

    async def _send(self, task_type: str, to: str, payload: object, **options: Unpack[EnqueueOptions]) -> None:
        self._number += 1
        is_timed = to in _TIMED and not {"process_in", "group"} & options.keys() and task_type != "sms:send"
        headers = {"tenant": f"tenant-{self._number % 7}"} | ({_SENT: repr(time.time())} if is_timed else {})
        task = Task(task_type, payload, queue=self._prefix + to, headers=headers)
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
