"""SAQ: one process, uvloop, hiredis, its default timers; finished jobs are not kept (`ttl=-1`).

A job is in the active list until it is finished, as by default. As many Redis operations at once as there are callers.
"""

import asyncio
from time import perf_counter
from typing import Any

import uvloop
from saq import Queue, Worker

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
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def connect(settings: Settings) -> Queue:
    """The queue, with enough connections for all who use it at once."""
    connections = 2 * max(settings.concurrency, settings.callers)
    return Queue.from_url(f"{settings.redis_url}?max_connections={connections}", max_concurrent_ops=settings.callers)


async def noop(_context: dict[str, Any], *, n: int, sent_ns: int, note: str) -> None:
    """Count and return."""
    TALLY.hit(n, sent_ns)
    if SETTINGS.hold_seconds:
        await asyncio.sleep(SETTINGS.hold_seconds)


def work(settings: Settings) -> None:
    """Run the worker."""

    async def run() -> None:
        await Worker(connect(settings), [noop], concurrency=settings.concurrency).start()

    asyncio.run(run())


async def produce(settings: Settings) -> Production:
    """Every mode, on one queue object."""
    queue = connect(settings)
    await queue.connect()

    async def enqueue(task: Payload) -> object:
        return await queue.enqueue("noop", ttl=-1, **task)

    match settings.mode:
        case "awaiting":
            return await one_caller_async(settings, enqueue)
        case "paced":
            return await paced_async(settings, enqueue)
        case "scheduled":
            return await produce_scheduled(settings, queue)
        case _:
            return await many_callers_async(settings, enqueue)


async def produce_scheduled(settings: Settings, queue: Queue) -> Production:
    """Each task at a moment of its own (`scheduled`, in seconds)."""
    started = perf_counter()
    for n, moment_ns in enumerate(asked_moments_ns(settings)):
        await queue.enqueue("noop", ttl=-1, scheduled=moment_ns / 1e9, **payload(n, moment_ns))
    return Production(settings.count, perf_counter() - started)


PRODUCERS: dict[str, Producer] = dict.fromkeys(
    ("fill", "awaiting", "callers", "paced", "scheduled"), lambda settings: asyncio.run(produce(settings))
)
