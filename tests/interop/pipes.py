"""Child processes that speak JSON lines over their standard input and output."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from . import look

REPLY_SECONDS = 30.0


class LineProcess:
    """A child process; what it prints is read line by line in a thread, so that it never waits for us."""

    def __init__(self, *command: str, folder: Path | None = None) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._replies: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stderr: list[bytes] = []
        self._readers = [
            threading.Thread(target=self._read_lines, daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def stderr(self) -> str:
        """What it has complained about so far."""
        return b"".join(self._stderr).decode(errors="replace")

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def receive(self, line: Any) -> None:
        """Take one line of its output; a subclass may keep it elsewhere."""
        self._replies.put(line)

    def send(self, line: Any) -> None:
        """Write one line to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        self._process.stdin.flush()

    def next_line(self) -> Any:
        """The next line it prints."""
        try:
            return self._replies.get(timeout=REPLY_SECONDS)
        except queue.Empty:
            raise AssertionError(f"no answer within {REPLY_SECONDS:g} s; it said: {self.stderr}") from None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float = REPLY_SECONDS) -> int:
        """Its exit code, once it has ended by itself and all it printed was read."""
        code = self._process.wait(timeout=seconds)
        for reader in self._readers:
            reader.join(timeout=seconds)
        return code

    def end(self) -> None:
        """Make sure that it is gone."""
        self._process.kill()
        self.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                self.receive(json.loads(line))
            except ValueError:
                # The line that a kill -9 cut in two.
                self._stderr.append(b"unreadable line: " + line)

    def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._stderr.append(line)


class PeerError(Exception):
    """The Go peer answered with an error: the name of asynq's sentinel, or ``error``, and the text."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


class Peer(LineProcess):
    """``interop peer``: a Go client and inspector that answer one request after the other."""

    def __init__(self, program: str, redis_url: str) -> None:
        super().__init__(program, "peer", "-redis", look.go_url(redis_url))

    def ask(self, op: str, **arguments: Any) -> Any:
        """The answer to one request.

        Raises:
            PeerError: the operation failed.

        """
        self.send({"op": op, **arguments})
        answer = self.next_line()
        if answer["error"] is not None:
            raise PeerError(answer["error"]["name"], answer["error"]["text"])
        return answer["result"]
