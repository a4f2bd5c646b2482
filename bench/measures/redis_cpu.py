"""What a no-op task costs Redis, from enqueue to acknowledgement."""

from collections.abc import Iterator

from bench.contender import Contender
from bench.measures.drain import drain, tasks_for
from bench.measures.measure import Measure
from bench.registry import CONTENDERS
from bench.samples import Better, Sample
from bench.stage import Stage

CONCURRENCY = 100


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """One drain; the server is otherwise idle, so its processor time is the tasks'."""
    drained = drain(stage, contender, CONCURRENCY, tasks_for(stage, contender, CONCURRENCY))
    yield Sample(
        table="processor time of Redis for one task",
        column=f"concurrency {CONCURRENCY}",
        unit="µs",
        value=drained.redis_cpu_seconds / drained.tasks * 1e6,
        better=Better.LOWER,
    )


MEASURE = Measure(
    name="redis-cpu",
    title="Cost to Redis",
    explanation="Processor time of the Redis server (INFO CPU) for enqueueing, running and acknowledging one no-op "
    "task. Tasks are enqueued in the contender's fastest way.",
    run=run,
    contenders=tuple(name for name, contender in CONTENDERS.items() if CONCURRENCY in contender.expected_rates),
)
