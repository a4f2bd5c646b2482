"""taskiq: one worker process (`--workers 1`) on `RedisStreamBroker`, the broker that acknowledges; uvloop, hiredis.

No result backend. A message is acknowledged after the task, as by default; messages stay in the stream (it is only
trimmed when told to). Parameters are not parsed with pydantic (`--no-parse`), as the other queues do not either.
Scheduled tasks need a second process, so they are not measured.
"""

import asyncio
import os
import sys

import uvloop
from taskiq_redis import RedisStreamBroker

from bench.contenders.shared.settings import Settings
from bench.contenders.shared.tally import Tally
from bench.contenders.shared.workload import (
    Payload,
    Producer,
    Production,
    many_callers_async,
    one_caller_async,
    paced_async,
)

SETTINGS = Settings.from_environment()
TALLY = Tally(SETTINGS.tally_path)
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
# The consumer group starts at the stream's first message: the benchmark fills the queue before the worker is there.
broker = RedisStreamBroker(SETTINGS.redis_url, consumer_id="0", max_connection_pool_size=SETTINGS.callers + 1)


@broker.task
async def noop(n: int, sent_ns: int, note: str) -> None:
    """Count and return."""
    TALLY.hit(n, sent_ns)
    if SETTINGS.hold_seconds:
        await asyncio.sleep(SETTINGS.hold_seconds)


def work(settings: Settings) -> None:
    """Become taskiq's command, as it runs in production; it starts the one worker process."""
    command = [sys.executable, "-m", "taskiq", "worker", f"{__name__}:broker", "--workers=1", "--no-parse"]
    os.execv(sys.executable, [*command, f"--max-async-tasks={settings.concurrency}", "--log-level=WARNING"])


async def produce(settings: Settings) -> Production:
    """Every mode, on one broker."""
    await broker.startup()

    async def enqueue(task: Payload) -> object:
        return await noop.kiq(**task)

    match settings.mode:
        case "awaiting":
            return await one_caller_async(settings, enqueue)
        case "paced":
            return await paced_async(settings, enqueue)
        case _:
            return await many_callers_async(settings, enqueue)


PRODUCERS: dict[str, Producer] = dict.fromkeys(
    ("fill", "awaiting", "callers", "paced"), lambda settings: asyncio.run(produce(settings))
)
