"""Taking the tasks of one queue to another, state by state."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asynqpy.actions import Action, is_allowed
from asynqpy.cli import documents
from asynqpy.cli.failures import DoneInPartError, ExitCode
from asynqpy.cli.progress import progress
from asynqpy.cli.screen import Screen
from asynqpy.cli.view.words import counted, one_line
from asynqpy.errors import QueryError
from asynqpy.task import TaskState

if TYPE_CHECKING:
    from asynqpy.inspection import MoveReport
    from asynqpy.inspector import Inspector

DEFAULT_STATES = (TaskState.SCHEDULED, TaskState.RETRY, TaskState.AGGREGATING, TaskState.PENDING)
"""Pending ones last: what falls due meanwhile comes along."""

_TOLD = 20
"""Tasks that stayed and are told one by one."""


def move(
    screen: Screen,
    inspector: Inspector,
    source: str,
    target: str,
    states: Sequence[TaskState] | None,
    *,
    dry_run: bool,
) -> None:
    """Take the tasks of *source* in *states* to *target*.

    Raises:
        QueryError: it is the same queue, or tasks of one of the states cannot be moved.
        DoneInPartError: some tasks stayed.
    """
    wanted = states or DEFAULT_STATES
    for state in wanted:
        if not is_allowed(Action.MOVE, state, of_all=True):
            raise QueryError(f"{state} tasks cannot be moved")
    if source == target:
        raise QueryError(f"the tasks are in queue {source!r} already: name another one")
    done = [
        _one(screen, inspector, source, target, state, group, dry_run=dry_run)
        for state in wanted
        for group in _groups(inspector, source, state)
    ]
    if screen.as_json:
        screen.print_json(documents.Moves(queue=source, to_queue=target, is_dry_run=dry_run, moves=done))
    stayed, moved = sum(each.stayed for each in done), sum(each.count for each in done)
    if not moved and not stayed and not screen.as_json:
        screen.print([f"nothing to move in queue {source!r}"])
    if stayed:
        code = ExitCode.PARTLY if moved else ExitCode.FAILURE
        raise DoneInPartError(f"{counted(stayed, 'task')} stayed in queue {source!r}", code)


def _groups(inspector: Inspector, queue: str, state: TaskState) -> list[str | None]:
    if state is TaskState.AGGREGATING:
        return [each.group for each in inspector.groups(queue)]
    return [None] if getattr(inspector.queue_info(queue, memory=False), state) else []


def _one(
    screen: Screen,
    inspector: Inspector,
    source: str,
    target: str,
    state: TaskState,
    group: str | None,
    *,
    dry_run: bool,
) -> documents.Move:
    what = f"{state} task" if group is None else f"task of group {one_line(group)!r}"
    if dry_run:
        info = inspector.queue_info(source, memory=False)
        sizes = {each.group: each.size for each in inspector.groups(source)} if group else {}
        count = sizes.get(group or "", 0) if group else getattr(info, state)
        if not screen.as_json:
            screen.print([f"would move {_counted(count, what)} from queue {source!r} to {target!r}"])
        return documents.Move(state=state, group=group, count=count, stayed=0, tasks_stayed=[])
    with progress(f"moving {state}", "moved") as on_progress:
        report = inspector.move_all(source, state, target, group=group, on_progress=on_progress)
    if not screen.as_json:
        screen.print([f"{_counted(report.moved, what)} moved from queue {source!r} to {target!r}"])
        _tell_stayed(report)
    stayed = [documents.Stayed(task_id=each.task_id, reason=each.reason) for each in report.tasks_stayed]
    return documents.Move(state=state, group=group, count=report.moved, stayed=report.stayed, tasks_stayed=stayed)


def _counted(count: int, what: str) -> str:
    noun, _, rest = what.partition(" of ")
    return f"{counted(count, noun)}{' of ' + rest if rest else ''}"


def _tell_stayed(report: MoveReport) -> None:
    for each in report.tasks_stayed[:_TOLD]:
        print(f"asynqpy: {each.task_id}: {each.reason}", file=sys.stderr)
    if report.stayed > _TOLD:
        print(f"asynqpy: … and {report.stayed - _TOLD:,} more", file=sys.stderr)
