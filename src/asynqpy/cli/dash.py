"""``asynqpy dash``: the terminal dashboard."""

from __future__ import annotations

from datetime import timedelta
from importlib.util import find_spec
from typing import Annotated

import typer

from asynqpy.cli.options import Connected, command
from asynqpy.cli.values import duration, parser
from asynqpy.errors import ConfigError

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@command(app, "dash", cls=Connected)
def dash(
    context: typer.Context,
    *,
    refresh: Annotated[
        timedelta,
        typer.Option(
            "--refresh",
            parser=parser(duration),
            metavar="DURATION",
            show_default="2s",
            help="How often it reads: at least 500ms. It reads less often where reading takes long.",
        ),
    ] = timedelta(seconds=2),
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Look only: nothing can be run, archived, deleted, cancelled or paused.")
    ] = False,
) -> None:
    """Watch queues, tasks, servers and schedules in the terminal, and act on them. `?` shows the keys.

    It needs the extra `dash`: `pip install 'asynqpy[dash]'`.
    """
    if find_spec("textual") is None:
        raise ConfigError("the dashboard needs textual: pip install 'asynqpy[dash]'")
    from asynqpy.config import redis_address
    from asynqpy.dash.app import LEAST_REFRESH, DashApp
    from asynqpy.inspector import AsyncInspector

    if refresh.total_seconds() < LEAST_REFRESH:
        raise typer.BadParameter(f"at least {LEAST_REFRESH * 1000:.0f}ms", param_hint="--refresh")
    options = context.obj.redis()
    dashboard = DashApp(
        AsyncInspector(options),
        address=redis_address(options),
        refresh=refresh.total_seconds(),
        read_only=read_only,
    )
    dashboard.run()
