"""Queues, groups and the whole as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from asynqpy.cli.view.table import Column
from asynqpy.cli.view.words import counted, error_rate, one_line, size, span
from asynqpy.inspection import DailyStats, GroupInfo, QueueInfo
from asynqpy.task import TaskState

Tabulate = Callable[[Sequence[Column], Sequence[Sequence[str]]], list[str]]
"""Makes a table that fits: `Screen.table`."""

STATES = ("active", "pending", "aggregating", "scheduled", "retry", "archived", "completed")
"""In the order of asynq's command."""

LONG_LIST = (
    Column("Queue", is_long=True),
    Column("State"),
    Column("Size", is_number=True),
    Column("Active", is_number=True),
    Column("Pending", is_number=True),
    Column("Latency", is_number=True),
    Column("Aggregating", rank=5, is_number=True),
    Column("Scheduled", rank=3, is_number=True),
    Column("Retry", rank=1, is_number=True),
    Column("Archived", rank=2, is_number=True),
    Column("Completed", rank=4, is_number=True),
    Column("Memory", rank=6, is_number=True),
    Column("Processed", rank=3, is_number=True),
    Column("Failed", rank=3, is_number=True),
    Column("ErrorRate", rank=4, is_number=True),
)

DAYS = (Column("date (UTC)"), Column("processed"), Column("failed"), Column("error rate"))


def state_counts(info: QueueInfo) -> list[str]:
    """The seven numbers in their order."""
    return [str(getattr(info, state)) for state in STATES]


def long_list(infos: Sequence[QueueInfo], table: Tabulate) -> list[str]:
    """A line for each queue."""
    if not infos:
        return ["No queues"]
    rows = [_long_row(info) for info in infos]
    if any(info.memory_usage is not None for info in infos):
        return table(LONG_LIST, rows)
    at = next(at for at, column in enumerate(LONG_LIST) if column.name == "Memory")
    return table([*LONG_LIST[:at], *LONG_LIST[at + 1 :]], [[*row[:at], *row[at + 1 :]] for row in rows])


def _long_row(info: QueueInfo) -> list[str]:
    return [
        one_line(info.queue),
        "PAUSED" if info.paused else "RUN",
        str(info.size),
        str(info.active),
        str(info.pending),
        span(info.latency),
        str(info.aggregating),
        str(info.scheduled),
        str(info.retry),
        str(info.archived),
        str(info.completed),
        size(info.memory_usage),
        str(info.processed),
        str(info.failed),
        error_rate(info.processed, info.failed),
    ]


def details(info: QueueInfo, table: Tabulate, heading: Callable[[str], str]) -> Iterator[str]:
    """Everything about one queue."""
    yield heading("Queue Info")
    yield f"Name:    {one_line(info.queue)}"
    yield f"Size:    {info.size}"
    yield f"Groups:  {info.groups}"
    yield f"Paused:  {str(info.paused).lower()}"
    yield f"Latency: {span(info.latency)}"
    yield f"Memory:  {size(info.memory_usage)}"
    yield ""
    yield heading("Task Count by State")
    yield from table([Column(state) for state in STATES], [state_counts(info)])
    yield ""
    yield heading(f"Daily Stats {info.timestamp:%Y-%m-%d} UTC")
    yield from table(
        [Column("processed"), Column("failed"), Column("error rate")],
        [[str(info.processed), str(info.failed), error_rate(info.processed, info.failed)]],
    )


def history(days: Sequence[DailyStats], table: Tabulate) -> list[str]:
    """A line for each day."""
    return table(
        DAYS,
        [
            [day.day.isoformat(), str(day.processed), str(day.failed), error_rate(day.processed, day.failed)]
            for day in days
        ],
    )


def groups(queue: str, infos: Sequence[GroupInfo], table: Tabulate, *, long: bool) -> list[str]:
    """The names of groups, or a table with how many tasks are in each."""
    if not infos:
        return [f"No groups found in queue {one_line(queue)!r}"]
    if not long:
        return [one_line(info.group) for info in infos]
    columns = [Column("Group", is_long=True), Column("Size", is_number=True)]
    return table(columns, [[one_line(info.group), str(info.size)] for info in infos])


def whole(
    infos: Sequence[QueueInfo],
    redis: Mapping[str, str],
    cluster: Mapping[str, str],
    table: Tabulate,
    heading: Callable[[str], str],
    *,
    width: int | None,
    today: str,
) -> Iterator[str]:
    """The four blocks of ``stats``."""
    yield heading("Task Count by State")
    sums = [str(sum(getattr(info, state) for info in infos)) for state in STATES]
    yield from table([Column(state) for state in STATES], [sums])
    yield ""
    yield heading("Task Count by Queue")
    yield from _by_queue(infos, table, width)
    yield ""
    yield heading(f"Daily Stats {today} UTC")
    processed, failed = sum(info.processed for info in infos), sum(info.failed for info in infos)
    yield from table(
        [Column("processed"), Column("failed"), Column("error rate")],
        [[str(processed), str(failed), error_rate(processed, failed)]],
    )
    yield ""
    if cluster:
        yield heading("Redis Cluster Info")
        yield from table(
            [Column("State"), Column("Known Nodes"), Column("Cluster Size")],
            [[cluster.get(name, "") for name in ("cluster_state", "cluster_known_nodes", "cluster_size")]],
        )
        return
    yield heading("Redis Info")
    facts = [
        redis.get("redis_version", ""),
        f"{redis.get('uptime_in_days', '?')} days",
        redis.get("connected_clients", ""),
        f"{redis.get('used_memory_human', '?')}B",
        f"{redis.get('used_memory_peak_human', '?')}B",
    ]
    names = ("version", "uptime", "connections", "memory usage", "peak memory usage")
    yield from table([Column(name) for name in names], [facts])


def _by_queue(infos: Sequence[QueueInfo], table: Tabulate, width: int | None) -> Iterator[str]:
    """A column for each queue; where they do not fit beside each other, below each other."""
    if not infos:
        yield "No queues"
        return
    cells = [(one_line(info.queue) + (" (paused)" if info.paused else ""), str(info.size)) for info in infos]
    start = 0
    while start < len(cells):
        end, used = start, 0
        while end < len(cells):
            used += max(len(cells[end][0]), len(cells[end][1])) + 2
            if width is not None and end > start and used - 2 > width:
                break
            end += 1
        if start:
            yield ""
        yield from table([Column(name) for name, _ in cells[start:end]], [[count for _, count in cells[start:end]]])
        start = end


def what_is_left(info: QueueInfo, states: Sequence[TaskState]) -> str:
    """How many tasks there are in which of *states*: ``3 pending, 1 active``."""
    found = [f"{count:,} {state}" for state in states if (count := getattr(info, state))]
    return ", ".join(found) or counted(0, "task")
