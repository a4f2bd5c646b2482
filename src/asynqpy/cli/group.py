"""``asynqpy group``: the groups in which tasks wait to be aggregated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from asynqpy.cli.inspecting import Queue, inspecting
from asynqpy.cli.options import Reading, command, group
from asynqpy.cli.screen import screen

if TYPE_CHECKING:
    from asynqpy.cli import documents
    from asynqpy.inspection import GroupInfo

app = group("Look at the groups in which tasks wait to be aggregated.")


@command(app, "ls", "list", cls=Reading)
def ls(
    context: typer.Context,
    queue: Queue,
    *,
    long: Annotated[bool, typer.Option("--long", "-l", help="Show how many tasks wait in each.")] = False,
) -> None:
    """List the groups of a queue by name, one a line. `asynqpy task ls -s aggregating -g NAME` lists their tasks."""
    from asynqpy.cli.view import queues

    shown = screen(context)
    with inspecting(context) as inspector:
        shown.show(
            lambda: inspector.groups(queue),
            lambda infos: _document(queue, infos),
            lambda infos: queues.groups(queue, infos, shown.table, long=long),
        )


def _document(queue: str, infos: list[GroupInfo]) -> documents.Groups:
    from asynqpy.cli import documents

    return documents.Groups(queue=queue, groups=[documents.Group(name=info.group, size=info.size) for info in infos])
