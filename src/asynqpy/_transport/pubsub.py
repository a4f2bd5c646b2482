"""Listening to a channel, for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from redis import asyncio as redis_async
from redis.exceptions import RedisError

from asynqpy._transport.connect import Source
from asynqpy._transport.exchange import pack
from asynqpy._transport.topology import Watching

log = logging.getLogger("asynqpy")

RESUBSCRIBE_SECONDS = 1.0
PING_SECONDS = 30.0
"""A connection that is silent for so long is asked whether it still lives."""


async def listen(source: Source, channel: str) -> AsyncIterator[bytes]:
    """The messages published to *channel*. Subscribes again by itself; what is published meanwhile is missed."""
    said = False
    kick = _Kick()
    if source.switches is not None:
        source.switches.watch(kick)
    while True:
        connection = None
        try:
            switches = source.switch_count
            connection = kick.connection = await source.connected()
            if source.switch_count != switches:
                raise ConnectionError("another server is the master now")
            await connection.send_packed_command([pack(("SUBSCRIBE", channel))], check_health=False)
            said = False
            silent_rounds = 0
            while True:
                message = await connection.read_response(
                    disable_decoding=True, timeout=PING_SECONDS, disconnect_on_error=False, push_request=True
                )
                if message is None:
                    silent_rounds += 1
                    if silent_rounds > 1:
                        raise ConnectionError("no answer to PING")
                    await connection.send_packed_command([pack(("PING",))], check_health=False)
                    continue
                silent_rounds = 0
                if isinstance(message, list | tuple) and message[0] == b"message":
                    yield message[2]
        except (RedisError, OSError, EOFError) as error:
            if not said:
                log.warning("not listening to %s, will subscribe again: %s", channel, error)
                said = True
        finally:
            kick.connection = None
            if connection is not None:
                await connection.disconnect(nowait=True)
        await asyncio.sleep(RESUBSCRIBE_SECONDS)


class _Kick(Watching):
    """Ends the connection when another server has become the master, so that a new one is opened."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.connection: redis_async.Connection | None = None

    def place_changed(self) -> None:
        """Called in any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._abort)

    def _abort(self) -> None:
        if self.connection is not None and self.connection._writer is not None:
            self.connection._writer.transport.abort()
