"""``asynqpy task``: look at tasks, find them, run them again, change, archive, cancel and delete them."""

from __future__ import annotations

from asynqpy.cli.options import group
from asynqpy.cli.tasks import acting, changing, following, listing

app = group("Look at tasks, find them, run them again, change, archive, cancel and delete them.")
for part in (listing, acting, changing, following):
    app.add_typer(part.app)
