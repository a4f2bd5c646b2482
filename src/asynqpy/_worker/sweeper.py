"""Sweeps a queue whenever something in its sets falls due, and sleeps in between.

The heads of the sets are read on the tracking connection: they say when the next task is due, and Redis pushes when an
earlier one comes. So due tasks move on time and an idle server asks nothing. The forwarder and the janitor are both
sweepers. Where nothing is pushed, every queue is swept at a fixed interval.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import math
from collections.abc import Callable, Sequence
from datetime import timedelta

from asynqpy._broker.due import Swept
from asynqpy._broker.flow import Call, Flow, command
from asynqpy._transport.channel import Channel
from asynqpy._worker.watcher import Watcher
from asynqpy.errors import AsynqpyError

log = logging.getLogger("asynqpy")

COALESCING_SECONDS = 0.01
"""Changes that come this close together cause one look: a burst of scheduled tasks must not cause a burst of reads."""

SAFETY_INTERVAL_SECONDS = 60.0
"""No moment is trusted for longer than this, so that a lost push or a clock that was set costs a minute at most…"""

SAFETY_SECONDS_PER_QUEUE = 4.0
"""…or so long for each queue, if that is more: an idle server with many queues asks about one question a second."""


class WatchedSet:
    """A sorted set whose lowest score is a moment: in seconds, or in milliseconds."""

    __slots__ = ("key", "milliseconds_per_unit")

    def __init__(self, key: str, milliseconds_per_unit: int = 1000) -> None:
        self.key = key
        self.milliseconds_per_unit = milliseconds_per_unit


class Sweeper:
    """Moves or deletes what is due.

    Args:
        name: for the log.
        queues: the queues to look after.
        sets: the sets of a queue whose heads say when the next task is due.
        sweep: moves a bounded number of due tasks of a queue.
        poll_interval: how often to sweep where changes are not pushed.
        moved: called with the queue and the number of tasks that a sweep moved.
    """

    def __init__(
        self,
        name: str,
        queues: Sequence[str],
        sets: Callable[[str], Sequence[WatchedSet]],
        sweep: Callable[[str], Flow[Swept]],
        *,
        watcher: Watcher,
        channel: Channel,
        poll_interval: timedelta,
    ) -> None:
        self._name = name
        self._queues = list(queues)
        self._sets = {queue: list(sets(queue)) for queue in queues}
        self._sweep = sweep
        self._watcher = watcher
        self._channel = channel
        self._poll_seconds = poll_interval.total_seconds()
        self._safety_seconds = max(SAFETY_INTERVAL_SECONDS, SAFETY_SECONDS_PER_QUEUE * len(self._queues))
        self._changed: set[str] = set(queues)
        self._due: dict[str, float] = dict.fromkeys(queues, 0.0)
        """Loop time at which each queue is to be looked at."""
        self._wake = asyncio.Event()
        for queue, watched in self._sets.items():
            for member in watched:
                watcher.tell(member.key, functools.partial(self._has_changed, queue))
        watcher.when_reopened(self._know_nothing)

    def _has_changed(self, queue: str) -> None:
        self._changed.add(queue)
        self._wake.set()

    def _know_nothing(self) -> None:
        self._changed.update(self._queues)
        self._wake.set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            now = loop.time()
            queues = self._changed | {queue for queue, due in self._due.items() if due <= now}
            self._changed = set()
            for queue in queues:
                try:
                    await self.tick(queue)
                except AsynqpyError as error:
                    log.warning("%s failed on queue %r, will try again: %s", self._name, queue, error)
                    self._due[queue] = loop.time() + 1.0
            await self._sleep(loop)

    async def _sleep(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            async with asyncio.timeout(max(0.0, min(self._due.values()) - loop.time())):
                await self._wake.wait()
        except TimeoutError:
            return
        await asyncio.sleep(COALESCING_SECONDS)

    async def tick(self, queue: str) -> None:
        """Move what is due in *queue*, and find out when the next is."""
        loop = asyncio.get_running_loop()
        if not self._watcher.is_pushing:
            await self._sweep_all(queue)
            self._due[queue] = loop.time() + self._poll_seconds
            return
        wait = await self._milliseconds_to_next(queue)
        while wait <= 0:
            await self._sweep_all(queue)
            wait = await self._milliseconds_to_next(queue)
        self._due[queue] = loop.time() + min(wait / 1000, self._safety_seconds)

    async def _sweep_all(self, queue: str) -> None:
        while True:
            swept = await self._channel.run(self._sweep(queue), patient=False)
            if swept.next_milliseconds != 0:
                return

    async def _milliseconds_to_next(self, queue: str) -> float:
        watched = self._sets[queue]
        # The clock is asked where the keys are: the nodes of a cluster have one each.
        heads = [command("ZRANGE", member.key, 0, 0, "WITHSCORES") for member in watched]
        replies = await self._watcher.read([Call(("TIME",), watched[0].key), *heads])
        for reply in replies:
            if isinstance(reply, AsynqpyError):
                raise reply
        now = int(replies[0][0]) * 1000 + int(replies[0][1]) / 1000
        moments = [
            _first_score(head) * member.milliseconds_per_unit - now
            for member, head in zip(watched, replies[1:], strict=True)
            if head
        ]
        return min(moments, default=math.inf)


def _first_score(head: Sequence[object]) -> float:
    """The score of the only member: RESP3 nests pairs, RESP2 does not."""
    first = head[0]
    return float(first[1] if isinstance(first, list) else head[1])  # type: ignore[arg-type]
