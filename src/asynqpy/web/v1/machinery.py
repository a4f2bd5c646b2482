"""asynqmon's routes of servers, schedulers, Redis and Prometheus."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from asynqpy.inspection import SchedulerEntry
from asynqpy.options import DEFAULTS
from asynqpy.web.broker import broker_of
from asynqpy.web.guard import user_of
from asynqpy.web.paths import name_in
from asynqpy.web.prometheus import UnreachableError, ask
from asynqpy.web.v1 import shapes
from asynqpy.web.v1.common import Refused, formatters, page_in, shared

router = APIRouter()


@router.get("/servers")
async def servers(request: Request) -> Response:
    """The live servers and what they run, as far as whoever asks may see it."""
    broker, user = broker_of(request), user_of(request)

    async def read() -> shapes.Object:
        payload, _ = formatters(request)
        found = await broker.reads.get("servers", broker.inspector.servers)
        return {
            "servers": [
                shapes.server(each, [work for work in each.active_workers if user.may_see(work.queue)], payload)
                for each in found
            ]
        }

    return await shared(request, read)


@router.get("/scheduler_entries")
async def scheduler_entries(request: Request) -> Response:
    """The entries of live schedulers."""
    broker, user = broker_of(request), user_of(request)

    async def read() -> shapes.Object:
        payload, _ = formatters(request)
        entries = await broker.reads.get("schedulers", broker.inspector.scheduler_entries)
        visible = [entry for entry in entries if user.may_see(queue_of(entry))]
        return {"entries": [shapes.scheduler_entry(entry, payload) for entry in visible]}

    return await shared(request, read)


@router.get("/scheduler_entries/{entry_id}/enqueue_events")
async def enqueue_events(request: Request) -> Response:
    """What an entry has enqueued, the newest first."""
    broker = broker_of(request)
    page, size = page_in(request)
    entry_id = name_in(request.path_params["entry_id"])

    async def read() -> shapes.Object:
        events = await broker.inspector.scheduler_events(entry_id, page=page, page_size=size)
        return {"events": [shapes.enqueue_event(event) for event in events]}

    return await shared(request, read)


@router.get("/redis_info")
async def redis_info(request: Request) -> Response:
    """What Redis says about itself."""
    broker, user = broker_of(request), user_of(request)

    async def read() -> shapes.Object:
        inspector = broker.inspector
        texts = await inspector.redis_texts()
        if "CLUSTER INFO" not in texts:
            info = _lines(texts["INFO"])
            return {
                "address": broker.address or f"localhost:{info.get('tcp_port', '')}",
                "info": info,
                "raw_info": texts["INFO"],
                "cluster": False,
                "raw_cluster_nodes": "",
                "queue_locations": None,
            }
        queues = [each for each in await inspector.queues() if user.may_see(each)]
        nodes = await asyncio.gather(*(inspector.cluster_nodes(queue) for queue in queues))
        named = [[f"{node.host}:{node.port}" for node in of_queue] for of_queue in nodes]
        return {
            "address": broker.address or ",".join(sorted({each for where in named for each in where})),
            "info": _lines(texts["CLUSTER INFO"]),
            "raw_info": texts["CLUSTER INFO"],
            "cluster": True,
            "raw_cluster_nodes": texts["CLUSTER NODES"],
            "queue_locations": [
                {"queue": queue, "keyslot": inspector.cluster_key_slot(queue), "nodes": where}
                for queue, where in zip(queues, named, strict=True)
            ],
        }

    return await shared(request, read)


def _lines(text: str) -> dict[str, str]:
    """The facts of a text; as asynqmon: those of lines with exactly one colon."""
    return dict(line.split(":") for line in text.split("\r\n") if line.count(":") == 1)


def queue_of(entry: SchedulerEntry) -> str:
    """Where an entry enqueues."""
    return entry.options.get("queue", DEFAULTS.queue)


STEPS = ((6 * 3600, 10), (24 * 3600, 60), (8 * 86400, 180), (30 * 86400, 600))
"""Up to so many seconds, a value each so many."""


@router.get("/metrics")
async def prometheus(request: Request) -> Response:
    """What Prometheus knows, in nine documents of its own."""
    broker, user = broker_of(request), user_of(request)
    if not broker.settings.prometheus_url:
        raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "no Prometheus is configured")
    duration = _seconds(request, "duration", 3600.0)
    end = _seconds(request, "endtime", time.time())
    asked = [name for name in request.query_params.get("queues", "").split(",") if name]
    names = [name for name in asked if user.may_see(name)]
    if not user.sees_all and not names:
        names = [info.queue for info in await broker.infos(user)] or [""]
    step = max(1, next((step for longest, step in STEPS if duration <= longest), int(duration / 3000)))

    async def read() -> dict[str, Any]:
        try:
            return await ask(broker.settings.prometheus_url, names, start=end - duration, end=end, step=step)
        except UnreachableError as error:
            raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from error

    return await shared(request, read)


def _seconds(request: Request, name: str, default: float) -> float:
    text = request.query_params.get(name, "")
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e11:
        raise Refused(HTTPStatus.BAD_REQUEST, f"{name} must be a number of seconds, got {text!r}")
    return seconds
