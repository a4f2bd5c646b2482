"""Finding tasks in all queues and states: what is found appears while the search goes on, and it can be stopped."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from asynqpy.actions import Action
from asynqpy.dash import bars, show
from asynqpy.dash.acting import TaskActing
from asynqpy.dash.chrome import Painted
from asynqpy.dash.palette import Piece
from asynqpy.dash.query import Query, parse
from asynqpy.dash.table import LiveTable
from asynqpy.dash.task_columns import found_columns
from asynqpy.errors import AsynqpyError
from asynqpy.inspector import AsyncTaskSearch
from asynqpy.task import TaskInfo

LIMIT = 500
"""Tasks found at most: more than anybody looks through."""

_SHOWN_EVERY = 25

HELP: Sequence[Sequence[Piece]] = (
    [("Find tasks in all queues and states", "!")],
    [],
    [("an id, or part of a payload        ", "accent"), ("7b9f…  or  user_id", "dim")],
    [("type:email:*                       ", "accent"), ("types by a pattern ", "dim")],
    [("error:timeout  payload:42          ", "accent"), ("parts of texts     ", "dim")],
    [("header:tenant=acme  field:user.id=7", "accent"), ("headers, payloads  ", "dim")],
    [("queue:low  state:retry  group:g1   ", "accent"), ("where to look      ", "dim")],
    [],
    [("all that is given must hold · Enter starts", "dim")],
)


class SearchView(TaskActing):
    """The page of the search."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "query", "Change the query"),
    ]

    def __init__(self, queue: str = "") -> None:
        super().__init__()
        self._start = f"queue:{queue} " if queue else ""
        self._hunt: AsyncTaskSearch | None = None
        self._found: dict[tuple[str, str], TaskInfo] = {}
        self._is_busy = False
        self._trouble = ""

    def body(self) -> Iterable[Widget]:
        """What is looked for, how far that is, what was found."""
        yield Input(
            self._start, placeholder="type:email:*  error:timeout  …", id="query", compact=True, select_on_focus=False
        )
        yield Painted(self._status, id="status", classes="panel")
        yield LiveTable(found_columns(self.dash.now), _key, words=_words, choosing=True, id="found")

    @property
    def table(self) -> LiveTable[TaskInfo]:
        """What was found."""
        return self.query_one("#found", LiveTable)

    def on_mount(self) -> None:
        """Type at once."""
        self.table.placeholder = HELP
        self.query_one("#query", Input).focus()
        self.set_interval(0.2, self.query_one("#status", Painted).update)  # it counts on while nothing is found

    async def read(self) -> None:
        """Nothing by itself: a search is read once. What was found is looked at again when something was done to it."""
        await self.inspector.ping()

    def paint(self) -> None:
        """What was found so far."""
        self.table.show(self._found.values(), complete=True)
        self.query_one("#status", Painted).update()
        self.offer()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Start the search."""
        if event.input.id != "query":
            return
        try:
            query = parse(event.value)
        except ValueError as error:
            self._trouble = str(error)
            self.query_one("#status", Painted).update()
            return
        if query.is_empty:
            return
        self._found, self._trouble, self._hunt = {}, "", None
        self.table.start_over()
        self.table.placeholder = [[("Searching …", "dim")]]
        self.table.focus()
        self.run_worker(self._search(query), group="search", exclusive=True)

    async def _search(self, query: Query) -> None:
        self._is_busy = True
        try:
            for search in self._searches(query):
                await self._take_in(search)
                if self._found:
                    break
        except AsynqpyError as error:
            self._trouble = str(error)
        finally:
            self._is_busy = False
        self.table.placeholder = [[("Nothing was found.", "!")], [], [("i changes the query", "dim")]]
        self.paint()

    def _searches(self, query: Query) -> Iterable[AsyncTaskSearch]:
        """The searches to make until one finds something: words may be an id, which costs nothing to look up."""
        find = functools.partial(
            self.inspector.find_tasks,
            queues=query.queues or None,
            states=query.states or None,
            type=query.type,
            error=query.error,
            group=query.group,
            headers=query.headers,
            payload_fields=query.fields,
            limit=LIMIT,
        )
        if query.words and not (query.ids or query.payload):
            yield find(ids=[query.words])
        yield find(
            ids=query.ids or None,
            payload=query.payload or (query.words if not query.ids else None) or None,
        )

    async def _take_in(self, search: AsyncTaskSearch) -> None:
        self._hunt = search
        async for task in search:
            self._found[task.queue, task.id] = task
            if len(self._found) % _SHOWN_EVERY == 1:
                self.paint()

    def _status(self, width: int) -> list[list[Piece]]:
        if self._trouble:
            return [[(show.clean(self._trouble), "bad")], []]
        if self._hunt is None:
            return [[], []]
        coverage = self._hunt.coverage
        line: list[Piece] = [(show.count(len(self._found)), "!"), (" found", "dim")]
        if coverage.total:
            total = max(coverage.total, coverage.scanned)  # more may have come meanwhile
            line.append((f" · looked at {show.count(coverage.scanned)} of {show.count(total)} tasks", "dim"))
        if self._is_busy:
            line.append((" · Esc stops", "accent"))
        elif len(self._found) >= LIMIT:
            line.append((f" · the first {LIMIT}: ask for less", "warn"))
        elif not coverage.is_complete:
            line.append((" · stopped", "warn"))
        bar = bars.meter(coverage.scanned, coverage.total, width, "accent") if self._is_busy and coverage.total else []
        return [line, bar]

    def up(self) -> bool:
        """Stop the search; from what is typed to what was found."""
        if self._is_busy:
            self.workers.cancel_group(self, "search")
            self._is_busy = False
            return True
        if self.query_one("#query").has_focus and self._found:
            self.table.focus()
            return True
        return False

    def action_query(self) -> None:
        """Type another query."""
        self.query_one("#query").focus()

    def on_live_table_opened(self, event: LiveTable.Opened) -> None:
        """Open a task."""
        row = event.table.row
        if isinstance(row, TaskInfo):
            self.dash.open_task(row.queue, row.id)

    def on_live_table_changed(self, event: LiveTable.Changed) -> None:
        """Other actions may be possible."""
        self.offer()

    def on_live_table_pointed(self, event: LiveTable.Pointed) -> None:
        """The same."""
        self.offer()

    def targets(self) -> list[TaskInfo]:
        """The marked tasks, or that under the cursor."""
        return list(self.table.targets)

    def done_with(self, action: Action) -> None:
        """Look again at what something was done to."""
        tasks = self.targets()
        self.table.clear_choice()
        self.run_worker(self._look_again(tasks), group="again")

    async def _look_again(self, tasks: list[TaskInfo]) -> None:
        for task in tasks:
            self._found.pop((task.queue, task.id), None)
        try:
            async for task in self.inspector.find_tasks(ids=[task.id for task in tasks]):
                self._found[task.queue, task.id] = task
        except AsynqpyError as error:
            self._trouble = str(error)
        self.paint()


def _key(task: TaskInfo) -> str:
    return f"{task.queue}\n{task.id}"


def _words(task: TaskInfo) -> str:
    return f"{task.id} {task.type} {task.queue} {task.state} {task.last_error} {show.line(task.payload)}"
