"""The supervisor: keeps a number of worker processes running, and gives the tasks of those that die to the others.

It starts a command as often as it is asked to. Each child gets a socket, its leash, and the token that marks its claims
(`CHILD_VARIABLE`). It says on the leash when it serves, and learns there, from its end, that the supervisor is gone.
Because the supervisor chose the token it can find the tasks of a dead child and put them back at once, where anybody
else would have to wait for their leases to end.

Children are in process groups of their own: what a terminal sends goes to the supervisor, which passes it on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Protocol

from anyio import create_task_group
from anyio.abc import TaskGroup

from asynqpy._broker.dequeue import claimed_by
from asynqpy._broker.leases import recover
from asynqpy._broker.presence import ping
from asynqpy._transport.channel import Channel
from asynqpy._transport.connect import RedisTarget
from asynqpy.clock import Clock, SystemClock
from asynqpy.errors import BrokerError
from asynqpy.identity import new_token

log = logging.getLogger("asynqpy")

CHILD_VARIABLE = "ASYNQPY_CHILD"
"""In the environment of a child: ``descriptor:token``, the socket that is its leash and the token of its claims."""

SERVING = b"serving\n"
"""What a child says on its leash once it serves and handles signals."""

END_ALLOWANCE = timedelta(seconds=15)
"""How long a child may take beyond its shutdown timeout to write its last outcomes; then it is killed."""

LONG_LIFE_SECONDS = 10.0
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.1, 5.0

RECOVERY_PASSES_SECONDS = (0.0, 1.0, 5.0)
"""When to look for the tasks of a dead child: at once, and again for a claim that was still on its way when it died."""

RECOVERY_ATTEMPT_SECONDS = 1.0
LONGEST_RECOVERY_SECONDS = 60.0
"""How long to try when Redis cannot be reached: by then every lease has ended, and any worker takes the tasks back."""


class EndListener(Protocol):
    """Hears of children that have ended."""

    def __call__(self, process: int, *, crashed: bool) -> None:
        """The child with this process id has ended."""
        ...


class RestartDelays:
    """How long a replacement has to wait: not at all after a long life, then longer after each short one. Pure."""

    def __init__(self) -> None:
        self._short_lives = 0

    def after(self, lived_seconds: float) -> float:
        """Seconds to wait after a child that lived for so long."""
        if lived_seconds >= LONG_LIFE_SECONDS:
            self._short_lives = 0
        self._short_lives += 1
        if self._short_lives == 1:
            return 0.0
        return float(min(FIRST_DELAY_SECONDS * 2 ** min(self._short_lives - 2, 10), LONGEST_DELAY_SECONDS))


class Child:
    """A worker process as its supervisor knows it."""

    def __init__(self, process: asyncio.subprocess.Process, leash: socket.socket, token: str) -> None:
        self.process = process
        self.leash = leash
        self.token = token
        self.started = time.monotonic()
        self.serves = False
        self.told_to_end = False
        self.over = asyncio.Event()
        """Its place is free: it has ended, or it is on its way out and another may take over."""
        self.killer: asyncio.TimerHandle | None = None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it has ended."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def end(self, limit: timedelta) -> None:
        """Tell it to drain and end; kill it when it has not within *limit*. Again: it puts its tasks back at once."""
        self.told_to_end = True
        self.signal(signal.SIGTERM)
        if self.killer is not None:
            self.killer.cancel()
        self.killer = asyncio.get_running_loop().call_later(limit.total_seconds(), self._kill, limit)

    def kill_what_it_started(self) -> None:
        """Kill the processes that it left, such as those of isolated handlers, before their tasks run elsewhere."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _kill(self, limit: timedelta) -> None:
        log.error(
            "worker process did not end and is killed",
            extra={"worker": self.process.pid, "waited_seconds": limit.total_seconds()},
        )
        self.signal(signal.SIGKILL)


class Supervisor:
    """Runs *command* in *processes* children.

    Args:
        command: the command line of a worker that knows what `CHILD_VARIABLE` means.
        processes: how many to keep running.
        redis: where Redis is, as for `Server`.
        queues: those that the children serve: where the tasks of dead ones are looked for.
        max_crashes: archive a task when it was lost with its worker this often.
        shutdown_timeout: what the children have; one that takes much longer to end is killed.
        changes: yields whenever the children are to be replaced by new ones. With it, children that cannot start wait
            for the next change instead of ending the supervisor.
        environment: more variables for the children.
        when_ended: called with the process id of each child that has ended, and with ``crashed``: nobody had told it
            to, or it had to be killed.
        clock: the source of time.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        processes: int,
        redis: RedisTarget,
        queues: Sequence[str],
        max_crashes: int,
        shutdown_timeout: timedelta,
        changes: Callable[[], AsyncIterator[object]] | None = None,
        environment: Mapping[str, str] | None = None,
        when_ended: EndListener | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._command = list(command)
        self._processes = processes
        self._redis = redis
        self._queues = list(queues)
        self._max_crashes = max_crashes
        self._shutdown_timeout = shutdown_timeout
        self._changes = changes
        self._environment = dict(environment or {})
        self._when_ended = when_ended
        self._clock = clock or SystemClock()
        self._children: set[Child] = set()
        self._replacing = True
        """Whether children that end are replaced."""
        self._end_asked = False
        self._exit_code = 0

    def run(self) -> int:
        """Supervise until told to end; blocks. Return an exit code: 0 when all children ended in good order.

        TERM and INT let the children drain, the second one makes them put their tasks back at once. TSTP makes them
        take no new tasks. A first child that ends before it serves ends the supervisor too, with its exit code.

        Raises:
            BrokerError: Redis cannot be reached at the start.
        """
        return asyncio.run(self.supervise())

    async def supervise(self) -> int:
        """`run` inside a running event loop."""
        self._channel = Channel(self._redis)
        self._serving = asyncio.Event()
        """Some child has served since the start, or since the last change."""
        self._changed = asyncio.Event()
        self._ending = asyncio.Event()
        try:
            await self._channel.run(ping())
            with _handling({signal.SIGTERM: self.end, signal.SIGINT: self.end, signal.SIGTSTP: self.quiet}):
                await self._keep_all()
        finally:
            await self._channel.close()
        return self._exit_code

    def end(self) -> None:
        """Let all children drain and end; when called again, let them put their tasks back at once."""
        again, self._end_asked = self._end_asked, True
        log.info("ending the worker processes at once" if again else "ending the worker processes")
        self._stop_replacing()
        self._ending.set()
        limit = END_ALLOWANCE if again else self._shutdown_timeout + END_ALLOWANCE
        for child in self._children:
            if again or not child.told_to_end:
                child.end(limit)

    def quiet(self) -> None:
        """Let all children finish what they have and take nothing new. Those that die are not replaced any more."""
        log.info("the worker processes take no new tasks")
        self._stop_replacing()
        for child in self._children:
            if child.serves:
                child.signal(signal.SIGTSTP)
            elif not child.told_to_end:  # the signal would suspend it; it has no tasks yet
                child.end(END_ALLOWANCE)

    def replace(self) -> None:
        """Start new children, and let the present ones drain and end meanwhile."""
        if not self._replacing:
            return
        self._serving.clear()
        self._changed.set()
        for child in self._children:
            if not child.told_to_end:
                child.end(self._shutdown_timeout + END_ALLOWANCE)
                child.over.set()

    def _stop_replacing(self) -> None:
        self._replacing = False
        self._serving.set()  # whoever waits for one of these looks whether it still should
        self._changed.set()

    async def _keep_all(self) -> None:
        async with create_task_group() as followers:
            if self._changes is not None:
                followers.start_soon(self._follow, self._changes())
            async with create_task_group() as keepers:
                for place in range(self._processes):
                    keepers.start_soon(self._keep, place, keepers)
            followers.cancel_scope.cancel()

    async def _follow(self, changes: AsyncIterator[object]) -> None:
        async for _ in changes:
            log.info("files have changed: new worker processes take over")
            self.replace()

    async def _keep(self, place: int, keepers: TaskGroup) -> None:
        """Keep one place taken. The first place goes ahead: if its child cannot serve, no other could."""
        delays = RestartDelays()
        while True:
            if place > 0:
                await self._serving.wait()
            if not self._replacing:
                return
            self._changed.clear()
            try:
                child = await self._start()
            except OSError as error:  # no memory, no descriptors
                log.error("cannot start a worker process, will try again: %s", error)  # noqa: TRY400 - the text says it
                await self._pause(delays.after(0.0) + FIRST_DELAY_SECONDS)
                continue
            keepers.start_soon(self._attend, child)
            await child.over.wait()
            if child.told_to_end:
                continue
            if place == 0 and not self._serving.is_set():
                await self._cannot_serve(child)
            else:
                await self._pause(delays.after(time.monotonic() - child.started))

    async def _cannot_serve(self, child: Child) -> None:
        if self._changes is None:
            code = child.process.returncode or 0
            self._exit_code = code if code > 0 else 1
            self._stop_replacing()
        else:
            log.error("the worker cannot start; waiting for files to change")
            await self._changed.wait()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)

    async def _start(self) -> Child:
        ours, theirs = socket.socketpair()
        token = new_token()
        with theirs, _closed_on_error(ours):
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, **self._environment, CHILD_VARIABLE: f"{theirs.fileno()}:{token}"},
                pass_fds=[theirs.fileno()],
                process_group=0,
            )
        ours.setblocking(False)
        child = Child(process, ours, token)
        self._children.add(child)
        if not self._replacing:  # told to stop while it was being started
            child.end(END_ALLOWANCE)
        return child

    async def _attend(self, child: Child) -> None:
        """See a child through to its end, and look after what it leaves."""
        async with create_task_group() as listeners:
            listeners.start_soon(self._listen, child)
            await child.process.wait()
            listeners.cancel_scope.cancel()
        code = child.process.returncode or 0
        child.over.set()
        self._children.discard(child)
        child.leash.close()
        if child.killer is not None:
            child.killer.cancel()
        # The signal itself ends a child that does not handle it yet, or no more.
        crashed = not child.told_to_end or code not in (0, -signal.SIGTERM)
        if crashed:
            self._report(child, code)
            child.kill_what_it_started()
        if self._when_ended is not None:
            self._when_ended(child.process.pid, crashed=crashed)
        await self._return_tasks(child)

    async def _listen(self, child: Child) -> None:
        said = await asyncio.get_running_loop().sock_recv(child.leash, len(SERVING))
        if said and not child.told_to_end:
            child.serves = True
            self._serving.set()

    def _report(self, child: Child, code: int) -> None:
        log.error(
            "worker process ended unexpectedly",
            extra={
                "worker": child.process.pid,
                "exit": _named_exit(code),
                "lived": f"{time.monotonic() - child.started:.1f}s",
            },
        )
        if self._end_asked:
            self._exit_code = 1

    # What a child leaves behind.

    async def _return_tasks(self, child: Child) -> None:
        limit = time.monotonic() + LONGEST_RECOVERY_SECONDS
        for passed in RECOVERY_PASSES_SECONDS:
            if passed:
                if self._ending.is_set() or not child.serves:
                    return
                await self._pause(passed)
            for queue in self._queues:
                await self._return_tasks_to(queue, child, limit)

    async def _return_tasks_to(self, queue: str, child: Child, limit: float) -> None:
        while True:
            try:
                held = await self._channel.run(claimed_by(queue, f"{child.token}:"))
                returned = await self._channel.run(
                    recover(queue, held, max_crashes=self._max_crashes, now=self._clock.now())
                )
            except BrokerError as error:
                log.warning("cannot return the tasks of a worker process: %s", error, extra={"queue": queue})
                if time.monotonic() > limit or self._ending.is_set():
                    return
                await self._pause(RECOVERY_ATTEMPT_SECONDS)
            else:
                break
        for task in returned:
            log.warning(
                "task was lost with its worker and is archived"
                if task.archived
                else "task was lost with its worker and runs again",
                extra={"queue": queue, "task_id": task.id, "crashes": task.crashes, "worker": child.process.pid},
            )


@contextmanager
def _handling(handlers: dict[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Handle signals on the running loop while the block runs."""
    loop = asyncio.get_running_loop()
    for number, handle in handlers.items():
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


@contextmanager
def _closed_on_error(leash: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        leash.close()
        raise


def _named_exit(code: int) -> str:
    """``SIGKILL`` for a child that a signal ended, else ``code 1``."""
    if code >= 0:
        return f"code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
