"""Whether a long queue slows the worker down."""

from collections.abc import Iterator
from dataclasses import replace

from bench.contender import Contender
from bench.measures.measure import Measure
from bench.registry import ASYNQPY, GO_ASYNQ
from bench.samples import Better, Sample
from bench.stage import Stage

CONCURRENCY = 100
TIMEOUT_SECONDS = 120.0


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """The rate of the first tasks of a short queue, and of a long one."""
    sample = min(contender.expected_rates[CONCURRENCY] * stage.size(2, 1), 100_000)
    long = stage.size(1_000_000, 200_000)
    short_rate = rate_of_first(stage, contender, sample, pending=sample)
    long_rate = rate_of_first(stage, contender, sample, pending=long)
    columns = {"no more tasks than are measured": short_rate, f"{long:,} tasks": long_rate}
    for column, value in columns.items():
        yield Sample(
            table="tasks drained a second from a queue with",
            column=column,
            unit="per second",
            value=value,
            better=Better.HIGHER,
        )
    yield Sample(
        table="rate of the long queue, as a share of the short one's",
        column=f"{long:,} tasks",
        unit="of the short queue",
        value=long_rate / short_rate,
        better=Better.HIGHER,
    )


def rate_of_first(stage: Stage, contender: Contender, sample: int, pending: int) -> float:
    """Tasks a second over the first *sample* tasks of a queue that held *pending*."""
    stage.server.empty()
    settings = replace(stage.settings(), mode="fill", count=pending, concurrency=CONCURRENCY)
    stage.produce(contender, settings)
    with stage.worker(contender, settings) as worker:
        worker.wait_for(sample, TIMEOUT_SECONDS)
        count = worker.tally.count()
        return count.tasks / count.seconds


MEASURE = Measure(
    name="flatness",
    title="A long queue",
    explanation=f"Draining at concurrency {CONCURRENCY}: the first tasks of a short queue against the first tasks of "
    "a long one.",
    run=run,
    contenders=(ASYNQPY.name, GO_ASYNQ.name),
    most_runs=2,
)
