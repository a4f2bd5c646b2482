"""The subscriber: hears which tasks are to be cancelled, from Go's inspectors and from ours."""

from __future__ import annotations

import logging

from asynqpy._transport.connect import Source
from asynqpy._transport.pubsub import listen
from asynqpy._wire.keys import CANCEL_CHANNEL
from asynqpy._worker.executor import Executor
from asynqpy._worker.in_flight import InFlight, StopReason

log = logging.getLogger("asynqpy")


class Subscriber:
    """Stops running tasks whose id is published."""

    def __init__(self, source: Source, in_flight: InFlight, executor: Executor) -> None:
        self._source = source
        self._in_flight = in_flight
        self._executor = executor

    async def run(self) -> None:
        """Listen until cancelled."""
        async for payload in listen(self._source, CANCEL_CHANNEL):
            self.cancel(payload.decode("utf-8", "replace"))

    def cancel(self, task_id: str) -> None:
        """Stop every running task with this id: the message names no queue."""
        for running in self._in_flight.with_id(task_id):
            self._executor.stop(running, StopReason.CANCELLED)
