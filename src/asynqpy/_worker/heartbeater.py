"""The heartbeater: keeps the leases of running tasks alive and tells Redis that this server is there.

It has a thread and a connection of its own, so that a handler which blocks the event loop does not cost its neighbours
their leases. Leases come first; the announcement never delays them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from asynqpy import __version__, about, schemas
from asynqpy._broker.flow import Flow
from asynqpy._broker.leases import extend_each
from asynqpy._broker.presence import announce, withdraw
from asynqpy._broker.rollups import roll_up
from asynqpy._transport.connect import Source
from asynqpy._transport.lane import BlockingLane
from asynqpy._wire.records import ServerInfo, WorkerInfo, storable_text
from asynqpy._worker.executor import Executor
from asynqpy._worker.in_flight import InFlight, Running, StopReason
from asynqpy._worker.limits import Limits
from asynqpy._worker.tallies import Tallies
from asynqpy.about import About
from asynqpy.clock import Clock
from asynqpy.config import ServerConfig, seconds
from asynqpy.errors import AsynqpyError, BrokerError, ConnectionLostError

T = TypeVar("T")

log = logging.getLogger("asynqpy")

INTERVAL_SECONDS = 5.0
SECONDS_AFTER_FAILURE = 1.0
"""When leases could not be extended: a short one may not last until the next regular beat."""

LONGEST_ANNOUNCEMENT = 1000
"""Running attempts listed at most: the list is for people, and is rewritten every five seconds."""


class Heartbeater:
    """One thread that beats every five seconds.

    Args:
        server_id: UUID of the server.
        status: the state to announce, asked at each beat.
        limits: the permits to extend with the leases.
        tallies: what to write into the rollups.
    """

    def __init__(
        self,
        source: Source,
        in_flight: InFlight,
        executor: Executor,
        config: ServerConfig,
        *,
        server_id: str,
        clock: Clock,
        status: Callable[[], str],
        limits: Limits | None = None,
        tallies: Tallies | None = None,
    ) -> None:
        self._tallies = tallies
        self._limits = limits
        self._lane = BlockingLane(source, patience=timedelta(0))  # the next beat tries again, other queues do not wait
        self._in_flight = in_flight
        self._executor = executor
        self._config = config
        self._lease_seconds = seconds(config.lease)
        self._clock = clock
        self._status = status
        self._host = storable_text(socket.gethostname() or "unknown-host")
        self._pid = os.getpid()
        self._server_id = server_id
        self._started_at = clock.now()
        self._beating = threading.Lock()
        self._stop = threading.Event()
        self._soon = threading.Event()
        self._told_schemas = b""
        self._about = about.encode(About(config.app_version, __version__))
        self._failed = False
        """Whether the last beat could not extend some lease."""
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def identity(self) -> str:
        """``host:pid:server id``, part of the keys of this server."""
        return f"{self._host}:{self._pid}:{self._server_id}"

    def start(self) -> None:
        """Start the thread; the running loop is the one that is told of lost leases."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="asynqpy heartbeater", daemon=True)
        self._thread.start()

    def beat_soon(self) -> None:
        """Announce a change of state without waiting for the next beat."""
        self._soon.set()

    async def stop(self) -> None:
        """Withdraw the announcement and end the thread."""
        self._stop.set()
        self._soon.set()
        thread = self._thread
        if thread is not None:
            await asyncio.to_thread(thread.join)

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            self._failed = False
            try:
                self.beat()
            except Exception:  # a bug here must not cost every task its lease
                log.exception("a heartbeat failed")
            interval = SECONDS_AFTER_FAILURE if self._failed else INTERVAL_SECONDS
            self._soon.wait(max(0.0, interval - (time.monotonic() - began)))
            self._soon.clear()
        self._roll_up()
        try:
            self._say(lambda: withdraw(self.identity))
        except AsynqpyError as error:
            log.warning("could not withdraw the announcement of this server; it expires by itself: %s", error)
        self._lane.close()

    def beat(self) -> None:
        """Extend all leases and permits, then announce the server. One thread at a time: there is one connection."""
        with self._beating:
            held = self._in_flight.snapshot()
            self._extend_all(held)
            if self._limits is not None and self._limits.holds_permits:
                self._keep_permits(self._limits)
            try:
                self._announce(held)
            except AsynqpyError as error:
                log.warning("could not announce this server: %s", error)
            self._roll_up()

    def _roll_up(self) -> None:
        """Write down what was done since the last beat. Nothing is said twice: rather too little is counted."""
        counts = self._tallies.unsent() if self._tallies is not None else {}
        if self._tallies is None or not counts:
            return
        try:
            refused = self._lane.run(roll_up(counts, now=self._clock.now()))
        except AsynqpyError as error:
            refused = dict.fromkeys(counts, error)
        for queue, refusal in refused.items():
            if not isinstance(refusal, ConnectionLostError):
                self._tallies.take_back(queue, counts[queue])
            log.debug("could not write down what was done in queue %r: %s", queue, refusal)

    def _say(self, flow: Callable[[], Flow[T]]) -> T:
        """Run a flow, once more if the connection turns out to be broken: all that is said here may be said twice."""
        try:
            return self._lane.run(flow())
        except ConnectionLostError:
            return self._lane.run(flow())

    def _extend_all(self, held: dict[str, list[Running]]) -> None:
        sent_at = time.monotonic()
        claims = {queue: [(running.message.id, running.token) for running in held[queue]] for queue in held}
        milliseconds = int(self._lease_seconds * 1000)
        lost = self._lane.run(extend_each(claims, lease_milliseconds=milliseconds))
        if all(isinstance(ids, ConnectionLostError) for ids in lost.values()):
            lost = self._lane.run(extend_each(claims, lease_milliseconds=milliseconds))
        for queue, ids in lost.items():
            if isinstance(ids, AsynqpyError):
                self._not_extended(queue, held[queue], ids)
                continue
            gone = set(ids)
            for running in held[queue]:
                if running.message.id not in gone:
                    running.lease_until = sent_at + self._lease_seconds
                elif self._in_flight.get(queue, running.message.id) is running:
                    self._lose(running)

    def _not_extended(self, queue: str, attempts: list[Running], error: AsynqpyError) -> None:
        self._failed = True
        log.warning("could not extend the leases of queue %r: %s", queue, error)
        now = time.monotonic()
        for running in attempts:
            if running.lease_until <= now:
                self._lose(running)

    def _keep_permits(self, limits: Limits) -> None:
        try:
            self._say(limits.keep)
        except BrokerError as error:
            self._failed = True
            log.warning("could not extend the permits of limited tasks: %s", error)

    def _lose(self, running: Running) -> None:
        if running.concluded or running.stop_reason is StopReason.LEASE_LOST:
            return
        log.warning(
            "lease lost: the task runs elsewhere or will",
            extra={"queue": running.message.queue, "task_id": running.message.id},
        )
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._executor.stop, running, StopReason.LEASE_LOST)

    def _announce(self, held: dict[str, list[Running]]) -> None:
        attempts = [running for running_in_queue in held.values() for running in running_in_queue if running.started]
        info = ServerInfo(
            host=self._host,
            pid=self._pid,
            server_id=self._server_id,
            concurrency=min(self._config.concurrency, 2**31 - 1),
            queues=self._config.queues,
            strict_priority=self._config.strict_priority,
            status=self._status(),
            start_time=self._started_at,
            active_worker_count=len(attempts),
        )
        listed = [self._worker_info(running) for running in attempts[:LONGEST_ANNOUNCEMENT]]
        patterns = self._executor.handled()
        found = schemas.encode(self._executor.schemas())
        is_known = found == self._told_schemas
        self._told_schemas = b""
        told = self._say(
            lambda: announce(
                self.identity,
                info,
                listed,
                patterns=patterns,
                schemas=found,
                schemas_are_known=is_known,
                about=self._about,
                now=self._clock.now(),
            )
        )
        self._told_schemas = found if told else b""

    def _worker_info(self, running: Running) -> WorkerInfo:
        message = running.message
        return WorkerInfo(
            host=self._host,
            pid=self._pid,
            server_id=self._server_id,
            task_id=message.id,
            task_type=message.type,
            task_payload=message.payload,
            queue=message.queue,
            start_time=datetime.fromtimestamp(running.started, UTC),
            deadline=datetime.fromtimestamp(max(0.0, min(running.deadline, 253_402_300_799)), UTC),
        )
