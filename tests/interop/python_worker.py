"""The Python end of the suite as a process of its own, so that it can be killed: the twin of ``interop worker``."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

from asynqpy import Next, RevokeTask, Semaphore, ServeMux, Server, SkipRetry, Snooze, Task

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
lock = threading.Lock()


def report(event: str, task: Task, error: str = "") -> None:
    """Print one line about an attempt."""
    deadline = 0 if task.deadline is None else (task.deadline - EPOCH) // timedelta(microseconds=1) * 1000
    line = {
        "event": event,
        "id": task.id,
        "type": task.type,
        "payload": base64.b64encode(task.payload).decode(),
        "headers": dict(task.headers),
        "queue": task.queue,
        "retried": task.retried,
        "max_retry": task.max_retry,
        "deadline_ns": deadline,
        "now_ns": time.time_ns(),
        "error": error,
    }
    text = json.dumps(line) + "\n"
    with lock:
        sys.stdout.write(text)
        sys.stdout.flush()


class Gate:
    """Holds tasks until the test lets them go."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: set[str] = set()
        self._waiting: dict[str, asyncio.Event] = {}

    async def wait(self, task_id: str) -> None:
        """Return once the task was released."""
        self._loop = asyncio.get_running_loop()
        event = self._waiting.setdefault(task_id, asyncio.Event())
        if task_id not in self._open:
            await event.wait()

    def release(self, task_id: str) -> None:
        """Let the task pass, now and whenever it comes back. Called in a thread."""
        self._open.add(task_id)
        event = self._waiting.get(task_id)
        if event is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(event.set)


gate = Gate()
mux = ServeMux()
semaphores: list[Semaphore] = []
"""The one that tasks of type ``shared`` pass, if there is one."""


@mux.middleware
async def holding_token(task: Task, next: Next) -> object:
    """Take a token before the start is reported."""
    if task.type != "shared":
        return await next(task)
    async with semaphores[0]:
        return await next(task)


@mux.middleware
async def reported(task: Task, next: Next) -> object:
    """Report the start and the end of every attempt."""
    report("start", task)
    try:
        result = await next(task)
    except BaseException as error:
        report("end", task, str(error) or type(error).__name__)
        raise
    report("end", task)
    return result


@mux.handler("act")
@mux.handler("shared")
async def act(task: Task) -> None:
    """Do what the payload says, see ``program`` in ``go/worker.go``."""
    steps = task.json()
    steps = steps.get("python") or steps
    if "result" in steps:
        await task.write_result(steps["result"])
    if steps.get("hold"):
        await gate.wait(task.id)
    await asyncio.sleep(steps.get("sleep", 0))
    if "until" in steps and task.retried >= steps["until"]:
        return
    message = steps.get("error", "")
    match steps.get("do", "succeed"):
        case "succeed":
            return
        case "fail":
            raise RuntimeError(message)
        case "skip":
            raise SkipRetry(message)
        case "revoke":
            raise RevokeTask(message)
        case "snooze":
            raise Snooze(steps["delay"])
        case "garble":
            raise RuntimeError("lone \ud800 surrogate")
        case other:
            raise AssertionError(f"cannot do {other!r}")


@mux.handler("echo")
async def echo(task: Task) -> bytes:
    """Give the payload back as the result."""
    return task.payload


@mux.handler("record")
@mux.handler("aggregated")
async def record(task: Task) -> None:
    """Succeed."""


@mux.handler("stubborn")
def stubborn(task: Task) -> None:
    """Work for as many seconds as the payload says, whatever happens meanwhile."""
    time.sleep(float(task.payload))


async def aggregate(group: str, tasks: list[Task]) -> Task:
    """Join the payloads of a group with commas into one task."""
    return Task(f"aggregated:{group}", b",".join(task.payload for task in tasks))


async def hold_aggregate(group: str, tasks: list[Task]) -> Task:
    """Never return."""
    await asyncio.Event().wait()
    raise AssertionError


def obey() -> None:
    """Carry out the commands on standard input; when that closes the test is gone, and so is the worker."""
    for line in sys.stdin:
        command = json.loads(line)
        if command["command"] == "release":
            gate.release(command["id"])
    os._exit(0)


def main() -> None:
    """Run a server with the given settings."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-redis", required=True)
    parser.add_argument("-config", type=json.loads, default={})
    arguments = parser.parse_args()
    config = {"retry_delay": 1.0, **arguments.config}
    delay = timedelta(seconds=config.pop("retry_delay"))
    not_failure = config.pop("not_failure", None)
    if not_failure:
        config["is_failure"] = lambda error: not_failure not in str(error)
    if config.pop("aggregate", False):
        config["aggregator"] = aggregate
    if config.pop("hold_aggregate", False):
        config["aggregator"] = hold_aggregate
    if tokens := config.pop("tokens", 0):
        semaphores.append(Semaphore(arguments.redis, "interop", tokens, delay=0.05))
    threading.Thread(target=obey, daemon=True).start()
    Server(arguments.redis, retry_delay=lambda *_: delay, **config).run(mux)


if __name__ == "__main__":
    main()
