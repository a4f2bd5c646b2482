"""The process that keeps one folder's embedded server: starts it, starts it again after a crash, stops it when unused.

Run as a script, with the standard library alone, so that it costs a few milliseconds and megabytes. It knows no
process ids, only locks in the folder, which the kernel releases however their holder ends:

    door.lock     taken by whoever looks whether a server runs and starts one: one at a time
    users.lock    shared by every user; the keeper waits to have it alone, then nobody is left
    keeper.lock   held by the keeper as long as it lives, handed over by the process that started it
    server.lock   held by the keeper and inherited by the server: free only when both have ended

The locks are ``flock`` locks, which belong to an open file and not to a process: a fork shares the lock of its parent
and can give up only its own share.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

DOOR_LOCK = "door.lock"
USERS_LOCK = "users.lock"
KEEPER_LOCK = "keeper.lock"
SERVER_LOCK = "server.lock"

RESTART_DELAY_SECONDS = 1.0


def try_lock(path: Path, *, shared: bool = False) -> IO[bytes] | None:
    """Lock the file at *path*, made if missing, and return it open, or None if others hold it. Closing it unlocks."""
    file = open(path, "ab")  # noqa: SIM115  (the open file is the lock)
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except BaseException:
        file.close()
        raise
    return file


def unlock(file: IO[bytes] | int) -> None:
    """Unlock an open file for whoever else may have inherited it."""
    fcntl.flock(file, fcntl.LOCK_UN)


def is_locked(path: Path, *, shared: bool = False) -> bool:
    """Whether a lock on *path*, exclusive unless *shared*, would have to wait."""
    file = try_lock(path, shared=shared)
    if file is None:
        return True
    file.close()
    return False


class Keeper:
    """Runs *command* until nobody holds the users' lock, and again whenever a crash ends it before."""

    def __init__(self, command: list[str], socket: Path, *, users_lock: IO[bytes], server_lock: IO[bytes]) -> None:
        self.command = command
        self.socket = socket
        self.users_lock = users_lock
        self.server_lock = server_lock
        self.unused = threading.Event()
        self._server: subprocess.Popen[bytes] | None = None
        self._starting_or_stopping = threading.Lock()

    def run(self) -> None:
        """Keep the server; return when it has ended for good.

        An end of its own (SHUTDOWN, a fatal setting) is respected. After a signal it is started again, unless it died
        before it opened its socket, which no second start would mend.
        """
        threading.Thread(target=self._stop_when_unused, daemon=True).start()
        while (server := self._start()) is not None:
            if server.wait() >= 0 or not self.socket.exists():
                return
            self.unused.wait(RESTART_DELAY_SECONDS)  # a server that dies at once must not keep a core busy

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._starting_or_stopping:
            if self.unused.is_set():
                return None
            self.socket.unlink(missing_ok=True)
            self._server = subprocess.Popen(self.command, pass_fds=[self.server_lock.fileno()])
            return self._server

    def _stop_when_unused(self) -> None:
        fcntl.flock(self.users_lock, fcntl.LOCK_EX)  # held from now on: who comes next waits until this process ends
        with self._starting_or_stopping:
            self.unused.set()
            if self._server is not None:
                self._server.terminate()  # Valkey writes out its append-only file and exits


def main(folder: Path, socket: Path, keeper_lock: int, command: list[str]) -> None:
    """Leave the process that called, then keep the server of *folder*. *keeper_lock* is inherited, and locked."""
    if os.fork():
        return
    os.chdir(folder)
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # The keeper ends with its server. A handler, as SIG_IGN would be inherited and the server deaf while it starts.
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the caller's thread may have blocked some
    server_lock = try_lock(folder / SERVER_LOCK)
    if server_lock is None:
        sys.exit("another server is still running in this folder")
    with server_lock, open(folder / USERS_LOCK, "ab") as users_lock:
        Keeper(command, socket, users_lock=users_lock, server_lock=server_lock).run()
        if socket.parent != folder:
            with suppress(OSError):
                socket.parent.rmdir()  # made for this socket alone
    unlock(keeper_lock)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
