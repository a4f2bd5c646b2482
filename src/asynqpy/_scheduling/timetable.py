"""The entries of a scheduler and how far each has got. Changed from any thread; read by the running scheduler."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime

from asynqpy._scheduling.entry import Entry
from asynqpy.clock import Clock
from asynqpy.errors import ConfigError, EntryNotFoundError


class Job:
    """An entry on the timetable of a running scheduler."""

    __slots__ = ("awaited", "busy", "entry", "handled", "next", "previous", "removed", "since")

    def __init__(self, entry: Entry, since: datetime) -> None:
        self.entry = entry
        self.since = since
        """When this scheduler began to watch it."""
        self.handled: datetime | None = None
        """Everything up to here is dealt with; None until Redis has told what was decided last."""
        self.previous: datetime | None = None
        """The last tick that was decided, by whichever scheduler."""
        self.next = entry.schedule.next_after(since)
        """The next tick; None when there is none."""
        self.awaited = self.next
        """The tick that is enqueued even if this scheduler comes late to it."""
        self.busy = False
        self.removed = False

    def begin(self, handled: datetime, *, has_fired: bool) -> None:
        """Redis has told what was decided last."""
        self.handled = handled
        self.previous = handled if has_fired else None
        self.next = self.entry.schedule.next_after(handled)

    def dealt_with(self, tick: datetime) -> None:
        """A tick was decided."""
        self.handled = self.previous = tick

    def proceed(self, until: datetime | None, now: datetime) -> None:
        """Wait for what comes after *until*, the last tick that has passed, if any has."""
        if self.handled is None:
            return
        if until is not None and until > self.handled:
            self.handled = until
        self.next = self.entry.schedule.next_after(self.handled)
        self.awaited = self.next if self.next is not None and self.next > now else None

    def is_due(self, now: datetime) -> bool:
        """Whether there is something to do: a tick, or asking Redis where the entry stands."""
        return not self.busy and (self.handled is None or (self.next is not None and self.next <= now))


class Timetable:
    """Jobs by the id of their entry, in the order of registration."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self.on_change: Callable[[], None] = lambda: None
        """Called after each change, from the thread that made it."""

    def open(self, since: datetime) -> None:
        """What is registered counts from *since* on, when the scheduler was started."""
        with self._lock:
            self._jobs = {entry_id: Job(job.entry, since) for entry_id, job in self._jobs.items()}

    def jobs(self) -> list[Job]:
        """All jobs at this moment."""
        with self._lock:
            return list(self._jobs.values())

    def add(self, entry: Entry) -> None:
        """Put a new entry on the timetable.

        Raises:
            ConfigError: there is one with this id.
        """
        with self._lock:
            if entry.id in self._jobs:
                raise ConfigError(
                    f"entry {entry.id!r} ({entry.spec!r}, {entry.task.type!r}) is already registered; to have it"
                    " twice, pass an entry_id of its own"
                )
            self._jobs[entry.id] = Job(entry, self._clock.now())
        self.on_change()

    def remove(self, entry_id: str) -> None:
        """Take an entry off the timetable. What it has enqueued stays.

        Raises:
            EntryNotFoundError: there is none with this id.
        """
        with self._lock:
            job = self._jobs.pop(entry_id, None)
            if job is None:
                raise EntryNotFoundError(entry_id)
            job.removed = True
        self.on_change()

    def replace(self, entries: Iterable[Entry]) -> tuple[list[Entry], list[Entry]]:
        """Have these entries and no others; unchanged ones go on as they are. Returns what was added and removed."""
        wanted = {entry.id: entry for entry in entries}
        with self._lock:
            stale = {
                entry_id: job
                for entry_id, job in self._jobs.items()
                if entry_id not in wanted or wanted[entry_id].content != job.entry.content
            }
            for entry_id, job in stale.items():
                job.removed = True
                del self._jobs[entry_id]
            now = self._clock.now()
            added = [entry for entry_id, entry in wanted.items() if entry_id not in self._jobs]
            self._jobs |= {entry.id: Job(entry, now) for entry in added}
        if added or stale:
            self.on_change()
        return added, [job.entry for job in stale.values()]
