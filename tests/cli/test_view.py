"""Text for people: tables, words, moments, sizes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from asynqpy.cli.view.table import Column, table
from asynqpy.cli.view.words import (
    absolute,
    ago,
    counted,
    data_line,
    data_lines,
    due,
    error_rate,
    many_lines,
    one_line,
    size,
    span,
)

NOW = datetime(2026, 1, 31, 18, 30, tzinfo=UTC)
COLUMNS = (
    Column("ID"),
    Column("Payload", is_long=True, rank=2),
    Column("Count", is_number=True, rank=1),
)


def test_a_table_is_aligned() -> None:
    """Dashes as long as the name, two blanks between, numbers at the right, nothing behind the last cell."""
    made = table(COLUMNS, [["a", "x", "5"], ["bb", "yyyyyyyyy", "10"]])
    assert made.lines == [
        "ID  Payload    Count",
        "--  -------    -----",
        "a   x              5",
        "bb  yyyyyyyyy     10",
    ]
    assert made.left_out == []


def test_long_columns_are_cut_to_the_width() -> None:
    """With an ellipsis; without a width nothing is cut."""
    rows = [["a", "x" * 100, "5"]]
    made = table(COLUMNS, rows, width=40)
    assert max(map(len, made.lines)) == 40
    assert made.lines[2].startswith("a   xxxx")
    assert "…" in made.lines[2]
    assert "x" * 100 in table(COLUMNS, rows).lines[2]


def test_columns_without_room_are_left_out() -> None:
    """Those of the highest rank first, never those of rank 0."""
    rows = [["a" * 20, "x" * 100, "5"]]
    made = table(COLUMNS, rows, width=30)
    assert made.left_out == ["Payload"]
    assert made.lines[2] == "a" * 20 + "      5"
    assert table(COLUMNS, rows, width=5).left_out == ["Payload", "Count"]


def test_several_long_columns_share_the_room() -> None:
    """The longest gives first."""
    columns = (Column("A", is_long=True), Column("B", is_long=True))
    made = table(columns, [["x" * 50, "y" * 20]], width=44)
    assert made.lines[2] == "x" * 21 + "…" + "  " + "y" * 20


def test_a_table_goes_on_another() -> None:
    """It has at least its widths."""
    first = table(COLUMNS, [["aaaaaaaa", "x", "5"]])
    second = table(COLUMNS, [["b", "y", "6"]], least=first.widths)
    assert [line.index(word) for line, word in ((first.lines[2], "x"), (second.lines[2], "y"))] == [10, 10]


@pytest.mark.parametrize("text", ["日本語", "👍👍👍"])
def test_wide_characters_take_two_columns(text: str) -> None:
    """As on a terminal."""
    made = table((Column("ID"), Column("N")), [[text, "1"], ["abcdef", "2"]])
    assert made.lines[2] == f"{text}  1"
    assert made.lines[3] == "abcdef  2"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("Zoë 日本", "Zoë 日本"),
    ],
)
def test_text_of_others_stays_in_its_line(text: str, shown: str) -> None:
    """Nothing that somebody wrote into a payload moves the cursor."""
    assert one_line(text) == shown


def test_lines_stay_lines_where_there_may_be_many() -> None:
    """Only what is dangerous is escaped."""
    assert many_lines("a\n\tb\x1b") == "a\n\tb\\x1b"


def test_payloads_for_reading() -> None:
    """JSON with indentation, text as it is, bytes beside their characters."""
    assert data_lines(b'{"a":[1,2]}') == ["{", '  "a": [', "    1,", "    2", "  ]", "}"]
    assert data_lines(b"one\ntwo") == ["one", "two"]
    assert data_lines(b"42") == ["42"]
    assert data_lines(b"") == []
    assert data_lines(b"\x00ab" * 6) == [
        "00000000  00 61 62 00 61 62 00 61 62 00 61 62 00 61 62 00  .ab.ab.ab.ab.ab.",
        "00000010  61 62                                            ab",
    ]
    assert data_lines(b"{broken") == ["{broken"]
    assert data_line(b'{"a":1}') == '{"a":1}'


def test_json_keeps_its_numbers() -> None:
    """As they were written."""
    assert data_lines(b"[1.10,12345678901234567890]") == ["[", "  1.10,", "  12345678901234567890", "]"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (0.4, "0s"), (59.6, "1m"), (65, "1m5s"), (3600, "1h"), (7505, "2h5m"), (90_061, "1d1h"), (-5, "0s")],
)
def test_durations(seconds: float, shown: str) -> None:
    """Two units are enough."""
    assert span(timedelta(seconds=seconds)) == shown


def test_moments() -> None:
    """What comes, what was, and by the clock."""
    assert due(NOW + timedelta(minutes=5), NOW) == "in 5m"
    assert due(NOW - timedelta(minutes=5), NOW) == "right now"
    assert due(None, NOW) == ""
    assert ago(NOW - timedelta(minutes=5), NOW) == "5m ago"
    assert ago(NOW, NOW) == "just now"
    assert ago(None, NOW) == ""
    assert absolute(NOW, utc=True) == "2026-01-31 18:30:00Z"
    assert absolute(NOW) == NOW.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    assert absolute(None) == ""


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234, "1.2 kB"),
        (999_960, "1.0 MB"),
        (3_400_000, "3.4 MB"),
        (5_600_000_000, "5.6 GB"),
        (7_000_000_000_000, "7.0 TB"),
    ],
)
def test_sizes(count: int | None, shown: str) -> None:
    """In decimal units."""
    assert size(count) == shown


def test_rates_and_counts() -> None:
    """Per cent with two digits; nouns in the right number."""
    assert (error_rate(3, 1), error_rate(0, 0)) == ("33.33%", "N/A")
    assert (counted(1, "task"), counted(1234, "task"), counted(0, "task")) == ("1 task", "1,234 tasks", "0 tasks")
