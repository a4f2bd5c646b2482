"""``asynqpy task run``, ``archive``, ``delete``, ``cancel``, and the same for all tasks of a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from asynqpy.actions import Action, must_confirm, states_of
from asynqpy.cli.failures import ExitCode, RefusedError
from asynqpy.cli.inspecting import AnyQueue, Group, Queue, State, act_on_each, inspecting
from asynqpy.cli.options import Asking, Telling, command
from asynqpy.cli.screen import Screen, screen
from asynqpy.cli.tasks.naming import Ids, OneId, find_each, named
from asynqpy.errors import QueryError
from asynqpy.task import TaskState

if TYPE_CHECKING:
    from asynqpy.inspector import Inspector

app = typer.Typer(add_completion=False)

DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Only tell how many there are.")]

_TOLD = {
    Action.RUN: "task {} is pending now",
    Action.ARCHIVE: "task {} is archived",
    Action.DELETE: "task {} is deleted",
    Action.CANCEL: "task {} was asked to stop",
}
_TOLD_OF_ALL = {
    Action.RUN: "are pending now",
    Action.ARCHIVE: "were archived",
    Action.DELETE: "were deleted",
}


@command(app, "run", cls=Telling)
def run(context: typer.Context, ids: Ids = None, *, queue: AnyQueue = None, one_id: OneId = None) -> None:
    """Run tasks now that are scheduled, retried, archived, completed or aggregating: they become pending."""
    shown, wanted = screen(context), named(ids, one_id)
    with inspecting(context) as inspector:
        _each(shown, Action.RUN, find_each(inspector, queue, wanted), inspector.run_task)


@command(app, "archive", cls=Telling)
def archive(context: typer.Context, ids: Ids = None, *, queue: AnyQueue = None, one_id: OneId = None) -> None:
    """Set tasks aside that do not run: nothing happens to them until somebody runs or deletes them."""
    shown, wanted = screen(context), named(ids, one_id)
    with inspecting(context) as inspector:
        _each(shown, Action.ARCHIVE, find_each(inspector, queue, wanted), inspector.archive_task)


@command(app, "delete", "rm", "remove", cls=Asking)
def delete(context: typer.Context, ids: Ids = None, *, queue: AnyQueue = None, one_id: OneId = None) -> None:
    """Delete tasks that do not run, and release the uniqueness locks that they hold."""
    shown, wanted = screen(context), named(ids, one_id)
    with inspecting(context) as inspector:
        tasks = find_each(inspector, queue, wanted)
        what = f"task {tasks[0][1]!r} of queue {tasks[0][0]!r}" if len(tasks) == 1 else f"{len(tasks):,} tasks"
        shown.confirm(f"Delete {what}?")
        _each(shown, Action.DELETE, tasks, inspector.delete_task)


@command(app, "cancel", cls=Telling)
def cancel(context: typer.Context, ids: Ids = None, *, queue: AnyQueue = None, one_id: OneId = None) -> None:
    """Ask the workers of running tasks to stop them. A task that ignores that goes on.

    A task that is stopped this way has failed, and is retried while it has retries left.
    """
    shown, wanted = screen(context), named(ids, one_id)
    with inspecting(context) as inspector:

        def act(where: str, task_id: str) -> None:
            state = inspector.task_info(where, task_id).state
            if state not in states_of(Action.CANCEL):
                raise RefusedError(
                    f"task {task_id!r} in queue {where!r} is {state}: only a running task can be cancelled",
                    ExitCode.FAILURE,
                )
            inspector.cancel_task(task_id)

        _each(shown, Action.CANCEL, find_each(inspector, queue, wanted), act)


def _each(shown: Screen, action: Action, tasks: list[tuple[str, str]], act: Callable[[str, str], None]) -> None:
    def acted(queue: str | None, task_id: str) -> str:
        act(queue or "", task_id)
        return _TOLD[action].format(repr(task_id))

    act_on_each(shown, action, tasks, acted)


@command(app, "runall", "run-all", cls=Telling)
def runall(context: typer.Context, queue: Queue, state: State, *, group: Group = None, dry_run: DryRun = False) -> None:
    """Run all tasks of a state now: scheduled, retry, archived, completed, or those of a group."""
    with inspecting(context) as inspector:
        _all(screen(context), inspector, Action.RUN, queue, state, group, dry_run=dry_run)


@command(app, "archiveall", "archive-all", cls=Asking)
def archiveall(
    context: typer.Context, queue: Queue, state: State, *, group: Group = None, dry_run: DryRun = False
) -> None:
    """Archive all tasks of a state: pending, scheduled, retry, completed, or those of a group.

    An archive keeps 10,000 tasks for 90 days: beyond that the oldest are dropped.
    """
    with inspecting(context) as inspector:
        _all(screen(context), inspector, Action.ARCHIVE, queue, state, group, dry_run=dry_run)


@command(app, "deleteall", "delete-all", cls=Asking)
def deleteall(
    context: typer.Context, queue: Queue, state: State, *, group: Group = None, dry_run: DryRun = False
) -> None:
    """Delete all tasks of a state that does not run: pending, scheduled, retry, archived, completed, or of a group."""
    with inspecting(context) as inspector:
        _all(screen(context), inspector, Action.DELETE, queue, state, group, dry_run=dry_run)


def _all(
    shown: Screen,
    inspector: Inspector,
    action: Action,
    queue: str,
    state: TaskState,
    group: str | None,
    *,
    dry_run: bool,
) -> None:
    from asynqpy.cli.progress import progress
    from asynqpy.cli.view.words import counted

    allowed = states_of(action, of_all=True)
    if state not in allowed:
        raise QueryError(f"cannot {action} all {state} tasks: --state is one of {', '.join(allowed)}")
    total = count_of(inspector, queue, state, group)
    where = f"group {group!r} of queue {queue!r}" if group else f"queue {queue!r}"
    if not dry_run and total and must_confirm(action, of_all=True):
        shown.confirm(f"{action.capitalize()} {counted(total, f'{state} task')} of {where}?")
    count = total
    if not dry_run:
        act = {
            Action.RUN: inspector.run_all,
            Action.ARCHIVE: inspector.archive_all,
            Action.DELETE: inspector.delete_all,
        }
        with progress(f"{action} {state}", "handled") as on_progress:
            count = act[action](queue, state, group=group, on_progress=on_progress)
    told = f"{counted(count, f'{state} task')} of {where}"
    _tell(shown, action, queue, state, group, count, told, dry_run=dry_run)


def _tell(
    shown: Screen,
    action: Action,
    queue: str,
    state: TaskState,
    group: str | None,
    count: int,
    told: str,
    *,
    dry_run: bool,
) -> None:
    if shown.as_json:
        from asynqpy.cli import documents

        shown.print_json(
            documents.Bulk(action=action, queue=queue, state=state, group=group, count=count, is_dry_run=dry_run)
        )
    elif dry_run:
        shown.print([f"would {action} {told}"])
    else:
        shown.print([f"{told} {_TOLD_OF_ALL[action] if count != 1 else _one(action)}"])


def _one(action: Action) -> str:
    return _TOLD_OF_ALL[action].replace("are ", "is ").replace("were ", "was ")


def count_of(inspector: Inspector, queue: str, state: TaskState, group: str | None) -> int:
    """How many tasks of a state, or of a group, there are.

    Raises:
        QueryError: a group is missing or too much.
    """
    if state is TaskState.AGGREGATING and not group:
        raise QueryError("aggregating tasks are in groups: name one with --group; `asynqpy group ls` lists them")
    if group and state is not TaskState.AGGREGATING:
        raise QueryError(f"only aggregating tasks are in groups: leave out --group, or --state {state}")
    if group:
        return next((each.size for each in inspector.groups(queue) if each.group == group), 0)
    count: int = getattr(inspector.queue_info(queue, memory=False), state)
    return count
