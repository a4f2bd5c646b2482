"""The faces of enqueueing: `Client` blocks, `AsyncClient` is awaited; the same methods, one logic."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Self, Unpack

import msgspec

from asynqpy._broker.enqueue import LARGEST_BATCH, NewTask, Registry, enqueue, enqueue_many, prepare
from asynqpy._broker.flow import Flow
from asynqpy._broker.presence import ping
from asynqpy._transport.channel import BlockingChannel, Channel
from asynqpy._transport.connect import RedisTarget, Source
from asynqpy._transport.group_commit import GroupCommit
from asynqpy._transport.helper import BlockingWaits
from asynqpy._transport.lane import Lane
from asynqpy._transport.waiting import ProgressListener, Waits
from asynqpy.clock import Clock, SystemClock
from asynqpy.config import seconds
from asynqpy.errors import AsynqpyError, ConfigError, InvalidTaskError
from asynqpy.identity import new_id
from asynqpy.options import DEFAULT_QUEUE, Duration, EnqueueOptions, Options, resolve, text
from asynqpy.outgoing import ClientMiddleware, Outgoing, around
from asynqpy.task import Task, TaskInfo

DEFAULT_MAX_PAYLOAD_BYTES = 64 * 2**20


class EnqueueResult(msgspec.Struct, frozen=True):
    """What became of one task of ``enqueue_many``: either an info or an error."""

    info: TaskInfo | None = None
    error: AsynqpyError | None = None

    def unwrap(self) -> TaskInfo:
        """The info; raises the error if there is one."""
        if self.info is None:
            raise self.error or ConfigError("an EnqueueResult holds either an info or an error")
        return self.info


class _Awaited(msgspec.Struct, frozen=True):
    """What ``wait`` was asked for."""

    queue: str
    task_id: str
    existed: bool
    """Whether the caller knows that there was such a task."""
    timeout: float | None

    @classmethod
    def of(cls, task: TaskInfo | str, queue: str | None, timeout: Duration | None) -> _Awaited:
        limit = None if timeout is None else max(0.0, seconds(timeout))
        if isinstance(task, TaskInfo):
            if queue not in (None, task.queue):
                raise InvalidTaskError(f"the task is of queue {task.queue!r}, not {queue!r}: leave queue= out")
            return cls(task.queue, task.id, existed=True, timeout=limit)
        if not isinstance(task, str):
            raise InvalidTaskError(f"pass what enqueue() has returned, or the id of a task, got {task!r}")
        queue = DEFAULT_QUEUE if queue is None else text("queue", queue)
        return cls(queue, text("the id of a task", task), existed=False, timeout=limit)


class _Desk:
    """What both clients do before anything is sent: options, limits, ids, time."""

    def __init__(
        self, clock: Clock, max_payload_bytes: int, middlewares: Sequence[ClientMiddleware], source: Source
    ) -> None:
        if max_payload_bytes < 0:
            raise ConfigError(f"max_payload_bytes must not be negative, got {max_payload_bytes}")
        self.clock = clock
        self.max_payload_bytes = max_payload_bytes
        self.middlewares = tuple(middlewares)
        self._refusal_of_queue = None if source.topology is None else source.refusal_of_queue
        self.registry = Registry()

    def prepare(self, task: Task, options: EnqueueOptions, now: datetime) -> NewTask:
        return self._prepare(task, resolve(options, _checked(task).options), now)

    def prepare_outgoing(self, outgoing: Outgoing, now: datetime) -> NewTask:
        return self._prepare(outgoing.task, outgoing.resolved(), now)

    def _prepare(self, task: Task, options: Options, now: datetime) -> NewTask:
        if self._refusal_of_queue is not None:
            refusal = self._refusal_of_queue(options.queue)
            if refusal is not None:
                raise InvalidTaskError(refusal)
        return prepare(task, options, now=now.timestamp(), new_id=new_id, max_payload_bytes=self.max_payload_bytes)

    def outgoing(self, task: Task, options: EnqueueOptions) -> Outgoing:
        return Outgoing(_checked(task), options)

    def enqueue(self, task: Task, options: EnqueueOptions) -> Flow[TaskInfo]:
        now = self.clock.now()
        if not self.middlewares:
            return (yield from enqueue(self.prepare(task, options, now), now=now, registry=self.registry))
        outgoing = self.outgoing(task, options)
        with around(self.middlewares, [outgoing]):
            new = self.prepare_outgoing(outgoing, now)
            outgoing.info = yield from enqueue(new, now=now, registry=self.registry)
        return outgoing.info

    def enqueue_many(self, tasks: Iterable[Task], options: EnqueueOptions) -> Flow[list[EnqueueResult]]:
        now = self.clock.now()
        if self.middlewares:
            return (yield from self._enqueue_many_through(list(tasks), options, now))
        refused: dict[int, AsynqpyError] = {}
        accepted: list[NewTask] = []
        count = 0
        for count, task in enumerate(tasks, 1):
            try:
                accepted.append(self.prepare(task, options, now))
            except AsynqpyError as error:
                refused[count - 1] = error
        created = iter((yield from enqueue_many(accepted, now=now, registry=self.registry)))
        if not refused:
            return [_enqueue_result(result) for result in created]
        return [_enqueue_result(refused.get(place) or next(created)) for place in range(count)]

    def _enqueue_many_through(
        self, tasks: list[Task], options: EnqueueOptions, now: datetime
    ) -> Flow[list[EnqueueResult]]:
        """`enqueue_many` through the middlewares, which do not see tasks whose options cannot work."""
        results: list[Outgoing | AsynqpyError] = []
        for task in tasks:
            try:
                results.append(self.outgoing(task, options))
            except AsynqpyError as error:
                results.append(error)
        outgoing = [result for result in results if isinstance(result, Outgoing)]
        with around(self.middlewares, outgoing):
            sent: list[tuple[Outgoing, NewTask]] = []
            for each in outgoing:
                try:
                    sent.append((each, self.prepare_outgoing(each, now)))
                except AsynqpyError as error:
                    each.error = error
            created = yield from enqueue_many([new for _, new in sent], now=now, registry=self.registry)
            for (each, _), result in zip(sent, created, strict=True):
                if isinstance(result, TaskInfo):
                    each.info = result
                else:
                    each.error = result
        return [
            EnqueueResult(info=result.info, error=result.error)
            if isinstance(result, Outgoing)
            else _enqueue_result(result)
            for result in results
        ]


def _checked(task: Task) -> Task:
    if not isinstance(task, Task):
        raise InvalidTaskError(f"what is enqueued must be a Task, got {task!r}")
    return task


def _enqueue_result(result: TaskInfo | AsynqpyError) -> EnqueueResult:
    return EnqueueResult(info=result) if isinstance(result, TaskInfo) else EnqueueResult(error=result)


def _chunks(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    source = iter(tasks)
    while chunk := list(islice(source, LARGEST_BATCH)):
        yield chunk


class Client:
    """Enqueues tasks. Blocks; safe to share between threads.

    Nothing is contacted before the first call. Use it as a context manager, or call `close`.

    Args:
        redis: a URL, `RedisOptions`, or a redis-py client, whose settings are then used and which is never closed;
            ``ASYNQPY_REDIS_URL`` or ``redis://localhost:6379/0`` when not given.
        max_payload_bytes: larger payloads are refused with `PayloadTooLargeError`; 64 MiB unless given.
        middlewares: see `ClientMiddleware`; around each round trip that enqueues, the first one outermost.
        clock: the source of time.

    Raises:
        ConfigError: the settings cannot work.
    """

    def __init__(
        self,
        redis: RedisTarget = None,
        *,
        max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
        middlewares: Sequence[ClientMiddleware] = (),
        clock: Clock | None = None,
    ) -> None:
        self._channel = BlockingChannel(redis)
        self._waits = BlockingWaits(self._channel.source)
        self._desk = _Desk(clock or SystemClock(), max_payload_bytes, middlewares, self._channel.source)

    def enqueue(self, task: Task, **options: Unpack[EnqueueOptions]) -> TaskInfo:
        """Put *task* on its queue, schedule it, or add it to its group.

        *options* win over those of the task; see `EnqueueOptions`. When the connection breaks on the way the task is
        sent once more, and counts as enqueued if it had arrived.

        Raises:
            InvalidTaskError: an option or the payload cannot work; nothing was sent.
            DuplicateTaskError: with ``unique_for``: a task of this kind holds the lock.
            TaskIDConflictError: the id is taken.
            BrokerError: Redis is down or refuses.
        """
        return self._channel.run(self._desk.enqueue(task, options))

    def enqueue_many(self, tasks: Iterable[Task], **options: Unpack[EnqueueOptions]) -> list[EnqueueResult]:
        """Enqueue *tasks* in batches and return what became of each, in order.

        Every task is created or refused by itself, by the rules of `enqueue`; nothing is raised for a single one.
        *options* win over those of each task. For more tasks than fit in memory see `enqueue_stream`.
        """
        return list(self.enqueue_stream(tasks, **options))

    def enqueue_stream(self, tasks: Iterable[Task], **options: Unpack[EnqueueOptions]) -> Iterator[EnqueueResult]:
        """`enqueue_many` for any number of tasks in constant memory: results come as the batches are written.

        Tasks are enqueued as the results are consumed: exhaust the iterator.
        """
        flows = (self._desk.enqueue_many(chunk, options) for chunk in _chunks(tasks))
        for results in self._channel.run_overlapped(flows):
            yield from results

    def wait(
        self,
        task: TaskInfo | str,
        *,
        queue: str | None = None,
        timeout: Duration | None = None,
        on_progress: ProgressListener | None = None,
    ) -> bytes | None:
        """The result of *task*, as soon as it has succeeded; None when its handler gave none.

        Redis pushes the news, whoever runs the task, Go servers included. Enqueue with ``retention=``: without it a
        task is deleted on success, and its result with it. A task that is retried is waited for until the end.
        Connections that break are opened again while the wait goes on.

        Any number of threads may wait at once: they share one more connection, and one more thread, which start with
        the first wait and end with `close`. A fork gives them up: a child process starts its own.

        Args:
            task: what ``enqueue`` has returned, or the id of a task.
            queue: the queue of the task, if *task* is an id; ``default`` unless given.
            timeout: how long to wait; a plain number means seconds, None means for ever. With 0 there is one look.
            on_progress: called in this thread with each `Progress` that the task reports; when many come quickly only
                with the last.

        Raises:
            TaskFailedError: the task has failed for good, and is archived.
            ResultLostError: the task is gone: it has succeeded without ``retention=``, or was deleted.
            TaskNotFoundError: there is no task with this id.
            WaitTimeoutError: it was not done within *timeout*.
            InvalidTaskError: what was passed is no task.
            BrokerError: Redis cannot be reached.
        """
        it = _Awaited.of(task, queue, timeout)
        return self._waits.wait(it.queue, it.task_id, existed=it.existed, timeout=it.timeout, on_progress=on_progress)

    def ping(self) -> None:
        """Ask Redis whether it is there.

        Raises:
            BrokerError: it is not.
        """
        self._channel.run(ping())

    def close(self) -> None:
        """Close the connections. A redis-py client that was passed in stays open."""
        self._waits.close()
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient:
    """Enqueues tasks from an event loop. Calls made at the same time share round trips.

    The same methods and arguments as `Client`, awaited.
    """

    def __init__(
        self,
        redis: RedisTarget = None,
        *,
        max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
        middlewares: Sequence[ClientMiddleware] = (),
        clock: Clock | None = None,
    ) -> None:
        self._channel = Channel(redis)
        self._lanes = (Lane(self._channel.source), Lane(self._channel.source))
        self._waits = Waits(self._channel.source)
        self._desk = _Desk(clock or SystemClock(), max_payload_bytes, middlewares, self._channel.source)
        self._new: GroupCommit[NewTask] = GroupCommit(*(partial(self._create, lane) for lane in self._lanes))

    async def _create(self, lane: Lane, tasks: list[NewTask]) -> list[TaskInfo | AsynqpyError]:
        now, registry = self._desk.clock.now(), self._desk.registry
        if len(tasks) == 1:
            return [await lane.run(enqueue(tasks[0], now=now, registry=registry))]
        return await lane.run(enqueue_many(tasks, now=now, registry=registry))

    async def enqueue(self, task: Task, **options: Unpack[EnqueueOptions]) -> TaskInfo:
        """`Client.enqueue`, awaited.

        Calls that are made at the same time may be stored in any order. Cancelling a caller does not take back a task
        that is on its way.
        """
        desk = self._desk
        info: TaskInfo
        if not desk.middlewares:
            info = await self._new.commit(desk.prepare(task, options, desk.clock.now()))
            return info
        outgoing = desk.outgoing(task, options)
        with around(desk.middlewares, [outgoing]):
            info = outgoing.info = await self._new.commit(desk.prepare_outgoing(outgoing, desk.clock.now()))
        return info

    async def enqueue_many(self, tasks: Iterable[Task], **options: Unpack[EnqueueOptions]) -> list[EnqueueResult]:
        """`Client.enqueue_many`, awaited."""
        return [result async for result in self.enqueue_stream(tasks, **options)]

    async def enqueue_stream(
        self, tasks: Iterable[Task], **options: Unpack[EnqueueOptions]
    ) -> AsyncIterator[EnqueueResult]:
        """`Client.enqueue_stream` as an asynchronous iterator."""
        for chunk in _chunks(tasks):
            for result in await self._channel.run(self._desk.enqueue_many(chunk, options)):
                yield result

    async def wait(
        self,
        task: TaskInfo | str,
        *,
        queue: str | None = None,
        timeout: Duration | None = None,
        on_progress: ProgressListener | None = None,
    ) -> bytes | None:
        """`Client.wait`, awaited. A listener may be async; thousands of waits share one more connection."""
        it = _Awaited.of(task, queue, timeout)
        return await self._waits.wait(
            it.queue, it.task_id, existed=it.existed, timeout=it.timeout, on_progress=on_progress
        )

    async def ping(self) -> None:
        """`Client.ping`, awaited."""
        await self._channel.run(ping())

    async def close(self) -> None:
        """Finish the calls on their way, end the waits, and close the connections."""
        await self._new.drain()
        await self._waits.close()
        for lane in self._lanes:
            await lane.close()
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
