"""Schedulers that tests start as processes of their own, to be killed."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from asynqpy import Scheduler, Task

ROOT = Path(__file__).parents[3]


def main() -> None:
    """Run a scheduler with the entries in the second argument; it ends when its test does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.basicConfig(level=logging.INFO)
    scheduler = Scheduler(sys.argv[1], heartbeat_interval=1)
    for entry in json.loads(sys.argv[2]):
        scheduler.register(entry.pop("spec"), Task(entry.pop("type")), **entry)
    scheduler.run()
    print("ended well", flush=True)  # noqa: T201 - the test reads it


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


@contextmanager
def scheduler_process(url: str, *entries: dict[str, Any], log: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """A scheduler process; it is killed at the end, if it still runs."""
    with open(log or os.devnull, "ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.redis.scheduler.programs", url, json.dumps(entries)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
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
