"""``asynqpy enqueue``: one task on a queue."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

import typer

from asynqpy.cli import values
from asynqpy.cli.completers import queue_names
from asynqpy.cli.options import Telling, command, duration_option, moment_option
from asynqpy.cli.screen import screen
from asynqpy.options import EnqueueOptions

if TYPE_CHECKING:
    from asynqpy.config import RedisOptions

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


Type: TypeAlias = Annotated[
    str, typer.Argument(metavar="TYPE", show_default=False, help="What kind of task: email:welcome.")
]
Payload: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="PAYLOAD", show_default=False, help="Its payload; - for standard input, @FILE for a file."),
]
Queue: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--queue", "-q", metavar="NAME", show_default="default", help="Its queue.", autocompletion=queue_names
    ),
]
Id: TypeAlias = Annotated[
    str | None, typer.Option("--id", "-i", metavar="ID", show_default="a new UUID", help="Its id; refused if taken.")
]
In: TypeAlias = Annotated[timedelta | None, duration_option("--in", help="Run it after this delay.")]
At: TypeAlias = Annotated[datetime | None, moment_option("--at", help="Run it at this moment.")]
MaxRetry: TypeAlias = Annotated[
    int | None, typer.Option("--max-retry", metavar="N", show_default="25", help="How often to try again.")
]
Timeout: TypeAlias = Annotated[
    timedelta | None, duration_option("--timeout", show_default="30m", help="Longest run of one attempt.")
]
Deadline: TypeAlias = Annotated[datetime | None, moment_option("--deadline", help="No attempt runs past this moment.")]
Unique: TypeAlias = Annotated[
    timedelta | None, duration_option("--unique", help="Refuse another of this queue, type and payload for so long.")
]
Retention: TypeAlias = Annotated[
    timedelta | None, duration_option("--retention", help="Keep it so long after success.")
]
Group: TypeAlias = Annotated[
    str | None, typer.Option("--group", "-g", metavar="NAME", help="Collect it in this group, to be run with others.")
]
Headers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--header", "-H", metavar="KEY=VALUE", show_default=False, help="A header; repeat it for more."),
]


@command(app, "enqueue", cls=Telling)
def enqueue(
    context: typer.Context,
    task_type: Type,
    payload: Payload = None,
    *,
    queue: Queue = None,
    task_id: Id = None,
    in_: In = None,
    at: At = None,
    max_retry: MaxRetry = None,
    timeout: Timeout = None,
    deadline: Deadline = None,
    unique: Unique = None,
    retention: Retention = None,
    group: Group = None,
    header: Headers = None,
) -> None:
    """Put one task on a queue.

    A duration is 90 (seconds), 250ms, 1m30s, 2h or 7d. A moment is 2026-01-31T18:30, in local time unless it ends with
    Z or an offset such as +02:00.
    """
    asked = options_of(
        queue=queue,
        task_id=task_id,
        in_=in_,
        at=at,
        max_retry=max_retry,
        timeout=timeout,
        deadline=deadline,
        unique=unique,
        retention=retention,
        group=group,
        header=header,
    )
    put(context.obj.redis(), task_type, read_payload(payload), asked, as_json=screen(context).as_json)


def options_of(
    *,
    queue: str | None,
    task_id: str | None,
    in_: timedelta | None,
    at: datetime | None,
    max_retry: int | None,
    timeout: timedelta | None,
    deadline: datetime | None,
    unique: timedelta | None,
    retention: timedelta | None,
    group: str | None,
    header: list[str] | None,
) -> EnqueueOptions:
    """The options of a task, those alone that were given."""
    if in_ is not None and at is not None:
        raise typer.BadParameter("give one of --in and --at", param_hint="--in")
    given: dict[str, object] = {
        "queue": queue,
        "task_id": task_id,
        "process_in": in_,
        "process_at": at,
        "max_retry": max_retry,
        "timeout": timeout,
        "deadline": deadline,
        "unique_for": unique,
        "retention": retention,
        "group": group,
        "headers": values.each("--header", values.header, header) if header else None,
    }
    return cast("EnqueueOptions", {name: value for name, value in given.items() if value is not None})


def read_payload(text: str | None) -> bytes | None:
    """The payload that was typed, or where it was said to be."""
    try:
        return values.payload(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="PAYLOAD") from None


def put(redis: RedisOptions, task_type: str, payload: bytes | None, asked: EnqueueOptions, *, as_json: bool) -> None:
    """Enqueue the task, and tell what became of it."""
    from asynqpy.cli import documents, render
    from asynqpy.client import Client
    from asynqpy.task import Task

    with Client(redis) as client:
        info = client.enqueue(Task(task_type, payload), **asked)
    if as_json:
        print(documents.encode(documents.task(info)))
    else:
        print(render.task_line(info, now=datetime.now(UTC)))
    sys.stdout.flush()
