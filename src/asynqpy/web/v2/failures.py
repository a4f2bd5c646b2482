"""Failures, grouped by what they have in common."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from asynqpy.errors import QueueNotFoundError, TaskNotFoundError, WireError
from asynqpy.failures import FailureGroup, FailureGroups
from asynqpy.task import TaskState
from asynqpy.web.v2 import schema
from asynqpy.web.v2.common import DEFAULT_BUDGET, Asking, Context, Cursor, task_model
from asynqpy.web.v2.searching import NOTHING, Wanted, found_by, search
from asynqpy.web.v2.tasks import Budget, Names, Text

router = APIRouter(tags=["failures"])

MOST_GROUPS, MOST_SERVERS, MOST_VERSIONS = 200, 200, 100

FAILED = (TaskState.RETRY, TaskState.ARCHIVED)


@router.get("/failures")
async def failures(
    asking: Asking,
    *,
    queue: Names = None,
    state: Annotated[
        list[TaskState] | None, Query(max_length=7, description="`retry` and `archived` unless given.")
    ] = None,
    type: Annotated[Text, Query(description="A pattern such as `email:*`.")] = None,  # noqa: A002
    since: datetime | None = None,
    until: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST_GROUPS, description="How many groups at most.")] = 50,
    budget: Budget = DEFAULT_BUDGET,
    cursor: Cursor = None,
) -> schema.Failures:
    """Failed tasks grouped by the class of their error, its text without what differs, and where it was raised.

    Only tasks count that are still there, each by its last failure. `next_cursor` goes on with tasks that have not been
    looked at; the groups of both answers belong together by their fingerprints. Act on a group with a job whose filter
    has its fingerprint.
    """
    wanted = Wanted(queues=queue, states=state or FAILED, type=type, since=since, until=until, descending=True)
    names = tuple(await asking.visible(queue)) if queue is not None else asking.user.queues
    key = ("failures", queue is None, names, *(wanted.states or ()), type, since, until, limit, budget, cursor)

    async def read() -> tuple[list[FailureGroup], schema.Coverage, str | None]:
        return await _groups(asking, wanted, limit, budget, cursor)

    groups, coverage, following = await asking.broker.reads.get(key, read)
    items = [_failure(asking, group) for group in groups]
    return schema.Failures(items=items, coverage=coverage, next_cursor=following)


async def _groups(
    asking: Context, wanted: Wanted, limit: int, budget: int, cursor: str | None
) -> tuple[list[FailureGroup], schema.Coverage, str | None]:
    searching = await search(asking, wanted, limit=None, budget=budget, cursor=cursor, brief=True)
    found = FailureGroups(datetime.now(UTC))
    async for infos in found_by(searching, wanted):
        for info in infos:
            found.add(info)
    coverage = searching.coverage if searching is not None else NOTHING
    following = searching.cursor if searching is not None else None
    groups = found.largest()[:limit]
    await asyncio.gather(*(_read_sample(asking, group) for group in groups))
    return groups, schema.Coverage.model_validate(coverage), following


async def _read_sample(asking: Context, group: FailureGroup) -> None:
    """Replace the sample of *group*, which was read in brief, by all that is known of it, if it is still there."""
    brief = group.sample
    try:
        whole = await asking.broker.inspector.task_info(brief.queue, brief.id)
    except (QueueNotFoundError, TaskNotFoundError, WireError):
        return
    if whole.last_error == brief.last_error:  # it has not failed for another reason meanwhile
        group.sample = whole


def _failure(asking: Context, group: FailureGroup) -> schema.Failure:
    return schema.Failure(
        fingerprint=group.fingerprint.id,
        error_class=group.fingerprint.error_class,
        text=group.fingerprint.text,
        frames=list(group.fingerprint.frames),
        count=group.count,
        queues=dict(group.queues.most_common(100)),
        types=dict(group.types.most_common(100)),
        servers=dict(group.servers.most_common(MOST_SERVERS)),
        server_count=len(group.servers.keys() - {""}),
        versions=dict(group.versions.most_common(MOST_VERSIONS)),
        states=dict(group.states),
        first_seen=group.first_seen,
        last_seen=group.last_seen,
        trend=group.trend,
        sample=task_model(asking, group.sample),
        sample_traceback=group.sample.traceback,
    )
