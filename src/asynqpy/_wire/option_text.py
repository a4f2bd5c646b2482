"""Enqueue options as text: how a scheduler shows them in Redis, and how an inspector reads them back.

The texts are Go's, so that its inspector understands them: ``MaxRetry(3)``, ``Queue("low")``, ``Timeout(1m30s)``.
That inspector takes the argument to end at the first closing parenthesis, so one inside a text is written as an escape.
Its reader drops task ids and groups; ours does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from asynqpy._wire.durations import LONGEST_NANOSECONDS, format_duration, parse_duration
from asynqpy._wire.quoted import quote, unquote
from asynqpy.options import MAX_RETRY_CEILING, EnqueueOptions

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNIX_DATE = re.compile(
    rf"(?:{'|'.join(_DAYS)}) (?P<month>{'|'.join(_MONTHS)}) +(?P<day>\d{{1,2}})"
    r" (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d) [A-Z0-9+-]+ (?P<year>\d{4})"
)
_OPTION = re.compile(r"(?P<name>\w+)\((?P<argument>.*)\)", re.DOTALL)
_JSON_ESCAPES = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&)\u2028\u2029"})


def format_options(options: Mapping[str, Any] | EnqueueOptions) -> list[str]:
    """The texts of *options*, keyword arguments of ``enqueue`` that were validated before, in their order.

    Each header has a text of its own. An option that Go does not have gets one too: its inspector leaves it out.
    """
    texts: list[str] = []
    for name, value in options.items():
        if name == "headers":
            texts += (f"Header({_header(key, entry)})" for key, entry in cast("Mapping[str, str]", value).items())
        elif name in _FORMS:
            go_name, write, _ = _FORMS[name]
            texts.append(f"{go_name}({write(value)})")
        else:
            texts.append(f"{name.title().replace('_', '')}({quote(str(value))})")
    return texts


def parse_options(texts: Iterable[str]) -> EnqueueOptions:
    """The options that *texts* tell, of which the last of a kind wins.

    Whatever cannot be understood is left out: other versions and other languages write these, and one odd text must
    not hide the rest. Durations are timedeltas, moments are in UTC.
    """
    options: dict[str, Any] = {}
    headers: dict[str, str] = {}
    for text in texts:
        found = _OPTION.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            continue
        try:
            if found["name"] == "Header":
                key, value = _read_header(found["argument"])
                headers[key] = value
            elif found["name"] in _READERS:
                name, read = _READERS[found["name"]]
                options[name] = read(found["argument"])
        except (ValueError, OverflowError, RecursionError):
            continue
    if headers:
        options["headers"] = headers
    return cast("EnqueueOptions", options)


def format_unix_date(moment: datetime) -> str:
    """*moment* as the Unix command ``date`` prints it in UTC; the day is padded with a space."""
    utc = moment.astimezone(UTC)
    return f"{_DAYS[utc.weekday()]} {_MONTHS[utc.month - 1]} {utc.day:2} {utc:%H:%M:%S} UTC {utc.year:04}"


def parse_unix_date(text: str) -> datetime:
    """The moment in *text*. Abbreviations of zones mean nothing without a place, so all are taken for UTC, as in Go.

    Raises:
        ValueError: not in this form, or no such moment.
    """
    found = _UNIX_DATE.fullmatch(text)
    if found is None:
        raise ValueError(f"not a date as the Unix command prints it: {text!r}")
    month = _MONTHS.index(found["month"]) + 1
    numbers = (int(found[part]) for part in ("day", "hour", "minute", "second"))
    return datetime(int(found["year"]), month, *numbers, tzinfo=UTC)  # type: ignore[misc,arg-type]


def _header(key: str, value: str) -> str:
    # Go's JSON is compact and escapes what HTML would take amiss; such characters only stand inside the texts.
    return json.dumps([key, value], ensure_ascii=False, separators=(",", ":")).translate(_JSON_ESCAPES)


def _read_header(text: str) -> tuple[str, str]:
    match json.loads(text):
        case [str(key), str(value)]:
            return key, value
    raise ValueError(f"not a pair of texts: {text!r}")


def _span(value: timedelta | float) -> str:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    longest = LONGEST_NANOSECONDS // 10**9
    if abs(seconds) > longest:  # Go could not read it
        value = timedelta(seconds=longest if seconds > 0 else -longest)
    return format_duration(value if isinstance(value, timedelta) else timedelta(seconds=value))


def _count(value: int) -> str:
    return str(min(max(value, 0), MAX_RETRY_CEILING))


_Form = tuple[str, Callable[[Any], str], Callable[[str], Any]]

_FORMS: dict[str, _Form] = {
    "max_retry": ("MaxRetry", _count, int),
    "queue": ("Queue", quote, unquote),
    "task_id": ("TaskID", quote, unquote),
    "timeout": ("Timeout", _span, parse_duration),
    "deadline": ("Deadline", format_unix_date, parse_unix_date),
    "unique_for": ("Unique", _span, parse_duration),
    "process_at": ("ProcessAt", format_unix_date, parse_unix_date),
    "process_in": ("ProcessIn", _span, parse_duration),
    "retention": ("Retention", _span, parse_duration),
    "group": ("Group", quote, unquote),
}
_READERS = {go_name: (name, read) for name, (go_name, _, read) in _FORMS.items()}
