"""Waiting for something to become true, on the event loop and with a limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 30.0
"""How long an event may take that should come at once: these machines are shared."""


async def eventually(condition: Callable[[], T], *, limit_seconds: float = PATIENCE_SECONDS) -> T:
    """The first true value of *condition*, looked at every few milliseconds; fails when none comes in time."""
    deadline = time.monotonic() + limit_seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {limit_seconds:g} s; last value {value!r}"
        await asyncio.sleep(0.005)
