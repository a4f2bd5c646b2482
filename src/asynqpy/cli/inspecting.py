"""What the commands over the inspector share: opening it, and acting on several things of which some may fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from asynqpy.cli import values
from asynqpy.cli.completers import queue_names, state_names
from asynqpy.cli.failures import DoneInPartError, ExitCode, exit_code_of, line_of
from asynqpy.cli.screen import Screen
from asynqpy.errors import AsynqpyError, BrokerError
from asynqpy.task import TaskState

if TYPE_CHECKING:
    from asynqpy.inspector import Inspector

Queue: TypeAlias = Annotated[
    str,
    typer.Option("--queue", "-q", metavar="NAME", show_default=False, help="The queue.", autocompletion=queue_names),
]

AnyQueue: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--queue",
        "-q",
        metavar="NAME",
        show_default=False,
        help="The queue of the tasks; all are searched unless given.",
        autocompletion=queue_names,
    ),
]

Queues: TypeAlias = Annotated[
    list[str],
    typer.Argument(metavar="QUEUE...", show_default=False, help="Queues.", autocompletion=queue_names),
]

State: TypeAlias = Annotated[
    TaskState,
    typer.Option(
        "--state",
        "-s",
        metavar="STATE",
        parser=values.parser(values.state),
        show_default=False,
        help="The state.",
        autocompletion=state_names,
    ),
]

Group: TypeAlias = Annotated[
    str | None,
    typer.Option("--group", "-g", metavar="NAME", show_default=False, help="The group, for aggregating tasks."),
]


@contextmanager
def inspecting(context: typer.Context) -> Iterator[Inspector]:
    """The inspector of the Redis that the command is about."""
    from asynqpy.inspector import Inspector

    with Inspector(context.obj.redis()) as inspector:
        yield inspector


def act_on_each(
    screen: Screen,
    action: str,
    things: Iterable[tuple[str | None, str]],
    act: Callable[[str | None, str], str],
) -> None:
    """Do something to each of *things*, pairs of a queue and a name, and tell of each what became of it.

    *act* returns what to tell. A thing that cannot be done is told on standard error, and the next one is done.

    Raises:
        BrokerError: Redis is away: then the rest is not tried.
        AsynqpyError: the only thing could not be done.
        DoneInPartError: one of several could not.
    """
    from asynqpy.cli import documents

    outcomes: list[documents.Outcome] = []
    errors: list[AsynqpyError] = []
    things = list(things)
    for queue, name in things:
        try:
            told = act(queue, name)
        except BrokerError:
            raise
        except AsynqpyError as error:
            errors.append(error)
            failed = line_of(error)
            outcomes.append(documents.Outcome(action=action, queue=queue, name=name, is_done=False, error=failed))
            if len(things) > 1:
                print(f"asynqpy: {failed}", file=sys.stderr)
        else:
            outcomes.append(documents.Outcome(action=action, queue=queue, name=name, is_done=True, error=None))
            if not screen.as_json:
                screen.print([told])
    if screen.as_json:
        screen.print_json(documents.Outcomes(outcomes=outcomes))
    if not errors:
        return
    if len(things) == 1:
        raise errors[0]
    codes = {exit_code_of(error) for error in errors}
    code = codes.pop() if len(errors) == len(things) and len(codes) == 1 else ExitCode.PARTLY
    raise DoneInPartError(f"{len(errors)} of {len(things)} could not be done", code)
