"""Colours and signs: one of each for every state, told apart without colours too, on dark and on light ground.

The colours of the states are those of Okabe and Ito, made for people who see fewer colours than others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TypeAlias

from rich.style import Style
from rich.text import Text
from textual.theme import Theme

from asynqpy.task import TaskState

Piece: TypeAlias = tuple[str, str]
"""Text and the name of its style: a state, or one of the words in `_DARK`."""

ORDER = (
    TaskState.ACTIVE,
    TaskState.PENDING,
    TaskState.AGGREGATING,
    TaskState.SCHEDULED,
    TaskState.RETRY,
    TaskState.ARCHIVED,
    TaskState.COMPLETED,
)
"""The states in the order of asynq's dashboard."""

SIGNS: Mapping[TaskState, str] = {
    TaskState.ACTIVE: "▸",
    TaskState.PENDING: "●",
    TaskState.AGGREGATING: "◆",
    TaskState.SCHEDULED: "◔",
    TaskState.RETRY: "↻",
    TaskState.ARCHIVED: "✗",
    TaskState.COMPLETED: "✓",
}
"""One column wide in every terminal."""

_DARK = {
    "active": "#56b4e9",
    "pending": "#c3cad6",
    "aggregating": "#c792ea",
    "scheduled": "#f0e442",
    "retry": "#e69f00",
    "archived": "#ef6c3a",
    "completed": "#2fb58a",
    "dim": "#8791a5",
    "text": "#d8dee9",
    "accent": "#7cc5f0",
    "good": "#2fb58a",
    "warn": "#e69f00",
    "bad": "#ef6c3a",
    "track": "#323b4b",
    "key": "#7cc5f0",
    "string": "#a9d39e",
    "number": "#f0c674",
    "word": "#c792ea",
}
_LIGHT = {
    "active": "#0072b2",
    "pending": "#8d96a6",
    "aggregating": "#8d4fb8",
    "scheduled": "#b59b00",
    "retry": "#c77a00",
    "archived": "#c2410c",
    "completed": "#007a5a",
    "dim": "#667085",
    "text": "#1f2733",
    "accent": "#0063a6",
    "good": "#007a5a",
    "warn": "#a85f00",
    "bad": "#c2410c",
    "track": "#d5dae3",
    "key": "#0063a6",
    "string": "#1d7a3e",
    "number": "#8a5a00",
    "word": "#8d4fb8",
}

_SIXTEEN = {
    "active": "#55ffff",
    "pending": "#ffffff",
    "aggregating": "#ff55ff",
    "scheduled": "#ffff55",
    "retry": "#aa5500",
    "archived": "#ff5555",
    "completed": "#55ff55",
    "dim": "#aaaaaa",
    "text": "#ffffff",
    "accent": "#55ffff",
    "good": "#55ff55",
    "warn": "#ffff55",
    "bad": "#ff5555",
    "track": "#555555",
    "key": "#55ffff",
    "string": "#55ff55",
    "number": "#ffff55",
    "word": "#ff55ff",
}
"""The sixteen colours themselves, so that no two become one."""

DARK, LIGHT, SIXTEEN = "asynqpy-dark", "asynqpy-light", "asynqpy-sixteen"
"""The names of the themes."""

THEMES = (
    Theme(
        name=DARK,
        primary="#7cc5f0",
        secondary="#2fb58a",
        accent="#7cc5f0",
        warning="#e69f00",
        error="#ef6c3a",
        success="#2fb58a",
        foreground="#d8dee9",
        background="#11151c",
        surface="#171d27",
        panel="#212a38",
        boost="#ffffff08",
        dark=True,
        variables={"footer-key-foreground": "#7cc5f0", "border": "#3a465a", "row-cursor": "#2c405c"},
    ),
    Theme(
        name=LIGHT,
        primary="#0063a6",
        secondary="#007a5a",
        accent="#0063a6",
        warning="#a85f00",
        error="#c2410c",
        success="#007a5a",
        foreground="#1f2733",
        background="#fbfcfe",
        surface="#f1f4f9",
        panel="#e4e9f1",
        boost="#00000008",
        dark=False,
        variables={"footer-key-foreground": "#0063a6", "border": "#b8c2d1", "row-cursor": "#cfe3f5"},
    ),
    Theme(
        name=SIXTEEN,
        primary="#55ffff",
        secondary="#55ff55",
        accent="#55ffff",
        warning="#ffff55",
        error="#ff5555",
        success="#55ff55",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#555555",
        boost="#000000",
        dark=True,
        variables={"footer-key-foreground": "#55ffff", "border": "#aaaaaa", "row-cursor": "#0000aa"},
    ),
)
"""The themes of the dashboard; the last one is for terminals with sixteen colours."""


def look_of(theme: Theme) -> str:
    """Which of our themes has the colours that go with *theme*."""
    return theme.name if theme.name == SIXTEEN else DARK if theme.dark else LIGHT


@cache
def styles(look: str) -> Mapping[str, Style]:
    """Every style by its name; a name with ``!`` behind it is bold."""
    found = {"": Style(), "!": Style(bold=True)}
    for name, colour in _COLOURS[look].items():
        found[name] = Style(color=colour)
        found[f"{name}!"] = Style(color=colour, bold=True)
    return found


_COLOURS: Mapping[str, Mapping[str, str]] = {DARK: _DARK, LIGHT: _LIGHT, SIXTEEN: _SIXTEEN}


def painted(pieces: Sequence[Piece], theme: Theme) -> Text:
    """*pieces* as one text, in the colours that go with *theme*."""
    known = styles(look_of(theme))
    text = Text(no_wrap=True, end="")
    for words, style in pieces:
        text.append(words, known[style])
    return text
