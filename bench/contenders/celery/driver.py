"""Celery: one worker process; `solo` for one task at a time, `threads` for more, acknowledged early as by default.

Threads were the fastest of its pools for this workload (5,000 no-op tasks: threads about 1,000 a second, prefork 940,
gevent 750). No result backend, no gossip, no mingle, no events; a prefetch of 4 for each slot (the default), but 64
where only one task runs at a time; hiredis.
"""

import os
import sys
from datetime import UTC, datetime
from time import perf_counter, sleep

from celery import Celery

from bench.contenders.shared.settings import Settings
from bench.contenders.shared.tally import Tally
from bench.contenders.shared.workload import (
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
app = Celery("bench", broker=SETTINGS.redis_url)
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=4 if SETTINGS.concurrency > 1 else 64,
    broker_connection_retry_on_startup=True,
    broker_pool_limit=SETTINGS.callers if SETTINGS.mode == "callers" else 10,
)


@app.task
def noop(n: int, sent_ns: int, note: str) -> None:
    """Count and return."""
    TALLY.hit(n, sent_ns)
    if SETTINGS.hold_seconds:
        sleep(SETTINGS.hold_seconds)


def work(settings: Settings) -> None:
    """Become Celery's command, as it runs in production."""
    pool = "solo" if settings.concurrency == 1 else "threads"
    command = [sys.executable, "-m", "celery", "--app", __name__, "worker", f"--pool={pool}"]
    flags = [f"--concurrency={settings.concurrency}", "--without-gossip", "--without-mingle", "--loglevel=WARNING"]
    os.execv(sys.executable, [*command, *flags])


def produce_scheduled(settings: Settings) -> Production:
    """Each task at a moment of its own (`eta`)."""
    started = perf_counter()
    for n, moment_ns in enumerate(asked_moments_ns(settings)):
        noop.apply_async(kwargs=payload(n, moment_ns), eta=datetime.fromtimestamp(moment_ns / 1e9, UTC))
    return Production(settings.count, perf_counter() - started)


def enqueue(task: object) -> object:
    """One ordinary call."""
    return noop.apply_async(kwargs=task)


PRODUCERS: dict[str, Producer] = {
    "fill": lambda settings: one_caller(settings, enqueue),
    "blocking": lambda settings: one_caller(settings, enqueue),
    "callers": lambda settings: many_threads(settings, enqueue),
    "paced": lambda settings: paced(settings, enqueue),
    "scheduled": produce_scheduled,
}
