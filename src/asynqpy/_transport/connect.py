"""Where connections come from: options, a URL, or a redis-py client that the user already has.

redis-py connects and logs in; what is said afterwards is packed and read by the lanes. A client of the user's lends its
settings: connections of our own are opened with them, and the client itself is never touched or closed.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeAlias

import redis
from redis import asyncio as redis_async
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from asynqpy._transport.access import Access, Endpoint, access_by_client, access_by_options
from asynqpy._transport.embedded import EmbeddedServer
from asynqpy._transport.exchange import pack
from asynqpy._transport.sentinel import SENTINEL_SECONDS, check_role, find_master, question
from asynqpy._transport.switches import Switches
from asynqpy._transport.topology import Topology, hash_tag
from asynqpy.config import Address, RedisOptions
from asynqpy.errors import ConfigError

RedisTarget: TypeAlias = (
    "str | RedisOptions | redis.Redis | redis_async.Redis | redis.RedisCluster | redis_async.RedisCluster | None"
)
"""A URL, options, a redis-py client, or nothing: then ``ASYNQPY_REDIS_URL`` decides."""

_CLIENTS = (redis.Redis, redis_async.Redis, redis.RedisCluster, redis_async.RedisCluster)
_TROUBLE = (RedisError, OSError, EOFError)


class Source:
    """Opens connections to one Redis, or to the nodes of one cluster; blocking ones and awaited ones."""

    def __init__(self, target: RedisTarget) -> None:
        self._embedded: EmbeddedServer | None = None
        self._options: RedisOptions | None = None
        self.timeout = timedelta(seconds=5)
        self.failover_wait = timedelta(seconds=5)
        if target is None:
            target = RedisOptions.default()
        elif isinstance(target, str):
            target = RedisOptions.from_url(target)
        if isinstance(target, RedisOptions):
            self._options = target
            self.timeout = target.timeout
            self.failover_wait = target.failover_wait
            self._access = access_by_options(target)
        elif isinstance(target, _CLIENTS):
            self._access = access_by_client(target)
        else:
            raise ConfigError(f"Redis is given as a URL, RedisOptions or a redis-py client, got {target!r}")
        access = self._access
        self.switches = Switches(access, _open_sentinel_blocking) if access.sentinels else None
        """Hears when the sentinels name another master."""
        if self.switches is not None:
            weakref.finalize(self, self.switches.close)
        self.topology = Topology(access.cluster, access.translate) if access.cluster else None
        """Who serves what, when this is a cluster."""

    @property
    def options(self) -> RedisOptions | None:
        """The options, unless a redis-py client was given."""
        return self._options

    @property
    def follows_failover(self) -> bool:
        """Whether another server may take over: with sentinels, or in a cluster."""
        return self.topology is not None or bool(self._access.sentinels)

    @property
    def switch_count(self) -> int:
        """Grows when another server has become the master: connections made before are to be given up."""
        return 0 if self.switches is None else self.switches.count

    @property
    def starts_server(self) -> bool:
        """Whether the next connection has to start or join an embedded server first, which blocks."""
        return self._options is not None and self._options.embedded and self._embedded is None

    def refusal_of_queue(self, queue: str) -> str | None:
        """Why *queue* cannot be used here; None when it can."""
        if self.topology is not None and queue.startswith("}"):
            return (
                f"queue name {queue!r} cannot be used on a Redis Cluster: with '}}' in front its hash tag is empty, so"
                " its keys would be on different nodes"
            )
        return None

    def together(self, keys: Iterable[str]) -> list[list[str]]:
        """*keys* in groups that one command may name: all of them, or on a cluster those of one hash tag."""
        if self.topology is None:
            return [list(keys)]
        groups: dict[str, list[str]] = {}
        for key in keys:
            groups.setdefault(hash_tag(key), []).append(key)
        return list(groups.values())

    async def connected(self, address: Address | None = None) -> redis_async.Connection:
        """A new connection, logged in; the embedded server is started first if it has to be.

        Without an *address* it leads to the server, to the present master, or to some node of the cluster. The
        connection has no timeout of its own: lanes bound a whole round trip.

        Raises:
            RedisError, OSError: Redis cannot be reached, refuses the login, or does not answer in time.
        """
        if self.starts_server:
            await asyncio.to_thread(self.resolve)
        access = self._access
        if address is not None:
            return await self._open(access.server.at(address))
        if self.switches is not None:
            self.switches.start()
            return await self._open_master(access, self.switches)
        if self.topology is None:
            return await self._open(access.server)
        trouble: Exception = RedisConnectionError("no node of the cluster is known")
        for candidate in self.topology.candidates():
            try:
                return await self._open(access.server.at(candidate))
            except _TROUBLE as error:
                trouble = error
        raise trouble

    async def _open(self, endpoint: Endpoint, limit: float | None = None) -> redis_async.Connection:
        connection: redis_async.Connection = endpoint.async_class(**endpoint.settings, **_defaults(None))
        try:
            async with asyncio.timeout(limit or self.timeout.total_seconds()):  # logging in, too, takes replies
                await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def _open_master(self, access: Access, switches: Switches) -> redis_async.Connection:
        search = find_master(access, switches.is_deposed)
        try:
            what, endpoint = next(search)
            while True:
                try:
                    if what == "ask":
                        connection = await self._open(endpoint, SENTINEL_SECONDS)
                        answer = await self._say(connection, question(access), SENTINEL_SECONDS)
                        await connection.disconnect()
                    else:
                        answer = await self._open(endpoint)
                        await self._say(answer, ("ROLE",), self.timeout.total_seconds(), check_role)
                except _TROUBLE as error:
                    answer = error
                what, endpoint = search.send(answer)
        except StopIteration as found:
            return found.value  # type: ignore[no-any-return]

    @staticmethod
    async def _say(
        connection: redis_async.Connection,
        words: tuple[str, ...],
        limit: float,
        check: Callable[[Any], object] = lambda reply: None,
    ) -> Any:
        try:
            async with asyncio.timeout(limit):
                await connection.send_packed_command([pack(words)], check_health=False)
                reply = await connection.read_response(disable_decoding=True)
            check(reply)
            return reply
        except BaseException:
            await connection.disconnect(nowait=True)
            raise

    def connected_blocking(self, address: Address | None = None) -> redis.Connection:
        """`connected`, for threads; the connection's own timeout bounds each reply."""
        self.resolve()
        access = self._access
        if address is not None:
            return self._open_blocking(access.server.at(address))
        if self.switches is not None:
            self.switches.start()
            return self._open_master_blocking(access, self.switches)
        if self.topology is None:
            return self._open_blocking(access.server)
        trouble: Exception = RedisConnectionError("no node of the cluster is known")
        for candidate in self.topology.candidates():
            try:
                return self._open_blocking(access.server.at(candidate))
            except _TROUBLE as error:
                trouble = error
        raise trouble

    def _open_blocking(self, endpoint: Endpoint) -> redis.Connection:
        return _open_blocking(endpoint, self.timeout.total_seconds())

    def _open_master_blocking(self, access: Access, switches: Switches) -> redis.Connection:
        search = find_master(access, switches.is_deposed)
        try:
            what, endpoint = next(search)
            while True:
                try:
                    if what == "ask":
                        connection = _open_sentinel_blocking(endpoint)
                        try:
                            answer = _say_blocking(connection, question(access))
                        finally:
                            connection.disconnect()
                    else:
                        answer = self._open_blocking(endpoint)
                        _say_blocking(answer, ("ROLE",), check_role)
                except _TROUBLE as error:
                    answer = error
                what, endpoint = search.send(answer)
        except StopIteration as found:
            return found.value  # type: ignore[no-any-return]

    def close(self) -> None:
        """Give up the share in an embedded server, and listen to sentinels no more; idempotent."""
        if self.switches is not None:
            self.switches.close()
        if self._embedded is not None:
            self._embedded.release()
            self._embedded = None

    def resolve(self) -> None:
        """Start or join the embedded server, if there is to be one."""
        options = self._options
        if options is not None and options.embedded and self._embedded is None:
            self._embedded = EmbeddedServer.acquire(options.embedded_folder)
            self._access = access_by_options(options, self._embedded.socket_path)


def _open_blocking(endpoint: Endpoint, limit: float, **more: Any) -> redis.Connection:
    settings = {**endpoint.settings, **more, **_defaults(limit)}
    connection: redis.Connection = endpoint.blocking_class(**settings, retry=Retry(NoBackoff(), 0))
    connection.connect()
    return connection


def _open_sentinel_blocking(endpoint: Endpoint) -> redis.Connection:
    return _open_blocking(endpoint, SENTINEL_SECONDS, socket_connect_timeout=SENTINEL_SECONDS)


def _say_blocking(
    connection: redis.Connection, words: tuple[str, ...], check: Callable[[Any], object] = lambda reply: None
) -> Any:
    try:
        connection.send_packed_command([pack(words)], check_health=False)
        reply = connection.read_response(disable_decoding=True)
        check(reply)
        return reply
    except BaseException:
        connection.disconnect()
        raise


def _defaults(timeout_seconds: float | None) -> dict[str, Any]:
    # RESP3 lets one connection carry replies and pushed changes; asynqpy reads bytes, whatever the lender decodes.
    return {"protocol": 3, "decode_responses": False, "socket_timeout": timeout_seconds}
