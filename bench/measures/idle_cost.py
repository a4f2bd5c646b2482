"""How much an idle worker asks of Redis."""

from collections.abc import Iterator
from dataclasses import replace
from time import monotonic, sleep

from bench.contender import Contender
from bench.measures.measure import Measure
from bench.registry import ASYNQPY, GO_ASYNQ
from bench.samples import Better, Sample
from bench.stage import Stage

CONCURRENCY = 10
MANY_QUEUES = 100
START_SECONDS = 4.0
"""Left to the worker to start before its commands are counted."""


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """Count commands while nothing happens, with one queue and, where one server takes many, with a hundred."""
    for queues in (1, MANY_QUEUES) if contender in (ASYNQPY, GO_ASYNQ) else (1,):
        stage.server.empty()
        settings = replace(stage.settings(), concurrency=CONCURRENCY, queues=queues)
        with stage.worker(contender, settings):
            sleep(START_SECONDS)
            before, started = stage.server.commands_processed(), monotonic()
            sleep(stage.size(65, 6))
            commands = stage.server.commands_processed() - before - 1  # our own question is no cost of the worker
            yield Sample(
                table="commands a second from one idle worker",
                column="1 queue" if queues == 1 else f"{queues} queues",
                unit="per second",
                value=commands / (monotonic() - started),
                better=Better.LOWER,
            )


MEASURE = Measure(
    name="idle",
    title="Cost of idling",
    explanation="Commands that Redis processed for one idle worker process, those inside scripts counted too.",
    run=run,
    most_runs=1,
)
