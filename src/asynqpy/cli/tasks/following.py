"""``asynqpy task wait`` and ``watch``: be there when a task ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from asynqpy.cli.failures import RefusedError
from asynqpy.cli.inspecting import AnyQueue, inspecting
from asynqpy.cli.options import Streaming, Telling, command, duration_option
from asynqpy.cli.screen import Screen, screen
from asynqpy.cli.tasks.naming import Ids, OneId, find_each, named
from asynqpy.task import TaskState

if TYPE_CHECKING:
    from asynqpy.inspector import Inspector
    from asynqpy.task import Progress, TaskInfo

app = typer.Typer(add_completion=False)

Timeout = Annotated[
    timedelta | None, duration_option("--timeout", show_default="for ever", help="Give up after so long.")
]

_ENDS = (TaskState.COMPLETED, TaskState.ARCHIVED)


@command(app, "wait", cls=Telling)
def wait(
    context: typer.Context,
    ids: Ids = None,
    *,
    queue: AnyQueue = None,
    one_id: OneId = None,
    timeout: Timeout = None,
) -> None:
    """Wait until a task has succeeded, and print its result as it is.

    Exit code 0: succeeded. 1: failed for good. 4: it is gone, and its result with it: enqueue with --retention what is
    waited for. 124: not in time; it goes on.
    """
    from asynqpy.client import Client

    shown, wanted = screen(context), named(ids, one_id)
    if len(wanted) > 1:
        raise RefusedError("one task is waited for at a time")
    with inspecting(context) as inspector:
        ((where, task_id),) = find_each(inspector, queue, wanted)
        with Client(context.obj.redis()) as client:
            result = client.wait(task_id, queue=where, timeout=timeout, on_progress=_teller(shown))
        if shown.as_json:
            from asynqpy.cli import documents

            shown.print_json(documents.task(inspector.task_info(where, task_id)))
        elif result:
            sys.stdout.flush()
            sys.stdout.buffer.write(result + (b"\n" if shown.is_terminal else b""))
            sys.stdout.buffer.flush()


def _teller(shown: Screen) -> Callable[[Progress], None] | None:
    if not sys.stderr.isatty():
        return None

    from asynqpy.cli.view.words import one_line

    return lambda progress: shown.note(f"{progress.fraction:.0%} {one_line(progress.text)}".rstrip())


@command(app, "watch", cls=Streaming)
def watch(
    context: typer.Context,
    ids: Ids = None,
    *,
    queue: AnyQueue = None,
    one_id: OneId = None,
    timeout: Timeout = None,
    interval: Annotated[
        float, typer.Option("--interval", metavar="SECONDS", min=0.05, help="How often to look.")
    ] = 0.5,
) -> None:
    """Tell a line for everything that happens to a task, until it is completed, archived or gone.

    With --json each line is the task as it is then.
    """
    shown, wanted = screen(context), named(ids, one_id)
    if len(wanted) > 1:
        raise RefusedError("one task is watched at a time; asynqpy dash shows them all")
    ends_at = None if timeout is None else time.monotonic() + timeout.total_seconds()
    with inspecting(context) as inspector:
        ((where, task_id),) = find_each(inspector, queue, wanted)
        _watch(shown, inspector, where, task_id, interval, ends_at)


def _watch(
    shown: Screen, inspector: Inspector, queue: str, task_id: str, interval: float, ends_at: float | None
) -> None:
    from asynqpy.cli.failures import ExitCode
    from asynqpy.errors import TaskNotFoundError

    last = ""
    while True:
        try:
            info = inspector.task_info(queue, task_id)
        except TaskNotFoundError:
            if not last:
                raise
            if not shown.as_json:
                shown.print([f"{_time(shown)}  gone: it has succeeded and was not kept, or was deleted"])
            return
        line = _line(info)
        if line != last:
            _tell(shown, info, line)
            last = line
        if info.state in _ENDS:
            return
        if ends_at is not None and time.monotonic() >= ends_at:
            raise RefusedError(f"task {task_id!r} has not ended in time; it goes on", ExitCode.TIMEOUT)
        time.sleep(interval)


def _tell(shown: Screen, info: TaskInfo, line: str) -> None:
    if shown.as_json:
        from asynqpy.cli import documents

        shown.print_json(documents.task(info))
    else:
        shown.print([f"{_time(shown)}  {line}"])


def _time(shown: Screen) -> str:
    from datetime import UTC, datetime

    moment = datetime.now(UTC) if shown.utc else datetime.now().astimezone()
    return f"{moment:%H:%M:%S}{'Z' if shown.utc else ''}"


def _line(info: TaskInfo) -> str:
    """What is worth a line when it changes."""
    from asynqpy.cli.view.words import data_line, one_line

    parts = [info.state.value]
    if info.retried:
        parts.append(f"retried {info.retried}/{info.max_retry}")
    if info.state is TaskState.ACTIVE and info.progress is not None:
        parts.append(f"{info.progress:.0%} {one_line(info.progress_text)}".rstrip())
    if info.state in (TaskState.RETRY, TaskState.ARCHIVED) and info.last_error:
        parts.append(one_line(info.last_error))
    if info.state is TaskState.COMPLETED and info.result:
        parts.append(data_line(info.result))
    return "  ".join(parts)
