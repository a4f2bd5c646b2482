"""Identical reads share one answer: those that ask at the same time, and those that ask shortly after.

asynqmon's front end can ask the same a hundred times a second, and a hundred dashboards ask the same of each other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

FRESH_SECONDS = 0.75
"""How old a shared answer may be."""

MOST_ANSWERS = 512


class SharedReads:
    """Answers by what was asked. `forget` after every change, so that nobody is told what was before it.

    Args:
        fresh_seconds: how old an answer may be.
    """

    def __init__(self, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._fresh_seconds = fresh_seconds
        self._answers: dict[Hashable, tuple[asyncio.Task[Any], float]] = {}
        self.asked = 0
        """How often something was asked."""
        self.read = 0
        """How often Redis had to be asked for it."""

    async def get(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """The answer to *key*: one that is being read or is fresh, else what *read* gives."""
        self.asked += 1
        now = time.monotonic()
        known = self._answers.get(key)
        if known is not None and now < known[1]:
            return await self._wait(known[0])
        self.read += 1
        self._make_room(now)
        task = asyncio.ensure_future(_awaited(read))
        self._answers[key] = (task, float("inf"))
        task.add_done_callback(lambda ended: self._settle(key, ended))
        return await self._wait(task)

    def forget(self) -> None:
        """Read everything anew from now on; what is being read is for those who wait for it already."""
        self._answers.clear()

    async def _wait(self, task: asyncio.Task[T]) -> T:
        return await asyncio.shield(task)  # others may wait for it after this one has gone

    def _settle(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        known = self._answers.get(key)
        if known is None or known[0] is not task:
            return
        if task.cancelled() or task.exception() is not None:
            del self._answers[key]  # those who waited have it; the next one tries again
        else:
            self._answers[key] = (task, time.monotonic() + self._fresh_seconds)

    def _make_room(self, now: float) -> None:
        if len(self._answers) < MOST_ANSWERS:
            return
        self._answers = {key: known for key, known in self._answers.items() if now < known[1]}
        while len(self._answers) >= MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]


async def _awaited(read: Callable[[], Awaitable[T]]) -> T:
    return await read()
