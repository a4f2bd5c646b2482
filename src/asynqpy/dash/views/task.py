"""One task: everything that is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from asynqpy.actions import Action
from asynqpy.attempts import FailedAttempt
from asynqpy.dash import bars, payloads, show
from asynqpy.dash.acting import TaskActing
from asynqpy.dash.palette import SIGNS, Piece, painted
from asynqpy.dash.task_columns import Running
from asynqpy.errors import QueueNotFoundError, TaskNotFoundError, WireError
from asynqpy.task import TaskInfo, TaskState


class Block(Static):
    """A heading and lines that are folded where they are too long."""

    DEFAULT_CSS = "Block { height: auto; margin-bottom: 1; } Block.-empty { display: none; }"

    def tell(self, heading: Sequence[Piece], lines: Sequence[Sequence[Piece]]) -> None:
        """Show *lines*, or nothing when there are none."""
        theme = self.app.current_theme
        text = Text("\n").join(painted(line, theme) for line in [heading, *lines])
        text.no_wrap, text.overflow = False, "fold"
        self.set_class(not lines, "-empty")
        self.update(text)


class TaskView(TaskActing):
    """The page of one task. What it showed last stays when the task goes."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "form", "JSON, text or hex"),
        Binding("Y", "copy_payload", "Copy the payload", show=False),
        Binding("j,down", "scroll(1)", "Scroll down", show=False),
        Binding("k,up", "scroll(-1)", "Scroll up", show=False),
        Binding("pagedown", "scroll(10)", "Further down", show=False),
        Binding("pageup", "scroll(-10)", "Further up", show=False),
    ]

    def __init__(self, queue: str, task_id: str) -> None:
        super().__init__()
        self.queue = queue
        self.task_id = task_id
        self._stored: TaskInfo | None = None
        self._attempts = Running()
        self._trouble = ""
        self._form = 0

    def body(self) -> Iterable[Widget]:
        """Facts on the left or above, long texts beside or below."""
        yield Static("", id="trail", classes="panel")
        with Container(id="task"):
            with VerticalScroll(id="facts"):
                yield Block(id="fact-block")
                yield Block(id="times")
                yield Block(id="headers")
            with VerticalScroll(id="texts"):
                yield Block(id="payload")
                yield Block(id="result")
                yield Block(id="error")
                yield Block(id="traceback")
                yield Block(id="attempts")

    def on_mount(self) -> None:
        """The long texts are what is scrolled."""
        self.query_one("#texts").focus()

    async def read(self) -> None:
        """The task, and who runs it."""
        try:
            self._stored = await self.inspector.task_info(self.queue, self.task_id)
        except (TaskNotFoundError, QueueNotFoundError):
            self._trouble = "This task is gone: it was deleted, or is done and was not to be kept."
            return
        except WireError as error:
            self._trouble = str(error)
            return
        self._trouble = ""
        if self._stored.state is TaskState.ACTIVE:
            self._attempts = Running(await self.inspector.servers())

    def paint(self) -> None:
        """Everything."""
        theme = self.app.current_theme
        self.query_one("#trail", Static).update(Text("\n").join(painted(line, theme) for line in self._trail()))
        if self._stored is None:
            return
        self.query_one("#task").set_class(bool(self._trouble), "-gone")
        task = self._stored
        self.query_one("#fact-block", Block).tell([("Facts", "accent!")], _pairs(self._facts(task)))
        self.query_one("#times", Block).tell([("Times", "accent!")], _pairs(self._times(task)))
        headers = [(show.clean(name), [(show.clean(value), "")]) for name, value in sorted(task.headers.items())]
        self.query_one("#headers", Block).tell([("Headers", "accent!")], _pairs(headers))
        self._paint_texts(task)
        self.offer()

    def _paint_texts(self, task: TaskInfo) -> None:
        self._paint_bytes("#payload", "Payload", task.payload)
        if task.result is not None:
            self._paint_bytes("#result", "Result", task.result)
        else:
            self.query_one("#result", Block).tell([], [])
        ago = show.ago(task.last_failed_at, self.dash.now())
        heading: list[Piece] = [("Last error", "accent!"), (f"  {ago}", "dim")]
        self.query_one("#error", Block).tell(heading, [[(line, "bad")] for line in _text_lines(task.last_error)])
        lines: list[list[Piece]] = [
            [(line, "dim" if line.startswith("  File") else "")] for line in _text_lines(task.traceback)
        ]
        self.query_one("#traceback", Block).tell([("Traceback", "accent!")], lines)
        failed = [_attempt(each, self.dash.now()) for each in reversed(task.attempts)]
        self.query_one("#attempts", Block).tell([("Failed attempts", "accent!")], failed)

    def _paint_bytes(self, part: str, title: str, data: bytes) -> None:
        known = payloads.forms(data)
        form = known[self._form % len(known)]
        heading: list[Piece] = [(title, "accent!"), (f"  {form} · {show.size(len(data))}", "dim")]
        if len(known) > 1:
            heading.append((f" · x: {known[(self._form + 1) % len(known)]}", "dim"))
        self.query_one(part, Block).tell(heading, payloads.lines(data, form))

    def _trail(self) -> list[list[Piece]]:
        task = self._stored
        trail: list[Piece] = [("Queues › ", "dim"), (self.queue, ""), (" › ", "dim"), (self.task_id, "!")]
        if self._trouble:
            return [trail, [(self._trouble, "warn!")]]
        if task is None:
            return [trail, [("Reading …", "dim")]]
        line: list[Piece] = [
            (f"{SIGNS[task.state]} {task.state}", f"{task.state.value}!"),
            ("   ", ""),
            (show.clean(task.type), "!") if task.is_readable else ("its message cannot be read", "bad!"),
        ]
        if task.is_orphaned:
            line.append(("   its worker is lost; it is recovered soon", "bad!"))
        elif task.next_process_at and task.state in (TaskState.SCHEDULED, TaskState.RETRY):
            line.append((f"   runs {show.until(task.next_process_at, self.dash.now())}", "dim"))
        return [trail, line]

    def _facts(self, task: TaskInfo) -> list[tuple[str, list[Piece]]]:
        facts: list[tuple[str, list[Piece]]] = [
            ("id", [(show.clean(task.id), "!")]),
            ("type", [(show.clean(task.type), "accent")]),
            ("queue", [(show.clean(task.queue), "")]),
            ("tries", [(f"{task.retried} of {task.max_retry} retries", "warn" if task.retried else "")]),
            ("timeout", [(show.span(task.timeout) if task.timeout else show.NONE, "")]),
            ("retention", [(show.span(task.retention) if task.retention else show.NONE, "")]),
        ]
        if task.group:
            facts.append(("group", [(show.clean(task.group), "aggregating")]))
        if task.unique_key:
            facts.append(("unique", [(show.clean(task.unique_key), "dim")]))
        if task.crashes:
            facts.append(("crashes", [(f"lost with its worker {task.crashes} times", "bad")]))
        if task.progress is not None:
            bar = bars.meter(task.progress, 1, 12, "active")
            facts.append(("progress", [*bar, (f" {task.progress:.0%} {show.clean(task.progress_text)}", "")]))
        worker = self._attempts.worker(task) if task.state is TaskState.ACTIVE else None
        if worker is not None:
            facts.append(("server", [(self._attempts.place(task), "")]))
        return facts

    def _times(self, task: TaskInfo) -> list[tuple[str, list[Piece]]]:
        now, zone = self.dash.now(), self.dash.zone
        worker = self._attempts.worker(task) if task.state is TaskState.ACTIVE else None
        known = [
            ("pending since", task.pending_since),
            ("started", worker.started if worker else None),
            ("last failed", task.last_failed_at),
            ("archived", task.archived_at),
            ("completed", task.completed_at),
            ("progress told", task.progress_at),
            ("runs next", task.next_process_at if task.state is not TaskState.PENDING else None),
            ("deadline", (worker.deadline if worker else None) or task.deadline),
        ]
        moments = sorted((moment, name) for name, moment in known if moment is not None)
        return [
            (name, [(show.stamp(moment, zone), ""), (f"  {show.near(moment, now)}", "dim")]) for moment, name in moments
        ]

    def targets(self) -> list[TaskInfo]:
        """This one, while it is there."""
        return [self._stored] if self._stored is not None and not self._trouble else []

    def done_with(self, action: Action) -> None:
        """Where it is deleted there is nothing to see any more."""
        if action is Action.DELETE and self.is_current:
            self.action_leave()

    def action_form(self) -> None:
        """Show the bytes in the next form."""
        self._form += 1
        if self._stored is not None:
            self._paint_texts(self._stored)

    def action_scroll(self, by: int) -> None:
        """Scroll the long texts."""
        self.query_one("#texts").scroll_relative(y=by, animate=False)

    def action_copy_payload(self) -> None:
        """Put the payload on the clipboard, if it is text."""
        text = None if self._stored is None else show.readable(self._stored.payload)
        if text is None:
            self.notify("this payload is no text", severity="warning")
        else:
            self.app.copy_to_clipboard(text)
            self.notify("copied the payload")


def _pairs(facts: Sequence[tuple[str, Sequence[Piece]]]) -> list[list[Piece]]:
    width = max((len(name) for name, _ in facts), default=0)
    return [[(f"{name:<{width}}  ", "dim"), *value] for name, value in facts]


def _attempt(attempt: FailedAttempt, now: datetime) -> list[Piece]:
    ran = f" after {show.span(attempt.ran_for)}" if attempt.ran_for is not None else ""
    where = f" on {show.clean(attempt.worker)}" if attempt.worker else ""
    version = f" version {show.clean(attempt.app_version)}" if attempt.app_version else ""
    return [(f"{show.ago(attempt.failed_at, now)}{ran}{where}{version}  ", "dim"), (show.clean(attempt.error), "bad")]


def _text_lines(text: str) -> list[str]:
    return [payloads.show_controls(line.expandtabs(4)) for line in text.splitlines()]
