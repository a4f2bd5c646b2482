"""``asynqpy completion``: what a shell reads to complete our commands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]

from asynqpy.cli.app import COMPLETION_VARIABLE
from asynqpy.cli.options import HELP

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


class Shell(StrEnum):
    """A shell that can be served."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command(context_settings=HELP)
def completion(
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", show_default=False, help="Your shell.")],
) -> None:
    """Print what makes a shell complete commands, options and names of queues.

    bash: `eval "$(asynqpy completion bash)"` in ~/.bashrc

    zsh: `eval "$(asynqpy completion zsh)"` in ~/.zshrc, after compinit

    fish: `asynqpy completion fish > ~/.config/fish/completions/asynqpy.fish`
    """
    print(get_completion_script(prog_name="asynqpy", complete_var=COMPLETION_VARIABLE, shell=shell.value))
