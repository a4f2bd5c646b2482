"""Time zones: looking them up by name, and finding the moments when their offset from UTC changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from asynqpy.errors import ConfigError

_STRIDE = timedelta(hours=6)
"""No zone has ever changed its offset twice within so short a time, so no change is stepped over."""

_SECOND = timedelta(seconds=1)


def zone_named(name: str) -> tzinfo:
    """The time zone *name*, as in ``Europe/Berlin``.

    Raises:
        ConfigError: there is none of this name on this machine.
    """
    if name == "UTC":
        return UTC  # needs no database
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise ConfigError(
            f"there is no time zone {name!r} on this machine: write a name such as Europe/Berlin or UTC; where none is"
            " found, pip install tzdata"
        ) from None


def offset_at(zone: tzinfo, moment: datetime) -> timedelta:
    """How far local time is ahead of UTC."""
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def next_change(zone: tzinfo, moment: datetime, until: datetime) -> datetime | None:
    """The first moment after *moment*, and not after *until*, that has another offset; to the second, in UTC."""
    offset = offset_at(zone, moment)
    same = moment
    while same < until:
        probe = min(same + _STRIDE, until)
        if offset_at(zone, probe) != offset:
            return _bisect(zone, same, probe)
        same = probe
    return None


def last_change(zone: tzinfo, moment: datetime, since: datetime) -> datetime | None:
    """The moment after *since*, and not after *moment*, from which the offset of *moment* holds; in UTC."""
    offset = offset_at(zone, moment)
    same = moment
    while same > since:
        probe = max(same - _STRIDE, since)
        if offset_at(zone, probe) != offset:
            return _bisect(zone, probe, same)
        same = probe
    return None


def _bisect(zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """The first second whose offset is that of *after*; *before* has another."""
    wanted = offset_at(zone, after)
    low, high = 0, (after - before) // _SECOND
    while high - low > 1:
        middle = (low + high) // 2
        if offset_at(zone, before + middle * _SECOND) == wanted:
            high = middle
        else:
            low = middle
    return before + high * _SECOND
