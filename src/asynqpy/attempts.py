"""Attempts that failed, as they are kept with their task: one JSON object a line, the oldest first. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

MOST = 10
"""How many are kept; the oldest go first."""

LARGEST_HISTORY = 24 * 1024
"""Bytes of all that are kept of a task."""

LONGEST_ERROR = 512
"""Characters of an error's text that are kept of each."""

LONGEST_TRACEBACK = 2 * 1024
"""Bytes of a traceback that are kept of each; the end tells most, so the beginning goes."""


class FailedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that failed, or was lost with its worker."""

    failed_at: datetime
    """When it ended; when that was noticed, if it was lost."""
    error: str
    """One line, at most 512 characters."""
    traceback: str
    """Where it failed, its last 2 KiB; empty when there is none."""
    worker: str
    """``host:pid`` of the server that ran it; empty where nobody knows."""
    app_version: str = ""
    """The version of the application that ran it; empty where nobody knows."""
    ran_for: timedelta | None
    """How long it ran; None where nobody knows."""
    retried: int | None
    """How often the task had been retried before; None where nobody knows."""
    is_lost: bool
    """Whether its worker was lost, instead of its handler failing."""


class Runner(msgspec.Struct, frozen=True):
    """Who runs attempts; empty where nobody knows."""

    worker: str = ""
    """``host:pid``."""
    app_version: str = ""
    """As `ServerConfig.app_version` says."""


NOBODY = Runner()


class _Stored(msgspec.Struct, omit_defaults=True):
    at: int
    error: str
    traceback: str = ""
    worker: str = ""
    ms: int | None = None
    retried: int | None = None
    lost: bool = False
    version: str = ""


def encode(
    error: str,
    *,
    now: float,
    traceback: bytes = b"",
    runner: Runner = NOBODY,
    ran_seconds: float | None = None,
    retried: int | None = None,
    is_lost: bool = False,
) -> bytes:
    """One line about an attempt that failed *now*, in Unix seconds."""
    cut = traceback[-LONGEST_TRACEBACK:].decode("utf-8", "ignore")
    milliseconds = None if ran_seconds is None else max(0, round(ran_seconds * 1000))
    stored = _Stored(
        int(now * 1000),
        error[:LONGEST_ERROR],
        cut,
        runner.worker,
        milliseconds,
        retried,
        is_lost,
        runner.app_version,
    )
    return msgspec.json.encode(stored)


class _FailedBy(msgspec.Struct):
    at: int
    worker: str
    retried: int | None = None
    version: str = ""


@lru_cache(maxsize=20_000)
def runner_in(failed_by: bytes, failed_at: int, retried: int) -> Runner:
    """Who ran the last attempt of a task that failed at this Unix second and has been *retried* so often.

    *failed_by* is what the last failure of a Python server has left. Go servers leave it as it was, so it says nothing
    where the task has failed since.
    """
    if not failed_by:
        return NOBODY
    try:
        found = msgspec.json.decode(failed_by, type=_FailedBy)
    except msgspec.DecodeError:
        return NOBODY
    before = retried if found.retried is None else found.retried
    is_of_last = found.at // 1000 == failed_at and before <= retried <= before + 1
    return Runner(found.worker, found.version) if is_of_last else NOBODY


def decode(history: bytes) -> tuple[FailedAttempt, ...]:
    """What is kept of a task, the oldest first; lines that nobody of ours wrote are left out."""
    found = []
    for line in history.split(b"\n"):
        try:
            stored = msgspec.json.decode(line, type=_Stored)
            failed_at = datetime.fromtimestamp(stored.at / 1000, UTC)
            ran_for = None if stored.ms is None else timedelta(milliseconds=stored.ms)
        except (msgspec.DecodeError, ValueError, OverflowError, OSError):
            continue
        found.append(
            FailedAttempt(
                failed_at=failed_at,
                error=stored.error,
                traceback=stored.traceback,
                worker=stored.worker,
                app_version=stored.version,
                ran_for=ran_for,
                retried=stored.retried,
                is_lost=stored.lost,
            )
        )
    return tuple(found)
