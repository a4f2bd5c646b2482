"""Tables of text: columns beside each other, two blanks between them, a row of dashes below their names.

Where there is a width to keep to, long columns are cut, and if that is not enough those that matter least are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

GAP = "  "
SHORTEST_CUT = 12
"""A column is cut to no less than this."""


class Column(NamedTuple):
    """A column."""

    name: str
    is_long: bool = False
    """Whether it may be cut."""
    rank: int = 0
    """Columns with the highest rank are left out first where there is no room; those with 0 never."""
    is_number: bool = False
    """Whether its values stand at the right."""


class Table(NamedTuple):
    """A finished table."""

    lines: list[str]
    left_out: list[str]
    """Names of columns that there was no room for."""
    widths: list[int]
    """How wide its columns are."""


def table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    width: int | None = None,
    least: Sequence[int] = (),
) -> Table:
    """The table; without a *width* nothing is cut, and every cell has all of its text.

    A table that goes on another one has at *least* its widths.
    """
    widths = [max([cell_len(column.name), *(cell_len(row[at]) for row in rows)]) for at, column in enumerate(columns)]
    widths = [max(pair) for pair in zip_longest(widths, least, fillvalue=0)]
    kept = list(range(len(columns)))
    if width is not None:
        kept = _kept(columns, widths, width)
        _shorten(columns, widths, kept, width)
    cells = [[column.name for column in columns], ["-" * cell_len(column.name) for column in columns], *rows]
    lines = [_line(columns, row, widths, kept) for row in cells]
    return Table(lines, [column.name for at, column in enumerate(columns) if at not in kept], widths)


def _least(columns: Sequence[Column], widths: Sequence[int], at: int) -> int:
    return min(widths[at], max(SHORTEST_CUT, len(columns[at].name))) if columns[at].is_long else widths[at]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _kept(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    kept = list(range(len(columns)))
    while _total([_least(columns, widths, at) for at in kept]) > width:
        least_wanted = max(kept, key=lambda at: (columns[at].rank, at))
        if not columns[least_wanted].rank:
            break
        kept.remove(least_wanted)
    return kept


def _shorten(columns: Sequence[Column], widths: list[int], kept: Sequence[int], width: int) -> None:
    """Take from the longest column that may be cut, until the row fits or all are as short as they may be."""
    cuttable = [at for at in kept if columns[at].is_long]
    while (excess := _total([widths[at] for at in kept]) - width) > 0:
        longest = max(cuttable, key=lambda at: widths[at] - _least(columns, widths, at), default=None)
        if longest is None or widths[longest] <= _least(columns, widths, longest):
            return
        others = [widths[at] for at in cuttable if at != longest]
        floor = max(_least(columns, widths, longest), max(others, default=0), widths[longest] - excess)
        widths[longest] = floor if floor < widths[longest] else widths[longest] - 1


def _line(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int], kept: Sequence[int]) -> str:
    cells = []
    for at in kept:
        text = row[at]
        if cell_len(text) > widths[at]:
            text = set_cell_size(text, widths[at] - 1).rstrip() + "…"
        padding = " " * (widths[at] - cell_len(text))
        cells.append(padding + text if columns[at].is_number else text + padding)
    return GAP.join(cells).rstrip()
