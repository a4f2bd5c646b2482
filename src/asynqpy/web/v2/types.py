"""Types of tasks: who handles them, and what their payloads look like."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query

from asynqpy.inspection import HandledPatterns, PayloadSchema
from asynqpy.web.v2 import schema
from asynqpy.web.v2.common import Asking, Context, Cursor, Limit, paged
from asynqpy.web.validation import check, schemas_for

router = APIRouter(tags=["types"])

Validate = Annotated[
    bool,
    Query(description="Refuse a payload that fits no schema of its handlers; where none is known, anything fits."),
]


@router.get("/types")
async def types(
    asking: Asking,
    *,
    queue: Annotated[str | None, Query(max_length=512, description="Only those that its servers handle.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> schema.TypePage:
    """The patterns that living servers of Python handle, with the queues that these servers serve.

    A pattern is a task type, or the beginning of many; the empty one is everything. Go servers do not publish theirs.
    """
    if queue is not None:
        asking.see(queue)
    patterns, schemas = await _published(asking)
    found = _types(asking, patterns, schemas)
    if queue is not None:
        found = [each for each in found if queue in each.queues]
    page, following = paged(found, cursor, limit)
    return schema.TypePage(items=list(page), total=len(found), next_cursor=following)


async def check_payload(asking: Context, queue: str, task_type: str, payload: Any) -> None:
    """Raises `Problem` when *payload* fits no schema that is known of its type."""
    patterns, schemas = await _published(asking)
    check(payload, schemas_for(task_type, queue, patterns, schemas))


async def _published(asking: Context) -> tuple[list[HandledPatterns], list[PayloadSchema]]:
    broker = asking.broker
    return await asyncio.gather(
        broker.patterns(),
        broker.reads.get("schemas", broker.inspector.payload_schemas),
    )


def _types(
    asking: Context, servers: Sequence[HandledPatterns], schemas: Sequence[PayloadSchema]
) -> list[schema.TaskType]:
    """One for each pattern and each schema of it; null stands for a handler that takes bytes as they are."""
    found: dict[tuple[str, int | None], tuple[set[str], list[str]]] = {}
    known = {(each.pattern, server): at for at, each in enumerate(schemas) for server in each.server_ids}
    for server in servers:
        queues = {queue for queue in server.queues if asking.user.may_see(queue)}
        for pattern in server.patterns or () if queues else ():
            at = known.get((pattern, server.server_id))
            of_all, ids = found.setdefault((pattern, at), (set(), []))
            of_all |= queues
            ids.append(server.server_id)
    return [
        schema.TaskType(
            pattern=pattern,
            queues=sorted(queues),
            server_ids=ids,
            payload_schema=None if at is None else dict(schemas[at].schema),
        )
        for (pattern, at), (queues, ids) in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] is None))
    ]
