"""Finding the master: sentinels are asked until one names a server that says itself that it is the master.

Asked anew for each connection, so that every lane, watch and subscription follows a failover by connecting again. Pure:
`Source` does what the steps say, awaiting or blocking.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Literal, TypeAlias

from redis.exceptions import ConnectionError as RedisConnectionError

from asynqpy._transport.access import Access, Endpoint

SENTINEL_SECONDS = 3.0
"""How long one sentinel may take to answer: the next one knows as much."""

Step: TypeAlias = tuple[Literal["ask", "open"], Endpoint]
Search: TypeAlias = Generator[Step, Any, Any]
"""Yields a sentinel to ask for the address, or a server to connect to; is sent the answer, or the error as a value."""


def find_master(access: Access, is_deposed: Callable[[tuple[bytes, bytes]], bool] = lambda _: False) -> Search:
    """The search for the master; returns the connection to it.

    Args:
        access: the sentinels.
        is_deposed: whether another one is known to have taken over from an address lately: a sentinel that still names
            it is the last to hear of that.

    Raises:
        RedisConnectionError: no sentinel knows a master that can be reached.
    """
    troubles: list[str] = []
    last: Exception | None = None
    for sentinel in list(access.sentinels):
        answer = yield "ask", sentinel
        if isinstance(answer, Exception) or answer is None:
            reason = str(answer) or type(answer).__name__ if answer is not None else "knows no such master"
            troubles.append(f"sentinel {_place(sentinel)}: {reason}")
            last = answer or last
            continue
        host, port = answer
        if is_deposed((host, port)):
            troubles.append(f"sentinel {_place(sentinel)}: names a master that was deposed")
            continue
        server = access.server.at(access.translate((host.decode(), int(port))))
        connection = yield "open", server
        if isinstance(connection, Exception):
            troubles.append(f"{_place(server)}: {str(connection) or type(connection).__name__}")
            last = connection
            continue
        access.sentinels[:] = [sentinel, *(other for other in access.sentinels if other is not sentinel)]
        return connection
    message = f"no sentinel leads to the master {access.sentinel_master!r}: {'; '.join(troubles)}"
    raise RedisConnectionError(message) from last


def question(access: Access) -> tuple[str, ...]:
    """What a sentinel is asked."""
    return "SENTINEL", "GET-MASTER-ADDR-BY-NAME", access.sentinel_master


def check_role(reply: Any) -> None:
    """Make sure that the reply to ``ROLE`` is a master's: a sentinel may be the last to hear of a failover.

    Raises:
        RedisConnectionError: it is not.
    """
    if reply[0] != b"master":
        raise RedisConnectionError(f"it is not the master but says {reply[0].decode()!r}")


def _place(endpoint: Endpoint) -> str:
    return f"{endpoint.settings['host']}:{endpoint.settings['port']}"
