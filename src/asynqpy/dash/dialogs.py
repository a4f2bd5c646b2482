"""Questions before something is changed, and what is seen while many tasks are."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static, TextArea

from asynqpy.dash import bars, show
from asynqpy.dash.chrome import Painted
from asynqpy.dash.palette import Piece
from asynqpy.errors import AsynqpyError

Report: TypeAlias = Callable[[int, int], None]
"""Takes how many were handled and how many there are; raises `StoppedError` when the user wants no more."""

_FAILURES_SHOWN = 50


class Confirm(ModalScreen[bool]):
    """Asks whether something shall be done.

    Args:
        question: the question.
        details: lines about what it is about.
        verb: what the button says.
        is_final: whether nothing brings back what is taken away: then the other button is the one that Enter presses.
        typed: what must be typed first, for what concerns very much.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No", show=False),
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("left,h", "app.focus_previous", show=False),
        Binding("right,l", "app.focus_next", show=False),
    ]

    def __init__(
        self, question: str, details: Sequence[str], verb: str, *, is_final: bool = False, typed: str = ""
    ) -> None:
        super().__init__()
        self._question = question
        self._details = details
        self._verb = verb
        self._is_final = is_final
        self._typed = typed

    def compose(self) -> ComposeResult:
        """The question, and two buttons."""
        with Vertical(classes="dialog -final" if self._is_final else "dialog"):
            yield Static(self._question, classes="question", markup=False)
            if self._details:
                yield VerticalScroll(Static("\n".join(self._details), markup=False), classes="details", can_focus=False)
            if self._typed:
                yield Static(f"Type {self._typed} to go on:", classes="typed", markup=False)
                yield Input(id="typed", compact=True)
            with Horizontal(classes="buttons"):
                yield Button(
                    f"{self._verb} (y)", id="yes", variant="error" if self._is_final else "primary", compact=True
                )
                yield Button("No (n)", id="no", compact=True)

    def on_mount(self) -> None:
        """What Enter does."""
        first = "#typed" if self._typed else "#no" if self._is_final else "#yes"
        self.query_one(first).focus()
        self.query_one("#yes", Button).disabled = bool(self._typed)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Whether it was typed."""
        self.query_one("#yes", Button).disabled = event.value != self._typed

    def on_input_submitted(self) -> None:
        """Enter, after it was typed."""
        self.action_answer(yes=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """An answer."""
        self.action_answer(yes=event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:  # noqa: FBT001 - the argument of a key
        """Close with an answer, unless something must be typed first."""
        if yes and self.query_one("#yes", Button).disabled:
            return
        self.dismiss(yes)


class StoppedError(Exception):
    """The user wants no more of it."""


@dataclass(slots=True)
class Outcome:
    """What became of a job."""

    done: int = 0
    failures: list[str] = field(default_factory=list)
    """What went wrong, one line each."""
    was_stopped: bool = False


Job: TypeAlias = Callable[[Report, Outcome], Awaitable[None]]
"""Does something many times; tells how far it is, and notes what became of it."""


class Progress(ModalScreen[Outcome]):
    """Shows how far a job is, stops it, and tells what went wrong. Closes by itself when nothing did."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "stop", "Stop")]

    def __init__(self, title: str, job: Job, total: int) -> None:
        super().__init__()
        self._title = title
        self._job = job
        self._total = total
        self._handled = 0
        self._began = time.monotonic()
        self._outcome = Outcome()
        self._wants_stop = False
        self._is_over = False

    def compose(self) -> ComposeResult:
        """A title, a bar, and lines about it."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="question", markup=False)
            yield Painted(self._lines)
            yield VerticalScroll(Static("", id="failures", markup=False), classes="details", can_focus=False)

    def on_mount(self) -> None:
        """Begin."""
        self.query_one(".details").display = False
        self._work()

    def _lines(self, width: int) -> list[list[Piece]]:
        seconds = max(0.001, time.monotonic() - self._began)
        rate = self._handled / seconds
        line: list[Piece] = [
            (show.count(self._handled), "!"),
            (f" of {show.count(self._total)}", "dim"),
            (f" · {show.rate(rate)} a second" if self._handled and not self._is_over else "", "dim"),
        ]
        if self._is_over:
            hint = "Esc closes"
        elif self._wants_stop:
            hint = "stopping …"
        else:
            hint = "Esc stops"
        return [bars.meter(self._handled, self._total or 1, width, "accent"), line, [(hint, "dim")]]

    def _report(self, handled: int, total: int) -> None:
        self._handled, self._total = handled, max(total, handled)
        self.query_one(Painted).update()
        if self._wants_stop:
            raise StoppedError

    @work
    async def _work(self) -> None:
        try:
            await self._job(self._report, self._outcome)
        except StoppedError:
            self._outcome.was_stopped = True
        except AsynqpyError as error:
            self._outcome.failures.append(str(error))
        self._is_over = True
        self.query_one(Painted).update()
        if self._outcome.failures:
            self._show_failures()
        else:
            self.dismiss(self._outcome)

    def _show_failures(self) -> None:
        failures = self._outcome.failures
        lines = [f"{len(failures):,} could not be done:", *failures[:_FAILURES_SHOWN]]
        if len(failures) > _FAILURES_SHOWN:
            lines.append(f"and {len(failures) - _FAILURES_SHOWN:,} more")
        self.query_one("#failures", Static).update("\n".join(lines))
        self.query_one(".details").display = True

    def action_stop(self) -> None:
        """Stop after what is on its way; close when it is over."""
        if self._is_over:
            self.dismiss(self._outcome)
        self._wants_stop = True
        self.query_one(Painted).update()


class EditPayload(ModalScreen["bytes | None"]):
    """A payload in an editor; closes with what was written, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save"),
        Binding("escape", "dismiss(None)", "Leave as it was"),
    ]

    def __init__(self, title: str, text: str, check: Callable[[str], str]) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._check = check

    def compose(self) -> ComposeResult:
        """The editor."""
        with Vertical(classes="dialog -tall"):
            yield Static(self._title, classes="question", markup=False)
            yield TextArea(self._text, show_line_numbers=False, compact=True)
            yield Static("ctrl+s saves · Esc leaves it as it was", id="hint", markup=False)

    def on_mount(self) -> None:
        """Write at once."""
        self.query_one(TextArea).focus()

    def on_text_area_changed(self, event: events.Event) -> None:
        """Whether it is still what it was."""
        trouble = self._check(self.query_one(TextArea).text)
        hint = self.query_one("#hint", Static)
        hint.set_class(bool(trouble), "-trouble")
        hint.update(trouble or "ctrl+s saves · Esc leaves it as it was")

    def action_save(self) -> None:
        """Close with what was written, if it can be."""
        text = self.query_one(TextArea).text
        if not self._check(text):
            self.dismiss(text.encode())
