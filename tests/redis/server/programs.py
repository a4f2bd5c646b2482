"""Programs that tests start as processes of their own: workers to be signalled, starved and killed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from asynqpy import Aggregator, ServeMux, Server, Task, retry
from asynqpy._transport.channel import Channel

ROOT = Path(__file__).parents[3]

mux = ServeMux()


@mux.handler("quick")
async def quick(task: Task) -> None:
    """End at once."""


@mux.handler("slow")
async def slow(task: Task) -> None:
    """Take as many seconds as the payload says."""
    await asyncio.sleep(task.json())


@mux.handler("limited", max_active=1)
async def limited(task: Task) -> None:
    """The same, one at a time."""
    await asyncio.sleep(task.json())


@mux.handler("stubborn")
def stubborn(task: Task) -> None:
    """Take as many seconds as the payload says, whatever happens."""
    time.sleep(task.json())


@mux.handler("count")
async def count(task: Task) -> None:
    """Note that the task has run: one short line, so that writing it is one step."""
    os.write(_marks(), b"%s\n" % task.payload)
    await asyncio.sleep(0.001)


@mux.handler("block")
async def block(task: Task) -> None:
    """Block the event loop for as many seconds as the payload says."""
    time.sleep(task.json())  # noqa: ASYNC251 - that is the point


@mux.handler("kill")
async def kill(task: Task) -> None:
    """Take the whole worker with it."""
    os._exit(9)


def aggregation(moment: str) -> Aggregator:
    """An aggregate function of a worker that stops at some *moment*, to be killed there; or is "slow"."""

    async def stop_here() -> None:
        os.write(_marks(), b"reached\n")
        await asyncio.Event().wait()

    async def join(group: str, tasks: list[Task]) -> Task:
        if moment == "in the function":
            await stop_here()
        await asyncio.sleep(0.1 if moment == "slow" else 0)
        return Task("joined", b",".join(task.payload for task in tasks))

    run = Channel.run

    async def run_until_then(channel: Channel, flow: Any, **how: Any) -> Any:
        result = await run(channel, flow, **how)
        if flow.__name__ == {"set made": "form_set", "task created": "replace_set"}.get(moment):
            await stop_here()
        return result

    Channel.run = run_until_then  # type: ignore[method-assign]
    return join


_marks_fd: list[int] = []


def _marks() -> int:
    if not _marks_fd:
        _marks_fd.append(os.open(os.environ["ASYNQPY_TEST_MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT))
    return _marks_fd[0]


def main() -> None:
    """Run a worker with the settings in the second argument; it ends when its test does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settings: dict[str, Any] = {"retry_delay": retry.fixed(0.5), **json.loads(sys.argv[2])}
    if "aggregation" in settings:
        settings["aggregator"] = aggregation(settings.pop("aggregation"))
    Server(sys.argv[1], **settings).run(mux)
    print("ended well", flush=True)  # noqa: T201 - the test reads it


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


@contextmanager
def worker(
    url: str, *, marks: Path | None = None, log: Path | None = None, **settings: Any
) -> Iterator[subprocess.Popen[str]]:
    """A worker process; it is killed at the end, if it still runs."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if marks is not None:
        environment["ASYNQPY_TEST_MARKS"] = str(marks)
    with open(log or os.devnull, "ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.redis.server.programs", url, json.dumps(settings)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate()


if __name__ == "__main__":
    main()
