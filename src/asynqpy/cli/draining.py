"""Waiting until queues are empty, with a word on how far that is."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from asynqpy.cli.failures import ExitCode, RefusedError
from asynqpy.cli.progress import progress
from asynqpy.cli.screen import Screen
from asynqpy.cli.view.queues import what_is_left
from asynqpy.task import TaskState

if TYPE_CHECKING:
    from asynqpy.inspection import QueueInfo
    from asynqpy.inspector import Inspector

NOW = (TaskState.PENDING, TaskState.ACTIVE)
"""What is waited for: what runs, and what is ready to."""

EVERYTHING = (*NOW, TaskState.AGGREGATING, TaskState.SCHEDULED, TaskState.RETRY)
"""With ``--all``."""


def drain(
    screen: Screen,
    inspector: Inspector,
    queues: Sequence[str],
    *,
    pause: bool,
    everything: bool,
    timeout: float | None,
    interval: float,
) -> None:
    """Wait until nothing is left in *queues*.

    Raises:
        RefusedError: it cannot happen, or did not in time.
        QueueNotFoundError: there is no such queue.
    """
    states: tuple[TaskState, ...] = (TaskState.ACTIVE,) if pause else EVERYTHING if everything else NOW
    infos = inspector.queue_infos(queues, memory=False)
    if pause:
        for queue in queues:
            inspector.pause_queue(queue)
    elif waiting := [info for info in infos if _left([info], states)]:
        _refuse_if_nobody_works(inspector, waiting)
    ends_at = None if timeout is None else time.monotonic() + timeout
    started = time.monotonic()
    most = _left(infos, states)
    with progress(f"draining {', '.join(queues)}", "drained") if most else nullcontext(lambda done, of: None) as tell:
        while left := _left(infos := inspector.queue_infos(queues, memory=False), states):
            most = max(most, left)
            tell(most - left, most)
            if ends_at is not None and time.monotonic() >= ends_at:
                still = "; ".join(f"{info.queue}: {what_is_left(info, states)}" for info in infos)
                raise RefusedError(f"not drained within {timeout:g} s: {still}", ExitCode.TIMEOUT)
            time.sleep(interval)
    _tell(screen, queues, infos, seconds=time.monotonic() - started, paused=pause)


def _left(infos: Sequence[QueueInfo], states: Sequence[TaskState]) -> int:
    return sum(getattr(info, state) for info in infos for state in states)


def _refuse_if_nobody_works(inspector: Inspector, infos: Sequence[QueueInfo]) -> None:
    paused = [info.queue for info in infos if info.paused and info.pending]
    if paused:
        raise RefusedError(
            f"queue {paused[0]!r} is paused, so what waits in it does not run: resume it, or drain it with --pause",
            ExitCode.FAILURE,
        )
    served = {queue for server in inspector.servers() if server.status == "active" for queue in server.queues}
    for info in infos:
        if info.queue not in served:
            print(
                f"asynqpy: no live server works on queue {info.queue!r}: it drains when one is started", file=sys.stderr
            )


def _tell(screen: Screen, queues: Sequence[str], infos: Sequence[QueueInfo], *, seconds: float, paused: bool) -> None:
    if screen.as_json:
        from asynqpy.cli import documents

        screen.print_json(documents.Queues(queues=[documents.queue(info) for info in infos]))
        return
    for queue, info in zip(queues, infos, strict=True):
        if paused:
            waiting = f", {info.pending:,} pending are held back" if info.pending else ""
            screen.print([f"queue {queue!r} is paused and nothing in it runs{waiting}"])
        else:
            screen.print([f"queue {queue!r} is drained after {seconds:.1f} s"])
