"""A load of tasks, the marks that they leave, and what must be true in the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from asynqpy import Client, Task
from asynqpy._wire import keys
from tests.servers import wait_until

TASKS = 20_000
PATIENCE_SECONDS = 150.0


class Load:
    """Twenty thousand tasks, each of which leaves a line in a file when it runs."""

    def __init__(self, folder: Path) -> None:
        self.marks = folder / "marks"
        self.marks.touch()
        self.log = folder / "worker.log"
        self.log.touch()

    def enqueue(self, url: str, count: int = TASKS) -> None:
        """Enqueue them."""
        with Client(url) as client:
            for result in client.enqueue_stream(Task("count", n) for n in range(count)):
                result.unwrap()

    @property
    def started(self) -> int:
        """How many attempts have run so far."""
        return self.marks.read_bytes().count(b"\n")

    def runs(self) -> Counter[int]:
        """How often each task has run."""
        return Counter(int(line) for line in self.marks.read_bytes().split())

    def wait_for(self, count: int) -> None:
        """Return when *count* attempts have run."""
        wait_until(lambda: self.started >= count, limit_seconds=PATIENCE_SECONDS)

    def wait_until_done(self, redis: Redis, count: int = TASKS) -> None:
        """Return when *count* tasks are counted as processed."""
        key = keys.of_queue("default").processed
        wait_until(lambda: int(redis.get(key) or 0) >= count, limit_seconds=PATIENCE_SECONDS)  # type: ignore[arg-type]

    def check_the_end(self, redis: Redis, *, most_runs_again: int) -> None:
        """Every task ran, none is lost, each is counted once, and Redis holds nothing but counters."""
        runs = self.runs()
        assert set(runs) == set(range(TASKS))
        assert sum(runs.values()) - TASKS <= most_runs_again
        q = keys.of_queue("default")
        counters: Any = redis.mget(q.processed, q.failed)
        assert [int(value or 0) for value in counters] == [TASKS, 0]
        wait_until(lambda: held(redis) == set())


def held(redis: Redis) -> set[str]:
    """The keys of tasks and of their places; not those of counters and rollups."""
    found: Any = redis.keys("asynq:{*")
    return {key.decode() for key in found if b":processed" not in key and b":py:rollup:" not in key}


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """A load that was not enqueued yet."""
    return Load(tmp_path)
