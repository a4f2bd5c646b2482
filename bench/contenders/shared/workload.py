"""The fixed workload: no-op tasks with a JSON payload of about 60 bytes, and the ways to produce them.

Each contender's driver plugs its own call into these loops, so that all are timed alike: the clock runs from the first
call to the return of the last, connections already made.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypedDict

from bench.contenders.shared.settings import Settings


class Payload(TypedDict):
    """What a task carries; also its keyword arguments where a queue calls functions."""

    n: int
    sent_ns: int
    note: str


@dataclass(frozen=True, slots=True)
class Production:
    """How long it took to produce so many tasks."""

    count: int
    seconds: float
    cpu_seconds: float = 0.0
    """Processor time of the producing process meanwhile; filled in by whoever called the producer."""
    delays_ns: list[int] = field(default_factory=list)
    """For each task, where the producer measures something else than producing."""


Producer = Callable[[Settings], Production]
"""Produces what the settings ask for, and says how long it took."""


def payload(n: int, sent_ns: int | None = None) -> Payload:
    """Payload of task *n*, stamped with *sent_ns* or with the present moment."""
    return {"n": n, "sent_ns": time.time_ns() if sent_ns is None else sent_ns, "note": "benchmark"}


def gaps_seconds(settings: Settings) -> Iterator[float]:
    """Random pauses, one before each task."""
    for _ in range(settings.count):
        yield random.uniform(settings.gap_low_ms, settings.gap_high_ms) / 1000


def asked_moments_ns(settings: Settings) -> list[int]:
    """The random moments, as Unix time, at which scheduled tasks are asked to start; in order."""
    start_ns = time.time_ns() + int(settings.lead_seconds * 1e9)
    spread_ns = int(settings.spread_seconds * 1e9)
    return sorted(start_ns + random.randrange(spread_ns) for _ in range(settings.count))


def one_caller(settings: Settings, enqueue: Callable[[Payload], object]) -> Production:
    """A single blocking caller, one task after the other."""
    started = time.perf_counter()
    for n in range(settings.count):
        enqueue(payload(n))
    return Production(settings.count, time.perf_counter() - started)


def many_threads(settings: Settings, enqueue: Callable[[Payload], object]) -> Production:
    """Blocking callers at once, each in its own thread."""

    def caller(first: int) -> None:
        for n in range(first, settings.count, settings.callers):
            enqueue(payload(n))

    with ThreadPoolExecutor(settings.callers) as pool:
        list(pool.map(time.sleep, [0.01] * settings.callers))  # so that starting threads is not measured
        started = time.perf_counter()
        list(pool.map(caller, range(settings.callers)))
        return Production(settings.count, time.perf_counter() - started)


def paced(settings: Settings, enqueue: Callable[[Payload], object]) -> Production:
    """A single blocking caller that rests between tasks."""
    started = time.perf_counter()
    for n, gap_seconds in enumerate(gaps_seconds(settings)):
        time.sleep(gap_seconds)
        enqueue(payload(n))
    return Production(settings.count, time.perf_counter() - started)


async def one_caller_async(settings: Settings, enqueue: Callable[[Payload], Awaitable[object]]) -> Production:
    """A single awaiting caller, one task after the other."""
    started = time.perf_counter()
    for n in range(settings.count):
        await enqueue(payload(n))
    return Production(settings.count, time.perf_counter() - started)


async def many_callers_async(settings: Settings, enqueue: Callable[[Payload], Awaitable[object]]) -> Production:
    """Awaiting callers at once on one event loop."""

    async def caller(first: int) -> None:
        for n in range(first, settings.count, settings.callers):
            await enqueue(payload(n))

    started = time.perf_counter()
    await asyncio.gather(*(caller(first) for first in range(settings.callers)))
    return Production(settings.count, time.perf_counter() - started)


async def paced_async(settings: Settings, enqueue: Callable[[Payload], Awaitable[object]]) -> Production:
    """A single awaiting caller that rests between tasks."""
    started = time.perf_counter()
    for n, gap_seconds in enumerate(gaps_seconds(settings)):
        await asyncio.sleep(gap_seconds)
        await enqueue(payload(n))
    return Production(settings.count, time.perf_counter() - started)
