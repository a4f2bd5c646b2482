"""Periodic tasks: when each runs next and ran last, and what it has enqueued."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from asynqpy.dash import show
from asynqpy.dash.chrome import Painted
from asynqpy.dash.columns import Column
from asynqpy.dash.palette import Piece
from asynqpy.dash.table import LiveTable
from asynqpy.dash.views.view import View
from asynqpy.inspection import SchedulerEntry, SchedulerEvent

_EVENTS = 50
"""Enqueues shown of one entry."""

_NEVER = datetime.max.replace(tzinfo=UTC)

EMPTY: Sequence[Sequence[Piece]] = (
    [("No scheduler is running.", "!")],
    [],
    [("Periodic tasks are registered with a Scheduler, in Python or Go.", "dim")],
)


class SchedulesView(View):
    """The page of the schedules."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "other", "Other table")]

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[SchedulerEntry] = []
        self._events: list[SchedulerEvent] = []
        self._events_of = ""

    def body(self) -> Iterable[Widget]:
        """The entries above, what the one under the cursor has enqueued below."""
        yield Painted(self._summary, classes="panel", id="summary")
        yield LiveTable(self._entry_columns(), lambda entry: entry.id, words=_entry_words, id="entries")
        yield Painted(self._heading, id="events-heading", classes="heading")
        yield LiveTable(self._event_columns(), lambda event: event.task_id, id="events")

    @property
    def entries(self) -> LiveTable[SchedulerEntry]:
        """The upper table."""
        return self.query_one("#entries", LiveTable)

    @property
    def events(self) -> LiveTable[SchedulerEvent]:
        """The lower table."""
        return self.query_one("#events", LiveTable)

    @property
    def table(self) -> LiveTable[SchedulerEntry] | LiveTable[SchedulerEvent]:
        """The one that has the keys."""
        return self.events if self.events.has_focus else self.entries

    def on_mount(self) -> None:
        """The keys are for the entries."""
        self.entries.focus()

    async def read(self) -> None:
        """All entries, and the latest enqueues of the one under the cursor."""
        self._entries = await self.inspector.scheduler_entries()
        known = {entry.id for entry in self._entries}
        row = self.entries.row
        wanted = row.id if row is not None and row.id in known else self._entries[0].id if self._entries else ""
        self._events = await self.inspector.scheduler_events(wanted, page_size=_EVENTS) if wanted else []
        self._events_of = wanted

    def paint(self) -> None:
        """Everything."""
        if self.dash.link.read_at is not None:
            self.entries.placeholder = EMPTY
        self.entries.show(self._entries, complete=True)
        row = self.entries.row
        is_read = row is None or row.id == self._events_of
        self.events.placeholder = [[("It has enqueued nothing yet." if row and is_read else "", "dim")]]
        self.events.show(self._events if is_read else [], complete=True)
        self.query_one("#summary", Painted).update()
        self.query_one("#events-heading", Painted).update()

    def on_live_table_pointed(self, event: LiveTable.Pointed) -> None:
        """Read what another entry has enqueued."""
        row = event.table.row
        if isinstance(row, SchedulerEntry) and row.id != self._events_of:
            self.read_soon()

    def on_live_table_opened(self, event: LiveTable.Opened) -> None:
        """From an entry to its enqueues, from one of these to the task."""
        row, entry = event.table.row, self.entries.row
        if isinstance(row, SchedulerEvent) and entry is not None:
            self.dash.open_task(entry.options.get("queue", "default"), row.task_id)
        elif self.events.rows:
            self.events.focus()

    def up(self) -> bool:
        """From the enqueues to the entries."""
        if not self.events.has_focus:
            return False
        self.entries.focus()
        return True

    def action_other(self) -> None:
        """The keys are for the other table."""
        (self.entries if self.events.has_focus else self.events).focus()

    def _summary(self, width: int) -> list[list[Piece]]:
        schedulers = len({entry.scheduler for entry in self._entries})
        due = [entry.next_enqueue_at for entry in self._entries if entry.next_enqueue_at is not None]
        head: list[Piece] = [
            (show.count(len(self._entries)), "!"),
            (f" periodic {show.noun(len(self._entries), 'task')}   ", "dim"),
            (show.count(schedulers), "!"),
            (f" {show.noun(schedulers, 'scheduler')}", "dim"),
        ]
        if due:
            head += [("   next ", "dim"), (show.until(min(due), self.dash.now()), "!")]
        return [head]

    def _heading(self, width: int) -> list[list[Piece]]:
        entry = self.entries.row
        if entry is None:
            return [[]]
        options = "  ".join(show.clean(text) for text in entry.option_texts)
        return [
            [
                ("Enqueued by ", "dim"),
                (show.clean(entry.spec), "!"),
                (f"   {show.clean(entry.task_type)}   ", "accent"),
                (options, "dim"),
            ]
        ]

    def _entry_columns(self) -> list[Column[SchedulerEntry]]:
        now = self.dash.now
        return [
            Column(
                title="Spec",
                cell=lambda entry, _: [(show.clean(entry.spec), "!")],
                width=15,
                grow=1,
                most=30,
                order=_spec,
            ),
            Column(
                title="Type",
                cell=lambda entry, _: [(show.clean(entry.task_type), "accent")],
                width=14,
                grow=2,
                most=30,
                order=lambda entry: entry.task_type,
            ),
            Column(
                title="Queue",
                cell=lambda entry, _: [(show.clean(entry.options.get("queue", "default")), "")],
                width=9,
                grow=1,
                most=20,
                rank=1,
                order=lambda entry: entry.options.get("queue", "default"),
            ),
            Column(
                title="Next",
                cell=lambda entry, _: [(show.until(entry.next_enqueue_at, now()), "scheduled")],
                width=12,
                right=True,
                order=lambda entry: entry.next_enqueue_at or _NEVER,
            ),
            Column(
                title="Last",
                cell=lambda entry, _: [(show.ago(entry.previous_enqueue_at, now()), "")],
                width=14,
                right=True,
                order=lambda entry: entry.previous_enqueue_at or _NEVER,
            ),
            Column(
                title="Payload",
                cell=lambda entry, _: [(show.line(entry.task_payload), "dim")],
                width=14,
                grow=3,
                rank=3,
            ),
            Column(
                title="Scheduler", cell=lambda entry, _: [(entry.scheduler, "dim")], width=14, grow=1, most=30, rank=4
            ),
        ]

    def _event_columns(self) -> list[Column[SchedulerEvent]]:
        return [
            Column(
                title="When",
                cell=lambda event, _: [(show.ago(event.enqueued_at, self.dash.now()), "")],
                width=14,
                right=True,
            ),
            Column(
                title="Moment",
                cell=lambda event, _: [(show.stamp(event.enqueued_at, self.dash.zone), "dim")],
                width=25,
                rank=1,
            ),
            Column(title="Task", cell=lambda event, _: [(show.clean(event.task_id), "accent")], width=20, grow=1),
        ]


def _spec(entry: SchedulerEntry) -> str:
    return entry.spec


def _entry_words(entry: SchedulerEntry) -> str:
    return f"{entry.id} {entry.spec} {entry.task_type} {' '.join(entry.option_texts)} {show.line(entry.task_payload)}"
