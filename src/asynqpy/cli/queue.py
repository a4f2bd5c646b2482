"""``asynqpy queue``: look at queues; pause, drain, move and remove them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from asynqpy.cli import values
from asynqpy.cli.completers import queue_names, state_names
from asynqpy.cli.inspecting import Queues, act_on_each, inspecting
from asynqpy.cli.options import Asking, Reading, Telling, command, group
from asynqpy.cli.screen import Screen, screen
from asynqpy.task import TaskState

if TYPE_CHECKING:
    from asynqpy.cli import documents
    from asynqpy.inspection import ClusterNode, DailyStats, QueueInfo
    from asynqpy.inspector import Inspector

app = group("Look at queues; pause, drain, move and remove them.")

_BETWEEN = "=" * 49
"""Stands between two queues, as in asynq's command."""


@command(app, "ls", "list", cls=Reading)
def ls(
    context: typer.Context,
    *,
    long: Annotated[bool, typer.Option("--long", "-l", help="Show the numbers of each queue.")] = False,
    memory: Annotated[
        bool, typer.Option("--memory", help="Estimate how much memory each takes, with --long or --json.")
    ] = False,
) -> None:
    """List the queues by name, one a line; on a Redis Cluster with where they are."""
    shown = screen(context)
    with inspecting(context) as inspector:
        if long or shown.as_json:
            shown.show(
                lambda: inspector.queue_infos(memory=memory),
                lambda infos: _documents(inspector, infos),
                lambda infos: _long(shown, infos),
            )
        else:
            shown.show(inspector.queues, lambda names: {"queues": names}, lambda names: _names(inspector, shown, names))


def _long(shown: Screen, infos: list[QueueInfo]) -> list[str]:
    from asynqpy.cli.view.queues import long_list

    return long_list(infos, shown.table)


def _names(inspector: Inspector, shown: Screen, names: list[str]) -> list[str]:
    from asynqpy.cli.view.table import Column
    from asynqpy.cli.view.words import one_line

    if not names or not (nodes := _nodes(inspector, names)):
        return [one_line(name) for name in names]
    columns = (Column("Queue", is_long=True), Column("Cluster KeySlot"), Column("Cluster Nodes"))
    rows = [
        [one_line(name), str(inspector.cluster_key_slot(name)), " ".join(_addresses(nodes[name]))] for name in names
    ]
    return shown.table(columns, rows)


def _nodes(inspector: Inspector, names: Iterable[str]) -> dict[str, list[ClusterNode]]:
    """The nodes of each queue; nothing where Redis is no cluster."""
    found: dict[str, list[ClusterNode]] = {}
    for name in names:
        found[name] = inspector.cluster_nodes(name)
        if not found[name]:
            return {}
    return found


def _addresses(nodes: Iterable[ClusterNode]) -> list[str]:
    return [f"{node.host}:{node.port}" for node in nodes]


def _documents(inspector: Inspector, infos: list[QueueInfo]) -> documents.Queues:
    from asynqpy.cli import documents

    nodes = _nodes(inspector, [info.queue for info in infos])
    return documents.Queues(
        queues=[
            documents.queue(
                info,
                slot=inspector.cluster_key_slot(info.queue) if nodes else None,
                nodes=_addresses(nodes.get(info.queue, ())),
            )
            for info in infos
        ]
    )


@command(app, "inspect", cls=Reading)
def inspect(context: typer.Context, queues: Queues) -> None:
    """Show the numbers of queues: size, states, latency, memory, what was done today."""
    shown = screen(context)
    with inspecting(context) as inspector:
        shown.show(
            lambda: inspector.queue_infos(queues),
            lambda infos: _documents(inspector, infos),
            lambda infos: _details(infos, shown),
        )


def _details(infos: list[QueueInfo], shown: Screen) -> Iterator[str]:
    from asynqpy.cli.view.queues import details

    for number, info in enumerate(infos):
        if number:
            yield from ("", _BETWEEN, "")
        yield from details(info, shown.table, shown.heading)


@command(app, "history", cls=Reading)
def history(
    context: typer.Context,
    queues: Queues,
    *,
    days: Annotated[int, typer.Option("--days", "-x", metavar="N", min=1, help="How many days, today included.")] = 10,
) -> None:
    """Show what queues did on each of the last days, in UTC. Redis keeps 90 days."""
    shown = screen(context)
    with inspecting(context) as inspector:
        shown.show(
            lambda: {queue: inspector.history(queue, days) for queue in queues},
            _histories,
            lambda found: _days(found, shown),
        )


def _histories(found: dict[str, list[DailyStats]]) -> documents.Histories:
    from asynqpy.cli import documents

    return documents.Histories(
        histories=[
            documents.QueueHistory(queue=queue, days=[documents.day(day) for day in days])
            for queue, days in found.items()
        ]
    )


def _days(found: dict[str, list[DailyStats]], shown: Screen) -> Iterator[str]:
    from asynqpy.cli.view.queues import history
    from asynqpy.cli.view.words import one_line

    for number, (queue, days) in enumerate(found.items()):
        if number:
            yield ""
        yield shown.heading(f"Queue: {one_line(queue)}")
        yield from history(days, shown.table)


@command(app, "pause", cls=Telling)
def pause(context: typer.Context, queues: Queues) -> None:
    """Hold back the tasks of queues. Those that run go on; new ones are accepted, and wait."""
    from asynqpy.errors import AsynqpyError

    with inspecting(context) as inspector:

        def act(_: str | None, queue: str) -> str:
            if not inspector.pause_queue(queue):
                raise AsynqpyError(f"queue {queue!r} is paused already")
            return f"queue {queue!r} is paused now"

        act_on_each(screen(context), "pause", ((queue, queue) for queue in queues), act)


@command(app, "resume", "unpause", cls=Telling)
def resume(context: typer.Context, queues: Queues) -> None:
    """Let the tasks of paused queues run again."""
    from asynqpy.errors import AsynqpyError

    with inspecting(context) as inspector:

        def act(_: str | None, queue: str) -> str:
            if not inspector.unpause_queue(queue):
                raise AsynqpyError(f"queue {queue!r} is not paused")
            return f"queue {queue!r} goes on"

        act_on_each(screen(context), "resume", ((queue, queue) for queue in queues), act)


@command(app, "rm", "remove", "delete", cls=Asking)
def rm(
    context: typer.Context,
    queues: Queues,
    *,
    force: Annotated[bool, typer.Option("--force", "-f", help="Delete its tasks too, but for running ones.")] = False,
) -> None:
    """Remove queues with all that belongs to them: completed tasks, groups, counters, locks.

    A queue that holds other tasks is refused unless --force is given; one with running tasks always.
    """
    shown = screen(context)
    with inspecting(context) as inspector:
        if question := _question(inspector, queues, force=force):
            shown.confirm(question)

        def act(_: str | None, queue: str) -> str:
            inspector.delete_queue(queue, force=force)
            return f"queue {queue!r} is removed"

        act_on_each(shown, "remove", ((queue, queue) for queue in queues), act)


def _question(inspector: Inspector, queues: list[str], *, force: bool) -> str:
    """What to ask before *queues* are removed; nothing where that will be refused, or there are none."""
    from asynqpy.cli.view.words import counted, one_line

    known = set(inspector.queues())
    infos = inspector.queue_infos([queue for queue in queues if queue in known], memory=False)
    if not infos:
        return ""
    what = ", ".join(one_line(queue) for queue in queues)
    noun = "queue" if len(queues) == 1 else "queues"
    if not force and any(info.size > info.completed for info in infos):
        return ""
    tasks = sum(info.size for info in infos)
    return f"Remove {noun} {what} with {counted(tasks, 'task')} and all counters?"


@command(app, "drain", cls=Telling)
def drain_(
    context: typer.Context,
    queues: Queues,
    *,
    pause: Annotated[
        bool, typer.Option("--pause", help="Pause them first, and wait only for the tasks that run.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Wait for scheduled, retried and aggregating tasks too.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", min=0, help="Give up after so long, with code 124.")
    ] = None,
    interval: Annotated[
        float, typer.Option("--interval", metavar="SECONDS", min=0.05, help="How often to look.")
    ] = 0.5,
) -> None:
    """Wait until queues are empty: until nothing in them is pending or active.

    For a deployment, --pause holds back what waits and returns when nothing runs any more; `asynqpy queue resume` lets
    it go on. Without it the servers must work on the queues, so a paused one, or one that nobody serves, is refused.
    """
    from asynqpy.cli.draining import drain

    with inspecting(context) as inspector:
        drain(
            screen(context), inspector, queues, pause=pause, everything=everything, timeout=timeout, interval=interval
        )


@command(app, "move", "mv", cls=Telling)
def move(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="FROM", show_default=False, help="The queue to move out of.", autocompletion=queue_names
        ),
    ],
    target: Annotated[
        str, typer.Argument(metavar="TO", show_default=False, help="The queue to move to.", autocompletion=queue_names)
    ],
    *,
    state: Annotated[
        list[TaskState] | None,
        typer.Option(
            "--state",
            "-s",
            metavar="STATE",
            parser=values.parser(values.state),
            autocompletion=state_names,
            show_default="pending, scheduled, retry, aggregating",
            help="Move tasks of this state; repeat it for more. Archived ones move when they are named.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how many there are.")] = False,
) -> None:
    """Move the tasks that wait in a queue to another one, which need not exist yet.

    Each keeps its id, state, moment, group, retries and lock. One whose id or lock is taken in the other queue stays,
    and is told. A task is never in both queues, and never lost: if the command breaks off, the few tasks that were on
    their way are archived in the first queue.
    """
    from asynqpy.cli.moving import move

    with inspecting(context) as inspector:
        move(screen(context), inspector, source, target, state, dry_run=dry_run)
