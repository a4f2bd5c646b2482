"""What a server does with tasks whose type it does not know, when it is to hand them on."""

from __future__ import annotations

import logging
import time
from random import Random

from asynqpy._broker.finish import HandOn
from asynqpy._wire.records import TaskMessage

log = logging.getLogger("asynqpy")

SECONDS_BETWEEN_WARNINGS = 600.0
"""For one type: it may come back every minute for as long as a deployment takes."""

REMEMBERED_TYPES = 1000

NOISE = 0.25
"""The part of a delay that chance may take off."""


class UnknownTypes:
    """Makes the records that hand tasks on, and says so once for each type in a while."""

    def __init__(self, rng: Random | None = None) -> None:
        self._rng = rng or Random()
        self._warned_at: dict[str, float] = {}

    def hand_on(self, message: TaskMessage, token: str) -> HandOn:
        """What to write about a task that was claimed under *token*."""
        self._warn(message)
        return HandOn(message.queue, message.id, token, round(1.0 - NOISE * self._rng.random(), 4))

    def _warn(self, message: TaskMessage) -> None:
        now = time.monotonic()
        if now - self._warned_at.get(message.type, float("-inf")) < SECONDS_BETWEEN_WARNINGS:
            return
        if len(self._warned_at) >= REMEMBERED_TYPES:
            self._warned_at.clear()
        self._warned_at[message.type] = now
        log.warning(
            "no handler here for tasks of this type: they are handed on",
            extra={"task_type": message.type, "queue": message.queue, "task_id": message.id},
        )
