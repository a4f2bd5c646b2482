"""Handlers that run in child processes: these import them by name."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import redis

from asynqpy import RevokeTask, SkipRetry, Snooze, Task, current_task


def own_pid(task: Task) -> int:
    """The id of the process that runs this."""
    return os.getpid()


def write_result(task: Task) -> None:
    """Store a result."""
    task.write_result_sync("from a process")


def current_id(task: Task) -> str:
    """The id of the task that is running here."""
    return current_task().id


async def name_of_type(task: Task) -> str:
    """An async handler gets an event loop in the child."""
    return task.type


def note_pid_and_hang(task: Task) -> None:
    """Write the process id into the file that the payload names, and run for ever, deaf to the terminating signal."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    path = Path(task.payload.decode())
    path.with_suffix(".new").write_text(str(os.getpid()))
    path.with_suffix(".new").rename(path)
    while True:
        time.sleep(60)


def die(task: Task) -> None:
    """End the process without a word."""
    os._exit(7)


def kill_itself(task: Task) -> None:
    """As the kernel does when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


def exit_politely(task: Task) -> None:
    """What some libraries do."""
    sys.exit("enough")


class TwoPartError(Exception):
    """Cannot be pickled the usual way: its constructor wants two facts."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def fail(task: Task) -> None:
    """Raise what the payload asks for."""
    match task.payload:
        case b"value":
            raise ValueError("bad value")
        case b"unpicklable":
            raise TwoPartError("this", "that")
        case b"skip":
            raise SkipRetry("no more")
        case b"revoke":
            raise RevokeTask("not at all")
        case b"snooze":
            raise Snooze(3600, "later")
        case other:
            raise AssertionError(other)


def unpicklable_result(task: Task) -> object:
    """Return what cannot travel between processes."""
    return lambda: None


def report_and_wait(task: Task) -> None:
    """Report three times, the last one when the test says so."""
    task.report_progress_sync(0.25, "first")
    task.report_progress_sync(0.75, "second")
    attempt: Any = task.attempt
    with redis.Redis.from_url(f"redis://{attempt._redis.host}:{attempt._redis.port}") as client:
        while not client.exists("go on"):
            time.sleep(0.01)
    task.report_progress_sync(1, "third")


async def report_asynchronously(task: Task) -> None:
    """The same in an event loop."""
    await task.report_progress(0.5, "half")
