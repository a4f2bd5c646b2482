"""The options of one enqueue call: names, defaults, validation, and which of two values wins.

Task defaults come first, the arguments of ``enqueue`` last, and the last value wins. ``process_at`` and ``process_in``
fill the same slot. Headers accumulate. Rules and defaults: asynq ``client.go``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeAlias, TypedDict

import msgspec

from asynqpy.errors import InvalidTaskError

Duration: TypeAlias = "timedelta | float"
"""A span of time; a plain number means seconds."""

DEFAULT_QUEUE = "default"
DEFAULT_MAX_RETRY = 25
DEFAULT_TIMEOUT_SECONDS = 1800
"""What a task gets that asked for neither timeout nor deadline."""

MAX_RETRY_CEILING = 2**31 - 1
"""The wire carries the retry limit as a signed 32-bit number."""

LONGEST_SECONDS = 2**53 - 1
"""Redis compares scores as doubles: beyond this, seconds are no longer exact."""


class EnqueueOptions(TypedDict, total=False):
    """Keyword arguments of ``Task(...)`` and ``enqueue(...)``."""

    queue: str
    """Queue name, ``default`` unless given. Case matters."""
    task_id: str
    """Id of the task, a fresh UUID unless given; a taken id raises `TaskIDConflictError`."""
    max_retry: int
    """How often a failed task is tried again, 25 unless given; below zero means zero."""
    timeout: Duration
    """Longest run of one attempt, rounded up to whole seconds. 0 or absent: 30 minutes unless a deadline is given."""
    deadline: datetime
    """No attempt runs past this moment."""
    unique_for: Duration
    """Refuse another task with the same queue, type and payload for so long, at least one second."""
    process_at: datetime
    """Run at this moment; the past means now."""
    process_in: Duration
    """Run after this delay; below zero means now."""
    retention: Duration
    """Keep the task and its result for so long after success, rounded up to whole seconds; 0 deletes it at once."""
    group: str
    """Collect the task in this group, to be aggregated with others."""
    headers: Mapping[str, str]
    """Metadata beside the payload, for middleware and tracing."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Validated options in the units of the wire. Make one with `resolve`."""

    queue: str = DEFAULT_QUEUE
    task_id: str = ""
    max_retry: int = DEFAULT_MAX_RETRY
    timeout_seconds: int = 0
    deadline_unix: int = 0
    unique_seconds: int = 0
    process_at_unix: float | None = None
    process_in_seconds: float | None = None
    retention_seconds: int = 0
    group: str = ""
    headers: dict[str, str] | None = None


DEFAULTS = Options()


def resolve(given: EnqueueOptions, base: Options = DEFAULTS) -> Options:
    """*base* with the *given* options on top.

    Raises:
        InvalidTaskError: an unknown option, or a value that cannot work; the message names the option and the value.
    """
    if not given:
        return base
    fields: dict[str, Any] = {}
    for name, value in given.items():
        reader = _READERS.get(name)
        if reader is None:
            raise InvalidTaskError(f"unknown option {name!r}; the options are {', '.join(sorted(_READERS))}")
        fields.update(reader(name, value))
    if base.headers and "headers" in fields:
        fields["headers"] = {**base.headers, **fields["headers"]}
    return msgspec.structs.replace(base, **fields)


def text(name: str, value: object) -> str:
    """*value* if it is non-blank text that UTF-8 can carry: Go peers refuse anything else.

    Raises:
        InvalidTaskError: not text, blank, or a lone surrogate inside.
    """
    if not isinstance(value, str):
        raise InvalidTaskError(f"{name} must be text, got {value!r}")
    if not value.strip():
        raise InvalidTaskError(f"{name} must contain one or more characters, got {value!r}")
    return encodable(name, value)


def encodable(name: str, value: str) -> str:
    """*value* if UTF-8 can carry it.

    Raises:
        InvalidTaskError: there is a lone surrogate in it.
    """
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidTaskError(f"{name} is not valid Unicode: {value!r}; remove the lone surrogates") from error
    return value


def _seconds(name: str, value: object) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LONGEST_SECONDS:
        raise InvalidTaskError(f"{name} must be a timedelta or a number of seconds, got {value!r}")
    return float(value)


def _whole_seconds(name: str, value: object) -> int:
    seconds = _seconds(name, value)
    if seconds < 0:
        raise InvalidTaskError(f"{name} must not be negative, got {value!r}")
    return math.ceil(seconds)  # asynq cuts: there, half a second becomes "no timeout at all"


def _unix(name: str, value: object) -> float:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidTaskError(f"{name} must be a datetime with a time zone, got {value!r}; use datetime.now(UTC)")
    return value.timestamp()


def _text(field: str) -> Any:
    return lambda name, value: {field: text(name, value)}


def _max_retry(name: str, value: object) -> dict[str, Any]:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidTaskError(f"{name} must be an integer, got {value!r}")
    return {"max_retry": min(max(value, 0), MAX_RETRY_CEILING)}


def _unique_for(name: str, value: object) -> dict[str, Any]:
    if _seconds(name, value) < 1:
        raise InvalidTaskError(f"{name} must be at least one second, got {value!r}")
    return {"unique_seconds": _whole_seconds(name, value)}


def _headers(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidTaskError(f"{name} must map text to text, got {value!r}")
    for key, entry in value.items():
        if not isinstance(key, str) or not isinstance(entry, str):
            raise InvalidTaskError(f"{name} must map text to text, got {key!r}: {entry!r}")
        encodable(name, key)
        encodable(name, entry)
    return {"headers": dict(value)}


_READERS: dict[str, Any] = {
    "queue": _text("queue"),
    "task_id": _text("task_id"),
    "group": _text("group"),
    "max_retry": _max_retry,
    "timeout": lambda name, value: {"timeout_seconds": _whole_seconds(name, value)},
    "deadline": lambda name, value: {"deadline_unix": math.floor(_unix(name, value))},
    "unique_for": _unique_for,
    "process_at": lambda name, value: {"process_at_unix": _unix(name, value), "process_in_seconds": None},
    "process_in": lambda name, value: {"process_in_seconds": _seconds(name, value), "process_at_unix": None},
    "retention": lambda name, value: {"retention_seconds": _whole_seconds(name, value)},
    "headers": _headers,
}
