"""Several schedulers with the same entries, in processes of their own: each tick once, whoever is killed."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from typing import Any

import pytest
from redis import Redis

from asynqpy import ServeMux, Server, Task
from asynqpy._wire import keys
from tests.eventually import eventually
from tests.redis.seed import Queue
from tests.servers import RedisServer, wait_until

from .programs import scheduler_process

EVERY_SECOND: dict[str, Any] = {"spec": "@every 1s", "type": "tick", "entry_id": "e"}


def ticks(redis: Redis) -> list[int]:
    """The Unix times of the ticks whose tasks wait, oldest first."""
    found: Any = redis.lrange(keys.of_queue("default").pending, 0, -1)
    return [int(task_id.decode().rpartition(":")[2]) for task_id in found][::-1]


def announced(redis: Redis) -> int:
    """How many schedulers show their entries."""
    return len(redis.keys("asynq:schedulers:*"))  # type: ignore[arg-type]


def until_more(redis: Redis, count: int) -> None:
    """Wait until *count* more ticks are enqueued."""
    known = len(ticks(redis))
    wait_until(lambda: len(ticks(redis)) >= known + count, limit_seconds=60)


def test_three_schedulers_of_which_two_are_killed(server: RedisServer, redis: Redis, redis_url: str) -> None:
    """Every tick is enqueued exactly once, without a pause: there is no leader to be replaced."""
    with ExitStack() as stack:
        schedulers = [stack.enter_context(scheduler_process(redis_url, EVERY_SECOND)) for _ in range(3)]
        wait_until(lambda: announced(redis) == 3, limit_seconds=60)
        until_more(redis, 3)
        schedulers[0].kill()
        until_more(redis, 3)
        schedulers[1].kill()
        until_more(redis, 3)
        assert schedulers[2].poll() is None
    found = ticks(redis)
    assert found == list(range(found[0], found[0] + len(found)))
    history: Any = redis.zcard(keys.scheduler_history("e"))
    assert len(found) - 2 <= history <= len(found)  # one that was killed may not have come to it


def test_ticks_come_once_while_tasks_are_done(redis: Redis, redis_url: str) -> None:
    """The task of a tick may be done and forgotten before the slowest scheduler tries it."""
    ran: list[int] = []
    mux = ServeMux()

    @mux.handler("tick")
    async def run(task: Task) -> None:
        ran.append(int(task.id.rpartition(":")[2]))

    async def scenario() -> None:
        async with Server(redis_url).running(mux):
            await eventually(lambda: len(ran) >= 6, limit_seconds=90)

    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(scheduler_process(redis_url, EVERY_SECOND))
        wait_until(lambda: announced(redis) == 3, limit_seconds=60)
        asyncio.run(scenario())
    assert sorted(ran) == list(range(min(ran), min(ran) + len(ran)))


def test_a_scheduler_that_stood_still_repeats_nothing(redis: Redis, redis_url: str) -> None:
    """Stopped for some ticks, while another goes on: when it wakes it finds them decided."""
    with scheduler_process(redis_url, EVERY_SECOND) as first, scheduler_process(redis_url, EVERY_SECOND):
        wait_until(lambda: announced(redis) == 2, limit_seconds=60)
        until_more(redis, 1)
        first.send_signal(signal.SIGSTOP)
        until_more(redis, 4)
        first.send_signal(signal.SIGCONT)
        until_more(redis, 3)
    found = ticks(redis)
    assert found == list(range(found[0], found[0] + len(found)))


def test_ticks_are_caught_up_after_all_were_killed(redis: Redis, redis_url: str) -> None:
    """From the last one that was enqueued, by a scheduler that never ran before."""
    every = {**EVERY_SECOND, "catch_up": "all"}
    with scheduler_process(redis_url, every) as first:
        until_more(redis, 2)
        first.kill()
        first.wait()
    last = ticks(redis)[-1]
    wait_until(lambda: Queue(redis).now() > last + 4, limit_seconds=60)
    with scheduler_process(redis_url, every):
        until_more(redis, 5)
    found = ticks(redis)
    assert found == list(range(found[0], found[0] + len(found)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told(redis: Redis, redis_url: str, number: signal.Signals) -> None:
    """In good order: its entries are no longer shown, the history stays."""
    with scheduler_process(redis_url, EVERY_SECOND) as process:
        until_more(redis, 1)
        wait_until(lambda: redis.exists(keys.scheduler_history("e")))
        process.send_signal(number)
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert process.stdout.readline() == "ended well\n"
    assert redis.keys("asynq:schedulers*") == []
    assert redis.exists(keys.scheduler_history("e"))
