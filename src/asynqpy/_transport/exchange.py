"""What one round trip sends and what its replies mean. Pure: lanes do the sending and reading.

Scripts are called by digest. A server that does not know one (after a restart or a failover) answers NOSCRIPT to that
call alone; then the script is loaded and only the failed calls are sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeAlias, cast

from redis.exceptions import AskError, ClusterDownError, NoScriptError, ReadOnlyError, RedisError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError

from asynqpy._broker.flow import Argument, Call
from asynqpy.errors import AsynqpyError, BrokerError

Exchange: TypeAlias = Generator[tuple[bytes, int], list[Any], list[Any]]
"""Yields bytes to send and how many replies to read, is sent the replies, returns one result or error per call."""


class RefusedForNow(BrokerError):  # noqa: N818 - callers see a BrokerError
    """Not executed, and may work in a moment: masters are changing, or a slot is being moved."""


class Unreachable(RefusedForNow):
    """Not sent: there was no connection, and none could be made."""


_FOR_NOW = (ReadOnlyError, ClusterDownError, TryAgainError, AskError)

_FOR_NOW_TEXTS = (
    "READONLY ",
    "NOREPLICAS ",
    "Not enough good replicas",
    "a non local key in a cluster node",
    "while the cluster is down",
)
"""How servers put the same into the error of a script, each version in its own way; and that a deposed master, which
has lost its replicas, obeys ``min-replicas-to-write``."""


def exchange(calls: Sequence[Call]) -> Exchange:
    """The conversation for *calls*."""
    replies = yield b"".join([pack(call.words) for call in calls]), len(calls)
    unknown = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if unknown:
        sources = dict.fromkeys(script.source for at in unknown if (script := calls[at].script) is not None)
        commands = [pack(("SCRIPT", "LOAD", source)) for source in sources]
        commands += [pack(calls[at].words) for at in unknown]
        answers = yield b"".join(commands), len(commands)
        for at, reply in zip(unknown, answers[len(sources) :], strict=True):
            replies[at] = reply
    for at, reply in enumerate(replies):
        if isinstance(reply, RedisError):
            replies[at] = refusal(reply, calls[at])
    return replies


def refusal(error: RedisError, call: Call) -> AsynqpyError:
    """The error for a *call* that Redis answered with an error."""
    name = f"script {call.script.name}" if call.script else str(call.words[0])
    for_now = isinstance(error, _FOR_NOW) or any(text in str(error) for text in _FOR_NOW_TEXTS)
    wrapped = (RefusedForNow if for_now else BrokerError)(f"Redis refused {name}: {error}")
    wrapped.__cause__ = error
    return wrapped


def is_connection_trouble(error: BaseException) -> bool:
    """Whether the connection, rather than the command, is at fault."""
    return isinstance(error, RedisConnectionError | OSError | TimeoutError | EOFError)


def _packer() -> Callable[[tuple[Argument, ...]], bytes]:
    try:
        from hiredis import pack_command
    except ImportError:
        return _pack_in_python
    return cast("Callable[[tuple[Argument, ...]], bytes]", pack_command)


def _pack_in_python(words: tuple[Argument, ...]) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


pack = _packer()
"""A command as RESP bytes: hiredis where it is installed, else the same in Python."""
