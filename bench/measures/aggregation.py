"""How fast the tasks of a large group become few, and whether other clients notice."""

from collections.abc import Iterator
from dataclasses import replace
from time import monotonic, perf_counter, sleep

from redis import Redis

from bench.contender import Contender, ContenderError
from bench.contenders.shared.settings import GROUP
from bench.measures.forwarding import PAUSED_KEY, SLOWLOG_ENTRIES, probing
from bench.measures.measure import Measure
from bench.registry import ASYNQPY, GO_ASYNQ
from bench.samples import Better, Sample, percentile
from bench.stage import Stage

CONCURRENCY = 10
SET_SIZE = 1000
GROUP_KEY = f"asynq:{{default}}:g:{GROUP}"
PENDING_KEY = "asynq:{default}:pending"
BASELINE_SECONDS = 2.0
POLL_SECONDS = 0.005
TIMEOUT_SECONDS = 300.0


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """Fill one group, then let a worker aggregate it into a paused queue."""
    stage.server.empty()
    redis = stage.server.client
    redis.set(PAUSED_KEY, 1)  # so that only aggregating is measured; a paused queue is aggregated all the same
    tasks = stage.size(100_000, 20_000)
    settings = replace(stage.settings(), mode="grouped", count=tasks, concurrency=CONCURRENCY, group_size=SET_SIZE)
    stage.produce(contender, settings)
    with probing(stage.server) as before:
        sleep(BASELINE_SECONDS)
    redis.config_set("slowlog-log-slower-than", 1000)
    redis.slowlog_reset()
    with probing(stage.server) as during, stage.worker(contender, replace(settings, count=0)):
        seconds = seconds_until_aggregated(redis, tasks)
    slow_commands = redis.slowlog_get(SLOWLOG_ENTRIES)
    table = f"{tasks:,} tasks of one group, in sets of {SET_SIZE:,}"
    yield _sample(table, "aggregated a second", "per second", tasks / seconds, Better.HIGHER)
    longest_ms = max((entry["duration"] / 1e3 for entry in slow_commands), default=1.0)
    yield _sample("longest command of the server meanwhile", "duration", "ms", longest_ms, Better.LOWER)
    for name, probe in {"before": before, "meanwhile": during}.items():
        table = "PING of another client"
        yield _sample(table, f"99th percentile, {name}", "ms", percentile(probe.milliseconds, 0.99), Better.LOWER)
        yield _sample(table, f"worst, {name}", "ms", max(probe.milliseconds), Better.LOWER)


def seconds_until_aggregated(redis: Redis, tasks: int) -> float:
    """How long after the first tasks had left their group the last aggregated task was there."""
    deadline = monotonic() + TIMEOUT_SECONDS
    while redis.zcard(GROUP_KEY) == tasks:
        _wait(deadline, "no task left its group")
    started = perf_counter()
    while redis.llen(PENDING_KEY) < tasks // SET_SIZE:
        _wait(deadline, f"{redis.zcard(GROUP_KEY):,} tasks were not aggregated")
    return perf_counter() - started


def _wait(deadline: float, problem: str) -> None:
    if monotonic() > deadline:
        raise ContenderError(f"{problem} in {TIMEOUT_SECONDS:.0f} s")
    sleep(POLL_SECONDS)


def _sample(table: str, column: str, unit: str, value: float, better: Better) -> Sample:
    return Sample(table=table, column=column, unit=unit, value=value, better=better)


MEASURE = Measure(
    name="aggregation",
    title="Aggregation",
    explanation="The tasks of one group become one task for each thousand, by a function that does nothing else, in a "
    "paused queue; another client sends a PING every millisecond. The time counts from the first set.",
    run=run,
    contenders=(ASYNQPY.name,),
    slow_contenders=(GO_ASYNQ.name,),
    most_runs=1,
)
