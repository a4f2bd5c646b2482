"""Learning that a key changed without asking again: ``CLIENT TRACKING`` over one RESP3 connection.

A key that is read here is remembered by Redis; the first change to it, whoever makes it, is pushed once. Reading it
again remembers it anew. Nothing has to be configured on the server.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from redis import asyncio as redis_async
from redis.exceptions import RedisError, ResponseError

from asynqpy._broker.flow import Call
from asynqpy._transport.connect import Source
from asynqpy._transport.exchange import pack, refusal
from asynqpy.errors import BrokerError, ConnectionLostError

log = logging.getLogger("asynqpy")

_PUSHED = object()
_TROUBLE = (RedisError, OSError, EOFError)


class KeyWatch:
    """One tracking connection.

    Args:
        source: where to connect.
        on_change: called with the name of a key that was read here and has changed, or with None when any may have.
    """

    def __init__(self, source: Source, on_change: Callable[[str | None], None]) -> None:
        self._source = source
        self._on_change = on_change
        self._limit = source.timeout.total_seconds()
        self._connection: redis_async.Connection | None = None
        self._replies: deque[asyncio.Future[Any]] = deque()
        self._reader: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether changes are being pushed."""
        return self._connection is not None

    async def open(self) -> None:
        """Connect and switch tracking on.

        Raises:
            BrokerError: Redis cannot be reached, or refuses RESP3 or tracking.
        """
        await self.close()
        try:
            connection = await self._source.connected()
        except _TROUBLE as error:
            raise BrokerError(f"cannot open a tracking connection: {error}") from error
        parser: Any = connection._parser
        parser.set_invalidation_push_handler(self._pushed)
        self._connection = connection
        self._reader = asyncio.create_task(self._read_all(connection), name="asynqpy tracking")
        reply = (await self.read([Call(("CLIENT", "TRACKING", "ON"))]))[0]
        if isinstance(reply, BrokerError):
            await self.close()
            raise reply

    async def read(self, calls: Sequence[Call]) -> list[Any]:
        """The replies to *calls*, or errors in their places; the keys that they read are watched from now on."""
        connection = self._connection
        if connection is None or not calls:
            return [ConnectionLostError("the tracking connection is closed")] * len(calls)
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Any]] = [loop.create_future() for _ in calls]
        self._replies.extend(futures)
        try:
            async with asyncio.timeout(self._limit):
                await connection.send_packed_command(
                    [b"".join([pack(call.words) for call in calls])], check_health=False
                )
                await asyncio.wait(futures)
        except _TROUBLE as error:
            self._break(error)
        results: list[Any] = []
        for call, future in zip(calls, futures, strict=True):
            trouble = future.exception() if future.done() else ConnectionLostError("no reply")
            if trouble is None:
                results.append(future.result())
            else:
                results.append(refusal(trouble, call) if isinstance(trouble, ResponseError) else trouble)
        return results

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
        self._fail_replies(ConnectionLostError("the tracking connection was closed"))
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _pushed(self, message: Sequence[Any]) -> object:
        names = message[1]
        if names is None:  # FLUSHALL and the like
            self._on_change(None)
        else:
            for name in names:
                self._on_change(name.decode())
        return _PUSHED

    async def _read_all(self, connection: redis_async.Connection) -> None:
        while True:
            try:
                reply = await connection.read_response(disable_decoding=True, timeout=math.inf, push_request=True)
            except ResponseError as refused:
                if self._replies:
                    self._replies.popleft().set_exception(refused)
                continue
            except _TROUBLE as error:
                self._break(error)
                return
            if reply is not _PUSHED and self._replies:
                future = self._replies.popleft()
                if not future.done():
                    future.set_result(reply)

    def _break(self, error: BaseException) -> None:
        connection, self._connection = self._connection, None
        wrapped = ConnectionLostError(f"lost the tracking connection: {str(error) or type(error).__name__}")
        self._fail_replies(wrapped)
        if connection is not None:
            asyncio.get_running_loop().create_task(connection.disconnect(nowait=True))
            self._on_change(None)

    def _fail_replies(self, error: BrokerError) -> None:
        while self._replies:
            future = self._replies.popleft()
            if not future.done():
                future.set_exception(error)
                future.exception()  # read by nobody when its caller has given up
