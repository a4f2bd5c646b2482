"""Sends bytes and reads replies on a connection that redis-py has opened and logged in.

redis-py's own `read_response` goes through several layers for each reply, which is a tenth of the time of a short round
trip. With hiredis its reader is asked directly; without, the layers are used as they are.
"""

from __future__ import annotations

from typing import Any

import redis
from redis import asyncio as redis_async
from redis._parsers.hiredis import NOT_ENOUGH_DATA, _AsyncHiredisParser, _HiredisParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

DRAIN_BYTES = 65_536
"""More than this waits for the socket to take it, so that a slow server does not fill the memory."""

_READ_BYTES = 65_536


async def exchange_bytes(connection: redis_async.Connection, data: bytes, count: int, replies: list[Any]) -> None:
    """Send *data* and append *count* replies to *replies*; what Redis refused is appended as its error.

    Raises:
        RedisError, OSError: the connection is broken; the replies read before stay in *replies*.
    """
    parser = connection._parser
    if not isinstance(parser, _AsyncHiredisParser) or connection._writer is None:
        await _exchange_in_layers(connection, data, count, replies)
        return
    connection._writer.write(data)
    if len(data) > DRAIN_BYTES:
        await connection._writer.drain()
    stream: Any = parser._stream
    reader: Any = parser._reader
    while count:
        reply = reader.gets(False)
        if reply is NOT_ENOUGH_DATA:
            received = await stream.read(_READ_BYTES)
            if not received:
                raise RedisConnectionError("Connection closed by server.")
            reader.feed(received)
            continue
        if isinstance(reply, RedisConnectionError):
            raise reply
        replies.append(reply)
        count -= 1


async def _exchange_in_layers(connection: redis_async.Connection, data: bytes, count: int, replies: list[Any]) -> None:
    await connection.send_packed_command([data], check_health=False)
    for _ in range(count):
        try:
            replies.append(await connection.read_response(disable_decoding=True))
        except ResponseError as refused:
            replies.append(refused)


def send_bytes(connection: redis.Connection, data: bytes) -> None:
    """Send *data* from a thread.

    Raises:
        RedisError, OSError: the connection is broken.
    """
    if connection._sock is None:
        raise RedisConnectionError("Connection closed.")
    connection._sock.sendall(data)


def receive_replies(connection: redis.Connection, count: int, replies: list[Any]) -> None:
    """`exchange_bytes` for a thread: read what was asked for with `send_bytes`."""
    parser: Any = connection._parser
    if not isinstance(parser, _HiredisParser):
        _receive_in_layers(connection, count, replies)
        return
    reader: Any = parser._reader
    sock: Any = connection._sock
    buffer: bytearray = parser._buffer
    if sock is None:
        raise RedisConnectionError("Connection closed.")
    while count:
        reply = reader.gets(False)
        if reply is NOT_ENOUGH_DATA:
            received = sock.recv_into(buffer)
            if not received:
                raise RedisConnectionError("Connection closed by server.")
            reader.feed(buffer, 0, received)
            continue
        if isinstance(reply, RedisConnectionError):
            raise reply
        replies.append(reply)
        count -= 1


def _receive_in_layers(connection: redis.Connection, count: int, replies: list[Any]) -> None:
    for _ in range(count):
        try:
            replies.append(connection.read_response(disable_decoding=True))
        except ResponseError as refused:
            replies.append(refused)
