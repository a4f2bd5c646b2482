"""Waiting for tasks of others: any number of waits over one tracking connection.

A task that is waited for is looked at once, and again whenever Redis pushes that it has changed; looks that are due at
the same time share a round trip. Where nothing is pushed all tasks are looked at from time to time instead, and a slow
look at all of them stays on in any case.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, TypeAlias

from asynqpy._broker.flow import Call
from asynqpy._broker.waiting import Sight, failure, failure_call, gone, look, read_look
from asynqpy._transport.connect import Source
from asynqpy._transport.lane import Lane
from asynqpy._transport.tracking import KeyWatch
from asynqpy._wire import keys
from asynqpy.errors import AsynqpyError, BrokerError, ConnectionLostError, WaitTimeoutError
from asynqpy.task import Progress

log = logging.getLogger("asynqpy")

ProgressListener: TypeAlias = "Callable[[Progress], object]"
"""Called with each progress that a task reports; `AsyncClient` awaits what it returns, if that can be awaited."""

LARGEST_LOOK = 500
"""Tasks in one round trip at most: about a millisecond of Redis."""

POLL_SECONDS = 0.5
"""Between two looks where nothing is pushed, and a tenth of a millisecond more for each task."""

SAFETY_SECONDS = 30.0
"""Between two looks at everything although changes are pushed."""

REOPEN_SECONDS = 5.0
"""Between two attempts to have changes pushed."""


class Ticket:
    """One wait."""

    __slots__ = ("_news", "existed", "final", "listens", "looked", "progress", "queue", "task_id")

    def __init__(self, queue: str, task_id: str, *, existed: bool, listens: bool) -> None:
        self.queue = queue
        self.task_id = task_id
        self.existed = existed
        self.listens = listens
        self.looked = False
        self.progress: Progress | None = None
        self.final: Sight | AsynqpyError | None = None
        self._news: asyncio.Future[None] | None = None

    def see(self, sight: Sight) -> None:
        """Take note of what a look has shown."""
        first, self.looked = not self.looked, True
        if sight.state is None:
            self.end(gone(self.queue, self.task_id, existed=self.existed))
            return
        self.existed = True
        if sight.progress is not None:
            self.progress = sight.progress
        if sight.is_final:
            self.end(sight)
        elif first or self.listens:
            self._tell()

    def end(self, final: Sight | AsynqpyError) -> None:
        """There is nothing more to wait for."""
        self.looked = True
        if self.final is None:
            self.final = final
            self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def news(self) -> None:
        """Return when something may have changed."""
        self._news = asyncio.get_running_loop().create_future()
        await self._news


class Waits:
    """Every wait of one client, on one event loop."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._forget_loop(None)

    def _forget_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """What waited on an earlier loop ended with it."""
        self._loop = loop
        self._watch = KeyWatch(self._source, self._changed)
        self._lane = Lane(self._source)
        self._tickets: dict[str, list[Ticket]] = {}
        self._changed_keys: dict[str, None] = {}
        """Keys to look at, in the order in which they changed."""
        self._keeper: asyncio.Task[None] | None = None
        self._asleep: asyncio.Future[None] | None = None
        self._open_at = 0.0
        self._sweep_at = 0.0
        self._said = False

    @property
    def count(self) -> int:
        """How many tasks are waited for."""
        return len(self._tickets)

    async def wait(
        self, queue: str, task_id: str, *, existed: bool, timeout: float | None, on_progress: ProgressListener | None
    ) -> bytes | None:
        """The result of a task, as soon as it is completed. See `Client.wait`."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._forget_loop(loop)
        ticket = Ticket(queue, task_id, existed=existed, listens=on_progress is not None)
        key = keys.of_queue(queue).task(task_id)
        self._tickets.setdefault(key, []).append(ticket)
        self._look_soon(key)
        if self._keeper is None or self._keeper.done():
            self._keeper = loop.create_task(self._keep_looking(), name="asynqpy waits")
            self._keeper.add_done_callback(self._keeper_ended)
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                await _follow(ticket, on_progress)
        except TimeoutError:
            if not limit.expired():  # a listener's own
                raise
            while not ticket.looked:  # however short the timeout is, there is one look
                await ticket.news()
            if ticket.final is None:
                raise WaitTimeoutError(queue, task_id, timeout or 0.0) from None
        finally:
            self._drop(key, ticket)
        if isinstance(ticket.final, Sight):
            return ticket.final.result
        raise ticket.final or ConnectionLostError("the wait has ended without an outcome")

    def _drop(self, key: str, ticket: Ticket) -> None:
        tickets = self._tickets.get(key)
        if tickets is not None and ticket in tickets:
            tickets.remove(ticket)
            if not tickets:
                del self._tickets[key]
                self._changed_keys.pop(key, None)

    async def close(self) -> None:
        """End every wait, and close the connections."""
        if self._loop is not asyncio.get_running_loop():
            return
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
        for ticket in self._all_tickets():
            ticket.end(ConnectionLostError("the client was closed while it waited"))
        await self._watch.close()
        await self._lane.close()

    # What wakes the keeper.

    def _changed(self, key: str | None) -> None:
        if key is None:
            if not self._watch.is_open:
                self._open_at = 0.0
            self._look_at_all()
        elif key in self._tickets:
            self._look_soon(key)

    def _look_at_all(self) -> None:
        self._changed_keys = dict.fromkeys(self._tickets)
        self._wake()

    def _look_soon(self, key: str) -> None:
        self._changed_keys[key] = None
        self._wake()

    def _wake(self) -> None:
        if self._asleep is not None and not self._asleep.done():
            self._asleep.set_result(None)

    def _all_tickets(self) -> list[Ticket]:
        return [ticket for tickets in self._tickets.values() for ticket in tickets]

    # The keeper: the only one that talks to Redis.

    async def _keep_looking(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep_at = loop.time() + SAFETY_SECONDS
        while True:
            now = loop.time()
            if not self._watch.is_open and now >= self._open_at:
                await self._have_changes_pushed()
            if now >= self._sweep_at:
                self._look_at_all()
            while self._changed_keys:
                chunk = list(islice(self._changed_keys, LARGEST_LOOK))
                for key in chunk:
                    del self._changed_keys[key]
                if not await self._look(chunk):
                    break
            await self._sleep()

    def _keeper_ended(self, keeper: asyncio.Task[None]) -> None:
        """A bug must not leave anybody waiting for ever."""
        if not keeper.cancelled() and (error := keeper.exception()) is not None:
            log.error("waiting for tasks has failed", exc_info=error)
            for ticket in self._all_tickets():
                ticket.end(ConnectionLostError(f"waiting has failed: {error}"))

    async def _sleep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._sweep_at <= now or not self._watch.is_open:
            pause = SAFETY_SECONDS if self._watch.is_open else POLL_SECONDS + len(self._tickets) / 10_000
            self._sweep_at = now + pause if self._sweep_at <= now else min(self._sweep_at, now + pause)
        if self._changed_keys and self._watch.is_open:
            return
        wake_at = self._sweep_at if self._watch.is_open else min(self._sweep_at, max(self._open_at, now + 0.05))
        self._asleep = loop.create_future()
        timer = loop.call_later(max(0.0, wake_at - now), self._wake)
        try:
            await self._asleep
        finally:
            timer.cancel()
            self._asleep = None

    async def _have_changes_pushed(self) -> None:
        try:
            await self._watch.open()
        except BrokerError as error:
            self._open_at = asyncio.get_running_loop().time() + REOPEN_SECONDS
            if not self._said:
                self._said = True
                log.warning("Redis does not push changes, so tasks that are waited for are polled: %s", error)
        else:
            self._said = False
            self._look_at_all()

    async def _look(self, chunk: Sequence[str]) -> bool:
        """Look at the tasks of these keys; False when it must be tried again later."""
        known = [(key, tickets[0]) for key in chunk if (tickets := self._tickets.get(key))]
        replies = await self._read([look(ticket.queue, ticket.task_id) for _, ticket in known])
        if replies is None:
            return False
        archived: list[tuple[str, Ticket]] = []
        for (key, ticket), reply in zip(known, replies, strict=True):
            if isinstance(reply, AsynqpyError):
                self._trouble(key, reply)
                continue
            sight = read_look(reply)
            if sight.state == "archived":
                archived.append((key, ticket))
                continue
            for waiting in self._tickets.get(key, ()):
                waiting.see(sight)
        return await self._look_for_failures(archived) if archived else True

    async def _look_for_failures(self, archived: Sequence[tuple[str, Ticket]]) -> bool:
        replies = await self._read([failure_call(ticket.queue, ticket.task_id) for _, ticket in archived])
        if replies is None:
            return False
        for (key, ticket), reply in zip(archived, replies, strict=True):
            if isinstance(reply, AsynqpyError):
                self._trouble(key, reply)
                continue
            for waiting in self._tickets.get(key, ()):
                waiting.end(failure(ticket.queue, ticket.task_id, reply))
        return True

    async def _read(self, calls: Sequence[Call]) -> list[Any] | None:
        """The replies over the tracking connection, or over another while there is none; None when it broke."""
        if not self._watch.is_open:
            return await self._lane.exchange(calls)
        replies = await self._watch.read(calls)
        return replies if self._watch.is_open else None

    def _trouble(self, key: str, error: AsynqpyError) -> None:
        """A task could not be looked at. Who has seen it goes on waiting for Redis; who has not is told."""
        for ticket in self._tickets.get(key, ()):
            if not ticket.looked:
                ticket.end(error)


async def _follow(ticket: Ticket, on_progress: ProgressListener | None) -> None:
    """Return when the wait is over; meanwhile tell what the task reports."""
    told: Progress | None = None
    while True:
        if on_progress is not None and ticket.progress is not None and ticket.progress != told:
            told = ticket.progress
            answer = on_progress(told)
            if inspect.isawaitable(answer):
                await answer
            continue  # something may have changed meanwhile
        if ticket.final is not None:
            return
        await ticket.news()
