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

from asynqpy import schemas
from asynqpy._broker import scripts
from asynqpy._broker.flow import Batch, Call, Flow, command
from asynqpy._broker.inspect.info import all_of
from asynqpy._broker.inspect.queues import checked
from asynqpy._wire import keys
from asynqpy._wire.records import ServerInfo, TaskMessage
from asynqpy.errors import QueryError, WireError
from asynqpy.inspection import HandledPatterns, PayloadSchema, TypeWithoutConsumer
from asynqpy.patterns import decode, listed
from asynqpy.schemas import Schema

SAMPLE = 300
"""Waiting tasks looked at in each state unless asked otherwise: about two milliseconds of Redis for a full queue."""

LARGEST_SAMPLE = 1000

SERVERS_AT_ONCE, QUEUES_AT_ONCE = 200, 50


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
        replies = checked((yield Batch(calls)))
        for info, patterns in zip(replies[::2], replies[1::2], strict=True):
            if info is not None:  # else it has ended since
                found += _read(info, patterns)
    return sorted(found, key=lambda server: (server.host, server.pid, server.server_id))


def payload_schemas(*, now: datetime) -> Flow[list[PayloadSchema]]:
    """What the payloads look like that living servers handle, by pattern.

    Raises:
        BrokerError: Redis is down or refuses.
    """
    members = yield command("ZRANGEBYSCORE", keys.SERVERS, math.floor(now.timestamp()), "+inf")
    identities = [identity for member in members if (identity := _identity(member)) is not None]
    servers: dict[tuple[str, bytes], list[str]] = {}
    known: dict[tuple[str, bytes], Schema] = {}
    for start in range(0, len(identities), SERVERS_AT_ONCE):
        piece = identities[start : start + SERVERS_AT_ONCE]
        replies = checked((yield Batch([command("GET", keys.schemas(identity)) for identity in piece])))
        for identity, data in zip(piece, replies, strict=True):
            for pattern, schema in schemas.decode(data).items():
                key = (pattern, msgspec.json.encode(schema, order="sorted"))
                known.setdefault(key, schema)
                servers.setdefault(key, []).append(identity.rpartition(":")[2])
    return [
        PayloadSchema(pattern=key[0], schema=known[key], server_ids=tuple(sorted(servers[key])))
        for key in sorted(known)
    ]


def waiting_types(queues: Sequence[str], *, sample: int = SAMPLE) -> Flow[list[Counter[str]]]:
    """The types of pending, scheduled and retried tasks of each of *queues*, each with its number in the sample.

    At most *sample* tasks of each state are looked at, half from each end: the next to run, and the last; fewer where
    they are large.

    Raises:
        QueryError: a sample of no task at all, or of too many.
        BrokerError: Redis is down or refuses.
    """
    if isinstance(sample, bool) or not isinstance(sample, int) or not 1 <= sample <= LARGEST_SAMPLE:
        raise QueryError(f"sample must be between 1 and {LARGEST_SAMPLE}, got {sample!r}")
    found: list[Counter[str]] = []
    for start in range(0, len(queues), QUEUES_AT_ONCE):
        calls = [_sample_call(queue, sample) for queue in queues[start : start + QUEUES_AT_ONCE]]
        found += map(_types, checked((yield Batch(calls))))
    return found


def types_without_consumer(
    queue: str | None, *, now: datetime, sample: int = SAMPLE
) -> Flow[list[TypeWithoutConsumer]]:
    """The types that wait in *queue*, or in any, and that none of its living servers is known to handle.

    Args:
        queue: None for all queues. By queue, most frequent types first.
        now: which servers live.
        sample: see `waiting_types`; a rare type may be missed.

    Raises:
        QueueNotFoundError: there is no such queue.
        QueryError: see `waiting_types`.
        BrokerError: Redis is down or refuses.
    """
    names = yield from all_of(queue)
    types = yield from waiting_types(names, sample=sample)
    if not any(types):
        return []
    servers = yield from handled_patterns(now=now)
    return [
        each
        for name, types_of_queue in zip(names, types, strict=True)
        for each in without_consumer(name, types_of_queue, servers)
    ]


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


def _sample_call(queue: str, sample: int) -> Call:
    q = keys.of_queue(queue)
    return scripts.WAITING_TYPES((q.pending, q.scheduled, q.retry), (q.task_prefix, sample))


def _types(reply: Sequence[Any]) -> Counter[str]:
    types: Counter[str] = Counter()
    values = iter(reply)
    for kind, data, count in zip(values, values, values, strict=True):
        try:
            types[data.decode("utf-8", "replace") if kind == 1 else TaskMessage.decode(data).type] += count
        except WireError:
            continue  # nobody can run it, whatever its type
    return types
