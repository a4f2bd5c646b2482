"""``asynqpy metrics`` and ``asynqpy worker --metrics-port``: pages for Prometheus, with real processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from asynqpy import Client, Task
from tests.servers import wait_until

from .conftest import Ran
from .programs import LIMIT_SECONDS, Program
from .test_supervisor import noted_pid
from .test_worker import STARTED, notes, until_noted

Start = Callable[..., Program]

HANDLED = 'asynqpy_tasks_handled_total{outcome="succeeded",pattern="note",queue="default"}'
SLEEPING = 'asynqpy_tasks_in_progress{pattern="sleep",queue="default"}'


def free_port() -> int:
    """One that nobody has right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def page(port: int) -> dict[str, float]:
    """The numbers on the page, by their names with labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        lines = answer.read().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(number) for name, _, number in pairs}


def until_page(port: int, name: str, number: float) -> dict[str, float]:
    """The page, once it has this number."""
    found: dict[str, float] = {}

    def there() -> bool:
        nonlocal found
        found = page(port)
        return found.get(name) == number

    wait_until(there, limit_seconds=LIMIT_SECONDS)
    return found


def test_a_worker_serves_its_numbers(start: Start, redis: Redis, redis_url: str, folder: Path) -> None:
    """Its own, those of its process, and whatever its module has registered; on this machine alone."""
    source = (folder / "tasks.py").read_text()
    (folder / "tasks.py").write_text(
        f"{source}\nfrom prometheus_client import Counter\nCounter('of_the_user_total', 'The user counts.').inc(5)\n"
    )
    port = free_port()
    worker = start("worker", "tasks:mux", "--metrics-port", str(port))
    worker.until(STARTED)
    with Client(redis_url) as client:
        client.enqueue_many(Task("note", n) for n in range(3))
    until_noted(redis, "retried=0", times=3)
    found = until_page(port, HANDLED, 3)
    assert found['asynqpy_task_wait_seconds_count{pattern="note",queue="default"}'] == 3
    assert found["of_the_user_total"] == 5
    assert any(name.startswith("process_") for name in found)
    assert not any("_created" in name for name in found)
    assert f"url=http://127.0.0.1:{port}/metrics" in worker.output
    assert worker.end() == 0
    with pytest.raises(OSError, match="refused"):
        page(port)


def test_one_page_for_all_children(start: Start, redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """Counters are the sums of all children, also of one that was killed; its gauges go with it; no file is left."""
    port = free_port()
    folder = tmp_path / "temporary"
    folder.mkdir()
    supervisor = start(
        *("worker", "tasks", "--processes", "2", "-c", "1", "--shutdown-timeout", "1"),
        *("--metrics-port", str(port)),
        TMPDIR=str(folder),
    )
    supervisor.until(STARTED, times=2)
    with Client(redis_url) as client:
        for name in ("a", "b"):
            client.enqueue(Task("sleep", b"600", task_id=name))
        until_noted(redis, "began", times=2)
        until_page(port, SLEEPING, 2)
        victim = noted_pid(redis, "began a")
        os.kill(victim, signal.SIGKILL)
        supervisor.until("runs again")
        until_noted(redis, "began a", times=2)
        until_page(port, "asynqpy_worker_crashes_total", 1)
        until_page(port, SLEEPING, 2)  # in the child that took the place, and in the other one
        assert len({note.split()[2] for note in notes(redis)}) == 3
        client.enqueue(Task("note", b"waits"))
    assert supervisor.end() == 0
    assert list(folder.glob("asynqpy-metrics-*")) == []


def test_counters_outlive_the_child_that_counted(start: Start, redis: Redis, redis_url: str) -> None:
    """Prometheus sees no reset when a child is replaced."""
    port = free_port()
    supervisor = start("worker", "tasks", "--processes", "2", "-c", "3", "--metrics-port", str(port))
    supervisor.until(STARTED, times=2)
    with Client(redis_url) as client:
        client.enqueue_many(Task("note", n) for n in range(40))
        until_noted(redis, "retried=0", times=40)
        until_page(port, HANDLED, 40)
        victims = {int(found[1]) for note in notes(redis) if (found := re.search(r"pid=(\d+)", note))}
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        supervisor.until(STARTED, times=2 + len(victims))
        assert until_page(port, "asynqpy_worker_crashes_total", len(victims))[HANDLED] == 40
        client.enqueue_many(Task("note", n) for n in range(10))
    until_page(port, HANDLED, 50)
    assert supervisor.end() == 0


def test_a_port_that_is_taken_ends_the_worker_at_once(complete: Callable[..., Ran]) -> None:
    """With one line; nothing has been served by then."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for more in ([], ["--processes", "2"]):
            ran = complete("worker", "tasks", "--metrics-port", str(port), *more)
            assert ran.code == 2
            assert f"cannot serve metrics on 127.0.0.1, port {port}" in ran.err
            assert STARTED not in ran.err


def test_without_the_extra_it_says_what_to_install(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """Both commands."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.chdir(folder)
    for arguments in (["metrics"], ["worker", "tasks", "--metrics-port", "9000"]):
        ran = run(*arguments)
        assert ran.code == 2
        assert "needs prometheus-client: pip install 'asynqpy[metrics]'" in ran.err


def test_the_exporter_serves_the_numbers_of_all_queues(start: Start, redis: Redis, redis_url: str) -> None:
    """Asynq's, ours, and those of its process, at each scrape anew; TERM ends it with exit code 0."""
    port = free_port()
    exporter = start("metrics", "--port", str(port))
    exporter.until("Ctrl-C ends it")
    assert f"http://127.0.0.1:{port}/metrics" in exporter.output
    assert not any(name.startswith("asynq_") for name in page(port))
    with Client(redis_url) as client:
        client.enqueue(Task("new", b"x"), queue="low")
        client.enqueue(Task("new", b"x"), queue="low", process_in=600)
        client.enqueue(Task("new", b"x"), queue="high")
    found = page(port)
    assert found['asynq_tasks_enqueued_total{queue="low",state="pending"}'] == 1
    assert found['asynq_tasks_enqueued_total{queue="low",state="scheduled"}'] == 1
    assert found['asynq_queue_size{queue="high"}'] == 1
    assert found['asynqpy_waiting_without_consumer{certain="yes",queue="low",type="new"}'] == 2
    assert "process_cpu_seconds_total" in found
    assert "python_info" in " ".join(found)
    redis.set("asynq:{low}:paused", 1)
    assert page(port)['asynq_queue_paused_total{queue="low"}'] == 1
    assert exporter.end() == 0


def test_the_exporter_outlives_a_redis_that_goes_away(start: Start, start_server: Callable[..., object]) -> None:
    """It serves the numbers of its process meanwhile, and those of the queues when Redis is back."""
    server = start_server()
    port = free_port()
    exporter = start("metrics", "--port", str(port), ASYNQPY_REDIS_URL=server.url)  # type: ignore[attr-defined]
    exporter.until("Ctrl-C ends it")
    with Client(server.url) as client:  # type: ignore[attr-defined]
        client.enqueue(Task("t"))
    assert 'asynq_queue_size{queue="default"}' in page(port)
    server.stop()  # type: ignore[attr-defined]
    assert 'asynq_queue_size{queue="default"}' not in page(port)
    server.start()  # type: ignore[attr-defined]
    with Client(server.url) as client:  # type: ignore[attr-defined]
        client.enqueue(Task("t"))
    assert page(port)['asynq_queue_size{queue="default"}'] == 1
    assert exporter.end() == 0


def test_the_exporter_needs_a_redis_to_begin(complete: Callable[..., Ran]) -> None:
    """As a worker does: one line, and an exit code of its own."""
    ran = complete("metrics", "--port", "0", ASYNQPY_REDIS_URL="redis://127.0.0.1:1/0")
    assert ran.code == 3
    assert "cannot reach Redis" in ran.err
