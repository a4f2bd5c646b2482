"""A search as an iterator, for each of the two faces."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Self

from asynqpy._broker.inspect.find import Search
from asynqpy._broker.inspect.walk import Tour
from asynqpy._transport.channel import BlockingChannel, Channel
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
            found = self._channel.run(self._search.more(now=self._clock.now()))
            if found is None:
                raise StopIteration
            self._found.extend(found)
        return self._found.popleft()


class AsyncTaskSearch(AsyncIterator[TaskInfo]):
    """`TaskSearch` as an asynchronous iterator."""

    def __init__(self, channel: Channel, search: Search, clock: Clock) -> None:
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

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TaskInfo:
        while not self._found:
            found = await self._channel.run(self._search.more(now=self._clock.now()))
            if found is None:
                raise StopAsyncIteration
            self._found.extend(found)
        return self._found.popleft()
