"""Values as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from asynqpy.dash import show

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00k"),
        (12_345, "12.3k"),
        (99_950, "100k"),
        (999_700, "1.00M"),
        (10**13, "10.0T"),
    ],
)
def test_short_counts(number: int, text: str) -> None:
    """At most five characters, rounded into the next unit where it must be."""
    assert show.short_count(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(None, "–"), (0, "0 B"), (532, "532 B"), (1234, "1.23 kB"), (3_400_000, "3.40 MB")]
)
def test_sizes(number: int | None, text: str) -> None:
    """Decimal units, as asynq's tools show them."""
    assert show.size(number) == text


@pytest.mark.parametrize(
    ("rate", "text"), [(None, "–"), (0.0, "0"), (0.001, "<0.01"), (0.25, "0.25"), (12.34, "12.3"), (12345.6, "12,346")]
)
def test_rates(rate: float | None, text: str) -> None:
    """Fewer digits the more there are."""
    assert show.rate(rate) == text


def test_shares() -> None:
    """Of nothing there is no share."""
    assert [show.share(1, 8), show.share(0, 0)] == ["12.5%", "–"]


@pytest.mark.parametrize(
    ("seconds", "past", "future"),
    [
        (0.2, "just now", "in 1s"),
        (5, "5s ago", "in 5s"),
        (65, "1m 5s ago", "in 1m 5s"),
        (7200, "2h ago", "in 2h"),
        (90_061, "1d 1h ago", "in 1d 1h"),
    ],
)
def test_moments(seconds: float, past: str, future: str) -> None:
    """In two units, before and after; what has come is now."""
    span = timedelta(seconds=seconds)
    assert (show.ago(NOW - span, NOW), show.until(NOW + span, NOW)) == (past, future)
    assert (show.near(NOW - span, NOW), show.near(NOW + span, NOW)) == (past, future)
    assert show.until(NOW - span, NOW) == "now"


def test_no_moment() -> None:
    """A dash stands for none; the last moment of the calendar is one like any other."""
    assert [show.ago(None, NOW), show.until(None, NOW), show.near(None, NOW), show.stamp(None)] == ["–"] * 4
    assert show.stamp(datetime.max.replace(tzinfo=UTC), UTC).startswith("9999-12-31")
    assert show.stamp(NOW, UTC) == "2030-01-01 00:00:00 UTC"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, "–"),
        (b"", ""),
        (b'{"a":\n  1}', '{"a": 1}'),
        ("grün ✓".encode(), "grün ✓"),
        (b"\x82\x00", "82 00"),
        (b"bell\x07", "62 65 6c 6c 07"),
    ],
)
def test_bytes_in_a_line(data: bytes | None, text: str) -> None:
    """Text with its blanks made one; hexadecimal digits for everything that is none."""
    assert show.line(data) == text


def test_text_cut_within_a_letter_is_text() -> None:
    """Where only the beginning is looked at, a torn letter at its end does not make it bytes."""
    data = ("x" + "ä" * 1000).encode()
    assert show.line(data).startswith("xää")
    assert show.readable(b"x\xc3", is_cut=False) is None


def test_characters_that_terminals_obey() -> None:
    """None gets through."""
    assert show.clean("\x1b]0;title\x07 two\n lines") == "·]0;title· two lines"
