"""Values as people type them: durations, moments, weights, headers, payloads. Pure but for `payload`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from asynqpy.task import TaskState

T = TypeVar("T")

_UNITS = {
    "us": timedelta(microseconds=1),
    "µs": timedelta(microseconds=1),
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_PART = re.compile(rf"({_NUMBER.pattern})({'|'.join(_UNITS)})")


def duration(text: str) -> timedelta:
    """``90`` (seconds), ``250ms``, ``1m30s``, ``1.5h``, ``2d``.

    Raises:
        ValueError: none of these.
    """
    if _NUMBER.fullmatch(text):
        parts = [(text, "s")]
    else:
        parts = _PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            raise ValueError(f"{text!r} is not a duration: write 90 (seconds), 250ms, 1m30s, 2h or 7d")
    try:
        return sum((float(number) * _UNITS[unit] for number, unit in parts), timedelta(0))
    except OverflowError:
        raise ValueError(f"{text!r} is too long a duration") from None


def moment(text: str) -> datetime:
    """An ISO 8601 date or date and time; one without a zone is in the zone of this machine.

    Raises:
        ValueError: not one.
    """
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is not a moment: write 2026-01-31T18:30, with Z or +02:00 for another zone"
        ) from None


def state(text: str) -> TaskState:
    """The state of that name.

    Raises:
        ValueError: there is none.
    """
    from asynqpy.task import TaskState

    try:
        return TaskState(text.strip().lower())
    except ValueError:
        raise ValueError(f"{text!r} is not a state: it is one of {', '.join(TaskState)}") from None


def weight(text: str) -> tuple[str, int]:
    """``name=weight``, or ``name`` for a weight of 1.

    Raises:
        ValueError: no name, or a weight that is no whole number.
    """
    name, equals, number = text.rpartition("=")
    if not equals:
        return text, 1
    if not name or not number.isdecimal():
        raise ValueError(f"{text!r} is not a queue: write NAME or NAME=WEIGHT with a whole number, as in critical=6")
    return name, int(number)


def header(text: str) -> tuple[str, str]:
    """``key=value``.

    Raises:
        ValueError: no equals sign, or nothing before it.
    """
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ValueError(f"{text!r} is not a header: write KEY=VALUE")
    return key, value


def payload(text: str | None) -> bytes | None:
    """The bytes that *text* stands for: itself, standard input for ``-``, a file for ``@NAME``.

    Raises:
        ValueError: the file cannot be read.
    """
    if text is None:
        return None
    if text == "-":
        return sys.stdin.buffer.read()
    if text.startswith("@"):
        try:
            with open(text[1:], "rb") as file:
                return file.read()
        except OSError as error:
            raise ValueError(f"the file of the payload cannot be read: {error}") from None
    return os.fsencode(text)  # the very bytes that were typed, whatever their encoding


def parser(read: Callable[[str], T]) -> Callable[[str], T]:
    """*read* for ``typer.Option(parser=…)``: what it refuses becomes a usage error that names the option."""

    def parse(text: str) -> T:
        if not isinstance(text, str):  # a default, read before
            return text
        try:
            return read(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parse


def each(option: str, read: Callable[[str], tuple[str, T]], texts: Iterable[str]) -> dict[str, T]:
    """The pairs in the *texts* of a repeatable *option*; the last of a name wins.

    Raises:
        typer.BadParameter: *read* refuses one.
    """
    try:
        return dict(map(read, texts))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def shown_duration(span: timedelta) -> str:
    """*span* to its two largest units: ``1h 5m``, ``2.5s``, ``12ms``."""
    seconds = span.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:.0f}{unit}")
    return " ".join(parts[:2])
