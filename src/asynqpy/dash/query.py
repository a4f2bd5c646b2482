"""What is typed to find tasks: ``type:email:* field:user.id=7 state:retry``, or an id, or part of a payload. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import EllipsisType

from asynqpy.conditions import Scalar, field_conditions, fields_in, headers_in
from asynqpy.task import TaskState

NAMES = ("id", "type", "payload", "error", "group", "header", "field", "queue", "state")
"""What can stand before the colon."""

_TEXT = r'"(?:[^"\\]|\\.)*"'
_QUOTED = re.compile(rf"(header|field):({_TEXT})(?!\S)", re.DOTALL)
_CONDITION = re.compile(rf"(header|field):((?!\")(?:[^\s\"]|{_TEXT})+)(?!\S)", re.DOTALL)
"""Its quotes may be in the middle, ``field:user.name="Jo A"``; those of a field mean text."""
_HEADER_TEXT = re.compile(rf"=({_TEXT})\Z", re.DOTALL)
_WORD = re.compile(rf"(?:[^\s\"'\\]|\\.|{_TEXT}|'[^']*')+(?!\S)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(slots=True)
class Query:
    """What is looked for."""

    ids: list[str] = field(default_factory=list)
    type: str | None = None
    payload: str | None = None
    error: str | None = None
    group: str | None = None
    headers: dict[str, str | EllipsisType] = field(default_factory=dict)
    """The value of each by its name; Ellipsis for any."""
    fields: dict[str, Scalar | EllipsisType] = field(default_factory=dict)
    """Of payloads: the value of each by its path; Ellipsis for any."""
    queues: list[str] = field(default_factory=list)
    states: list[TaskState] = field(default_factory=list)
    words: str = ""
    """What stands there without a name: an id, or else part of a payload."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is looked for."""
        texts = self.type or self.payload or self.error or self.group or self.words
        return not (texts or self.ids or self.states or self.headers or self.fields)


def parse(text: str) -> Query:
    """Read what was typed.

    Raises:
        ValueError: it makes no sense; the text says why.
    """
    query = Query()
    words: list[str] = []
    conditions: dict[str, list[str]] = {"header": [], "field": []}
    for name, value in _pieces(text):
        if not name:
            words.append(value)
        elif not value:
            raise ValueError(f"say what is looked for after {name}:")
        elif name in conditions:
            conditions[name].append(value)
        else:
            _take(query, name, value)
    query.words = " ".join(words)
    query.headers, query.fields = headers_in(conditions["header"]), fields_in(conditions["field"])
    field_conditions(query.fields)  # says what is no path
    return query


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """What was typed, piece by piece: the name before its colon, if it has one, and the rest."""
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        if match := _QUOTED.match(text, at):
            yield match[1], _plain(match[2])
        elif match := _CONDITION.match(text, at):
            name, value = match.groups()
            yield name, _HEADER_TEXT.sub(lambda found: f"={_plain(found[1])}", value) if name == "header" else value
        elif match := _WORD.match(text, at):
            [piece] = shlex.split(match[0])
            name, colon, value = piece.partition(":")
            yield (name, value) if colon and name in NAMES else ("", piece)
        else:
            raise ValueError("a quotation mark is missing")
        at = match.end()


def _plain(quoted: str) -> str:
    return _ESCAPED.sub(r"\1", quoted[1:-1])


def _take(query: Query, name: str, value: str) -> None:
    match name:
        case "id":
            query.ids.append(value)
        case "queue":
            query.queues.append(value)
        case "state":
            states = [state for state in TaskState if state.value.startswith(value.lower())]
            if len(states) != 1:
                raise ValueError(f"{value!r} is no state: {', '.join(TaskState)}")
            query.states += states
        case "type":
            query.type = value if any(each in value for each in "*?[") else f"{value}*"
        case _:
            setattr(query, name, value)
