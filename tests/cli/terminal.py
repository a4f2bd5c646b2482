"""A command on a terminal of its own: what a person sees, and types."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence

from tests.servers import wait_until

from .programs import LIMIT_SECONDS, Program, environment


class Terminal:
    """``asynqpy`` with arguments, on a terminal of so many columns."""

    def __init__(self, arguments: Sequence[str], variables: Mapping[str, str], *, columns: int = 100) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        known = {**environment({}), "TERM": "xterm-256color", **variables}
        for name in {"COLUMNS", "LINES", "NO_COLOR"} - set(variables):
            known.pop(name, None)
        self._said = bytearray()
        self.process = subprocess.Popen(
            Program.command(arguments), env=known, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._master, 65536)
            except OSError:  # the other end is closed
                return
            if not piece:
                return
            self._said += piece

    @property
    def text(self) -> str:
        """All that was written so far, with what moves the cursor and colours."""
        return self._said.decode(errors="replace").replace("\r\n", "\n")

    def until(self, text: str) -> None:
        """Wait until *text* was written."""
        try:
            wait_until(lambda: text in self.text or self.process.poll() is not None, limit_seconds=LIMIT_SECONDS)
            self._reader.join(0 if self.process.poll() is None else LIMIT_SECONDS)
        finally:
            assert text in self.text, f"did not write {text!r}:\n{self.text}"

    def type(self, text: str) -> None:
        """Type *text*."""
        os.write(self._master, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        """The exit code, when it has ended and all that it wrote was read."""
        code = self.process.wait(LIMIT_SECONDS)
        self._reader.join(LIMIT_SECONDS)
        return code

    def close(self) -> None:
        """End it, if it runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(LIMIT_SECONDS)
        os.close(self._master)
