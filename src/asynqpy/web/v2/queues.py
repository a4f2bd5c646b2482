"""Queues: their numbers, days and groups; pause, resume, remove, repair."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import date
from fnmatch import fnmatchcase
from itertools import chain
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from asynqpy.errors import QueueNotFoundError
from asynqpy.inspection import DailyStats, Percentiles, QueueInfo, QueueRates, RateMinute
from asynqpy.task import TaskState
from asynqpy.web.users import Permission
from asynqpy.web.v2 import schema
from asynqpy.web.v2.common import Asking, Context, Cursor, Limit, QueueName, paged, queue_model

router = APIRouter(tags=["queues"])

KEPT_MINUTES = 120
MOST_SUMMED_QUEUES = 100
"""Of more queues than this, only the busiest are added up: each takes a round trip."""

MOST_RATES = 250

SortKey = Literal["queue", "size", "latency", "pending", "active", "retry", "archived", "processed", "failed"]


@router.get("/queues")
async def list_queues(
    asking: Asking,
    *,
    name: Annotated[str | None, Query(max_length=512, description="A pattern such as `tenant-*`.")] = None,
    paused: bool | None = None,
    state: Annotated[TaskState | None, Query(description="Only those with tasks in this state.")] = None,
    sort: SortKey = "queue",
    descending: bool = False,
    memory: Annotated[bool, Query(description="Estimate their memory too, which costs Redis more.")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> schema.QueuePage:
    """The queues that exist for whoever asks, with their numbers."""
    infos = [
        info
        for info in await asking.broker.infos(asking.user)
        if (name is None or fnmatchcase(info.queue, name))
        and (paused is None or info.paused is paused)
        and (state is None or getattr(info, state.value))
    ]
    infos = sorted(infos, key=lambda info: (getattr(info, sort), info.queue), reverse=descending)
    page, following = paged(infos, cursor, limit)
    usage = await asking.broker.memory(info.queue for info in page) if memory else {}
    return schema.QueuePage(
        items=[queue_model(asking, info, usage.get(info.queue)) for info in page],
        total=len(infos),
        next_cursor=following,
        sums={each: _sum(infos, each) for each in TaskState},
    )


def _sum(infos: list[QueueInfo], state: TaskState) -> int:
    return sum(getattr(info, state.value) for info in infos)


@router.get("/queues/{queue}")
async def one_queue(asking: Asking, queue: QueueName, *, memory: bool = False) -> schema.Queue:
    """The numbers of one queue."""
    info = await asking.broker.info(asking.see(queue))
    usage = await asking.broker.memory([queue]) if memory else {}
    return queue_model(asking, info, usage.get(queue))


@router.delete("/queues/{queue}", status_code=204)
async def remove_queue(
    asking: Asking,
    queue: QueueName,
    *,
    force: Annotated[bool, Query(description="Drop its tasks too, unless some of them run.")] = False,
) -> Response:
    """Remove a queue with all that belongs to it."""
    async with asking.broker.changing(asking.request, Permission.REMOVE, asking.see(queue), force=force):
        await asking.broker.inspector.delete_queue(queue, force=force)
    return Response(status_code=204)


@router.post("/queues/{queue}/pause")
async def pause(asking: Asking, queue: QueueName) -> schema.Queue:
    """Hold back its tasks; those that run go on. Nothing happens where that is so already."""
    async with asking.broker.changing(asking.request, Permission.PAUSE, asking.see(queue), paused=True):
        await asking.broker.inspector.pause_queue(queue)
    return queue_model(asking, await asking.broker.info(queue), None)


@router.post("/queues/{queue}/resume")
async def resume(asking: Asking, queue: QueueName) -> schema.Queue:
    """Let its tasks run again. Nothing happens where they do."""
    async with asking.broker.changing(asking.request, Permission.PAUSE, asking.see(queue), paused=False):
        await asking.broker.inspector.unpause_queue(queue)
    return queue_model(asking, await asking.broker.info(queue), None)


@router.get("/queues/{queue}/history")
async def history(asking: Asking, queue: QueueName, *, days: Annotated[int, Query(ge=1, le=90)] = 30) -> schema.Days:
    """What it did on each of the last days, today first."""
    broker = asking.broker
    asking.see(queue)
    found = await broker.reads.get(("history", queue, days), lambda: broker.inspector.history(queue, days))
    return schema.Days(items=[schema.Day.model_validate(day) for day in found])


@router.get("/history")
async def summed_history(
    asking: Asking,
    *,
    queue: Annotated[
        list[str] | None, Query(max_length=MOST_SUMMED_QUEUES, description="Only these; all that exist without it.")
    ] = None,
    days: Annotated[int, Query(ge=1, le=90)] = 30,
) -> schema.SummedDays:
    """What queues did together on each of the last days, today first. Of more than a hundred, the busiest ever."""
    infos = await asking.broker.infos(asking.user)
    if queue is not None:
        wanted = {asking.see(each) for each in queue}
        infos = [info for info in infos if info.queue in wanted]
    busiest = sorted(infos, key=lambda info: (-info.processed_total, info.queue))[:MOST_SUMMED_QUEUES]
    found = await asyncio.gather(*(_history(asking, info.queue, days) for info in busiest))
    by_day: dict[date, list[DailyStats]] = defaultdict(list)
    for each in chain.from_iterable(found):
        by_day[each.day].append(each)
    return schema.SummedDays(
        items=[
            schema.SummedDay(
                day=day,
                processed=sum(each.processed for each in stats),
                succeeded=sum(each.succeeded for each in stats),
                failed=sum(each.failed for each in stats),
            )
            for day, stats in sorted(by_day.items(), reverse=True)[:days]
        ],
        queues=sum(1 for each in found if each),
        total_queues=len(infos),
    )


async def _history(asking: Context, queue: str, days: int) -> list[DailyStats]:
    broker = asking.broker
    try:
        return await broker.reads.get(("history", queue, days), lambda: broker.inspector.history(queue, days))
    except QueueNotFoundError:  # it has gone meanwhile
        return []


@router.get("/queues/{queue}/rates")
async def rates(
    asking: Asking, queue: QueueName, *, minutes: Annotated[int, Query(ge=1, le=KEPT_MINUTES)] = 60
) -> schema.Rates:
    """How fast it works and how long it will take, as its servers of Python write it down. No Prometheus is needed."""
    broker = asking.broker
    asking.see(queue)
    return _rates(await broker.reads.get(("rates", queue, minutes), lambda: broker.inspector.rates(queue, minutes)))


@router.get("/rates")
async def all_rates(
    asking: Asking,
    *,
    queue: Annotated[
        list[str] | None, Query(max_length=MOST_RATES, description="Only these, in this order; the busiest without it.")
    ] = None,
    minutes: Annotated[int, Query(ge=1, le=KEPT_MINUTES)] = 60,
    limit: Annotated[int, Query(ge=1, le=MOST_RATES, description="How many queues at most.")] = 25,
) -> schema.AllRates:
    """How fast queues work that exist for whoever asks: one by one, the busiest of today first, and together.

    As old as a few seconds: servers write it down no more often. Those beyond the limit are in neither.
    """
    broker = asking.broker
    if queue is None:
        infos = sorted(await broker.infos(asking.user), key=lambda info: (-info.processed, -info.pending, info.queue))
        wanted = [info.queue for info in infos]
    else:
        wanted = await asking.visible(queue)
    names = wanted[:limit]
    found = await broker.slow_reads.get(
        ("all rates", minutes, *names), lambda: broker.inspector.all_rates(names, minutes)
    )
    return schema.AllRates(
        minutes=minutes,
        queues=[_rates(each) for each in found.queues],
        together=_rates(found.together),
        left_out=len(wanted) - len(names),
    )


def _rates(found: QueueRates) -> schema.Rates:
    return schema.Rates(
        queue=found.queue,
        minutes=found.minutes,
        observed_seconds=found.observed.total_seconds(),
        depth=found.depth,
        arrivals_per_second=found.arrivals_per_second,
        starts_per_second=found.starts_per_second,
        services_per_second=found.services_per_second,
        seconds_to_empty=found.time_to_empty.total_seconds() if found.time_to_empty is not None else None,
        waited=_percentiles(found.waited),
        ran=_percentiles(found.ran),
        patterns=[
            schema.TypeRates(
                pattern=each.pattern,
                started=each.started,
                succeeded=each.succeeded,
                failed=each.failed,
                waited=_percentiles(each.waited),
                ran=_percentiles(each.ran),
            )
            for each in found.patterns
        ],
        points=[_point(each) for each in found.points],
    )


def _point(found: RateMinute) -> schema.RatePoint:
    return schema.RatePoint(
        minute=found.minute,
        started=found.started,
        succeeded=found.succeeded,
        failed=found.failed,
        depth=found.depth,
        waited=None if found.waited.p50 is None else _percentiles(found.waited),
        ran=None if found.ran.p50 is None else _percentiles(found.ran),
    )


def _percentiles(found: Percentiles) -> schema.Percentiles:
    seconds = {name: getattr(found, name) for name in ("p50", "p90", "p99")}
    return schema.Percentiles(**{name: span and span.total_seconds() for name, span in seconds.items()})


@router.get("/queues/{queue}/groups")
async def groups(
    asking: Asking,
    queue: QueueName,
    *,
    name: Annotated[str | None, Query(max_length=512, description="Text that is part of it.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> schema.GroupPage:
    """The groups in which its tasks wait to be aggregated."""
    broker = asking.broker
    asking.see(queue)
    found = await broker.reads.get(("groups", queue), lambda: broker.inspector.groups(queue))
    found = [group for group in found if name is None or name in group.group]
    page, following = paged(found, cursor, limit)
    items = [schema.Group(group=group.group, size=group.size) for group in page]
    return schema.GroupPage(items=items, total=len(found), next_cursor=following)


@router.post("/queues/{queue}/check")
async def check(
    asking: Asking,
    queue: QueueName,
    *,
    repair: Annotated[bool, Query(description="Mend what is found, instead of only telling.")] = False,
) -> schema.Orphans:
    """Look for tasks, leases and locks that no operation of a healthy peer leaves behind."""
    async with asking.broker.changing(asking.request, Permission.EDIT, asking.see(queue), repair=repair) as change:
        report = await asking.broker.inspector.recover_orphans(queue, repair=repair)
        change.details["repaired"] = report.repaired
    return schema.Orphans.model_validate(report)
