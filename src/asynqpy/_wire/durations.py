"""Durations as Go writes and reads them: ``1h30m0s``, ``300ms``. Exact, in whole nanoseconds."""

from __future__ import annotations

import re
from datetime import timedelta

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, which Go writes
    "μs": 1_000,  # U+03BC, which Go reads too
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_NUMBER = r"(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?"
_TERM = re.compile(rf"{_NUMBER}(?P<unit>{'|'.join(sorted(_NANOSECONDS, key=len, reverse=True))})")

LONGEST_NANOSECONDS = 2**63 - 1
"""What Go can hold: 292 years."""


def format_duration(duration: timedelta) -> str:
    """*duration* in Go's form: no unit above the hour, no zero before the first unit, decimals on seconds alone."""
    nanoseconds = duration // timedelta(microseconds=1) * 1000
    if nanoseconds < 0:
        return f"-{format_duration(-duration)}"
    if nanoseconds < 1_000_000_000:
        if nanoseconds == 0:
            return "0s"
        unit = "µs" if nanoseconds < 1_000_000 else "ms"
        return _decimal(nanoseconds, _NANOSECONDS[unit]) + unit
    minutes, rest = divmod(nanoseconds, _NANOSECONDS["m"])
    seconds = _decimal(rest, _NANOSECONDS["s"]) + "s"
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes_left}m{seconds}"
    return f"{minutes_left}m{seconds}" if minutes_left else seconds


def parse_duration(text: str) -> timedelta:
    """The duration in *text*, to the microsecond.

    Raises:
        ValueError: not a duration of Go's, or one that Go cannot hold.
    """
    sign, unsigned = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if unsigned == "0":
        return timedelta(0)
    nanoseconds, at = 0, 0
    while at < len(unsigned) or not at:
        term = _TERM.match(unsigned, at)
        if term is None or not (term["whole"] or term["part"]):
            raise ValueError(f"{text!r} is not a duration: write 30s, 1m30s, 1.5h or 250ms, with a unit on each number")
        scale, part = _NANOSECONDS[term["unit"]], term["part"] or ""
        nanoseconds += int(term["whole"] or 0) * scale + int(part or 0) * scale // 10 ** len(part)
        at = term.end()
    if nanoseconds > LONGEST_NANOSECONDS:
        raise ValueError(f"{text!r} is too long a duration: at most 292 years")
    return sign * timedelta(microseconds=nanoseconds // 1000)


def _decimal(amount: int, scale: int) -> str:
    whole, part = divmod(amount, scale)
    digits = f"{part:0{len(str(scale)) - 1}}".rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)
