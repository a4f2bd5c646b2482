"""A table of rows that are read again and again: whatever the user looks at, marked and sorted stays where it is.

Only the lines on the screen are drawn, so ten rows cost what ten thousand do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from asynqpy.dash.columns import GAP, Column, fitted, layout
from asynqpy.dash.palette import Piece, look_of, styles

R = TypeVar("R")

LOADING: Sequence[Sequence[Piece]] = ([("Reading …", "dim")],)
_MARGIN = 2
"""Columns on the left for the mark of a chosen row."""


class LiveTable(ScrollView, Generic[R], can_focus=True):
    """Rows with a cursor, a sort order, a filter, and marks on those that were chosen.

    Args:
        columns: what is shown of a row.
        key: what makes a row the same as one that was read before.
        words: what the filter looks into.
        choosing: whether rows can be marked.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"live-table--header", "live-table--cursor", "live-table--chosen"}
    DEFAULT_CSS = """
    LiveTable {
        background: $background;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        scrollbar-color: $panel;
        scrollbar-background: $background;
        height: 1fr;
        & > .live-table--header { background: $panel; color: $foreground; text-style: bold; }
        & > .live-table--cursor { background: $surface; text-style: bold; }
        & > .live-table--chosen { background: $boost; }
        &:focus > .live-table--cursor { background: $row-cursor; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+b", "leap(-1)", "A screen up", show=False),
        Binding("pagedown,ctrl+f", "leap(1)", "A screen down", show=False),
        Binding("home,g", "edge(0)", "First row", show=False),
        Binding("end,G", "edge(-1)", "Last row", show=False),
        Binding("enter", "open", "Open"),
        Binding("space", "choose", "Mark", show=False),
        Binding("v", "choose_range", "Mark up to here", show=False),
        Binding("asterisk", "choose_all", "Mark all that are shown", show=False),
        Binding("s", "sort", "Sort by the next column", show=False),
        Binding("S", "reverse", "Sort the other way round", show=False),
    ]

    class Opened(Message):
        """A row was opened: Enter, or a double click."""

        def __init__(self, table: LiveTable[Any]) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> LiveTable[Any]:
            """The table, for selectors."""
            return self.table

    class Pointed(Opened):
        """The cursor is on another row."""

    class Resized(Opened):
        """More or fewer rows find room."""

    class Changed(Opened):
        """Other rows are marked, or they are sorted otherwise."""

    def __init__(
        self,
        columns: Sequence[Column[R]],
        key: Callable[[R], str],
        *,
        words: Callable[[R], str] | None = None,
        choosing: bool = False,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self.columns = columns
        self.placeholder: Sequence[Sequence[Piece]] = LOADING
        self.chosen: dict[str, R] = {}
        """The marked rows by their keys, also those that are on no page now."""
        self._key = key
        self._words = words or key
        self._choosing = choosing
        self._all: list[R] = []
        self._rows: list[R] = []
        self._cursor = 0
        self._cursor_key = ""
        self._anchor = ""
        self._sorted: tuple[str, bool] | None = None
        self._needle = ""
        self._seen: dict[int, Strip] = {}
        """What was drawn, line by line."""

    # What is shown

    def show(self, rows: Iterable[R], *, complete: bool = False) -> None:
        """Show *rows* in place of those before; *complete* tells that there are no others, on other pages."""
        self._all = list(rows)
        known = {self._key(row): row for row in self._all}
        self.chosen = {key: known.get(key, row) for key, row in self.chosen.items() if not complete or key in known}
        self._arrange()

    def change(self, columns: Sequence[Column[R]]) -> None:
        """Show other columns, from the first row on, with no marks: those of another place."""
        self.columns = columns
        self._sorted = None
        self.start_over()

    def start_over(self) -> None:
        """No rows yet, no marks, and the cursor at the top."""
        self.chosen = {}
        self.placeholder = LOADING
        self.turn()

    def turn(self) -> None:
        """Another page comes: the cursor goes to the top."""
        self._all = []
        self._cursor, self._cursor_key = 0, ""
        self._arrange()
        self.scroll_to(y=0, animate=False)

    @property
    def rows(self) -> Sequence[R]:
        """The rows that pass the filter, in the order shown."""
        return self._rows

    @property
    def read(self) -> int:
        """How many rows there are, shown or not."""
        return len(self._all)

    @property
    def on_screen(self) -> Sequence[R]:
        """The rows that can be seen right now."""
        top = self.scroll_offset.y
        return self._rows[top : top + self.room]

    @property
    def room(self) -> int:
        """How many rows find room."""
        return max(1, self.size.height - 1)

    @property
    def row(self) -> R | None:
        """The row under the cursor."""
        return self._rows[self._cursor] if self._cursor < len(self._rows) else None

    def shows(self, title: str) -> bool:
        """Whether the column with this title finds room."""
        return any(column.title == title for column, _ in self._layout())

    @property
    def targets(self) -> list[R]:
        """What an action is about: the marked rows, or else that under the cursor."""
        if self.chosen:
            return list(self.chosen.values())
        return [] if self.row is None else [self.row]

    @property
    def sorted_by(self) -> str:
        """The title of the column that they are sorted by; empty when they stand as they were read."""
        return self._sorted[0] if self._sorted else ""

    @property
    def needle(self) -> str:
        """Only rows with this text in them are shown."""
        return self._needle

    @needle.setter
    def needle(self, text: str) -> None:
        self._needle = text
        self._arrange()

    def point_at(self, key: str) -> None:
        """Put the cursor on the row with this key, if it is shown."""
        for at, row in enumerate(self._rows):
            if self._key(row) == key:
                self._point(at)

    def clear_choice(self) -> None:
        """Take all marks away."""
        self.chosen = {}
        self._tell_change()

    def _arrange(self) -> None:
        wanted = self._needle.casefold()
        rows = [row for row in self._all if not wanted or wanted in self._words(row).casefold()]
        if self._sorted:
            title, is_reversed = self._sorted
            order = next((column.order for column in self.columns if column.title == title), None)
            if order is not None:
                rows.sort(key=order, reverse=is_reversed)
        self._rows = rows
        keys = [self._key(row) for row in rows]
        if self._cursor_key in keys:
            self._cursor = keys.index(self._cursor_key)
        self._cursor = max(0, min(self._cursor, len(rows) - 1))
        has_grown = self.virtual_size.height != len(rows) + 1
        self.virtual_size = Size(1, len(rows) + 1)
        before = self._cursor_key
        self._cursor_key = keys[self._cursor] if rows else self._cursor_key
        if has_grown and self.styles.is_auto_height:
            self.refresh(layout=True)
        self._draw_again()
        if self._cursor_key != before:
            self.post_message(self.Pointed(self))

    # Keys and mouse

    def action_move(self, by: int) -> None:
        """Move the cursor; behind the last row comes the first."""
        if self._rows:
            self._point((self._cursor + by) % len(self._rows))

    def action_leap(self, by: int) -> None:
        """Move by a screen."""
        self._point(self._cursor + by * self.room)

    def action_edge(self, at: int) -> None:
        """Move to the first or the last row."""
        self._point(at if at >= 0 else len(self._rows) - 1)

    def _point(self, at: int) -> None:
        if not self._rows:
            return
        self._cursor = max(0, min(at, len(self._rows) - 1))
        self._cursor_key = self._key(self._rows[self._cursor])
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + self.room:
            self.scroll_to(y=self._cursor - self.room + 1, animate=False)
        self.refresh()
        self.post_message(self.Pointed(self))

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.row is not None:
            self.post_message(self.Opened(self))

    def action_choose(self) -> None:
        """Mark the row under the cursor, or take its mark away, and go on to the next."""
        if self.row is None or not self._choosing:
            return
        self._anchor = self._cursor_key
        self._toggle(self.row)
        if self._cursor < len(self._rows) - 1:
            self._point(self._cursor + 1)
        self._tell_change()

    def action_choose_range(self) -> None:
        """Mark everything from the row that was marked last to the cursor."""
        if self.row is None or not self._choosing:
            return
        keys = [self._key(row) for row in self._rows]
        start = keys.index(self._anchor) if self._anchor in keys else self._cursor
        first, last = sorted((start, self._cursor))
        self.chosen |= {self._key(row): row for row in self._rows[first : last + 1]}
        self._anchor = self._cursor_key
        self._tell_change()

    def action_choose_all(self) -> None:
        """Mark all that are shown; if they are marked already, take the marks away."""
        if not self._choosing:
            return
        shown = {self._key(row): row for row in self._rows}
        if shown.keys() <= self.chosen.keys():
            self.chosen = {key: row for key, row in self.chosen.items() if key not in shown}
        else:
            self.chosen |= shown
        self._tell_change()

    def _toggle(self, row: R) -> None:
        key = self._key(row)
        if self.chosen.pop(key, None) is None:
            self.chosen[key] = row

    def _tell_change(self) -> None:
        self.refresh()
        self.post_message(self.Changed(self))

    def action_sort(self) -> None:
        """Sort by the next column that can be sorted by; behind the last comes the order of Redis."""
        titles = [column.title for column, _ in self._layout() if column.order]
        at = titles.index(self.sorted_by) + 1 if self.sorted_by in titles else 0
        self.sort_by(titles[at] if at < len(titles) else "")

    def action_reverse(self) -> None:
        """Sort the other way round."""
        if self._sorted:
            self._sorted = (self._sorted[0], not self._sorted[1])
            self._arrange()
            self._tell_change()

    def sort_by(self, title: str) -> None:
        """Sort by the column with this title; by none when it is empty."""
        column = next((each for each in self.columns if each.title == title and each.order), None)
        self._sorted = (title, column.largest_first) if column else None
        self._arrange()
        self._tell_change()

    def on_resize(self) -> None:
        """Tell how many rows find room; a page may be so long."""
        self.post_message(self.Resized(self))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are rows, or as what stands in place of rows needs."""
        return 1 + (len(self._rows) or len(self.placeholder) + 3)

    def on_click(self, event: events.Click) -> None:
        """The heading sorts, the margin marks, a row is pointed at, and opened by a double click."""
        if event.y == 0:
            self._sort_at(event.x)
            return
        at = event.y - 1 + self.scroll_offset.y
        if at >= len(self._rows):
            return
        if event.shift and self._choosing:
            self._point(at)
            self.action_choose_range()
        elif self._choosing and (event.x < _MARGIN or event.ctrl):
            self._point(at)
            self._anchor = self._cursor_key
            self._toggle(self._rows[at])
            self._tell_change()
        else:
            self._point(at)
            if event.chain == 2:
                self.action_open()

    def _sort_at(self, x: int) -> None:
        left = self._margin
        for column, width in self._layout():
            if left <= x < left + width + GAP and column.order:
                self.action_reverse() if self.sorted_by == column.title else self.sort_by(column.title)
            left += width + GAP

    # Drawing

    @property
    def _margin(self) -> int:
        return _MARGIN if self._choosing else 1

    def _layout(self) -> list[tuple[Column[R], int]]:
        return layout(self.columns, self.scrollable_content_region.width - self._margin - 1)

    def _draw_again(self) -> None:
        """Draw the lines that have changed: a terminal may be far away."""
        for y in range(self.size.height):
            if self._seen.get(y) != self._line(y):
                self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        self._seen[y] = self._line(y)
        return self._seen[y]

    def _line(self, y: int) -> Strip:
        """The heading, a row, or a part of what stands in place of rows."""
        width = self.scrollable_content_region.width
        if y == 0:
            return self._drawn(self._heading(), self.get_component_rich_style("live-table--header"), width)
        if not self._rows:
            return self._drawn(self._instead(y, width), self.rich_style, width)
        at = y - 1 + self.scroll_offset.y
        if at >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        row = self._rows[at]
        is_chosen = self._key(row) in self.chosen
        base = self.rich_style
        if at == self._cursor:
            base = self.get_component_rich_style("live-table--cursor")
        elif is_chosen:
            base = self.get_component_rich_style("live-table--chosen")
        pieces: list[Piece] = [("■" if is_chosen else "", "accent"), (" " * (self._margin - is_chosen), "")]
        for column, cells in self._layout():
            pieces += [*fitted(column.cell(row, cells), cells, right=column.right), (" " * GAP, "")]
        return self._drawn(pieces, base, width)

    def _heading(self) -> list[Piece]:
        pieces: list[Piece] = [(" " * self._margin, "")]
        for column, width in self._layout():
            title: list[Piece] = [(column.title, "")]
            if self._sorted and column.title == self._sorted[0]:
                arrow = "▼" if self._sorted[1] else "▲"
                title = [(column.title[: width - 1], "accent!"), (arrow, "accent!")]
            pieces += [*fitted(title, width, right=column.right), (" " * GAP, "")]
        return pieces

    def _instead(self, y: int, width: int) -> Sequence[Piece]:
        lines: Sequence[Sequence[Piece]] = self.placeholder
        if self._all and self._needle:
            lines = ([("Nothing here has ", "dim"), (self._needle, "accent"), (" in it. Esc shows all again.", "dim")],)
        at = y - 1 - max(0, (self.room - len(lines)) // 3)
        if not 0 <= at < len(lines):
            return []
        length = sum(len(text) for text, _ in lines[at])
        return [(" " * max(1, (width - length) // 2), ""), *lines[at]]

    def _drawn(self, pieces: Sequence[Piece], base: Style, width: int) -> Strip:
        known = styles(look_of(self.app.current_theme))
        segments = [Segment(text, base + known[style]) for text, style in pieces if text]
        return Strip(segments).adjust_cell_length(width, base)
