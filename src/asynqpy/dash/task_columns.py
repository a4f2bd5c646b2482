"""What the tables of tasks show: other columns for each state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from asynqpy.dash import bars, show
from asynqpy.dash.columns import Column
from asynqpy.dash.palette import SIGNS, Piece
from asynqpy.inspection import ServerInfo, WorkerInfo
from asynqpy.task import TaskInfo, TaskState

Now = Callable[[], datetime]
"""Tells the present moment."""

_NEVER = datetime.max.replace(tzinfo=UTC)


class Running:
    """Who runs what, as the servers tell."""

    def __init__(self, servers: Sequence[ServerInfo] = ()) -> None:
        self._of: Mapping[tuple[str, str], tuple[WorkerInfo, ServerInfo]] = {
            (worker.queue, worker.task_id): (worker, server) for server in servers for worker in server.active_workers
        }

    def worker(self, task: TaskInfo) -> WorkerInfo | None:
        """The attempt that runs."""
        found = self._of.get((task.queue, task.id))
        return found[0] if found else None

    def place(self, task: TaskInfo) -> str:
        """The server that runs it: ``host:pid``."""
        found = self._of.get((task.queue, task.id))
        return f"{found[1].host}:{found[1].pid}" if found else ""


def columns_of(state: TaskState, now: Now, running: Callable[[], Running]) -> list[Column[TaskInfo]]:
    """The columns of a table with tasks in *state*."""
    match state:
        case TaskState.ACTIVE:
            special = _of_active(now, running)
        case TaskState.PENDING:
            special = [_retried(), _moment("Waiting", lambda task: task.pending_since, now, show_since)]
        case TaskState.SCHEDULED:
            special = [_moment("Due", lambda task: task.next_process_at, now, show.until)]
        case TaskState.RETRY:
            special = [
                _retried(),
                _moment("Next try", lambda task: task.next_process_at, now, show.until),
                _moment("Failed", lambda task: task.last_failed_at, now, show.ago, rank=2),
                _error(),
            ]
        case TaskState.ARCHIVED:
            archived = _moment("Archived", lambda task: task.archived_at or task.last_failed_at, now, show.ago)
            special = [_retried(), archived, _error()]
        case TaskState.COMPLETED:
            special = [
                _moment("Completed", lambda task: task.completed_at, now, show.ago),
                _moment("Kept", _kept_until, now, show.until, rank=3),
                _text("Result", lambda task: show.line(task.result), 10, grow=3, rank=4),
            ]
        case TaskState.AGGREGATING:
            special = []
    return [_id(), _type(), *special, _payload()]


def found_columns(now: Now) -> list[Column[TaskInfo]]:
    """The columns for tasks of all queues and states."""
    return [
        Column(
            title="State",
            cell=lambda task, width: [(f"{SIGNS[task.state]} ", task.state.value), (task.state.value, "")],
            width=11,
            order=lambda task: task.state.value,
        ),
        _text("Queue", lambda task: task.queue, 8, grow=1, most=24, order=lambda task: task.queue),
        _id(),
        _type(),
        _moment("When", moment_of, now, show.near, rank=3),
        _error(rank=4),
        _payload(),
    ]


def moment_of(task: TaskInfo) -> datetime | None:
    """The moment that matters most: when it runs, was archived, completed, or became pending."""
    if task.state in (TaskState.SCHEDULED, TaskState.RETRY):
        return task.next_process_at
    return task.archived_at or task.completed_at or task.pending_since


def show_since(moment: datetime | None, now: datetime) -> str:
    """For how long."""
    return show.NONE if moment is None else show.span(timedelta(seconds=max(0, round((now - moment).total_seconds()))))


def _kept_until(task: TaskInfo) -> datetime | None:
    try:
        return task.completed_at + task.retention if task.completed_at else None
    except OverflowError:
        return _NEVER


def _of_active(now: Now, running: Callable[[], Running]) -> list[Column[TaskInfo]]:
    def started(task: TaskInfo) -> datetime | None:
        worker = running().worker(task)
        return worker.started if worker else None

    def deadline(task: TaskInfo) -> datetime | None:
        worker = running().worker(task)
        return worker.deadline if worker else task.deadline

    def status(task: TaskInfo, width: int) -> list[Piece]:
        if task.is_orphaned:
            return [("orphaned", "bad!")]
        if task.progress is None:
            return [("running", "active")]
        percent = f" {task.progress:.0%}"
        return [*bars.meter(task.progress, 1, max(1, width - len(percent)), "active"), (percent, "")]

    return [
        Column(title="Progress", cell=status, width=10, grow=1, most=20, order=lambda task: task.progress or 0.0),
        _moment("Running", started, now, show_since),
        _moment("Deadline", deadline, now, show.until, rank=3),
        _text("Server", lambda task: running().place(task), 12, grow=1, most=24, rank=5),
    ]


def _text(
    title: str,
    text: Callable[[TaskInfo], str],
    width: int,
    *,
    grow: int = 0,
    most: int = 10_000,
    rank: int = 0,
    style: str = "",
    order: Callable[[TaskInfo], str] | None = None,
) -> Column[TaskInfo]:
    return Column(
        title=title,
        cell=lambda task, _: [(text(task), style)],
        width=width,
        grow=grow,
        most=most,
        rank=rank,
        order=order,
    )


def _id() -> Column[TaskInfo]:
    return _text("ID", lambda task: show.clean(task.id), 10, grow=2, most=36, order=lambda task: task.id)


def _type() -> Column[TaskInfo]:
    return Column(
        title="Type",
        cell=lambda task, _: [(show.clean(task.type), "accent") if task.is_readable else ("unreadable", "bad!")],
        width=12,
        grow=2,
        most=30,
        order=lambda task: task.type,
    )


def _payload() -> Column[TaskInfo]:
    return _text("Payload", lambda task: show.line(task.payload), 12, grow=4, rank=6, style="dim")


def _error(rank: int = 0) -> Column[TaskInfo]:
    return _text(
        "Error", lambda task: show.clean(task.last_error), 14, grow=4, rank=rank, style="bad", order=_last_error
    )


def _last_error(task: TaskInfo) -> str:
    return task.last_error


def _retried() -> Column[TaskInfo]:
    return Column(
        title="Tries",
        cell=lambda task, _: [(f"{task.retried}/{task.max_retry}", "warn" if task.retried else "dim")],
        width=6,
        right=True,
        rank=4,
        order=lambda task: task.retried,
        largest_first=True,
    )


def _moment(
    title: str,
    moment: Callable[[TaskInfo], datetime | None],
    now: Now,
    words: Callable[[datetime | None, datetime], str],
    *,
    rank: int = 0,
) -> Column[TaskInfo]:
    return Column(
        title=title,
        cell=lambda task, _: [(words(moment(task), now()), "")],
        width=13 if words is not show_since else 8,
        rank=rank,
        right=True,
        order=lambda task: moment(task) or _NEVER,
    )
