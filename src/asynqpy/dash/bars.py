"""Pictures out of characters: bars of the states, meters, sparklines. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from asynqpy.dash import show
from asynqpy.dash.palette import ORDER, SIGNS, Piece
from asynqpy.inspection import QueueInfo
from asynqpy.task import TaskState

_LEVELS = "▁▂▃▄▅▆▇█"
_LINE_LEVELS = _LEVELS[:-1]
"""For one line among others, which it must not touch."""
_ZERO: Piece = ("▁", "track")
SHORT_NAMES: Mapping[TaskState, str] = {
    TaskState.ACTIVE: "act",
    TaskState.PENDING: "pend",
    TaskState.AGGREGATING: "aggr",
    TaskState.SCHEDULED: "sched",
    TaskState.RETRY: "retry",
    TaskState.ARCHIVED: "arch",
    TaskState.COMPLETED: "done",
}
"""The states where room is short."""


def sparkline(values: Sequence[float], width: int, style: str) -> list[Piece]:
    """The last *width* of *values*, the newest on the right, for one line among others; the largest is the highest.

    What is above zero is told from zero, and zero from what is not known.
    """
    shown = list(values)[-width:] if width > 0 else []
    highest = max(shown, default=0.0)
    cells = [
        (_LINE_LEVELS[_step(value, highest, len(_LINE_LEVELS)) - 1], style) if value > 0 else _ZERO for value in shown
    ]
    return [("·" * (width - len(shown)), "track"), *_runs(cells)]


def chart(values: Sequence[float], width: int, height: int, style: str) -> list[list[Piece]]:
    """A sparkline *height* lines tall, the top line first."""
    shown = list(values)[-width:] if width > 0 else []
    highest = max(shown, default=0.0)
    steps = [_step(value, highest, height * len(_LEVELS)) for value in shown]
    lines = []
    for row in reversed(range(height)):
        cells = [_cell(step - row * len(_LEVELS), style) if step or row else _ZERO for step in steps]
        lines.append([(("·" if row == 0 else " ") * (width - len(shown)), "track"), *_runs(cells)])
    return lines


def _step(value: float, highest: float, steps: int) -> int:
    return max(1, round(value / highest * steps)) if value > 0 else 0


def _cell(step: int, style: str) -> Piece:
    return (" ", "") if step <= 0 else (_LEVELS[min(step, len(_LEVELS)) - 1], style)


def _runs(cells: Sequence[Piece]) -> list[Piece]:
    """Neighbours of one style as one piece."""
    return [("".join(text for text, _ in run), style) for style, run in groupby(cells, key=lambda cell: cell[1])]


def meter(part: float, whole: float, width: int, style: str) -> list[Piece]:
    """How much *part* is of *whole*, to half a character."""
    halves = round(min(1.0, part / whole) * width * 2) if whole > 0 else 0
    line = "━" * (halves // 2) + "╸" * (halves % 2)
    return [(line, style), ("─" * (width - len(line)), "track")]


def shares(counts: Sequence[int], width: int) -> list[int]:
    """*width* divided in proportion to *counts*; whatever is there gets one at least, the largest first."""
    total, given = sum(counts), [0] * len(counts)
    present = sorted((at for at, count in enumerate(counts) if count), key=lambda at: -counts[at])[: max(0, width)]
    for at in present:
        given[at] = max(1, counts[at] * width // total)
    while present and sum(given) != width:
        step = 1 if sum(given) < width else -1
        able = [at for at in present if given[at] + step > 0]
        nearest = max(able, key=lambda at: step * (counts[at] * width / total - given[at]))
        given[nearest] += step
    return given


def counts_of(info: QueueInfo) -> Mapping[TaskState, int]:
    """The tasks of a queue by their state."""
    return {state: getattr(info, state.value) for state in ORDER}


def states_bar(counts: Mapping[TaskState, int], width: int, *, signs: bool = False, block: str = "█") -> list[Piece]:
    """A bar of all states, each in its colour, or, with *signs*, made of its sign."""
    widths = shares([counts.get(state, 0) for state in ORDER], width)
    pieces: list[Piece] = [
        ((SIGNS[state] if signs else block) * cells, state.value)
        for state, cells in zip(ORDER, widths, strict=True)
        if cells
    ]
    return pieces or [("─" * width, "track")]


def legend(counts: Mapping[TaskState, int], width: int) -> list[Piece]:
    """What a bar is made of, as wordily as *width* allows."""
    for names, number, gap in (
        ({state: state.value for state in ORDER}, show.count, 2),
        (SHORT_NAMES, show.count, 2),
        (SHORT_NAMES, show.short_count, 1),
        ({}, show.short_count, 1),
    ):
        pieces: list[Piece] = []
        for state in ORDER:
            held, name = counts.get(state, 0), names.get(state, "")
            pieces += [
                (f"{SIGNS[state]} ", state.value),
                (number(held), "!" if held else "dim"),
                (f" {name}" if name else "", "dim"),
                (" " * gap, ""),
            ]
        del pieces[-1]
        if sum(len(text) for text, _ in pieces) <= width:
            break
    return pieces


def charts(done: Sequence[float], failed: Sequence[float], width: int, height: int = 2) -> list[list[Piece]]:
    """What is done and what fails, side by side, with the newest and the highest rate above."""
    half = max(10, (width - 4) // 2)
    gap: Piece = ("    ", "")
    title = [*_chart_title("done", done, half, "completed"), gap, *_chart_title("failed", failed, half, "bad")]
    left, right = chart(list(done), half, height, "completed"), chart(list(failed), half, height, "bad")
    return [title, *([*one, gap, *other] for one, other in zip(left, right, strict=True))]


def _chart_title(word: str, values: Sequence[float], width: int, style: str) -> list[Piece]:
    now = f"{show.rate(values[-1] if values else None)}/s"
    peak = f"peak {show.rate(max(values) if values else None)}"
    room = max(1, width - len(word) - 1 - len(now) - len(peak))
    colour = f"{style}!" if values and values[-1] else "dim!"
    return [(f"{word} ", "dim"), (now, colour), (" " * room, ""), (peak, "dim")]
