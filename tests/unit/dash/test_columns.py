"""Which columns find room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from asynqpy.dash.columns import GAP, Column, fitted, layout


def column(title: str, width: int, **options: int) -> Column[str]:
    """A column that shows its row."""
    return Column(title=title, cell=lambda row, _: [(row, "")], width=width, **options)


COLUMNS = [
    column("a", 10, grow=1),
    column("b", 10, rank=2),
    column("c", 10, rank=1),
    column("d", 10, grow=3, most=20),
    column("e", 10, rank=2),
]


def titles(width: int) -> str:
    """Those that find room."""
    return "".join(each.title for each, _ in layout(COLUMNS, width))


def test_the_least_important_leave_first() -> None:
    """By rank, the right one first; those of rank 0 stay however narrow it is."""
    assert [titles(width) for width in (58, 57, 45, 33, 5)] == ["abcde", "abcd", "acd", "ad", "ad"]


@given(st.integers(58, 300))
def test_what_is_left_is_given_away(width: int) -> None:
    """All of it, and no column grows beyond its limit."""
    found = layout(COLUMNS, width)
    assert sum(cells for _, cells in found) + GAP * (len(found) - 1) == width
    assert {each.title: cells for each, cells in found}["d"] <= 20


@given(st.lists(st.text(max_size=12), max_size=4), st.integers(1, 30), st.booleans())
def test_text_is_cut_or_padded(texts: list[str], width: int, right: bool) -> None:
    """To exactly the width, in columns of the terminal, also where letters take two of them."""
    clean = ["".join(letter for letter in each if letter.isprintable()) for each in texts]
    pieces = fitted([(each, "") for each in clean], width, right=right)
    assert sum(cell_len(each) for each, _ in pieces) == width
