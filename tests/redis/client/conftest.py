"""Both clients behind one awaited face, so that each test is written once and run for both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest
from redis import Redis

from asynqpy import AsyncClient, Client, EnqueueResult, Task, TaskInfo
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage


class Face(Protocol):
    """What both clients offer."""

    async def enqueue(self, task: Task, **options: Any) -> TaskInfo: ...

    async def enqueue_many(self, tasks: Iterable[Task], **options: Any) -> list[EnqueueResult]: ...

    def enqueue_stream(self, tasks: Iterable[Task], **options: Any) -> AsyncIterator[EnqueueResult]: ...

    async def wait(self, task: TaskInfo | str, **options: Any) -> bytes | None: ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


class BlockingFace:
    """`Client`, called in threads as blocking code is."""

    def __init__(self, target: Any, **options: Any) -> None:
        self.client = Client(target, **options)

    async def enqueue(self, task: Task, **options: Any) -> TaskInfo:
        return await asyncio.to_thread(self.client.enqueue, task, **options)

    async def enqueue_many(self, tasks: Iterable[Task], **options: Any) -> list[EnqueueResult]:
        return await asyncio.to_thread(self.client.enqueue_many, tasks, **options)

    async def enqueue_stream(self, tasks: Iterable[Task], **options: Any) -> AsyncIterator[EnqueueResult]:
        results = self.client.enqueue_stream(tasks, **options)
        end = object()
        while (result := await asyncio.to_thread(next, results, end)) is not end:
            yield result  # type: ignore[misc]

    async def wait(self, task: TaskInfo | str, **options: Any) -> bytes | None:
        return await asyncio.to_thread(self.client.wait, task, **options)

    async def ping(self) -> None:
        await asyncio.to_thread(self.client.ping)

    async def close(self) -> None:
        await asyncio.to_thread(self.client.close)


Connect = Callable[..., Face]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """uvloop."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(params=["Client", "AsyncClient"])
async def connect(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Connect]:
    """Makes clients of one kind and then of the other: ``connect()``, ``connect(url, max_payload_bytes=…)``."""
    async with AsyncExitStack() as stack:

        def make(target: Any = redis_url, **options: Any) -> Face:
            face: Face = (
                BlockingFace(target, **options) if request.param == "Client" else AsyncClient(target, **options)
            )
            stack.push_async_callback(face.close)
            return face

        yield make


@pytest.fixture
async def client(connect: Connect) -> Face:
    """A client of the test's database."""
    return connect()


class Look:
    """Reads what Redis holds."""

    def __init__(self, redis: Redis) -> None:
        self.redis: Any = redis

    def fields(self, info: TaskInfo) -> dict[str, bytes]:
        """The hash of a task."""
        return {k.decode(): v for k, v in self.redis.hgetall(keys.of_queue(info.queue).task(info.id)).items()}

    def message(self, info: TaskInfo) -> TaskMessage:
        """The stored message of a task."""
        return TaskMessage.decode(self.fields(info)["msg"])

    def pending(self, queue: str = "default") -> list[str]:
        """Pending ids, the next to run first."""
        return [task_id.decode() for task_id in reversed(self.redis.lrange(keys.of_queue(queue).pending, 0, -1))]

    def scores(self, name: str, queue: str = "default") -> dict[str, float]:
        """A sorted set of a queue."""
        found = self.redis.zrange(keys.of_queue(queue).prefix + name, 0, -1, withscores=True)
        return {member.decode(): score for member, score in found}


@pytest.fixture
def look(redis: Redis) -> Look:
    """Eyes."""
    return Look(redis)
