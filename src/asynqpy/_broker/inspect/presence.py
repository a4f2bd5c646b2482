"""Who is there: servers and what they run, schedulers and what they enqueue, and Redis itself."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import count as numbers
from typing import Any, TypeVar

from asynqpy import about
from asynqpy._broker.flow import Batch, Call, Flow, command
from asynqpy._broker.inspect.places import window
from asynqpy._broker.inspect.queues import checked
from asynqpy._wire import keys, records
from asynqpy._wire.moments import unix_seconds
from asynqpy._wire.option_text import parse_options
from asynqpy.errors import BrokerError, ConnectionLostError, WireError
from asynqpy.inspection import ClusterNode, SchedulerEntry, SchedulerEvent, ServerInfo, WorkerInfo

T = TypeVar("T")

CLUSTER_SLOTS = 16_384


def servers(*, now: datetime) -> Flow[list[ServerInfo]]:
    """The live servers by host and process id, with what they run. What cannot be read is left out."""
    identities = yield from _living(keys.SERVERS, now)
    running = yield from _living(keys.WORKERS, now)
    replies = checked(
        (
            yield Batch(
                [
                    *(command("GET", key) for key in identities),
                    *(command("HVALS", key) for key in running),
                    *(command("GET", _about_key(key)) for key in identities),
                ]
            )
        )
    )
    workers: dict[str, list[records.WorkerInfo]] = {}
    end = len(identities) + len(running)
    for values in replies[len(identities) : end]:
        for worker in _readable(records.WorkerInfo.decode, values):
            workers.setdefault(worker.server_id, []).append(worker)
    infos = [
        _server(server, workers.get(server.server_id, []), about.decode(told))
        for info, told in zip(replies[: len(identities)], replies[end:], strict=True)
        if info
        for server in _readable(records.ServerInfo.decode, [info])
    ]
    return sorted(infos, key=lambda server: (server.host, server.pid, server.id))


def _about_key(server_key: str) -> str:
    """Where the server of this key publishes its versions."""
    return keys.about(server_key.removeprefix(f"{keys.SERVERS}:{{").removesuffix("}"))


def _living(registry: str, now: datetime) -> Flow[list[str]]:
    """The keys in *registry* whose time has not passed; those whose time has are taken out, as every reader does."""
    seconds = unix_seconds(now)
    living, _ = yield Batch(
        [
            command("ZRANGEBYSCORE", registry, seconds, "+inf"),
            command("ZREMRANGEBYSCORE", registry, "-inf", seconds - 1),  # may be refused to those who only read
        ]
    )
    return [key.decode("utf-8", "replace") for key in checked([living])[0]]


def _readable(decode: Callable[[bytes], T], values: Iterable[bytes]) -> list[T]:
    found = []
    for value in values:
        try:
            found.append(decode(value))
        except WireError:
            continue
    return found


def _server(server: records.ServerInfo, workers: list[records.WorkerInfo], versions: about.About) -> ServerInfo:
    return ServerInfo(
        id=server.server_id,
        host=server.host,
        pid=server.pid,
        concurrency=server.concurrency,
        queues=server.queues,
        strict_priority=server.strict_priority,
        status=server.status,
        started=server.start_time,
        active_workers=tuple(_worker(worker) for worker in sorted(workers, key=lambda each: each.start_time)),
        app_version=versions.app,
        asynqpy_version=versions.asynqpy,
    )


def _worker(worker: records.WorkerInfo) -> WorkerInfo:
    return WorkerInfo(
        task_id=worker.task_id,
        task_type=worker.task_type,
        task_payload=worker.task_payload,
        queue=worker.queue,
        started=worker.start_time,
        deadline=worker.deadline,
    )


def scheduler_entries(*, now: datetime) -> Flow[list[SchedulerEntry]]:
    """The entries of the live schedulers, those due next first. What cannot be read is left out."""
    schedulers = yield from _living(keys.SCHEDULERS, now)
    lists = checked((yield Batch([command("LRANGE", key, 0, -1) for key in schedulers])))
    found = [
        _entry(key.removeprefix(f"{keys.SCHEDULERS}:")[1:-1], entry)
        for key, entries in zip(schedulers, lists, strict=True)
        for entry in _readable(records.SchedulerEntry.decode, entries)
    ]
    never = datetime.max.replace(tzinfo=now.tzinfo)
    return sorted(found, key=lambda entry: (entry.next_enqueue_at or never, entry.spec, entry.id))


def _entry(scheduler: str, entry: records.SchedulerEntry) -> SchedulerEntry:
    return SchedulerEntry(
        id=entry.id,
        scheduler=scheduler,
        spec=entry.spec,
        task_type=entry.task_type,
        task_payload=entry.task_payload,
        options=parse_options(entry.enqueue_options),
        option_texts=entry.enqueue_options,
        next_enqueue_at=entry.next_enqueue_time,
        previous_enqueue_at=entry.prev_enqueue_time,
    )


def scheduler_events(entry_id: str, page: int, page_size: int) -> Flow[list[SchedulerEvent]]:
    """What an entry has enqueued, the newest first; nothing for an unknown one.

    Raises:
        QueryError: there is no such page.
    """
    offset, count = window(page, page_size)
    members = yield command("ZREVRANGE", keys.scheduler_history(entry_id), offset, offset + count - 1)
    events = _readable(records.SchedulerEnqueueEvent.decode, members)
    return [SchedulerEvent(task_id=event.task_id, enqueued_at=event.enqueue_time) for event in events]


def cancel_task(task_id: str) -> Flow[None]:
    """Tell all servers to cancel a running task."""
    yield command("PUBLISH", keys.CANCEL_CHANNEL, task_id)


def redis_info() -> Flow[dict[str, str]]:
    """What Redis tells about itself, as names and values."""
    return _facts((yield command("INFO")))


def redis_texts() -> Flow[dict[str, str]]:
    """What Redis tells about itself, word for word, by the command that was asked."""
    texts = {"INFO": _text((yield command("INFO")))}
    if _facts(texts["INFO"]).get("cluster_enabled") == "1":
        for words in (("CLUSTER", "INFO"), ("CLUSTER", "NODES")):
            texts[" ".join(words)] = _text((yield Call(words)))
    return texts


def redis_time() -> Flow[datetime]:
    """What time it is by the clock of Redis, which judges leases."""
    seconds, microseconds = yield Call(("TIME",))
    return datetime.fromtimestamp(int(seconds), UTC) + timedelta(microseconds=int(microseconds))


def supports_tracking() -> Flow[bool]:
    """Whether Redis tells a connection what has changed (``CLIENT TRACKING``), so that idle servers need not poll."""
    try:
        yield Call(("CLIENT", "TRACKINGINFO"))
    except ConnectionLostError:
        raise
    except BrokerError:
        return False
    return True


def cluster_info() -> Flow[dict[str, str]]:
    """What a Redis Cluster tells about itself; nothing from a single server."""
    try:
        return _facts((yield Call(("CLUSTER", "INFO"))))
    except BrokerError as error:
        if _is_no_cluster(error):
            return {}
        raise


def _facts(reply: bytes | str) -> dict[str, str]:
    pairs = [line.split(":", 1) for line in _text(reply).splitlines() if ":" in line and not line.startswith("#")]
    return {pair[0]: pair[1] for pair in pairs}


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply


def cluster_key_slot(queue: str) -> int:
    """The slot of a Redis Cluster that the keys of *queue* are in; computed, so any Redis will do."""
    tag = keys.of_queue(queue).pending.partition("{")[2].partition("}")[0]
    return binascii.crc_hqx((tag or keys.of_queue(queue).pending).encode(), 0) % CLUSTER_SLOTS


def cluster_nodes(queue: str) -> Flow[list[ClusterNode]]:
    """The nodes that hold the keys of *queue*, the primary first; none where Redis is no cluster."""
    slot = cluster_key_slot(queue)
    try:
        ranges = yield Call(("CLUSTER", "SLOTS"))
    except BrokerError as error:
        if _is_no_cluster(error):
            return []
        raise
    for first, last, *nodes in ranges:
        if first <= slot <= last:
            return [_node(node) for node in nodes]
    return []


def node_infos() -> Flow[dict[str, dict[str, str]]]:
    """What each master of a Redis Cluster tells about itself, by host and port; nothing from a single server.

    Of a master that cannot be asked nothing is told.
    """
    try:
        ranges = yield Call(("CLUSTER", "SLOTS"))
    except BrokerError as error:
        if _is_no_cluster(error):
            return {}
        raise
    widest: dict[str, range] = {}
    for first, last, master, *_ in ranges:
        node, slots = _node(master), range(first, last + 1)
        address = f"{node.host}:{node.port}"
        widest[address] = max(widest.get(address, range(0)), slots, key=len)
    replies = yield Batch([Call(("INFO",), _name_in(slots)) for slots in widest.values()])
    return {
        address: {} if isinstance(reply, Exception) else _facts(reply)
        for address, reply in zip(widest, replies, strict=True)
    }


def _name_in(slots: range) -> str:
    """The smallest number that, as a key, is in one of *slots*: calls are led to nodes by a key."""
    return next(name for name in map(str, numbers()) if binascii.crc_hqx(name.encode(), 0) % CLUSTER_SLOTS in slots)


def _is_no_cluster(error: BrokerError) -> bool:
    return "cluster support disabled" in str(error)


def _node(node: Any) -> ClusterNode:
    host, port, node_id = node[0] or b"", node[1], node[2] if len(node) > 2 else b""
    return ClusterNode(id=node_id.decode(), host=host.decode(), port=port)
