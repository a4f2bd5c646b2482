"""A load that is enqueued while things happen, a handler that notes what runs, and what must be true in the end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from asynqpy import AsyncClient, BrokerError, Server, Task, TaskIDConflictError
from tests.eventually import eventually

PATIENCE_SECONDS = 60.0


class Load:
    """Tasks that were acknowledged, and how often each has run."""

    def __init__(self, target: Any, queues: Sequence[str]) -> None:
        self.target = target
        self.queues = list(queues)
        self.acknowledged: set[str] = set()
        self.runs: Counter[str] = Counter()
        self.refusals = 0
        self._numbers = iter(range(10**9))

    async def handle(self, task: Task) -> None:
        """The handler."""
        await asyncio.sleep(0.001)
        self.runs[task.id] += 1

    @asynccontextmanager
    async def serving(self, **settings: Any) -> AsyncIterator[Server]:
        """A server on all queues."""
        settings = {"concurrency": 40, "queues": dict.fromkeys(self.queues, 1), **settings}
        async with Server(self.target, **settings).running(self.handle) as server:
            yield server

    @asynccontextmanager
    async def producing(self) -> AsyncIterator[None]:
        """Enqueue to all queues, one after the other, by several callers, for as long as the block runs."""
        stop = asyncio.Event()
        async with AsyncClient(self.target) as client, asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(self._produce(client, stop))
            try:
                yield
            finally:
                stop.set()

    async def _produce(self, client: AsyncClient, stop: asyncio.Event) -> None:
        while not stop.is_set():
            number = next(self._numbers)
            await self.enqueue(client, self.queues[number % len(self.queues)], f"task-{number}")
            await asyncio.sleep(0.001)

    async def enqueue(self, client: AsyncClient, queue: str, task_id: str) -> None:
        """As a careful caller: the same id again until it is acknowledged."""
        while True:
            try:
                await client.enqueue(Task("t"), queue=queue, task_id=task_id)
            except TaskIDConflictError:
                pass  # an earlier try has arrived after all
            except BrokerError:
                self.refusals += 1
                await asyncio.sleep(0.02)
                continue
            self.acknowledged.add(task_id)
            return

    async def until_acknowledged(self, more: int) -> None:
        """Wait until so many more tasks are acknowledged."""
        goal = len(self.acknowledged) + more
        await eventually(lambda: len(self.acknowledged) >= goal, limit_seconds=PATIENCE_SECONDS)

    async def until_run(self, more: int) -> None:
        """Wait until so many more tasks have run."""
        goal = len(self.runs) + more
        await eventually(lambda: len(self.runs) >= goal, limit_seconds=PATIENCE_SECONDS)

    async def until_all_ran(self) -> None:
        """Wait until every acknowledged task has run at least once."""
        await eventually(lambda: self.acknowledged <= self.runs.keys(), limit_seconds=PATIENCE_SECONDS)
