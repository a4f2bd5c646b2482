"""Failures that are alike: which of many failed tasks have failed for the same reason. Pure.

Two failures are alike when the class of the error, its text without what differs from task to task, and the last frames
of the traceback are the same. The type of the task does not matter: one broken database fails tasks of every type.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from datetime import datetime
from functools import lru_cache

import msgspec

from asynqpy.attempts import Runner, runner_in
from asynqpy.task import TaskInfo, TaskState

FRAMES = 3
"""Frames of a traceback that count, from the one that failed."""

LONGEST_TEXT = 500
TREND_HOURS = 24

_CLASS = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Warning|Exit|Interrupt|Timeout|Group)?(?=: |$)")
_FRAME = re.compile(r'^\s*File "([^"]+)", line \d+, in (\S+)', re.MULTILINE)
_DIFFERENCES = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "<uuid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "<time>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<address>"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), "<email>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<hex>"),
    # Of hexadecimal ids some have decimal digits alone, so nothing tells the two kinds apart.
    (re.compile(r"(?<![^\W_])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}(?![^\W_])", re.IGNORECASE), "<number>"),
    (re.compile(r"'[^']*'|\"[^\"]*\""), "<text>"),
    (re.compile(r"\d+(?:\.\d+)?"), "<number>"),
    (re.compile(r"\s+"), " "),
)


class Fingerprint(msgspec.Struct, frozen=True):
    """What failures that are alike have in common."""

    id: str
    """Equal for those that are alike; 16 hexadecimal digits."""
    error_class: str
    """The class of the error; empty where the text names none, as those of Go."""
    text: str
    """Its text, with placeholders for what differs."""
    frames: tuple[str, ...]
    """``file:function`` of the last frames, the one that failed first; none without a traceback."""


def fingerprint(error: str, traceback: str = "") -> Fingerprint:
    """The fingerprint of a failure with this text and traceback."""
    last = traceback.find("\n", traceback.rfind('  File "') + 1)  # behind it comes the text, which differs
    return _print(*_common(error[: LONGEST_TEXT * 4]), _frames(traceback[:last] if last > 0 else traceback))


# The same tasks are looked at again and again by pages that stay open, and many have failed alike.


@lru_cache(maxsize=20_000)
def _common(error: str) -> tuple[str, str]:
    """The class of an error, and its text with placeholders."""
    named = _CLASS.match(error)
    error_class = named[0] if named and (": " in error or named[0].endswith(_ENDINGS)) and " " not in named[0] else ""
    text = error[len(error_class) :].removeprefix(": ") if error_class else error
    for pattern, placeholder in _DIFFERENCES:
        text = pattern.sub(placeholder, text)
    return error_class, text.strip()[:LONGEST_TEXT]


@lru_cache(maxsize=1_000)
def _frames(traceback: str) -> tuple[str, ...]:
    found = _FRAME.findall(traceback)[-FRAMES:]
    return tuple(f"{path.replace(chr(92), '/').rsplit('/', 1)[-1]}:{function}" for path, function in reversed(found))


@lru_cache(maxsize=1_000)
def _print(error_class: str, text: str, frames: tuple[str, ...]) -> Fingerprint:
    digest = hashlib.sha256("\0".join((error_class, text, *frames)).encode("utf-8", "replace"))
    return Fingerprint(digest.hexdigest()[:16], error_class, text, frames)


def last_runner(info: TaskInfo) -> Runner:
    """Who ran the attempt that failed last; what nobody knows is empty."""
    message = info._message
    return runner_in(info._marks.failed_by, message.last_failed_at, message.retried)


_ENDINGS = ("Error", "Exception", "Warning", "Exit", "Interrupt", "Timeout", "Group")


class FailureGroup(msgspec.Struct, kw_only=True):
    """Tasks that have failed for the same reason."""

    fingerprint: Fingerprint
    count: int = 0
    queues: Counter[str] = msgspec.field(default_factory=Counter)
    types: Counter[str] = msgspec.field(default_factory=Counter)
    states: Counter[TaskState] = msgspec.field(default_factory=Counter)
    servers: Counter[str] = msgspec.field(default_factory=Counter)
    """``host:pid`` of the servers on which they failed last; empty for those of whom nobody knows."""
    versions: Counter[str] = msgspec.field(default_factory=Counter)
    """The versions of the application that failed there; empty for those of whom nobody knows."""
    trend: list[int] = msgspec.field(default_factory=lambda: [0] * TREND_HOURS)
    """How many failed last in each of the last 24 hours, the newest hour last."""
    sample: TaskInfo
    """The one that failed last."""
    _first: TaskInfo | None = None
    _last: TaskInfo | None = None

    @property
    def first_seen(self) -> datetime | None:
        """When the first of them failed that is still there."""
        return self._first.last_failed_at if self._first is not None else None

    @property
    def last_seen(self) -> datetime | None:
        """When the last of them did."""
        return self._last.last_failed_at if self._last is not None else None

    def add(self, info: TaskInfo, now: float) -> None:
        """Take in another one; *now* in Unix seconds."""
        message, runner = info._message, last_runner(info)
        self.count += 1
        self.queues[message.queue] += 1
        self.types[message.type] += 1
        self.states[info.state] += 1
        self.servers[runner.worker] += 1
        self.versions[runner.app_version] += 1
        at = message.last_failed_at
        if not at:
            return
        if self._first is None or at < self._first._message.last_failed_at:
            self._first = info
        if self._last is None or at >= self._last._message.last_failed_at:
            self._last = self.sample = info
        hours_ago = int(now - at) // 3600
        if 0 <= hours_ago < TREND_HOURS:
            self.trend[TREND_HOURS - 1 - hours_ago] += 1


class FailureGroups:
    """Failed tasks, grouped as they come.

    Args:
        now: for the trend.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now.timestamp()
        self._groups: dict[str, FailureGroup] = {}

    def add(self, info: TaskInfo) -> FailureGroup | None:
        """Put a task with its kind; None for one that has never failed."""
        if not info.last_error:
            return None
        print_ = fingerprint(info.last_error, info.traceback)
        group = self._groups.get(print_.id)
        if group is None:
            group = self._groups[print_.id] = FailureGroup(fingerprint=print_, sample=info)
        group.add(info, self._now)
        return group

    def largest(self) -> list[FailureGroup]:
        """The groups, those with most tasks first."""
        return sorted(self._groups.values(), key=lambda group: (-group.count, group.fingerprint.id))
