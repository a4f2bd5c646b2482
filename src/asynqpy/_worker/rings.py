"""The parts of one running server, and the order in which they start and end.

Three rings say in what order things end: first what brings work in, then the work, last what keeps work alive (leases,
outcomes still to be written, cancellation).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from anyio import CancelScope, create_task_group, move_on_after
from anyio.abc import TaskStatus

from asynqpy._broker import due
from asynqpy._transport.channel import Channel
from asynqpy._transport.connect import Source
from asynqpy._wire import keys
from asynqpy._worker import reclaimer, recoverer
from asynqpy._worker.aggregator import Aggregator
from asynqpy._worker.callers import Callers
from asynqpy._worker.every import every
from asynqpy._worker.executor import Executor, Router
from asynqpy._worker.healthchecker import HealthChecker
from asynqpy._worker.heartbeater import Heartbeater
from asynqpy._worker.in_flight import InFlight, StopReason
from asynqpy._worker.limits import Limits
from asynqpy._worker.observing import guarded
from asynqpy._worker.process_pool import ProcessPool
from asynqpy._worker.processor import Processor
from asynqpy._worker.queue_order import QueueOrder
from asynqpy._worker.readiness import Readiness
from asynqpy._worker.reclaimer import Reclaimer
from asynqpy._worker.recoverer import Recoverer
from asynqpy._worker.results import Results
from asynqpy._worker.stall_watch import StallWatch
from asynqpy._worker.subscriber import Subscriber
from asynqpy._worker.sweeper import Sweeper, WatchedSet
from asynqpy._worker.tallies import Tallies
from asynqpy._worker.thread_pool import ThreadPool
from asynqpy._worker.unknown_types import UnknownTypes
from asynqpy._worker.waker import Waker
from asynqpy._worker.watcher import Watcher
from asynqpy.clock import Clock
from asynqpy.config import ServerConfig, seconds

log = logging.getLogger("asynqpy")

FLUSH_SECONDS = 5.0
"""How long the last outcomes may take to be written at shutdown."""

FORWARD_POLL = timedelta(seconds=5)
JANITOR_POLL = timedelta(seconds=8)


class Rings:
    """The parts of one running server, made on its event loop."""

    def __init__(
        self,
        router: Router,
        source: Source,
        config: ServerConfig,
        *,
        clock: Clock,
        server_id: str,
        claim_token: str,
        status: Callable[[], str],
    ) -> None:
        self._config = config
        self._clock = clock
        self._ending = asyncio.Event()
        self._drain = CancelScope()
        queues = list(config.queues)
        observer = guarded(config.observer)
        self._channel = Channel(source)
        self._in_flight = InFlight()
        self._callers = Callers(ThreadPool(config.concurrency), ProcessPool(config.isolated_processes, source.options))
        unknown_types = UnknownTypes(self._channel, clock)
        self._limits = Limits(self._channel, lease_seconds=seconds(config.lease), clock=clock)
        tallies = Tallies() if config.rollups else None
        self._executor = Executor(
            router, self._callers, self._in_flight, Results(self._channel), config, unknown_types, self._limits, tallies
        )
        self._heartbeater = Heartbeater(
            source,
            self._in_flight,
            self._executor,
            config,
            server_id=server_id,
            clock=clock,
            status=status,
            limits=self._limits,
            tallies=tallies,
        )
        self._stall_watch = StallWatch(self._in_flight)
        self._watcher = Watcher(source, observer)
        readiness = Readiness(queues)
        self._processor = Processor(
            source,
            self._executor,
            self._in_flight,
            readiness,
            QueueOrder(config.queues, strict=config.strict_priority),
            concurrency=config.concurrency,
            lease=timedelta(seconds=seconds(config.lease)),
            token=claim_token,
            clock=clock,
            observer=observer,
        )
        self._waker = Waker(
            self._watcher, readiness, poll_interval=timedelta(seconds=seconds(config.task_check_interval))
        )
        self._recoverer = Recoverer(
            queues, watcher=self._watcher, channel=self._channel, clock=clock, max_crashes=config.max_crashes
        )
        self._reclaimer = Reclaimer(queues, watcher=self._watcher, channel=self._channel)
        self._aggregator = Aggregator(queues, config, watcher=self._watcher, channel=self._channel, clock=clock)
        self._subscriber = Subscriber(source, self._in_flight, self._executor)
        self._forwarder = _forwarder(queues, self._watcher, self._channel)
        self._janitor = _janitor(queues, self._watcher, self._channel, batch_size=config.janitor_batch_size)

    async def run(self, task_status: TaskStatus[None]) -> None:
        """Run the parts until the end is asked for or the caller is cancelled, then end them ring by ring."""
        async with create_task_group() as guard:
            guard.start_soon(self._end_when_cancelled)
            with CancelScope(shield=True):  # being cancelled, too, ends the rings in their order
                await self._run_rings(task_status)
            guard.cancel_scope.cancel()

    async def _end_when_cancelled(self) -> None:
        try:
            await self._ending.wait()
        finally:
            self._ending.set()

    async def _run_rings(self, task_status: TaskStatus[None]) -> None:
        config = self._config
        self._heartbeater.start()
        self._stall_watch.start()
        try:
            async with create_task_group() as lifelines:
                for part in (self._watcher.run, self._executor.deadlines.run, self._subscriber.run):
                    lifelines.start_soon(part)
                for lane in self._processor.lanes:
                    lifelines.start_soon(lane.run)
                if config.health_check is not None:
                    checker = HealthChecker(self._channel, config.health_check)
                    lifelines.start_soon(self._every, seconds(config.health_check_interval), checker.tick)
                try:
                    async with create_task_group() as pumps:
                        for part in (self._waker.run, self._waker.poll, self._forwarder.run, self._janitor.run):
                            pumps.start_soon(part)
                        pumps.start_soon(self._aggregator.run)
                        pumps.start_soon(self._every, reclaimer.INTERVAL.total_seconds(), self._reclaimer.tick)
                        pumps.start_soon(self._every, recoverer.INTERVAL.total_seconds(), self._recoverer.tick)
                        log.info(
                            "server started", extra={"queues": dict(config.queues), "concurrency": config.concurrency}
                        )
                        task_status.started()
                        await self._ending.wait()
                        pumps.cancel_scope.cancel()
                finally:
                    with CancelScope(shield=True):
                        await self._end_work()
                lifelines.cancel_scope.cancel()
        finally:
            with CancelScope(shield=True):
                self._stall_watch.stop()
                self._callers.close()
                self._executor.close()
                await self._heartbeater.stop()
                with move_on_after(FLUSH_SECONDS):
                    await self._limits.drain()
                await self._channel.close()
            log.info("server ended")

    async def _every(self, interval: float, tick: Callable[[], Any]) -> None:
        await every(timedelta(seconds=interval), tick, clock=self._clock)

    async def _end_work(self) -> None:
        with self._drain, move_on_after(seconds(self._config.shutdown_timeout)):
            await self._processor.stop_claiming()
            await self._in_flight.wait_until_empty()
            await self._aggregator.finish()
        with move_on_after(FLUSH_SECONDS):
            await self._aggregator.abandon()
        with move_on_after(FLUSH_SECONDS):
            await self._processor.stop_claiming()  # also when the drain was cut short
        for running in self._in_flight:
            self._executor.stop(running, StopReason.SHUTDOWN)
        with move_on_after(FLUSH_SECONDS):
            await self._in_flight.wait_until_empty()
        if len(self._in_flight):
            log.warning("%d outcomes could not be written; their leases will end", len(self._in_flight))

    def stop_claiming(self) -> None:
        """Take no new tasks."""
        self._processor.claiming = False
        self._heartbeater.beat_soon()

    def shutdown(self, *, at_once: bool) -> None:
        """Begin the end."""
        self._processor.claiming = False
        self._ending.set()
        if at_once:
            self._drain.cancel()


def _forwarder(queues: Sequence[str], watcher: Watcher, channel: Channel) -> Sweeper:
    return Sweeper(
        "forwarder",
        queues,
        _waiting_sets,
        due.forward,
        watcher=watcher,
        channel=channel,
        poll_interval=FORWARD_POLL,
    )


def _janitor(queues: Sequence[str], watcher: Watcher, channel: Channel, *, batch_size: int) -> Sweeper:
    return Sweeper(
        "janitor",
        queues,
        lambda queue: [WatchedSet(keys.of_queue(queue).completed)],
        lambda queue: due.delete_expired(queue, limit=batch_size),
        watcher=watcher,
        channel=channel,
        poll_interval=JANITOR_POLL,
    )


def _waiting_sets(queue: str) -> list[WatchedSet]:
    q = keys.of_queue(queue)
    return [WatchedSet(q.scheduled), WatchedSet(q.retry), WatchedSet(q.due, milliseconds_per_unit=1)]
