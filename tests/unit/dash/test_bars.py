"""Bars, meters, charts: what is drawn, and that it is as wide as it must be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynqpy import TaskState
from asynqpy.dash import bars
from asynqpy.dash.palette import ORDER, Piece

COUNTS = st.lists(st.integers(0, 10**9), min_size=7, max_size=7)


def text(pieces: list[Piece]) -> str:
    """The letters alone."""
    return "".join(words for words, _ in pieces)


@given(COUNTS, st.integers(0, 200))
def test_shares_fill_the_width(counts: list[int], width: int) -> None:
    """All of it, whatever the numbers; and what is there is seen, if there is room for everything."""
    shares = bars.shares(counts, width)
    present = sum(1 for count in counts if count)
    assert sum(shares) == (width if present else 0)
    assert all(not share for share, count in zip(shares, counts, strict=True) if not count)
    if width >= present:
        assert all(share for share, count in zip(shares, counts, strict=True) if count)


def test_a_bar_without_colours_has_signs() -> None:
    """Where there are no colours, the states are told apart by their signs."""
    counts = {TaskState.ACTIVE: 1, TaskState.RETRY: 3}
    assert text(bars.states_bar(counts, 8, signs=True)) == "▸▸↻↻↻↻↻↻"
    assert bars.states_bar(counts, 8) == [("██", "active"), ("██████", "retry")]
    assert text(bars.states_bar({}, 4)) == "────"


@given(st.lists(st.floats(0, 1e6), max_size=200), st.integers(1, 150))
def test_lines_and_charts_fill_the_width(values: list[float], width: int) -> None:
    """However many values there are."""
    assert len(text(bars.sparkline(values, width, "good"))) == width
    assert [len(text(line)) for line in bars.chart(values, width, 3, "good")] == [width] * 3


def test_little_is_not_nothing() -> None:
    """What is above zero is seen beside a peak; zero is a line on the ground, and what is not known is dotted."""
    assert text(bars.sparkline([0, 0.001, 1000], 5, "good")) == "··▁▁▇"
    assert bars.sparkline([0, 0.001], 2, "good") == [("", "track"), ("▁", "track"), ("▇", "good")]
    assert [text(line) for line in bars.chart([0, 1, 8, 16], 5, 2, "good")] == ["    █", "·▁▁██"]


@pytest.mark.parametrize(("part", "line"), [(0, "────"), (1, "╸───"), (4, "━━──"), (8, "━━━━"), (99, "━━━━")])
def test_meters(part: int, line: str) -> None:
    """To half a character, and never over the end."""
    assert text(bars.meter(part, 8, 4, "good")) == line
    assert text(bars.meter(1, 0, 3, "good")) == "───"


@pytest.mark.parametrize("width", [60, 78, 100, 160])
def test_the_legend_fits(width: int) -> None:
    """It uses shorter words and numbers where room is short, and names every state's count."""
    legend = text(bars.legend(dict.fromkeys(ORDER, 123_456), width))
    assert len(legend) <= width
    assert legend.count("123") == len(ORDER)
    assert ("completed" in legend) == (width == 160)
