"""The examples, run as a reader would."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.servers import wait_until

from .programs import LIMIT_SECONDS, Program, environment

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(params=["worker.py", "asynqpy worker"])
def worker(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The worker of the examples, in code and by the command line."""
    command = [sys.executable, "worker.py"]
    if request.param != "worker.py":
        command = Program.command(["worker", "tasks:mux", "-q", "critical=6", "-q", "default=3", "-q", "low"])
    variables = {"ASYNQPY_REDIS_URL": redis_url, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            command, cwd=EXAMPLES, env=environment(variables), stdout=log, stderr=log, start_new_session=True
        )
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()


def test_producer_and_worker(worker: subprocess.Popen[bytes], redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """What the producer enqueues is run: typed and raw, in the loop and in threads, tried again, with results."""
    variables = {"ASYNQPY_REDIS_URL": redis_url, "PYTHONDONTWRITEBYTECODE": "1"}
    produced = subprocess.run(
        [sys.executable, "producer.py"],
        cwd=EXAMPLES,
        env=environment(variables),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert "refused: task already exists" in produced
    assert "100 more enqueued" in produced

    def log() -> str:
        return (tmp_path / "log").read_text()

    def done() -> bool:
        assert worker.poll() is None, log()
        expected = (
            "welcome, user 42",
            "welcome, user 99",
            "resizing large.png",
            "report built",
            "order 7 charged at attempt 2",
        )
        return all(text in log() for text in expected)

    wait_until(done, limit_seconds=LIMIT_SECONDS)
    wait_until(lambda: redis.zcard("asynq:{low}:completed") == 1)
    (key,) = redis.keys("asynq:{low}:t:*")
    result = redis.hget(str(key, "utf-8"), "result")  # type: ignore[arg-type]
    assert result is not None
    assert len(result) == 64
    assert redis.zcard("asynq:{critical}:completed") == 101
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(LIMIT_SECONDS) == 0


@pytest.mark.parametrize("command", [["schedule.py"], ["-m", "asynqpy", "scheduler", "schedule:scheduler"]])
def test_schedule(
    worker: subprocess.Popen[bytes], redis: Redis, redis_url: str, tmp_path: Path, command: list[str]
) -> None:
    """The periodic tasks of the example are run by its worker; the scheduler ends when told."""
    variables = {"ASYNQPY_REDIS_URL": redis_url, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    with open(tmp_path / "schedule", "wb") as log:
        scheduler = subprocess.Popen(
            [sys.executable, *command], cwd=EXAMPLES, env=environment(variables), stdout=log, stderr=log
        )
    try:

        def done() -> bool:
            said = (tmp_path / "log").read_text()
            assert scheduler.poll() is None, (tmp_path / "schedule").read_text()
            return said.count("welcome, user 7") >= 2 and said.count("resizing periodic.png") >= 2

        wait_until(done, limit_seconds=LIMIT_SECONDS)
        scheduler.send_signal(signal.SIGINT)
        assert scheduler.wait(LIMIT_SECONDS) == 0
    finally:
        scheduler.kill()
        scheduler.wait()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(LIMIT_SECONDS) == 0
