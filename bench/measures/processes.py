"""Whether several worker processes on one queue are as fast as one."""

from collections.abc import Iterator
from dataclasses import replace
from time import monotonic, sleep

from bench.contender import Contender, ContenderError
from bench.contenders.asynqpy.command import worker_command, worker_variables
from bench.measures.drain import tasks_for
from bench.measures.measure import Measure
from bench.registry import ASYNQPY
from bench.samples import Better, Sample
from bench.stage import Stage

CONCURRENCY = 100
PROCESSES = (1, 4, 8)
PAUSED_KEY = "asynq:{default}:paused"
SERVERS_KEY = "asynq:servers"
START_TIMEOUT_SECONDS = 60.0
TIMEOUT_SECONDS = 120.0


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """Drain with each number of processes."""
    tasks = tasks_for(stage, contender, CONCURRENCY)
    rates = {processes: drain_with(stage, processes, tasks) for processes in PROCESSES}
    for processes, rate in rates.items():
        yield _sample("tasks drained a second", processes, "per second", rate)
    for processes in PROCESSES[1:]:
        yield _sample("as a share of one process' rate", processes, "of one process", rates[processes] / rates[1])


def drain_with(stage: Stage, processes: int, tasks: int) -> float:
    """Tasks a second; the queue is paused until all processes are ready, so that their start is not measured."""
    stage.server.empty()
    redis = stage.server.client
    settings = replace(stage.settings(), mode="fill", count=tasks)
    stage.produce(ASYNQPY, settings)
    redis.set(PAUSED_KEY, 1)
    command = worker_command(processes=processes, concurrency=CONCURRENCY)
    with stage.process(command, settings, f"processes-{processes}", worker_variables(settings)) as worker:
        deadline = monotonic() + START_TIMEOUT_SECONDS
        while int(redis.zcard(SERVERS_KEY)) < processes:
            if monotonic() > deadline or not worker.process.running:
                raise ContenderError(f"{processes} processes did not start: {worker.process.last_words()}")
            sleep(0.1)
        sleep(1.0)
        redis.delete(PAUSED_KEY)
        worker.wait_for(tasks, TIMEOUT_SECONDS)
        stage.wait_until_settled(ASYNQPY)
        worker.check_each_ran_once(tasks)
        count = worker.tally.count()
        return count.tasks / count.seconds


def _sample(table: str, processes: int, unit: str, value: float) -> Sample:
    column = f"{processes} process{'es' if processes > 1 else ''}"
    return Sample(table=table, column=column, unit=unit, value=value, better=Better.HIGHER)


MEASURE = Measure(
    name="processes",
    title="Several worker processes",
    explanation=f"`asynqpy worker --processes N`, concurrency {CONCURRENCY} in each, on the same cores as Redis.",
    run=run,
    contenders=(ASYNQPY.name,),
)
