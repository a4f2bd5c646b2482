"""Which of the ticks that have passed are still to be enqueued. Pure.

A tick that a scheduler waited for is always enqueued, however late it wakes or Redis answers. So is one that is only a
few seconds late: a slow machine or a restart is no outage. Older ones were missed, and the entry says what to do then.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias

from asynqpy._scheduling.schedules import Schedule

CatchUp: TypeAlias = Literal["none", "last", "all"]
"""What to do about missed ticks: forget them, enqueue the latest, enqueue each."""

GRACE = timedelta(seconds=10)
"""A tick that is not later than this was not missed."""

MOST_MISSED_TICKS = 1000
"""No more missed ticks are enqueued at once, the latest ones."""


class Plan(NamedTuple):
    """What to do now."""

    ticks: tuple[datetime, ...]
    """To be enqueued, in order."""
    until: datetime | None
    """The last tick that has passed; None when none has since what was dealt with last."""
    skips: bool
    """Whether passed ticks are left out."""


def plan(
    schedule: Schedule, after: datetime, now: datetime, catch_up: CatchUp, *, awaited: datetime | None = None
) -> Plan:
    """The ticks later than *after* and not later than *now* that are to be enqueued.

    Args:
        schedule: of the entry.
        after: what was dealt with last.
        now: the present moment.
        catch_up: what to do about ticks that were missed.
        awaited: the tick that the scheduler was waiting for, if any.
    """
    ticks: list[datetime] = []
    tick = last = schedule.last_until(now)
    while tick is not None and tick > after and _wanted(tick, len(ticks), now, catch_up):
        ticks.append(tick)
        tick = schedule.last_until(tick - timedelta(seconds=1))
    skips = tick is not None and tick > after
    if tick is not None and awaited is not None and after < awaited <= tick:
        ticks.append(awaited)
        skips = tick != awaited or schedule.next_after(after) != awaited
    return Plan(tuple(reversed(ticks)), last if last is not None and last > after else None, skips)


def _wanted(tick: datetime, found: int, now: datetime, catch_up: CatchUp) -> bool:
    if found >= MOST_MISSED_TICKS:
        return False
    match catch_up:
        case "all":
            return True
        case "last":
            return found == 0 or now - tick <= GRACE
        case "none":
            return now - tick <= GRACE
