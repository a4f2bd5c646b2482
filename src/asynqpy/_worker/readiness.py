"""Which queues may have tasks: what the lanes look at, and what wakes them.

A queue is *ready* until a claim finds it dry. A dry queue is armed: its keys are read on the tracking connection, so
that Redis pushes the next change, whoever makes it. A push between the dry claim and the arming is seen by the reading
itself. A paused queue waits for its flag to go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable


class Readiness:
    """The state of each queue. Changed by lanes, by the waker, and by nobody else."""

    def __init__(self, queues: Iterable[str]) -> None:
        self.queues = frozenset(queues)
        self.ready: set[str] = set(self.queues)
        """Queues that may have tasks."""
        self.paused: set[str] = set()
        self.when_ready: Callable[[], None] = lambda: None
        """Wakes the lanes."""
        self._to_arm: set[str] = set()
        self._arming = asyncio.Event()

    def ran_dry(self, queue: str) -> None:
        """A claim got less than it asked for."""
        self.ready.discard(queue)
        self.arm(queue)

    def is_paused(self, queue: str) -> None:
        """A claim was refused because the queue is paused."""
        self.paused.add(queue)
        self.ran_dry(queue)

    def arm(self, queue: str) -> None:
        """Ask the waker to look at *queue* and to watch it."""
        self._to_arm.add(queue)
        self._arming.set()

    def changed(self, queue: str) -> None:
        """The keys of *queue* have changed: tasks may have come."""
        self.paused.discard(queue)
        if queue in self.queues and queue not in self.ready:
            self.ready.add(queue)
            self.when_ready()

    def assume_all_ready(self) -> None:
        """Nothing is known any more: let the lanes find out."""
        self.paused.clear()
        self.ready = set(self.queues)
        self.when_ready()

    async def to_arm(self) -> set[str]:
        """The queues to arm, as soon as there are any."""
        await self._arming.wait()
        self._arming.clear()
        queues, self._to_arm = self._to_arm - self.ready, set()
        return queues
