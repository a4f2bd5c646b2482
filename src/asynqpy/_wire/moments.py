"""Moments as the wire writes them: Unix seconds, milliseconds, nanoseconds, UTC days, Go's zero time."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

GO_ZERO_SECONDS = -62_135_596_800
"""Year 1 in Unix seconds: how Go writes "never" into a Timestamp."""

STATISTICS_TTL_SECONDS = 90 * 86_400
"""Daily counters live for 90 days."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def unix_seconds(moment: datetime) -> int:
    """Whole Unix seconds, rounded down."""
    return (moment - _EPOCH) // timedelta(seconds=1)


def unix_milliseconds_up(unix: float) -> int:
    """Unix milliseconds, rounded up so that nothing is early."""
    return math.ceil(round(unix * 1000, 3))


def unix_nanoseconds(moment: datetime) -> int:
    """Unix nanoseconds as an exact integer; a double would lose digits."""
    return (moment - _EPOCH) // _MICROSECOND * 1000


def score_of_milliseconds(milliseconds: int) -> int:
    """The whole second at or after *milliseconds*: the score of a set that Go reads, never early."""
    return -(-milliseconds // 1000)


def utc_day(moment: datetime) -> str:
    """The UTC date in ISO form, the suffix of the daily counters."""
    return moment.astimezone(UTC).date().isoformat()
