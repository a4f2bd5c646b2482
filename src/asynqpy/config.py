"""Settings: where Redis is, how a server behaves. Frozen and checked when made; reads no files.

The only environment variable looked at is ``ASYNQPY_REDIS_URL``, in `RedisOptions.default`; the command line reads the
others.
"""

from __future__ import annotations

import math
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict, get_args
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from asynqpy.aggregators import Aggregator, Aggregators, as_aggregators
from asynqpy.errors import ConfigError
from asynqpy.observer import ServerObserver
from asynqpy.options import DEFAULT_QUEUE, Duration
from asynqpy.retry import RetryDelay
from asynqpy.task import Task

DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379

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
        - ``embedded://[/folder]``: the embedded Valkey server

        User and password are percent-decoded. Parameters that are not named here are ignored.

        Raises:
            ConfigError: the URL cannot be understood; the message says which part.
        """
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 - raises for a port that is no number
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
    from dataclasses import replace

    return replace(
        _from_tcp(parts, query),
        tls=True,
        tls_ca_file=query.get("ca") or query.get("ssl_ca_certs"),
        tls_certificate_file=query.get("cert") or query.get("ssl_certfile"),
        tls_key_file=query.get("key") or query.get("ssl_keyfile"),
        tls_verify=query.get("verify", "1").lower() not in {"0", "false", "no"}
        and query.get("ssl_cert_reqs") != "none",
    )


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
}


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
    max_crashes: int = 3
    """Archive a task when it was lost with its worker this often."""
    shutdown_timeout: Duration = timedelta(seconds=8)
    """How long running tasks may finish at shutdown before they are put back."""
    cancel_grace: Duration = timedelta(seconds=5)
    """How long a handler may take to stop after a timeout or cancellation before its outcome is written without it."""
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
    max_crashes: int
    shutdown_timeout: Duration
    cancel_grace: Duration
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
