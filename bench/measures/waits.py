"""How soon a result reaches who waits for it, with thousands of waits open in one process."""

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from bench.contender import Contender
from bench.measures.measure import Measure
from bench.registry import ASYNQPY
from bench.samples import Better, Sample, percentile
from bench.stage import Stage

CONCURRENCY = 100
LEAD_SECONDS = 6.0
"""Until the first task runs: all must be enqueued and waited for by then."""


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """Tasks that end one after the other, a thousand a second, and tasks that all fall due at one moment."""
    waits = stage.size(10_000, 2_000)
    for table, spread_seconds in (
        (f"handler's end to the return of wait, {waits:,} waits open, 1,000 results a second", waits / 1000),
        (f"{waits:,} waits open, all tasks due at one moment", 0.0),
    ):
        stage.server.empty()
        settings = replace(
            stage.settings(),
            mode="wait",
            count=waits,
            concurrency=CONCURRENCY,
            lead_seconds=LEAD_SECONDS,
            spread_seconds=spread_seconds,
        )
        with stage.worker(contender, settings):
            production = stage.produce(contender, settings)
        delays_ms = [delay_ns / 1e6 for delay_ns in production.delays_ns]
        columns = {"median": median(delays_ms), "99th percentile": percentile(delays_ms, 0.99)}
        for column, value in columns.items():
            yield Sample(table=table, column=column, unit="ms", value=value, better=Better.LOWER)
        if not spread_seconds:
            yield Sample(
                table="results a second, first end to last return",
                column=f"{waits:,} waits",
                unit="per second",
                value=production.count / production.seconds,
                better=Better.HIGHER,
            )


MEASURE = Measure(
    name="waits",
    title="Waiting for results",
    explanation="One process waits for thousands of tasks at once over one connection; a worker process runs them, "
    "with 100 slots. All waits are open before the first task runs.",
    run=run,
    contenders=(ASYNQPY.name,),
    most_runs=1,
)
