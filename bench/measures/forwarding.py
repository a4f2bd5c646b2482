"""What happens when very many scheduled tasks fall due at one moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event, Thread
from time import perf_counter, sleep, time, time_ns

from redis import Redis

from bench.contender import Contender, ContenderError
from bench.measures.measure import Measure
from bench.redis_server import RedisServer
from bench.registry import ASYNQPY, GO_ASYNQ
from bench.samples import Better, Sample, percentile
from bench.stage import Stage

CONCURRENCY = 10
PAUSED_KEY = "asynq:{default}:paused"
SCHEDULED_KEY = "asynq:{default}:scheduled"
SLOWLOG_ENTRIES = 1000
PING_PAUSE_SECONDS = 0.001
BASELINE_SECONDS = 2.0
TIMEOUT_SECONDS = 300.0


@dataclass(slots=True)
class Probe:
    """Round trips of another client, one after the other."""

    milliseconds: list[float] = field(default_factory=list)


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """Schedule all for one moment, and watch them move to the pending list of a paused queue."""
    stage.server.empty()
    redis = stage.server.client
    redis.set(PAUSED_KEY, 1)  # so that only forwarding is measured; a paused queue is forwarded all the same
    tasks, lead_seconds = stage.size(1_000_000, 100_000), stage.size(75, 15)
    due_ns = time_ns() + lead_seconds * 10**9
    settings = replace(stage.settings(), mode="due", count=tasks, concurrency=CONCURRENCY, due_at_ns=due_ns)
    stage.produce(contender, settings)
    if time_ns() > due_ns - (BASELINE_SECONDS + 3) * 1e9:
        raise ContenderError(f"scheduling {tasks:,} tasks took nearly {lead_seconds} s")
    with stage.worker(contender, replace(settings, count=0)):
        sleep(due_ns / 1e9 - time() - BASELINE_SECONDS)
        with probing(stage.server) as before:
            sleep(max(0.0, due_ns / 1e9 - time() - 0.2))
        redis.config_set("slowlog-log-slower-than", 1000)
        redis.slowlog_reset()
        with probing(stage.server) as during:
            seconds = seconds_until_forwarded(redis, due_ns)
        slow_commands = redis.slowlog_get(SLOWLOG_ENTRIES)
    yield _sample(f"{tasks:,} tasks due at once", "forwarded a second", "per second", tasks / seconds, Better.HIGHER)
    longest_ms = max((entry["duration"] / 1e3 for entry in slow_commands), default=1.0)
    yield _sample("longest command of the server meanwhile", "duration", "ms", longest_ms, Better.LOWER)
    for name, probe in {"before": before, "meanwhile": during}.items():
        table = "PING of another client"
        yield _sample(table, f"99th percentile, {name}", "ms", percentile(probe.milliseconds, 0.99), Better.LOWER)
        yield _sample(table, f"worst, {name}", "ms", max(probe.milliseconds), Better.LOWER)


def seconds_until_forwarded(redis: Redis, due_ns: int) -> float:
    """How long after the due moment the last task left the scheduled set."""
    while redis.zcard(SCHEDULED_KEY):
        if time() > due_ns / 1e9 + TIMEOUT_SECONDS:
            raise ContenderError(f"{redis.zcard(SCHEDULED_KEY):,} tasks were not forwarded in {TIMEOUT_SECONDS:.0f} s")
        sleep(0.02)
    return time() - due_ns / 1e9


@contextmanager
def probing(server: RedisServer) -> Iterator[Probe]:
    """Time PINGs on a connection of their own while the block runs."""
    probe, finished = Probe(), Event()

    def ping_on() -> None:
        with Redis(port=server.port) as client:
            client.ping()
            while not finished.wait(PING_PAUSE_SECONDS):
                started = perf_counter()
                client.ping()
                probe.milliseconds.append((perf_counter() - started) * 1e3)

    thread = Thread(target=ping_on)
    thread.start()
    try:
        yield probe
    finally:
        finished.set()
        thread.join()


def _sample(table: str, column: str, unit: str, value: float, better: Better) -> Sample:
    return Sample(table=table, column=column, unit=unit, value=value, better=better)


MEASURE = Measure(
    name="forwarding",
    title="Many tasks due at once",
    explanation="A million scheduled tasks fall due in the same moment, in a paused queue; another client sends a PING "
    "every millisecond. The time counts from the moment they are due.",
    run=run,
    contenders=(ASYNQPY.name,),
    slow_contenders=(GO_ASYNQ.name,),
    most_runs=1,
)
