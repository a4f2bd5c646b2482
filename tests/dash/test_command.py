"""``asynqpy dash`` as a command, in a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from asynqpy.cli.app import main
from tests.cli.programs import LIMIT_SECONDS, Program, environment
from tests.redis.inspected import Inspected

LEAVES_SCREEN = "\x1b[?1049l"
"""What gives the terminal back as it was before."""


@contextmanager
def _as_in_a_terminal() -> Iterator[None]:
    """Programs that are started hear of a hangup, also where the tests run below something that does not (nohup)."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


class Terminal:
    """A command in a pseudo terminal."""

    def __init__(self, *arguments: str, rows: int = 24, columns: int = 80) -> None:
        self._controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        variables = environment({"TERM": "xterm-256color"})
        del variables["NO_COLOR"], variables["COLUMNS"]
        with _as_in_a_terminal():
            self.process = subprocess.Popen(
                Program.command(arguments),
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                env=variables,
                start_new_session=True,
            )
        os.close(terminal)
        self.output = ""

    def send(self, keys: str) -> None:
        """Type *keys*."""
        os.write(self._controller, keys.encode())

    def until(self, text: str) -> None:
        """Read until the command has written *text* since the last time."""
        deadline = time.monotonic() + LIMIT_SECONDS
        begin = len(self.output)
        while text not in self.output[begin:]:
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.output[begin:]!r}"
            if select.select([self._controller], [], [], 0.1)[0]:
                try:
                    self.output += os.read(self._controller, 65536).decode(errors="replace")
                except OSError:  # the other side is closed
                    assert text in self.output[begin:], self.output[begin:]

    def close(self) -> None:
        """Kill it if it runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._controller)


@pytest.fixture
def open_terminal() -> Iterator[Callable[..., Terminal]]:
    """Opens terminals that end with the test."""
    opened: list[Terminal] = []

    def call(*arguments: str) -> Terminal:
        opened.append(Terminal(*arguments))
        return opened[-1]

    yield call
    for terminal in opened:
        terminal.close()


def test_from_end_to_end(redis: Redis, redis_url: str, open_terminal: Callable[..., Terminal]) -> None:
    """It starts, shows what is there, acts, and gives the terminal back when it ends."""
    queue = Inspected(redis, "critical")
    queue.bring("archived", "lost-and-found", type="email:welcome")
    terminal = open_terminal("dash", "--redis", redis_url, "--refresh", "500ms")
    terminal.until("critical")
    terminal.send("\r")
    terminal.until("lost-and-")
    terminal.send("r")
    terminal.until("Run email:welcome lost-and-found?")
    terminal.send("y")
    terminal.until("lost-and-found made")
    assert redis.lrange(queue.keys.pending, 0, -1) == [b"lost-and-found"]
    terminal.send("q")
    terminal.until("critical")
    terminal.send("q")
    terminal.until(LEAVES_SCREEN)
    assert terminal.process.wait(LIMIT_SECONDS) == 0


@pytest.mark.parametrize("end", ["ctrl-c", "hangup"])
def test_it_ends_at_once(redis_url: str, open_terminal: Callable[..., Terminal], end: str) -> None:
    """Ctrl-C ends it from anywhere; a terminal that goes away takes it along."""
    terminal = open_terminal("dash", "--redis", redis_url)
    terminal.until("no queues yet")
    if end == "ctrl-c":
        terminal.send("\x03")
        terminal.until(LEAVES_SCREEN)
        assert terminal.process.wait(LIMIT_SECONDS) == 0
    else:
        terminal.process.send_signal(signal.SIGHUP)
        assert terminal.process.wait(LIMIT_SECONDS) != 0


def test_without_textual_it_says_what_to_install(tmp_path: Path) -> None:
    """One line, no traceback, where the extra is missing."""
    program = (
        "import sys, importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'textual' else find(name, *more)\n"
        "from asynqpy.cli.app import main\n"
        "code = main(['dash'])\n"
        "assert 'textual' not in sys.modules\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment({}), cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "asynqpy: the dashboard needs textual: pip install 'asynqpy[dash]'\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--refresh", "100ms"], "at least 500ms"),
        (["--refresh", "often"], "is not a duration"),
        (["--redis", "http://x"], "http"),
    ],
)
def test_what_makes_no_sense_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    """In one line, before the screen is taken over."""
    assert main(["dash", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1
