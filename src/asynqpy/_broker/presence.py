"""How servers make themselves known, and what handlers write while they run: results, progress."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from asynqpy._broker import scripts
from asynqpy._broker.flow import Argument, Batch, Flow, command
from asynqpy._wire import keys
from asynqpy._wire.records import ServerInfo, WorkerInfo
from asynqpy.errors import AsynqpyError, LeaseExpiredError
from asynqpy.patterns import PatternTree, encode

PRESENCE_SECONDS = 10
"""How long a server counts as alive after its last announcement: twice the interval."""

_OURS = (keys.handled, keys.schemas, keys.about)


def announce(
    identity: str,
    info: ServerInfo,
    attempts: Sequence[WorkerInfo],
    *,
    now: datetime,
    patterns: PatternTree | None = None,
    schemas: bytes = b"",
    schemas_are_known: bool = False,
    about: bytes = b"",
) -> Flow[bool]:
    """Tell Redis about a server and its running attempts; forgotten after ten seconds.

    Args:
        identity: ``host:pid:server id``.
        info: the server.
        attempts: what it runs.
        now: when the announcement is made.
        patterns: what it handles; None says nothing about that, as Go servers do.
        schemas: what payloads look like; nothing is said where it is empty.
        schemas_are_known: they were told before, so that they need only be kept.
        about: which versions it runs; nothing is said where it is empty.

    Returns:
        Whether Redis has the schemas now: if not, they have been lost meanwhile, and must be told again.

    Raises:
        BrokerError: Redis is down or refuses.
    """
    server_key, workers_key = keys.server(identity), keys.workers(identity)
    expiry = math.floor(now.timestamp()) + PRESENCE_SECONDS
    arguments: list[Argument] = [PRESENCE_SECONDS, info.encode(), b"" if patterns is None else encode(patterns)]
    for attempt in attempts:
        arguments += (attempt.task_id, attempt.encode())
    calls = [
        command("ZADD", keys.SERVERS, expiry, server_key),
        command("ZADD", keys.WORKERS, expiry, workers_key),
        scripts.ANNOUNCE((server_key, workers_key, keys.handled(identity)), arguments),
    ]
    if about:
        calls.append(command("SETEX", keys.about(identity), PRESENCE_SECONDS, about))
    schemas_key = keys.schemas(identity)
    if schemas and schemas_are_known:
        calls.append(command("EXPIRE", schemas_key, PRESENCE_SECONDS))
    elif schemas:
        calls.append(command("SETEX", schemas_key, PRESENCE_SECONDS, schemas))
    replies = yield Batch(calls)
    _raise_first(replies)
    return bool(replies[-1]) if schemas else True


def withdraw(identity: str) -> Flow[None]:
    """Take a server off the list.

    Raises:
        BrokerError: Redis is down or refuses.
    """
    server_key, workers_key = keys.server(identity), keys.workers(identity)
    replies = yield Batch(
        [
            command("ZREM", keys.SERVERS, server_key),
            command("ZREM", keys.WORKERS, workers_key),
            command("DEL", server_key, workers_key, *(key(identity) for key in _OURS)),
        ]
    )
    _raise_first(replies)


def write_result(queue: str, task_id: str, token: str, data: bytes) -> Flow[int]:
    """Store *data* as the result of a running task and return its size.

    Raises:
        LeaseExpiredError: the claim is lost; nothing was written.
    """
    written = yield scripts.WRITE_RESULT((keys.of_queue(queue).task(task_id),), (token, data))
    if not written:
        raise LeaseExpiredError
    return len(data)


def report_progress(queue: str, task_id: str, token: str, fraction: float, text: str) -> Flow[bool]:
    """Store how far a running task is; False when the claim is lost: then nothing was written."""
    written = yield scripts.REPORT_PROGRESS((keys.of_queue(queue).task(task_id),), (token, f"{fraction:.6g}", text))
    return bool(written)


def ping() -> Flow[None]:
    """Ask Redis whether it is there.

    Raises:
        BrokerError: it is not.
    """
    yield command("PING")


def _raise_first(replies: Sequence[object]) -> None:
    for reply in replies:
        if isinstance(reply, AsynqpyError):
            raise reply
