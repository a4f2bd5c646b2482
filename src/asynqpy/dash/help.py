"""The keys: on the screen for the page one is on, and as a table for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from asynqpy.dash.chrome import Painted
from asynqpy.dash.palette import ORDER, SIGNS, Piece
from asynqpy.dash.table import LiveTable

if TYPE_CHECKING:
    from asynqpy.dash.views.view import View

_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "asterisk": "*",
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "tab": "Tab",
}


def key_names(binding: Binding) -> str:
    """The keys of *binding* as people call them: ``↑ k``."""
    return " ".join(_NAMES.get(key.strip(), key.strip()) for key in binding.key.split(","))


def bindings_of(kind: type) -> list[Binding]:
    """The keys that a class itself defines."""
    found: Iterable[object] = kind.__dict__.get("BINDINGS", ())
    return [binding for binding in found if isinstance(binding, Binding) and binding.description]


def keys_of(kind: type[View], app: type[App[None]]) -> Mapping[str, list[Binding]]:
    """The keys of a page: its own, those of its rows, those that work everywhere."""
    from asynqpy.dash.views.view import View

    own = [
        binding for each in kind.__mro__ if issubclass(each, View) and each is not View for binding in bindings_of(each)
    ]
    return {
        "This page": own,
        "Rows": bindings_of(LiveTable),
        "Everywhere": [*bindings_of(View), *bindings_of(app), Binding("ctrl+p", "command_palette", "Command palette")],
    }


class HelpScreen(ModalScreen[None]):
    """What can be done on a page."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "dismiss", "Close")]

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view

    def compose(self) -> ComposeResult:
        """The keys, in groups, and what the signs mean."""
        with Vertical(classes="dialog -tall"):
            yield Static("Keys", classes="question")
            with VerticalScroll():
                yield Painted(self._lines)

    def _lines(self, width: int) -> list[list[Piece]]:
        lines: list[list[Piece]] = []
        for title, bindings in keys_of(type(self._view), type(self.app)).items():
            shown = [each for each in bindings if self._view.check_action(each.action.split("(")[0], ()) is not False]
            if not shown:
                continue
            lines.append([(title, "accent!")])
            lines += _in_columns(shown, width)
            lines.append([])
        lines.append([("States", "accent!")])
        lines.append([piece for state in ORDER for piece in ((f"{SIGNS[state]} ", state.value), (f"{state}  ", "dim"))])
        lines.append([("Click a heading to sort, a row to point at it; twice to open it.", "dim")])
        return lines


def _in_columns(bindings: list[Binding], width: int) -> list[list[Piece]]:
    columns = 2 if width >= 76 else 1
    cell = width // columns
    rows = -(-len(bindings) // columns)
    lines: list[list[Piece]] = []
    for at in range(rows):
        line: list[Piece] = []
        for binding in bindings[at::rows]:
            words = f"{binding.description}"[: cell - 15]
            line += [(f"{key_names(binding):<14}", "!"), (f"{words:<{cell - 14}}", "")]
        lines.append(line)
    return lines
