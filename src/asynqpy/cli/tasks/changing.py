"""``asynqpy task edit``, ``reschedule``, ``again`` and ``enqueue``: change a task, or make another."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asynqpy.actions import Action, states_of
from asynqpy.cli import enqueue as one
from asynqpy.cli import values
from asynqpy.cli.failures import ExitCode, RefusedError
from asynqpy.cli.inspecting import AnyQueue, inspecting
from asynqpy.cli.options import Telling, command, duration_option, moment_option
from asynqpy.cli.screen import Screen, screen
from asynqpy.cli.tasks.naming import Ids, OneId, find_each, named
from asynqpy.errors import PayloadChangedError

if TYPE_CHECKING:
    from asynqpy.inspector import Inspector
    from asynqpy.task import TaskInfo

app = typer.Typer(add_completion=False)


@command(app, "edit", cls=Telling)
def edit(
    context: typer.Context,
    ids: Ids = None,
    *,
    queue: AnyQueue = None,
    one_id: OneId = None,
    payload: Annotated[
        str | None,
        typer.Option(
            "--payload",
            "-l",
            metavar="PAYLOAD",
            show_default=False,
            help="The new payload, without an editor; - for standard input, @FILE for a file.",
        ),
    ] = None,
) -> None:
    """Change the payload of a task that waits or is archived, in the editor of VISUAL or EDITOR.

    JSON is opened with indentation, must be JSON again, and is stored without. Nothing is stored when nothing was
    changed, or when somebody else has changed the task meanwhile.
    """
    shown, wanted = screen(context), named(ids, one_id)
    if len(wanted) > 1:
        raise RefusedError("one task is edited at a time")
    with inspecting(context) as inspector:
        ((where, task_id),) = find_each(inspector, queue, wanted)
        info = inspector.task_info(where, task_id)
        _check(info)
        new = _edited(info) if payload is None else _given(payload, info)
        if new == info.payload:
            raise RefusedError("nothing was changed", ExitCode.OK)
        try:
            inspector.update_payload(where, task_id, new, expected=info.payload)
        except PayloadChangedError:
            raise RefusedError(
                f"task {task_id!r} was changed by somebody else meanwhile: edit it again", ExitCode.FAILURE
            ) from None
        _tell(shown, inspector.task_info(where, task_id), f"task {task_id!r} has a new payload")


def _check(info: TaskInfo) -> None:
    allowed = states_of(Action.EDIT)
    if info.state not in allowed:
        raise RefusedError(
            f"task {info.id!r} in queue {info.queue!r} is {info.state}: its payload could be changed only if it were"
            f" {', '.join(allowed[:-1])} or {allowed[-1]}",
            ExitCode.FAILURE,
        )
    if not info.is_readable:
        raise RefusedError(f"the message of task {info.id!r} cannot be read", ExitCode.FAILURE)


def _given(text: str, info: TaskInfo) -> bytes:
    """The payload on the line; in place of JSON it must be JSON."""
    from asynqpy.cli.view.words import is_json

    try:
        new = values.payload(text) or b""
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--payload") from None
    if is_json(info.payload) and not is_json(new):
        raise RefusedError("the payload was JSON, and the new one is not")
    return new


def _edited(info: TaskInfo) -> bytes:
    """What the person made of the payload."""
    import msgspec

    from asynqpy.cli.view.words import is_json, is_text

    if not is_text(info.payload):
        raise RefusedError("the payload is no text: give another one with --payload @FILE", ExitCode.FAILURE)
    was_json = is_json(info.payload)
    shown = msgspec.json.format(info.payload, indent=2) if was_json else info.payload
    text = shown
    while True:
        text = _in_editor(text, ".json" if was_json else ".txt")
        if text.rstrip(b"\n") == shown.rstrip(b"\n"):
            return info.payload
        if not was_json:
            return text if info.payload.endswith(b"\n") else text.removesuffix(b"\n")
        if is_json(text):
            # Without blanks, unless it came with some: `msgspec` copies numbers as they are written.
            compact = msgspec.json.format(text, indent=-1)
            return text if info.payload == shown else compact
        if not sys.stdin.isatty():
            raise RefusedError("this is no JSON, and the payload was: nothing was stored")
        sys.stderr.write("This is no JSON, and the payload was. Edit it again? [Y/n] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() in ("n", "no"):
            raise RefusedError("nothing was stored", ExitCode.FAILURE)


def _in_editor(text: bytes, suffix: str) -> bytes:
    """*text* after the editor has ended."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="asynqpy-") as folder:  # only this person may enter it
        path = Path(folder) / f"payload{suffix}"
        path.write_bytes(text if text.endswith(b"\n") else text + b"\n")
        try:
            ended = subprocess.run([*editor, str(path)], check=False).returncode
        except OSError as error:
            raise RefusedError(f"the editor does not start: {error}; set EDITOR, or use --payload") from None
        if ended:
            raise RefusedError(f"the editor ended with code {ended}: nothing was stored", ExitCode.FAILURE)
        return path.read_bytes()


@command(app, "reschedule", cls=Telling)
def reschedule(
    context: typer.Context,
    ids: Ids = None,
    *,
    queue: AnyQueue = None,
    one_id: OneId = None,
    in_: one.In = None,
    at: one.At = None,
) -> None:
    """Let tasks that are scheduled, or to be retried, wait for another moment: --in a while, or --at a moment."""
    from asynqpy.cli.inspecting import act_on_each
    from asynqpy.cli.view.words import absolute

    shown, wanted = screen(context), named(ids, one_id)
    if (in_ is None) == (at is None):
        raise RefusedError("say for when: --in 2h or --at 2026-01-31T18:30, one of the two")

    def act(where: str | None, task_id: str) -> str:
        inspector.reschedule_task(where or "", task_id, process_in=in_, process_at=at)
        due = inspector.task_info(where or "", task_id).next_process_at
        return f"task {task_id!r} in queue {where!r} waits until {absolute(due)}"

    with inspecting(context) as inspector:
        act_on_each(shown, "reschedule", find_each(inspector, queue, wanted), act)


@command(app, "again", cls=Telling)
def again(
    context: typer.Context,
    ids: Ids = None,
    *,
    queue: AnyQueue = None,
    one_id: OneId = None,
    payload: Annotated[
        str | None,
        typer.Option(
            "--payload",
            "-l",
            metavar="PAYLOAD",
            show_default=False,
            help="Another payload; - or @FILE, as for enqueue.",
        ),
    ] = None,
    to_queue: Annotated[
        str | None, typer.Option("--to", metavar="QUEUE", show_default=False, help="Another queue.")
    ] = None,
) -> None:
    """Enqueue copies of completed or archived tasks under new ids; the tasks themselves stay as they are."""
    from asynqpy.cli.inspecting import act_on_each

    shown, wanted = screen(context), named(ids, one_id)
    try:
        new = values.payload(payload)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--payload") from None
    with inspecting(context) as inspector:
        tasks = find_each(inspector, queue, wanted)
        if len(tasks) == 1:
            copy = inspector.enqueue_again(*tasks[0], new, to_queue=to_queue)
            _tell(shown, copy, f"task {tasks[0][1]!r} is enqueued again as {copy.id!r} in queue {copy.queue!r}")
            return
        act_on_each(shown, Action.AGAIN, tasks, lambda where, name: _again(inspector, where or "", name, new, to_queue))


def _again(inspector: Inspector, queue: str, task_id: str, payload: bytes | None, to_queue: str | None) -> str:
    copy = inspector.enqueue_again(queue, task_id, payload, to_queue=to_queue)
    return f"task {task_id!r} is enqueued again as {copy.id!r} in queue {copy.queue!r}"


def _tell(shown: Screen, info: TaskInfo, told: str) -> None:
    if shown.as_json:
        from asynqpy.cli import documents

        shown.print_json(documents.task(info))
    else:
        shown.print([told])


@command(app, "enqueue", cls=Telling)
def enqueue(
    context: typer.Context,
    task_type: Annotated[
        str | None, typer.Argument(metavar="TYPE", show_default=False, help="What kind of task: email:welcome.")
    ] = None,
    payload: one.Payload = None,
    *,
    queue: one.Queue = None,
    task_id: one.Id = None,
    in_: one.In = None,
    at: one.At = None,
    max_retry: one.MaxRetry = None,
    timeout: one.Timeout = None,
    deadline: one.Deadline = None,
    unique: one.Unique = None,
    retention: one.Retention = None,
    group: one.Group = None,
    header: one.Headers = None,
    type_name: Annotated[str | None, typer.Option("--type_name", "--type-name", "-t", hidden=True)] = None,
    payload_text: Annotated[str | None, typer.Option("--payload", "-l", hidden=True)] = None,
    retry: Annotated[int | None, typer.Option("--retry", hidden=True)] = None,
    process_in: Annotated[timedelta | None, duration_option("--process_in", "--process-in", hidden=True)] = None,
    process_at: Annotated[datetime | None, moment_option("--process_at", "--process-at", hidden=True)] = None,
) -> None:
    """Put one task on a queue; the same as `asynqpy enqueue`, and it understands the options of asynq's command."""
    named_type = type_name or task_type
    if named_type is None:
        raise RefusedError("a task needs a type: name it first, as in asynqpy task enqueue email:welcome")
    asked = one.options_of(
        queue=queue,
        task_id=task_id,
        in_=in_ or process_in,
        at=None if process_in else at or process_at,
        max_retry=max_retry if retry is None else retry,
        timeout=timeout,
        deadline=deadline,
        unique=unique,
        retention=retention,
        group=group,
        header=header,
    )
    content = one.read_payload(payload) if payload_text is None else os.fsencode(payload_text)
    one.put(context.obj.redis(), named_type, content, asked, as_json=screen(context).as_json)
