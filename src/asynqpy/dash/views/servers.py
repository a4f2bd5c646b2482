"""The worker servers, and what each of them runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from textual import work
from textual.binding import Binding, BindingType
from textual.widget import Widget

from asynqpy.dash import bars, show
from asynqpy.dash.chrome import Painted
from asynqpy.dash.columns import Column
from asynqpy.dash.dialogs import Confirm
from asynqpy.dash.palette import Piece
from asynqpy.dash.table import LiveTable
from asynqpy.dash.task_columns import show_since
from asynqpy.dash.views.view import View
from asynqpy.inspection import ServerInfo, WorkerInfo

EMPTY: Sequence[Sequence[Piece]] = (
    [("No worker is running.", "!")],
    [],
    [("Tasks wait until one does:", "dim")],
    [("asynqpy worker tasks:mux --queue critical=6 --queue default=3", "accent")],
)


class Run(NamedTuple):
    """One running attempt, and where."""

    worker: WorkerInfo
    server: ServerInfo


class ServersView(View):
    """The page of the servers."""

    CHANGES: ClassVar[frozenset[str]] = frozenset({"cancel"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "other", "Other table"),
        Binding("c", "cancel", "Cancel"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._servers: list[ServerInfo] = []

    def body(self) -> Iterable[Widget]:
        """The servers above, what the one under the cursor runs below."""
        yield Painted(self._summary, classes="panel", id="summary")
        yield LiveTable(self._server_columns(), lambda server: server.id, words=_server_words, id="servers")
        yield Painted(self._heading, id="runs-heading", classes="heading")
        yield LiveTable(self._run_columns(), _run_key, words=_run_words, choosing=True, id="runs")

    @property
    def servers(self) -> LiveTable[ServerInfo]:
        """The upper table."""
        return self.query_one("#servers", LiveTable)

    @property
    def runs(self) -> LiveTable[Run]:
        """The lower table."""
        return self.query_one("#runs", LiveTable)

    @property
    def table(self) -> LiveTable[ServerInfo] | LiveTable[Run]:
        """The one that has the keys."""
        return self.runs if self.runs.has_focus else self.servers

    def on_mount(self) -> None:
        """The keys are for the servers."""
        self.servers.focus()

    async def read(self) -> None:
        """All servers with all that they run."""
        self._servers = await self.inspector.servers()

    def paint(self) -> None:
        """Everything."""
        if self.dash.link.read_at is not None:
            self.servers.placeholder = EMPTY
        self.servers.show(self._servers, complete=True)
        self._paint_runs()
        self.query_one("#summary", Painted).update()

    def _paint_runs(self) -> None:
        server = self.servers.row
        self.runs.placeholder = [[("It runs nothing right now." if server else "", "dim")]]
        self.runs.show([Run(worker, server) for worker in server.active_workers] if server else [], complete=True)
        self.query_one("#runs-heading", Painted).update()
        self.offer()

    def _summary(self, width: int) -> list[list[Piece]]:
        busy = sum(len(server.active_workers) for server in self._servers)
        slots = sum(server.concurrency for server in self._servers)
        head: list[Piece] = [
            (show.count(len(self._servers)), "!"),
            (f" {show.noun(len(self._servers), 'server')}   ", "dim"),
            (f"{show.count(busy)}/{show.count(slots)}", "!"),
            (" slots busy", "dim"),
        ]
        return [head, bars.meter(busy, slots, width, "active")]

    def _heading(self, width: int) -> list[list[Piece]]:
        server = self.servers.row
        if server is None:
            return [[]]
        count = len(server.active_workers)
        words = f"   {show.count(count)} {show.noun(count, 'task')}"
        if server.app_version is not None:
            words += f"   version {show.clean(server.app_version)}"
        return [[("Running on ", "dim"), (f"{server.host}:{server.pid}", "!"), (words, "dim")]]

    def _server_columns(self) -> list[Column[ServerInfo]]:
        return [
            Column(title="Server", cell=_server_name, width=16, grow=2, most=40, order=lambda server: server.host),
            Column(title="Status", cell=_status, width=9, order=lambda server: server.status),
            Column(title="Busy", cell=_busy, width=18, grow=2, most=40, order=_load, largest_first=True),
            Column(title="Queues by weight", cell=_queues, width=16, grow=4),
            Column(
                title="Up",
                cell=lambda server, _: [(show_since(server.started, self.dash.now()), "")],
                width=9,
                right=True,
                order=lambda server: server.started,
            ),
        ]

    def _run_columns(self) -> list[Column[Run]]:
        return [
            Column(title="ID", cell=lambda run, _: [(show.clean(run.worker.task_id), "")], width=12, grow=2, most=36),
            Column(
                title="Type",
                cell=lambda run, _: [(show.clean(run.worker.task_type), "accent")],
                width=12,
                grow=2,
                most=30,
                order=lambda run: run.worker.task_type,
            ),
            Column(title="Queue", cell=lambda run, _: [(run.worker.queue, "")], width=10, most=24, grow=1),
            Column(
                title="Running",
                cell=lambda run, _: [(show_since(run.worker.started, self.dash.now()), "active")],
                width=8,
                right=True,
                order=lambda run: run.worker.started,
            ),
            Column(
                title="Deadline",
                cell=lambda run, _: [(show.until(run.worker.deadline, self.dash.now()), "")],
                width=12,
                right=True,
                rank=2,
            ),
            Column(title="Payload", cell=_run_payload, width=12, grow=4, rank=1),
        ]

    def on_live_table_pointed(self, event: LiveTable.Pointed) -> None:
        """Show what another server runs."""
        if event.table.id == "servers":
            self._paint_runs()

    def on_live_table_opened(self, event: LiveTable.Opened) -> None:
        """From a server to its tasks, from a task to its page."""
        row = event.table.row
        if isinstance(row, Run):
            self.dash.open_task(row.worker.queue, row.worker.task_id)
        elif self.runs.rows:
            self.runs.focus()

    def up(self) -> bool:
        """From the tasks to the servers."""
        if not self.runs.has_focus:
            return False
        self.servers.focus()
        return True

    def action_other(self) -> None:
        """The keys are for the other table."""
        (self.servers if self.runs.has_focus else self.runs).focus()

    @work
    async def action_cancel(self) -> None:
        """Tell the workers to stop the marked tasks, or that under the cursor."""
        runs = self.runs.targets
        if not runs:
            return
        what = f"{runs[0].worker.task_type} {runs[0].worker.task_id}" if len(runs) == 1 else f"{len(runs)} tasks"
        details = ["What is stopped is tried again later."]
        if not await self.app.push_screen_wait(Confirm(f"Cancel {what}?", details, "Cancel")):
            return

        async def cancel() -> None:
            for run in runs:
                await self.inspector.cancel_task(run.worker.task_id)

        await self.attempt(cancel, lambda _: f"{what} told to stop")
        self.runs.clear_choice()


def _run_key(run: Run) -> str:
    return f"{run.worker.queue}\n{run.worker.task_id}"


def _run_words(run: Run) -> str:
    worker = run.worker
    return f"{worker.task_id} {worker.task_type} {worker.queue} {show.line(worker.task_payload)}"


def _server_words(server: ServerInfo) -> str:
    return f"{server.host}:{server.pid} {server.status} {' '.join(server.queues)}"


def _server_name(server: ServerInfo, width: int) -> Sequence[Piece]:
    return [(f"{server.host}:{server.pid}", "!")]


def _status(server: ServerInfo, width: int) -> Sequence[Piece]:
    style = {"active": "good", "stopped": "warn"}.get(server.status, "dim")
    return [("● " if server.status == "active" else "○ ", style), (server.status, style)]


def _load(server: ServerInfo) -> float:
    return len(server.active_workers) / max(1, server.concurrency)


def _busy(server: ServerInfo, width: int) -> Sequence[Piece]:
    busy = len(server.active_workers)
    text = f" {busy}/{server.concurrency}"
    return [*bars.meter(busy, server.concurrency, max(1, width - len(text)), "active"), (text, "")]


def _queues(server: ServerInfo, width: int) -> Sequence[Piece]:
    pieces: list[Piece] = [("strict  ", "warn")] if server.strict_priority else []
    for name, weight in sorted(server.queues.items(), key=lambda pair: (-pair[1], pair[0])):
        pieces += [(name, ""), (f" {weight}  ", "dim")]
    return pieces


def _run_payload(run: Run, width: int) -> Sequence[Piece]:
    return [(show.line(run.worker.task_payload), "dim")]
