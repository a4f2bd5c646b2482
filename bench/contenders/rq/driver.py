"""RQ: SimpleWorker, one job at a time in its own process; for more, a pool of as many worker processes.

SimpleWorker runs jobs without forking: several times faster than the default Worker, which forks for each job. A pool
of 10 is the most that is measured, and it is 10 processes where the others have one. Results are not kept; hiredis.
"""

from datetime import UTC, datetime
from time import perf_counter, sleep
from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker
from rq.worker_pool import WorkerPool

from bench.contenders.shared.settings import Settings
from bench.contenders.shared.tally import Tally
from bench.contenders.shared.workload import (
    Payload,
    Producer,
    Production,
    asked_moments_ns,
    many_threads,
    one_caller,
    paced,
    payload,
)

SETTINGS = Settings.from_environment()
TALLY = Tally(SETTINGS.tally_path)
CHUNK = 1000
queue = Queue("default", connection=Redis.from_url(SETTINGS.redis_url))


def noop(n: int, sent_ns: int, note: str) -> None:
    """Count and return."""
    TALLY.hit(n, sent_ns)
    if SETTINGS.hold_seconds:
        sleep(SETTINGS.hold_seconds)


def work(settings: Settings) -> None:
    """Run the worker, or the pool."""
    if settings.concurrency == 1:
        SimpleWorker([queue], connection=queue.connection).work(logging_level="WARNING", with_scheduler=True)
    else:
        pool = WorkerPool(
            [queue], connection=queue.connection, num_workers=settings.concurrency, worker_class=SimpleWorker
        )
        pool.start(logging_level="WARNING")


def enqueue(task: Payload) -> object:
    """One ordinary call."""
    return queue.enqueue(noop, kwargs=task, result_ttl=0)


def produce_batch(settings: Settings) -> Production:
    """`enqueue_many`, a thousand jobs a call."""
    started = perf_counter()
    for first in range(0, settings.count, CHUNK):
        numbers = range(first, min(first + CHUNK, settings.count))
        queue.enqueue_many([job(n) for n in numbers])
    return Production(settings.count, perf_counter() - started)


def job(n: int) -> Any:
    """What `enqueue_many` wants for task *n*."""
    return Queue.prepare_data(noop, kwargs=dict(payload(n)), result_ttl=0)


def produce_scheduled(settings: Settings) -> Production:
    """Each task at a moment of its own (`enqueue_at`, served by the worker's built-in scheduler)."""
    started = perf_counter()
    for n, moment_ns in enumerate(asked_moments_ns(settings)):
        moment = datetime.fromtimestamp(moment_ns / 1e9, UTC)
        queue.enqueue_at(moment, noop, kwargs=payload(n, moment_ns), result_ttl=0)
    return Production(settings.count, perf_counter() - started)


PRODUCERS: dict[str, Producer] = {
    "fill": produce_batch,
    "batch": produce_batch,
    "blocking": lambda settings: one_caller(settings, enqueue),
    "callers": lambda settings: many_threads(settings, enqueue),
    "paced": lambda settings: paced(settings, enqueue),
    "scheduled": produce_scheduled,
}
