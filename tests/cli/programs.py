"""A command in a process of its own, with what it has said so far."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.servers import wait_until

LIMIT_SECONDS = 60.0
"""For one thing to happen on a busy machine, the start of Python included."""


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """This process' environment with *variables*, and without settings of the developer's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ASYNQPY_")}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "100", **variables}


def is_running(process: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


class Program:
    """``asynqpy`` with arguments; its output goes to one file."""

    def __init__(self, arguments: Sequence[str], folder: Path, variables: Mapping[str, str]) -> None:
        self._log = tempfile.NamedTemporaryFile("rb", dir=folder, suffix=".log")  # noqa: SIM115 - closed with the program
        with open(self._log.name, "wb") as log:
            self.process = subprocess.Popen(
                self.command(arguments),
                cwd=folder,
                env=environment(variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._children: set[int] = set()

    @staticmethod
    def command(arguments: Sequence[str]) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "asynqpy", *arguments]

    @property
    def output(self) -> str:
        """All it has said so far, errors included."""
        return Path(self._log.name).read_text(errors="replace")

    @property
    def records(self) -> list[dict[str, Any]]:
        """Its log lines, when it logs JSON."""
        return [json.loads(line) for line in self.output.splitlines()]

    def until(self, text: str, *, times: int = 1) -> None:
        """Wait until it has said *text* so often; fail with its output when it does not."""
        try:
            wait_until(
                lambda: self.output.count(text) >= times or self.process.poll() is not None, limit_seconds=LIMIT_SECONDS
            )
        finally:
            assert self.output.count(text) >= times, f"did not say {text!r} {times} times:\n{self.output}"

    def children(self) -> set[int]:
        """The processes that it has started and that run."""
        found = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if int(parent) == self.process.pid and is_running(int(entry.name)):
                    found.add(int(entry.name))
        self._children |= found
        return found

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal, and return its exit code when it has ended."""
        self.children()
        self.send(number)
        return self.wait()

    def wait(self) -> int:
        """Its exit code, when it has ended."""
        try:
            return self.process.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end:\n{self.output}") from None

    def close(self) -> None:
        """Kill it and its children if they run."""
        self.children()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for child in self._children:
            if is_running(child):
                os.kill(child, signal.SIGKILL)
        self._log.close()
