"""The end of a worker process that its supervisor holds: where it says that it serves, and learns that it is alone."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from datetime import timedelta
from typing import Self

from asynqpy._worker.supervisor import CHILD_VARIABLE, END_ALLOWANCE, SERVING
from asynqpy.server import Server, ServerState

log = logging.getLogger("asynqpy")

_POLL_SECONDS = 0.01


class Leash:
    """The socket to the supervisor, and the token that it chose for the claims of this process."""

    def __init__(self, supervisor: socket.socket, token: str) -> None:
        self._supervisor = supervisor
        self.token = token

    @classmethod
    def from_environment(cls) -> Self | None:
        """The leash of this process; None when it has no supervisor. Processes started by this one have none."""
        value = os.environ.pop(CHILD_VARIABLE, "")
        if not value:
            return None
        descriptor, _, token = value.partition(":")
        supervisor = socket.socket(fileno=int(descriptor))
        supervisor.set_inheritable(False)
        return cls(supervisor, token)

    def hold(self, server: Server, *, shutdown_timeout: timedelta) -> None:
        """Tell the supervisor when *server* serves, and end it when the supervisor is gone. Returns at once."""
        limit = (shutdown_timeout + END_ALLOWANCE).total_seconds()
        threading.Thread(target=self._hold, args=(server, limit), name="asynqpy leash", daemon=True).start()

    def _hold(self, server: Server, limit_seconds: float) -> None:
        while server.state is ServerState.NEW:
            time.sleep(_POLL_SECONDS)
        try:
            self._supervisor.sendall(SERVING)
            self._supervisor.recv(1)  # nothing is ever sent: this returns when the other end is closed
        except OSError:
            pass
        log.warning("the supervisor is gone: ending")
        server.shutdown()
        time.sleep(limit_seconds)
        log.error("did not end in time without a supervisor; giving up")
        # With what it started: the supervisor gave it a group of its own. Its leases end, and others take its tasks.
        os.killpg(0, signal.SIGKILL)
