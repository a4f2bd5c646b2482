"""The waker: tells the lanes that a queue has got tasks.

Dry queues are armed on the tracking connection. A slow look at all of them stays on in any case: one command, however
many queues there are (on a cluster one for each). Where nothing is pushed, dry queues are simply tried again at
`task_check_interval`, as in asynq.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Iterable
from datetime import timedelta

from asynqpy._broker.flow import Call, command
from asynqpy._wire import keys
from asynqpy._worker.readiness import Readiness
from asynqpy._worker.watcher import Watcher
from asynqpy.errors import AsynqpyError

log = logging.getLogger("asynqpy")

SAFETY_INTERVAL = timedelta(seconds=10)


class Waker:
    """Connects `Readiness` with what Redis pushes."""

    def __init__(self, watcher: Watcher, readiness: Readiness, *, poll_interval: timedelta) -> None:
        self._watcher = watcher
        self._readiness = readiness
        self._poll_seconds = poll_interval.total_seconds()
        for queue in readiness.queues:
            q = keys.of_queue(queue)
            watcher.tell(q.pending, functools.partial(self._pending_changed, queue))
            watcher.tell(q.paused, functools.partial(readiness.changed, queue))
        watcher.when_reopened(readiness.assume_all_ready)

    def _pending_changed(self, queue: str) -> None:
        if queue not in self._readiness.paused:
            self._readiness.changed(queue)

    async def run(self) -> None:
        """Arm queues as they run dry, until cancelled."""
        while True:
            queues = await self._readiness.to_arm()
            await self.arm(queues)

    async def arm(self, queues: Iterable[str]) -> None:
        """Watch *queues*, and mark those ready that have tasks already."""
        queues = list(queues)
        if not self._watcher.is_pushing:
            return  # the poll finds them
        calls: list[Call] = []
        for queue in queues:
            q = keys.of_queue(queue)
            calls += (command("LLEN", q.pending), command("EXISTS", q.paused))
        replies = await self._watcher.read(calls)
        for queue, length, paused in zip(queues, replies[::2], replies[1::2], strict=True):
            if isinstance(length, AsynqpyError) or isinstance(paused, AsynqpyError):
                continue  # the connection broke: everything is assumed ready then
            if paused:
                self._readiness.paused.add(queue)
            else:
                self._readiness.paused.discard(queue)
                if length:
                    self._readiness.changed(queue)

    async def poll(self) -> None:
        """Look at dry queues without having been told to, until cancelled."""
        loop = asyncio.get_running_loop()
        looked = loop.time()
        while True:
            pushing = self._watcher.is_pushing
            await asyncio.sleep(1.0 if pushing else self._poll_seconds)
            if not self._watcher.is_pushing:
                self._readiness.assume_all_ready()
            elif loop.time() - looked >= SAFETY_INTERVAL.total_seconds():
                looked = loop.time()
                await self._look()

    async def _look(self) -> None:
        dry = self._readiness.queues - self._readiness.ready - self._readiness.paused
        if dry:
            lists = self._watcher.together(keys.of_queue(queue).pending for queue in dry)
            replies = await self._watcher.read([command("EXISTS", *group) for group in lists])
            if any(reply for reply in replies if not isinstance(reply, AsynqpyError)):
                await self.arm(dry)
