"""Servers, schedulers, Redis, what looking costs, and what a user interface must know first."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path

from asynqpy._scheduling.ahead import next_runs
from asynqpy.actions import Action, actions_in, must_confirm
from asynqpy.errors import EntryNotFoundError
from asynqpy.inspection import SchedulerEntry
from asynqpy.options import DEFAULTS
from asynqpy.task import Task, TaskState
from asynqpy.web.collector import SeenServer, marked, seen
from asynqpy.web.contents import Subject
from asynqpy.web.guard import LOG_OUT
from asynqpy.web.paths import BASE
from asynqpy.web.problems import not_found
from asynqpy.web.users import Permission
from asynqpy.web.v2 import schema
from asynqpy.web.v2.common import (
    LARGEST_BUDGET,
    LARGEST_PAGE,
    LONGEST_IN_LIST,
    Asking,
    Context,
    Cursor,
    Limit,
    content,
    paged,
    permitted,
    task_model,
)

router = APIRouter(tags=["machinery"])

MISSED_AFTER = timedelta(seconds=10)
"""An entry that was due so long ago is missed: its scheduler announces it every few seconds."""


@router.get("/meta")
async def meta(asking: Asking) -> schema.Meta:
    """What a user interface must know before anything else."""
    from asynqpy import __version__

    settings, user, base = asking.broker.settings, asking.user, asking.request.scope[BASE]
    names = settings.broker_names
    above = base.removesuffix(f"/{asking.broker.name}") if len(names) > 1 else base
    anywhere = user.queues[0] if user.queues else ""
    return schema.Meta(
        version=__version__,
        base_path=base,
        broker=asking.broker.name,
        brokers=[schema.Broker(name=name, path=f"{above}/{name}" if len(names) > 1 else base) for name in names],
        redis_url=asking.broker.url if user.sees_all else None,
        read_only=settings.read_only,
        user=schema.Me(
            name=user.name,
            role=user.role,
            queues=list(user.queues),
            permissions=permitted(asking, anywhere),
            may_see_payloads=user.may_see_payloads,
            log_out=asking.request.scope.get(LOG_OUT),
        ),
        actions={state: list(actions_in(state)) for state in TaskState},
        actions_for_all={state: list(actions_in(state, of_all=True)) for state in TaskState},
        must_confirm=[action for action in Action if must_confirm(action)],
        must_confirm_for_all=[action for action in Action if must_confirm(action, of_all=True)],
        memory_usage=settings.memory_usage,
        prometheus=bool(settings.prometheus_url),
        limits=schema.Limits(
            page_size=LARGEST_PAGE,
            search_budget=LARGEST_BUDGET,
            selected_tasks=schema.MOST_SELECTED,
            body_bytes=settings.max_body_bytes,
        ),
    )


@router.get("/servers")
async def servers(asking: Asking, *, limit: Limit = 100, cursor: Cursor = None) -> schema.ServerPage:
    """The living servers, with what they run as far as whoever asks may see it."""
    found = await _seen(asking)
    page, following = paged(found, cursor, limit)
    items = [server_model(asking, each) for each in page]
    return schema.ServerPage(items=items, total=len(found), next_cursor=following)


@router.get("/servers/{server_id}")
async def one_server(asking: Asking, server_id: str) -> schema.ServerInfo:
    """One living server."""
    for each in await _seen(asking):
        if each.server.id == server_id:
            return server_model(asking, each)
    raise not_found(f"no living server has the id {server_id!r}")


async def _seen(asking: Context) -> list[SeenServer]:
    servers, patterns = await asyncio.gather(asking.broker.servers(), asking.broker.patterns())
    return seen(servers, patterns, asking.broker.cancellations)


def server_model(asking: Context, seen_server: SeenServer) -> schema.ServerInfo:
    """A server as whoever asks may see it."""
    server, handles, see = seen_server.server, seen_server.handles, asking.user.may_see
    visible = [each for each in zip(server.active_workers, seen_server.cancelled, strict=True) if see(each[0].queue)]
    return schema.ServerInfo(
        id=server.id,
        host=server.host,
        pid=server.pid,
        concurrency=server.concurrency,
        queues={queue: weight for queue, weight in server.queues.items() if see(queue)},
        strict_priority=server.strict_priority,
        status=server.status,
        started=server.started,
        speaks="unknown" if handles is None else "python",
        handles=None if handles is None else list(handles),
        app_version=server.app_version,
        asynqpy_version=server.asynqpy_version,
        busy=len(server.active_workers),
        workers=[
            schema.RunningTask(
                task_id=worker.task_id,
                type=worker.task_type,
                queue=worker.queue,
                payload=content(asking, worker.task_payload, Subject(worker.queue, worker.task_type), LONGEST_IN_LIST),
                started=worker.started,
                deadline=worker.deadline,
                cancel_requested_at=cancel_requested_at,
            )
            for worker, cancel_requested_at in visible
        ],
    )


@router.get("/schedulers")
async def schedulers(asking: Asking, *, limit: Limit = 100, cursor: Cursor = None) -> schema.SchedulerPage:
    """The periodic tasks of the living schedulers, those due next first."""
    entries = await _entries(asking)
    page, following = paged(marked(entries), cursor, limit)
    items = [entry_model(asking, each.entry, is_duplicate=each.is_duplicate) for each in page]
    return schema.SchedulerPage(items=items, total=len(entries), next_cursor=following)


async def _entries(asking: Context) -> list[SchedulerEntry]:
    entries = await asking.broker.reads.get("schedulers", asking.broker.inspector.scheduler_entries)
    return [entry for entry in entries if asking.user.may_see(queue_of(entry))]


def queue_of(entry: SchedulerEntry) -> str:
    """Where a periodic task is enqueued."""
    return entry.options.get("queue", DEFAULTS.queue)


def entry_model(asking: Context, entry: SchedulerEntry, *, is_duplicate: bool) -> schema.SchedulerEntry:
    """A periodic task as whoever asks may see it."""
    due = entry.next_enqueue_at
    return schema.SchedulerEntry(
        id=entry.id,
        scheduler=entry.scheduler,
        spec=entry.spec,
        type=entry.task_type,
        queue=queue_of(entry),
        payload=content(asking, entry.task_payload, Subject(queue_of(entry), entry.task_type), LONGEST_IN_LIST),
        options=list(entry.option_texts),
        next_enqueue_at=due,
        previous_enqueue_at=entry.previous_enqueue_at,
        next_runs=[] if due is None else list(next_runs(entry.spec, due)),
        is_duplicate=is_duplicate,
        is_missed=due is not None and datetime.now(UTC) - due > MISSED_AFTER,
    )


EntryId = Annotated[str, Path(max_length=512)]


@router.get("/schedulers/{entry_id}/events")
async def scheduler_events(
    asking: Asking, entry_id: EntryId, *, limit: Limit = 100, cursor: Cursor = None
) -> schema.SchedulerEventPage:
    """What a periodic task was enqueued as, the newest first: the last thousand."""
    if not asking.user.sees_all:
        await _entry(asking, entry_id)
    events = await asking.broker.inspector.scheduler_events(entry_id, page_size=LARGEST_PAGE)
    page, following = paged(events, cursor, limit)
    items = [schema.SchedulerEvent.model_validate(event) for event in page]
    return schema.SchedulerEventPage(items=items, total=len(events), next_cursor=following)


async def _entry(asking: Context, entry_id: str) -> SchedulerEntry:
    for entry in await _entries(asking):
        if entry.id == entry_id:
            return entry
    raise EntryNotFoundError(entry_id)


@router.post("/schedulers/{entry_id}/run", status_code=201)
async def run_now(asking: Asking, entry_id: EntryId) -> schema.Task:
    """Enqueue a periodic task now, beside its schedule."""
    entry = await _entry(asking, entry_id)
    changing = asking.broker.changing(asking.request, Permission.ENQUEUE, queue_of(entry), entry=entry_id)
    async with changing as change:
        options = {name: value for name, value in entry.options.items() if name not in ("process_at", "process_in")}
        task = Task(entry.task_type, entry.task_payload, **options)  # type: ignore[arg-type]
        info = await asking.broker.client.enqueue(task)
        change.task_id = info.id
    return task_model(asking, info)


@router.get("/redis")
async def redis(asking: Asking) -> schema.Redis:
    """What Redis says about itself."""
    broker = asking.broker
    inspector = broker.inspector
    info = await broker.reads.get("redis", inspector.redis_info)
    is_cluster = info.get("cluster_enabled") == "1"
    skew = datetime.now(UTC) - await inspector.redis_time()
    return schema.Redis(
        name=asking.broker.name,
        is_cluster=is_cluster,
        info=info,
        cluster=await inspector.cluster_info() if is_cluster else {},
        nodes=await broker.reads.get("nodes", inspector.node_infos) if is_cluster else {},
        clock_skew_seconds=skew.total_seconds(),
    )


@router.get("/cost")
async def cost(asking: Asking) -> schema.Cost:
    """What this web server costs Redis: how often it looks, for how many, and how much is shared."""
    broker = asking.broker
    info = await broker.reads.get("redis", broker.inspector.redis_info)
    infos = [info]
    if info.get("cluster_enabled") == "1":
        infos = list((await broker.reads.get("nodes", broker.inspector.node_infos)).values())
    processed = [each.get("total_commands_processed", "") for each in infos]
    return schema.Cost(
        uptime_seconds=time.monotonic() - broker.started,
        watchers=broker.collector.watchers,
        looks=broker.collector.looks,
        look_seconds=broker.collector.seconds,
        asked=broker.reads.asked,
        read=broker.reads.read,
        redis_commands_processed=sum(map(int, processed)) if all(map(str.isdigit, processed)) else None,
    )
