"""Group commit: calls made while a round trip is in flight share the next one. No timers, no linger.

A lone call leaves at once; under load batches form by themselves and grow with the load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class GroupCommit(Generic[T]):
    """Collects items and commits them in batches, one batch in flight at a time.

    Args:
        commit: writes a batch and returns one result or exception per item, in order. If it raises, every item of the
            batch gets the error.
        largest: items in one batch at most.
    """

    def __init__(self, commit: Callable[[list[T]], Awaitable[Sequence[Any]]], *, largest: int = 1000) -> None:
        self._commit = commit
        self._largest = largest
        self._waiting: list[tuple[T, asyncio.Future[Any]]] = []
        self._pump: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def submit(self, item: T) -> asyncio.Future[Any]:
        """Put *item* into the next batch; the future gets its result, or its error as an exception."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # what waited on an earlier loop ended with it
            self._loop, self._waiting, self._pump = loop, [], None
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((item, future))
        if self._pump is None:
            self._pump = loop.create_task(self._commit_all(), name="asynqpy group commit")
        return future

    async def drain(self) -> None:
        """Wait until everything that was submitted is committed."""
        while self._pump is not None and self._loop is asyncio.get_running_loop():
            await asyncio.shield(self._pump)

    async def _commit_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
                await self._commit_batch(batch)
        finally:
            self._pump = None

    async def _commit_batch(self, batch: list[tuple[T, asyncio.Future[Any]]]) -> None:
        try:
            results = await self._commit([item for item, _ in batch])
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
