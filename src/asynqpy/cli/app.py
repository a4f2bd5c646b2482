"""The command ``asynqpy``: the list of its commands, options that belong to all, and what happens when one fails.

A command lives in a module of its own, one for each noun, which is imported when it is asked for: ``asynqpy --help``
loads neither the server nor a Redis client.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.core import TyperGroup

from asynqpy.cli.failures import EXPLANATION, ExitCode, exit_code_of, line_of
from asynqpy.cli.invocation import Invocation
from asynqpy.cli.lazy import LazyCommand
from asynqpy.cli.options import connection_parameters

COMMANDS = {
    "worker": "Run the handlers of a module: take tasks from queues until stopped.",
    "scheduler": "Run the scheduler of a module: enqueue periodic tasks until stopped.",
    "enqueue": "Put one task on a queue.",
    "stats": "Show how many tasks there are in which state, what was done today, and how Redis is.",
    "queue": "Look at queues; pause, drain, move and remove them.",
    "task": "Look at tasks, find them, run them again, change, archive, cancel and delete them.",
    "group": "Look at the groups in which tasks wait to be aggregated.",
    "server": "Look at the servers that work, and at what they run.",
    "cron": "Look at periodic tasks.",
    "doctor": "Look for trouble, and tell what to do about it.",
    "completion": "Print what makes a shell complete commands, options and names of queues.",
    "metrics": "Serve the numbers of all queues for Prometheus.",
    "dash": "Watch queues, tasks, servers and schedules in the terminal, and act on them.",
    "web": "Serve the dashboard and its HTTP API.",
    "redis": "Run the embedded server in the foreground, for workers and clients on this machine.",
    "demo": "Watch tasks of every kind flow through a worker.",
}
"""Each command and what it does; ``asynqpy.cli.NAME`` is its module."""


def _version(asked: bool) -> None:
    if asked:
        from asynqpy import __version__

        typer.echo(f"asynqpy {__version__}")
        raise typer.Exit


COMPLETION_VARIABLE = "_ASYNQPY_COMPLETE"
"""Through which a shell asks what comes next."""

application = typer.Typer(
    name="asynqpy",
    help="asynq for Python: a distributed task queue on Redis, wire-compatible with hibiken/asynq.",
    epilog=EXPLANATION,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@application.callback()
def asynqpy(
    context: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", "-V", "-v", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="ASYNQPY_DEBUG", help="Show the traceback of an error.")
    ] = False,
) -> None:
    context.obj.debug = debug
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def command() -> TyperGroup:
    """The command with everything below it."""
    group = typer.main.get_group(application)
    group.params.extend(connection_parameters())
    for name, purpose in COMMANDS.items():
        group.add_command(LazyCommand(name, f"asynqpy.cli.{name}", purpose))
    return group


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments*, those of the process unless given, and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    invocation = Invocation(given, debug=bool(os.environ.get("ASYNQPY_DEBUG")))
    if COMPLETION_VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()  # knows the shells; typer does it alone where it adds options of its own
    try:
        code = command().main(given, prog_name="asynqpy", standalone_mode=False, obj=invocation)
    except BrokenPipeError:  # whoever reads has seen enough: `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.PIPE_CLOSED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last place where it can become a line
        if invocation.debug:
            traceback.print_exception(error)
        print(f"asynqpy: {line_of(error)}", file=sys.stderr)
        return exit_code_of(error)
    return code if isinstance(code, int) else ExitCode.OK
