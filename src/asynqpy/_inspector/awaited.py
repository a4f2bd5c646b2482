"""The inspector that is awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime
from types import EllipsisType

from asynqpy._broker import rollups
from asynqpy._broker.enqueue import Registry
from asynqpy._broker.inspect import (
    consumers,
    edit,
    find,
    info,
    locks,
    move,
    orphans,
    places,
    presence,
    remove,
    stored,
    tasks,
    transfer,
    walk,
)
from asynqpy._broker.presence import ping
from asynqpy._inspector.fleet import DEFAULT_PAGE_SIZE
from asynqpy._inspector.opened import AsyncOpened
from asynqpy._inspector.searches import AsyncTaskSearch
from asynqpy._transport.channel import Channel
from asynqpy._transport.connect import RedisTarget
from asynqpy.clock import Clock, SystemClock
from asynqpy.conditions import Scalar
from asynqpy.identity import new_id
from asynqpy.inspection import (
    AllRates,
    ClusterNode,
    DailyStats,
    GroupInfo,
    HandledPatterns,
    MoveReport,
    OrphanReport,
    PayloadSchema,
    QueueInfo,
    QueueRates,
    SchedulerEntry,
    SchedulerEvent,
    ServerInfo,
    StoredTask,
    TypeWithoutConsumer,
    UniqueLock,
)
from asynqpy.options import Duration
from asynqpy.task import TaskInfo, TaskState


class AsyncInspector(AsyncOpened):
    """Looks at queues, tasks, servers and schedulers, and acts on tasks and queues, from an event loop.

    The same methods and arguments as `Inspector`, awaited; `iter_tasks` and `find_tasks` are iterated asynchronously.
    Calls made at the same time share round trips.
    """

    def __init__(self, redis: RedisTarget = None, *, clock: Clock | None = None) -> None:
        self._channel = Channel(redis)
        self._clock = clock or SystemClock()
        self._registry = Registry()

    def _now(self) -> datetime:
        return self._clock.now()

    # Queues

    async def queues(self) -> list[str]:
        """`Inspector.queues`, awaited."""
        return await self._channel.run(info.queues())

    async def queue_info(self, queue: str, *, memory: bool = True) -> QueueInfo:
        """`Inspector.queue_info`, awaited."""
        return await self._channel.run(info.queue_info(queue, memory=memory, now=self._now()))

    async def queue_infos(self, queues: Iterable[str] | None = None, *, memory: bool = True) -> list[QueueInfo]:
        """`Inspector.queue_infos`, awaited."""
        names = None if queues is None else list(queues)
        return await self._channel.run(info.queue_infos(names, memory=memory, now=self._now()))

    async def history(self, queue: str, days: int = 10) -> list[DailyStats]:
        """`Inspector.history`, awaited."""
        return await self._channel.run(info.history(queue, days, now=self._now()))

    async def rates(self, queue: str, minutes: int = 60) -> QueueRates:
        """`Inspector.rates`, awaited."""
        return await self._channel.run(rollups.rates(queue, minutes, now=self._now()))

    async def all_rates(self, queues: Iterable[str] | None = None, minutes: int = 60) -> AllRates:
        """`Inspector.all_rates`, awaited."""
        return await self._channel.run(rollups.all_rates(queues, minutes, now=self._now()))

    async def groups(self, queue: str) -> list[GroupInfo]:
        """`Inspector.groups`, awaited."""
        return await self._channel.run(info.groups(queue))

    async def pause_queue(self, queue: str) -> bool:
        """`Inspector.pause_queue`, awaited."""
        return await self._channel.run(info.pause(queue, now=self._now()))

    async def unpause_queue(self, queue: str) -> bool:
        """`Inspector.unpause_queue`, awaited."""
        return await self._channel.run(info.unpause(queue))

    async def delete_queue(self, queue: str, *, force: bool = False) -> None:
        """`Inspector.delete_queue`, awaited."""
        await self._channel.run(remove.delete_queue(queue, force=force, now=self._now()))

    # Tasks

    async def task_info(self, queue: str, task_id: str) -> TaskInfo:
        """`Inspector.task_info`, awaited."""
        return await self._channel.run(tasks.task_info(queue, task_id, now=self._now()))

    async def list_tasks(
        self,
        queue: str,
        state: TaskState | str,
        *,
        group: str | None = None,
        page: int = 1,
        page_size: int = DEFAULT_PAGE_SIZE,
        descending: bool = False,
    ) -> list[TaskInfo]:
        """`Inspector.list_tasks`, awaited."""
        place = places.place(queue, state, group)
        return await self._channel.run(tasks.task_page(place, page, page_size, descending=descending, now=self._now()))

    def iter_tasks(
        self, queue: str, state: TaskState | str, *, group: str | None = None, descending: bool = False
    ) -> AsyncIterator[TaskInfo]:
        """`Inspector.iter_tasks` as an asynchronous iterator."""
        tour = walk.Tour(queue, state, group, descending=descending)
        return self._tour(tour)

    async def _tour(self, tour: walk.Tour) -> AsyncIterator[TaskInfo]:
        while (found := await self._channel.run(tour.more(now=self._now()))) is not None:
            for each in found:
                yield each

    def find_tasks(
        self,
        *,
        queues: Iterable[str] | str | None = None,
        states: Iterable[TaskState | str] | TaskState | str | None = None,
        ids: Iterable[str] | str | None = None,
        id_prefix: str | None = None,
        type: str | None = None,  # noqa: A002
        payload: bytes | str | None = None,
        error: str | None = None,
        group: str | None = None,
        headers: Mapping[str, str | EllipsisType] | None = None,
        payload_fields: Mapping[str, Scalar | EllipsisType] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        descending: bool = False,
        limit: int | None = None,
        budget: int | None = None,
        cursor: str | None = None,
        brief: bool = False,
    ) -> AsyncTaskSearch:
        """`Inspector.find_tasks` as an asynchronous iterator."""
        what = find.criteria(
            id_prefix=id_prefix,
            type=type,
            payload=payload,
            error=error,
            group=group,
            headers=headers,
            payload_fields=payload_fields,
            since=since,
            until=until,
        )
        search = find.Search(
            queues=queues,
            states=states,
            ids=ids,
            what=what,
            descending=descending,
            limit=limit,
            budget=budget,
            cursor=cursor,
            brief=brief,
        )
        return AsyncTaskSearch(self._channel, search, self._clock)

    async def run_task(self, queue: str, task_id: str) -> None:
        """`Inspector.run_task`, awaited."""
        await self._channel.run(move.run_task(queue, task_id, now=self._now()))

    async def archive_task(self, queue: str, task_id: str) -> None:
        """`Inspector.archive_task`, awaited."""
        await self._channel.run(move.archive_task(queue, task_id, now=self._now()))

    async def delete_task(self, queue: str, task_id: str) -> None:
        """`Inspector.delete_task`, awaited."""
        await self._channel.run(move.delete_task(queue, task_id))

    async def run_all(
        self,
        queue: str,
        state: TaskState | str,
        *,
        group: str | None = None,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> int:
        """`Inspector.run_all`, awaited."""
        place = places.place(queue, state, group, places.STATES_RUN)
        return await self._channel.run(move.run_all(place, now=self._now(), on_progress=on_progress))

    async def archive_all(
        self,
        queue: str,
        state: TaskState | str,
        *,
        group: str | None = None,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> int:
        """`Inspector.archive_all`, awaited."""
        place = places.place(queue, state, group, places.STATES_ARCHIVED)
        return await self._channel.run(move.archive_all(place, now=self._now(), on_progress=on_progress))

    async def delete_all(
        self,
        queue: str,
        state: TaskState | str,
        *,
        group: str | None = None,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> int:
        """`Inspector.delete_all`, awaited."""
        place = places.place(queue, state, group, places.STATES_DELETED)
        return await self._channel.run(move.delete_all(place, on_progress=on_progress))

    async def move_task(self, queue: str, task_id: str, to_queue: str) -> None:
        """`Inspector.move_task`, awaited."""
        await self._channel.run(transfer.move_task(queue, task_id, to_queue, now=self._now(), registry=self._registry))

    async def move_all(
        self,
        queue: str,
        state: TaskState | str,
        to_queue: str,
        *,
        group: str | None = None,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> MoveReport:
        """`Inspector.move_all`, awaited."""
        place = places.place(queue, state, group, places.STATES_MOVED)
        return await self._channel.run(
            transfer.move_all(place, to_queue, now=self._now(), registry=self._registry, on_progress=on_progress)
        )

    async def update_payload(self, queue: str, task_id: str, payload: object, *, expected: bytes | None = None) -> None:
        """`Inspector.update_payload`, awaited."""
        await self._channel.run(edit.update_payload(queue, task_id, payload, expected))

    async def reschedule_task(
        self, queue: str, task_id: str, *, process_at: datetime | None = None, process_in: Duration | None = None
    ) -> None:
        """`Inspector.reschedule_task`, awaited."""
        await self._channel.run(edit.reschedule_task(queue, task_id, process_at, process_in, now=self._now()))

    async def enqueue_again(
        self, queue: str, task_id: str, payload: object = None, *, to_queue: str | None = None
    ) -> TaskInfo:
        """`Inspector.enqueue_again`, awaited."""
        return await self._channel.run(
            edit.enqueue_again(
                queue, task_id, payload, to_queue, now=self._now(), new_id=new_id, registry=self._registry
            )
        )

    async def cancel_task(self, task_id: str) -> None:
        """`Inspector.cancel_task`, awaited."""
        await self._channel.run(presence.cancel_task(task_id))

    async def recover_orphans(self, queue: str, *, repair: bool = False) -> OrphanReport:
        """`Inspector.recover_orphans`, awaited."""
        return await self._channel.run(orphans.recover_orphans(queue, repair=repair, now=self._now()))

    async def unique_lock(self, queue: str, task_id: str) -> UniqueLock | None:
        """`Inspector.unique_lock`, awaited."""
        return await self._channel.run(locks.unique_lock(queue, task_id, now=self._now()))

    async def stored_task(self, queue: str, task_id: str) -> StoredTask:
        """`Inspector.stored_task`, awaited."""
        return await self._channel.run(stored.stored_task(queue, task_id))

    # Servers, schedulers, Redis

    async def servers(self) -> list[ServerInfo]:
        """`Inspector.servers`, awaited."""
        return await self._channel.run(presence.servers(now=self._now()))

    async def handled_patterns(self) -> list[HandledPatterns]:
        """`Inspector.handled_patterns`, awaited."""
        return await self._channel.run(consumers.handled_patterns(now=self._now()))

    async def payload_schemas(self) -> list[PayloadSchema]:
        """`Inspector.payload_schemas`, awaited."""
        return await self._channel.run(consumers.payload_schemas(now=self._now()))

    async def types_without_consumer(
        self, queue: str | None = None, *, sample: int = consumers.SAMPLE
    ) -> list[TypeWithoutConsumer]:
        """`Inspector.types_without_consumer`, awaited."""
        return await self._channel.run(consumers.types_without_consumer(queue, now=self._now(), sample=sample))

    async def scheduler_entries(self) -> list[SchedulerEntry]:
        """`Inspector.scheduler_entries`, awaited."""
        return await self._channel.run(presence.scheduler_entries(now=self._now()))

    async def scheduler_events(
        self, entry_id: str, *, page: int = 1, page_size: int = DEFAULT_PAGE_SIZE
    ) -> list[SchedulerEvent]:
        """`Inspector.scheduler_events`, awaited."""
        return await self._channel.run(presence.scheduler_events(entry_id, page, page_size))

    async def redis_info(self) -> dict[str, str]:
        """`Inspector.redis_info`, awaited."""
        return await self._channel.run(presence.redis_info())

    async def redis_texts(self) -> dict[str, str]:
        """`Inspector.redis_texts`, awaited."""
        return await self._channel.run(presence.redis_texts())

    async def redis_time(self) -> datetime:
        """`Inspector.redis_time`, awaited."""
        return await self._channel.run(presence.redis_time())

    async def supports_tracking(self) -> bool:
        """`Inspector.supports_tracking`, awaited."""
        return await self._channel.run(presence.supports_tracking())

    async def cluster_info(self) -> dict[str, str]:
        """`Inspector.cluster_info`, awaited."""
        return await self._channel.run(presence.cluster_info())

    def cluster_key_slot(self, queue: str) -> int:
        """`Inspector.cluster_key_slot`; nothing is asked, so it is not awaited."""
        return presence.cluster_key_slot(queue)

    async def cluster_nodes(self, queue: str) -> list[ClusterNode]:
        """`Inspector.cluster_nodes`, awaited."""
        return await self._channel.run(presence.cluster_nodes(queue))

    async def node_infos(self) -> dict[str, dict[str, str]]:
        """`Inspector.node_infos`, awaited."""
        return await self._channel.run(presence.node_infos())

    async def ping(self) -> None:
        """`Inspector.ping`, awaited."""
        await self._channel.run(ping())

    async def close(self) -> None:
        """`Inspector.close`, awaited."""
        await self._channel.close()
