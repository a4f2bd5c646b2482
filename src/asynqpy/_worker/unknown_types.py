"""What a server does with tasks whose type it does not know, when it is to hand them on.

How long such a task waits before another server may have it depends on whether there is one: while a living server of
its queue publishes a pattern that fits, a few seconds at most, for the task only has to meet it; otherwise up to a
minute. So while tasks are handed on, and only then, this server reads what the others publish, every few seconds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from random import Random

from asynqpy._broker.finish import LONGEST_HAND_ON_MILLISECONDS, HandOn
from asynqpy._broker.inspect.consumers import handled_patterns
from asynqpy._transport.channel import Channel
from asynqpy._wire.records import TaskMessage
from asynqpy.clock import Clock
from asynqpy.errors import AsynqpyError
from asynqpy.inspection import HandledPatterns

log = logging.getLogger("asynqpy")

SECONDS_BETWEEN_WARNINGS = 600.0
"""For one type: it may come back every minute for as long as a deployment takes."""

REMEMBERED_TYPES = 1000

SECONDS_BETWEEN_LOOKS = 5.0
"""At what the other servers publish; they do it as often."""

LONGEST_WITH_CONSUMER_MILLISECONDS = 5_000
"""Not less: servers that know a type may have more of it than they can do, and each round costs the others a claim."""

NOISE = 0.25
"""The part of a delay that chance may take off."""


class UnknownTypes:
    """Makes the records that hand tasks on, and says so once for each type in a while.

    Args:
        channel: where to read what other servers publish.
        clock: tells which of them live.
        rng: makes the noise in the delays.
    """

    def __init__(self, channel: Channel, clock: Clock, rng: Random | None = None) -> None:
        self._channel = channel
        self._clock = clock
        self._rng = rng or Random()
        self._warned_at: dict[str, float] = {}
        self._servers: Sequence[HandledPatterns] = ()
        self._looked_at = float("-inf")
        self._look: asyncio.Task[None] | None = None

    def hand_on(self, message: TaskMessage, token: str) -> HandOn:
        """What to write about a task that was claimed under *token*."""
        now = time.monotonic()
        self._warn(message, now)
        if self._look is None and now - self._looked_at >= SECONDS_BETWEEN_LOOKS:
            self._looked_at = now
            self._look = asyncio.get_running_loop().create_task(self._look_at_servers())
        longest = LONGEST_WITH_CONSUMER_MILLISECONDS if self._has_consumer(message) else LONGEST_HAND_ON_MILLISECONDS
        share = round(1.0 - NOISE * self._rng.random(), 4)
        return HandOn(message.queue, message.id, token, share, longest)

    def close(self) -> None:
        """Look no more."""
        if self._look is not None:
            self._look.cancel()

    def _has_consumer(self, message: TaskMessage) -> bool:
        return any(message.queue in server.queues and server.handles(message.type) for server in self._servers)

    async def _look_at_servers(self) -> None:
        try:
            self._servers = await self._channel.run(handled_patterns(now=self._clock.now()))
        except AsynqpyError as error:
            log.debug("cannot read what other servers handle: %s", error)
        finally:
            self._look = None

    def _warn(self, message: TaskMessage, now: float) -> None:
        if now - self._warned_at.get(message.type, float("-inf")) < SECONDS_BETWEEN_WARNINGS:
            return
        if len(self._warned_at) >= REMEMBERED_TYPES:
            self._warned_at.clear()
        self._warned_at[message.type] = now
        log.warning(
            "no handler here for tasks of this type: they are handed on",
            extra={"task_type": message.type, "queue": message.queue, "task_id": message.id},
        )
