"""``asynqpy stats``: the whole at a glance."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from asynqpy.cli.inspecting import inspecting
from asynqpy.cli.options import Reading, command
from asynqpy.cli.screen import screen

if TYPE_CHECKING:
    from asynqpy.inspection import QueueInfo
    from asynqpy.inspector import Inspector

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


class Stats(NamedTuple):
    """What was found."""

    queues: list[QueueInfo]
    redis: dict[str, str]
    cluster: dict[str, str]


@command(app, "stats", cls=Reading)
def stats(context: typer.Context) -> None:
    """Show how many tasks there are in which state, what was done today, and how Redis is.

    With --json it prints what asynq prints, name by name. On a Redis Cluster it tells of the cluster.
    """
    shown = screen(context)
    with inspecting(context) as inspector:
        shown.show(lambda: _fetch(inspector, memory=shown.as_json), _document, lambda found: _text(found, shown))


def _fetch(inspector: Inspector, *, memory: bool) -> Stats:
    queues = inspector.queue_infos(memory=memory)
    cluster = inspector.cluster_info()
    return Stats(queues, inspector.redis_info(), cluster)


def _text(found: Stats, shown: Any) -> Iterable[str]:
    from asynqpy.cli.view import queues

    today = datetime.now(UTC).date().isoformat()
    return queues.whole(
        found.queues, found.redis, found.cluster, shown.table, shown.heading, width=shown.width, today=today
    )


def _document(found: Stats) -> dict[str, Any]:
    """The object that asynq's command prints."""
    from asynqpy.cli.view.queues import STATES

    moment = found.queues[0].timestamp if found.queues else datetime.now(UTC)
    aggregate: dict[str, Any] = {
        name: sum(getattr(info, name) for info in found.queues) for name in (*STATES, "processed", "failed")
    }
    facts = found.cluster or found.redis
    return {
        "aggregate": aggregate | {"timestamp": moment},
        "queues": [_queue(info) for info in found.queues],
        "redis": {name: facts[name] for name in sorted(facts) if ":" not in facts[name]},
    }


def _queue(info: QueueInfo) -> dict[str, Any]:
    return {
        "Queue": info.queue,
        "MemoryUsage": info.memory_usage or 0,
        "Paused": info.paused,
        "Size": info.size,
        "Groups": info.groups,
        "Pending": info.pending,
        "Active": info.active,
        "Scheduled": info.scheduled,
        "Retry": info.retry,
        "Archived": info.archived,
        "Completed": info.completed,
        "Aggregating": info.aggregating,
        "Processed": info.processed,
        "Failed": info.failed,
        "ProcessedTotal": info.processed_total,
        "FailedTotal": info.failed_total,
        "Latency": info.latency // timedelta(microseconds=1) * 1000,
        "Timestamp": info.timestamp,
    }
