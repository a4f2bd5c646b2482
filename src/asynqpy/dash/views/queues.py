"""All queues: what is in them, how fast it moves, what fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.widget import Widget

from asynqpy.dash import bars, show
from asynqpy.dash.chrome import Painted
from asynqpy.dash.columns import Column
from asynqpy.dash.dialogs import Confirm
from asynqpy.dash.palette import ORDER, Piece
from asynqpy.dash.pausing import ask_and_pause
from asynqpy.dash.table import LiveTable
from asynqpy.dash.trends import Trend
from asynqpy.dash.views.queue import QueueView
from asynqpy.dash.views.view import View
from asynqpy.errors import QueueNotFoundError
from asynqpy.inspection import QueueInfo
from asynqpy.task import TaskState

_MEMORY_AGE = 10.0
"""Seconds after which the memory of a queue is looked at again."""

_MEMORY_AT_ONCE = 8
"""Queues whose memory is looked at in one reading: for each of them more than a hundred keys are asked about."""

EMPTY: Sequence[Sequence[Piece]] = (
    [("There are no queues yet.", "!")],
    [],
    [("A queue comes into being with its first task, from Python or Go:", "dim")],
    [("asynqpy enqueue email:welcome --payload '{\"user_id\": 42}'", "accent")],
)


class QueuesView(View):
    """The start page."""

    CHANGES: ClassVar[frozenset[str]] = frozenset({"pause", "delete"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("P", "pause", "Pause or resume"),
        Binding("D", "delete", "Delete the queue", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._infos: list[QueueInfo] = []
        self._memory: dict[str, tuple[float, int | None]] = {}

    def body(self) -> Iterable[Widget]:
        """A summary, and a row for each queue."""
        yield Painted(self._summary, id="summary", classes="panel")
        yield LiveTable(self._columns(), lambda info: info.queue, choosing=True, id="queues")

    @property
    def table(self) -> LiveTable[QueueInfo]:
        """The queues."""
        return self.query_one("#queues", LiveTable)

    def on_mount(self) -> None:
        """The keys are for the table."""
        self.table.focus()

    async def read(self) -> None:
        """All numbers in a few round trips; memory for some of the rows that can be seen, and not often."""
        inspector = self.inspector
        self._infos = await inspector.queue_infos(memory=False)
        self.dash.trends.add_all(self._infos, self.dash.now())
        if not self.table.shows("Memory"):
            return
        self.paint()  # so that the rows on the screen are known, and nobody waits for what comes now
        stale = time.monotonic() - _MEMORY_AGE
        wanted = [info.queue for info in self.table.on_screen if self._memory.get(info.queue, (0.0,))[0] < stale]
        try:
            found = await inspector.queue_infos(wanted[:_MEMORY_AT_ONCE], memory=True) if wanted else []
        except QueueNotFoundError:
            return  # it was deleted just now
        self._memory |= {info.queue: (time.monotonic(), info.memory_usage) for info in found}

    def paint(self) -> None:
        """Everything."""
        table = self.table
        if self.dash.link.read_at is not None or self._infos:
            table.placeholder = EMPTY
        table.show(self._infos, complete=True)
        self.query_one("#summary", Painted).update()

    def _summary(self, width: int) -> list[list[Piece]]:
        infos, total = self._infos, self.dash.trends.total
        counts = {state: sum(getattr(info, state.value) for info in infos) for state in ORDER}
        paused = sum(info.paused for info in infos)
        processed, failed = sum(info.processed for info in infos), sum(info.failed for info in infos)
        head: list[Piece] = [
            (show.count(len(infos)), "!"),
            (f" {show.noun(len(infos), 'queue')}   ", "dim"),
            (show.count(sum(counts.values())), "!"),
            (f" {show.noun(sum(counts.values()), 'task')}   ", "dim"),
            (show.count(processed), "!"),
            (" done today   ", "dim"),
            (show.count(failed), "bad!" if failed else "!"),
            (f" failed ({show.share(failed, processed)})", "dim"),
        ]
        if paused:
            head.append((f"   ‖ {paused} paused", "warn!"))
        bar = bars.states_bar(counts, width, signs=self.app.no_color)
        return [head, bar, bars.legend(counts, width), [], *bars.charts(total.done, total.failed, width)]

    def _columns(self) -> list[Column[QueueInfo]]:
        return [
            Column(title="Queue", cell=_name, width=12, grow=3, most=32, order=lambda info: info.queue),
            _number("Size", lambda info: info.size, 7, style="!"),
            Column(title="States", cell=self._bar, width=12, grow=4, most=40),
            *(
                _number(state.value.capitalize(), _held(state), 9, rank=rank, style=state.value)
                for state, rank in _RANKS
            ),
            Column(
                title="Latency",
                cell=lambda info, _: [(show.span(info.latency), _urgency(info))],
                width=8,
                right=True,
                order=lambda info: info.latency,
                largest_first=True,
            ),
            Column(
                title="Done/s",
                cell=lambda info, _: [(show.rate(self._trend(info).done_now), "")],
                width=6,
                right=True,
                order=lambda info: self._trend(info).done_now or 0.0,
                largest_first=True,
            ),
            Column(
                title="",
                cell=lambda info, width: bars.sparkline(self._trend(info).done, width, "completed"),
                width=8,
                grow=3,
                most=24,
            ),
            Column(
                title="Failed/s",
                cell=lambda info, _: [
                    (show.rate(self._trend(info).failed_now), "bad" if self._trend(info).failed_now else "dim")
                ],
                width=8,
                right=True,
                order=lambda info: self._trend(info).failed_now or 0.0,
                largest_first=True,
            ),
            Column(
                title="",
                cell=lambda info, width: bars.sparkline(self._trend(info).failed, width, "bad"),
                width=6,
                grow=1,
                most=12,
                rank=3,
            ),
            Column(
                title="Errors",
                cell=lambda info, _: [(show.share(info.failed, info.processed), "bad" if info.failed else "dim")],
                width=6,
                right=True,
                rank=4,
                order=lambda info: info.failed / info.processed if info.processed else 0.0,
                largest_first=True,
            ),
            Column(title="Memory", cell=self._memory_of, width=8, right=True, rank=2),
        ]

    def _trend(self, info: QueueInfo) -> Trend:
        return self.dash.trends[info.queue]

    def _bar(self, info: QueueInfo, width: int) -> list[Piece]:
        return bars.states_bar(bars.counts_of(info), width, signs=self.app.no_color, block="▆")

    def _memory_of(self, info: QueueInfo, width: int) -> list[Piece]:
        known = self._memory.get(info.queue)
        return [("…" if known is None else show.size(known[1]), "dim")]

    def on_live_table_opened(self, event: LiveTable.Opened) -> None:
        """Open the queue."""
        row = event.table.row
        if isinstance(row, QueueInfo):
            self.app.push_screen(QueueView(row.queue))

    @work
    async def action_pause(self) -> None:
        """Pause the marked queues, or resume them if they all are."""
        infos = self.table.targets
        if infos:
            await ask_and_pause(self, [info.queue for info in infos], resume=all(info.paused for info in infos))
            self.table.clear_choice()

    @work
    async def action_delete(self) -> None:
        """Delete the queue under the cursor with all that is in it."""
        info = self.table.row
        if info is None:
            return
        details = ["Its tasks, counters and locks go with it. Nothing brings them back."]
        if info.size:
            details.append(f"It holds {show.count(info.size)} tasks.")
        question = Confirm(f"Delete queue {info.queue!r}?", details, "Delete", is_final=True, typed=info.queue)
        if not await self.app.push_screen_wait(question):
            return
        delete = lambda: self.inspector.delete_queue(info.queue, force=True)  # noqa: E731
        await self.attempt(delete, lambda _: f"queue {info.queue!r} is gone")


_RANKS = (
    (TaskState.ACTIVE, 8),
    (TaskState.PENDING, 7),
    (TaskState.RETRY, 6),
    (TaskState.ARCHIVED, 5),
)


def _held(state: TaskState) -> Callable[[QueueInfo], int]:
    return lambda info: getattr(info, state.value)


def _name(info: QueueInfo, width: int) -> list[Piece]:
    return [("‖ ", "warn!"), (info.queue, "warn")] if info.paused else [(info.queue, "!")]


def _number(
    title: str, number: Callable[[QueueInfo], int], width: int, *, rank: int = 0, style: str = ""
) -> Column[QueueInfo]:
    return Column(
        title=title,
        cell=lambda info, cells: [(_fitting(number(info), cells), style if number(info) else "dim")],
        width=width,
        right=True,
        rank=rank,
        order=number,
        largest_first=True,
    )


def _fitting(number: int, width: int) -> str:
    text = show.count(number)
    return text if len(text) <= width else show.short_count(number)


def _urgency(info: QueueInfo) -> str:
    seconds = info.latency.total_seconds()
    return "dim" if seconds < 1 else "" if seconds < 60 else "warn" if seconds < 600 else "bad"
