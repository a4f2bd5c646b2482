"""What the terminal dashboard costs: Redis commands and time for one refresh of each page, and how soon keys answer."""

import asyncio
from collections.abc import Iterator
from time import perf_counter

from redis import Redis

from asynqpy import AsyncInspector, Client, Task
from bench.contender import Contender
from bench.measures.measure import Measure
from bench.registry import ASYNQPY
from bench.samples import Better, Sample, percentile
from bench.stage import Stage

QUEUES = 1_000
READINGS = 20
KEYS = 50
RARELY = 3600.0
"""Seconds between two readings by itself: never, here."""


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """A thousand queues with a million tasks, on a screen of 120 by 40."""
    stage.server.empty()
    fill(stage.server.url, stage.size(1_000_000, 100_000))
    yield from asyncio.run(looked_at(stage.server.url, stage.server.client))


def fill(url: str, tasks: int) -> None:
    """Spread *tasks* over the queues: half of them in the first one."""
    with Client(url) as client:
        half = tasks // 2
        for queue, count in [("queue-0000", half), *((f"queue-{n:04}", half // QUEUES) for n in range(QUEUES))]:
            payloads = ({"user": n, "template": "welcome"} for n in range(count))
            for result in client.enqueue_stream((Task("email:welcome", each) for each in payloads), queue=queue):
                result.unwrap()


async def looked_at(url: str, redis: Redis) -> list[Sample]:
    """Refresh each page, and press keys on it."""
    from asynqpy.dash.app import DashApp

    samples: list[Sample] = []
    app = DashApp(AsyncInspector(url), refresh=RARELY)
    async with app.run_test(size=(120, 40)) as pilot:
        view = app.screen
        for page, keys in (("queues", []), ("queue, pending", ["enter"]), ("task", ["enter"]), ("servers", ["2"])):
            await pilot.press(*keys)
            view = app.screen
            await view.wait_for_reading()
            before = commands(redis)
            milliseconds = []
            for _ in range(READINGS):
                started = perf_counter()
                await view.wait_for_reading()
                milliseconds.append((perf_counter() - started) * 1e3)
            counted = (commands(redis) - before - 1) / READINGS  # the INFO that counts is one
            samples += [
                _sample("one refresh", page, "median", "ms", percentile(milliseconds, 0.5)),
                _sample("one refresh", page, "slowest", "ms", max(milliseconds)),
                _sample("Redis commands of one refresh, those in scripts included", page, "commands", "", counted),
            ]
            answered = []
            for n in range(KEYS):
                started = perf_counter()
                await pilot.press("down" if n % 2 else "up")
                answered.append((perf_counter() - started) * 1e3)
            samples.append(
                _sample("a key is answered, pilot included", page, "median", "ms", percentile(answered, 0.5))
            )
    return samples


def commands(redis: Redis) -> int:
    """How many commands Redis has had, those in scripts included."""
    return int(redis.info("stats")["total_commands_processed"])


def _sample(table: str, row: str, column: str, unit: str, value: float) -> Sample:
    return Sample(table=table, row=row, column=column, unit=unit, value=value, better=Better.LOWER)


MEASURE = Measure(
    name="dash",
    title="The terminal dashboard",
    explanation=f"{QUEUES:,} queues with a million tasks, half of them in one queue, on a screen of 120 columns and 40 "
    "lines. A refresh is read, shown and drawn; by default there is one every two seconds, and fewer where one takes "
    "longer than half a second.",
    run=run,
    contenders=(ASYNQPY.name,),
    most_runs=1,
)
