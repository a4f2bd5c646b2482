"""Servers and periodic tasks as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from asynqpy.cli.view.queues import Tabulate
from asynqpy.cli.view.table import Column
from asynqpy.cli.view.words import absolute, ago, data_line, due, one_line
from asynqpy.inspection import SchedulerEntry, SchedulerEvent, ServerInfo

SERVERS = (
    Column("Host", is_long=True),
    Column("PID"),
    Column("State"),
    Column("Active Workers"),
    Column("Queues", is_long=True),
    Column("Started"),
)

VERSION = Column("Version", rank=1)
"""Only where some server was told one."""

WORKERS = (
    Column("Task", rank=1),
    Column("Type", is_long=True),
    Column("Queue", is_long=True),
    Column("Started"),
    Column("Deadline", rank=1),
    Column("Payload", is_long=True, rank=2),
)

ENTRIES = (
    Column("EntryID", rank=1),
    Column("Spec"),
    Column("Type", is_long=True),
    Column("Payload", is_long=True, rank=3),
    Column("Options", is_long=True, rank=2),
    Column("Next"),
    Column("Prev"),
)

EVENTS = (Column("TaskID", is_long=True), Column("EnqueuedAt"))


def servers(infos: Sequence[ServerInfo], table: Tabulate, *, now: datetime, utc: bool) -> list[str]:
    """A line for each server."""
    if not infos:
        return ["No running servers"]
    rows = [_server_row(info, now=now, utc=utc) for info in infos]
    if all(info.app_version is None for info in infos):
        return table(SERVERS, rows)
    versions = (one_line(info.app_version or "") for info in infos)
    return table((*SERVERS, VERSION), [[*row, version] for row, version in zip(rows, versions, strict=True)])


def _server_row(info: ServerInfo, *, now: datetime, utc: bool) -> list[str]:
    queues = sorted(info.queues.items(), key=lambda item: (-item[1], item[0]))
    return [
        one_line(info.host),
        str(info.pid),
        one_line(info.status),
        f"{len(info.active_workers)}/{info.concurrency}",
        " ".join(f"{one_line(name)}:{weight}" for name, weight in queues),
        absolute(info.started, utc=True) if utc else ago(info.started, now),
    ]


def with_workers(
    infos: Sequence[ServerInfo], table: Tabulate, heading: Callable[[str], str], *, now: datetime, utc: bool
) -> Iterator[str]:
    """Each server with what it runs."""
    if not infos:
        yield "No running servers"
    for number, info in enumerate(infos):
        if number:
            yield ""
        host, pid, status, busy, queues, started = _server_row(info, now=now, utc=utc)
        version = f"  version {one_line(info.app_version)}" if info.app_version is not None else ""
        yield heading(f"{host} {pid}") + f"  {status}  {busy} busy  {queues}  started {started}{version}"
        if info.active_workers:
            yield from table(
                WORKERS,
                [
                    [
                        one_line(worker.task_id),
                        one_line(worker.task_type),
                        one_line(worker.queue),
                        absolute(worker.started, utc=True) if utc else ago(worker.started, now),
                        absolute(worker.deadline, utc=True) if utc else due(worker.deadline, now),
                        data_line(worker.task_payload),
                    ]
                    for worker in info.active_workers
                ],
            )


def entries(infos: Sequence[SchedulerEntry], table: Tabulate, *, now: datetime, utc: bool) -> list[str]:
    """A line for each periodic task, by spec."""
    if not infos:
        return ["No scheduler entries"]
    rows = [
        [
            one_line(info.id),
            one_line(info.spec),
            one_line(info.task_type),
            data_line(info.task_payload),
            f"[{' '.join(one_line(text) for text in info.option_texts)}]",
            _next(info.next_enqueue_at, now, utc=utc),
            _previous(info.previous_enqueue_at, now, utc=utc),
        ]
        for info in sorted(infos, key=lambda info: (info.spec, info.id))
    ]
    return table(ENTRIES, rows)


def _next(moment: datetime | None, now: datetime, *, utc: bool) -> str:
    if moment is None:
        return "Never"
    if utc:
        return absolute(moment, utc=True)
    words = due(moment, now)
    return "Now" if words == "right now" else words.capitalize()


def _previous(moment: datetime | None, now: datetime, *, utc: bool) -> str:
    if moment is None:
        return "N/A"
    return absolute(moment, utc=True) if utc else ago(moment, now)


def events(infos: Sequence[SchedulerEvent], table: Tabulate, *, utc: bool) -> list[str]:
    """A line for each firing."""
    if not infos:
        return ["No scheduler enqueue events"]
    return table(EVENTS, [[one_line(info.task_id), absolute(info.enqueued_at, utc=utc)] for info in infos])
