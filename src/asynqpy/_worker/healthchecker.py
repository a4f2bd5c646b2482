"""Asks Redis for a sign of life at an interval and tells the user's callback."""

from __future__ import annotations

import inspect
import logging

from asynqpy._broker.presence import ping
from asynqpy._transport.channel import Channel
from asynqpy.config import HealthCheck
from asynqpy.errors import BrokerError

log = logging.getLogger("asynqpy")


class HealthChecker:
    """Calls *callback* with the error, or None when Redis answered."""

    def __init__(self, channel: Channel, callback: HealthCheck) -> None:
        self._channel = channel
        self._callback = callback

    async def tick(self) -> None:
        """One check."""
        error: BaseException | None = None
        try:
            await self._channel.run(ping())
        except BrokerError as trouble:
            error = trouble
        try:
            answer = self._callback(error)
            if inspect.isawaitable(answer):
                await answer
        except Exception:
            log.exception("health_check failed")
