"""Dramatiq: one process with as many threads as tasks may run at once, its default middleware; hiredis.

Acknowledges a message after it was processed, as by default. Its delayed messages wait in the worker's memory. At
least 100 messages are prefetched: with the default of two a thread, few threads starve (1 thread: 260 tasks a second,
against 4,200).
"""

import os
from time import perf_counter, sleep, time_ns

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
os.environ["dramatiq_queue_prefetch"] = str(max(100, 2 * SETTINGS.concurrency))  # noqa: SIM112 (its name)

import dramatiq  # noqa: E402  (reads the prefetch when it is imported)
from dramatiq.brokers.redis import RedisBroker  # noqa: E402

# redis-py's pool stops at 100 connections, and each thread needs one to acknowledge.
broker = RedisBroker(url=f"{SETTINGS.redis_url}?max_connections={2 * SETTINGS.concurrency + SETTINGS.callers}")
dramatiq.set_broker(broker)


@dramatiq.actor
def noop(n: int, sent_ns: int, note: str) -> None:
    """Count and return."""
    TALLY.hit(n, sent_ns)
    if SETTINGS.hold_seconds:
        sleep(SETTINGS.hold_seconds)


def work(settings: Settings) -> None:
    """Run Dramatiq's command in this process; it forks the one worker process."""
    from dramatiq.cli import main, make_argument_parser

    main(make_argument_parser().parse_args([__name__, "--processes=1", f"--threads={settings.concurrency}"]))


def enqueue(task: Payload) -> object:
    """One ordinary call."""
    return noop.send(**task)


def produce_scheduled(settings: Settings) -> Production:
    """Each task at a moment of its own (`delay`, in whole milliseconds)."""
    started = perf_counter()
    for n, moment_ns in enumerate(asked_moments_ns(settings)):
        delay_ms = (moment_ns - time_ns()) // 1_000_000
        noop.send_with_options(kwargs=dict(payload(n, moment_ns)), delay=delay_ms)
    return Production(settings.count, perf_counter() - started)


PRODUCERS: dict[str, Producer] = {
    "fill": lambda settings: one_caller(settings, enqueue),
    "blocking": lambda settings: one_caller(settings, enqueue),
    "callers": lambda settings: many_threads(settings, enqueue),
    "paced": lambda settings: paced(settings, enqueue),
    "scheduled": produce_scheduled,
}
