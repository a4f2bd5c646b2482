"""Where connections come from: options, a URL, or a redis-py client that the user already has.

redis-py connects and logs in; what is said afterwards is packed and read by the lanes. A client of the user's lends its
settings: connections of our own are opened with them, and the client itself is never touched or closed.
"""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from typing import Any, TypeAlias

import redis
from redis import asyncio as redis_async
from redis.backoff import NoBackoff
from redis.retry import Retry

from asynqpy._transport.embedded import EmbeddedServer
from asynqpy.config import RedisOptions
from asynqpy.errors import ConfigError

RedisTarget: TypeAlias = "str | RedisOptions | redis.Redis | redis_async.Redis | None"
"""A URL, options, a redis-py client, or nothing: then ``ASYNQPY_REDIS_URL`` decides."""

_TWINS: dict[type, type] = {
    redis_async.Connection: redis.Connection,
    redis_async.SSLConnection: redis.SSLConnection,
    redis_async.UnixDomainSocketConnection: redis.UnixDomainSocketConnection,
}

_LENT_SETTINGS = frozenset(
    [
        "host",
        "port",
        "db",
        "username",
        "password",
        "credential_provider",
        "path",
        "socket_connect_timeout",
        "socket_keepalive",
        "socket_keepalive_options",
        "client_name",
        "ssl_keyfile",
        "ssl_certfile",
        "ssl_cert_reqs",
        "ssl_ca_certs",
        "ssl_ca_data",
        "ssl_ca_path",
        "ssl_check_hostname",
        "ssl_password",
        "ssl_min_version",
        "ssl_ciphers",
    ]
)


class Source:
    """Opens connections to one Redis, blocking ones and awaited ones."""

    def __init__(self, target: RedisTarget) -> None:
        self._embedded: EmbeddedServer | None = None
        self._options: RedisOptions | None = None
        self.timeout = timedelta(seconds=5)
        if target is None:
            target = RedisOptions.default()
        elif isinstance(target, str):
            target = RedisOptions.from_url(target)
        if isinstance(target, RedisOptions):
            self._options = target
            self.timeout = target.timeout
        elif isinstance(target, redis.Redis | redis_async.Redis):
            pool = target.connection_pool
            self._async_class, self._blocking_class = _both_classes(pool.connection_class)
            self._settings = {name: value for name, value in pool.connection_kwargs.items() if name in _LENT_SETTINGS}
        else:
            raise ConfigError(f"Redis is given as a URL, RedisOptions or a redis-py client, got {target!r}")

    @property
    def options(self) -> RedisOptions | None:
        """The options, unless a redis-py client was given."""
        return self._options

    @property
    def starts_server(self) -> bool:
        """Whether the next connection has to start or join an embedded server first, which blocks."""
        return self._options is not None and self._options.embedded and self._embedded is None

    def blocking_connection(self) -> redis.Connection:
        """A new connection, not yet connected."""
        self.resolve()
        connection: redis.Connection = self._blocking_class(
            **self._settings, **_defaults(self.timeout.total_seconds()), retry=Retry(NoBackoff(), 0)
        )
        return connection

    def async_connection(self) -> redis_async.Connection:
        """A new connection, not yet connected. It has no timeout of its own: lanes bound a whole round trip."""
        self.resolve()
        connection: redis_async.Connection = self._async_class(**self._settings, **_defaults(None))
        return connection

    async def connected(self) -> redis_async.Connection:
        """A new connection, logged in within the timeout; the embedded server is started first if it has to be.

        Raises:
            RedisError, OSError: Redis cannot be reached, refuses the login, or does not answer in time.
        """
        if self.starts_server:
            await asyncio.to_thread(self.resolve)
        connection = self.async_connection()
        try:
            async with asyncio.timeout(self.timeout.total_seconds()):  # logging in, too, takes replies
                await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    def close(self) -> None:
        """Give up the share in an embedded server; idempotent."""
        if self._embedded is not None:
            self._embedded.release()
            self._embedded = None

    def resolve(self) -> None:
        """Turn options into a connection class and its settings; starts the embedded server if it is asked for."""
        options = self._options
        if options is None or (hasattr(self, "_settings") and not self.starts_server):
            return
        settings: dict[str, Any] = {"db": options.db, "username": options.username, "password": options.password}
        settings["socket_connect_timeout"] = options.connect_timeout.total_seconds()
        connection_class: type = redis_async.Connection
        path = options.unix_socket_path
        if options.embedded:
            if self._embedded is None:
                self._embedded = EmbeddedServer.acquire(options.embedded_folder)
            path = self._embedded.socket_path
        if path is not None:
            connection_class = redis_async.UnixDomainSocketConnection
            settings["path"] = path
        else:
            settings |= {"host": options.host, "port": options.port, "socket_keepalive": True}
        if options.tls:
            connection_class = redis_async.SSLConnection
            settings |= {
                "ssl_ca_certs": options.tls_ca_file,
                "ssl_certfile": options.tls_certificate_file,
                "ssl_keyfile": options.tls_key_file,
                "ssl_cert_reqs": ssl.CERT_REQUIRED if options.tls_verify else ssl.CERT_NONE,
                "ssl_check_hostname": options.tls_verify,
            }
        self._async_class, self._blocking_class = _both_classes(connection_class)
        self._settings = settings


def _defaults(timeout_seconds: float | None) -> dict[str, Any]:
    # RESP3 lets one connection carry replies and pushed changes; asynqpy reads bytes, whatever the lender decodes.
    return {"protocol": 3, "decode_responses": False, "socket_timeout": timeout_seconds}


def _both_classes(given: type) -> tuple[Any, Any]:
    for async_class, blocking_class in _TWINS.items():
        if given in (async_class, blocking_class):
            return async_class, blocking_class
    raise ConfigError(
        f"cannot open connections of class {given.__name__}: pass a URL or RedisOptions, or a plain redis-py client"
    )
