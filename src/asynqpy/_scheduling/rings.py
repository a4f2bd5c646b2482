"""The parts of one running scheduler, and the order in which they start and end."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import Protocol

from anyio import CancelScope, create_task_group, current_time
from anyio.abc import TaskStatus

from asynqpy._scheduling.announcer import Announcer
from asynqpy._scheduling.firing import Firing
from asynqpy._scheduling.hooks import Hooks
from asynqpy._scheduling.ticker import Ticker
from asynqpy._scheduling.timekeeper import RedisClock, Timekeeper
from asynqpy._scheduling.timetable import Timetable
from asynqpy._transport.channel import Channel
from asynqpy._transport.connect import Source
from asynqpy.clock import Clock

log = logging.getLogger("asynqpy")

SHUTDOWN_SECONDS = 8.0
"""How long ticks that are being dealt with may take at the end, hooks included."""


class Companion(Protocol):
    """Something that lives beside the ticker and changes the timetable."""

    async def start(self) -> None:
        """Called before anything else; an error ends the scheduler."""
        ...

    async def run(self) -> None:
        """Runs until cancelled."""
        ...


class Rings:
    """The parts of one running scheduler, made on its event loop."""

    def __init__(
        self,
        timetable: Timetable,
        source: Source,
        hooks: Hooks,
        *,
        identity: str,
        scheduler_id: str,
        heartbeat_interval: timedelta,
        clock: Clock,
        companion: Companion | None,
    ) -> None:
        self._timetable = timetable
        self._hooks = hooks
        self._clock = clock
        self._companion = companion
        self._ending = asyncio.Event()
        self._channel = Channel(source)
        self._firing = Firing(self._channel, hooks, scheduler_id=scheduler_id, clock=clock, ending=self._ending)
        self._announcer = Announcer(
            timetable,
            self._channel,
            identity=identity,
            interval=heartbeat_interval,
            clock=clock,
        )
        self._timekeeper = (
            Timekeeper(clock, self._channel, on_change=self._look) if isinstance(clock, RedisClock) else None
        )
        self._ticker: Ticker | None = None

    async def run(self, task_status: TaskStatus[None]) -> None:
        """Run the parts until the end is asked for or the caller is cancelled, then end them in their order."""
        async with create_task_group() as guard:
            guard.start_soon(self._end_when_cancelled)
            with CancelScope(shield=True):  # being cancelled, too, lets ticks be dealt with
                try:
                    await self._start_companion()
                    if not self._ending.is_set():
                        await self._run_parts(task_status)
                finally:
                    self._hooks.close()
                    await self._channel.close()
            guard.cancel_scope.cancel()

    async def _end_when_cancelled(self) -> None:
        try:
            await self._ending.wait()
        finally:
            self._ending.set()

    async def _start_companion(self) -> None:
        if self._companion is None:
            return
        async with create_task_group() as group:

            async def give_up() -> None:
                await self._ending.wait()
                group.cancel_scope.cancel()

            group.start_soon(give_up)
            await self._companion.start()
            group.cancel_scope.cancel()

    async def _run_parts(self, task_status: TaskStatus[None]) -> None:
        self._timetable.open(self._clock.now())
        try:
            async with create_task_group() as firings:
                self._ticker = Ticker(
                    self._timetable,
                    self._firing,
                    clock=self._clock,
                    ring=firings,
                    on_begin=self._announcer.announce_soon,
                )
                async with create_task_group() as pumps:
                    pumps.start_soon(self._announcer.run)
                    pumps.start_soon(self._tick, self._ticker)
                    if self._timekeeper is not None:
                        pumps.start_soon(self._timekeeper.run)
                    if self._companion is not None:
                        pumps.start_soon(self._companion.run)
                    log.info("scheduler started", extra={"entries": len(self._timetable.jobs())})
                    task_status.started()
                    await self._ending.wait()
                    pumps.cancel_scope.cancel()
                firings.cancel_scope.deadline = current_time() + SHUTDOWN_SECONDS
        finally:
            await self._announcer.withdraw()
        log.info("scheduler ended")

    async def _tick(self, ticker: Ticker) -> None:
        """Run the ticker, by Redis' clock once that is known: until then nothing can be enqueued anyway."""
        if self._timekeeper is not None:
            began = time.monotonic()
            await self._timekeeper.wait_until_measured()
            self._timetable.open(self._clock.now() - timedelta(seconds=time.monotonic() - began))
        await ticker.run()

    def _look(self) -> None:
        if self._ticker is not None:
            self._ticker.look()

    def changed(self) -> None:
        """The timetable has changed."""
        self._look()
        self._announcer.announce_soon()

    def shutdown(self) -> None:
        """Begin the end."""
        self._ending.set()
