"""Settings: where Redis is, how a server behaves. Frozen and checked when made; reads no files.

The only environment variable looked at is ``ASYNQPY_REDIS_URL``, in `RedisOptions.default`; the command line reads the
others.
"""

from __future__ import annotations

import math
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict, get_args
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from asynqpy.about import LONGEST_VERSION, is_version
from asynqpy.aggregators import Aggregator, Aggregators, as_aggregators
from asynqpy.errors import ConfigError
from asynqpy.observer import ServerObserver
from asynqpy.options import DEFAULT_QUEUE, Duration
from asynqpy.retry import RetryDelay
from asynqpy.task import Task

DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379

Address: TypeAlias = tuple[str, int]
"""Host and TCP port."""

ErrorHandler: TypeAlias = "Callable[[Task, BaseException], Awaitable[None] | None]"
"""Called with the task and the error after each failed attempt, before the outcome is written."""

IsFailure: TypeAlias = "Callable[[BaseException], bool]"
"""Whether an error counts as a failure; if not, the task is retried without spending a retry."""

HealthCheck: TypeAlias = "Callable[[BaseException | None], Awaitable[None] | None]"
"""Called at each health check with the error, or None when Redis answered."""

UnknownTypes: TypeAlias = Literal["fail", "release"]
"""What a server does with a task that it has no handler for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisOptions:
    """Where Redis is and how to talk to it. Make one from a URL with `from_url`."""

    host: str = "localhost"
    """Name or address of the server."""
    port: int = DEFAULT_PORT
    """Its TCP port."""
    db: int = 0
    """Number of the database."""
    username: str | None = None
    """ACL user; the default one when None."""
    password: str | None = field(default=None, repr=False)
    """Its password; never shown."""
    unix_socket_path: str | None = None
    """Path of a Unix socket to use instead of host and port."""
    embedded_folder: Path | None = None
    """Folder of the embedded server; set together with *embedded*."""
    embedded: bool = False
    """Use the embedded Valkey server instead of an address."""
    sentinels: tuple[Address, ...] = ()
    """Addresses of the sentinels to ask for the master, instead of host and port."""
    sentinel_master: str = "mymaster"
    """The name under which the sentinels know the master."""
    sentinel_username: str | None = None
    """ACL user at the sentinels; *username* and *password* are those at the master."""
    sentinel_password: str | None = field(default=None, repr=False)
    """Its password; never shown."""
    cluster: tuple[Address, ...] = ()
    """Addresses of some nodes of a Redis Cluster, instead of host and port; the others are found through these."""
    address_map: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Where an address that Sentinel or Cluster announces can be reached from here, as ``{"host:port": "host:port"}``;
    for address translation, where ``cluster-announce-ip`` cannot help."""
    failover_wait: timedelta = timedelta(seconds=5)
    """How long a call may wait while Sentinel or Cluster change masters or move slots, before it fails."""
    tls: bool = False
    """Encrypt the connection."""
    tls_ca_file: str | None = None
    """Certificates to trust instead of the system's."""
    tls_certificate_file: str | None = None
    """Certificate to show to a server that asks for one."""
    tls_key_file: str | None = None
    """Its private key."""
    tls_verify: bool = True
    """Check the server's certificate and name; switch it off only where the network is trusted."""
    connect_timeout: timedelta = timedelta(seconds=5)
    """How long opening a connection may take."""
    timeout: timedelta = timedelta(seconds=5)
    """How long one round trip may take before the connection counts as broken."""

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:
            raise ConfigError(f"Redis port must be between 1 and 65535, got {self.port}")
        if self.db < 0:
            raise ConfigError(f"Redis database must not be negative, got {self.db}")
        for name in ("connect_timeout", "timeout"):
            if getattr(self, name) <= timedelta(0):
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")
        if self.failover_wait < timedelta(0):
            raise ConfigError(f"failover_wait must not be negative, got {self.failover_wait}")
        self._check_places()

    def _check_places(self) -> None:
        """One place, and addresses that can be."""
        places = {
            "sentinels": bool(self.sentinels),
            "cluster": bool(self.cluster),
            "embedded": self.embedded,
            "unix_socket_path": self.unix_socket_path is not None,
        }
        given = [name for name, is_given in places.items() if is_given]
        if len(given) > 1:
            raise ConfigError(f"Redis can be in one place only, got {' and '.join(given)}")
        if self.cluster and self.db:
            raise ConfigError(f"a Redis Cluster has only database 0, got {self.db}")
        if self.sentinels and not self.sentinel_master:
            raise ConfigError("sentinel_master must name the master, as in sentinel_master='mymaster'")
        for host, port in (*self.sentinels, *self.cluster):
            if not host or not 0 < port < 65536:
                raise ConfigError(f"an address is a host and a port between 1 and 65535, got {(host, port)}")
        for announced, reached in self.address_map.items():
            for text in (announced, reached):
                _address(text, None)

    @classmethod
    def default(cls) -> RedisOptions:
        """What is used when nothing is given: ``ASYNQPY_REDIS_URL``, else ``redis://localhost:6379/0``."""
        return cls.from_url(os.environ.get("ASYNQPY_REDIS_URL") or "redis://localhost:6379/0")

    @classmethod
    def from_url(cls, url: str) -> RedisOptions:
        """Options from a URL.

        - ``redis://[user:password@]host[:port][/db]``: TCP
        - ``rediss://…``: the same over TLS; ``?ca=``, ``?cert=`` and ``?key=`` name files, ``?verify=0`` trusts anybody
        - ``redis-socket:///path[?db=n]`` or ``unix://…``: a Unix socket
        - ``redis-sentinel://[[user]:password@]host[:port][,host[:port]…][/db][?master=name]``: the master that these
          sentinels name, ``mymaster`` unless said otherwise. The password is that of the sentinels, as in asynq;
          ``?username=`` and ``?password=`` are those of the master.
        - ``redis-cluster://[user:password@]host[:port][,host[:port]…]``: a Redis Cluster, by some of its nodes
        - ``rediss-sentinel://…``, ``rediss-cluster://…``: the same over TLS, with the parameters of ``rediss``;
          ``?tls=1`` says the same
        - ``embedded://[/folder]``: the embedded Valkey server

        User and password are percent-decoded. Parameters that are not named here are ignored.

        Raises:
            ConfigError: the URL cannot be understood; the message says which part.
        """
        try:
            parts = _split(url)
        except ValueError:
            # Python's own error may quote a part of the password, which is why it is neither shown nor chained.
            raise ConfigError(
                f"could not parse the Redis URL {_shown(url)!r}: host or port cannot be read; special characters of a"
                " password must be percent-encoded"
            ) from None
        read = _SCHEMES.get(parts.scheme)
        if read is None:
            known = ", ".join(sorted(_SCHEMES))
            raise ConfigError(
                f"unsupported scheme {parts.scheme!r} in the Redis URL {_shown(url)!r}; use one of {known}"
            )
        return read(parts, {name: values[-1] for name, values in parse_qs(parts.query).items()})


def _split(url: str) -> SplitResult:
    """The parts of *url*. Several hosts are more than ``urlsplit`` understands: they stay as they are."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme.lower() in _MANY_HOSTS:
        rest, _, query = rest.partition("?")
        place, slash, path = rest.partition("/")
        return SplitResult(scheme.lower(), place, slash + path, query, "")
    parts = urlsplit(url)
    parts.port  # noqa: B018 - raises for a port that is no number
    return parts


def _shown(url: str) -> str:
    """*url* without its password, for messages."""
    scheme, at, rest = url.rpartition("@")
    return f"{scheme.split('://')[0]}://…@{rest}" if at else url


def _credentials(parts: SplitResult) -> dict[str, str | None]:
    return {
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
    }


def _database(text: str | None) -> int:
    if not text:
        return 0
    try:
        return int(text)
    except ValueError:
        shown = "…" if "@" in text else repr(text)  # then it is the rest of a password with a slash in it
        raise ConfigError(f"the database in a Redis URL must be a number, got {shown}") from None


def _from_tcp(parts: SplitResult, query: Mapping[str, str]) -> RedisOptions:
    first_segment = parts.path.lstrip("/").split("/")[0]
    return RedisOptions(
        host=parts.hostname or "localhost",
        port=DEFAULT_PORT if parts.port is None else parts.port,
        db=_database(first_segment or query.get("db")),
        username=_credentials(parts)["username"],
        password=_credentials(parts)["password"],
    )


def _from_tls(parts: SplitResult, query: Mapping[str, str]) -> RedisOptions:
    return replace(_from_tcp(parts, query), **_tls(query))


def _tls(query: Mapping[str, str]) -> dict[str, Any]:
    return {
        "tls": True,
        "tls_ca_file": query.get("ca") or query.get("ssl_ca_certs"),
        "tls_certificate_file": query.get("cert") or query.get("ssl_certfile"),
        "tls_key_file": query.get("key") or query.get("ssl_keyfile"),
        "tls_verify": _is_true(query.get("verify", "1")) and query.get("ssl_cert_reqs") != "none",
    }


def _is_true(text: str) -> bool:
    return text.lower() not in {"", "0", "false", "no"}


def _tls_if_asked(parts: SplitResult, query: Mapping[str, str]) -> dict[str, Any]:
    asked = parts.scheme.startswith("rediss") or _is_true(query.get("tls", ""))
    return _tls(query) if asked else {}


def _from_sentinels(parts: SplitResult, query: Mapping[str, str]) -> RedisOptions:
    at_sentinels = _credentials(parts)
    return RedisOptions(
        sentinels=_addresses(parts, DEFAULT_SENTINEL_PORT),
        sentinel_master=query.get("master", "mymaster"),
        sentinel_username=query.get("sentinel_username") or at_sentinels["username"],
        sentinel_password=query.get("sentinel_password") or at_sentinels["password"],
        username=query.get("username"),
        password=query.get("password"),
        db=_database(parts.path.lstrip("/").split("/")[0] or query.get("db")),
        **_tls_if_asked(parts, query),
    )


def _from_cluster(parts: SplitResult, query: Mapping[str, str]) -> RedisOptions:
    return RedisOptions(
        cluster=_addresses(parts, DEFAULT_PORT),
        username=_credentials(parts)["username"],
        password=_credentials(parts)["password"],
        db=_database(parts.path.lstrip("/").split("/")[0] or query.get("db")),
        **_tls_if_asked(parts, query),
    )


def _addresses(parts: SplitResult, default_port: int) -> tuple[Address, ...]:
    return tuple(_address(text, default_port) for text in parts.netloc.rpartition("@")[2].split(","))


def _address(text: str, default_port: int | None) -> Address:
    """*text* is ``host:port``; a host with colons is in brackets. The port may be missing where there is a default."""
    host, port = text, ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif ":" in text:
        host, _, port = text.rpartition(":")
    if not port and default_port is not None:
        return host or "localhost", default_port
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(
            "host or port cannot be read in an address of Redis: write host:port, with a port up to 65535"
        )
    return host, int(port)


def _from_socket(parts: SplitResult, query: Mapping[str, str]) -> RedisOptions:
    if not parts.path:
        raise ConfigError("the URL of a Unix socket needs a path, as in redis-socket:///run/redis/redis.sock?db=0")
    return RedisOptions(
        unix_socket_path=unquote(parts.path),
        db=_database(query.get("db")),
        username=_credentials(parts)["username"],
        password=_credentials(parts)["password"],
    )


def _from_embedded(parts: SplitResult, query: Mapping[str, str]) -> RedisOptions:
    folder = unquote(parts.netloc + parts.path)  # as a shell would take it: relative, absolute, or below ~
    path = Path(folder).expanduser() if folder else None
    return RedisOptions(embedded=True, embedded_folder=path, db=_database(query.get("db")))


_SCHEMES: dict[str, Callable[[SplitResult, Mapping[str, str]], RedisOptions]] = {
    "redis": _from_tcp,
    "rediss": _from_tls,
    "redis-socket": _from_socket,
    "unix": _from_socket,
    "embedded": _from_embedded,
    "redis-sentinel": _from_sentinels,
    "rediss-sentinel": _from_sentinels,
    "redis-cluster": _from_cluster,
    "rediss-cluster": _from_cluster,
}

_MANY_HOSTS = frozenset(scheme for scheme, read in _SCHEMES.items() if read in (_from_sentinels, _from_cluster))


def redis_address(options: RedisOptions) -> str:
    """*options* as a URL that may be shown: without the password."""
    if options.embedded:
        return f"embedded://{options.embedded_folder or ''}"
    user = _secret(options.username, options.password)
    if options.unix_socket_path is not None:
        return f"redis-socket://{user}{options.unix_socket_path}?db={options.db}"
    if options.sentinels:
        scheme = "rediss-sentinel" if options.tls else "redis-sentinel"
        at_sentinels = _secret(options.sentinel_username, options.sentinel_password)
        return f"{scheme}://{at_sentinels}{_places(options.sentinels)}/{options.db}?master={options.sentinel_master}"
    if options.cluster:
        return f"{'rediss' if options.tls else 'redis'}-cluster://{user}{_places(options.cluster)}"
    return f"{'rediss' if options.tls else 'redis'}://{user}{options.host}:{options.port}/{options.db}"


def _secret(username: str | None, password: str | None) -> str:
    if password:
        return f"{username or ''}:***@"
    return f"{username}@" if username else ""


def _places(addresses: Sequence[Address]) -> str:
    return ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in addresses)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """How a worker server behaves. Defaults are asynq's unless said otherwise."""

    concurrency: int = field(default_factory=lambda: os.cpu_count() or 1)
    """How many tasks run at once."""
    queues: Mapping[str, int] = field(default_factory=lambda: {DEFAULT_QUEUE: 1})
    """Queues to work on, with their weights."""
    strict_priority: bool = False
    """Serve a queue only when all heavier ones are empty, instead of in proportion to the weights."""
    lease: Duration = timedelta(seconds=30)
    """How long a claim lasts without a sign of life; a task of a dead worker starts again after it. At least 10 s."""
    rollups: bool = True
    """Write down every few seconds what was done, for `Inspector.rates` and the dashboard; nothing while idle."""
    max_crashes: int = 3
    """Archive a task when it was lost with its worker this often."""
    shutdown_timeout: Duration = timedelta(seconds=8)
    """How long running tasks may finish at shutdown before they are put back."""
    cancel_grace: Duration = timedelta(seconds=5)
    """How long a handler may take to stop after a timeout or cancellation before its outcome is written without it."""
    app_version: str | None = None
    """The version of the application whose handlers run here, such as ``1.4.2``: told with the server and with each
    attempt that fails; at most 64 characters."""
    isolated_processes: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Child processes for handlers with ``isolate="process"``."""
    task_check_interval: Duration = timedelta(seconds=1)
    """How often queues are polled where Redis cannot push changes."""
    janitor_batch_size: int = 100
    """How many expired tasks one call deletes."""
    aggregator: Aggregator | Aggregators | None = None
    """Makes one task of the tasks of a group: a function for all groups, or several; None leaves groups alone."""
    group_grace_period: Duration = timedelta(seconds=60)
    """A group is aggregated when no task has joined it for so long; at least 1 s, rounded up to whole seconds."""
    group_max_delay: Duration = 0
    """A group is aggregated when its oldest task has waited for so long, though more are coming; 0: no limit."""
    group_max_size: int = 0
    """A group is aggregated when it has so many tasks, the oldest ones together; 0: no limit, and sets of 1000."""
    retry_delay: RetryDelay | None = None
    """How long a failed task waits; asynq's curve when None."""
    is_failure: IsFailure | None = None
    """Which errors count as failures; all when None."""
    error_handler: ErrorHandler | None = None
    """Told of each failed attempt, before its outcome is written; what it raises is logged."""
    unknown_types: UnknownTypes = "fail"
    """What happens to a task that no pattern of the mux matches: ``"fail"`` fails the attempt, as asynq does;
    ``"release"`` hands it on, with a growing delay and without spending a retry, to a server that knows it."""
    observer: ServerObserver | None = None
    """Told what the server does, for metrics."""
    health_check: HealthCheck | None = None
    """Told at each check whether Redis answers."""
    health_check_interval: Duration = timedelta(seconds=15)
    """How often Redis is asked for the health check."""

    def __post_init__(self) -> None:
        if isinstance(self.concurrency, bool) or not isinstance(self.concurrency, int) or self.concurrency < 1:
            raise ConfigError(f"concurrency must be a whole number of at least 1, got {self.concurrency!r}")
        if not self.queues:
            raise ConfigError("queues must name at least one queue, as in queues={'default': 1}")
        for queue, weight in self.queues.items():
            if not isinstance(queue, str) or not queue.strip():
                raise ConfigError(f"queue name must contain one or more characters, got {queue!r}")
            if isinstance(weight, bool) or not isinstance(weight, int) or not 0 < weight < 2**31:
                raise ConfigError(f"weight of queue {queue!r} must be a whole number of at least 1, got {weight!r}")
        if seconds(self.lease) < 10:
            raise ConfigError(f"lease must be at least 10 seconds, got {self.lease}: it is extended every 5 seconds")
        version = self.app_version
        if version is not None and not (isinstance(version, str) and is_version(version)):
            raise ConfigError(f"app_version must be 1 to {LONGEST_VERSION} visible characters, got {version!r}")
        if self.isolated_processes < 1:
            raise ConfigError(f"isolated_processes must be at least 1, got {self.isolated_processes}")
        if self.unknown_types not in get_args(UnknownTypes):
            raise ConfigError(f"unknown_types must be 'fail' or 'release', got {self.unknown_types!r}")
        if self.max_crashes < 1:
            raise ConfigError(f"max_crashes must be at least 1, got {self.max_crashes}")
        if not 0 < self.janitor_batch_size <= 5000:
            raise ConfigError(f"janitor_batch_size must be between 1 and 5000, got {self.janitor_batch_size}")
        if seconds(self.group_grace_period) < 1:
            raise ConfigError(f"group_grace_period must be at least 1 second, got {self.group_grace_period}")
        size = self.group_max_size
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise ConfigError(f"group_max_size must be a whole number of at least 0, got {size!r}")
        if self.aggregator is not None:
            as_aggregators(self.aggregator)
        for name in ("shutdown_timeout", "cancel_grace", "group_max_delay"):
            if seconds(getattr(self, name)) < 0:
                raise ConfigError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("task_check_interval", "health_check_interval"):
            if seconds(getattr(self, name)) <= 0:
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")


class ServerSettings(TypedDict, total=False):
    """Keyword arguments of ``Server(...)``; meaning and defaults are those of `ServerConfig`."""

    concurrency: int
    queues: Mapping[str, int]
    strict_priority: bool
    lease: Duration
    rollups: bool
    max_crashes: int
    shutdown_timeout: Duration
    cancel_grace: Duration
    app_version: str | None
    isolated_processes: int
    task_check_interval: Duration
    janitor_batch_size: int
    aggregator: Aggregator | Aggregators | None
    group_grace_period: Duration
    group_max_delay: Duration
    group_max_size: int
    retry_delay: RetryDelay | None
    is_failure: IsFailure | None
    error_handler: ErrorHandler | None
    unknown_types: UnknownTypes
    observer: ServerObserver | None
    health_check: HealthCheck | None
    health_check_interval: Duration


def seconds(duration: Duration) -> float:
    """A duration in seconds.

    Raises:
        ConfigError: neither a timedelta nor a number.
    """
    if isinstance(duration, timedelta):
        return duration.total_seconds()
    if isinstance(duration, bool) or not isinstance(duration, int | float) or math.isnan(duration):
        raise ConfigError(f"a duration must be a timedelta or a number of seconds, got {duration!r}")
    return float(duration)
