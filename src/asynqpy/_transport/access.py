"""What connecting needs to know, from options or from a redis-py client that lends its settings. Opens nothing."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import redis
from redis import asyncio as redis_async
from redis.asyncio import sentinel as sentinel_async
from redis.sentinel import SentinelConnectionPool, SentinelManagedConnection, SentinelManagedSSLConnection

from asynqpy.config import Address, RedisOptions
from asynqpy.errors import ConfigError

_PLAIN = (redis_async.Connection, redis.Connection)
_TLS = (redis_async.SSLConnection, redis.SSLConnection)
_SOCKET = (redis_async.UnixDomainSocketConnection, redis.UnixDomainSocketConnection)
_OF_SENTINELS = (sentinel_async.SentinelManagedConnection, SentinelManagedConnection)
_OF_SENTINELS_BY_TLS = (sentinel_async.SentinelManagedSSLConnection, SentinelManagedSSLConnection)

_CLASSES: dict[type, tuple[Any, Any]] = {
    **dict.fromkeys((*_PLAIN, *_OF_SENTINELS), _PLAIN),
    **dict.fromkeys((*_TLS, *_OF_SENTINELS_BY_TLS), _TLS),
    **dict.fromkeys(_SOCKET, _SOCKET),
}
"""What a client connects with, and what we connect with, awaited and blocking. We find masters by ourselves."""

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


def _as_announced(address: Address) -> Address:
    return address


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How connections are made: redis-py's classes, the awaited and the blocking one, and their settings."""

    async_class: Any
    blocking_class: Any
    settings: Mapping[str, Any]

    def at(self, address: Address) -> Endpoint:
        """The same at another host and port."""
        host, port = address
        return Endpoint(
            async_class=self.async_class,
            blocking_class=self.blocking_class,
            settings={**self.settings, "host": host, "port": port},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A server; or what stands before its address: sentinels, or some nodes of a cluster."""

    server: Endpoint
    """The server; with sentinels or a cluster its address is still to be found."""
    sentinels: list[Endpoint] = field(default_factory=list)
    """In the order in which they are asked; one that answers moves to the front."""
    sentinel_master: str = ""
    cluster: tuple[Address, ...] = ()
    translate: Callable[[Address], Address] = _as_announced
    """From an announced address to one that can be reached from here."""


def access_by_options(options: RedisOptions, socket_path: str | None = None) -> Access:
    """What *options* say; *socket_path* is that of the embedded server."""
    tls: dict[str, Any] = {}
    classes: tuple[Any, Any] = _PLAIN
    if options.tls:
        classes = _TLS
        tls = {
            "ssl_ca_certs": options.tls_ca_file,
            "ssl_certfile": options.tls_certificate_file,
            "ssl_keyfile": options.tls_key_file,
            "ssl_cert_reqs": ssl.CERT_REQUIRED if options.tls_verify else ssl.CERT_NONE,
            "ssl_check_hostname": options.tls_verify,
        }
    common: dict[str, Any] = {"socket_connect_timeout": options.connect_timeout.total_seconds()} | tls
    login: dict[str, Any] = {"db": options.db, "username": options.username, "password": options.password}
    if options.unix_socket_path is not None or socket_path is not None:
        classes = _SOCKET
        where: dict[str, Any] = {"path": socket_path or options.unix_socket_path}
    else:
        where = {"host": options.host, "port": options.port, "socket_keepalive": True}
    server = Endpoint(async_class=classes[0], blocking_class=classes[1], settings=common | login | where)
    sentinel = Endpoint(
        async_class=classes[0],
        blocking_class=classes[1],
        settings={**common, "username": options.sentinel_username, "password": options.sentinel_password},
    )
    return Access(
        server=server,
        sentinels=[sentinel.at(address) for address in options.sentinels],
        sentinel_master=options.sentinel_master,
        cluster=options.cluster,
        translate=_translator(options.address_map),
    )


def access_by_client(client: Any) -> Access:
    """The settings of a redis-py client.

    Raises:
        ConfigError: it opens connections in a way of its own, or to replicas.
    """
    if isinstance(client, redis.RedisCluster | redis_async.RedisCluster):
        return _access_to_cluster(client)
    pool = client.connection_pool
    server = _endpoint(pool.connection_class, pool.connection_kwargs)
    if not isinstance(pool, SentinelConnectionPool | sentinel_async.SentinelConnectionPool):
        return Access(server=server)
    if not pool.is_master:
        raise ConfigError("the redis-py client is one of replicas: pass that of Sentinel.master_for()")
    sentinels = [
        _endpoint(sentinel.connection_pool.connection_class, sentinel.connection_pool.connection_kwargs)
        for sentinel in pool.sentinel_manager.sentinels
    ]
    return Access(server=server, sentinels=sentinels, sentinel_master=_text(pool.service_name))


def _access_to_cluster(client: Any) -> Access:
    settings = dict(client.get_connection_kwargs())
    connection_class = settings.get("connection_class")
    if connection_class is None:
        connection_class = redis.SSLConnection if settings.get("ssl") else redis.Connection
    nodes = client.nodes_manager.startup_nodes.values()
    translate = client.nodes_manager.address_remap
    return Access(
        server=_endpoint(connection_class, settings | {"db": 0}),
        cluster=tuple((str(node.host), int(node.port)) for node in nodes),
        translate=translate or _as_announced,
    )


def _endpoint(connection_class: type, settings: Mapping[str, Any]) -> Endpoint:
    classes = _CLASSES.get(connection_class)
    if classes is None:
        raise ConfigError(
            f"cannot open connections of class {connection_class.__name__}: pass a URL or RedisOptions, or a plain"
            " redis-py client"
        )
    with_tls = classes is _TLS
    lent = {
        name: value
        for name, value in settings.items()
        if name in _LENT_SETTINGS and (with_tls or not name.startswith("ssl_"))
    }
    return Endpoint(async_class=classes[0], blocking_class=classes[1], settings=lent)


def _translator(address_map: Mapping[str, str]) -> Callable[[Address], Address]:
    if not address_map:
        return _as_announced

    def translate(address: Address) -> Address:
        host, _, port = address_map.get(f"{address[0]}:{address[1]}", "").rpartition(":")
        return (host.strip("[]"), int(port)) if host else address

    return translate


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
