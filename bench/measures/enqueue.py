"""How fast tasks are put into a queue that nobody empties."""

from collections.abc import Iterator
from dataclasses import replace

from bench.contender import Contender, ContenderError
from bench.contenders.shared.workload import Production
from bench.measures.measure import Measure
from bench.samples import Better, Sample
from bench.stage import Stage

COLUMNS = {
    "blocking": "one blocking caller",
    "awaiting": "one awaiting caller",
    "callers": "100 callers at once",
    "batch": "batch call",
}
REFERENCE_COLUMNS = {"awaiting": COLUMNS["blocking"], "batch": COLUMNS["blocking"]}
"""Go has no awaiting callers, and its 0.26.0 no batch call: these compare with Go's one caller."""
CALLERS = 100
FULL_SECONDS = 3.0
QUICK_SECONDS = 0.7
TRIAL_TASKS = 1_000


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """Each way of producing that the contender has; a short trial decides how many tasks a run has."""
    for mode, column in COLUMNS.items():
        if mode in contender.modes:
            trial = _produce(stage, contender, mode, TRIAL_TASKS)
            seconds = QUICK_SECONDS if stage.quick else FULL_SECONDS
            production = _produce(stage, contender, mode, max(TRIAL_TASKS, int(trial.count / trial.seconds * seconds)))
            yield Sample(
                table="tasks enqueued a second",
                column=column,
                unit="per second",
                value=production.count / production.seconds,
                better=Better.HIGHER,
                reference_column=REFERENCE_COLUMNS.get(mode, ""),
            )
            yield Sample(
                table="processor time of the producer for one task",
                column=column,
                unit="µs",
                value=production.cpu_seconds / production.count * 1e6,
                better=Better.LOWER,
                reference_column=REFERENCE_COLUMNS.get(mode, ""),
            )


def _produce(stage: Stage, contender: Contender, mode: str, tasks: int) -> Production:
    stage.server.empty()
    settings = replace(stage.settings(), mode=mode, count=tasks, callers=CALLERS)
    production = stage.produce(contender, settings)
    if (stored := contender.backlog(stage.server.client)) < tasks and contender.name != "taskiq":
        raise ContenderError(f"enqueued {tasks:,} tasks, but Redis holds {stored:,}")
    return production


MEASURE = Measure(
    name="enqueue",
    title="Enqueueing",
    explanation="Callers are coroutines, goroutines or threads, as the library has them. Go asynq 0.26.0 has neither "
    "a batch call nor awaiting callers: these columns compare with its one blocking caller.",
    run=run,
)
