"""Everything that changes, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from sse_starlette import EventSourceResponse

from asynqpy.web.collector import Event
from asynqpy.web.problems import invalid
from asynqpy.web.v2 import schema
from asynqpy.web.v2.common import Asking, Context, queue_facts, task_model
from asynqpy.web.v2.jobs import EVENT_STREAM
from asynqpy.web.v2.machinery import entry_model, queue_of, server_model
from asynqpy.web.v2.streaming import stream_of

router = APIRouter(tags=["events"])

MOST_TASKS = 20


@router.get("/events", response_class=EventSourceResponse, responses=EVENT_STREAM)  # type: ignore[arg-type]
async def events(
    asking: Asking,
    *,
    task: Annotated[
        list[str] | None,
        Query(
            max_length=MOST_TASKS,
            description="Tasks to watch too, as `queue/id`; in both `%` is written `%25`, and `/` is `%2F`.",
        ),
    ] = None,
) -> EventSourceResponse:
    """Queues, servers, schedulers, watched tasks and jobs: first all of them, then those that change.

    The events are named `queues`, `servers`, `schedulers`, `tasks`, `jobs` and `status`. Their data is
    `{"is_snapshot": bool, "values": {name: value or null}}`; null stands for what is gone, and a snapshot replaces
    everything. Where Redis cannot be reached, `status` says so, and there is nothing else until it has been. Every ten
    seconds a `ping` tells that the stream is alive. However many listen, Redis is looked at once.
    """
    watched = [_watched(asking, each) for each in task or ()]
    broker = asking.broker

    async def stream() -> AsyncGenerator[dict[str, str], None]:
        async with aclosing(broker.collector.watch(watched)) as found:
            async for event in found:
                data = _data(asking, event)
                if data:
                    yield {"event": event.kind, "id": str(event.number), "data": data}

    return stream_of(stream())


def _data(asking: Context, event: Event) -> str:
    """*event* as text, made once for all who see the same; empty where there is nothing for whoever asks."""
    user = asking.user
    key = (user.queues, user.role, user.actions, user.may_see_payloads)
    if key not in event.texts:
        values = _values(asking, event)
        document = {"is_snapshot": event.is_snapshot, "values": values}
        event.texts[key] = msgspec.json.encode(document).decode() if values or event.is_snapshot else ""
    return event.texts[key]


def _watched(asking: Context, name: str) -> tuple[str, str]:
    queue, slash, task_id = name.partition("/")
    if not slash or not queue or not task_id:
        raise invalid(f"task must be queue/id, got {name!r}")
    return asking.see(_unescaped(queue)), _unescaped(task_id)


def _escaped(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F")


def _unescaped(name: str) -> str:
    return name.replace("%2F", "/").replace("%25", "%")


def _values(asking: Context, event: Event) -> dict[str, Any]:
    """What of *event* whoever asks may see, as the API shows it."""
    see = asking.user.may_see
    shown: dict[str, tuple[Callable[[Any, Any], bool], Callable[[Any], Any]]] = {
        "queues": (lambda name, _: see(name), lambda info: queue_facts(asking, info, None)),
        "servers": (lambda *_: True, lambda each: server_model(asking, each)),
        "schedulers": (
            lambda _, each: each is None or see(queue_of(each.entry)),
            lambda each: entry_model(asking, each.entry, is_duplicate=each.is_duplicate),
        ),
        "tasks": (lambda key, _: see(key[0]), lambda each: task_model(asking, each.info)),
        "jobs": (lambda _, job: job is None or all(map(see, job.queues)), schema.Job.model_validate),
        "status": (lambda *_: True, lambda value: value),
    }
    is_visible, show = shown[event.kind]
    return {
        key if isinstance(key, str) else "/".join(map(_escaped, key)): None if value is None else _plain(show(value))
        for key, value in event.values.items()
        if is_visible(key, value)
    }


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, schema.Model) else value
