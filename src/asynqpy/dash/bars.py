"""Pictures out of characters: bars of the states, meters, sparklines. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from asynqpy.dash import show
from asynqpy.dash.palette import ORDER, SIGNS, Piece
from asynqpy.inspection import QueueInfo
from asynqpy.task import TaskState

_LEVELS = "▁▂▃▄▅▆▇█"
_PARTS = " ▏▎▍▌▋▊▉█"
_SHORT = {
    TaskState.AGGREGATING: "aggreg",
    TaskState.SCHEDULED: "sched",
    TaskState.ARCHIVED: "arch",
    TaskState.COMPLETED: "done",
}


def sparkline(values: Sequence[float], width: int, style: str, *, top: float | None = None) -> list[Piece]:
    """The last *width* of *values*, the newest on the right; *top* or their largest is a full block.

    A value above zero is never drawn as nothing.
    """
    shown = list(values)[-width:] if width > 0 else []
    highest = top if top is not None else max(shown, default=0.0)
    line = "".join(_level(value, highest) for value in shown)
    return [("·" * (width - len(shown)), "track"), (line, style)]


def _level(value: float, highest: float) -> str:
    if value <= 0 or highest <= 0:
        return " "
    return _LEVELS[min(len(_LEVELS) - 1, int(value / highest * len(_LEVELS) * 0.9999))]


def chart(values: Sequence[float], width: int, height: int, style: str) -> list[list[Piece]]:
    """A sparkline *height* lines tall, the top line first."""
    shown = list(values)[-width:]
    highest = max(shown, default=0.0)
    steps = [_steps(value, highest, height) for value in shown]
    lines = []
    for row in reversed(range(height)):
        cells = "".join(_cell(step - row * len(_LEVELS)) for step in steps)
        blank = "·" if row == 0 else " "
        lines.append([(blank * (width - len(shown)), "track"), (cells, style)])
    return lines


def _steps(value: float, highest: float, height: int) -> int:
    return max(1, round(value / highest * height * len(_LEVELS))) if value > 0 and highest > 0 else 0


def _cell(step: int) -> str:
    return " " if step <= 0 else _LEVELS[min(step, len(_LEVELS)) - 1]


def meter(part: float, whole: float, width: int, style: str) -> list[Piece]:
    """How much *part* is of *whole*, to an eighth of a character."""
    filled = min(1.0, part / whole) * width if whole > 0 else 0.0
    blocks, eighth = divmod(round(filled * 8), 8)
    line = "█" * int(blocks) + (_PARTS[int(eighth)] if eighth else "")
    return [(line, style), ("─" * (width - len(line)), "track")]


def shares(counts: Sequence[int], width: int) -> list[int]:
    """*width* divided in proportion to *counts*; whatever is there gets one at least, if there is room."""
    total = sum(counts)
    if not total or width <= 0:
        return [0] * len(counts)
    given = [max(1, int(number * width / total)) if number else 0 for number in counts]
    wanted = [number * width / total for number in counts]
    while sum(given) > width:
        largest = max(
            range(len(given)), key=lambda at: (given[at] - wanted[at], given[at]) if given[at] > 1 else (-1, 0)
        )
        given[largest] -= 1
        if not any(number > 1 for number in given) and sum(given) > width:
            break
    while sum(given) < width:
        smallest = max(range(len(given)), key=lambda at: wanted[at] - given[at] if counts[at] else -1.0)
        given[smallest] += 1
    return given


def counts_of(info: QueueInfo) -> Mapping[TaskState, int]:
    """The tasks of a queue by their state."""
    return {state: getattr(info, state.value) for state in ORDER}


def states_bar(counts: Mapping[TaskState, int], width: int, *, letters: bool = False) -> list[Piece]:
    """A bar of all states, each in its colour, or, with *letters*, made of its first letter."""
    widths = shares([counts.get(state, 0) for state in ORDER], width)
    pieces: list[Piece] = [
        ((state[0].upper() if letters else "█") * cells, state.value)
        for state, cells in zip(ORDER, widths, strict=True)
        if cells
    ]
    return pieces or [("─" * width, "track")]


def legend(counts: Mapping[TaskState, int], width: int) -> list[Piece]:
    """What a bar is made of, as wordily as *width* allows."""
    for words, number in (
        (str, show.count),
        (_short, show.count),
        (_short, show.short_count),
        (_none, show.short_count),
    ):
        pieces: list[Piece] = []
        for state in ORDER:
            held = counts.get(state, 0)
            name = words(state)
            pieces += [
                (f"{SIGNS[state]} ", state.value),
                (number(held), "!" if held else "dim"),
                (f" {name}  " if name else "  ", "dim"),
            ]
        if sum(len(text) for text, _ in pieces) - 2 <= width:
            break
    return pieces


def _short(state: TaskState) -> str:
    return _SHORT.get(state, state.value)


def _none(state: TaskState) -> str:
    return ""


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
    return [(f"{word} ", "dim"), (now, f"{style}!"), (" " * room, ""), (peak, "dim")]
