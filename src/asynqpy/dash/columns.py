"""The columns of a table: which of them find room, how wide they become, and text cut to fit. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.cells import cell_len, set_cell_size

from asynqpy.dash.palette import Piece

R = TypeVar("R")

GAP = 2
"""Blanks between two columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[R]):
    """One column of a table of rows *R*."""

    title: str
    cell: Callable[[R, int], Sequence[Piece]]
    """What stands in a row, given the width."""
    width: int
    """The least width at which it is of use."""
    grow: int = 0
    """Its part of the room that is left."""
    most: int = 10_000
    """It grows no wider than this."""
    rank: int = 0
    """Where room is short, columns leave, those of the highest rank first; those of rank 0 stay."""
    right: bool = False
    """Whether it is aligned to the right."""
    order: Callable[[R], Any] | None = None
    """What rows are sorted by; None where sorting makes no sense."""
    largest_first: bool = False
    """Whether sorting begins with the largest."""


def layout(columns: Sequence[Column[R]], width: int) -> list[tuple[Column[R], int]]:
    """The columns that find room in *width*, each with its own width."""
    shown = list(columns)
    while _needed(shown) > width and any(column.rank for column in shown):
        highest = max(column.rank for column in shown)
        last = max(at for at, column in enumerate(shown) if column.rank == highest)
        del shown[last]
    widths = [column.width for column in shown]
    spare = width - _needed(shown)
    while spare > 0:
        growing = [at for at, column in enumerate(shown) if column.grow and widths[at] < column.most]
        if not growing:
            break
        parts = sum(shown[at].grow for at in growing)
        given = {at: min(shown[at].most - widths[at], spare * shown[at].grow // parts) for at in growing}
        if not any(given.values()):
            given = {growing[0]: 1}
        for at, more in given.items():
            widths[at] += more
        spare -= sum(given.values())
    return list(zip(shown, widths, strict=True))


def _needed(columns: Sequence[Column[R]]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def fitted(pieces: Sequence[Piece], width: int, *, right: bool = False) -> list[Piece]:
    """*pieces* in exactly *width* columns of a terminal: cut with an ellipsis, or padded."""
    lengths = [cell_len(text) for text, _ in pieces]
    room = width - sum(lengths)
    if room >= 0:
        blank: Piece = (" " * room, "")
        return [blank, *pieces] if right else [*pieces, blank]
    found: list[Piece] = []
    left = width - 1
    for (text, style), length in zip(pieces, lengths, strict=True):
        if length > left:
            found.append((set_cell_size(text, left) + "…", style))
            break
        found.append((text, style))
        left -= length
    return found if width > 0 else []
