"""Log lines: text for people, JSON for machines, and nothing of `extra` lost in either."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from asynqpy.cli.logs import JsonFormatter, LogFormat, LogLevel, TextFormatter, configure

CREATED = datetime(2026, 1, 31, 18, 30, 0, 123_456, tzinfo=UTC).timestamp()


def record(
    message: str = "task done", *, name: str = "asynqpy", error: bool = False, **extra: Any
) -> logging.LogRecord:
    """A record as a logger makes it."""
    trouble = None
    if error:
        try:
            raise ValueError("no")
        except ValueError:
            trouble = sys.exc_info()
    made = logging.getLogger(name).makeRecord(name, logging.INFO, "f", 1, message, (), trouble, extra=extra)
    made.created = CREATED
    return made


def test_text_shows_the_fields() -> None:
    """Moment in UTC, level, message, then each field of `extra`."""
    line = TextFormatter().format(record(task_id="1", task_type="email:welcome", queue="critical"))
    assert line == "2026-01-31T18:30:00.123Z INFO     task done  task_id=1 task_type=email:welcome queue=critical"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"critical": 6, "low": 1}, "critical=6,low=1"),
        (("a:b", "c:d"), "a:b,c:d"),
        ("two words", '"two words"'),
        ("", '""'),
        ('a"b', r'"a\"b"'),
        ("line\nbreak", r'"line\nbreak"'),
        (None, "None"),
        (1.5, "1.5"),
    ],
)
def test_text_keeps_fields_apart(value: object, shown: str) -> None:
    """A value with blanks is in quotes, and none breaks the line."""
    assert TextFormatter().format(record(field=value)).endswith(f"  field={shown}")


def test_text_puts_the_rest_below() -> None:
    """What does not fit one line comes after the fields: further lines of the message, the traceback."""
    lines = TextFormatter().format(record("first\nsecond", error=True, queue="low")).splitlines()
    assert lines[0].endswith("first  queue=low")
    assert lines[1:3] == ["second", "Traceback (most recent call last):"]
    assert lines[-1] == "ValueError: no"


def test_text_names_other_loggers_and_processes() -> None:
    """A foreign logger is named; a process where there are several."""
    line = TextFormatter(with_process=True).format(record(name="urllib3"))
    assert line.endswith(f"INFO     {os.getpid():>7} urllib3: task done")


def test_json_is_one_object_a_line() -> None:
    """The same facts, on one line, the traceback included."""
    line = JsonFormatter().format(record("first\nsecond", error=True, queue="low", task_id="1"))
    assert "\n" not in line
    found = json.loads(line)
    assert found.pop("exception").endswith("ValueError: no")
    assert found == {
        "time": "2026-01-31T18:30:00.123Z",
        "level": "info",
        "logger": "asynqpy",
        "message": "first\nsecond",
        "process": os.getpid(),
        "queue": "low",
        "task_id": "1",
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"critical": 6}, {"critical": 6}),
        ((1, 2), [1, 2]),
        ({"b", "a"}, ["a", "b"]),
        (b"\xffa", "\\xffa"),
        (CREATED, CREATED),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00+00:00"),
        (float("nan"), "nan"),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        (ValueError("no"), "no"),
    ],
)
def test_json_takes_any_value(value: object, expected: object) -> None:
    """What JSON cannot say is said as text; a line that cannot be parsed helps nobody."""
    assert json.loads(JsonFormatter().format(record(field=value)))["field"] == expected


def test_json_keeps_its_own_fields() -> None:
    """A field of the same name gets another."""
    found = json.loads(JsonFormatter().format(record(level="high", time="now", exception="none")))
    assert (found["level"], found["level_"], found["time_"], found["exception_"]) == ("info", "high", "now", "none")


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, left as it was."""
    logger = logging.getLogger()
    before = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:], logger.level = before[0], before[1]
    logging.captureWarnings(capture=False)


def test_configure(root: logging.Logger) -> None:
    """Records of the asked level and above go to the stream, of every logger."""
    stream = io.StringIO()
    configure(LogFormat.JSON, LogLevel.WARNING, stream=stream)
    logging.getLogger("asynqpy").info("unseen")
    logging.getLogger("somebody").warning("seen")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["seen"]


@pytest.mark.parametrize("variable", ["", "1"])
def test_colours_are_for_terminals(root: logging.Logger, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Only a terminal gets colours, and only without NO_COLOR."""
    monkeypatch.setenv("NO_COLOR", variable)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, expected in ((Terminal(), not variable), (io.StringIO(), False)):
        configure(LogFormat.TEXT, LogLevel.INFO, stream=stream)
        logging.getLogger("asynqpy").info("hello", extra={"a": 1})
        assert ("\x1b[" in stream.getvalue()) is expected
