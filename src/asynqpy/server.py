"""The worker server: its states, its signals, its ways to be started. What runs in it is in `_worker.rings`."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import partial
from typing import Self, Unpack

from anyio import TASK_STATUS_IGNORED, CancelScope
from anyio.abc import TaskStatus

from asynqpy._broker.presence import ping
from asynqpy._transport.channel import Channel
from asynqpy._transport.connect import RedisTarget, Source
from asynqpy._worker.executor import Router
from asynqpy._worker.rings import Rings
from asynqpy.clock import Clock, SystemClock
from asynqpy.config import ServerConfig, ServerSettings
from asynqpy.errors import ConfigError, ServerClosedError, ServerStateError
from asynqpy.handlers import Handler, Route, route_to
from asynqpy.identity import new_id, new_token
from asynqpy.lifecycle import loop_factory, running
from asynqpy.mux import ServeMux
from asynqpy.patterns import EVERYTHING, PatternTree
from asynqpy.schemas import Schema

log = logging.getLogger("asynqpy")

COLLECTOR_THRESHOLD = 20_000


class ServerState(StrEnum):
    """The life of a server; the words are those that it announces in Redis."""

    NEW = "new"
    ACTIVE = "active"
    STOPPED = "stopped"
    """Takes no new tasks; running ones continue."""
    CLOSED = "closed"


class Server:
    """Takes tasks from queues and runs their handlers.

    Nothing is contacted before it is started. A server runs once: after its end make a new one.

    Args:
        redis: a URL, `RedisOptions`, or a redis-py client, whose settings are then used and which is
            never closed; ``ASYNQPY_REDIS_URL`` or ``redis://localhost:6379/0`` when not given.
        clock: the source of time for what is not judged by Redis' own clock.
        claim_token: twelve hexadecimal digits that mark this server's claims; random unless a supervisor chooses it.
        settings: see `ServerConfig`.

    Raises:
        ConfigError: settings that cannot work.
    """

    def __init__(
        self,
        redis: RedisTarget = None,
        *,
        clock: Clock | None = None,
        claim_token: str | None = None,
        **settings: Unpack[ServerSettings],
    ) -> None:
        self.config = ServerConfig(**settings)
        self.id = new_id()
        self._clock = clock or SystemClock()
        self._claim_token = claim_token or new_token()
        self._source = Source(redis)
        for queue in self.config.queues:
            refusal = self._source.refusal_of_queue(queue)
            if refusal is not None:
                raise ConfigError(refusal)
        self._state = ServerState.NEW
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rings: Rings | None = None
        self._asked: list[Callable[[Rings], None]] = []
        """What `stop` and `shutdown` asked for before there were parts to do it."""

    @property
    def state(self) -> ServerState:
        """Where the server is in its life."""
        return self._state

    def run(self, handler: ServeMux | Handler) -> None:
        """Serve until told to stop; blocks. For the main program.

        TERM and INT let running tasks finish for `shutdown_timeout`, put the rest back, and return; the same signal
        again puts them back at once. TSTP stops taking new tasks and keeps the running ones. Uses uvloop where it is
        installed, and tells the garbage collector to look less often.

        Raises:
            ServerStateError: the server is already running or was.
        """
        _calm_the_collector()
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(self._run_with_signals(handler))

    async def serve(self, handler: ServeMux | Handler, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Serve inside a running event loop until `shutdown` is called or the caller is cancelled.

        Either way running tasks may finish for `shutdown_timeout`, and the rest is put back.
        """
        router = _router(handler)
        self._enter(ServerState.ACTIVE)
        self._loop = asyncio.get_running_loop()
        try:
            if self._source.starts_server:
                await asyncio.to_thread(self._source.resolve)
            self._rings = Rings(
                router,
                self._source,
                self.config,
                clock=self._clock,
                server_id=self.id,
                claim_token=self._claim_token,
                status=lambda: self._state.value,
            )
            for do in self._asked:
                do(self._rings)
            await self._rings.run(task_status)
        finally:
            self._state = ServerState.CLOSED
            with CancelScope(shield=True):
                await asyncio.to_thread(self._source.close)  # waits for an embedded server whose last user this was

    @asynccontextmanager
    async def running(self, handler: ServeMux | Handler) -> AsyncIterator[Self]:
        """Serve while the block runs; for tests, and for programs that do other things too."""
        async with running(partial(self.serve, handler), self.shutdown):
            yield self

    def stop(self) -> None:
        """Take no new tasks; running ones continue, their leases too. Safe from any thread; ignored when not active."""
        if self._state is ServerState.ACTIVE:
            self._state = ServerState.STOPPED
            self._tell(lambda rings: rings.stop_claiming())

    def shutdown(self, *, at_once: bool = False) -> None:
        """Begin the end: let running tasks finish for `shutdown_timeout`, then put the rest back.

        Returns immediately; `serve` and `run` return when it is done. Safe from any thread, ignored when not running.

        Args:
            at_once: put running tasks back without waiting for them.
        """
        if self._state in (ServerState.ACTIVE, ServerState.STOPPED):
            self._tell(lambda rings: rings.shutdown(at_once=at_once))

    async def ping(self) -> None:
        """Ask Redis whether it is there. A closed server does not ask.

        Raises:
            BrokerError: it is not.
        """
        if self._state is ServerState.CLOSED:
            return
        channel = Channel(self._source)
        try:
            await channel.run(ping())
        finally:
            await channel.close()

    def _enter(self, state: ServerState) -> None:
        match self._state:
            case ServerState.NEW:
                self._state = state
            case ServerState.CLOSED:
                raise ServerClosedError
            case ServerState.STOPPED:
                raise ServerStateError("asynq: the server is in the stopped state. Waiting for shutdown.")
            case ServerState.ACTIVE:
                raise ServerStateError("asynq: the server is already running")

    def _tell(self, do: Callable[[Rings], None]) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        loop.call_soon_threadsafe(lambda: do(self._rings) if self._rings is not None else self._asked.append(do))

    async def _run_with_signals(self, handler: ServeMux | Handler) -> None:
        loop = asyncio.get_running_loop()
        asked = 0

        def end() -> None:
            nonlocal asked
            asked += 1
            log.info("shutting down" if asked == 1 else "shutting down at once")
            self.shutdown(at_once=asked > 1)

        handled: dict[signal.Signals, Callable[[], None]] = {signal.SIGTERM: end, signal.SIGINT: end}
        if sys.platform != "win32":
            handled[signal.SIGTSTP] = self.stop
        in_main_thread = threading.current_thread() is threading.main_thread() and sys.platform != "win32"
        if in_main_thread:
            for number, act in handled.items():
                loop.add_signal_handler(number, act)
        try:
            await self.serve(handler)
        finally:
            if in_main_thread:
                for number in handled:
                    loop.remove_signal_handler(number)


class _OneRoute:
    """The router of a server whose handler is a single function."""

    def __init__(self, route: Route) -> None:
        self._route = route

    def route(self, task_type: str) -> Route:
        return self._route

    def handled(self) -> PatternTree:
        return EVERYTHING

    def schemas(self) -> Mapping[str, Schema]:
        schema = self._route.typed.payload_schema if self._route.typed is not None else None
        return {} if schema is None else {"": schema}


def _router(handler: ServeMux | Handler) -> Router:
    if handler is None:
        raise ConfigError("the server cannot run without a handler: pass a ServeMux or a function")
    return handler if isinstance(handler, ServeMux) else _OneRoute(route_to("", handler))


def _calm_the_collector() -> None:
    """Let the garbage collector look less often, and never at what was there before the first task.

    A worker makes thousands of short-lived objects in each turn and frees them without its help. Python's default, a
    look for every 700 new objects, costs a sixth of the throughput.
    """
    gc.collect()
    gc.freeze()
    first, second, third = gc.get_threshold()
    if 0 < first < COLLECTOR_THRESHOLD:
        gc.set_threshold(COLLECTOR_THRESHOLD, second, third)
