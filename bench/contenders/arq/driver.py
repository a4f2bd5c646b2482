"""arq: one process, uvloop, results not kept, and the queue polled every 10 ms instead of every 500 ms.

With its default poll delay arq would start at most `max_jobs` tasks each half second. A job stays in the queue until it
is finished, as by default. Many jobs are read at each poll (`queue_read_limit`: its default, 5 for each slot and at
least 100).
"""

import asyncio
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import uvloop
from arq import create_pool, func
from arq.connections import ArqRedis, RedisSettings
from arq.worker import Worker

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
POLL_DELAY_SECONDS = 0.01
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


async def noop(_context: dict[Any, Any], n: int, sent_ns: int, note: str) -> None:
    """Count and return."""
    TALLY.hit(n, sent_ns)
    if SETTINGS.hold_seconds:
        await asyncio.sleep(SETTINGS.hold_seconds)


def work(settings: Settings) -> None:
    """Run the worker."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    Worker(
        [func(noop, keep_result=0)],
        redis_settings=RedisSettings.from_dsn(settings.redis_url),
        max_jobs=settings.concurrency,
        poll_delay=POLL_DELAY_SECONDS,
        keep_result=0,
        log_results=False,
    ).run()


async def produce(settings: Settings) -> Production:
    """Every mode, on one pool of connections."""
    pool = await create_pool(RedisSettings.from_dsn(settings.redis_url))

    async def enqueue(task: Payload) -> object:
        return await pool.enqueue_job("noop", **task)

    match settings.mode:
        case "awaiting":
            return await one_caller_async(settings, enqueue)
        case "paced":
            return await paced_async(settings, enqueue)
        case "scheduled":
            return await produce_scheduled(settings, pool)
        case _:
            return await many_callers_async(settings, enqueue)


async def produce_scheduled(settings: Settings, pool: ArqRedis) -> Production:
    """Each task at a moment of its own (`_defer_until`)."""
    started = perf_counter()
    for n, moment_ns in enumerate(asked_moments_ns(settings)):
        moment = datetime.fromtimestamp(moment_ns / 1e9, UTC)
        await pool.enqueue_job("noop", _defer_until=moment, **payload(n, moment_ns))
    return Production(settings.count, perf_counter() - started)


PRODUCERS: dict[str, Producer] = dict.fromkeys(
    ("fill", "awaiting", "callers", "paced", "scheduled"), lambda settings: asyncio.run(produce(settings))
)
