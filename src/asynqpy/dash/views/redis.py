"""Redis itself: what it takes, what it does, and what endangers the tasks in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import ClassVar

from textual.containers import VerticalScroll
from textual.widget import Widget

from asynqpy.dash import bars, show
from asynqpy.dash.chrome import Painted
from asynqpy.dash.palette import Piece
from asynqpy.dash.redis_facts import Fact, cards, number, warnings
from asynqpy.dash.trends import LENGTH
from asynqpy.dash.views.view import View

_CARD = 44
"""The least width of a group of facts."""


class RedisView(View):
    """The page of Redis."""

    BINDINGS: ClassVar = []

    def __init__(self) -> None:
        super().__init__()
        self._info: Mapping[str, str] = {}
        self._cluster: Mapping[str, str] = {}
        self._commands: deque[float] = deque(maxlen=LENGTH)
        self._memory: deque[float] = deque(maxlen=LENGTH)

    def body(self) -> Iterable[Widget]:
        """One text, as long as it is."""
        with VerticalScroll(id="redis"):
            yield Painted(self._lines, id="facts", classes="panel")

    def on_mount(self) -> None:
        """The keys scroll."""
        self.query_one("#redis").focus()

    async def read(self) -> None:
        """What Redis tells about itself."""
        info = await self.inspector.redis_info()
        self._cluster = await self.inspector.cluster_info() if info.get("cluster_enabled") == "1" else {}
        self._info = info
        self._commands.append(number(info, "instantaneous_ops_per_sec"))
        self._memory.append(number(info, "used_memory"))

    def paint(self) -> None:
        """Everything."""
        self.query_one("#facts", Painted).update()

    def _lines(self, width: int) -> list[list[Piece]]:
        if not self._info:
            return [[("No data yet.", "dim")]]
        lines: list[list[Piece]] = [[("Redis at ", "dim"), (self.dash.address or "its address", "!")], []]
        troubles = warnings(self._info, self._cluster)
        lines += [line for text in troubles for line in _warning(text, width)]
        if not troubles:
            lines.append([("✓ nothing here endangers tasks", "good")])
        half = max(10, (width - 4) // 2)
        lines += [
            [],
            [
                *_padded([("commands ", "dim"), (f"{show.rate(self._commands[-1])}/s", "active!")], half),
                ("    ", ""),
                ("memory ", "dim"),
                (show.size(int(self._memory[-1])), "aggregating!"),
            ],
        ]
        commands, memory = list(self._commands), list(self._memory)
        charts = zip(bars.chart(commands, half, 2, "active"), bars.chart(memory, half, 2, "aggregating"), strict=True)
        lines += [[*left, ("    ", ""), *right] for left, right in charts]
        return [*lines, [], *_beside(cards(self._info, self._cluster), width)]


def _beside(groups: Sequence[tuple[str, Iterable[Fact]]], width: int) -> list[list[Piece]]:
    """Groups of facts, as many beside each other as find room."""
    columns = max(1, min(3, width // _CARD))
    cell = width // columns
    lines: list[list[Piece]] = []
    for at in range(0, len(groups), columns):
        row = [_card(title, facts, cell) for title, facts in groups[at : at + columns]]
        blank: list[Piece] = [(" " * cell, "")]
        lines += [[piece for part in parts for piece in part] for parts in zip_longest(*row, fillvalue=blank)]
        lines.append([])
    return lines


def _card(title: str, facts: Iterable[Fact], width: int) -> list[list[Piece]]:
    found = list(facts)
    names = max(len(name) for name, _ in found)
    lines = [[(title, "accent!")], *([(f"{name:<{names}}  ", "dim"), *value] for name, value in found)]
    return [_padded(line, width) for line in lines]


def _padded(pieces: Iterable[Piece], width: int) -> list[Piece]:
    found = list(pieces)
    length = sum(len(text) for text, _ in found)
    if length >= width:
        text, style = found[-1]
        return [*found[:-1], (text[: len(text) - (length - width) - 2] + "… ", style)]
    return [*found, (" " * (width - length), "")]


def _warning(text: str, width: int) -> list[list[Piece]]:
    folded = wrap(text, max(20, width - 2))
    return [[("! " if at == 0 else "  ", "warn!"), (line, "warn")] for at, line in enumerate(folded)]
