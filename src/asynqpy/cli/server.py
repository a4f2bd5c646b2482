"""``asynqpy server``: the servers that work, and what they run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from asynqpy.cli.inspecting import inspecting
from asynqpy.cli.options import Reading, command, group
from asynqpy.cli.screen import Screen, screen

if TYPE_CHECKING:
    from asynqpy.cli import documents
    from asynqpy.inspection import ServerInfo

app = group("Look at the servers that work, and at what they run.")


@command(app, "ls", "list", cls=Reading)
def ls(
    context: typer.Context,
    *,
    workers: Annotated[bool, typer.Option("--workers", help="Show what each of them runs.")] = False,
) -> None:
    """List the servers that have shown a sign of life in the last seconds, those of Go too."""
    shown = screen(context)
    with inspecting(context) as inspector:
        shown.show(inspector.servers, _document, lambda infos: _text(infos, shown, workers=workers))


def _text(infos: list[ServerInfo], shown: Screen, *, workers: bool) -> Iterable[str]:
    from asynqpy.cli.view import servers

    now = datetime.now(UTC)
    if workers:
        return servers.with_workers(infos, shown.table, shown.heading, now=now, utc=shown.utc)
    return servers.servers(infos, shown.table, now=now, utc=shown.utc)


def _document(infos: list[ServerInfo]) -> documents.Servers:
    from asynqpy.cli import documents

    return documents.Servers(servers=[documents.server(info) for info in infos])
