"""Writes what handlers store while they run: results, and how far they are."""

from __future__ import annotations

import asyncio

from asynqpy._broker.leases import begin
from asynqpy._broker.presence import write_result
from asynqpy._transport.channel import Channel
from asynqpy._worker.in_flight import Running
from asynqpy._worker.progress import ProgressReporter
from asynqpy.errors import InvalidTaskError, LeaseExpiredError


class Results:
    """Writes over the shared channel of the server, so that many results share a round trip."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self.progress = ProgressReporter(channel)

    async def write(self, running: Running, data: bytes) -> int:
        """Store *data* from the event loop.

        Raises:
            LeaseExpiredError: the attempt was stopped or has lost its claim; nothing was written.
        """
        if running.cancelled:
            raise LeaseExpiredError
        message = running.message
        return await self._channel.run(write_result(message.queue, message.id, running.token, data))

    async def begin(self, running: Running) -> None:
        """Note that the attempt begins; see `_broker.leases.begin`."""
        message = running.message
        await self._channel.run(begin(message.queue, message.id, running.token))

    def write_from_thread(self, running: Running, data: bytes) -> int:
        """Store *data* from another thread; blocks until it is stored.

        Raises:
            InvalidTaskError: called on the event loop, which would wait for itself for ever.
        """
        if asyncio._get_running_loop() is self._loop:
            raise InvalidTaskError("write_result_sync() is for threads; in an async handler await task.write_result()")
        return asyncio.run_coroutine_threadsafe(self.write(running, data), self._loop).result()
