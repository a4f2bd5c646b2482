"""What happens in the demo, as the workload tells it: counters, waiting times, and events worth a line."""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from statistics import median

REMEMBERED_WAITS = 200
REMEMBERED_EVENTS = 50


class Kind(StrEnum):
    """What an event is about."""

    BURST = "burst"
    SCHEDULED = "scheduled"
    REFUSED = "refused"
    RETRY = "retry"
    ARCHIVED = "archived"
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    at: datetime
    kind: Kind
    text: str


@dataclass(slots=True)
class Journal:
    """Written by the workload, read by the screen; on one event loop."""

    enqueued: int = 0
    refused: int = 0
    """Duplicates of unique tasks."""
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=REMEMBERED_EVENTS))
    _waits: dict[str, deque[float]] = field(default_factory=dict)

    def note(self, kind: Kind, text: str) -> None:
        """Remember an event."""
        self.events.append(Event(datetime.now().astimezone(), kind, text))

    def note_once(self, kind: Kind, text: str) -> None:
        """Remember an event, unless the last one was the same."""
        if not self.events or (self.events[-1].kind, self.events[-1].text) != (kind, text):
            self.note(kind, text)

    def started(self, queue: str, sent_at: float) -> None:
        """A task that was sent at *sent_at* (Unix seconds), to run at once, has started."""
        waits = self._waits.setdefault(queue, deque(maxlen=REMEMBERED_WAITS))
        waits.append(max(0.0, time.time() - sent_at))

    def wait(self, queue: str) -> float | None:
        """Median seconds from enqueue to start of the last tasks of *queue*; None when there was none."""
        waits = self._waits.get(queue)
        return median(waits) if waits else None


class JournalHandler(logging.Handler):
    """Turns log records into events, so that they do not tear the screen."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(logging.WARNING)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        """Note *record*."""
        self._journal.note_once(Kind.TROUBLE, record.getMessage().partition("\n")[0])
