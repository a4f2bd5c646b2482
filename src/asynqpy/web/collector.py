"""One look at Redis for all who watch: it is asked once, however many dashboards are open, and not at all when none is.

What has changed since the last look goes to every watcher as events. A watcher that does not keep up gets everything
anew instead of a backlog.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from asynqpy.errors import AsynqpyError, BrokerError
from asynqpy.inspection import HandledPatterns, QueueInfo, SchedulerEntry, ServerInfo
from asynqpy.task import TaskInfo
from asynqpy.web.broker import Broker
from asynqpy.web.cancellations import Cancellations
from asynqpy.web.jobs import Job

log = logging.getLogger("asynqpy")

INTERVAL_SECONDS = 1.0
SHARE_OF_TIME = 0.1
"""How much of the time may be spent on looking: where that takes long, it is done less often."""

LATE_SECONDS = 0.25
"""How late the next look may be on a busy machine before the last one is no longer good."""

LONGEST_BACKLOG = 64
MOST_WATCHED_TASKS = 200

Kind: TypeAlias = Literal["queues", "servers", "schedulers", "tasks", "jobs", "status"]

TaskKey: TypeAlias = "tuple[str, str]"
"""Queue and id."""


class Event(msgspec.Struct, frozen=True):
    """Something that has changed, or everything at the beginning."""

    number: int
    kind: Kind
    is_snapshot: bool
    """Whether these are all there are; else only those that are new or have changed."""
    values: dict[Any, Any]
    """The new values: of queues, servers and jobs by their names and ids; None for what is gone."""
    texts: dict[Any, str] = msgspec.field(default_factory=dict)
    """The same as text, for each kind of watcher that has had it."""


class Watcher:
    """Somebody who watches."""

    def __init__(self, tasks: Iterable[TaskKey]) -> None:
        self.tasks = tuple(tasks)
        self.events: asyncio.Queue[Event] = asyncio.Queue(LONGEST_BACKLOG)
        self.is_behind = True
        """Whether it needs everything anew."""


class ScheduledEntry(msgspec.Struct, frozen=True):
    """A periodic task, and whether another scheduler has one that is just like it."""

    entry: SchedulerEntry
    is_duplicate: bool


def marked(entries: Sequence[SchedulerEntry]) -> list[ScheduledEntry]:
    """*entries*, each with whether another one is like it."""
    alike = Counter(_kind(entry) for entry in entries)
    return [ScheduledEntry(entry, alike[_kind(entry)] > 1) for entry in entries]


def _kind(entry: SchedulerEntry) -> tuple[Any, ...]:
    return (entry.spec, entry.task_type, entry.task_payload, entry.option_texts)


class SeenServer(msgspec.Struct, frozen=True):
    """A server, and what it does not tell itself."""

    server: ServerInfo
    handles: tuple[str, ...] | None
    """The patterns that it handles; None where it does not publish them."""
    cancelled: tuple[datetime | None, ...]
    """Of each of its active workers, when somebody asked for it to be cancelled."""


def seen(
    servers: Iterable[ServerInfo], patterns: Iterable[HandledPatterns], cancellations: Cancellations
) -> list[SeenServer]:
    """*servers*, each with what it handles and which of its tasks are to be cancelled."""
    handled = {each.server_id: each.patterns for each in patterns}
    asked = cancellations.asked_at_of
    return [
        SeenServer(
            server,
            handled.get(server.id),
            tuple(asked(each.queue, each.task_id, started=each.started) for each in server.active_workers),
        )
        for server in servers
    ]


class SeenTask(msgspec.Struct, frozen=True):
    """A task that somebody watches."""

    info: TaskInfo
    cancel_requested_at: datetime | None


class Look(msgspec.Struct):
    """What was seen at one moment, by kind."""

    queues: dict[str, QueueInfo] = {}
    servers: dict[str, SeenServer] = {}
    schedulers: dict[str, ScheduledEntry] = {}
    tasks: dict[TaskKey, SeenTask | None] = {}
    """Those that somebody watches; None for those that are not there."""
    jobs: dict[str, Job] = {}
    status: dict[str, Any] = {}
    is_known: bool = False
    """Whether Redis has told any of it; else all there is is the status."""


KINDS: tuple[Kind, ...] = ("queues", "servers", "schedulers", "tasks", "jobs", "status")


class Collector:
    """Looks at one Redis as long as somebody watches."""

    def __init__(self, broker: Broker, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._broker = broker
        self._interval_seconds = interval_seconds
        self._watchers: set[Watcher] = set()
        self._last = Look()
        self._snapshot: list[Event] | None = None
        self._number = 0
        self._soon = asyncio.Event()
        self._good_until = 0.0
        self._running: asyncio.Task[None] | None = None
        self.looks = 0
        """How often Redis was looked at."""
        self.seconds = 0.0
        """How long that took."""

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    def look_soon(self) -> None:
        """Look before the next moment comes: something was changed."""
        self._soon.set()
        self._good_until = 0.0

    def queues(self) -> list[QueueInfo] | None:
        """The queues by name as they were at the last look, which is as good as another one; None where it is not.

        It is not while nobody watches, and not from a change until the look after it.
        """
        return list(self._last.queues.values()) if time.monotonic() < self._good_until else None

    async def watch(self, tasks: Iterable[TaskKey] = ()) -> AsyncGenerator[Event, None]:
        """Everything, then what changes.

        Args:
            tasks: tasks to look at too, by queue and id.
        """
        watcher = Watcher(tasks)
        self._watchers.add(watcher)
        try:
            if self._running is None or self._running.done():
                self._last, self._snapshot = Look(), None
                self._running = asyncio.create_task(self._run(), name="asynqpy collector")
            elif self._last.status:
                self._catch_up(watcher)
            if any(key not in self._last.tasks for key in watcher.tasks):
                self._soon.set()
            while True:
                yield await watcher.events.get()
        finally:
            self._watchers.discard(watcher)

    async def close(self) -> None:
        """Look no more."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        while self._watchers:
            began = time.monotonic()
            self._soon.clear()
            try:
                look = await self._look()
                look.status = {"redis": "up"}
            except AsynqpyError as error:
                if self._last.status.get("error") != str(error):  # once, not at each look
                    log.warning("cannot look at Redis: %s", error)
                look = self._last
                look = msgspec.structs.replace(look)
                look.status = {"redis": "down" if isinstance(error, BrokerError) else "up", "error": str(error)}
            took = time.monotonic() - began
            self.looks, self.seconds = self.looks + 1, self.seconds + took
            before, self._last, self._snapshot = self._last, look, None
            self._tell(before)
            pause = max(self._interval_seconds, took / SHARE_OF_TIME)
            if look.status["redis"] == "up" and not self._soon.is_set():
                self._good_until = time.monotonic() + pause + 2 * took + LATE_SECONDS
            try:
                await asyncio.wait_for(self._soon.wait(), pause)
                await asyncio.sleep(min(took / SHARE_OF_TIME, pause))  # many changes at once are one
            except TimeoutError:
                pass
        self._good_until = 0.0

    async def _look(self) -> Look:
        broker = self._broker
        inspector = broker.inspector
        wanted = Counter(key for watcher in self._watchers for key in watcher.tasks)
        tasks = [key for key, _ in wanted.most_common(MOST_WATCHED_TASKS)]
        (infos, servers, patterns, entries), found = await asyncio.gather(
            asyncio.gather(
                inspector.queue_infos(memory=False),
                inspector.servers(),
                inspector.handled_patterns(),
                inspector.scheduler_entries(),
            ),
            asyncio.gather(*(_task(broker, key) for key in tasks)),
        )
        return Look(
            queues={info.queue: info for info in infos},
            servers={each.server.id: each for each in seen(servers, patterns, broker.cancellations)},
            schedulers={f"{each.entry.scheduler}/{each.entry.id}": each for each in marked(entries)},
            tasks=dict(zip(tasks, found, strict=True)),
            jobs={job.id: msgspec.structs.replace(job) for job in broker.jobs.all()},
            is_known=True,
        )

    def _tell(self, before: Look) -> None:
        events: list[Event] = []
        for kind in KINDS:
            changes = _changes(kind, getattr(before, kind), getattr(self._last, kind))
            if changes:
                events.append(self._event(kind, changes, is_snapshot=False))
        for watcher in self._watchers:
            if watcher.is_behind:
                self._catch_up(watcher)
            else:
                _hand(watcher, events)

    def _catch_up(self, watcher: Watcher) -> None:
        """Hand over everything; where nothing is known yet, only why."""
        if self._last.is_known:
            _hand(watcher, self._everything())
        else:
            _hand(watcher, [self._event("status", self._last.status, is_snapshot=True)])
            watcher.is_behind = True

    def _everything(self) -> list[Event]:
        """What was seen at the last look, made once for all who come before the next one."""
        if self._snapshot is None:
            self._snapshot = [self._event(kind, getattr(self._last, kind), is_snapshot=True) for kind in KINDS]
        return self._snapshot

    def _event(self, kind: Kind, values: dict[Any, Any], *, is_snapshot: bool) -> Event:
        self._number += 1
        return Event(self._number, kind, is_snapshot, values)


async def _task(broker: Broker, key: TaskKey) -> SeenTask | None:
    try:
        info = await broker.inspector.task_info(*key)
    except BrokerError:
        raise
    except AsynqpyError:  # it is gone
        return None
    return SeenTask(info, broker.cancellations.asked_at(info))


def _hand(watcher: Watcher, events: Sequence[Event]) -> None:
    if watcher.events.maxsize - watcher.events.qsize() < len(events):
        while not watcher.events.empty():
            watcher.events.get_nowait()
        watcher.is_behind = True
        return
    for event in events:
        watcher.events.put_nowait(event)
    watcher.is_behind = False


def _changes(kind: Kind, before: dict[Any, Any], now: dict[Any, Any]) -> dict[Any, Any]:
    """What is new or different, and None for what is gone.

    A task that is no longer among those watched is not gone: one that is, is there as None.
    """
    changed = {key: value for key, value in now.items() if key not in before or _differs(kind, before[key], value)}
    gone = {key: None for key in before if key not in now} if kind != "tasks" else {}
    return changed | gone


def _differs(kind: Kind, before: Any, now: Any) -> bool:
    if kind == "queues":
        return bool(msgspec.structs.replace(before, timestamp=now.timestamp) != now)
    if kind == "tasks":
        if before is None or now is None:
            return before is not now
        return bool(_telling(before) != _telling(now))
    return bool(before != now)


def _telling(task: SeenTask) -> dict[str, Any]:
    facts = {**task.info.to_dict(), "cancel_requested_at": task.cancel_requested_at}
    if facts["state"] == "pending":
        facts["next_process_at"] = None  # which is always now
    return facts
