"""Options as text, in Go's form, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynqpy import EnqueueOptions
from asynqpy._wire.option_text import format_options, format_unix_date, parse_options, parse_unix_date

MOMENT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)

TEXTS: list[tuple[EnqueueOptions, list[str]]] = [
    ({"max_retry": 10}, ["MaxRetry(10)"]),
    ({"max_retry": -1}, ["MaxRetry(0)"]),
    ({"queue": "email"}, ['Queue("email")']),
    ({"task_id": "x"}, ['TaskID("x")']),
    ({"timeout": 180}, ["Timeout(3m0s)"]),
    ({"deadline": MOMENT}, ["Deadline(Tue Nov 14 22:13:20 UTC 2023)"]),
    ({"unique_for": timedelta(hours=1)}, ["Unique(1h0m0s)"]),
    ({"process_at": datetime(2023, 2, 4, 21, 0, 57, tzinfo=UTC)}, ["ProcessAt(Sat Feb  4 21:00:57 UTC 2023)"]),
    ({"process_in": 600.0}, ["ProcessIn(10m0s)"]),
    ({"process_in": -0.5}, ["ProcessIn(-500ms)"]),
    ({"retention": timedelta(days=1)}, ["Retention(24h0m0s)"]),
    ({"group": "g"}, ['Group("g")']),
    ({"headers": {"k": "v", "a": "<b>&\u2028"}}, ['Header(["k","v"])', r'Header(["a","\u003cb\u003e\u0026\u2028"])']),
    ({"headers": {"ключ": 'a"\n'}}, [r'Header(["ключ","a\"\n"])']),
    ({"headers": {}}, []),
    ({}, []),
]


@pytest.mark.parametrize(("options", "texts"), TEXTS, ids=lambda value: str(value)[:40])
def test_written_as_go_writes_them(options: EnqueueOptions, texts: list[str]) -> None:
    """One text for each option and for each header, with an opening parenthesis: without one Go's inspector panics."""
    assert format_options(options) == texts
    assert all("(" in text for text in texts)


def test_every_option_has_a_form() -> None:
    """Those of asynq have its names; one that it does not have is shown, and left out by those who read it."""
    given: Any = dict.fromkeys(EnqueueOptions.__annotations__.keys() - {"headers", "deadline", "process_at"}, 1)
    texts = format_options({**{name: 1 for name in given if name not in TEXT_OPTIONS}, **TEXT_OPTIONS})
    assert all("(" in text for text in texts)
    assert len(texts) == len(given)
    assert format_options({"rate_limit": "10/m (each)"}) == [r'RateLimit("10/m (each\x29")']
    assert parse_options(['RateLimit("10/m")']) == {}


TEXT_OPTIONS = {"queue": "q", "task_id": "i", "group": "g"}


def test_the_order_is_kept() -> None:
    """As asynq does; its inspector shows them in this order."""
    assert format_options({"queue": "q1", "max_retry": 3}) == ['Queue("q1")', "MaxRetry(3)"]
    assert format_options({"max_retry": 3, "queue": "q1"}) == ["MaxRetry(3)", 'Queue("q1")']


def test_a_parenthesis_inside_survives_gos_reader() -> None:
    """Go takes the argument to end at the first closing parenthesis, so none stands inside."""
    texts = format_options({"queue": "a)b", "group": "(c)", "headers": {"d)": ")"}})
    assert [text.count(")") for text in texts] == [1, 1, 1]
    assert parse_options(texts) == {"queue": "a)b", "group": "(c)", "headers": {"d)": ")"}}


def test_a_span_that_go_cannot_hold_becomes_its_longest() -> None:
    """Instead of a text that its inspector would drop."""
    [text] = format_options({"retention": 2**53 - 1})
    assert text == "Retention(2562047h47m16s)"
    assert format_options({"process_in": -(2**50)}) == ["ProcessIn(-2562047h47m16s)"]


def test_read_back() -> None:
    """Every option, durations as timedeltas and moments in UTC."""
    options: EnqueueOptions = {
        "max_retry": 3,
        "queue": "low",
        "task_id": "x",
        "timeout": timedelta(seconds=90),
        "deadline": MOMENT,
        "unique_for": timedelta(hours=1),
        "process_at": MOMENT,
        "process_in": timedelta(milliseconds=250),
        "retention": timedelta(days=7),
        "group": "g",
        "headers": {"a": "b", "c": "d"},
    }
    assert parse_options(format_options(options)) == options


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MaxRetry",
        "MaxRetry(",
        "MaxRetry(three)",
        "MaxRetry()",
        "Queue(email)",
        'Queue("a"',
        "Timeout(5)",
        "Deadline(2023-11-14)",
        "Deadline(Tue Nov 31 22:13:20 UTC 2023)",
        "Retention(9999999999999h)",
        'Header(["k"])',
        'Header(["k",1])',
        'Header({"k":"v"})',
        "Header(" + "[" * 100_000 + ")",
        "Colour(red)",
        r'Queue("\U00110000")',
        None,
        7,
    ],
    ids=lambda text: str(text)[:30],
)
def test_what_cannot_be_understood_is_left_out(text: Any) -> None:
    """It neither raises nor hides what stands beside it."""
    assert parse_options([text]) == {}
    assert parse_options(["MaxRetry(1)", text, 'Queue("q")']) == {"max_retry": 1, "queue": "q"}


def test_the_last_of_a_kind_wins() -> None:
    """As when enqueueing."""
    texts = ["MaxRetry(1)", "MaxRetry(2)", 'Header(["a", "1"])', 'Header(["b", "2"])', 'Header(["a", "3"])']
    assert parse_options(texts) == {"max_retry": 2, "headers": {"a": "3", "b": "2"}}


@given(st.lists(st.text() | st.from_regex(r"\A(MaxRetry|Queue|Timeout|Deadline|Header|Group)\(.*\)\Z")))
def test_reading_never_raises(texts: list[str]) -> None:
    """Whatever stands in Redis."""
    parse_options(texts)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "max_retry": st.integers(0, 2**31 - 1),
            "queue": st.text(st.characters(exclude_categories=["Cs"])),
            "group": st.text(st.characters(exclude_categories=["Cs"])),
            "timeout": st.timedeltas(timedelta(0), timedelta(days=100_000)),
            "deadline": st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0)),
            "headers": st.dictionaries(
                st.text(st.characters(exclude_categories=["Cs"])),
                st.text(st.characters(exclude_categories=["Cs"])),
                min_size=1,
            ),
        },
    )
)
def test_what_is_written_is_read(options: EnqueueOptions) -> None:
    """Whatever the names and headers."""
    assert parse_options(format_options(options)) == options


def test_dates_are_in_utc_and_english() -> None:
    """Whatever the zone of the moment; whole seconds."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone(timedelta(hours=5)))
    assert format_unix_date(moment) == "Thu Jan  1 22:04:05 UTC 2026"
    assert parse_unix_date("Thu Jan  1 22:04:05 UTC 2026") == moment.replace(microsecond=0)
    assert parse_unix_date("Thu Jan 1 22:04:05 CEST 2026") == moment.replace(microsecond=0)
