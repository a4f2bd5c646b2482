"""When a periodic task of somebody else's scheduler will be due: from what it announces. Pure."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from asynqpy._scheduling.schedules import Every, Schedule, parse_spec
from asynqpy.errors import ConfigError

_SECOND = timedelta(seconds=1)
_FARTHEST_OFFSET = 14 * 4
"""Quarters of an hour that local time differs from UTC at most."""


@functools.lru_cache(maxsize=4096)
def next_runs(spec: str, due: datetime, count: int = 5) -> tuple[datetime, ...]:
    """The next *count* moments of an entry that is *due* next then, that one first; fewer where no more can be told.

    A spec is announced without the time zone of its scheduler. So the offset is taken with which it is due when it is
    said to be, the nearest to UTC; clocks that change are not foreseen then.
    """
    try:
        schedule: Schedule | None = parse_spec(spec, UTC)
    except ConfigError:
        return (due,)
    if isinstance(schedule, Every):  # those of Go count from when they were registered
        return tuple(due + timedelta(seconds=schedule.seconds * at) for at in range(count))
    if not _ticks_at(schedule, due):
        schedule = next((local for zone in _zones() if _ticks_at(local := parse_spec(spec, zone), due)), None)
    found, moment = [due], due
    while schedule is not None and len(found) < count:
        following = schedule.next_after(moment)
        if following is None:
            break
        found.append(following)
        moment = following
    return tuple(found)


def _ticks_at(schedule: Schedule | None, moment: datetime) -> bool:
    return schedule is not None and schedule.next_after(moment - _SECOND) == moment


def _zones() -> list[tzinfo]:
    steps = sorted(range(-_FARTHEST_OFFSET, _FARTHEST_OFFSET + 1), key=lambda step: (abs(step), -step))
    return [timezone(timedelta(minutes=15 * step)) for step in steps if step]
