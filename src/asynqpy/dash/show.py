"""Values as people read them: counts, sizes, spans, moments, payloads in one line. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")
_COUNTS = ("", "k", "M", "G", "T")
_UNITS = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
_LINE_BYTES = 400
"""How much of a payload is looked at for a line of a table."""

NONE = "–"
"""Stands where there is nothing to tell."""


def count(number: int) -> str:
    """``12,345``."""
    return f"{number:,}"


def noun(number: int, word: str) -> str:
    """``task`` or ``tasks``."""
    return word if number == 1 else f"{word}s"


def short_count(number: float) -> str:
    """At most five characters: ``999``, ``12.3k``, ``4.56M``."""
    return _scaled(number, 1000, _COUNTS)


def size(number: int | None) -> str:
    """Bytes in decimal units, as asynq's tools show them: ``532 B``, ``1.2 kB``."""
    if number is None:
        return NONE
    if number < 1000:
        return f"{number} B"
    text = _scaled(number, 1000, ("", *_SIZES[1:]))
    digits = text.rstrip("kMGTPB")
    return f"{digits} {text[len(digits) :]}"


def _scaled(number: float, base: int, units: tuple[str, ...]) -> str:
    if number < base:
        return f"{number:.0f}"
    value = float(number)
    at = 0
    while value >= base - 0.5 and at < len(units) - 1:
        value /= base
        at += 1
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}{units[at]}"


def rate(per_second: float | None) -> str:
    """Events a second: ``1,234``, ``12.5``, ``0.04``; nothing for none."""
    if not per_second:
        return NONE if per_second is None else "0"
    if per_second >= 100:
        return f"{per_second:,.0f}"
    if per_second >= 10:
        return f"{per_second:.1f}"
    return f"{per_second:.2f}" if per_second >= 0.005 else "<0.01"


def share(part: int, whole: int) -> str:
    """A percentage; nothing of nothing is nothing."""
    return f"{part / whole:.1%}" if whole else NONE


def span(time: timedelta) -> str:
    """The two largest units: ``1h 5m``, ``2.5s``, ``12ms``."""
    seconds = time.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms" if seconds > 0 else "0s"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    parts: list[str] = []
    for unit, length in _UNITS:
        number, seconds = divmod(seconds, length)
        if number:
            parts.append(f"{number:,.0f}{unit}")
    return " ".join(parts[:2])


def ago(moment: datetime | None, now: datetime) -> str:
    """A moment of the past: ``3m 5s ago``, ``just now``."""
    if moment is None:
        return NONE
    time = now - moment
    return "just now" if time < timedelta(seconds=1) else f"{span(_whole(time))} ago"


def until(moment: datetime | None, now: datetime) -> str:
    """A moment to come: ``in 5s``; ``now`` when it has come."""
    if moment is None:
        return NONE
    time = moment - now
    return "now" if time <= timedelta(0) else f"in {span(_whole(time) or timedelta(seconds=1))}"


def near(moment: datetime | None, now: datetime) -> str:
    """`ago` or `until`, whichever it is."""
    return ago(moment, now) if moment is None or moment <= now else until(moment, now)


def stamp(moment: datetime | None, zone: tzinfo | None = None) -> str:
    """A moment in full, in *zone* or in that of this machine: ``2026-01-31 18:30:05 CET``."""
    if moment is None:
        return NONE
    try:
        local = moment.astimezone(zone)
    except (OverflowError, ValueError):  # the last or first moment of the calendar
        local = moment
    return f"{local:%Y-%m-%d %H:%M:%S %Z}".strip()


def _whole(time: timedelta) -> timedelta:
    return timedelta(seconds=round(time.total_seconds()))


def line(data: bytes | None) -> str:
    """Bytes in one line: their text with runs of blanks made one, or their beginning in hexadecimal digits."""
    if not data:
        return "" if data is not None else NONE
    piece = data[:_LINE_BYTES]
    text = readable(piece, is_cut=len(data) > len(piece))
    if text is None:
        return f"{piece[:48].hex(' ')}{'…' if len(data) > 48 else ''}"
    return clean(text)


def clean(text: str) -> str:
    """*text* in one line, without characters that a terminal would obey."""
    joined = " ".join(text[: 4 * _LINE_BYTES].split())
    return joined if joined.isprintable() else "".join(each if each.isprintable() else "·" for each in joined)


def readable(data: bytes, *, is_cut: bool = False) -> str | None:
    """*data* as text if it is text: UTF-8 without control characters; *is_cut* forgives a torn last character."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if not is_cut or len(data) - error.start > 3:
            return None
        text = data[: error.start].decode()
    if all(each.isprintable() or each in "\n\r\t" for each in text):
        return text
    return None
