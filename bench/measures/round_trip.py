"""What a millisecond between worker and Redis costs."""

from collections.abc import Iterator
from dataclasses import replace

from bench.contender import Contender
from bench.delayed_redis import delayed, round_trip_ms
from bench.measures.drain import drain, tasks_for
from bench.measures.measure import Measure
from bench.registry import ASYNQPY, GO_ASYNQ
from bench.samples import Better, Sample
from bench.stage import Stage

ADDED_MS = 1.0
CONCURRENCIES = (100, 1000)
DIRECT_SECONDS = 1.5
"""How long the direct drains last; the delayed ones take up to fifteen times as long."""


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """Drain directly, through the proxy without delay (what the proxy itself costs), and with the delay."""
    for concurrency in CONCURRENCIES:
        tasks = tasks_for(stage, contender, concurrency, DIRECT_SECONDS)
        direct = drain(stage, contender, concurrency, tasks)
        yield _rate(f"{concurrency}, direct", direct.rate)
        for delay_ms, column in ((0.0, "by a proxy without delay"), (ADDED_MS, f"{ADDED_MS:g} ms added")):
            with delayed(stage.server, delay_ms) as server:
                behind = replace(stage, server=server)
                drained = drain(behind, contender, concurrency, tasks)
                yield _rate(f"{concurrency}, {column}", drained.rate)
        yield _kept(f"concurrency {concurrency}", drained.rate / direct.rate)
    with delayed(stage.server, ADDED_MS) as server:
        yield Sample(
            table="median PING",
            column=f"through the proxy with {ADDED_MS:g} ms",
            unit="ms",
            value=round_trip_ms(server),
            better=Better.NEITHER,
        )
    yield Sample(
        table="median PING", column="direct", unit="ms", value=round_trip_ms(stage.server), better=Better.NEITHER
    )


def _rate(column: str, value: float) -> Sample:
    return Sample(
        table="tasks drained a second, by concurrency",
        column=column,
        unit="per second",
        value=value,
        better=Better.HIGHER,
    )


def _kept(column: str, value: float) -> Sample:
    return Sample(
        table="rate with the added millisecond, as a share of the direct rate",
        column=column,
        unit="of direct",
        value=value,
        better=Better.HIGHER,
    )


MEASURE = Measure(
    name="round-trip",
    title="A distant Redis",
    explanation="The drains again through a TCP proxy that adds a millisecond to every round trip. The proxy takes "
    "its own share of the same processor cores.",
    run=run,
    contenders=(ASYNQPY.name, GO_ASYNQ.name),
)
