"""One Redis and what the web layer keeps of it: its faces, shared answers, the permission to change something."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from asynqpy.client import AsyncClient
from asynqpy.config import RedisOptions, redis_address
from asynqpy.errors import QueueNotFoundError
from asynqpy.inspection import HandledPatterns, QueueInfo, ServerInfo
from asynqpy.inspector import AsyncInspector
from asynqpy.web.audit import Audit, Change
from asynqpy.web.cancellations import Cancellations
from asynqpy.web.coalesce import SharedReads
from asynqpy.web.contents import Contents
from asynqpy.web.guard import user_of
from asynqpy.web.limits import MAX_BODY_BYTES
from asynqpy.web.problems import Problem
from asynqpy.web.users import Permission, User

if TYPE_CHECKING:
    from asynqpy.web.collector import Collector
    from asynqpy.web.jobs import Jobs

MEMORY_FRESH_SECONDS = 10.0
"""How old an estimate of memory may be: it costs far more than counting, and changes slowly."""

ROLLUP_FRESH_SECONDS = 3.0
"""How old what servers write down every five seconds may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `create_app` was given, as far as answers depend on it."""

    contents: Contents
    audit: Audit
    read_only: bool = False
    memory_usage: bool = True
    prometheus_url: str = ""
    longest_payload: int = 200
    longest_result: int = 200
    max_body_bytes: int = MAX_BODY_BYTES
    broker_names: tuple[str, ...] = ()


@dataclass(slots=True)
class Broker:
    """One Redis."""

    name: str
    inspector: AsyncInspector
    client: AsyncClient
    settings: Settings
    address: str = ""
    """Where it is, as far as the settings tell."""
    url: str | None = None
    """The same as commands take it, without passwords; None where the settings do not tell."""
    reads: SharedReads = field(default_factory=SharedReads)
    memory_reads: SharedReads = field(default_factory=lambda: SharedReads(MEMORY_FRESH_SECONDS))
    slow_reads: SharedReads = field(default_factory=lambda: SharedReads(ROLLUP_FRESH_SECONDS))
    cancellations: Cancellations = field(default_factory=Cancellations)
    started: float = field(default_factory=time.monotonic)
    jobs: Jobs = field(init=False)
    collector: Collector = field(init=False)

    async def infos(self, user: User) -> list[QueueInfo]:
        """The numbers of all queues that *user* may see, without memory; the collector's, as long as those are good."""
        infos = self.collector.queues()
        if infos is None:
            infos = await self.reads.get("infos", lambda: self.inspector.queue_infos(memory=False))
        return infos if user.sees_all else [info for info in infos if user.may_see(info.queue)]

    async def names(self, user: User) -> list[str]:
        """The names of all queues that *user* may see."""
        names = await self.reads.get("names", self.inspector.queues)
        return [queue for queue in names if user.may_see(queue)]

    async def servers(self) -> list[ServerInfo]:
        """The living servers."""
        return await self.reads.get("servers", self.inspector.servers)

    async def patterns(self) -> list[HandledPatterns]:
        """What each of them handles."""
        return await self.reads.get("patterns", self.inspector.handled_patterns)

    async def info(self, queue: str) -> QueueInfo:
        """The numbers of one queue, without its memory."""
        return await self.reads.get(("info", queue), lambda: self.inspector.queue_info(queue, memory=False))

    async def memory(self, queues: Iterable[str]) -> dict[str, int | None]:
        """The memory of *queues*, a few seconds old; None for those whose memory nobody knows."""
        names = list(queues)
        if not self.settings.memory_usage or not names:
            return dict.fromkeys(names)
        try:
            infos = await self.memory_reads.get(tuple(names), lambda: self.inspector.queue_infos(names))
        except QueueNotFoundError:  # one has gone meanwhile, which is no reason to tell nothing of the others
            return dict.fromkeys(names)
        return {info.queue: info.memory_usage for info in infos}

    async def close(self) -> None:
        """End what runs, and close the connections."""
        await self.collector.close()
        await self.jobs.close()
        await self.client.close()
        await self.inspector.close()

    @asynccontextmanager
    async def changing(
        self, request: Request, permission: Permission, queue: str, task_id: str = "", **details: Any
    ) -> AsyncIterator[Change]:
        """Record a change, refuse it to those who may not, and let nobody see afterwards what was before.

        Raises:
            Problem: whoever asks may not do this.
        """
        user = user_of(request)
        recording = self.settings.audit.recording(
            user=user.name,
            address=request.client.host if request.client else "",
            broker=self.name,
            action=permission.value,
            queue=queue,
            task_id=task_id,
            **details,
        )
        async with recording as change:
            require(user, permission, queue)
            try:
                yield change
            finally:
                self.reads.forget()
                self.collector.look_soon()


def address_of(target: Any) -> str:
    """Where *target* is: host and port, several of them for a cluster, a path, or nothing where others know it."""
    options = RedisOptions.default() if target is None else target
    if not isinstance(options, RedisOptions) or options.sentinels or options.embedded:
        return ""
    if options.unix_socket_path is not None:
        return options.unix_socket_path
    return ",".join(f"{host}:{port}" for host, port in options.cluster or ((options.host, options.port),))


def url_of(target: Any) -> str | None:
    """*target* as ``--redis`` takes it, without passwords; None for a client, which knows more than can be told."""
    options = RedisOptions.default() if target is None else target
    if not isinstance(options, RedisOptions):
        return None
    return redis_address(replace(options, password=None, sentinel_password=None))


def broker_of(request: Request) -> Broker:
    """The Redis that *request* is about."""
    broker: Broker = request.app.state.broker
    return broker


def require(user: User, permission: Permission, queue: str) -> None:
    """Raises `Problem` unless *user* may do this in *queue*."""
    if not user.may(permission, queue):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "forbidden",
            f"{user.name or 'nobody'} may not {permission.value} in queue {queue!r}",
            permission=permission.value,
            queue=queue,
        )


def require_sight(user: User, queue: str) -> None:
    """Raises `Problem` unless *queue* exists for *user*."""
    if not user.may_see(queue):
        raise Problem(HTTPStatus.FORBIDDEN, "forbidden", f"{user.name or 'nobody'} may not see queue {queue!r}")
