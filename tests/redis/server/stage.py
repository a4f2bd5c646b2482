"""A stage for server tests: a queue on a real Redis, servers on it, and eyes that read what Redis holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis import Redis

from asynqpy import Client, ServeMux, Server, Task, TaskInfo
from asynqpy._wire import keys
from asynqpy._wire.moments import utc_day
from asynqpy._wire.records import TaskMessage
from asynqpy.handlers import Handler
from tests.eventually import PATIENCE_SECONDS, eventually


async def soon(event: asyncio.Event) -> None:
    """Wait for *event*, with a deadline."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await event.wait()


@dataclass(frozen=True)
class Stored:
    """A task as Redis holds it."""

    state: str
    message: TaskMessage
    fields: dict[str, bytes]

    @property
    def result(self) -> bytes | None:
        return self.fields.get("result")

    @property
    def traceback(self) -> str:
        return self.fields.get("py:traceback", b"").decode()


class Stage:
    """Everything that a test of the server needs."""

    def __init__(self, url: str, redis: Redis) -> None:
        self.url = url
        self.redis: Any = redis
        self.client = Client(url)

    def close(self) -> None:
        self.client.close()

    def enqueue(self, type: str = "t", payload: object = None, **options: Any) -> TaskInfo:
        """Enqueue one task."""
        return self.client.enqueue(Task(type, payload), **options)

    def enqueue_many(self, count: int, type: str = "t", **options: Any) -> list[TaskInfo]:
        """Enqueue *count* tasks whose payloads are their numbers."""
        tasks = (Task(type, n) for n in range(count))
        return [result.unwrap() for result in self.client.enqueue_many(tasks, **options)]

    @asynccontextmanager
    async def serving(self, handler: ServeMux | Handler, **settings: Any) -> AsyncIterator[Server]:
        """A running server. When it has ended its tables must be empty and its slots free."""
        settings.setdefault("concurrency", 10)
        redis = settings.pop("redis", self.url)
        server = Server(redis, **settings)
        async with server.running(handler):
            yield server
        assert_nothing_is_left(server)

    async def stop(self, server: Server) -> None:
        """Stop *server*, and return when no claim is on its way any more."""
        server.stop()
        assert server._rings is not None
        await server._rings._processor.stop_claiming()

    def stored(self, info: TaskInfo) -> Stored | None:
        """What Redis holds of a task; None when it is gone."""
        fields = {
            name.decode(): value for name, value in self.redis.hgetall(keys.of_queue(info.queue).task(info.id)).items()
        }
        if not fields:
            return None
        return Stored(fields["state"].decode(), TaskMessage.decode(fields["msg"]), fields)

    def state(self, info: TaskInfo) -> str | None:
        """The state of a task; None when it is gone."""
        found = self.redis.hget(keys.of_queue(info.queue).task(info.id), "state")
        return found.decode() if found is not None else None

    async def until_state(self, info: TaskInfo, state: str) -> Stored:
        """Wait until a task is in *state*."""
        await eventually(lambda: self.state(info) == state)
        stored = self.stored(info)
        assert stored is not None
        return stored

    async def until_gone(self, *infos: TaskInfo) -> None:
        """Wait until Redis has forgotten the tasks."""
        for info in infos:
            await eventually(lambda info=info: self.state(info) is None)  # type: ignore[misc]

    def counters(self, queue: str = "default") -> tuple[int, int]:
        """Processed and failed; the totals and today's must agree."""
        q = keys.of_queue(queue)
        day = utc_day(self.client._desk.clock.now())
        totals = self.redis.mget(q.processed, q.failed)
        today = self.redis.mget(q.processed_on(day), q.failed_on(day))
        assert totals == today
        return int(totals[0] or 0), int(totals[1] or 0)

    async def until_processed(self, count: int, queue: str = "default") -> None:
        """Wait until *count* attempts are counted."""
        await eventually(lambda: int(self.redis.get(keys.of_queue(queue).processed) or 0) >= count)

    def ids(self, name: str, queue: str = "default") -> list[str]:
        """The ids in a list or set of a queue: ``pending``, ``active``, ``lease``, ``retry`` and so on."""
        key = keys.of_queue(queue).prefix + name
        is_list = name in ("pending", "active")
        members = self.redis.lrange(key, 0, -1) if is_list else self.redis.zrange(key, 0, -1)
        return [member.decode() for member in members]

    def left_keys(self) -> set[str]:
        """The keys that are neither counters, rollups nor the set of queues: none, when all work is done."""
        found = {key.decode() for key in self.redis.keys("*")}
        kept = (":processed", ":failed", ":py:rollup:")
        return {key for key in found if key != keys.QUEUES and not any(part in key for part in kept)}


def assert_nothing_is_left(server: Server) -> None:
    """The invariant of every end: no attempt, no deadline, no taken slot is left behind."""
    rings = server._rings
    assert rings is not None
    assert len(rings._in_flight) == 0
    assert len(rings._executor.deadlines) == 0
    assert sum(lane._free for lane in rings._processor.lanes) == server.config.concurrency
    assert not any(lane._outbox for lane in rings._processor.lanes)
