"""Group commit: calls made while a round trip is in flight share the next one. No timers, no linger.

A lone call leaves at once; under load batches form by themselves and grow with the load. With two ways out, a second
batch may leave while the first is in flight, once it is worth it: then Redis works on one while Python makes the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")

Commit: TypeAlias = "Callable[[list[T]], Awaitable[Sequence[Any]]]"
"""Writes a batch and returns one result or exception per item, in order; if it raises, every item gets the error."""

WORTH_A_SECOND_FLIGHT = 32
"""Items that must be waiting before a batch leaves while another is in flight."""


class GroupCommit(Generic[T]):
    """Collects items and commits them in batches.

    Args:
        commits: the ways out; each carries one batch at a time.
        largest: items in one batch at most.
    """

    def __init__(self, *commits: Commit[T], largest: int = 1000) -> None:
        self._commits = commits
        self._largest = largest
        self._forget_loop(None)

    def _forget_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """What waited on an earlier loop ended with it."""
        self._loop = loop
        self._waiting: list[tuple[T, asyncio.Future[Any]]] = []
        self._free = list(self._commits)
        self._pumps: set[asyncio.Task[None]] = set()
        self._starting = False
        self._flying = 0
        self._ended: asyncio.Future[None] | None = None

    def submit(self, item: T) -> asyncio.Future[Any]:
        """Put *item* into the next batch; the future gets its result, or its error as an exception."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._forget_loop(loop)
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((item, future))
        self._send_off()
        return future

    async def commit(self, item: T) -> Any:
        """Commit *item* and return its result, or raise its error.

        A lone call is written by its caller itself, which saves two rounds of the event loop. If that caller is
        cancelled on the way, nobody knows whether the item was written; other callers notice nothing.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._forget_loop(loop)
        if self._waiting or len(self._free) < len(self._commits):
            return await self.submit(item)
        free = self._free
        commit = free.pop()
        try:
            result = (await commit([item]))[0]
        finally:
            self._came_back(free, commit)
        if isinstance(result, Exception):
            raise result
        return result

    async def drain(self) -> None:
        """Wait until everything that was submitted is committed."""
        loop = asyncio.get_running_loop()
        while self._loop is loop and len(self._free) < len(self._commits):
            if self._ended is None:
                self._ended = loop.create_future()
            await asyncio.shield(self._ended)

    def _send_off(self) -> None:
        """Let a batch leave if there is something to write, a way out, and a reason to take it now."""
        if self._starting or not self._free or not self._waiting:
            return
        if len(self._free) < len(self._commits) and len(self._waiting) < WORTH_A_SECOND_FLIGHT:
            return
        self._starting = True
        pump = asyncio.create_task(self._fly(self._free, self._free.pop()), name="asynqpy group commit")
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)

    async def _fly(self, free: list[Commit[T]], commit: Commit[T]) -> None:
        # By now everything that was submitted in the same round of the loop is waiting.
        self._starting = False
        size = min(self._largest, self._fair_share())
        batch, self._waiting = self._waiting[:size], self._waiting[size:]
        self._flying += len(batch)
        self._send_off()  # another may go with the rest
        try:
            await self._commit_batch(commit, batch)
        finally:
            self._came_back(free, commit, len(batch))

    def _fair_share(self) -> int:
        """How many items a batch takes: all, or half of what is under way where there are two ways out."""
        if len(self._commits) == 1:
            return len(self._waiting)
        return max(WORTH_A_SECOND_FLIGHT, (len(self._waiting) + self._flying + 1) // 2)

    def _came_back(self, free: list[Commit[T]], commit: Commit[T], flown: int = 0) -> None:
        if free is not self._free:  # of a loop that has ended
            return
        self._flying -= flown
        free.append(commit)
        self._send_off()
        if self._ended is not None and len(self._free) == len(self._commits):
            self._ended.set_result(None)
            self._ended = None

    async def _commit_batch(self, commit: Commit[T], batch: list[tuple[T, asyncio.Future[Any]]]) -> None:
        try:
            results = await commit([item for item, _ in batch])
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():  # its caller gave up
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
