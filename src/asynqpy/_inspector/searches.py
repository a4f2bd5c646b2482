"""A search as an iterator, for each of the two faces."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Self

from asynqpy._broker.inspect.find import Search, Step
from asynqpy._broker.inspect.walk import Tour
from asynqpy._transport.channel import Begun, BlockingChannel, Channel
from asynqpy.clock import Clock
from asynqpy.inspection import SearchCoverage
from asynqpy.task import TaskInfo


def toured(channel: BlockingChannel, tour: Tour, clock: Clock) -> Iterator[TaskInfo]:
    """The tasks of a tour, read as they are wanted."""
    while (found := channel.run(tour.more(now=clock.now()))) is not None:
        yield from found


class TaskSearch(Iterator[TaskInfo]):
    """The tasks that a search finds, one after the other. Redis is asked as they are wanted."""

    def __init__(self, channel: BlockingChannel, search: Search, clock: Clock) -> None:
        self._channel = channel
        self._search = search
        self._clock = clock
        self._found: deque[TaskInfo] = deque()

    @property
    def coverage(self) -> SearchCoverage:
        """How much was looked at so far."""
        return self._search.coverage

    @property
    def cursor(self) -> str | None:
        """Where the search has got to when its limit or budget has ended it: text to go on with later.

        None when everything was looked at, or nothing yet.
        """
        return self._search.cursor

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> TaskInfo:
        while not self._found:
            found = self._more()
            if found is None:
                raise StopIteration
            self._found.extend(found)
        return self._found.popleft()

    def batches(self) -> Iterator[list[TaskInfo]]:
        """The tasks that are left, as many at once as were found at once: faster where there are thousands."""
        if self._found:
            left, self._found = list(self._found), deque()
            yield left
        while (found := self._more()) is not None:
            if found:
                yield found

    def _more(self) -> list[TaskInfo] | None:
        return self._channel.run(self._search.more(now=self._clock.now()))


class AsyncTaskSearch(AsyncIterator[TaskInfo]):
    """`TaskSearch` as an asynchronous iterator. While it looks at what was read, Redis reads on."""

    def __init__(self, channel: Channel, search: Search, clock: Clock) -> None:
        self._channel = channel
        self._search = search
        self._clock = clock
        self._found: deque[TaskInfo] = deque()
        self._step: Step | None = None
        self._ahead: Begun[Step | None] | None = None

    @property
    def coverage(self) -> SearchCoverage:
        """How much was looked at so far."""
        return self._search.coverage

    @property
    def cursor(self) -> str | None:
        """Where the search has got to when its limit or budget has ended it: text to go on with later.

        None when everything was looked at, or nothing yet.
        """
        return self._search.cursor

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TaskInfo:
        while not self._found:
            found = await self._more()
            if found is None:
                raise StopAsyncIteration
            self._found.extend(found)
        return self._found.popleft()

    async def batches(self) -> AsyncIterator[list[TaskInfo]]:
        """The tasks that are left, as many at once as were found at once: faster where there are thousands."""
        if self._found:
            left, self._found = list(self._found), deque()
            yield left
        while (found := await self._more()) is not None:
            if found:
                yield found

    async def _more(self) -> list[TaskInfo] | None:
        """What was found in the next step; None when the search is over."""
        search, channel, now = self._search, self._channel, self._clock.now()
        if self._step is None:
            ahead, self._ahead = self._ahead, None
            self._step = await (channel.run(search.read(now=now)) if ahead is None else channel.finish(ahead))
            if self._step is None:
                return None
            if search.may_read_ahead:
                self._ahead = channel.begin(search.read(now=now))
                await asyncio.sleep(0)  # now it is on its way
        found = await channel.run(search.sift(self._step, now=now))
        self._step = None  # not before: what fails may be tried again
        if search.went_back:
            self._ahead = None
        return found
