"""Cron by brute force: every minute of a stretch of time is looked at. Slow, and too simple to be wrong.

The fields come as sets of numbers, so nothing is shared with the code that is tested.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Fields:
    """What the fields of a spec mean; None is a star."""

    minutes: frozenset[int] | None = None
    hours: frozenset[int] | None = None
    days: frozenset[int] | None = None
    months: frozenset[int] | None = None
    weekdays: frozenset[int] | None = None

    def spec(self) -> str:
        """As text."""
        fields = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        return " ".join("*" if numbers is None else ",".join(map(str, sorted(numbers))) for numbers in fields)

    def match(self, local: datetime) -> bool:
        """Whether the local time is one of those."""
        day = self.days is None or local.day in self.days
        weekday = self.weekdays is None or local.isoweekday() % 7 in self.weekdays
        is_day = (day and weekday) if None in (self.days, self.weekdays) else (day or weekday)
        return (
            is_day
            and (self.minutes is None or local.minute in self.minutes)
            and (self.hours is None or local.hour in self.hours)
            and (self.months is None or local.month in self.months)
        )


def ticks(fields: Fields, zone: tzinfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every matching moment from *start* to *end*, both whole minutes and included, in UTC."""
    moment = start.astimezone(UTC)
    while moment <= end:
        if fields.match(moment.astimezone(zone)):
            yield moment
        moment += _MINUTE
