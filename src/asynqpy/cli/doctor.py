"""``asynqpy doctor``: look for trouble, and tell what to do about it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from asynqpy.cli.failures import ExitCode
from asynqpy.cli.inspecting import inspecting
from asynqpy.cli.options import Telling, command
from asynqpy.cli.screen import Screen, screen
from asynqpy.errors import BrokerError

if TYPE_CHECKING:
    from asynqpy.cli.diagnosis import Facts, Finding
    from asynqpy.inspection import OrphanReport, QueueInfo
    from asynqpy.inspector import Inspector

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")

SHALLOW = 100_000
"""Larger queues are looked through when asked for: it takes ten seconds for a million tasks."""

_TRIES = 5
_STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "red"}


@command(app, "doctor", cls=Telling)
def doctor(
    context: typer.Context,
    *,
    deep: Annotated[bool, typer.Option("--deep", help="Look through queues of more than 100,000 tasks too.")] = False,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Mend what broken or killed peers have left behind; lost tasks are archived."),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="End with code 1 for warnings too.")] = False,
) -> None:
    """Look for trouble, and tell what to do about it.

    It looks at the connection, the version of Redis, pushes, clocks, eviction, persistence, servers, queues, schedules,
    and for tasks, leases and locks that nobody owns.

    Exit code 1 when there is a problem, 3 when Redis cannot be reached.
    """
    from asynqpy.cli.diagnosis import diagnose, of_unreachable
    from asynqpy.config import redis_address

    shown = screen(context)
    where = redis_address(context.obj.redis())
    try:
        with inspecting(context) as inspector:
            findings = diagnose(_facts(inspector, deep=deep, repair=repair))
    except BrokerError as error:
        _tell(shown, where, [of_unreachable(" ".join(str(error).split()))], strict=strict)
        raise typer.Exit(ExitCode.UNREACHABLE) from None
    if not _tell(shown, where, findings, strict=strict):
        raise typer.Exit(ExitCode.FAILURE)


def _facts(inspector: Inspector, *, deep: bool, repair: bool) -> Facts:
    from asynqpy.cli.diagnosis import Facts

    inspector.ping()  # opens the connection, which is no part of a round trip
    clock = [_look_at_clock(inspector) for _ in range(_TRIES)]
    queues = inspector.queue_infos()
    small = [info for info in queues if deep or info.size <= SHALLOW]
    return Facts(
        now=datetime.now(UTC),
        round_trip=timedelta(seconds=median(look.seconds for look in clock)),
        clock_skew=min((look.skew for look in clock), key=abs),
        tracks=inspector.supports_tracking(),
        redis=inspector.redis_info(),
        cluster=inspector.cluster_info(),
        queues=queues,
        servers=inspector.servers(),
        entries=inspector.scheduler_entries(),
        orphans=_orphans(inspector, small, repair=repair),
        unchecked=[info.queue for info in queues if info not in small],
        without_consumer=_without_consumer(inspector),
    )


class _Look(NamedTuple):
    seconds: float
    skew: timedelta


def _look_at_clock(inspector: Inspector) -> _Look:
    """How long a round trip takes, and how far this clock is ahead of that of Redis, less what the way may take."""
    started, before = time.perf_counter(), datetime.now(UTC)
    theirs = inspector.redis_time()
    seconds = time.perf_counter() - started
    after = before + timedelta(seconds=seconds)
    if before <= theirs <= after:
        return _Look(seconds, timedelta(0))
    return _Look(seconds, before - theirs if before > theirs else after - theirs)


def _orphans(inspector: Inspector, queues: Sequence[QueueInfo], *, repair: bool) -> list[OrphanReport]:
    from asynqpy.cli.progress import progress

    if not queues:
        return []
    reports = []
    with progress("looking through queues", "queues looked through") as on_progress:
        for number, info in enumerate(queues, 1):
            reports.append(inspector.recover_orphans(info.queue, repair=repair))
            on_progress(number, len(queues))
    return reports


def _without_consumer(inspector: Inspector) -> list[tuple[str, str, int]]:
    """The types that nobody handles, as far as every server says what it handles."""
    return [(each.queue, each.type, each.count) for each in inspector.types_without_consumer() if each.is_certain]


def _tell(shown: Screen, where: str, findings: Sequence[Finding], *, strict: bool) -> bool:
    """Show the findings; returns whether all is well."""
    from asynqpy.cli import documents
    from asynqpy.cli.diagnosis import Level, worst

    bad = (Level.WARNING, Level.PROBLEM) if strict else (Level.PROBLEM,)
    is_healthy = worst(findings) not in bad
    if shown.as_json:
        told = [
            documents.Finding(
                check=finding.check, level=finding.level, message=finding.message, advice=finding.advice or None
            )
            for finding in findings
        ]
        shown.print_json(documents.Diagnosis(redis=where, is_healthy=is_healthy, findings=told))
    else:
        shown.print(_lines(shown, where, findings))
    return is_healthy


def _lines(shown: Screen, where: str, findings: Sequence[Finding]) -> Iterator[str]:
    import textwrap

    yield shown.heading(where)
    for finding in findings:
        head = f"{finding.level:<9}{finding.check:<13}"
        body = finding.message
        width = shown.width or 10_000
        first, *rest = textwrap.wrap(body, max(20, width - len(head))) or [""]
        level = shown.styled(f"{finding.level:<9}", _STYLES[finding.level])
        yield f"{level}{finding.check:<13}{first}"
        yield from (" " * len(head) + line for line in rest)
        if finding.advice:
            for line in textwrap.wrap(f"→ {finding.advice}", max(20, width - len(head)), subsequent_indent="  "):
                yield " " * len(head) + line
    counts = {level: sum(finding.level == level for finding in findings) for level in ("problem", "warning")}
    yield ""
    if any(counts.values()):
        from asynqpy.cli.view.words import counted

        yield ", ".join(counted(count, level) for level, count in counts.items() if count)
    else:
        yield "All is well."
