"""What is typed to find tasks: ``type:email:* error:timeout state:retry``, or an id, or part of a payload. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from asynqpy.task import TaskState

NAMES = ("id", "type", "payload", "error", "group", "queue", "state")
"""What can stand before the colon."""


@dataclass(slots=True)
class Query:
    """What is looked for."""

    ids: list[str] = field(default_factory=list)
    type: str | None = None
    payload: str | None = None
    error: str | None = None
    group: str | None = None
    queues: list[str] = field(default_factory=list)
    states: list[TaskState] = field(default_factory=list)
    words: str = ""
    """What stands there without a name: an id, or else part of a payload."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is looked for."""
        return not (self.ids or self.type or self.payload or self.error or self.group or self.words or self.states)


def parse(text: str) -> Query:
    """Read what was typed.

    Raises:
        ValueError: it makes no sense; the text says why.
    """
    try:
        pieces = shlex.split(text)
    except ValueError:
        raise ValueError("a quotation mark is missing") from None
    query, words = Query(), []
    for piece in pieces:
        name, colon, value = piece.partition(":")
        if not colon or name not in NAMES:
            words.append(piece)
        elif not value:
            raise ValueError(f"say what is looked for after {name}:")
        else:
            _take(query, name, value)
    query.words = " ".join(words)
    return query


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
