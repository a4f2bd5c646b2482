"""The table of tasks that this server holds: from the claim until the outcome is written.

One event loop changes it. The heartbeater's thread reads it, and writes only the moments up to which leases hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from asynqpy._wire.records import TaskMessage
from asynqpy.task import Task

if TYPE_CHECKING:
    from asynqpy._broker.finish import Finish
    from asynqpy._worker.progress import Report


class StopReason(Enum):
    """Why an attempt must end before its handler is done."""

    DEADLINE = auto()
    CANCELLED = auto()
    LEASE_LOST = auto()
    SHUTDOWN = auto()


class Outlet(Protocol):
    """Where an attempt goes when its handler ends: the lane that claimed the task."""

    def write(self, record: Finish) -> None:
        """Write *record* with the next turn."""
        ...

    def release_slot(self) -> None:
        """The handler has ended, so another task may be claimed."""
        ...


class ProgressWriter(Protocol):
    """Makes known how far running attempts are."""

    def report(self, running: Running, fraction: float, text: str) -> None:
        """Take note of a progress, on the event loop."""
        ...

    def report_from_thread(self, running: Running, fraction: float, text: str) -> None:
        """The same from another thread."""
        ...

    async def flush(self, running: Running) -> None:
        """Write what is left."""
        ...


class ResultWriter(Protocol):
    """Stores results of running attempts, and how far they are."""

    @property
    def progress(self) -> ProgressWriter:
        """Where progress goes."""
        ...

    async def write(self, running: Running, data: bytes) -> int:
        """Store *data* from the event loop."""
        ...

    async def begin(self, running: Running) -> None:
        """Note in Redis that the attempt begins."""
        ...

    def write_from_thread(self, running: Running, data: bytes) -> int:
        """Store *data* from another thread."""
        ...


class Running:
    """One attempt: a claimed task and what this server knows about it. `Task.write_result` and kin end up here."""

    __slots__ = (
        "concluded",
        "deadline",
        "handle",
        "interrupt",
        "lease_until",
        "message",
        "on_last_chance",
        "outlet",
        "pending_since",
        "progress",
        "results",
        "started",
        "stop_reason",
        "task",
        "token",
    )

    task: Task
    """What the handler gets; gone once the outcome is decided."""
    handle: asyncio.Task[None] | None
    """Runs the handler; None once it has ended."""

    def __init__(
        self,
        message: TaskMessage,
        token: str,
        lease_until: float,
        pending_since: int,
        outlet: Outlet,
        results: ResultWriter,
    ) -> None:
        self.message = message
        self.token = token
        self.lease_until = lease_until
        """Monotonic time until which the claim certainly holds."""
        self.pending_since = pending_since
        self.outlet = outlet
        self.results = results
        self.started = 0.0
        """Unix time at which the handler was started."""
        self.deadline = 0.0
        """Unix time at which the attempt must have ended."""
        self.stop_reason: StopReason | None = None
        self.interrupt: Callable[[], object] | None = None
        """How to stop a handler that runs elsewhere than on the event loop: kills its process, or does nothing to its
        thread, which sees `cancelled`. None: the attempt's own asyncio task is cancelled."""
        self.on_last_chance = False
        """The task would be archived if it were lost with its worker once more."""
        self.concluded = False
        """The outcome has been decided."""
        self.progress: Report | None = None
        """What its handler has reported; None when nothing."""

    @property
    def cancelled(self) -> bool:
        """Whether the attempt should stop."""
        return self.stop_reason is not None

    async def write_result(self, data: bytes) -> int:
        """Store *data* as the result."""
        return await self.results.write(self, data)

    def write_result_sync(self, data: bytes) -> int:
        """Store *data* as the result, from the handler's thread."""
        return self.results.write_from_thread(self, data)

    async def report_progress(self, fraction: float, text: str) -> None:
        """Make known how far the attempt is."""
        self.results.progress.report(self, fraction, text)

    def report_progress_sync(self, fraction: float, text: str) -> None:
        """The same from the handler's thread."""
        self.results.progress.report_from_thread(self, fraction, text)


class InFlight:
    """Tasks by queue and id. Ids are unique in their queue only."""

    def __init__(self) -> None:
        self._by_queue: dict[str, dict[str, Running]] = {}
        self._emptied: asyncio.Future[None] | None = None

    def add(self, running: Running) -> None:
        """Note a claimed task."""
        message = running.message
        tasks = self._by_queue.get(message.queue)
        if tasks is None:
            tasks = self._by_queue[message.queue] = {}
        tasks[message.id] = running

    def discard(self, queue: str, task_id: str, token: str) -> None:
        """Forget a task whose outcome is written or lost, unless it was claimed anew meanwhile."""
        tasks = self._by_queue[queue]
        running = tasks.get(task_id)
        if running is not None and running.token == token:
            del tasks[task_id]
            if self._emptied is not None and not tasks and not len(self):
                self._emptied.set_result(None)
                self._emptied = None

    def get(self, queue: str, task_id: str) -> Running | None:
        """The task, if this server holds it."""
        return self._by_queue.get(queue, {}).get(task_id)

    def with_id(self, task_id: str) -> list[Running]:
        """Tasks with this id in any queue: cancellations name no queue."""
        return [tasks[task_id] for tasks in self._by_queue.values() if task_id in tasks]

    def snapshot(self) -> dict[str, list[Running]]:
        """The tasks by queue. Safe from another thread: copying a dict's values is one step of the interpreter."""
        return {queue: held for queue, tasks in list(self._by_queue.items()) if (held := list(tasks.values()))}

    def __iter__(self) -> Iterator[Running]:
        for tasks in list(self._by_queue.values()):
            yield from list(tasks.values())

    def __len__(self) -> int:
        return sum(map(len, self._by_queue.values()))

    async def wait_until_empty(self) -> None:
        """Return once every outcome is written."""
        while len(self):
            if self._emptied is None:
                self._emptied = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._emptied)
