"""Waiting that can be cut short."""

from __future__ import annotations

import asyncio
from datetime import datetime

from anyio import create_task_group

from asynqpy.clock import Clock


async def sleep_until(moment: datetime, clock: Clock, event: asyncio.Event) -> None:
    """Wait until *clock* shows *moment*, or until *event* is set, whichever comes first.

    If the clock is set meanwhile this may end too late or too early: look at it again.
    """
    async with create_task_group() as group:

        async def nap() -> None:
            await clock.sleep((moment - clock.now()).total_seconds())
            group.cancel_scope.cancel()

        group.start_soon(nap)
        await event.wait()
        group.cancel_scope.cancel()
