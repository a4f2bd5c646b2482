"""Fixtures: a Go peer, both clients, and workers of either side on the test's own database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from asynqpy import Client

from . import ends, toolchain
from .ends import Enqueuer, GoClient, Order, PythonClient, Worker
from .ends import program as steps
from .look import Look, eventually, key
from .pipes import Peer

HERE = Path(__file__).parent
TIMEOUT_SECONDS = 120

StartWorker = Callable[..., Worker]


@pytest.fixture(scope="session")
def program() -> Path:
    """The Go end of the suite."""
    return toolchain.build()


@pytest.fixture
def look(redis_url: str) -> Iterator[Look]:
    """A view of the test's database that asks neither library."""
    with Redis.from_url(redis_url) as redis:
        yield Look(redis)


@pytest.fixture
def peer(program: Path, redis_url: str) -> Iterator[Peer]:
    """A Go client and inspector."""
    peer = Peer(str(program), redis_url)
    yield peer
    peer.end()


@pytest.fixture
def clients(peer: Peer, redis_url: str) -> Iterator[dict[str, Enqueuer]]:
    """Both clients, by side."""
    with Client(redis_url) as client:
        yield {"go": GoClient(peer), "python": PythonClient(client)}


@pytest.fixture
def start_worker(program: Path, redis_url: str, look: Look) -> Iterator[StartWorker]:
    """Starts workers: ``start_worker("go", concurrency=4)``. Returns when the worker reports itself in Redis."""
    workers: list[Worker] = []

    def start(side: str, **config: Any) -> Worker:
        worker = ends.start_worker(side, program, redis_url, {"concurrency": 10, **config})
        workers.append(worker)

        def ready() -> bool:
            assert worker.is_running, worker.stderr
            return any(f":{worker.pid}:" in server for server in look.servers())

        eventually(ready, f"the {side} worker to report itself")
        return worker

    yield start
    for worker in workers:
        worker.end()


@pytest.fixture
def bring(clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look) -> Callable[..., str]:
    """Brings a new task of queue ``default`` into a state: ``bring("retry", producer="go", worker="python")``."""
    running: dict[str, Worker] = {}

    def bring(state: str, *, producer: str, worker: str, **options: Any) -> str:
        order = {
            "pending": Order(),
            "scheduled": Order(process_in=3600),
            "aggregating": Order(group="g"),
            "active": Order(type="act", payload=steps(hold=True)),
            "completed": Order(type="echo", payload=b"result", retention=3600),
            "archived": Order(type="act", payload=steps(do="skip", error="boom")),
            "retry": Order(type="act", payload=steps(do="fail", error="boom")),
        }[state]
        if state in ("active", "completed", "archived", "retry") and worker not in running:
            running[worker] = start_worker(worker, retry_delay=3600)
        if state == "pending":
            # Somebody might be running who would take it.
            look.redis.set(key("default", "paused"), 1)
        task_id = clients[producer].enqueue(replace(order, **options)).id
        look.wait(task_id, state)
        return task_id

    return bring


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start what waits a minute first, so that the others work meanwhile; let the first build take its time."""
    ours = [item for item in items if item.path.parent == HERE]
    for item in ours:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT_SECONDS, func_only=True))
    slow = {item for item in ours if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item not in slow)
