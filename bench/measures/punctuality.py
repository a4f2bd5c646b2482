"""How punctually scheduled tasks start."""

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from bench.contender import Contender
from bench.measures.measure import Measure
from bench.registry import CONTENDERS
from bench.samples import Better, Sample, percentile
from bench.stage import Stage

CONCURRENCY = 10
LEAD_SECONDS = 3.0
TIMEOUT_SECONDS = 60.0


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """Tasks asked for at random moments in the next seconds; how late each starts."""
    stage.server.empty()
    settings = replace(
        stage.settings(),
        mode="scheduled",
        count=stage.size(1000, 200),
        concurrency=CONCURRENCY,
        lead_seconds=LEAD_SECONDS,
        spread_seconds=stage.size(10, 5),
    )
    with stage.worker(contender, settings) as worker:
        stage.produce(contender, settings)
        worker.wait_for(settings.count, TIMEOUT_SECONDS)
        worker.check_each_ran_once(settings.count)
        late_ms = [delay_ns / 1e6 for delay_ns in worker.tally.delays_ns()]
    columns = {
        "earliest": min(late_ms),
        "median": median(late_ms),
        "99th percentile": percentile(late_ms, 0.99),
        "latest": max(late_ms),
    }
    for column, value in columns.items():
        yield Sample(
            table="start, after the moment asked for", column=column, unit="ms", value=value, better=Better.LOWER
        )


MEASURE = Measure(
    name="punctuality",
    title="Punctuality of scheduled tasks",
    explanation="Tasks scheduled at random moments of the next seconds; a negative figure is a task that started "
    "before its moment.",
    run=run,
    contenders=tuple(name for name, contender in CONTENDERS.items() if "scheduled" in contender.modes),
    most_runs=1,
)
