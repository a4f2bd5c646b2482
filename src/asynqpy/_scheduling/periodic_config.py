"""One periodic task as a provider tells it."""

from __future__ import annotations

from typing import Unpack

from asynqpy._scheduling.plan import CatchUp
from asynqpy.options import EnqueueOptions
from asynqpy.task import Task


class PeriodicTaskConfig:
    """A periodic task: what `Scheduler.register` takes.

    Nothing is checked here: a `PeriodicTaskManager` looks at the whole list, and names the one that cannot work.

    Args:
        cron: when, as for `Scheduler.register`.
        task: what is enqueued.
        catch_up: what to do about missed ticks: ``none``, ``last`` or ``all``.
        overlap: False skips a tick while the task of an earlier one still waits or runs.
        entry_id: a name for the entry; derived from the rest unless given.
        options: as for ``enqueue``.
    """

    __slots__ = ("catch_up", "cron", "entry_id", "options", "overlap", "task")

    def __init__(
        self,
        cron: str,
        task: Task,
        *,
        catch_up: CatchUp = "none",
        overlap: bool = True,
        entry_id: str | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> None:
        self.cron = cron
        self.task = task
        self.catch_up: CatchUp = catch_up
        self.overlap = overlap
        self.entry_id = entry_id
        self.options = options

    def __repr__(self) -> str:
        return f"<PeriodicTaskConfig {self.cron!r} {self.task!r}>"
