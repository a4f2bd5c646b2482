"""asynqmon's routes of queues."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from asynqpy.errors import QueueNotEmptyError, QueueNotFoundError
from asynqpy.inspection import DailyStats, GroupInfo
from asynqpy.web.broker import Broker, broker_of
from asynqpy.web.guard import user_of
from asynqpy.web.users import Permission
from asynqpy.web.v1 import shapes
from asynqpy.web.v1.common import Refused, no_content, queue_in, shared

router = APIRouter()

HISTORY_DAYS, STATISTICS_DAYS = 10, 90


@router.get("/queues")
async def list_queues(request: Request) -> Response:
    """All queues."""
    broker = broker_of(request)

    async def read() -> shapes.Object:
        infos = await broker.infos(user_of(request))
        memory = await broker.memory(info.queue for info in infos)
        return {"queues": [shapes.queue_snapshot(info, memory.get(info.queue)) for info in infos]}

    return await shared(request, read)


@router.get("/queue_stats")
async def statistics(request: Request) -> Response:
    """What each queue did on the last 90 days."""
    broker = broker_of(request)

    async def read() -> shapes.Object:
        names = [info.queue for info in await broker.infos(user_of(request))]
        days = await asyncio.gather(*(_days(broker, name) for name in names))
        found = {name: of_one for name, of_one in zip(names, days, strict=True) if of_one}
        return {"stats": {name: [shapes.daily_stat(day) for day in of_one] for name, of_one in found.items()}}

    return await shared(request, read)


async def _days(broker: Broker, queue: str) -> list[DailyStats]:
    try:
        return await broker.inspector.history(queue, STATISTICS_DAYS)
    except QueueNotFoundError:  # it has gone meanwhile
        return []


@router.post("/queues/{queue}:pause")
async def pause(request: Request) -> Response:
    """Hold back the tasks of a queue; an error when that is so already."""
    return await _pause(request, is_paused=True)


@router.post("/queues/{queue}:resume")
async def resume(request: Request) -> Response:
    """Let the tasks of a queue run; an error when they do."""
    return await _pause(request, is_paused=False)


async def _pause(request: Request, *, is_paused: bool) -> Response:
    broker, queue = broker_of(request), queue_in(request)
    async with broker.changing(request, Permission.PAUSE, queue, paused=is_paused):
        change = broker.inspector.pause_queue if is_paused else broker.inspector.unpause_queue
        if not await change(queue):
            word = "paused already" if is_paused else "not paused"
            raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, f"queue {queue!r} is {word}")
    return no_content()


@router.get("/queues/{queue}/groups")
async def groups(request: Request) -> Response:
    """The groups of a queue."""
    broker, queue = broker_of(request), queue_in(request)

    async def read() -> shapes.Object:
        stats, found = await asyncio.gather(snapshot(broker, queue), groups_of(broker, queue))
        return {"stats": stats, "groups": [shapes.group(each) for each in found]}

    return await shared(request, read)


@router.get("/queues/{queue}")
async def one_queue(request: Request) -> Response:
    """One queue and its last ten days."""
    broker, queue = broker_of(request), queue_in(request)

    async def read() -> shapes.Object:
        current, days = await asyncio.gather(snapshot(broker, queue), broker.inspector.history(queue, HISTORY_DAYS))
        return {"current": current, "history": [shapes.daily_stat(day) for day in days]}

    return await shared(request, read)


@router.delete("/queues/{queue}")
async def remove(request: Request) -> Response:
    """Remove an empty queue."""
    broker, queue = broker_of(request), queue_in(request)
    async with broker.changing(request, Permission.REMOVE, queue):
        try:
            await broker.inspector.delete_queue(queue)
        except QueueNotFoundError as error:
            raise Refused(HTTPStatus.NOT_FOUND, str(error)) from error
        except QueueNotEmptyError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
    return no_content()


async def snapshot(broker: Broker, queue: str) -> dict[str, Any]:
    """The numbers of *queue*."""
    info = await broker.info(queue)
    return shapes.queue_snapshot(info, (await broker.memory([queue])).get(queue))


async def groups_of(broker: Broker, queue: str) -> list[GroupInfo]:
    """The groups of *queue*."""
    return await broker.reads.get(("groups", queue), lambda: broker.inspector.groups(queue))
