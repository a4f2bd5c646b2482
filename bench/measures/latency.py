"""How soon an idle worker starts a task: from before the enqueue call to the first line of the handler."""

from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from time import sleep

from bench.contender import Contender, ContenderError
from bench.measures.measure import Measure
from bench.registry import ASYNQPY, GO_ASYNQ
from bench.samples import Better, Sample, percentile
from bench.stage import Stage

CONCURRENCY = 10
WARM_UP_TASKS = 5
SETTLE_SECONDS = 2.0
"""A worker that started and ran its first tasks is left alone for so long, to be really idle."""
TIMEOUT_SECONDS = 60.0


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """One task at a time, 50 to 150 ms apart; across languages too, where two contenders share a wire format."""
    producers = {ASYNQPY: (ASYNQPY, GO_ASYNQ), GO_ASYNQ: (GO_ASYNQ, ASYNQPY)}.get(contender, (contender,))
    for producer in producers:
        try:
            stage.command(producer)
        except ContenderError:
            continue  # reported by its own rows
        delays_ms = measure_delays_ms(stage, contender, producer)
        row = "" if producer is contender else f"enqueued by {producer.title}"
        for column, value in {"median": median(delays_ms), "99th percentile": percentile(delays_ms, 0.99)}.items():
            yield Sample(
                table="enqueue to handler, worker idle",
                column=column,
                unit="ms",
                value=value,
                better=Better.LOWER,
                row=row,
            )


def measure_delays_ms(stage: Stage, contender: Contender, producer: Contender) -> list[float]:
    """Delays of tasks that *producer* enqueues for an idle worker of *contender*, without those that warm it up."""
    stage.server.empty()
    tasks = WARM_UP_TASKS + stage.size(200, 30)
    settings = replace(stage.settings(), mode="paced", count=tasks, concurrency=CONCURRENCY)
    with stage.worker(contender, settings) as worker:
        stage.produce(contender, replace(settings, count=WARM_UP_TASKS))
        worker.wait_for(WARM_UP_TASKS, TIMEOUT_SECONDS)
        sleep(SETTLE_SECONDS)
        stage.produce(producer, settings)
        worker.wait_for(WARM_UP_TASKS + tasks, TIMEOUT_SECONDS)
        return [delay_ns / 1e6 for delay_ns in worker.tally.delays_ns()[WARM_UP_TASKS:]]


MEASURE = Measure(
    name="latency",
    title="Latency of an idle worker",
    explanation="One task every 50 to 150 ms (at random) for a worker that has nothing to do.",
    run=run,
    most_runs=1,
)
