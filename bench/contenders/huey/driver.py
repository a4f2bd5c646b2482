"""Huey: one consumer process with as many threads as tasks may run at once; hiredis, results not stored.

Huey has no acknowledgement: a task leaves Redis when a worker takes it, so a crash loses it. It does less work for
each task than the others, and promises less. `RedisHuey`, the plain queue with a blocking pop.
"""

from datetime import UTC, datetime
from time import perf_counter, sleep

from huey import RedisHuey

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
CONNECTIONS = 10 + max(SETTINGS.concurrency, SETTINGS.callers)
huey = RedisHuey("bench", url=f"{SETTINGS.redis_url}?max_connections={CONNECTIONS}", results=False)


@huey.task()
def noop(n: int, sent_ns: int, note: str) -> None:
    """Count and return."""
    TALLY.hit(n, sent_ns)
    if SETTINGS.hold_seconds:
        sleep(SETTINGS.hold_seconds)


def work(settings: Settings) -> None:
    """Run the consumer."""
    huey.create_consumer(workers=settings.concurrency, worker_type="thread", periodic=False).run()


def enqueue(task: Payload) -> object:
    """One ordinary call."""
    return noop(**task)


def produce_scheduled(settings: Settings) -> Production:
    """Each task at a moment of its own (`eta`)."""
    started = perf_counter()
    for n, moment_ns in enumerate(asked_moments_ns(settings)):
        noop.schedule(kwargs=dict(payload(n, moment_ns)), eta=datetime.fromtimestamp(moment_ns / 1e9, UTC))
    return Production(settings.count, perf_counter() - started)


PRODUCERS: dict[str, Producer] = {
    "fill": lambda settings: one_caller(settings, enqueue),
    "blocking": lambda settings: one_caller(settings, enqueue),
    "callers": lambda settings: many_threads(settings, enqueue),
    "paced": lambda settings: paced(settings, enqueue),
    "scheduled": produce_scheduled,
}
