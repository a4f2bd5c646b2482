"""One module for each thing that is measured; `ALL` is their order in the report."""

from bench.measures import (
    aggregation,
    dash,
    drain,
    enqueue,
    flatness,
    forwarding,
    idle_cost,
    inspector,
    latency,
    memory,
    processes,
    punctuality,
    recovery,
    redis_cpu,
    round_trip,
    start_up,
    waits,
    web,
)
from bench.measures.measure import Measure

ALL: tuple[Measure, ...] = (
    drain.MEASURE,
    enqueue.MEASURE,
    latency.MEASURE,
    redis_cpu.MEASURE,
    idle_cost.MEASURE,
    punctuality.MEASURE,
    recovery.MEASURE,
    round_trip.MEASURE,
    processes.MEASURE,
    memory.MEASURE,
    forwarding.MEASURE,
    aggregation.MEASURE,
    flatness.MEASURE,
    inspector.MEASURE,
    waits.MEASURE,
    dash.MEASURE,
    web.MEASURE,
    start_up.MEASURE,
)
