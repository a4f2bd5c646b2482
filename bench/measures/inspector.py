"""How long an inspector's pages, searches and bulk operations take, and what other clients feel of them."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import perf_counter

from redis import Redis

from asynqpy import Client, Inspector, Task
from bench.contender import Contender
from bench.measures.forwarding import probing
from bench.measures.measure import Measure
from bench.registry import ASYNQPY
from bench.samples import Better, Sample, percentile
from bench.stage import Stage

QUEUE = "bench"
GROUP = "g"
PREFIX = f"asynq:{{{QUEUE}}}:"
SETS = {
    "scheduled": f"{PREFIX}scheduled",
    "retry": f"{PREFIX}retry",
    "archived": f"{PREFIX}archived",
    "completed": f"{PREFIX}completed",
    "aggregating": f"{PREFIX}g:{GROUP}",
}
LISTS = {"pending": f"{PREFIX}pending", "active": f"{PREFIX}active"}
PAGE_SIZE = 30
REPEATS = 20
SLOWLOG_ENTRIES = 1000
RARE_EVERY = 1000
"""One task of so many has what one search looks for."""


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """Read pages of every state, search, and move all tasks three times, with a PING of another client beside it."""
    stage.server.empty()
    redis = stage.server.client
    tasks = stage.size(1_000_000, 100_000)
    fill(stage.server.url, tasks)
    with Inspector(stage.server.url) as inspector:
        listed = [*pages(inspector, redis, SETS, tasks)]
        runs = [*moved(stage, "run_all", "scheduled", tasks)]
        listed += pages(inspector, redis, LISTS, tasks)
        yield from listed
        yield _slowest("slowest page", "any page of any state", listed)
        yield from searches(inspector, tasks)
    runs += moved(stage, "archive_all", "pending", tasks)
    stage.server.empty()
    fill(stage.server.url, tasks)
    runs += moved(stage, "delete_all", "scheduled", tasks)
    yield from runs
    for name in ("PING, worst", "longest command"):
        yield _slowest("slowest of all bulk operations", name, [each for each in runs if each.column == name])


def fill(url: str, tasks: int) -> None:
    """Schedule *tasks* for tomorrow."""
    with Client(url) as client:
        payloads = ({"user": n, "note": "rare" if n % RARE_EVERY == 0 else "plenty"} for n in range(tasks))
        for result in client.enqueue_stream(
            (Task("email:welcome", each) for each in payloads), queue=QUEUE, process_in=86_400
        ):
            result.unwrap()


def pages(inspector: Inspector, redis: Redis, containers: dict[str, str], tasks: int) -> Iterator[Sample]:
    """The first, the middle and the last page of each; the same tasks stand in one container after the other."""
    holder = next(iter(containers.values()))
    last = tasks // PAGE_SIZE
    for state, container in containers.items():
        redis.renamenx(holder, container)
        holder = container
        group = GROUP if state == "aggregating" else None
        for name, page in {"first": 1, "middle": last // 2, "last": last}.items():
            milliseconds = []
            for _ in range(REPEATS):
                started = perf_counter()
                found = inspector.list_tasks(QUEUE, state, group=group, page=page, page_size=PAGE_SIZE)
                milliseconds.append((perf_counter() - started) * 1e3)
                assert len(found) == PAGE_SIZE
            yield Sample(
                table=f"page of {PAGE_SIZE} among {tasks:,} tasks, slowest of {REPEATS}",
                row=state,
                column=name,
                unit="ms",
                value=max(milliseconds),
                better=Better.LOWER,
            )
    redis.renamenx(holder, next(iter(containers.values())))


def searches(inspector: Inspector, tasks: int) -> Iterator[Sample]:
    """Tasks looked at a second, where few match and where all do."""
    asked = {
        "text in the payload, one task in a thousand": {"payload": '"note":"rare"'},
        "type by pattern, all tasks": {"type": "email:*"},
    }
    for name, what in asked.items():
        started = perf_counter()
        search = inspector.find_tasks(queues=QUEUE, states="pending", **what)
        found = sum(1 for _ in search)
        seconds = perf_counter() - started
        assert search.coverage.scanned == tasks
        assert found in (tasks, tasks // RARE_EVERY)
        yield _rate("tasks looked at", name, tasks / seconds)
    started = perf_counter()
    assert sum(1 for _ in inspector.iter_tasks(QUEUE, "pending")) == tasks
    yield _rate("tasks looked at", "iterated", tasks / (perf_counter() - started))


def moved(stage: Stage, verb: str, state: str, tasks: int) -> Iterator[Sample]:
    """Tasks moved a second, in a process of its own, and how long a PING of another client took meanwhile."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        processes.submit(pow, 2, 2).result()  # it has started
        redis = stage.server.client
        redis.config_set("slowlog-log-slower-than", 1000)
        redis.slowlog_reset()
        with probing(stage.server) as probe:
            seconds = processes.submit(act, stage.server.url, verb, state, tasks).result()
        longest_ms = max((entry["duration"] / 1e3 for entry in redis.slowlog_get(SLOWLOG_ENTRIES)), default=1.0)
    yield _rate("tasks moved", verb, tasks / seconds)
    table = "another client's PING meanwhile, and the server's longest command"
    figures = {
        "PING, 99th percentile": percentile(probe.milliseconds, 0.99),
        "PING, worst": max(probe.milliseconds),
        "longest command": longest_ms,
    }
    for name, value in figures.items():
        yield Sample(table=table, row=verb, column=name, unit="ms", value=value, better=Better.LOWER)


def act(url: str, verb: str, state: str, tasks: int) -> float:
    """Do it, and return how many seconds it took."""
    with Inspector(url) as inspector:
        started = perf_counter()
        assert getattr(inspector, verb)(QUEUE, state) == tasks
        return perf_counter() - started


def _slowest(table: str, column: str, samples: list[Sample]) -> Sample:
    value = max(sample.value for sample in samples)
    return Sample(table=table, column=column, unit="ms", value=value, better=Better.LOWER)


def _rate(table: str, column: str, value: float) -> Sample:
    return Sample(table=f"{table} a second", column=column, unit="per second", value=value, better=Better.HIGHER)


MEASURE = Measure(
    name="inspector",
    title="Inspecting a million tasks",
    explanation="The same million tasks stand in each list and sorted set in turn. Bulk operations run in a process of "
    "their own, while another client sends a PING every millisecond; `archive_all` keeps the newest 10,000, as every "
    "archive does, and deletes the rest.",
    run=run,
    contenders=(ASYNQPY.name,),
    most_runs=1,
)
