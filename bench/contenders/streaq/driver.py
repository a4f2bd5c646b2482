"""streaq: one process, uvloop, prefetching as many tasks again as may run (its default); results are not kept.

A task is acknowledged after it was processed, as by default. Task logs are silenced.
"""

import asyncio
from datetime import UTC, datetime
from time import perf_counter

from streaq import Worker

from bench.contenders.shared.settings import Settings
from bench.contenders.shared.tally import Tally
from bench.contenders.shared.workload import (
    Payload,
    Producer,
    Production,
    asked_moments_ns,
    many_callers_async,
    one_caller_async,
    paced_async,
    payload,
)

SETTINGS = Settings.from_environment()
TALLY = Tally(SETTINGS.tally_path)
CHUNK = 1000
worker = Worker(redis_url=SETTINGS.redis_url, concurrency=SETTINGS.concurrency, anyio_kwargs={"use_uvloop": True})


@worker.task(ttl=0, silent=True)
async def noop(n: int, sent_ns: int, note: str) -> None:
    """Count and return."""
    TALLY.hit(n, sent_ns)
    if SETTINGS.hold_seconds:
        await asyncio.sleep(SETTINGS.hold_seconds)


def work(_settings: Settings) -> None:
    """Run the worker."""
    worker.run_sync()


async def produce(settings: Settings) -> Production:
    """Every mode, on one connection to the queue."""

    async def enqueue(task: Payload) -> object:
        return await noop.enqueue(**task)

    async with worker:
        match settings.mode:
            case "awaiting":
                return await one_caller_async(settings, enqueue)
            case "callers":
                return await many_callers_async(settings, enqueue)
            case "paced":
                return await paced_async(settings, enqueue)
            case "scheduled":
                return await produce_scheduled(settings)
            case _:
                return await produce_batch(settings)


async def produce_batch(settings: Settings) -> Production:
    """`enqueue_many`, a thousand tasks a call."""
    started = perf_counter()
    for first in range(0, settings.count, CHUNK):
        numbers = range(first, min(first + CHUNK, settings.count))
        await worker.enqueue_many([noop.enqueue(**payload(n)) for n in numbers])
    return Production(settings.count, perf_counter() - started)


async def produce_scheduled(settings: Settings) -> Production:
    """Each task at a moment of its own (`schedule`)."""
    started = perf_counter()
    for n, moment_ns in enumerate(asked_moments_ns(settings)):
        await noop.enqueue(**payload(n, moment_ns)).start(schedule=datetime.fromtimestamp(moment_ns / 1e9, UTC))
    return Production(settings.count, perf_counter() - started)


PRODUCERS: dict[str, Producer] = dict.fromkeys(
    ("fill", "batch", "awaiting", "callers", "paced", "scheduled"), lambda settings: asyncio.run(produce(settings))
)
