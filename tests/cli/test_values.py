"""Values as people type them."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from asynqpy.cli import values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0", 0),
        ("2.5", 2.5),
        ("250ms", 0.25),
        ("1m30s", 90),
        ("2h", 7200),
        ("1.5h", 5400),
        ("7d", 604_800),
        ("1w1d", 691_200),
        ("10us", 0.00001),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """A plain number means seconds; units add up, as in Go, with days and weeks."""
    assert values.duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "x", "1x", "-1", "-1s", "1 m", "1m 30s", "1s30", ".5", "1e3", "99999999999999w", "s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """With the text and what to write instead."""
    with pytest.raises(ValueError, match="duration"):
        values.duration(text)


@given(st.integers(0, 10_000), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_any_sum_of_units_is_a_duration(hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
    """Each unit counts once."""
    expected = timedelta(hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds)
    assert values.duration(f"{hours}h{minutes}m{seconds}s{milliseconds}ms") == expected


def test_moments_with_a_zone() -> None:
    """A zone in the text is that of the moment."""
    assert values.moment("2026-01-31T18:30Z") == datetime(2026, 1, 31, 18, 30, tzinfo=UTC)
    assert values.moment("2026-01-31T18:30:15.5+02:00") == datetime(2026, 1, 31, 16, 30, 15, 500_000, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-01-31T18:30", "2026-01-31 18:30:00", "2026-01-31"])
def test_moments_without_a_zone_are_local(text: str) -> None:
    """Without a zone the clock on the wall counts; a date alone is its midnight."""
    assert values.moment(text) == datetime.fromisoformat(text).astimezone()
    assert values.moment(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "tomorrow", "18:30", "2026-13-01", "2026-01-31T25:00"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """With the text and what to write instead."""
    with pytest.raises(ValueError, match="moment"):
        values.moment(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("low", ("low", 1)),
        ("low=3", ("low", 3)),
        ("a=b=3", ("a=b", 3)),
        ("two words=2", ("two words", 2)),
        ("q=0", ("q", 0)),
    ],
)
def test_weights(text: str, expected: tuple[str, int]) -> None:
    """The last equals sign counts, so a name may hold others; the server judges the number."""
    assert values.weight(text) == expected


@pytest.mark.parametrize("text", ["low=", "low=many", "=3", "low=-1", "low=1.5"])
def test_what_is_no_weight_is_refused(text: str) -> None:
    """With the text and what to write instead."""
    with pytest.raises(ValueError, match="NAME=WEIGHT"):
        values.weight(text)


def test_headers() -> None:
    """The first equals sign counts; a value may be empty or hold others."""
    assert values.header("a=b=c") == ("a", "b=c")
    assert values.header("a=") == ("a", "")
    for text in ("a", "=b", ""):
        with pytest.raises(ValueError, match="KEY=VALUE"):
            values.header(text)


def test_payloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text is itself, a file or standard input give their bytes, and nothing stays nothing."""
    (tmp_path / "file").write_bytes(b"\x00\xff")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"piped\n")))
    assert values.payload(None) is None
    assert values.payload("") == b""
    assert values.payload("{}") == b"{}"
    assert values.payload("größer") == "größer".encode()
    assert values.payload("\udcff") == b"\xff"  # how Python hands over an argument that is no text
    assert values.payload(f"@{tmp_path / 'file'}") == b"\x00\xff"
    assert values.payload("-") == b"piped\n"
    with pytest.raises(ValueError, match="cannot be read"):
        values.payload(f"@{tmp_path / 'missing'}")


def test_refusals_name_the_option() -> None:
    """A value of a repeatable option that cannot be read is a usage error that names the option."""
    assert values.each("--queue", values.weight, ["a=2", "b", "a=3"]) == {"a": 3, "b": 1}
    with pytest.raises(typer.BadParameter) as refused:
        values.each("--queue", values.weight, ["a=x"])
    assert "--queue" in refused.value.format_message()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.012, "12ms"),
        (2.5, "2.5s"),
        (30, "30s"),
        (90, "1m 30s"),
        (3600, "1h"),
        (3905, "1h 5m"),
        (90_061, "1d 1h"),
        (0, "0ms"),
    ],
)
def test_durations_are_shown_by_their_two_largest_units(seconds: float, shown: str) -> None:
    """Exact enough for people."""
    assert values.shown_duration(timedelta(seconds=seconds)) == shown
