"""What an inspector that blocks knows of everything but queues and tasks: servers, schedulers, Redis itself."""

from __future__ import annotations

from datetime import datetime

from asynqpy._broker.enqueue import Registry
from asynqpy._broker.inspect import consumers, presence
from asynqpy._broker.presence import ping
from asynqpy._inspector.opened import Opened
from asynqpy._transport.channel import BlockingChannel
from asynqpy._transport.connect import RedisTarget
from asynqpy.clock import Clock, SystemClock
from asynqpy.inspection import (
    ClusterNode,
    HandledPatterns,
    PayloadSchema,
    SchedulerEntry,
    SchedulerEvent,
    ServerInfo,
    TypeWithoutConsumer,
)

DEFAULT_PAGE_SIZE = 30


class FleetInspector(Opened):
    """The part of `asynqpy.Inspector` that is about who works, and on what."""

    def __init__(self, redis: RedisTarget = None, *, clock: Clock | None = None) -> None:
        self._channel = BlockingChannel(redis)
        self._clock = clock or SystemClock()
        self._registry = Registry()

    def _now(self) -> datetime:
        return self._clock.now()

    def servers(self) -> list[ServerInfo]:
        """The servers that are alive, with the tasks that they run."""
        return self._channel.run(presence.servers(now=self._now()))

    def handled_patterns(self) -> list[HandledPatterns]:
        """What each live server handles, by host and process id; servers of Go do not say."""
        return self._channel.run(consumers.handled_patterns(now=self._now()))

    def payload_schemas(self) -> list[PayloadSchema]:
        """What the payloads of typed handlers look like, as live servers of Python publish it, by pattern."""
        return self._channel.run(consumers.payload_schemas(now=self._now()))

    def types_without_consumer(
        self, queue: str | None = None, *, sample: int = consumers.SAMPLE
    ) -> list[TypeWithoutConsumer]:
        """The types of waiting tasks that no live server of their queue is known to handle, most frequent first.

        Args:
            queue: all queues when None.
            sample: how many tasks of each of the states pending, scheduled and retry are looked at, half from either
                end; a rare type may be missed. At most 1000.

        Raises:
            QueryError: a sample that cannot be.
        """
        return self._channel.run(consumers.types_without_consumer(queue, now=self._now(), sample=sample))

    def scheduler_entries(self) -> list[SchedulerEntry]:
        """The periodic tasks of the schedulers that are alive, those due next first."""
        return self._channel.run(presence.scheduler_entries(now=self._now()))

    def scheduler_events(
        self, entry_id: str, *, page: int = 1, page_size: int = DEFAULT_PAGE_SIZE
    ) -> list[SchedulerEvent]:
        """What a scheduler entry has enqueued, the newest first; nothing for an unknown one.

        Raises:
            QueryError: there is no such page.
        """
        return self._channel.run(presence.scheduler_events(entry_id, page, page_size))

    def redis_info(self) -> dict[str, str]:
        """What Redis tells about itself (``INFO``)."""
        return self._channel.run(presence.redis_info())

    def redis_texts(self) -> dict[str, str]:
        """What Redis tells about itself, word for word, by the command that was asked.

        ``INFO`` is always there; ``CLUSTER INFO`` and ``CLUSTER NODES`` where Redis is a cluster. A cluster is asked
        through one of its nodes.
        """
        return self._channel.run(presence.redis_texts())

    def redis_time(self) -> datetime:
        """What time it is by the clock of Redis, which judges the leases of Python servers."""
        return self._channel.run(presence.redis_time())

    def supports_tracking(self) -> bool:
        """Whether Redis pushes changes (``CLIENT TRACKING``), so that idle servers do not poll; proxies may refuse."""
        return self._channel.run(presence.supports_tracking())

    def cluster_info(self) -> dict[str, str]:
        """What a Redis Cluster tells about itself (``CLUSTER INFO``); nothing where Redis is none."""
        return self._channel.run(presence.cluster_info())

    def cluster_key_slot(self, queue: str) -> int:
        """The hash slot of a Redis Cluster that holds the keys of a queue. It is computed: the queue need not exist."""
        return presence.cluster_key_slot(queue)

    def cluster_nodes(self, queue: str) -> list[ClusterNode]:
        """The nodes of a Redis Cluster that hold the keys of a queue, the primary first; none where Redis is none."""
        return self._channel.run(presence.cluster_nodes(queue))

    def node_infos(self) -> dict[str, dict[str, str]]:
        """What each master of a Redis Cluster tells about itself (``INFO``), by ``host:port``.

        Nothing where Redis is no cluster; no facts of a master that cannot be asked.
        """
        return self._channel.run(presence.node_infos())

    def ping(self) -> None:
        """Ask Redis whether it is there."""
        self._channel.run(ping())

    def close(self) -> None:
        """Close the connections. A redis-py client that was passed in stays open."""
        self._channel.close()
