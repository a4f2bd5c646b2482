"""Durations in Go's form."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynqpy._wire.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(microseconds=1), "1µs"),
        (timedelta(microseconds=1500), "1.5ms"),
        (timedelta(milliseconds=300), "300ms"),
        (timedelta(seconds=1), "1s"),
        (timedelta(seconds=1.5), "1.5s"),
        (timedelta(seconds=59, microseconds=10), "59.00001s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(minutes=30), "30m0s"),
        (timedelta(hours=1), "1h0m0s"),
        (timedelta(days=1), "24h0m0s"),
        (timedelta(hours=-1, seconds=-1), "-1h0m1s"),
        (timedelta(milliseconds=-2), "-2ms"),
    ],
)
def test_written_as_go_writes_them(duration: timedelta, text: str) -> None:
    """Below a second in one small unit; from there in hours, minutes and seconds, without days."""
    assert format_duration(duration) == text
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0", timedelta(0)),
        ("-0", timedelta(0)),
        ("+1s", timedelta(seconds=1)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        (".5s", timedelta(milliseconds=500)),
        ("2.s", timedelta(seconds=2)),
        ("1s1s", timedelta(seconds=2)),
        ("30s1h", timedelta(hours=1, seconds=30)),
        ("5us", timedelta(microseconds=5)),
        ("5µs", timedelta(microseconds=5)),
        ("5μs", timedelta(microseconds=5)),
        ("999ns", timedelta(0)),
        ("1500ns", timedelta(microseconds=1)),
        ("-1.5h", timedelta(minutes=-90)),
    ],
)
def test_read_as_go_reads_them(text: str, duration: timedelta) -> None:
    """Units in any order and number, fractions, a sign, both letters mu, and a bare zero; to the microsecond."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "5", "s", ".s", "-", "1 s", " 1s", "1s ", "1d", "1h-5m", "1S", "--1s", "1,5s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A number needs a unit, a unit a number; there are no days."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_what_go_cannot_hold_is_refused() -> None:
    """292 years are its limit."""
    assert parse_duration("2562047h47m16s") > timedelta(days=365 * 292)
    with pytest.raises(ValueError, match="too long"):
        parse_duration("2562047h47m17s")


@given(st.timedeltas(min_value=timedelta(days=-100_000), max_value=timedelta(days=100_000)))
def test_what_is_written_is_read(duration: timedelta) -> None:
    """To the microsecond."""
    assert parse_duration(format_duration(duration)) == duration
