"""``asynqpy task ls``, ``inspect`` and ``find``: look at tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asynqpy.cli.completers import queue_names, state_names
from asynqpy.cli.inspecting import AnyQueue, Group, Queue, State, inspecting
from asynqpy.cli.options import Reading, Shown, command, moment_option
from asynqpy.cli.screen import Screen, screen
from asynqpy.cli.tasks.naming import Ids, OneId, find_each, named
from asynqpy.conditions import fields_in, headers_in
from asynqpy.task import TaskState

if TYPE_CHECKING:
    from asynqpy.cli.view.tasks import Clock
    from asynqpy.inspector import Inspector
    from asynqpy.task import TaskInfo

app = typer.Typer(add_completion=False)

LARGEST_PAGE = 1000
"""Tasks that the inspector reads at once."""

_STREAMED = 100
"""Tasks that are written together where all are."""


def clock_of(shown: Screen) -> Clock:
    """How this command tells moments."""
    from asynqpy.cli.view.tasks import Clock

    return Clock(datetime.now(UTC), shown.utc, is_relative=shown.is_terminal)


@command(app, "ls", "list", cls=Reading)
def ls(
    context: typer.Context,
    queue: Queue,
    state: State,
    *,
    group: Group = None,
    page: Annotated[int, typer.Option("--page", metavar="N", help="Which page; the first is 1.")] = 1,
    size: Annotated[int, typer.Option("--size", metavar="N", min=0, help="Tasks on a page; 0 for all.")] = 30,
    everything: Annotated[
        bool, typer.Option("--all", help="All of them, as they are read; JSON has one a line.")
    ] = False,
    newest: Annotated[bool, typer.Option("--reverse", help="Begin at the other end.")] = False,
) -> None:
    """List the tasks of a state, those first that run next.

    Archived tasks begin with the oldest, completed ones with the next to expire; --reverse begins at the other end. The
    states are active, pending, aggregating, scheduled, retry, archived and completed; aggregating tasks are listed by
    group.
    """
    shown = screen(context)
    with inspecting(context) as inspector:
        if everything or size == 0:
            _stream(shown, inspector.iter_tasks(queue, state, group=group, descending=newest), state)
            return
        number = max(1, page)
        shown.show(
            lambda: _page(inspector, queue, state, group, number, size, newest=newest),
            lambda found: _document(found, queue, state, group, number, size),
            lambda found: _text(found, shown, queue, state, group, number, size),
        )


def _page(
    inspector: Inspector, queue: str, state: TaskState, group: str | None, page: int, size: int, *, newest: bool
) -> tuple[list[TaskInfo], int]:
    """The tasks of a page, and how many there are on all pages."""
    if size <= LARGEST_PAGE:
        tasks = inspector.list_tasks(queue, state, group=group, page=page, page_size=size, descending=newest)
    else:
        all_of_them = inspector.iter_tasks(queue, state, group=group, descending=newest)
        tasks = list(islice(all_of_them, (page - 1) * size, page * size))
    if group is not None:
        total = next((each.size for each in inspector.groups(queue) if each.group == group), 0)
    else:
        total = getattr(inspector.queue_info(queue, memory=False), state)
    return tasks, total


def _document(
    found: tuple[list[TaskInfo], int], queue: str, state: TaskState, group: str | None, page: int, size: int
) -> Any:
    from asynqpy.cli import documents

    tasks, total = found
    return documents.TaskPage(
        queue=queue,
        state=state,
        group=group,
        page=page,
        page_size=size,
        total=total,
        tasks=[documents.task(info) for info in tasks],
    )


def _text(
    found: tuple[list[TaskInfo], int],
    shown: Screen,
    queue: str,
    state: TaskState,
    group: str | None,
    page: int,
    size: int,
) -> Iterator[str]:
    from asynqpy.cli.view.tasks import task_list

    tasks, total = found
    if not tasks:
        where = f"group {group!r} of queue {queue!r}" if group else f"queue {queue!r}"
        yield f"No {state} tasks in {where}" + (f" on page {page}; there are {total:,}" if page > 1 and total else "")
        return
    yield from task_list(state, tasks, shown.table, clock_of(shown))
    if shown.is_terminal and (total > len(tasks) or page > 1):
        first = (page - 1) * size + 1
        yield shown.styled(f"{first:,} to {first + len(tasks) - 1:,} of {total:,}; --page {page + 1} goes on", "dim")


def _stream(shown: Screen, tasks: Iterable[TaskInfo], state: TaskState | None) -> int:
    """Write tasks as they are read; returns how many."""
    from asynqpy.cli import documents
    from asynqpy.cli.view.tasks import found_list, task_list

    remaining, count, clock = iter(tasks), 0, clock_of(shown)
    shown.print_in_pieces()
    if shown.as_json:
        for info in remaining:
            shown.print_json(documents.task(info))
            count += 1
        sys.stdout.flush()
        return count
    while piece := list(islice(remaining, _STREAMED)):
        lines = task_list(state, piece, shown.table, clock) if state else found_list(piece, shown.table, clock)
        shown.print(line for at, line in enumerate(lines) if not count or 2 <= at < 2 + len(piece))
        count += len(piece)
    if not count:
        shown.print(["No tasks found"])
    return count


@command(app, "inspect", cls=Reading)
def inspect(context: typer.Context, ids: Ids = None, *, queue: AnyQueue = None, one_id: OneId = None) -> None:
    """Show everything about tasks: payload, headers, result, error, traceback, and what can be done with them."""
    shown, wanted = screen(context), named(ids, one_id)
    with inspecting(context) as inspector:
        shown.show(
            lambda: [inspector.task_info(where, name) for where, name in find_each(inspector, queue, wanted)],
            _one_or_many,
            lambda infos: _details(infos, shown),
        )


def _one_or_many(infos: list[TaskInfo]) -> Any:
    from asynqpy.cli import documents

    if len(infos) == 1:
        return documents.task(infos[0])
    return documents.Tasks(tasks=[documents.task(info) for info in infos])


def _details(infos: list[TaskInfo], shown: Screen) -> Iterator[str]:
    from asynqpy.cli.view.tasks import details

    for number, info in enumerate(infos):
        if number:
            yield from ("", "=" * 49, "")
        yield from details(info, clock_of(shown), shown.heading, shown.json_line, width=shown.width)


@command(app, "find", cls=Shown)
def find(
    context: typer.Context,
    ids: Ids = None,
    *,
    queue: Annotated[
        list[str] | None,
        typer.Option(
            "--queue",
            "-q",
            metavar="NAME",
            show_default=False,
            help="Look here; repeat it.",
            autocompletion=queue_names,
        ),
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            "-s",
            metavar="STATE",
            show_default=False,
            help="In this state; repeat it.",
            autocompletion=state_names,
        ),
    ] = None,
    id_prefix: Annotated[
        str | None,
        typer.Option("--id-prefix", metavar="TEXT", show_default=False, help="With an id that begins so."),
    ] = None,
    task_type: Annotated[
        str | None,
        typer.Option("--type", "-t", metavar="PATTERN", show_default=False, help="Of this type: email:* or *:welcome."),
    ] = None,
    payload: Annotated[
        str | None,
        typer.Option("--payload", "-l", metavar="TEXT", show_default=False, help="With this in the payload."),
    ] = None,
    error: Annotated[
        str | None,
        typer.Option("--error", "-e", metavar="TEXT", show_default=False, help="With this in the last error."),
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", "-g", metavar="NAME", show_default=False, help="Enqueued to this group.")
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header", metavar="NAME[=VALUE]", show_default=False, help="With this header: tenant=acme; repeat it."
        ),
    ] = None,
    payload_field: Annotated[
        list[str] | None,
        typer.Option(
            "--field",
            metavar="PATH[=VALUE]",
            show_default=False,
            help='With this in the JSON of the payload: user.id=7, items.0.sku="7"; repeat it.',
        ),
    ] = None,
    since: Annotated[datetime | None, moment_option("--since", help="Due, archived or completed since then.")] = None,
    until: Annotated[datetime | None, moment_option("--until", help="And before this moment.")] = None,
    newest: Annotated[bool, typer.Option("--reverse", help="Read each state from its other end.")] = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, show_default=False, help="Find no more than these."),
    ] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", metavar="N", min=1, show_default=False, help="Look at no more than these.")
    ] = None,
    only_ids: Annotated[bool, typer.Option("--ids", help="Print QUEUE and ID alone, for other commands.")] = False,
) -> None:
    """Find tasks by all that is given: in all queues and states unless these are named.

    A header or a field without a value may have any. The path of a field has names and indexes with dots between; its
    value is a number, true, false, null, or text, in quotes where it would be one of these. MessagePack is read too.

    Ids are looked up at once. Everything else reads through the tasks, about a hundred thousand a second. With --json
    there is a task a line, and at the end a line that tells how much was looked at.

    `asynqpy task find -s archived --error timeout --ids | asynqpy task run -` runs what was found.
    """
    from asynqpy.cli import documents

    shown = screen(context)
    with inspecting(context) as inspector:
        search = inspector.find_tasks(
            queues=queue or None,
            states=state or None,
            ids=ids or None,
            id_prefix=id_prefix,
            type=task_type,
            payload=payload,
            error=error,
            group=group,
            headers=headers_in(header or ()),
            payload_fields=fields_in(payload_field or ()),
            since=since,
            until=until,
            descending=newest,
            limit=limit,
            budget=budget,
        )
        if only_ids and not shown.as_json:
            for info in search:
                shown.print([f"{info.queue}\t{info.id}"])
            return
        _stream(shown, search, None)
        found = search.coverage
        if shown.as_json:
            shown.print_json(
                documents.Coverage(
                    scanned=found.scanned, matched=found.matched, total=found.total, is_complete=found.is_complete
                )
            )
        elif not found.is_complete:
            shown.note(f"looked at {found.scanned:,} of {found.total:,} tasks, found {found.matched:,}")
