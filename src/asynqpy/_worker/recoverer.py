"""The recoverer: takes back the tasks of workers that died, and mends what should not be.

It looks only at queues that have leases: their sets are watched, so an idle server asks nothing.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Sequence
from datetime import timedelta

from asynqpy._broker.flow import command
from asynqpy._broker.leases import expired, mend, recover
from asynqpy._transport.channel import Channel
from asynqpy._wire import keys
from asynqpy._worker.watcher import Watcher
from asynqpy.clock import Clock
from asynqpy.errors import AsynqpyError

log = logging.getLogger("asynqpy")

INTERVAL = timedelta(seconds=5)
MEND_EVERY = 12
"""Rounds between two comparisons of `active` and `lease`: once a minute."""


class Recoverer:
    """Looks after the leases of some queues."""

    def __init__(
        self, queues: Sequence[str], *, watcher: Watcher, channel: Channel, clock: Clock, max_crashes: int
    ) -> None:
        self._watcher = watcher
        self._channel = channel
        self._clock = clock
        self._max_crashes = max_crashes
        self._all = set(queues)
        self._lively = set(queues)
        """Queues that have leases, or had some since the last comparison."""
        self._to_mend = set(queues)
        self._rounds = 0
        for queue in queues:
            watcher.tell(keys.of_queue(queue).lease, functools.partial(self._lively.add, queue))
        watcher.when_reopened(lambda: self._lively.update(self._all))

    async def tick(self) -> None:
        """One round over the queues that have leases."""
        # All at once, so that a node of a cluster that is away holds up no queues but its own.
        lively = sorted(self._lively)
        self._to_mend.update(lively)
        outcomes = await asyncio.gather(*(self._recover(queue) for queue in lively), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
        await self._forget_idle()
        if self._rounds % MEND_EVERY == 0:
            for queue in sorted(self._to_mend):
                await self._mend(queue)
            self._to_mend.clear()
        self._rounds += 1

    async def _forget_idle(self) -> None:
        if not self._watcher.is_pushing:
            self._lively.update(self._all)
            return
        lively = sorted(self._lively)
        # Reading the key is what watches it: a queue without leases is looked at again when it gets one.
        replies = await self._watcher.read([command("EXISTS", keys.of_queue(queue).lease) for queue in lively])
        for queue, exists in zip(lively, replies, strict=True):
            if exists == 0:
                self._lively.discard(queue)

    async def _recover(self, queue: str) -> None:
        while True:
            lost = await self._channel.run(expired(queue), patient=False)
            moved = await self._channel.run(
                recover(queue, lost, max_crashes=self._max_crashes, now=self._clock.now()), patient=False
            )
            for task in moved:
                log.warning(
                    "task was lost with its worker and is archived"
                    if task.archived
                    else "task was lost with its worker and runs again",
                    extra={"queue": queue, "task_id": task.id, "crashes": task.crashes},
                )
            if not moved:
                return

    async def _mend(self, queue: str) -> None:
        try:
            restored, cleared = await self._channel.run(mend(queue, now=self._clock.now()), patient=False)
        except AsynqpyError as error:
            log.warning("cannot compare active tasks with leases in queue %r: %s", queue, error)
            self._to_mend.add(queue)
            return
        if restored or cleared:
            log.warning(
                "active tasks and leases disagreed and were mended",
                extra={"queue": queue, "restored": restored, "cleared": cleared},
            )
