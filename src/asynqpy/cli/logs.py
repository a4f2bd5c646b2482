"""How a worker logs: one line a record, as text for people or as JSON for machines, with everything in ``extra``."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; the rest came as ``extra``."""

_COLOURS = {
    logging.DEBUG: "2",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "1;31",
}
_DIM = "2"


class LogFormat(StrEnum):
    """How log records are written."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important records that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class TextFormatter(logging.Formatter):
    """``2026-01-31T18:30:00.123Z INFO    message  key=value …``, tracebacks below.

    Args:
        colours: mark levels and fields with terminal colours.
        with_process: show which process a record comes from.
    """

    def __init__(self, *, colours: bool = False, with_process: bool = False) -> None:
        super().__init__()
        self._colours = colours
        self._with_process = with_process

    def format(self, record: logging.LogRecord) -> str:
        """The text of *record*."""
        message, newline, rest = record.getMessage().partition("\n")
        parts = [self._paint(_time(record), _DIM), self._paint(f"{record.levelname:<8}", _COLOURS.get(record.levelno))]
        if self._with_process:
            parts.append(self._paint(f"{record.process:>7}", _DIM))
        if record.name != "asynqpy":
            parts.append(f"{record.name}:")
        parts.append(message)
        fields = " ".join(f"{name}={_in_text(value)}" for name, value in _extra(record).items())
        if fields:
            parts.append(f" {self._paint(fields, _DIM)}")
        below = [rest] if newline else []
        if trace := _trace(self, record):
            below.append(trace)
        return "\n".join([" ".join(parts), *below])

    def _paint(self, text: str, colour: str | None) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours and colour else text


class JsonFormatter(logging.Formatter):
    """One JSON object: ``time``, ``level``, ``logger``, ``message``, ``process``, then the fields, then ``exception``.

    A field named like one of these gets an underscore at its end.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The object of *record*."""
        fields: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        own = {*fields, "exception"}
        fields |= {f"{name}_" if name in own else name: value for name, value in _extra(record).items()}
        if trace := _trace(self, record):
            fields["exception"] = trace
        return "{" + ", ".join(f"{json.dumps(name)}: {_in_json(value)}" for name, value in fields.items()) + "}"


def configure(
    log_format: LogFormat, level: LogLevel, *, with_process: bool = False, stream: TextIO | None = None
) -> None:
    """Write the records of this process to *stream*, standard error unless given."""
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    colours = target.isatty() and not os.environ.get("NO_COLOR")
    json_wanted = log_format is LogFormat.JSON
    handler.setFormatter(JsonFormatter() if json_wanted else TextFormatter(colours=colours, with_process=with_process))
    logging.captureWarnings(capture=True)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS}


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info and record.exc_info[0] is not None:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(record.stack_info)
    return "\n".join(parts)


def _in_text(value: object) -> str:
    """*value* without blanks, so that fields can be told apart: in quotes where it has some."""
    if isinstance(value, Mapping):
        text = ",".join(f"{name}={entry}" for name, entry in value.items())
    elif isinstance(value, list | tuple):
        text = ",".join(map(str, value))
    else:
        text = str(value)
    is_plain = text and text.isprintable() and not any(character in ' "' for character in text)
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _in_json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_foreign)
    except (ValueError, TypeError, RecursionError):  # NaN, a key that is no text, a circle
        return json.dumps(repr(value), ensure_ascii=False)


def _foreign(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)
