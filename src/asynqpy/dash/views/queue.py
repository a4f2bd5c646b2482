"""One queue: its numbers, its states, and the tasks of one of them, page by page."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, ClassVar

from textual import events, work
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from asynqpy.actions import Action, is_allowed
from asynqpy.dash import bars, show
from asynqpy.dash.acting import TaskActing
from asynqpy.dash.chrome import Painted
from asynqpy.dash.columns import Column
from asynqpy.dash.palette import ORDER, SIGNS, Piece
from asynqpy.dash.pausing import ask_and_pause
from asynqpy.dash.table import LiveTable
from asynqpy.dash.task_columns import Running, columns_of
from asynqpy.errors import QueueNotFoundError
from asynqpy.inspection import GroupInfo, QueueInfo
from asynqpy.task import TaskInfo, TaskState

_MEMORY_AGE = 15.0

_EMPTY: dict[TaskState, str] = {
    TaskState.ACTIVE: "Nothing runs right now.",
    TaskState.PENDING: "Nothing waits to run: the workers keep up.",
    TaskState.AGGREGATING: "No group has tasks in it.",
    TaskState.SCHEDULED: "Nothing is scheduled for later.",
    TaskState.RETRY: "Nothing waits for another attempt.",
    TaskState.ARCHIVED: "Nothing has failed for good.",
    TaskState.COMPLETED: "No completed task is kept. Tasks with a retention are, for so long.",
}


_NAMES = {state: state.value.capitalize() for state in ORDER}


class StateTabs(Painted):
    """The states with their counts, the one that is shown set off."""

    DEFAULT_CSS = "StateTabs { height: 1; }"

    def __init__(self, view: QueueView) -> None:
        super().__init__(self._line, id="states")
        self._view = view
        self._places: list[tuple[int, int, TaskState]] = []

    def _line(self, width: int) -> list[list[Piece]]:
        for number, names in ((show.count, _NAMES), (show.short_count, bars.SHORT_NAMES), (show.short_count, {})):
            pieces: list[Piece] = []
            self._places, at = [], 0
            for state in ORDER:
                held, is_shown = self._view.count(state), state is self._view.state
                name = f" {_NAMES[state]}" if is_shown else f" {names[state]}" if names else ""
                label = f" {SIGNS[state]}{name} {number(held)} "
                style = f"{state.value}!" if is_shown else state.value if held else "dim"
                left, right = ("▐", "▌") if is_shown else ("", "")
                pieces += [(left, style), (label, style), (right, style)]
                length = len(label) + len(left) + len(right)
                self._places.append((at, at + length, state))
                at += length
            if at <= width:
                break
        return [pieces]

    def on_click(self, event: events.Click) -> None:
        """Show the state that was clicked."""
        for start, end, state in self._places:
            if start <= event.x < end:
                self._view.go_to(state)


class QueueView(TaskActing):
    """The page of one queue."""

    CHANGES: ClassVar[frozenset[str]] = TaskActing.CHANGES | {"pause"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "state(-1)", "State before", show=False),
        Binding("right,l", "state(1)", "Next state", show=False),
        Binding("n", "turn(1)", "Next page", show=False),
        Binding("p", "turn(-1)", "Page before", show=False),
        Binding("o", "order", "Other end first", show=False),
        Binding("R", "act_on_all('run')", "Run all of the state", show=False),
        Binding("A", "act_on_all('archive')", "Archive all of the state", show=False),
        Binding("D", "act_on_all('delete')", "Delete all of the state", show=False),
        Binding("C", "act_on_all('cancel')", "Cancel all that run", show=False),
        Binding("P", "pause", "Pause or resume", show=False),
    ]

    def __init__(self, queue: str) -> None:
        super().__init__()
        self.queue = queue
        self.state = TaskState.ACTIVE
        """The state that is shown."""
        self.group: str | None = None
        """The group whose tasks are shown."""
        self.page = 1
        self._is_chosen = False
        self._descending = False
        self._info: QueueInfo | None = None
        self._memory: tuple[float, int | None] = (0.0, None)
        self._attempts = Running()
        self._tasks: list[TaskInfo] = []
        self._groups: list[GroupInfo] = []
        self._is_gone = False
        self._read_size = 20
        """How long the page is that was read."""

    def body(self) -> Iterable[Widget]:
        """The numbers, the states, and the tasks or groups."""
        yield Painted(self._summary, id="summary", classes="panel")
        yield StateTabs(self)
        with ContentSwitcher(initial="tasks"):
            yield LiveTable(self._task_columns(), _task_key, words=_task_words, choosing=True, id="tasks")
            yield LiveTable(_group_columns(), lambda group: group.group, id="groups")
        yield Painted(self._foot, id="foot")

    @property
    def table(self) -> LiveTable[Any]:
        """The tasks, or the groups."""
        return self.query_one("#groups" if self._shows_groups else "#tasks", LiveTable)

    @property
    def _shows_groups(self) -> bool:
        return self.state is TaskState.AGGREGATING and self.group is None

    def on_mount(self) -> None:
        """The keys are for the table."""
        self.table.focus()

    def on_live_table_resized(self, event: LiveTable.Resized) -> None:
        """A page is what finds room."""
        if self._info is not None and self._page_size != self._read_size:
            self.page = max(1, ((self.page - 1) * self._read_size) // self._page_size + 1)
            self.read_soon()

    def count(self, state: TaskState) -> int:
        """How many tasks are in a state, as far as is known."""
        return int(getattr(self._info, state.value)) if self._info else 0

    @property
    def total(self) -> int:
        """How many tasks there are to turn pages through."""
        if self.group is not None:
            return next((group.size for group in self._groups if group.group == self.group), 0)
        return self.count(self.state)

    @property
    def _page_size(self) -> int:
        return max(5, min(self.query_one("#tasks", LiveTable).room, 200)) if self.size.height else 20

    # Reading

    async def read(self) -> None:
        """The numbers of the queue, and one page."""
        inspector, stale = self.inspector, time.monotonic() - _MEMORY_AGE
        try:
            info = await inspector.queue_info(self.queue, memory=self._memory[0] < stale)
        except QueueNotFoundError:
            self._is_gone, self._info, self._tasks, self._groups = True, None, [], []
            return
        self._is_gone = False
        if self._memory[0] < stale:
            self._memory = (time.monotonic(), info.memory_usage)
        self._info = info
        self.dash.trends.add(info)
        if not self._is_chosen:
            self._is_chosen = True
            self._show_state(next((state for state in ORDER if self.count(state)), TaskState.ACTIVE))
        await self._read_page()

    async def _read_page(self) -> None:
        while True:
            question = (self.state, self.group, self.page, self._page_size, self._descending)
            if self.state is TaskState.AGGREGATING:
                self._groups = await self.inspector.groups(self.queue)
            self.page = max(1, min(self.page, self._pages))
            tasks: list[TaskInfo] = []
            if not self._shows_groups:
                tasks = await self.inspector.list_tasks(
                    self.queue,
                    self.state,
                    group=self.group,
                    page=self.page,
                    page_size=self._page_size,
                    descending=self._descending,
                )
            if self.state is TaskState.ACTIVE:
                self._attempts = Running(await self.inspector.servers())
            if question[:2] == (self.state, self.group) and question[3:] == (self._page_size, self._descending):
                self._tasks, self._read_size = tasks, question[3]
                return

    @property
    def _pages(self) -> int:
        return max(1, -(-self.total // self._page_size))

    def paint(self) -> None:
        """Everything."""
        self.query_one(ContentSwitcher).current = "groups" if self._shows_groups else "tasks"
        table = self.table
        if self.count_read or self._info or self._is_gone:
            table.placeholder = self._placeholder()
        table.show(self._groups if self._shows_groups else self._tasks, complete=self._shows_groups)
        for part in ("#summary", "#states", "#foot"):
            self.query_one(part, Painted).update()
        self.offer()

    def _placeholder(self) -> list[list[Piece]]:
        if self._is_gone:
            return [[(f"There is no queue {self.queue!r}: it was deleted, or never had a task.", "warn")]]
        if self._info is None:
            return [[("No data yet.", "dim")]]
        return [[(_EMPTY[self.state], "dim")]]

    def _summary(self, width: int) -> list[list[Piece]]:
        info, trend = self._info, self.dash.trends[self.queue]
        head: list[Piece] = [("Queues › ", "dim"), (self.queue, "!")]
        if self.group is not None:
            head += [(" › group ", "dim"), (self.group, "!")]
        if info is None:
            return [head]
        if info.paused:
            head.append(("   ‖ paused (P resumes)", "warn!"))
        facts: list[Piece] = []
        gap, done = ("   ", "done today") if width >= 100 else ("  ", "done")
        for value, name, style in (
            (show.count(info.size), show.noun(info.size, "task"), "!"),
            (show.span(info.latency), "latency", "!"),
            (show.size(self._memory[1]), "memory", "!"),
            (show.count(info.processed), done, "!"),
            (
                show.count(info.failed),
                f"failed ({show.share(info.failed, info.processed)})",
                "bad!" if info.failed else "!",
            ),
            *([(show.count(info.groups), show.noun(info.groups, "group"), "!")] if info.groups else []),
        ):
            facts += [(value, style), (f" {name}{gap}", "dim")]
        bar = bars.states_bar(bars.counts_of(info), width, signs=self.app.no_color)
        lines = [head, facts, bar]
        if self.size.height >= 30:
            lines += [[], *bars.charts(trend.done, trend.failed, width)]
        return lines

    def _foot(self, width: int) -> list[list[Piece]]:
        table = self.table
        shown = len(table.rows)
        if self._shows_groups:
            pieces: list[Piece] = [
                (f"{show.count(len(self._groups))} {show.noun(len(self._groups), 'group')}", "dim"),
                (" · Enter opens one", "dim"),
            ]
            return [pieces]
        if not shown and not table.read:
            return [[]]
        first = (self.page - 1) * self._read_size + 1
        pieces = [
            (f"{show.count(first)}–{show.count(first + table.read - 1)}", "!"),
            (f" of {show.count(max(self.total, first + table.read - 1))}", "dim"),
        ]
        if self._pages > 1:
            pieces.append((f" · page {show.count(self.page)}/{show.count(self._pages)} (n p)", "dim"))
        if self._descending:
            pieces.append((" · other end first (o)", "dim"))
        if table.needle:
            pieces.append((f" · {shown} with {table.needle!r} on this page; f looks everywhere", "accent"))
        if table.sorted_by:
            pieces.append((f" · this page by {table.sorted_by.lower()}", "dim"))
        if table.chosen:
            pieces.append((f" · {show.count(len(table.chosen))} marked", "accent!"))
        return [pieces]

    # Going about

    def _show_state(self, state: TaskState, group: str | None = None) -> None:
        self.state, self.group, self.page, self._tasks = state, group, 1, []
        table = self.query_one("#tasks", LiveTable)
        table.change(self._task_columns())
        self.query_one(ContentSwitcher).current = "groups" if self._shows_groups else "tasks"
        self.table.focus()
        self.query_one("#states", Painted).update()
        self.read_soon()

    def go_to(self, state: TaskState, group: str | None = None) -> None:
        """Show another state, or a group, from its first page on."""
        self._is_chosen = True
        if (state, group) != (self.state, self.group):
            self._show_state(state, group)
            self.paint_soon()

    def paint_soon(self) -> None:
        """Show the new place before it was read."""
        self.query_one("#summary", Painted).update()
        self.query_one("#foot", Painted).update()

    def up(self) -> bool:
        """From the tasks of a group to the groups."""
        if self.group is None:
            return False
        group = self.group
        self.go_to(TaskState.AGGREGATING)
        self.table.point_at(group)
        return True

    def action_state(self, by: int) -> None:
        """Show the state on the left or right; it goes round."""
        self.go_to(ORDER[(ORDER.index(self.state) + by) % len(ORDER)])

    def action_turn(self, by: int) -> None:
        """Turn to another page, if there is one."""
        page = max(1, min(self.page + by, self._pages))
        if page != self.page and not self._shows_groups:
            self.page = page
            self.table.turn()
            self.read_soon()

    def action_order(self) -> None:
        """Begin at the other end."""
        self._descending = not self._descending
        self.page = 1
        self.table.turn()
        self.read_soon()

    def on_live_table_opened(self, event: LiveTable.Opened) -> None:
        """Open a group, or a task."""
        row = event.table.row
        if isinstance(row, GroupInfo):
            self.go_to(TaskState.AGGREGATING, row.group)
        elif isinstance(row, TaskInfo):
            self.dash.open_task(row.queue, row.id)

    def on_live_table_changed(self, event: LiveTable.Changed) -> None:
        """Other rows are marked."""
        self.query_one("#foot", Painted).update()
        self.offer()

    def on_live_table_pointed(self, event: LiveTable.Pointed) -> None:
        """Other actions may be possible."""
        self.offer()

    # Doing

    def targets(self) -> list[TaskInfo]:
        """The marked tasks, or that under the cursor."""
        return [] if self._shows_groups else list(self.table.targets)

    def done_with(self, action: Action) -> None:
        """What was marked is elsewhere now."""
        self.query_one("#tasks", LiveTable).clear_choice()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """All of a state: what can be done there."""
        if action == "act_on_all" and parameters and not self.dash.read_only:
            wanted = Action(str(parameters[0]))
            return not self._shows_groups and is_allowed(wanted, self.state, of_all=wanted is not Action.CANCEL)
        return super().check_action(action, parameters)

    def action_act_on_all(self, name: str) -> None:
        """Do something to everything in this state, or in this group."""
        if self.total:
            self.act_on_everything(Action(name), self.queue, self.state, self.group, self.total)

    @work
    async def action_pause(self) -> None:
        """Pause this queue, or resume it."""
        if self._info is not None:
            await ask_and_pause(self, [self.queue], resume=self._info.paused)

    def _task_columns(self) -> list[Column[TaskInfo]]:
        return columns_of(self.state, self.dash.now, lambda: self._attempts)


def _task_key(task: TaskInfo) -> str:
    return task.id


def _task_words(task: TaskInfo) -> str:
    return f"{task.id} {task.type} {task.last_error} {show.line(task.payload)} {show.line(task.result)}"


def _group_columns() -> list[Column[GroupInfo]]:
    return [
        Column(
            title="Group", cell=lambda group, _: [(group.group, "!")], width=20, grow=1, order=lambda group: group.group
        ),
        Column(
            title="Tasks",
            cell=lambda group, _: [(show.count(group.size), "aggregating")],
            width=10,
            right=True,
            order=lambda group: group.size,
            largest_first=True,
        ),
    ]
