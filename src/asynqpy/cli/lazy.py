"""A command whose module is imported when the command is asked for, not when the list of commands is shown."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand


class LazyCommand(TyperCommand):
    """Stands in the list of commands for the Typer application ``app`` of *module*: one command, or a group of them."""

    def __init__(self, name: str, module: str, help: str) -> None:  # noqa: A002 - the word of typer
        super().__init__(name, help=help, short_help=help)
        self._module = module

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the real command, so that everything after the name is its business."""
        application: typer.Typer = import_module(self._module).app
        command = typer.main.get_command(application)
        command.name = self.name
        return command.make_context(info_name, args, parent=parent, **extra)
