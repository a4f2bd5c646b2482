"""``asynqpy task``: look at tasks, find them, run them again, change, archive, cancel and delete them."""

from __future__ import annotations

import typer

from asynqpy.cli.tasks import acting, changing, following, listing

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    help="Look at tasks, find them, run them again, change, archive, cancel and delete them.",
)
for part in (listing, acting, changing, following):
    app.add_typer(part.app)
