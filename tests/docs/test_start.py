"""The first worker, as a reader would try it: files saved, commands typed into two terminals."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.servers import wait_until

from .page import ROOT, blocks

PAGE = ROOT / "docs/start/index.md"
LIMIT_SECONDS = 60.0


class Terminal:
    """Runs commands as they stand on the page, with the programs of this environment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        # What a handler prints comes at once in a terminal; here it goes to a file.
        self._environment = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}
        self._worker: subprocess.Popen[bytes] | None = None
        self._log = folder / "worker.log"

    @property
    def worker_log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def start_worker(self, command: str) -> None:
        with self._log.open("wb") as log:
            self._worker = subprocess.Popen(
                shlex.split(command), cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        wait_until(lambda: "server started" in self.worker_log, limit_seconds=LIMIT_SECONDS)

    def end_worker(self) -> int:
        assert self._worker is not None
        self._worker.send_signal(signal.SIGINT)
        return self._worker.wait(LIMIT_SECONDS)

    def run(self, command: str) -> str:
        return subprocess.run(
            shlex.split(command),
            cwd=self._folder,
            env=self._environment,
            check=True,
            stdout=subprocess.PIPE,
            timeout=LIMIT_SECONDS,
            text=True,
        ).stdout

    def close(self) -> None:
        if self._worker is not None and self._worker.poll() is None:
            self._worker.kill()
            self._worker.wait()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal in a folder that holds the files of the page; its path is short enough for a socket in it."""
    with TemporaryDirectory(prefix="start-") as folder:
        for block in blocks(PAGE, "python"):
            name = re.match(r"# (\w+\.py)\n", block)
            assert name is not None
            (Path(folder) / name[1]).write_text(block)
        terminal = Terminal(Path(folder))
        yield terminal
        terminal.close()


def test_the_first_worker_does_what_the_page_says(terminal: Terminal) -> None:
    """Each command prints what stands below it, and the worker runs what was enqueued."""
    commands = [block.removeprefix("$ ").partition("\n") for block in blocks(PAGE, "console")]
    _, (serve, _, _), (produce, _, produced), (enqueue, _, _), (look, _, seen), *_ = commands
    terminal.start_worker(serve)
    assert terminal.run(produce) == produced
    wait_until(lambda: "writing to user 42" in terminal.worker_log)
    assert "scheduled" in terminal.run(enqueue)
    wait_until(lambda: "writing to user 43" in terminal.worker_log)
    wait_until(lambda: sorted(terminal.run(look).splitlines()) == sorted(seen.splitlines()))
    assert terminal.end_worker() == 0
