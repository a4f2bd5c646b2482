"""How fast one worker process empties a queue of no-op tasks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench.contender import Contender
from bench.measures.measure import Measure
from bench.samples import Better, Sample
from bench.stage import Stage

FULL_SECONDS = 3.0
QUICK_SECONDS = 0.8
LEAST_TASKS = 300
MOST_TASKS = 300_000


@dataclass(frozen=True, slots=True)
class Drain:
    """What one drain took."""

    tasks: int
    seconds: float
    """From the start of the first task to the start of the last one."""
    seconds_from_launch: float
    """From the launch of the worker's process to the start of the last task."""
    redis_cpu_seconds: float
    """Of the whole: enqueueing, waiting, draining, acknowledging."""
    worker_cpu_seconds: float
    """From about the start of the first task until all were acknowledged."""

    @property
    def rate(self) -> float:
        """Tasks a second."""
        return self.tasks / self.seconds


def tasks_for(stage: Stage, contender: Contender, concurrency: int, full_seconds: float = FULL_SECONDS) -> int:
    """How many tasks give a run of about *full_seconds*, or a quick one."""
    seconds = QUICK_SECONDS if stage.quick else full_seconds
    return min(max(int(contender.expected_rates[concurrency] * seconds), LEAST_TASKS), MOST_TASKS)


def drain(stage: Stage, contender: Contender, concurrency: int, tasks: int) -> Drain:
    """Fill the queue, start a worker, wait for the last task, and check that each ran once and was acknowledged."""
    stage.server.empty()
    settings = replace(stage.settings(), mode="fill", count=tasks, concurrency=concurrency)
    redis_cpu_before = stage.server.cpu_seconds()
    stage.produce(contender, settings)
    with stage.worker(contender, settings) as worker:
        timeout_seconds = 30 + 10 * tasks / contender.expected_rates[concurrency]
        worker.wait_for(1, timeout_seconds)
        worker_cpu_before = worker.process.cpu_seconds()
        worker.wait_for(tasks, timeout_seconds)
        stage.wait_until_settled(contender)
        worker_cpu = worker.process.cpu_seconds() - worker_cpu_before
        worker.check_each_ran_once(tasks)
        count = worker.tally.count()
        from_launch = (count.last_ns - worker.process.started_ns) / 1e9
        redis_cpu = stage.server.cpu_seconds() - redis_cpu_before
        return Drain(tasks, max(count.seconds, 1e-9), from_launch, redis_cpu, worker_cpu)


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """Drain at each concurrency that suits the contender."""
    for concurrency in contender.expected_rates:
        tasks = tasks_for(stage, contender, concurrency)
        drained = drain(stage, contender, concurrency, tasks)
        column = f"concurrency {concurrency}"
        yield Sample(
            table="tasks a second, first start to last",
            column=column,
            unit="per second",
            value=drained.rate,
            better=Better.HIGHER,
        )
        yield Sample(
            table="processor time of the worker for one task",
            column=column,
            unit="µs",
            value=drained.worker_cpu_seconds / tasks * 1e6,
            better=Better.LOWER,
        )
        yield Sample(
            table="launch of the worker to its first task",
            column=column,
            unit="s",
            value=drained.seconds_from_launch - drained.seconds,
            better=Better.NEITHER,
        )


MEASURE = Measure(
    name="drain",
    title="Draining a queue",
    explanation="No-op tasks with a 60-byte JSON payload wait in the queue; one worker process then starts. It is "
    "checked that every task ran exactly once and was acknowledged.",
    run=run,
)
