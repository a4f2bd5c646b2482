"""Which tasks a command is about: ids on the line, after ``--id``, or line by line on standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from asynqpy.cli.failures import ExitCode, RefusedError

if TYPE_CHECKING:
    from asynqpy.inspector import Inspector

Ids: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ID",
        show_default=False,
        help="Ids of tasks; - reads lines with ID, or QUEUE and ID, from standard input.",
    ),
]

OneId: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--id", "-i", metavar="ID", show_default=False, help="The id of a task, as in asynq."),
]


def named(ids: Sequence[str] | None, more: Sequence[str] | None) -> list[tuple[str | None, str]]:
    """The tasks that were named, each with its queue where standard input told it.

    Raises:
        RefusedError: there is none.
    """
    found: list[tuple[str | None, str]] = []
    for each in (*(ids or ()), *(more or ())):
        found += _lines() if each == "-" else [(None, each)]
    if not found and "-" not in (ids or ()):
        raise RefusedError("name a task: its ID, or --id ID; `asynqpy task ls` and `asynqpy task find` list them")
    return list(dict.fromkeys(found))


def _lines() -> Iterator[tuple[str | None, str]]:
    for line in sys.stdin:
        queue, tab, task_id = line.rstrip("\n").rpartition("\t")
        if task_id:
            yield (queue if tab else None), task_id


def find_each(
    inspector: Inspector, queue: str | None, tasks: Sequence[tuple[str | None, str]]
) -> list[tuple[str, str]]:
    """Each task with its queue: that of its line, the one that was named, or the only one that has such a task.

    Raises:
        RefusedError: no queue, or more than one, has a task with this id.
    """
    unknown = [task_id for where, task_id in tasks if not (where or queue)]
    places: dict[str, list[str]] = {}
    if unknown:
        for info in inspector.find_tasks(ids=unknown):
            places.setdefault(info.id, []).append(info.queue)
    return [(where or queue or _only(task_id, places.get(task_id, [])), task_id) for where, task_id in tasks]


def _only(task_id: str, queues: Sequence[str]) -> str:
    if len(queues) > 1:
        raise RefusedError(
            f"there is a task {task_id!r} in each of the queues {', '.join(sorted(queues))}: say which with --queue",
            ExitCode.USAGE,
        )
    if not queues:
        raise RefusedError(f"there is no task {task_id!r} in any queue", ExitCode.NOT_FOUND)
    return queues[0]
