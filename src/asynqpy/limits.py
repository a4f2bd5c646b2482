"""How often and how many at once: limits of handlers that hold across all servers. Values; Redis does the counting."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

import msgspec

from asynqpy.errors import ConfigError, PayloadError
from asynqpy.task import Task

LimitKey: TypeAlias = "str | Callable[[Task], object]"
"""What tells the tasks of one pattern apart: the name of a payload field, or a function of the task."""

LONGEST_KEY = 100
"""Characters of a limit's key that are kept as they are; of longer ones a digest goes into the key of Redis."""

MOST_ACTIVE = 1_000_000

_GRAMMAR = re.compile(r"\s*(\d+)\s*/\s*(\d+(?:\.\d+)?)?\s*([a-z]+)\s*", re.IGNORECASE)
_UNITS: Mapping[str, int] = {
    name: microseconds
    for microseconds, names in {
        1_000: "ms millisecond milliseconds",
        1_000_000: "s sec second seconds",
        60_000_000: "m min minute minutes",
        3_600_000_000: "h hour hours",
        86_400_000_000: "d day days",
    }.items()
    for name in names.split()
}
_REMEDY = "write it as '10/minute', '5/second', '100/hour', '1000/day' or '10/30s'"


@dataclass(frozen=True, slots=True, init=False)
class Rate:
    """How often tasks may start: evenly spread, so that no span of the period ever sees more than its count.

    ``"10/minute"`` lets one task start every six seconds; units are second, minute, hour and day, with a number before
    them if need be (``"10/30s"``). With *burst* so many may start at once after a quiet time, and then go on as
    evenly: then a span of the period may see its count and ``burst - 1`` more.

    Args:
        text: count, slash, period.
        burst: how many may start at once; 1 unless given, the count at most.

    Raises:
        ConfigError: a text that cannot be read, or numbers that cannot work.
    """

    count: int
    """How many may start in each period."""
    period: timedelta
    """The period."""
    burst: int
    """How many may start at once."""

    def __init__(self, text: str, *, burst: int = 1) -> None:
        match = _GRAMMAR.fullmatch(text) if isinstance(text, str) else None
        unit = _UNITS.get(match[3].lower()) if match else None
        if match is None or unit is None:
            raise ConfigError(f"cannot read the limit {text!r}: {_REMEDY}")
        count, microseconds = int(match[1]), round(float(match[2] or 1) * unit)
        if count < 1 or microseconds < 1:
            raise ConfigError(f"the limit {text!r} would let no task start ever: count and period must be positive")
        if microseconds < count:
            raise ConfigError(f"the limit {text!r} is more than a million a second, which limits nothing: leave it out")
        if microseconds > 366 * _UNITS["day"]:
            raise ConfigError(f"the period of the limit {text!r} must be a year at most")
        if isinstance(burst, bool) or not isinstance(burst, int) or not 1 <= burst <= count:
            raise ConfigError(f"burst must be a whole number from 1 to {count}, the count of {text!r}, got {burst!r}")
        object.__setattr__(self, "count", count)
        object.__setattr__(self, "period", timedelta(microseconds=microseconds))
        object.__setattr__(self, "burst", burst)

    @property
    def interval_microseconds(self) -> int:
        """The time between two starts, rounded up so that there are never too many."""
        return -(-(self.period // timedelta(microseconds=1)) // self.count)


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """The limits of one handler. Make it with `limit_of`."""

    rate: Rate | None
    max_active: int
    """How many tasks may run at once; 0: any number."""
    key: Callable[[Task], object] | None

    def scope(self, pattern: str, task: Task) -> str:
        """The name under which *task* is counted: its pattern, and its key if there is one.

        Raises:
            PayloadError: the field that is the key cannot be read.
        """
        if self.key is None:
            return _storable(pattern)
        value = self.key(task)
        return _storable(pattern) if value is None else f"{_storable(pattern)}|{_storable(_key_text(value))}"


def limit_of(rate: Rate | str | None, max_active: int | None, key: LimitKey | None) -> Limit | None:
    """The limit that these arguments of a handler ask for; None when they ask for none.

    Raises:
        ConfigError: values that cannot work.
    """
    if rate is not None and not isinstance(rate, Rate):
        rate = Rate(rate)
    if max_active is not None and (
        isinstance(max_active, bool) or not isinstance(max_active, int) or not 1 <= max_active <= MOST_ACTIVE
    ):
        raise ConfigError(
            f"max_active must be a whole number from 1 to {MOST_ACTIVE}, got {max_active!r}; to stop tasks altogether"
            " pause their queue"
        )
    if rate is None and max_active is None:
        if key is not None:
            raise ConfigError(f"limit_key={key!r} limits nothing by itself: give limit= or max_active= too")
        return None
    return Limit(rate, max_active or 0, None if key is None else _reader_of(key))


def _reader_of(key: LimitKey) -> Callable[[Task], object]:
    if isinstance(key, str):
        if not key.strip():
            raise ConfigError(f"limit_key must name a field of the payload, got {key!r}")
        return _field_reader(key)
    if not callable(key):
        raise ConfigError(f"limit_key must be the name of a payload field or a function of the task, got {key!r}")
    return key


def _field_reader(name: str) -> Callable[[Task], object]:
    """Reads one field of a JSON object, and nothing else of it."""
    struct: Any = msgspec.defstruct("LimitKey", [("value", Any, None)], rename={"value": name})
    decode = msgspec.json.Decoder(struct).decode

    def read(task: Task) -> object:
        try:
            return decode(task.payload or b"{}").value
        except (ValueError, TypeError, RecursionError) as error:
            raise PayloadError(f"cannot read the field {name!r}, the limit_key, from the payload: {error}") from error

    return read


def _key_text(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    if len(text) <= LONGEST_KEY:
        return text
    return f"{text[:40]}…{hashlib.blake2b(text.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"


def _storable(text: str) -> str:
    """*text* as a part of a key between braces: those mark what a cluster keeps together."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()  # lone surrogates cannot be sent
    return text.replace("%", "%25").replace("{", "%7B").replace("}", "%7D").replace("|", "%7C")
