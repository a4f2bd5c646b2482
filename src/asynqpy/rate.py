"""asynq's semaphore: at most so many tasks at once, counted in Redis, by Go and Python handlers together.

For handlers of one pattern ``max_active=`` does more with less: nothing to write in the handler, and who waits is
called in turn. The semaphore is for what several kinds of tasks share, and for sharing with Go.
"""

from __future__ import annotations

import logging
import math
from datetime import timedelta
from types import TracebackType
from typing import Self

from asynqpy._broker.flow import Flow
from asynqpy._broker.limits import return_token, take_token
from asynqpy._transport.channel import BlockingChannel, Channel
from asynqpy._transport.connect import RedisTarget
from asynqpy.config import seconds
from asynqpy.context import current_task
from asynqpy.errors import BrokerError, ConfigError, SemaphoreFull
from asynqpy.options import Duration
from asynqpy.task import Task

log = logging.getLogger("asynqpy")


class Semaphore:
    """A number of tokens that running tasks share, on any number of servers; the same as ``x/rate`` of asynq.

    Use it inside a handler, with ``async with`` on the event loop and ``with`` in threads and child processes::

        downloads = Semaphore("redis://localhost:6379/0", "downloads", 5)

        @mux.handler("video:download")
        async def download(task: Task) -> None:
            async with downloads:
                ...

    When all tokens are taken `SemaphoreFull` is raised: the task runs again a moment later, which spends no retry and
    counts no failure. A token belongs to the task, and ends by itself after the deadline of the attempt, so that one
    whose worker dies comes back; a task that runs again takes over its own.

    Make one object, at the top of a module; it connects when it is first used.

    Args:
        redis: a URL, `RedisOptions`, or a redis-py client, whose settings are then used and which is never closed.
        scope: the name of what is shared; Go peers must use the same.
        max_tokens: how many tasks may hold a token at once.
        delay: how long a task waits that got none.

    Raises:
        ConfigError: a blank scope, or a number that cannot work.
    """

    def __init__(
        self, redis: RedisTarget, scope: str, max_tokens: int, *, delay: Duration = timedelta(seconds=1)
    ) -> None:
        if not isinstance(scope, str) or not scope.strip():
            raise ConfigError(f"the scope of a semaphore must contain one or more characters, got {scope!r}")
        if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 1:
            raise ConfigError(f"max_tokens of a semaphore must be a whole number of at least 1, got {max_tokens!r}")
        if seconds(delay) <= 0:
            raise ConfigError(f"the delay of a semaphore must be positive, got {delay!r}")
        self.scope = scope
        self.max_tokens = max_tokens
        self._delay = seconds(delay)
        self._redis = redis
        self._awaited: Channel | None = None
        self._blocking: BlockingChannel | None = None

    async def acquire(self) -> bool:
        """Take a token for the running task; False when all are taken. Never waits for one.

        Raises:
            AsynqpyError: no task is running here.
            BrokerError: Redis is down or refuses.
        """
        if self._awaited is None:
            self._awaited = Channel(self._redis)
        return await self._awaited.run(self._take(current_task()))

    def acquire_sync(self) -> bool:
        """`acquire` for plain functions in threads and child processes."""
        return self._blocking_channel().run(self._take(current_task()))

    async def release(self) -> bool:
        """Return the token of the running task; False when it has none, or it has ended by itself.

        Raises:
            AsynqpyError: no task is running here.
            BrokerError: Redis is down or refuses.
        """
        if self._awaited is None:
            self._awaited = Channel(self._redis)
        return await self._awaited.run(return_token(self.scope, current_task().id))

    def release_sync(self) -> bool:
        """`release` for plain functions in threads and child processes."""
        return self._blocking_channel().run(return_token(self.scope, current_task().id))

    async def close(self) -> None:
        """Close the connections; they open again when the semaphore is used."""
        awaited, self._awaited = self._awaited, None
        if awaited is not None:
            await awaited.close()
        self.close_sync()

    def close_sync(self) -> None:
        """Close the connections of threads."""
        blocking, self._blocking = self._blocking, None
        if blocking is not None:
            blocking.close()

    def _blocking_channel(self) -> BlockingChannel:
        if self._blocking is None:
            self._blocking = BlockingChannel(self._redis)
        return self._blocking

    def _take(self, task: Task) -> Flow[bool]:
        deadline = task.deadline
        unix = deadline.timestamp() if deadline is not None else 0.0
        return take_token(self.scope, task.id, max_tokens=self.max_tokens, deadline_seconds=math.ceil(unix))

    async def __aenter__(self) -> Self:
        if not await self.acquire():
            raise SemaphoreFull(self._delay, self.scope)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.release()
        except BrokerError as trouble:
            self._report(trouble)

    def __enter__(self) -> Self:
        if not self.acquire_sync():
            raise SemaphoreFull(self._delay, self.scope)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.release_sync()
        except BrokerError as trouble:
            self._report(trouble)

    def _report(self, trouble: BrokerError) -> None:
        """The work is done: a token that cannot be returned ends with the deadline of its task."""
        log.warning("a token of semaphore %r could not be returned: %s", self.scope, trouble)
