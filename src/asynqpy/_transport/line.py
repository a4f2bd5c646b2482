"""A line: one connection that carries one exchange at a time and comes back by itself after a failure.

An exchange never raises for trouble with Redis: each call gets its reply or its error, so that what was answered before
a connection broke is not lost. The two classes are twins of the drivers' kind: one awaits, one blocks.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from typing import Any

import redis
from redis import asyncio as redis_async
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from asynqpy._broker.flow import Call
from asynqpy._transport.connect import Source
from asynqpy._transport.exchange import Exchange, Unreachable, exchange
from asynqpy._transport.replies import exchange_bytes, receive_replies, send_bytes
from asynqpy.config import Address
from asynqpy.errors import BrokerError, ConnectionLostError

_TROUBLE = (RedisError, OSError, EOFError)
_FOR_GOOD = (AuthenticationError, NoPermissionError, ssl.SSLError)
_CUT_SHORT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""TLS that ends in the middle, as when the server is killed: that goes away."""

IDLE_SECONDS = 0.5
"""A connection of a thread that was not used for so long is looked at before it is used again."""


class Line:
    """A connection on the running event loop: to where *source* leads, or to one node of its cluster."""

    def __init__(self, source: Source, address: Address | None = None) -> None:
        self._source = source
        self._address = address
        self._limit = source.timeout.total_seconds()
        self._connection: redis_async.Connection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._switches = source.switches
        self._switch_count = 0
        self._sent_at: float | None = None
        """Loop time at which the round trip in flight began."""
        self._watchdog: asyncio.TimerHandle | None = None
        self.connects = 0
        """How often this line has connected; each time after the first follows a failure."""

    async def exchange(self, calls: Sequence[Call]) -> list[Any]:
        """Send *calls* in one round trip; one reply or error for each, in order."""
        if not calls:
            return []
        if not self._is_connected():
            try:
                await self._connect()
            except _TROUBLE as error:
                return [_unreachable(error)] * len(calls)
        conversation = exchange(calls)
        try:
            data, count = next(conversation)
            while True:
                data, count = conversation.send(await self._round_trip(data, count))
        except StopIteration as finished:
            return finished.value  # type: ignore[no-any-return]
        except BaseException:  # cancelled: replies are still on their way, so the connection is of no more use
            await self.close()
            raise

    def _is_connected(self) -> bool:
        connection = self._connection
        if connection is None or self._loop is not asyncio.get_running_loop():
            return False
        if self._switches is not None and self._switch_count != self._switches.count:
            return False
        reader = connection._reader
        return reader is not None and not reader.at_eof() and reader.exception() is None

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        if self._connection is not None and self._loop is loop:
            await self.close()  # Redis has closed it meanwhile, after a restart or an idle timeout; or a new master
        self._loop = loop  # a connection of another loop, probably closed by now, cannot be used or closed from here
        self._watchdog = None
        self._switch_count = self._source.switch_count
        self._connection = await self._source.connected(self._address)
        self.connects += 1

    async def _round_trip(self, data: bytes, count: int) -> list[Any]:
        replies: list[Any] = []
        connection = self._connection
        if connection is None:
            return [_lost(None)] * count
        self._watch()
        try:
            await exchange_bytes(connection, data, count, replies)
        except _TROUBLE as error:
            late = self._sent_at is None
            await self.close()
            trouble = TimeoutError(f"no reply within {self._limit:g} s") if late else error
            replies += [_lost(trouble)] * (count - len(replies))
        finally:
            self._sent_at = None
        return replies

    def _watch(self) -> None:
        """Bound the round trip that begins now. One timer serves many round trips: arming one for each is slow."""
        loop = asyncio.get_running_loop()
        self._sent_at = loop.time()
        if self._watchdog is None:
            self._watchdog = loop.call_later(self._limit, self._check, loop)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watchdog = None
        if self._sent_at is None:
            return
        left = self._sent_at + self._limit - loop.time()
        if left > 0:
            self._watchdog = loop.call_later(left, self._check, loop)
        elif self._connection is not None and self._connection._writer is not None:
            self._sent_at = None
            self._connection._writer.transport.abort()  # what waits for a reply sees the connection end

    async def change_master(self) -> None:
        """Connect anew with the next exchange: this server is not, or not any more, the one to talk to."""
        await self.close()

    async def close(self) -> None:
        """Close the connection; the next exchange opens a new one."""
        connection, self._connection = self._connection, None
        watchdog, self._watchdog = self._watchdog, None
        if self._loop is not asyncio.get_running_loop():  # it ended with its loop
            return
        if watchdog is not None:
            watchdog.cancel()
        if connection is not None:
            await connection.disconnect(nowait=True)


class BlockingLine:
    """The same for threads; one thread at a time."""

    def __init__(self, source: Source, address: Address | None = None) -> None:
        self._source = source
        self._address = address
        self._connection: redis.Connection | None = None
        self._used_at = 0.0
        self._switches = source.switches
        self._switch_count = 0

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection already; it may turn out to be broken."""
        return self._connection is not None

    def begin(self, calls: Sequence[Call]) -> PendingExchange:
        """Send *calls* without waiting for the replies; `finish` must follow before anything else."""
        conversation = exchange(calls)
        try:
            self._connect()
        except _TROUBLE as error:
            return PendingExchange(conversation, len(calls), [_unreachable(error)] * len(calls))
        if not calls:
            return PendingExchange(conversation, 0, [])
        data, count = next(conversation)
        trouble = self._send(data)
        return PendingExchange(conversation, count, None, trouble)

    def finish(self, pending: PendingExchange) -> list[Any]:
        """The replies to what `begin` sent."""
        if pending.replies is not None:
            return pending.replies
        count, trouble = pending.count, pending.trouble
        try:
            while True:
                data, count = pending.conversation.send(self._receive(count, trouble))
                trouble = self._send(data)
        except StopIteration as finished:
            return finished.value  # type: ignore[no-any-return]
        except BaseException:  # interrupted: replies are still on their way
            self.close()
            raise
        finally:
            self._used_at = time.monotonic()

    def _connect(self) -> None:
        if self._connection is not None and time.monotonic() - self._used_at > IDLE_SECONDS and self._is_stale():
            self.close()
        if self._switches is not None and self._switch_count != self._switches.count:
            self.close()
        if self._connection is None:
            self._switch_count = self._source.switch_count
            self._connection = self._source.connected_blocking(self._address)

    def _is_stale(self) -> bool:
        """Whether the connection has anything to say: nobody asked it, so it says that it is closed."""
        try:
            return self._connection is None or self._connection.can_read()
        except _TROUBLE:
            return True

    def _send(self, data: bytes) -> BaseException | None:
        if self._connection is None:
            return ConnectionLostError("the connection broke before")
        try:
            send_bytes(self._connection, data)
        except _TROUBLE as error:
            self.close()
            return error
        return None

    def _receive(self, count: int, trouble: BaseException | None) -> list[Any]:
        replies: list[Any] = []
        try:
            if trouble is not None or self._connection is None:
                return [_lost(trouble)] * count
            receive_replies(self._connection, count, replies)
        except _TROUBLE as error:
            self.close()
            replies += [_lost(error)] * (count - len(replies))
        return replies

    def change_master(self) -> None:
        """Connect anew with the next exchange: this server is not, or not any more, the one to talk to."""
        self.close()

    def close(self) -> None:
        """Close the connection; the next exchange opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()


class PendingExchange:
    """An exchange whose replies are still to be read."""

    __slots__ = ("conversation", "count", "replies", "trouble")

    def __init__(
        self, conversation: Exchange, count: int, replies: list[Any] | None, trouble: BaseException | None = None
    ) -> None:
        self.conversation = conversation
        self.count = count
        self.replies = replies
        self.trouble = trouble


def _unreachable(error: BaseException) -> BrokerError:
    kind = BrokerError if _is_for_good(error) else Unreachable
    wrapped = kind(f"cannot reach Redis: {str(error) or type(error).__name__}")
    wrapped.__cause__ = error
    return wrapped


def _is_for_good(error: BaseException) -> bool:
    """Whether connecting failed for a reason that does not go away: a wrong password, a certificate."""
    reason: BaseException | None = error
    while reason is not None:
        if isinstance(reason, _FOR_GOOD) and not isinstance(reason, _CUT_SHORT):
            return True
        reason = reason.__cause__ or reason.__context__
    return False


def _lost(error: BaseException | None) -> ConnectionLostError:
    reason = str(error) or type(error).__name__
    wrapped = ConnectionLostError(f"lost the connection to Redis: {reason}")
    wrapped.__cause__ = error
    return wrapped
