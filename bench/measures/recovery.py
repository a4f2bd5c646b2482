"""How long the tasks of a killed worker wait until they run elsewhere."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from time import sleep, time_ns
from typing import cast

from redis import Redis

from bench.contender import Contender, ContenderError
from bench.contenders.asynqpy.command import worker_command, worker_variables
from bench.measures.measure import Measure
from bench.registry import ASYNQPY, GO_ASYNQ
from bench.samples import Better, Sample
from bench.stage import POLL_SECONDS, Stage

LEASE_KEY = "asynq:{default}:lease"
TASKS = 10
FOREVER_SECONDS = 3600.0
START_SECONDS = 3.0
TIMEOUT_SECONDS = 400.0
PROCESSES = 2


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """With each lease that the contender can be given, and under its supervisor if it has one."""
    if contender is GO_ASYNQ:
        yield _sample("default lease of 30 s", by_another_worker(stage, contender, lease_seconds=0))
        return
    yield _sample("under a supervisor", under_supervisor(stage, concurrency=TASKS))
    yield _sample("under a supervisor, no other process free", under_supervisor(stage, concurrency=TASKS // PROCESSES))
    yield _sample("lease of 10 s", by_another_worker(stage, contender, lease_seconds=10))
    if not stage.quick:
        yield _sample("default lease of 30 s", by_another_worker(stage, contender, lease_seconds=0))


def by_another_worker(stage: Stage, contender: Contender, lease_seconds: float) -> float:
    """Seconds from `kill -9` of a worker that just extended its leases to the last of its tasks starting in another."""
    stage.server.empty()
    settings = replace(stage.settings(), mode="fill", count=TASKS, concurrency=TASKS, lease_seconds=lease_seconds)
    stage.produce(contender, settings)
    with stage.worker(contender, replace(settings, hold_seconds=FOREVER_SECONDS)) as victim:
        victim.wait_for(TASKS, TIMEOUT_SECONDS)
        with stage.worker(contender, settings) as heir:
            sleep(START_SECONDS)
            wait_until_leases_are_extended(stage.server.client)
            os.kill(victim.process.process.pid, signal.SIGKILL)
            killed_ns = time_ns()
            heir.wait_for(TASKS, TIMEOUT_SECONDS)
            return (heir.tally.count().last_ns - killed_ns) / 1e9


def wait_until_leases_are_extended(redis: Redis) -> None:
    """Return just after the worker extended its leases: the moment at which a crash costs most."""
    before = _last_lease_end(redis)
    for _ in range(int(TIMEOUT_SECONDS / POLL_SECONDS)):
        if _last_lease_end(redis) > before:
            return
        sleep(POLL_SECONDS)
    raise ContenderError("the worker did not extend its leases")


def _last_lease_end(redis: Redis) -> float:
    ends = redis.zrange(LEASE_KEY, 0, -1, withscores=True)
    return max(float(end) for _task_id, end in cast("list[tuple[bytes, float]]", ends))


def under_supervisor(stage: Stage, concurrency: int) -> float:
    """The same where one of the processes of `asynqpy worker --processes 2` is killed, each with this concurrency."""
    stage.server.empty()
    settings = replace(stage.settings(), mode="fill", count=TASKS, hold_seconds=FOREVER_SECONDS)
    stage.produce(ASYNQPY, settings)
    command = worker_command(processes=PROCESSES, concurrency=concurrency)
    with stage.process(command, settings, "supervised", worker_variables(settings)) as worker:
        worker.wait_for(TASKS, TIMEOUT_SECONDS)
        sleep(START_SECONDS)
        holding = {pid: worker.tally.tasks_of(pid) for pid in worker.process.family()}
        victim = max(holding, key=lambda pid: holding[pid])
        if victim == worker.process.process.pid:
            raise ContenderError("the supervisor runs tasks itself")
        os.kill(victim, signal.SIGKILL)
        killed_ns = time_ns()
        worker.wait_for(TASKS + holding[victim], TIMEOUT_SECONDS)
        return (worker.tally.count().last_ns - killed_ns) / 1e9


def _sample(column: str, seconds: float) -> Sample:
    return Sample(
        table="kill -9 to all tasks running elsewhere", column=column, unit="s", value=seconds, better=Better.LOWER
    )


MEASURE = Measure(
    name="recovery",
    title="Recovery from a crash",
    explanation=f"A worker holding {TASKS} tasks is killed just after it extended their leases, the worst moment; "
    "another one is idle, or a supervisor is there.",
    run=run,
    contenders=(ASYNQPY.name,),
    slow_contenders=(GO_ASYNQ.name,),
    most_runs=1,
)
