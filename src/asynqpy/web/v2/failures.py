"""Failures, grouped by what they have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from asynqpy.failures import FailureGroup, FailureGroups
from asynqpy.task import TaskState
from asynqpy.web.v2 import schema
from asynqpy.web.v2.common import DEFAULT_BUDGET, Asking, Context, Cursor, task_model
from asynqpy.web.v2.searching import NOTHING, Wanted, found_by, search
from asynqpy.web.v2.tasks import Budget, Names, Text

router = APIRouter(tags=["failures"])

MOST_SERVERS, MOST_VERSIONS = 200, 100

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
    limit: Annotated[int, Query(ge=1, le=200, description="How many groups at most.")] = 50,
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
    key = ("failures", queue is None, names, *(wanted.states or ()), type, since, until, budget, cursor)

    async def read() -> tuple[list[FailureGroup], schema.Coverage, str | None]:
        return await _groups(asking, wanted, budget, cursor)

    groups, coverage, following = await asking.broker.reads.get(key, read)
    items = [_failure(asking, group) for group in groups[:limit]]
    return schema.Failures(items=items, coverage=coverage, next_cursor=following)


async def _groups(
    asking: Context, wanted: Wanted, budget: int, cursor: str | None
) -> tuple[list[FailureGroup], schema.Coverage, str | None]:
    searching = await search(asking, wanted, limit=None, budget=budget, cursor=cursor)
    found = FailureGroups(datetime.now(UTC))
    async for info in found_by(searching, wanted):
        found.add(info)
    coverage = searching.coverage if searching is not None else NOTHING
    following = searching.cursor if searching is not None else None
    return found.largest(), schema.Coverage.model_validate(coverage), following


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
