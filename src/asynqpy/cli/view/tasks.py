"""Tasks as text: a line in a list, or everything about one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from asynqpy.actions import Action, actions_in
from asynqpy.attempts import FailedAttempt
from asynqpy.cli.view.queues import Tabulate
from asynqpy.cli.view.table import Column
from asynqpy.cli.view.words import absolute, ago, data_line, data_lines, due, is_json_object, many_lines, one_line, span
from asynqpy.task import TaskInfo, TaskState


class Clock(NamedTuple):
    """How moments are told."""

    now: datetime
    utc: bool
    is_relative: bool
    """Whether what is past is told by how long ago it was."""

    def coming(self, moment: datetime | None) -> str:
        """A moment that is to come."""
        return absolute(moment, utc=True) if self.utc else due(moment, self.now)

    def past(self, moment: datetime | None) -> str:
        """A moment that was."""
        if self.is_relative and not self.utc:
            return ago(moment, self.now)
        return absolute(moment, utc=self.utc)

    def both(self, moment: datetime | None) -> str:
        """A moment by the clock, and how far away it is."""
        if moment is None:
            return "n/a"
        relative = due(moment, self.now) if moment > self.now else ago(moment, self.now)
        return f"{absolute(moment, utc=self.utc)} ({relative})"


Cell = Callable[[TaskInfo, Clock], str]

_ID = (Column("ID"), lambda info, clock: one_line(info.id))
_TYPE = (Column("Type", is_long=True), lambda info, clock: one_line(info.type) if info.is_readable else "(unreadable)")
_PAYLOAD = (Column("Payload", is_long=True, rank=5), lambda info, clock: data_line(info.payload))
_LAST_ERROR = (Column("Last Error", is_long=True), lambda info, clock: one_line(info.last_error))
_LAST_FAILED = (Column("Last Failed", rank=1), lambda info, clock: clock.past(info.last_failed_at))
_QUEUE = (Column("Queue", is_long=True), lambda info, clock: one_line(info.queue))
_STATE = (Column("State"), lambda info, clock: info.state + (" (orphaned)" if info.is_orphaned else ""))
_PROCESS_IN = (Column("Process In"), lambda info, clock: clock.coming(info.next_process_at))

_LISTS: Mapping[TaskState, Sequence[tuple[Column, Cell]]] = {
    TaskState.ACTIVE: (_ID, _TYPE, _PAYLOAD),
    TaskState.PENDING: (_ID, _TYPE, _PAYLOAD),
    TaskState.SCHEDULED: (_ID, _TYPE, _PAYLOAD, _PROCESS_IN),
    TaskState.RETRY: (
        _ID,
        _TYPE,
        _PAYLOAD,
        (Column("Next Retry", rank=2), lambda info, clock: clock.coming(info.next_process_at)),
        _LAST_ERROR,
        _LAST_FAILED,
        (Column("Retried", rank=3, is_number=True), lambda info, clock: str(info.retried)),
        (Column("Max Retry", rank=4, is_number=True), lambda info, clock: str(info.max_retry)),
    ),
    TaskState.ARCHIVED: (_ID, _TYPE, _PAYLOAD, _LAST_FAILED, _LAST_ERROR),
    TaskState.COMPLETED: (
        _ID,
        _TYPE,
        _PAYLOAD,
        (Column("CompletedAt", rank=1), lambda info, clock: clock.past(info.completed_at)),
        (Column("Result", is_long=True, rank=2), lambda info, clock: data_line(info.result or b"")),
    ),
    TaskState.AGGREGATING: (
        _ID,
        _TYPE,
        _PAYLOAD,
        (Column("Group", is_long=True), lambda info, clock: one_line(info.group)),
    ),
}

_FOUND: Sequence[tuple[Column, Cell]] = (_QUEUE, _STATE, _ID, _TYPE, _LAST_ERROR, _PAYLOAD)


def task_list(state: TaskState, infos: Sequence[TaskInfo], table: Tabulate, clock: Clock) -> list[str]:
    """A line for each task of a state."""
    return _list(_LISTS[state], infos, table, clock)


def found_list(infos: Sequence[TaskInfo], table: Tabulate, clock: Clock) -> list[str]:
    """A line for each task of whatever queue and state."""
    return _list(_FOUND, infos, table, clock)


def _list(cells: Sequence[tuple[Column, Cell]], infos: Sequence[TaskInfo], table: Tabulate, clock: Clock) -> list[str]:
    return table([column for column, _ in cells], [[cell(info, clock) for _, cell in cells] for info in infos])


def details(
    info: TaskInfo,
    clock: Clock,
    heading: Callable[[str], str],
    highlight: Callable[[str], str],
    *,
    width: int | None = None,
) -> Iterator[str]:
    """Everything about one task, and what can be done with it."""
    yield heading("Task Info")
    facts = [(name, value) for name, value in _facts(info, clock) if value]
    widest = max(len(name) for name, _ in facts)
    for name, value in facts:
        yield f"{name + ':':<{widest + 1}} {value}"
    for name, text in info.headers.items():
        yield f"{'Header:':<{widest + 1}} {one_line(name)}={one_line(text)}"
    for title, data in (("Payload", info.payload), ("Result", info.result or b"")):
        if data:
            lines = data_lines(data)
            yield from ("", heading(title), *(map(highlight, lines) if is_json_object(data) else lines))
    if info.last_failed_at is not None or info.last_error:
        yield from ("", heading("Last Failure"))
        if info.last_failed_at is not None:
            yield f"Failed at:     {clock.both(info.last_failed_at)}"
        yield f"Error message: {one_line(info.last_error)}"
        if info.traceback:
            yield from ("", *many_lines(info.traceback.rstrip()).split("\n"))
    if info.attempts:
        yield from ("", heading("Failed Attempts"))
        yield from (_attempt(each, clock) for each in reversed(info.attempts))
    yield ""
    yield from _what_can_be_done(info, heading, width)


def _attempt(attempt: FailedAttempt, clock: Clock) -> str:
    told = [clock.both(attempt.failed_at)]
    if attempt.worker:
        told.append(f"on {one_line(attempt.worker)}")
    if attempt.app_version:
        told.append(f"version {one_line(attempt.app_version)}")
    if attempt.ran_for is not None:
        told.append(f"after {attempt.ran_for.total_seconds():.3f} s")
    return f"{'  '.join(told)}  {one_line(attempt.error)}"


def _facts(info: TaskInfo, clock: Clock) -> Iterator[tuple[str, str]]:
    yield "Queue", one_line(info.queue)
    yield "ID", one_line(info.id)
    yield "Type", one_line(info.type) if info.is_readable else "unknown: its message cannot be read"
    yield "State", info.state + (" (its worker's lease has ended)" if info.is_orphaned else "")
    yield "Retried", f"{info.retried}/{info.max_retry}"
    yield "Next process time", _next(info, clock)
    yield "Pending since", clock.both(info.pending_since) if info.pending_since else ""
    yield "Progress", _progress(info, clock)
    yield "Completed at", clock.both(info.completed_at) if info.completed_at else ""
    yield "Archived at", clock.both(info.archived_at) if info.archived_at else ""
    yield "Timeout", span(info.timeout) if info.timeout else ""
    yield "Deadline", clock.both(info.deadline) if info.deadline else ""
    yield "Retention", span(info.retention) if info.retention else ""
    yield "Group", one_line(info.group)
    yield "Unique", "yes" if info.unique_key else ""
    yield "Lost with workers", f"{info.crashes} times" if info.crashes else ""


def _next(info: TaskInfo, clock: Clock) -> str:
    if info.next_process_at is None:
        return "n/a"
    if info.next_process_at - clock.now < timedelta(seconds=1):
        return "now"
    return clock.both(info.next_process_at)


def _progress(info: TaskInfo, clock: Clock) -> str:
    if info.progress is None:
        return ""
    told = f" {one_line(info.progress_text)}" if info.progress_text else ""
    return f"{info.progress:.0%}{told} ({ago(info.progress_at, clock.now)})"


_COMMANDS = {
    Action.RUN: "run it now",
    Action.ARCHIVE: "set it aside",
    Action.DELETE: "delete it",
    Action.CANCEL: "ask its worker to stop it",
    Action.EDIT: "change its payload",
    Action.AGAIN: "enqueue a copy of it",
}


def _what_can_be_done(info: TaskInfo, heading: Callable[[str], str], width: int | None) -> Iterator[str]:
    """The commands for this task, ready to be copied; what they do stands beside them where there is room."""
    yield heading("What can be done")
    commands = [
        (f"asynqpy task {action} -q {_quoted(info.queue)} {_quoted(info.id)}", _COMMANDS[action])
        for action in actions_in(info.state)
        if action in _COMMANDS
    ]
    widest = max(len(command) for command, _ in commands)
    has_room = width is None or widest + max(len(purpose) for _, purpose in commands) + 2 <= width
    for command, purpose in commands:
        yield f"{command:<{widest}}  {purpose}" if has_room else command


def _quoted(text: str) -> str:
    from shlex import quote

    return quote(one_line(text))
