"""``asynqpy enqueue``: one task on a queue."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeAlias, cast

import typer

from asynqpy.cli import render, values
from asynqpy.cli.options import JSON, RedisURL
from asynqpy.options import EnqueueOptions

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


def _duration(name: str, **more: Any) -> Any:
    return typer.Option(name, metavar="DURATION", parser=values.parser(values.duration), **more)


def _moment(name: str, **more: Any) -> Any:
    return typer.Option(name, metavar="MOMENT", parser=values.parser(values.moment), **more)


Type: TypeAlias = Annotated[
    str, typer.Argument(metavar="TYPE", show_default=False, help="What kind of task: email:welcome.")
]
Payload: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="PAYLOAD", show_default=False, help="Its payload; - for standard input, @FILE for a file."),
]
Queue: TypeAlias = Annotated[
    str | None, typer.Option("--queue", "-q", metavar="NAME", show_default="default", help="Its queue.")
]
Id: TypeAlias = Annotated[
    str | None, typer.Option("--id", "-i", metavar="ID", show_default="a new UUID", help="Its id; refused if taken.")
]
In: TypeAlias = Annotated[timedelta | None, _duration("--in", help="Run it after this delay.")]
At: TypeAlias = Annotated[datetime | None, _moment("--at", help="Run it at this moment.")]
MaxRetry: TypeAlias = Annotated[
    int | None, typer.Option("--max-retry", metavar="N", show_default="25", help="How often to try again.")
]
Timeout: TypeAlias = Annotated[
    timedelta | None, _duration("--timeout", show_default="30m", help="Longest run of one attempt.")
]
Deadline: TypeAlias = Annotated[datetime | None, _moment("--deadline", help="No attempt runs past this moment.")]
Unique: TypeAlias = Annotated[
    timedelta | None, _duration("--unique", help="Refuse another of this queue, type and payload for so long.")
]
Retention: TypeAlias = Annotated[timedelta | None, _duration("--retention", help="Keep it so long after success.")]
Group: TypeAlias = Annotated[
    str | None, typer.Option("--group", "-g", metavar="NAME", help="Collect it in this group, to be run with others.")
]
Headers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--header", "-H", metavar="KEY=VALUE", show_default=False, help="A header; repeat it for more."),
]


@app.command()
def enqueue(
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
    as_json: JSON = False,
    redis: RedisURL = None,
) -> None:
    """Put one task on a queue.

    A duration is 90 (seconds), 250ms, 1m30s, 2h or 7d. A moment is 2026-01-31T18:30, in local time unless it ends with
    Z or an offset such as +02:00.
    """
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
    asked = cast("EnqueueOptions", {name: value for name, value in given.items() if value is not None})
    _enqueue(task_type, _payload(payload), asked, redis, as_json=as_json)


def _payload(text: str | None) -> bytes | None:
    try:
        return values.payload(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="PAYLOAD") from None


def _enqueue(task_type: str, payload: bytes | None, asked: EnqueueOptions, redis: str | None, *, as_json: bool) -> None:
    from asynqpy.client import Client
    from asynqpy.task import Task

    with Client(redis) as client:
        info = client.enqueue(Task(task_type, payload), **asked)
    if as_json:
        print(json.dumps(render.task_json(info)))
    else:
        print(render.task_line(info, now=datetime.now(UTC)))
    sys.stdout.flush()
