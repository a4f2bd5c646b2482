"""Actions on many tasks, as jobs with progress, results and an end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body
from sse_starlette import EventSourceResponse

from asynqpy.actions import Action, is_allowed, must_confirm, states_of
from asynqpy.task import TaskInfo, TaskState
from asynqpy.web.audit import Change
from asynqpy.web.broker import require
from asynqpy.web.jobs import AT_ONCE, Job, Work
from asynqpy.web.problems import Problem, invalid, not_found
from asynqpy.web.users import Permission
from asynqpy.web.v2 import schema
from asynqpy.web.v2.common import DEFAULT_BUDGET, Asking, Context, Cursor, Limit, paged, task_model
from asynqpy.web.v2.searching import NOTHING, Wanted, found_by, search
from asynqpy.web.v2.streaming import stream_of
from asynqpy.web.v2.tasks import act_on

router = APIRouter(tags=["jobs"])

SAMPLE = 5
EVENT_STREAM = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}

NewJob = Annotated[schema.NewJob, Body()]


@router.post("/jobs", status_code=202)
async def start(asking: Asking, new: NewJob) -> schema.Job:
    """Do something to many tasks: to those named, or to all that fit a filter. Goes on after the answer."""
    wanted, queues = await _plan(asking, new)
    broker, permission = asking.broker, Permission(new.action.value)
    request = asking.request
    change = Change(
        at=datetime.now(UTC),
        user=asking.user.name,
        address=request.client.host if request.client else "",
        broker=broker.name,
        action=permission.value,
        queue=", ".join(queues),
        details=new.model_dump(mode="json", exclude_none=True, exclude={"tasks"}),
    )

    try:
        for queue in queues:
            require(asking.user, permission, queue)
    except Problem as problem:
        change.error = problem.detail
        broker.settings.audit.record(change)
        raise
    total, work = await _work(asking, new, wanted, queues)

    def ended(job: Job) -> None:
        change.details |= {"job": job.id, "done": job.done, "failed": job.failed, "state": job.state.value}
        change.error = job.error
        broker.reads.forget()
        broker.settings.audit.record(change)

    job = broker.jobs.start(
        work, action=new.action.value, user=asking.user.name, queues=queues, total=total, on_end=ended
    )
    return schema.Job.model_validate(job)


@router.post("/jobs/preview")
async def preview(asking: Asking, new: NewJob) -> schema.Preview:
    """What a job would do: how many tasks, which, and whether a person should be asked. Changes nothing."""
    wanted, queues = await _plan(asking, new)
    searching = await search(asking, wanted, limit=None, budget=DEFAULT_BUDGET, cursor=None) if queues else None
    sample: list[TaskInfo] = []
    matched = 0
    async for infos in found_by(searching, wanted):
        allowed = [info for info in infos if is_allowed(new.action, info.state)]
        matched += len(allowed)
        sample += allowed[: SAMPLE - len(sample)]
    coverage = searching.coverage if searching is not None else NOTHING
    if wanted.is_whole_states and not coverage.is_complete:
        matched = coverage.total  # nothing is left out, so what was not looked at counts too
    return schema.Preview(
        action=new.action,
        queues=queues,
        matched=matched,
        coverage=schema.Coverage.model_validate(coverage),
        sample=[task_model(asking, info) for info in sample],
        must_confirm=must_confirm(new.action, of_all=True),
    )


async def _plan(asking: Context, new: schema.NewJob) -> tuple[Wanted, list[str]]:
    """What to look for, and in which queues; of those that nobody named only where whoever asks may do it."""
    if (new.tasks is None) == (new.filter is None):
        raise invalid("give tasks or a filter, one of the two")
    if new.action is Action.EDIT:
        raise invalid("payloads are exchanged one by one")
    if new.action is Action.MOVE and new.to_queue is None:
        raise invalid("say where to: to_queue")
    if new.tasks is not None:
        queues = [asking.see(queue) for queue in dict.fromkeys(task.queue for task in new.tasks)]
        return Wanted(queues=queues, ids=[task.id for task in new.tasks], states=states_of(new.action)), queues
    given = new.filter or schema.Filter()
    queues = await asking.visible(given.queues)
    if given.queues is None:
        queues = [queue for queue in queues if asking.user.may(Permission(new.action.value), queue)]
    states = [state for state in given.states or TaskState if is_allowed(new.action, state)]
    if not states:
        asked = ", ".join(state.value for state in given.states or ())
        raise invalid(f"no task that is {asked} can be treated so: {new.action.value}")
    facts: dict[str, Any] = given.model_dump(exclude={"queues", "states"})
    excluded = [new.to_queue] if new.action is Action.MOVE and new.to_queue else []
    queues = [queue for queue in queues if queue not in excluded]
    return Wanted(queues=queues, states=states, excluded_queues=excluded, **facts), queues


async def _work(asking: Context, new: schema.NewJob, wanted: Wanted, queues: Sequence[str]) -> tuple[int | None, Work]:
    """How many tasks there are, where that is known, and what to do."""
    jobs = asking.broker.jobs

    async def act(queue: str, task_id: str) -> tuple[str, str] | None:
        copy = await act_on(asking, new.action, queue, task_id, to_queue=new.to_queue)
        if copy is not None:
            return copy.queue, copy.id
        return (new.to_queue, task_id) if new.action is Action.MOVE and new.to_queue else None

    if new.tasks is not None:
        named = [(task.queue, task.id) for task in new.tasks]

        async def on_named(job: Job) -> None:
            await jobs.act_on(job, named, act)

        return len(named), on_named

    if new.action in (Action.RUN, Action.ARCHIVE, Action.DELETE) and wanted.is_whole_states and wanted.group is None:
        infos = [await asking.broker.info(queue) for queue in queues]
        states = [state for state in wanted.states or () if is_allowed(new.action, state, of_all=True)]
        total = sum(getattr(info, state.value) for info in infos for state in states)

        async def on_states(job: Job) -> None:
            for queue in queues:
                for state in states:
                    await _on_state(asking, job, new.action, queue, state)

        return total, on_states

    searching = await search(asking, wanted, limit=None, budget=None, cursor=None, brief=True) if queues else None

    async def on_found(job: Job) -> None:
        piece: list[tuple[str, str]] = []
        async for infos in found_by(searching, wanted):
            piece += [(info.queue, info.id) for info in infos]
            job.scanned = searching.coverage.scanned if searching is not None else 0
            if len(piece) >= AT_ONCE:
                await jobs.act_on(job, piece, act)
                piece.clear()
        await jobs.act_on(job, piece, act)

    return None, on_found


async def _on_state(asking: Context, job: Job, action: Action, queue: str, state: TaskState) -> None:
    """Deal with a whole state at once: thousands of tasks in a round trip, and no result for each."""
    inspector = asking.broker.inspector
    do = {Action.RUN: inspector.run_all, Action.ARCHIVE: inspector.archive_all, Action.DELETE: inspector.delete_all}
    before = job.done

    def progressed(done: int, total: int) -> None:
        job.done = before + done
        asking.broker.jobs.stepped(job)

    groups: list[str | None] = [None]
    if state is TaskState.AGGREGATING:
        groups = [group.group for group in await inspector.groups(queue)]
    for group in groups:
        before = job.done
        job.done = before + await do[action](queue, state, group=group, on_progress=progressed)


@router.get("/jobs")
async def list_jobs(asking: Asking) -> schema.Jobs:
    """The jobs of the last hour."""
    visible = [job for job in asking.broker.jobs.all() if all(asking.user.may_see(queue) for queue in job.queues)]
    return schema.Jobs(items=[schema.Job.model_validate(job) for job in visible])


@router.get("/jobs/{job_id}")
async def one_job(asking: Asking, job_id: str) -> schema.Job:
    """One job."""
    return schema.Job.model_validate(_job(asking, job_id))


@router.delete("/jobs/{job_id}")
async def cancel_job(asking: Asking, job_id: str) -> schema.Job:
    """Stop a job. What it has done stays done."""
    job = _job(asking, job_id)
    for queue in job.queues:
        require(asking.user, Permission(job.action), queue)
    return schema.Job.model_validate(await asking.broker.jobs.cancel(job_id))


@router.get("/jobs/{job_id}/results")
async def results(
    asking: Asking, job_id: str, *, failed: bool | None = None, limit: Limit = 100, cursor: Cursor = None
) -> schema.JobResultPage:
    """What became of each task: of the first ten thousand, and of none where whole states were dealt with at once."""
    found = [each for each in _job(asking, job_id).results if failed is None or bool(each.error) is failed]
    page, following = paged(found, cursor, limit)
    items = [schema.JobResult.model_validate(each) for each in page]
    return schema.JobResultPage(items=items, total=len(found), next_cursor=following)


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse, responses=EVENT_STREAM)  # type: ignore[arg-type]
async def job_events(asking: Asking, job_id: str) -> EventSourceResponse:
    """The job now and after each of its steps, as server-sent events named `job`, until it has ended."""
    _job(asking, job_id)

    async def events() -> AsyncGenerator[dict[str, str], None]:
        async for job in asking.broker.jobs.changes(job_id):
            yield {"event": "job", "data": schema.Job.model_validate(job).model_dump_json()}

    return stream_of(events())


def _job(asking: Context, job_id: str) -> Job:
    job = asking.broker.jobs.get(job_id)
    if not all(asking.user.may_see(queue) for queue in job.queues):
        raise not_found(f"no job {job_id!r}")
    return job
