"""asynqmon's routes of tasks, made from one table of states and verbs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from asynqpy.errors import AsynqpyError, QueueNotFoundError, TaskNotFoundError
from asynqpy.inspection import WorkerInfo
from asynqpy.inspector import AsyncInspector
from asynqpy.task import TaskState
from asynqpy.web.broker import Broker, broker_of
from asynqpy.web.paths import name_in
from asynqpy.web.users import Permission
from asynqpy.web.v1 import shapes
from asynqpy.web.v1.common import Refused, data_answer, formatters, no_content, page_in, queue_in, shared
from asynqpy.web.v1.queues import groups_of, snapshot

router = APIRouter()

S, P = TaskState, Permission

VERBS: Mapping[Permission, tuple[TaskState, ...]] = MappingProxyType(
    {
        P.DELETE: (S.PENDING, S.SCHEDULED, S.RETRY, S.ARCHIVED, S.COMPLETED, S.AGGREGATING),
        P.RUN: (S.SCHEDULED, S.RETRY, S.ARCHIVED, S.AGGREGATING),
        P.ARCHIVE: (S.PENDING, S.SCHEDULED, S.RETRY, S.AGGREGATING),
        P.CANCEL: (S.ACTIVE,),
    }
)
"""In the lists of which states asynqmon offers what."""

ALL_KEYS = {P.DELETE: "deleted", P.RUN: "scheduled", P.ARCHIVE: "archived"}
"""Under which name the number of tasks is told that something was done to."""

BATCH_KEYS = {
    P.DELETE: ("deleted_ids", "failed_ids"),
    P.RUN: ("pending_ids", "error_ids"),
    P.ARCHIVE: ("archived_ids", "error_ids"),
    P.CANCEL: ("canceled_ids", "error_ids"),
}
CANCELLED_AT_ONCE = 100
BATCHED_AT_ONCE = 50
"""Tasks of a batch whose round trips are shared."""


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a batch."""

    task_ids: list[str]


def one(inspector: AsyncInspector, verb: Permission, queue: str, task_id: str) -> Awaitable[None]:
    """Do *verb* to one task, whatever its state."""
    match verb:
        case P.DELETE:
            return inspector.delete_task(queue, task_id)
        case P.RUN:
            return inspector.run_task(queue, task_id)
        case P.ARCHIVE:
            return inspector.archive_task(queue, task_id)
        case _:
            return inspector.cancel_task(task_id)


def group_in(request: Request) -> str | None:
    """The group in the path."""
    group = request.path_params.get("group")
    return None if group is None else name_in(group)


@router.get("/queues/{queue}/tasks/{task_id}")
async def details(request: Request) -> Response:
    """One task."""
    broker, queue = broker_of(request), queue_in(request)
    task_id = name_in(request.path_params["task_id"])

    async def read() -> shapes.Object:
        try:
            info = await broker.inspector.task_info(queue, task_id)
        except (QueueNotFoundError, TaskNotFoundError) as error:
            raise Refused(HTTPStatus.NOT_FOUND, str(error)) from error
        return shapes.task_detail(info, *formatters(request, in_full=True))

    return await shared(request, read)


def _list(state: TaskState) -> Callable[[Request], Awaitable[Response]]:
    async def list_tasks(request: Request) -> Response:
        broker, queue = broker_of(request), queue_in(request)
        return await shared(request, lambda: _page(broker, request, queue, state))

    return list_tasks


async def _page(broker: Broker, request: Request, queue: str, state: TaskState) -> shapes.Object:
    page, size = page_in(request)
    group = group_in(request)
    reading = broker.inspector.list_tasks(queue, state, group=group, page=page, page_size=size)
    tasks, stats = await asyncio.gather(reading, snapshot(broker, queue))
    workers: Mapping[str, WorkerInfo] = {}
    if state is S.ACTIVE and tasks:
        servers = await broker.reads.get("servers", broker.inspector.servers)
        workers = {each.task_id: each for server in servers for each in server.active_workers if each.queue == queue}
    payload, result = formatters(request)
    rows = [shapes.task_row(info, payload, result, workers.get(info.id)) for info in tasks]
    shape: shapes.Object = {"tasks": rows, "stats": stats}
    if state is S.AGGREGATING:
        shape["groups"] = [shapes.group(each) for each in await groups_of(broker, queue)]
    return shape


def _one(verb: Permission) -> Callable[[Request], Awaitable[Response]]:
    async def act(request: Request) -> Response:
        broker, queue = broker_of(request), queue_in(request)
        task_id = name_in(request.path_params["task_id"])
        async with broker.changing(request, verb, queue, task_id):
            await one(broker.inspector, verb, queue, task_id)
        return no_content()

    return act


def _all(verb: Permission, state: TaskState) -> Callable[[Request], Awaitable[Response]]:
    async def act_on_all(request: Request) -> Response:
        broker, queue, group = broker_of(request), queue_in(request), group_in(request)
        async with broker.changing(request, verb, queue, state=state.value, group=group) as change:
            if verb is P.CANCEL:
                change.details["count"] = await _cancel_all(broker.inspector, queue)
                return no_content()
            inspector = broker.inspector
            act = {P.DELETE: inspector.delete_all, P.RUN: inspector.run_all, P.ARCHIVE: inspector.archive_all}[verb]
            change.details["count"] = count = await act(queue, state, group=group)
        return data_answer({ALL_KEYS[verb]: count})

    return act_on_all


async def _cancel_all(inspector: AsyncInspector, queue: str) -> int:
    ids = [info.id async for info in inspector.iter_tasks(queue, S.ACTIVE)]
    for start in range(0, len(ids), CANCELLED_AT_ONCE):
        await asyncio.gather(*(inspector.cancel_task(each) for each in ids[start : start + CANCELLED_AT_ONCE]))
    return len(ids)


def _batch(verb: Permission) -> Callable[[Request], Awaitable[Response]]:
    async def act_on_some(request: Request) -> Response:
        broker, queue = broker_of(request), queue_in(request)
        try:
            batch = msgspec.json.decode(await request.body(), type=Batch)
        except msgspec.DecodeError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, f"cannot read the body: {error}") from error
        async with broker.changing(request, verb, queue, count=len(batch.task_ids)) as change:
            done, failed = await _each(broker.inspector, verb, queue, batch.task_ids)
            change.details |= {"ids": done, "failed": len(failed)}
        good, bad = BATCH_KEYS[verb]
        return data_answer({good: done, bad: failed})

    return act_on_some


async def _each(
    inspector: AsyncInspector, verb: Permission, queue: str, ids: Sequence[str]
) -> tuple[list[str], list[str]]:
    done: list[str] = []
    failed: list[str] = []
    for start in range(0, len(ids), BATCHED_AT_ONCE):
        piece = ids[start : start + BATCHED_AT_ONCE]
        results = await asyncio.gather(*(one(inspector, verb, queue, each) for each in piece), return_exceptions=True)
        for task_id, result in zip(piece, results, strict=True):
            if isinstance(result, BaseException) and not isinstance(result, AsynqpyError):
                raise result
            (failed if isinstance(result, BaseException) else done).append(task_id)
    return done, failed


def _register() -> None:
    """Make the routes: verbs at the end of the path come before what they could be mistaken for."""
    for state in TaskState:
        place = "/queues/{queue}/" + ("groups/{group}/" if state is S.AGGREGATING else "") + f"{state.value}_tasks"
        for verb, states in VERBS.items():
            if state not in states:
                continue
            method = "DELETE" if verb is P.DELETE else "POST"
            router.add_api_route(f"{place}:{verb.value}_all", _all(verb, state), methods=[method])
            router.add_api_route(f"{place}:batch_{verb.value}", _batch(verb), methods=["POST"])
            single = f"{place}/{{task_id}}" + ("" if verb is P.DELETE else f":{verb.value}")
            router.add_api_route(single, _one(verb), methods=[method])
        router.add_api_route(place, _list(state), methods=["GET"])


_register()
