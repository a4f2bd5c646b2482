"""Commands in this process and in processes of their own, and a module of tasks for workers."""

from __future__ import annotations

import logging
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from redis import Redis

from asynqpy.cli.app import main
from tests.redis.inspected import Inspected

from .programs import Program, environment

TASKS = '''
"""Handlers that write down what they do."""
import asyncio, os, signal
from redis import Redis
from asynqpy import Aggregators, ServeMux, Task

mux = ServeMux()
aggregators = Aggregators()
notes = Redis.from_url(os.environ["NOTES_URL"])

def note(text):
    notes.rpush("notes", text)

@mux.handler("note")
async def run(task: Task) -> None:
    note(f"{task.payload.decode()} retried={task.retried} pid={os.getpid()}")

@aggregators.group("notes")
async def join(group: str, tasks: list[Task]) -> Task:
    return Task("note", b" ".join(task.payload for task in tasks))

@mux.handler("sleep")
async def sleep(task: Task) -> None:
    note(f"began {task.id} pid={os.getpid()}")
    await asyncio.sleep(float(task.payload))
    note(f"ended {task.id}")

@mux.handler("once")
async def once(task: Task) -> None:
    """Waits in the process that runs it first; done at once in another."""
    is_first = notes.set(f"once:{task.id}", 1, nx=True)
    note(f"began {task.id} pid={os.getpid()} retried={task.retried}")  # from here on a test may kill this process
    if is_first:
        await asyncio.sleep(60)
    note(f"ended {task.id} pid={os.getpid()} retried={task.retried}")

@mux.handler("isolated", isolate="process")
def isolated(task: Task) -> None:
    is_first = notes.set(f"once:{task.id}", 1, nx=True)
    note(f"began {task.id} pid={os.getpid()}")
    if is_first:
        import time
        time.sleep(600)
    note(f"ended {task.id} pid={os.getpid()}")

@mux.handler("kill")
async def kill(task: Task) -> None:
    note(f"killed {os.getpid()}")
    os.kill(os.getpid(), signal.SIGKILL)

@mux.handler("hang")
async def hang(task: Task) -> None:
    import time
    note(f"hangs pid={os.getpid()}")
    time.sleep(600)
'''


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """What a command in this process does to the loggers does not outlive the test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(capture=False)
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
    for handler in [handler for handler in handlers if handler not in root.handlers]:
        root.addHandler(handler)
    root.setLevel(level)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs a short command in this process, with the code of the real one but for its start."""

    def call(*arguments: str) -> Ran:
        capfd.readouterr()
        code = main(arguments)
        return Ran(code, *capfd.readouterr())

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with ``tasks.py``."""
    (tmp_path / "tasks.py").write_text(TASKS)
    return tmp_path


@pytest.fixture
def start(folder: Path, redis_url: str) -> Iterator[Callable[..., Program]]:
    """Starts a command in `folder` that uses the shared server; what still runs at the end of the test is killed."""
    started: list[Program] = []

    def call(*arguments: str, **variables: str) -> Program:
        known = {"ASYNQPY_REDIS_URL": redis_url, "NOTES_URL": redis_url} | variables
        started.append(Program([*arguments], folder, known))
        return started[-1]

    yield call
    for program in started:
        program.close()


@pytest.fixture
def complete(folder: Path, redis_url: str) -> Callable[..., Ran]:
    """Runs a command in `folder` to its end."""

    def call(*arguments: str, **variables: Any) -> Ran:
        given = variables.pop("input", None)
        known = environment({"ASYNQPY_REDIS_URL": redis_url, "NOTES_URL": redis_url} | variables)
        done = subprocess.run(
            Program.command(arguments),
            cwd=folder,
            env=known,
            input=given,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's own environment, and no file of profiles."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")
    for name in list(os.environ):
        if name.startswith("ASYNQPY_"):
            monkeypatch.delenv(name)


@pytest.fixture
def ask(run: Callable[..., Ran], redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Runs a command in this process against the shared server."""
    monkeypatch.setenv("ASYNQPY_REDIS_URL", redis_url)
    return run


@pytest.fixture
def low(redis: Redis) -> Inspected:
    """The queue ``low``, listed and empty."""
    return Inspected(redis)


def table(text: str) -> list[list[str]]:
    """The rows of a table, each a list of cells; its head first, without the dashes."""
    head, dashes, *rows = text.splitlines()
    starts = [found.start() for found in re.finditer(r"-+", dashes)]
    ends = [*starts[1:], None]
    return [[line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in (head, *rows)]
