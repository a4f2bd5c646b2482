"""What the design wants asynqpy to reach, and whether these results do."""

from collections.abc import Iterable
from dataclasses import dataclass

from bench.registry import ASYNQPY, REFERENCE
from bench.report import format_value, improvement
from bench.samples import Better, Figure, Results

AT_LEAST, AT_MOST = Better.HIGHER, Better.LOWER


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound for one figure."""

    what: str
    measure: str
    column: str
    """The figure's column; the last one of the table when empty, for columns that depend on the size of the run."""
    bound: float
    side: Better
    times_reference: float = 0.0
    """How many times better than Go asynq it must be too; 0 where that is no goal."""
    table: str = ""
    """Where a measure has several tables: how the right one's title begins."""


GOALS = (
    Goal("drained a second, concurrency 10", "drain", "concurrency 10", 22_000, AT_LEAST, 2.3, "tasks a second"),
    Goal("drained a second, concurrency 100", "drain", "concurrency 100", 50_000, AT_LEAST, 5.3, "tasks a second"),
    Goal("drained a second, concurrency 1000", "drain", "concurrency 1000", 60_000, AT_LEAST, 6.4, "tasks a second"),
    Goal("`enqueue_many`, tasks a second", "enqueue", "batch call", 80_000, AT_LEAST, table="tasks enqueued"),
    Goal(
        "`AsyncClient.enqueue`, one caller", "enqueue", "one awaiting caller", 9_000, AT_LEAST, table="tasks enqueued"
    ),
    Goal(
        "`AsyncClient.enqueue`, 100 callers", "enqueue", "100 callers at once", 60_000, AT_LEAST, table="tasks enqueued"
    ),
    Goal("`Client.enqueue`", "enqueue", "one blocking caller", 8_000, AT_LEAST, table="tasks enqueued"),
    Goal("idle worker, enqueue to handler, median", "latency", "median", 2, AT_MOST),
    Goal("idle worker, enqueue to handler, 99th percentile", "latency", "99th percentile", 6, AT_MOST),
    Goal("Redis' processor time for one task", "redis-cpu", "concurrency 100", 15, AT_MOST),
    Goal("commands a second from an idle server, 1 queue", "idle", "1 queue", 3, AT_MOST),
    Goal("commands a second from an idle server, 100 queues", "idle", "100 queues", 3, AT_MOST),
    Goal("scheduled task, never early", "punctuality", "earliest", 0, AT_LEAST),
    Goal("scheduled task, 99th percentile", "punctuality", "99th percentile", 50, AT_MOST),
    Goal("`kill -9` to running elsewhere, default lease", "recovery", "default lease of 30 s", 36, AT_MOST),
    Goal("`kill -9` to running elsewhere, lease of 10 s", "recovery", "lease of 10 s", 16, AT_MOST),
    Goal("`kill -9` to running elsewhere, supervisor", "recovery", "under a supervisor", 1, AT_MOST),
    Goal("… while no other process is free", "recovery", "under a supervisor, no other process free", 1, AT_MOST),
    Goal("1 ms added, concurrency 100", "round-trip", "concurrency 100", 0.7, AT_LEAST, table="rate with"),
    Goal("1 ms added, concurrency 1000", "round-trip", "concurrency 1000", 0.7, AT_LEAST, table="rate with"),
    Goal("4 worker processes against one", "processes", "4 processes", 1.0, AT_LEAST, table="as a share"),
    Goal("8 worker processes against one", "processes", "8 processes", 1.0, AT_LEAST, table="as a share"),
    Goal("memory of a worker in the end", "memory", "", 80, AT_MOST, table="resident"),
    Goal("memory is flat: growth", "memory", "", 2, AT_MOST, table="growth"),
    Goal("forwarded a second", "forwarding", "forwarded a second", 50_000, AT_LEAST),
    Goal("PING of another client meanwhile, worst", "forwarding", "worst, meanwhile", 20, AT_MOST),
    Goal("PING of another client during aggregation, worst", "aggregation", "worst, meanwhile", 20, AT_MOST),
    Goal("any page of any listing", "inspector", "any page of any state", 20, AT_MOST),
    Goal("PING of another client while all tasks are moved, worst", "inspector", "PING, worst", 20, AT_MOST),
    Goal("any read by `/api/v2`, median", "web", "median of a read by `/api/v2`", 50, AT_MOST),
    Goal("any page of the web dashboard can be used, median", "web", "page in a browser, median", 1_000, AT_MOST),
    Goal("first load of the web dashboard", "web", "bytes over the network", 300_000, AT_MOST),
    Goal("100 web dashboards against 5, commands of Redis", "web", "commands a second", 1.1, AT_MOST, table="100 dash"),
    Goal("long queue against a short one", "flatness", "", 0.9, AT_LEAST, table="rate of the long"),
)


def markdown(results: Results) -> str:
    """The goals that these results have figures for, as a table."""
    rows = [row for goal in GOALS for row in _row(goal, results.figures)]
    head = ["| goal | wanted | measured | reached |", "|---|---:|---:|---|"]
    return "\n".join(["### Goals", "", *head, *rows]) if rows else ""


def _row(goal: Goal, figures: Iterable[Figure]) -> Iterable[str]:
    candidates = [figure for figure in figures if figure.measure == goal.measure and not figure.row]
    mine = _find(goal, [figure for figure in candidates if figure.contender == ASYNQPY.name])
    if mine is None:
        return
    times = None
    if goal.times_reference and (go := _find(goal, [figure for figure in candidates if figure.contender == REFERENCE])):
        times = improvement(mine.median, go.median, mine.better)
    reached = mine.median >= goal.bound if goal.side is AT_LEAST else mine.median <= goal.bound
    sign = "≥" if goal.side is AT_LEAST else "≤"
    unit = "" if mine.unit == "per second" else f" {mine.unit}"
    wanted = f"{sign} {goal.bound:,g}{unit}" + (f", {goal.times_reference:g} x Go" if goal.times_reference else "")
    measured = format_value(mine) + (f", {times:.1f} x Go" if times else "")
    verdict = ("yes" if reached else "no") + ("" if times is None or times >= goal.times_reference else ", ratio no")
    yield f"| {goal.what} | {wanted} | {measured} | {verdict} |"


def _find(goal: Goal, figures: list[Figure]) -> Figure | None:
    in_table = [figure for figure in figures if figure.table.startswith(goal.table)]
    if not goal.column:
        return in_table[-1] if in_table else None
    return next((figure for figure in in_table if figure.column == goal.column), None)
