"""The five fields of a cron spec: what is accepted, and which local times they mean. Pure; knows no time zones.

The grammar and the rule for days are asynq's (the standard parser of robfig/cron). Searching the calendar is cronsim's
work: it gets the fields as plain lists, so that its own grammar, which is wider, and its rule for ``*/2`` do not show.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from cronsim import CronSim, CronSimError

from asynqpy.errors import ConfigError

FARTHEST_YEARS = 5
"""A spec that matches nothing within so many years is taken to match never, as in asynq."""

_SECOND = timedelta(seconds=1)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class _Field(NamedTuple):
    """One of the five fields."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    """Words for the numbers from *low* on."""

    def hint(self) -> str:
        """What may stand there."""
        words = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
        return f"{self.low} to {self.high}{words}"


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _DAYS),
)


class _Values(NamedTuple):
    """The numbers that a field means."""

    numbers: frozenset[int]
    is_star: bool
    """Whether ``*`` or ``?`` stands in it, without a step above 1: then it does not restrict the day."""


@dataclass(frozen=True, slots=True)
class Cron:
    """Five fields, read. Local times have whole minutes and no zone."""

    expression: str | None
    """The same for cronsim; None when nothing can match."""

    @classmethod
    def parse(cls, text: str, spec: str) -> Cron:
        """The five fields in *text*, a part of *spec*.

        Raises:
            ConfigError: not five fields, or something in one that is not allowed; the message names it.
        """
        words = text.split()
        if len(words) != len(_FIELDS):
            raise ConfigError(
                f"cron spec {spec!r} has {len(words)} fields instead of 5: minute, hour, day of month, month, day of"
                " week, as in '30 4 * * mon-fri'; seconds and years are not supported"
            )
        minutes, hours, days, months, weekdays = (
            _read_field(field, word, spec) for field, word in zip(_FIELDS, words, strict=True)
        )
        dates = _either_or_both(days, weekdays)
        if dates is None or not (minutes.numbers and hours.numbers and months.numbers):
            return cls(None)
        day, weekday = dates
        expression = f"{_listed(minutes)} {_listed(hours)} {day} {_listed(months)} {weekday}"
        try:
            _searcher(expression)
        except CronSimError:  # the 31st of February
            return cls(None)
        return cls(expression)

    def at_or_after(self, local: datetime) -> datetime | None:
        """The first local time that matches, from *local* (whole seconds) on."""
        return self._search(local, -1)

    def at_or_before(self, local: datetime) -> datetime | None:
        """The last local time that matches, up to *local* (whole seconds)."""
        return self._search(local, 1)

    def _search(self, local: datetime, before: Literal[-1, 1]) -> datetime | None:
        if self.expression is None:
            return None
        search = copy(_searcher(self.expression))
        try:
            search.dt = local + before * _SECOND  # its first step leads to *local*
            search.tick_direction = -before
            found: datetime = next(search)
        except (StopIteration, OverflowError, ValueError):  # nothing for fifty years, or the end of the calendar
            return None
        return found if abs(found.year - local.year) <= FARTHEST_YEARS else None


@lru_cache(maxsize=1024)
def _searcher(expression: str) -> CronSim:
    """Reading an expression takes ten times as long as a search, so it is done once."""
    return CronSim(expression, datetime(2000, 1, 1))  # noqa: DTZ001 - local, of no zone


def _either_or_both(days: _Values, weekdays: _Values) -> tuple[str, str] | None:
    """The two fields about days for cronsim; None when no day can match.

    If one of them is a star both must match, otherwise either suffices. cronsim goes by the first character.
    """
    if days.is_star or weekdays.is_star:
        if not (days.numbers and weekdays.numbers):
            return None
        return ("*" if days.is_star else _listed(days)), ("*" if weekdays.is_star else _listed(weekdays))
    match bool(days.numbers), bool(weekdays.numbers):
        case False, False:
            return None
        case False, True:  # nothing, or these days of the week
            return "*", _listed(weekdays)
        case True, False:
            return _listed(days), "*"
        case _:
            return _listed(days), _listed(weekdays)


def _listed(values: _Values) -> str:
    return ",".join(map(str, sorted(values.numbers)))


def _read_field(field: _Field, text: str, spec: str) -> _Values:
    numbers: set[int] = set()
    is_star = False
    for item in filter(None, text.split(",")):
        found = _read_item(field, item, spec)
        numbers |= found.numbers
        is_star |= found.is_star
    return _Values(frozenset(numbers), is_star)


def _read_item(field: _Field, item: str, spec: str) -> _Values:
    span, *steps = item.split("/")
    if len(steps) > 1:
        raise _refusal(field, item, spec, "has several slashes; write one step, as in */15")
    first, *rest = span.split("-")
    is_star = first in ("*", "?")
    if is_star:
        low, high = field.low, field.high
    else:
        if len(rest) > 1:
            raise _refusal(field, item, spec, "has several hyphens; write a range as 1-5")
        low = _number(field, first, item, spec)
        high = _number(field, rest[0], item, spec) if rest else field.high if steps else low
    if low < field.low or high > field.high:
        raise _refusal(field, item, spec, f"is out of range; it goes from {field.hint()}{_sunday(field, high)}")
    if low > high:
        raise _refusal(field, item, spec, "begins after its end; write the smaller one first, or two ranges")
    step = _digits(field, steps[0], item, spec) if steps else 1
    if step == 0:
        raise _refusal(field, item, spec, "has a step of 0; it must be at least 1")
    return _Values(frozenset(range(low, high + 1, step)), is_star and step == 1)


def _sunday(field: _Field, number: int) -> str:
    return "; Sunday is 0" if field.names is _DAYS and number == len(_DAYS) else ""


def _number(field: _Field, text: str, item: str, spec: str) -> int:
    word = text.lower()
    return field.low + field.names.index(word) if word in field.names else _digits(field, text, item, spec)


def _digits(field: _Field, text: str, item: str, spec: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        what = f"{text!r} is no number" if text else "a number is missing"
        raise _refusal(field, item, spec, f"cannot be read: {what}; write {field.hint()}")
    return int(text.lstrip("0")[:9] or "0")  # longer ones are out of every range, and Python refuses very long ones


def _refusal(field: _Field, item: str, spec: str, trouble: str) -> ConfigError:
    return ConfigError(f"cron spec {spec!r}: {field.name} {item!r} {trouble}")
