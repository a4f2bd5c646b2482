"""When an entry is due: cron fields in a time zone, or an interval. Pure; the ticks are whole seconds in UTC.

A schedule is a function of time alone. It remembers nothing and counts from no start, so that all schedulers that have
the same entry name the same ticks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from asynqpy._scheduling.cron import FARTHEST_YEARS, Cron
from asynqpy._scheduling.zones import last_change, next_change, offset_at, zone_named
from asynqpy._wire.durations import parse_duration
from asynqpy.errors import ConfigError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_FARTHEST = timedelta(days=366 * (FARTHEST_YEARS + 1))

_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_ZONE_PREFIXES = ("CRON_TZ=", "TZ=")


class Schedule(Protocol):
    """A series of ticks."""

    def next_after(self, moment: datetime) -> datetime | None:
        """The first tick later than *moment*; None when there is none."""
        ...

    def last_until(self, moment: datetime) -> datetime | None:
        """The last tick that is not later than *moment*; None when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Every:
    """Ticks at the multiples of an interval, counted from the beginning of 1970 in UTC."""

    seconds: int

    def next_after(self, moment: datetime) -> datetime | None:
        """The first tick later than *moment*."""
        return _EPOCH + timedelta(seconds=(self._count(moment) + 1) * self.seconds)

    def last_until(self, moment: datetime) -> datetime | None:
        """The last tick that is not later than *moment*."""
        return _EPOCH + timedelta(seconds=self._count(moment) * self.seconds)

    def _count(self, moment: datetime) -> int:
        return (moment - _EPOCH) // timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class InZone:
    """Ticks at the moments whose local time matches.

    A local time that is skipped when clocks go forward has no moment, and one that comes twice has two. Between two
    changes of the offset local time runs evenly, so the search goes from one such stretch to the next.
    """

    cron: Cron
    zone: tzinfo

    def next_after(self, moment: datetime) -> datetime | None:
        """The first tick later than *moment*."""
        start = moment.astimezone(UTC).replace(microsecond=0) + _SECOND
        limit = start + _FARTHEST
        while start < limit:
            offset = offset_at(self.zone, start)
            local = self.cron.at_or_after(_local(start, offset))
            if local is None:
                return None
            tick = _moment(local, offset)
            change = next_change(self.zone, start, tick)
            if change is None:
                return tick
            start = change
        return None

    def last_until(self, moment: datetime) -> datetime | None:
        """The last tick that is not later than *moment*."""
        end = moment.astimezone(UTC).replace(microsecond=0)
        limit = end - _FARTHEST
        while end > limit:
            offset = offset_at(self.zone, end)
            local = self.cron.at_or_before(_local(end, offset))
            if local is None:
                return None
            tick = _moment(local, offset)
            change = last_change(self.zone, end, tick)
            if change is None:
                return tick
            end = change - _SECOND
        return None


def _local(moment: datetime, offset: timedelta) -> datetime:
    return moment.replace(tzinfo=None) + offset


def _moment(local: datetime, offset: timedelta) -> datetime:
    return (local - offset).replace(tzinfo=UTC)


def parse_spec(spec: str, zone: tzinfo) -> Schedule:
    """The schedule that *spec* means; *zone* counts unless the spec names one of its own.

    Raises:
        ConfigError: the spec cannot be understood; the message names the part and what to write instead.
    """
    if not isinstance(spec, str) or not spec.strip():
        raise ConfigError(f"a cron spec must be text such as '*/5 * * * *' or '@every 30s', got {spec!r}")
    rest = spec
    for prefix in _ZONE_PREFIXES:
        if spec.startswith(prefix):
            name, blank, rest = spec.removeprefix(prefix).partition(" ")
            if not blank:
                raise ConfigError(f"cron spec {spec!r} is nothing but a time zone: '{prefix}{name} 30 4 * * *'")
            zone, rest = zone_named(name), rest.strip()
            break
    if rest.startswith("@"):
        return _described(rest, spec, zone)
    return InZone(Cron.parse(rest, spec), zone)


def depends_on_zone(spec: str) -> bool:
    """Whether *spec* means something else in another zone: it neither names its own nor is an interval."""
    return not spec.startswith((*_ZONE_PREFIXES, _EVERY))


def _described(text: str, spec: str, zone: tzinfo) -> Schedule:
    if text.startswith(_EVERY):
        try:
            interval = parse_duration(text.removeprefix(_EVERY))
        except ValueError as error:
            raise ConfigError(f"cron spec {spec!r}: {error}") from None
        if interval <= timedelta(0):
            raise ConfigError(f"cron spec {spec!r}: the interval must be positive; less than 1s counts as 1s")
        return Every(max(1, interval // _SECOND))
    fields = _DESCRIPTORS.get(text)
    if fields is None:
        known = ", ".join(_DESCRIPTORS)
        raise ConfigError(f"cron spec {spec!r}: {text!r} is not known; there are {known}, and '@every 1h30m'")
    return InZone(Cron.parse(fields, spec), zone)
