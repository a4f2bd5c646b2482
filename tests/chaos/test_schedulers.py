"""Schedulers and Redis are killed, stopped and cut off, again and again, while ticks flow."""

from __future__ import annotations

import random
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from asynqpy._wire import keys
from tests.conftest import StartProxy, StartServer
from tests.redis.scheduler.programs import scheduler_process
from tests.servers import RedisServer, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ENTRIES: list[dict[str, Any]] = [
    {"spec": "@every 1s", "type": "a", "entry_id": "second", "catch_up": "all"},
    {"spec": "@every 2s", "type": "b", "entry_id": "other", "catch_up": "all", "queue": "low"},
]
ROUNDS = 8


def ticks(server: RedisServer, entry_id: str, queue: str) -> list[int]:
    """The Unix times of the ticks of an entry that were enqueued, in order."""
    with server.client() as redis:
        found: Any = redis.lrange(keys.of_queue(queue).pending, 0, -1)
    return [int(task_id.decode().removeprefix(f"{entry_id}:")) for task_id in found][::-1]


def until_more(server: RedisServer, count: int) -> None:
    """Wait until *count* more ticks are enqueued."""
    known = len(ticks(server, "second", "default"))
    wait_until(lambda: len(ticks(server, "second", "default")) >= known + count, limit_seconds=60)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_tick_once_whatever_dies(
    start_server: StartServer, start_proxy: StartProxy, tmp_path: Path, seed: int
) -> None:
    """No tick is lost and none comes twice: processes are killed or frozen, Redis restarts, a network is cut."""
    rng = random.Random(seed)
    server = start_server(options={"appendonly": "yes", "appendfsync": "always"})
    proxy = start_proxy(server.url)
    with ExitStack() as stack:

        def start(url: str) -> subprocess.Popen[str]:
            return stack.enter_context(scheduler_process(url, *ENTRIES, log=tmp_path / "log"))

        schedulers = [start(server.url), start(proxy.url), start(server.url)]
        until_more(server, 2)
        for _ in range(ROUNDS):
            victim = rng.randrange(len(schedulers))
            match rng.choice(["kill", "freeze", "redis", "crash", "cut", "replace"]):
                case "kill":
                    schedulers[victim].kill()
                    until_more(server, 1)
                    schedulers[victim] = start(server.url)
                case "freeze":
                    schedulers[victim].send_signal(signal.SIGSTOP)
                    until_more(server, 2)
                    schedulers[victim].send_signal(signal.SIGCONT)
                case "redis":
                    server.restart()
                case "crash":
                    server.kill()
                    server.start()
                case "cut":
                    proxy.cut()
                    until_more(server, 1)
                    proxy.heal()
                case _:
                    schedulers[victim].terminate()
                    schedulers[victim] = start(rng.choice([server.url, proxy.url]))
            until_more(server, rng.randrange(1, 3))
    for entry_id, queue, step in (("second", "default", 1), ("other", "low", 2)):
        found = ticks(server, entry_id, queue)
        assert found == list(range(found[0], found[-1] + 1, step)), entry_id
