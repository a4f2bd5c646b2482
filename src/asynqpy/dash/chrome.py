"""What frames every page: the bar with the sections, the banner when Redis is away, the line of the filter."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from asynqpy.dash import show
from asynqpy.dash.palette import Piece, painted

if TYPE_CHECKING:
    from asynqpy.dash.app import DashApp

SECTIONS = {"queues": "Queues", "servers": "Servers", "schedules": "Schedules", "redis": "Redis"}
"""The sections, in the order of their keys 1 to 4."""


class Painted(Widget):
    """Lines that a function draws, given the width that there is."""

    DEFAULT_CSS = "Painted { height: auto; }"

    def __init__(
        self,
        draw: Callable[[int], Sequence[Sequence[Piece]]],
        *,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._draw = draw
        self._seen: Text | None = None

    def update(self) -> None:
        """Draw it again where something has changed: a terminal may be far away."""
        before = self._seen
        now = self._text()
        if before is None or before.plain.count("\n") != now.plain.count("\n"):
            self.refresh(layout=True)
        elif before != now or before.spans != now.spans:
            self.refresh()

    def render(self) -> Text:
        """All lines, none of them wrapped."""
        self._seen = self._text()
        return self._seen

    def _text(self) -> Text:
        lines = [painted(line, self.app.current_theme) for line in self._draw(self.size.width)]
        for line in lines:
            line.truncate(max(1, self.size.width), overflow="ellipsis")
        return Text("\n", no_wrap=True, overflow="crop").join(lines)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """As many lines as are drawn."""
        return max(1, len(self._draw(width)))


class TopBar(Widget):
    """The name, the sections, where Redis is, and how fresh the data is."""

    DEFAULT_CSS = "TopBar { height: 1; background: $panel; dock: top; }"

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Its clock goes on between two readings."""
        self.set_interval(1.0, self.refresh)

    def render(self) -> Text:
        """One line."""
        app = cast("DashApp", self.app)
        left: list[Piece] = [(" asynqpy ", "accent!"), (" ", "")]
        self._places = []
        at = 10
        for number, (mode, title) in enumerate(SECTIONS.items(), 1):
            label = f" {number} {title} "
            left.append((label, "!" if mode == app.current_mode else "dim"))
            self._places.append((at, at + len(label), mode))
            at += len(label)
        right = self._right(app)
        room = self.size.width - at - sum(len(text) for text, _ in right) - 1
        address = app.address if len(app.address) + 2 <= room else ""
        line = painted(
            [*left, (" " * max(1, room - len(address)), ""), (address, "dim"), (" ", ""), *right],
            app.current_theme,
        )
        for start, end, mode in self._places:
            if mode == app.current_mode:
                line.stylize("reverse", start, end)
        return line

    def _right(self, app: DashApp) -> list[Piece]:
        badge: list[Piece] = [("read-only ", "warn!")] if app.read_only else []
        age = app.link.age(app.now())
        if app.link.is_held:
            return [*badge, ("‖ held ", "warn!"), (_age(age), "warn")]
        if app.link.error:
            return [*badge, ("○ away ", "bad!"), (_age(age), "bad")]
        if age is None:
            return [*badge, ("○ …", "dim")]
        if age > 3 * app.link.pause + 1:
            return [*badge, ("○ late ", "warn!"), (_age(age), "warn")]
        return [*badge, ("● live ", "good!"), (_age(age), "dim")]

    def on_click(self, event: events.Click) -> None:
        """A section was clicked."""
        for start, end, mode in self._places:
            if start <= event.x < end:
                cast("DashApp", self.app).action_section(mode)


def _age(seconds: float | None) -> str:
    return f"{'' if seconds is None else f'{seconds:.0f}s':>4} "


class Banner(Widget):
    """Says that Redis is away, since when, and when it is tried again. Hidden otherwise."""

    DEFAULT_CSS = """
    Banner { height: auto; max-height: 3; padding: 0 1; display: none; }
    Banner { background: $error; color: $background; text-style: bold; }
    Banner.-shown { display: block; }
    """

    def on_mount(self) -> None:
        """The seconds count."""
        self.set_interval(0.5, self.update)
        self.update()

    def update(self) -> None:
        """Show or hide it, and count on."""
        app = cast("DashApp", self.app)
        is_late = not app.link.is_held and (app.link.age(app.now()) or 0) > 3 * app.link.pause + 3
        is_shown = bool(app.link.error) or is_late
        self.set_class(is_shown, "-shown")
        if is_shown:
            self.refresh(layout=True)

    def render(self) -> str:
        """What is known."""
        app = cast("DashApp", self.app)
        age = app.link.age(app.now())
        old = "no data yet" if age is None else f"data is {age:.0f} s old"
        if not app.link.error:
            return f"Redis does not answer · {old}"
        wait = max(0.0, app.link.next_at - time.monotonic())
        then = "trying again …" if wait < 0.05 else f"next try in {wait:.0f} s, ctrl+r tries now"
        return f"{old} · {then} · {show.clean(app.link.error)}"


class FilterLine(Input):
    """One line at the bottom, for the text that the rows of the page must have in them."""

    DEFAULT_CSS = """
    FilterLine, FilterLine:focus { height: 1; border: none; padding: 0 1; background: $panel; display: none; }
    FilterLine.-shown { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Show all", priority=True),
        Binding("down", "stay", "To the rows", show=False),
    ]

    class Left(Message):
        """The user goes back to the rows; *keep* tells whether the filter stays."""

        def __init__(self, *, keep: bool) -> None:
            super().__init__()
            self.keep = keep

    def __init__(self) -> None:
        super().__init__(placeholder="only rows with …   Enter keeps, Esc shows all", compact=True)

    def action_leave(self) -> None:
        """Show all rows again."""
        self.value = ""
        self.post_message(self.Left(keep=False))

    def action_stay(self) -> None:
        """Back to the rows that are left."""
        self.post_message(self.Left(keep=bool(self.value)))

    def on_input_submitted(self) -> None:
        """The same."""
        self.action_stay()
