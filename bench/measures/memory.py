"""Whether a worker's memory grows with the tasks it has run."""

from collections.abc import Iterator
from dataclasses import replace

from bench.contender import Contender
from bench.measures.measure import Measure
from bench.registry import ASYNQPY, GO_ASYNQ
from bench.samples import Better, Sample
from bench.stage import Stage

CONCURRENCY = 100
INTERVALS = 10
TIMEOUT_SECONDS = 120.0


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """Resident memory of one worker, after each tenth of its tasks."""
    stage.server.empty()
    tasks = stage.size(100_000, 10_000)
    settings = replace(stage.settings(), mode="fill", count=tasks, concurrency=CONCURRENCY)
    megabytes: list[float] = []
    with stage.worker(contender, settings) as worker:
        for interval in range(1, INTERVALS + 1):
            stage.produce(contender, settings)
            worker.wait_for(interval * tasks, TIMEOUT_SECONDS)
            stage.wait_until_settled(contender)
            megabytes.append(worker.process.memory_megabytes())
            yield Sample(
                table="resident memory of the worker after tasks",
                column=f"{interval * tasks:,}",
                unit="MB",
                value=megabytes[-1],
                better=Better.LOWER,
            )
    yield Sample(
        table="growth of the memory",
        column="from the second tenth of the tasks to the last",
        unit="MB",
        value=megabytes[-1] - megabytes[1],
        better=Better.LOWER,
    )


MEASURE = Measure(
    name="memory",
    title="Memory of a worker",
    explanation=f"One worker process at concurrency {CONCURRENCY}, all its children counted.",
    run=run,
    contenders=(ASYNQPY.name,),
    slow_contenders=(GO_ASYNQ.name,),
    most_runs=1,
)
