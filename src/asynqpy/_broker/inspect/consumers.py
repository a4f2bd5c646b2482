"""Who handles what: the patterns that living servers publish, and types of waiting tasks that none of them knows.

Python servers publish what they handle; Go servers do not. A type that no published pattern fits has certainly no
consumer only where every server of its queue publishes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from asynqpy._broker import scripts
from asynqpy._broker.flow import Batch, Flow, command
from asynqpy._wire import keys
from asynqpy._wire.records import ServerInfo, TaskMessage
from asynqpy.errors import AsynqpyError, WireError
from asynqpy.patterns import PatternTree, decode, fits, listed

SAMPLE = 300
"""Waiting tasks looked at in each state unless asked otherwise: well below a millisecond of Redis."""

LARGEST_SAMPLE = 5000

SERVERS_AT_ONCE = 200


class HandledPatterns(msgspec.Struct, frozen=True, kw_only=True):
    """What a living server handles."""

    server_id: str
    host: str
    pid: int
    queues: tuple[str, ...]
    """The queues that it serves, sorted."""
    patterns: tuple[str, ...] | None
    """The patterns that it publishes, sorted, ``""`` for everything; None when it publishes none, as a Go server."""
    tree: PatternTree | None = None
    """The same as it was published: a pattern, and below it those of the mux that is registered there."""

    def handles(self, task_type: str) -> bool | None:
        """Whether it has a handler for *task_type*; None when it does not say."""
        return None if self.tree is None else fits(self.tree, task_type)


class TypeWithoutConsumer(msgspec.Struct, frozen=True, kw_only=True):
    """A type of waiting tasks that no server of their queue is known to handle."""

    queue: str
    type: str
    count: int
    """How many tasks of it there are in the sample."""
    is_certain: bool
    """True: every server of the queue says what it handles, or there is none at all. False: one of them does not, a Go
    server for instance, and may know the type."""


def handled_patterns(*, now: datetime) -> Flow[list[HandledPatterns]]:
    """What each living server handles, in the order of hosts and processes.

    Raises:
        BrokerError: Redis is down or refuses.
    """
    members = yield command("ZRANGEBYSCORE", keys.SERVERS, math.floor(now.timestamp()), "+inf")
    identities = [identity for member in members if (identity := _identity(member)) is not None]
    found: list[HandledPatterns] = []
    for start in range(0, len(identities), SERVERS_AT_ONCE):
        piece = identities[start : start + SERVERS_AT_ONCE]
        calls = [command("GET", key(identity)) for identity in piece for key in (keys.server, keys.handled)]
        replies = _checked((yield Batch(calls)))
        for info, patterns in zip(replies[::2], replies[1::2], strict=True):
            if info is not None:  # else it has ended since
                found += _read(info, patterns)
    return sorted(found, key=lambda server: (server.host, server.pid, server.server_id))


def waiting_types(queue: str, *, sample: int = SAMPLE) -> Flow[Counter[str]]:
    """The types of pending, scheduled and retried tasks of *queue*, each with its number in the sample.

    At most *sample* tasks of each state are looked at, half from each end: the next to run, and the last.

    Raises:
        BrokerError: Redis is down or refuses.
    """
    q = keys.of_queue(queue)
    limit = max(1, min(sample, LARGEST_SAMPLE))
    reply = yield scripts.WAITING_TYPES((q.pending, q.scheduled, q.retry), (q.task_prefix, limit))
    types: Counter[str] = Counter()
    values = iter(reply)
    for kind, data, count in zip(values, values, values, strict=True):
        try:
            types[data.decode("utf-8", "replace") if kind == 1 else TaskMessage.decode(data).type] += count
        except WireError:
            continue  # nobody can run it, whatever its type
    return types


def types_without_consumer(queue: str, *, now: datetime, sample: int = SAMPLE) -> Flow[list[TypeWithoutConsumer]]:
    """The types that wait in *queue* and that none of its living servers is known to handle, most frequent first.

    Args:
        queue: a queue that nobody has used has none.
        now: which servers live.
        sample: see `waiting_types`; a rare type may be missed.

    Raises:
        BrokerError: Redis is down or refuses.
    """
    types = yield from waiting_types(queue, sample=sample)
    if not types:
        return []
    return without_consumer(queue, types, (yield from handled_patterns(now=now)))


def without_consumer(queue: str, types: Counter[str], servers: Sequence[HandledPatterns]) -> list[TypeWithoutConsumer]:
    """Those of *types* that none of *servers* is known to handle in *queue*. Pure."""
    serving = [server for server in servers if queue in server.queues]
    is_certain = all(server.patterns is not None for server in serving)
    return [
        TypeWithoutConsumer(queue=queue, type=task_type, count=count, is_certain=is_certain)
        for task_type, count in sorted(types.items(), key=lambda item: (-item[1], item[0]))
        if not any(server.handles(task_type) for server in serving)
    ]


def _identity(member: bytes) -> str | None:
    """``host:pid:server id`` in a member of the set of servers, ``asynq:servers:{host:pid:server id}``."""
    text = member.decode("utf-8", "replace")
    prefix, suffix = keys.server("").split("}")[0], "}"
    if not text.startswith(prefix) or not text.endswith(suffix):
        return None
    return text[len(prefix) : -len(suffix)]


def _read(info: bytes, patterns: bytes | None) -> list[HandledPatterns]:
    try:
        server = ServerInfo.decode(info)
    except WireError:
        return []
    try:
        tree = None if patterns is None else decode(patterns)
    except WireError:
        tree = None  # a later version's; it does not say anything that we understand
    return [
        HandledPatterns(
            server_id=server.server_id,
            host=server.host,
            pid=server.pid,
            queues=tuple(sorted(server.queues)),
            patterns=None if tree is None else listed(tree),
            tree=tree,
        )
    ]


def _checked(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, AsynqpyError):
            raise reply
    return replies
