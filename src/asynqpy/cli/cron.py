"""``asynqpy cron``: periodic tasks, and when they were enqueued."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from asynqpy.cli.completers import entry_ids
from asynqpy.cli.inspecting import inspecting
from asynqpy.cli.options import Reading, command, group
from asynqpy.cli.screen import Screen, screen

if TYPE_CHECKING:
    from asynqpy.cli import documents
    from asynqpy.inspection import SchedulerEntry, SchedulerEvent

app = group("Look at periodic tasks.")


@command(app, "ls", "list", cls=Reading)
def ls(context: typer.Context) -> None:
    """List the periodic tasks of the schedulers that are alive, by their spec."""
    from asynqpy.cli.view import servers

    shown = screen(context)
    with inspecting(context) as inspector:
        shown.show(
            inspector.scheduler_entries,
            _document,
            lambda infos: servers.entries(infos, shown.table, now=datetime.now(UTC), utc=shown.utc),
        )


def _document(infos: list[SchedulerEntry]) -> documents.Entries:
    from asynqpy.cli import documents

    return documents.Entries(entries=[documents.entry(info) for info in infos])


@command(app, "history", cls=Reading)
def history(
    context: typer.Context,
    entries: Annotated[
        list[str],
        typer.Argument(metavar="ENTRY...", show_default=False, help="Ids of entries.", autocompletion=entry_ids),
    ],
    *,
    page: Annotated[int, typer.Option("--page", metavar="N", min=1, help="Which page.")] = 1,
    size: Annotated[int, typer.Option("--size", metavar="N", min=1, max=1000, help="Lines on a page.")] = 30,
) -> None:
    """Show what periodic tasks have enqueued, the newest first."""
    shown = screen(context)
    with inspecting(context) as inspector:
        shown.show(
            lambda: {entry: inspector.scheduler_events(entry, page=page, page_size=size) for entry in entries},
            lambda found: _histories(found, page, size),
            lambda found: _events(found, shown),
        )


def _histories(found: dict[str, list[SchedulerEvent]], page: int, size: int) -> documents.EntryHistories:
    from asynqpy.cli import documents

    return documents.EntryHistories(
        histories=[
            documents.EntryHistory(
                entry_id=entry, page=page, page_size=size, events=[documents.event(info) for info in events]
            )
            for entry, events in found.items()
        ]
    )


def _events(found: dict[str, list[SchedulerEvent]], shown: Screen) -> Iterator[str]:
    from asynqpy.cli.view import servers
    from asynqpy.cli.view.words import one_line

    for number, (entry, infos) in enumerate(found.items()):
        if number:
            yield ""
        yield shown.heading(f"Entry: {one_line(entry)}")
        yield from servers.events(infos, shown.table, utc=shown.utc)
