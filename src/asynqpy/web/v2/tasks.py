"""Tasks: found, looked at, explained, enqueued, changed, and acted on one by one."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from shlex import quote
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Header, Query, Response
from fastapi.responses import Response as RawResponse

from asynqpy.actions import Action
from asynqpy.diagnosis import Circumstances, why
from asynqpy.errors import PayloadChangedError, TaskNotFoundError, TaskStateError
from asynqpy.failures import fingerprint
from asynqpy.inspection import ServerInfo, UniqueLock
from asynqpy.options import EnqueueOptions
from asynqpy.task import Task, TaskInfo, TaskState
from asynqpy.web.broker import Broker
from asynqpy.web.problems import Problem, invalid, not_found
from asynqpy.web.users import Permission
from asynqpy.web.v2 import schema
from asynqpy.web.v2.common import (
    DEFAULT_BUDGET,
    LARGEST_BUDGET,
    LONGEST_IN_FULL,
    Asking,
    Context,
    Cursor,
    Limit,
    QueueName,
    TaskId,
    hidden_bytes,
    permitted,
    task_facts,
    task_model,
)
from asynqpy.web.v2.details import MOVABLE_IN_TIME, attempts_of, etag_of, history_of, matches, retry_preview
from asynqpy.web.v2.searching import NOTHING, Wanted, command_for, found_by, search
from asynqpy.web.v2.types import Validate, check_payload

router = APIRouter(tags=["tasks"])

Text = Annotated[str | None, Query(max_length=512)]
Names = Annotated[list[Annotated[str, Query(max_length=512)]] | None, Query(max_length=1000)]
Conditions = Annotated[list[schema.Condition] | None, Query(max_length=schema.MOST_CONDITIONS)]
States = Annotated[list[TaskState] | None, Query(max_length=7)]
Budget = Annotated[int, Query(ge=1, le=LARGEST_BUDGET, description="How many tasks to look at, at most.")]


@router.get("/tasks")
async def find(
    asking: Asking,
    *,
    queue: Names = None,
    state: States = None,
    id: Names = None,  # noqa: A002 - the word of the API
    id_prefix: Annotated[Text, Query(description="What the id begins with.")] = None,
    type: Annotated[Text, Query(description="A pattern such as `email:*`.")] = None,  # noqa: A002
    payload: Annotated[Text, Query(description="Text that is part of the payload.")] = None,
    error: Annotated[Text, Query(description="Text that is part of the last error.")] = None,
    group: Text = None,
    header: Annotated[Conditions, Query(description="A header, `tenant` or `tenant=acme`; all must fit.")] = None,
    field: Annotated[
        Conditions, Query(description="A field of the payload, `user.id` or `user.id=7`; all must fit.")
    ] = None,
    since: datetime | None = None,
    until: datetime | None = None,
    fingerprint: Annotated[str | None, Query(pattern="^[0-9a-f]{16}$")] = None,
    descending: Annotated[bool, Query(description="Begin at the other end of each state.")] = False,
    limit: Limit = 50,
    budget: Budget = DEFAULT_BUDGET,
    cursor: Cursor = None,
) -> schema.TaskPage:
    r"""Tasks of any queues and states, by what they are.

    There are no indexes: tasks are read one after the other until the limit or the budget is reached. `coverage` tells
    how many were looked at; go on with `next_cursor`, and with all else as it was.

    The path of a `field` has names and indexes with dots between, `\.` for a dot in a name. Its value is a JSON
    number, true, false, null, or text, in quotes where it would be one of these; without a value it may have any.
    Payloads are read as JSON or MessagePack.
    """
    missing = await _missing(asking, queue or ())
    wanted = Wanted(
        queues=queue and [name for name in queue if name not in missing],
        states=state,
        ids=id,
        id_prefix=id_prefix,
        type=type,
        payload=payload,
        error=error,
        group=group,
        headers=header,
        fields=field,
        since=since,
        until=until,
        fingerprint=fingerprint,
        descending=descending,
    )
    # The search itself cannot count fingerprints, so its limit is a page, and what does not fit makes the page shorter.
    searching = await search(asking, wanted, limit=limit, budget=budget, cursor=cursor)
    infos = [info async for batch in found_by(searching, wanted) for info in batch]
    coverage = searching.coverage if searching is not None else NOTHING
    whole = wanted.is_whole_states and cursor is None and searching is not None
    return schema.TaskPage(
        items=[task_model(asking, info) for info in infos],
        total=coverage.total if whole else None,
        next_cursor=searching.cursor if searching is not None else None,
        coverage=schema.Coverage.model_validate(coverage),
        cli=command_for(wanted),
        missing_queues=missing,
    )


async def _missing(asking: Context, queues: Sequence[str]) -> list[str]:
    """Those of *queues* that are gone while others are there; none where all are, so that the search says so."""
    known = await asking.broker.names(asking.user) if len(queues) > 1 else queues
    if set(queues) <= set(known):
        return []
    known = await asking.broker.inspector.queues()  # what was shared may be older than a queue
    missing = [name for name in queues if name not in known and asking.user.may_see(name)]
    return missing if len(missing) < len(queues) else []


@router.get("/queues/{queue}/tasks/{task_id}")
async def details(asking: Asking, queue: QueueName, task_id: TaskId) -> schema.TaskDetails:
    """Everything that is known of a task."""
    asking.see(queue)
    info = await _task(asking, queue, task_id)
    servers = await asking.broker.reads.get("servers", asking.broker.inspector.servers)
    # Servers tell what they run with their heartbeat, and so of tasks that have just ended too.
    worker = _worker(servers, info) if info.state is TaskState.ACTIVE else None
    lock = await _lock(asking.broker, info)
    print_ = fingerprint(info.last_error, info.traceback).id if info.last_error else None
    where = f"--queue {quote(queue)} --id {quote(task_id)}"
    facts = task_facts(asking, info, LONGEST_IN_FULL)
    if worker is not None:
        facts["cancel_requested_at"] = asking.broker.cancellations.asked_at(info, started=worker.started)
    return schema.TaskDetails(
        **facts,
        headers=dict(info.headers) if asking.may_search_payloads else {},
        traceback=info.traceback,
        attempts=attempts_of(info),
        retry_preview=retry_preview(info, datetime.now(UTC)),
        history=history_of(info, worker),
        payload_etag=etag_of(info.payload) if asking.may_search_payloads else None,
        may_reschedule=info.state in MOVABLE_IN_TIME and Permission.EDIT in permitted(asking, queue),
        timeout_seconds=info.timeout.total_seconds(),
        deadline=info.deadline,
        retention_seconds=info.retention.total_seconds(),
        unique_key=info.unique_key,
        lock=None
        if lock is None
        else schema.Lock(
            key=lock.key,
            task_id=lock.task_id,
            is_held_by_it=lock.task_id == info.id,
            expires_in_seconds=lock.expires_in.total_seconds() if lock.expires_in is not None else None,
        ),
        crashes=info.crashes,
        released=info.released,
        progress_at=info.progress_at,
        worker=worker,
        fingerprint=print_,
        cli=[f"asynqpy task inspect {where}"],
    )


async def _task(asking: Context, queue: str, task_id: str) -> TaskInfo:
    inspector = asking.broker.inspector
    return await asking.broker.reads.get(("task", queue, task_id), lambda: inspector.task_info(queue, task_id))


async def _lock(broker: Broker, info: TaskInfo) -> UniqueLock | None:
    if not info.unique_key:
        return None
    try:
        return await broker.inspector.unique_lock(info.queue, info.id)
    except TaskNotFoundError:  # it has gone meanwhile
        return None


def _worker(servers: list[ServerInfo], info: TaskInfo) -> schema.Worker | None:
    for server in servers:
        for worker in server.active_workers:
            if (worker.queue, worker.task_id) == (info.queue, info.id):
                return schema.Worker(
                    server_id=server.id,
                    host=server.host,
                    pid=server.pid,
                    started=worker.started,
                    deadline=worker.deadline,
                )
    return None


@router.get("/queues/{queue}/tasks/{task_id}/why")
async def explain(asking: Asking, queue: QueueName, task_id: TaskId) -> schema.Why:
    """Why a task does not run, or what it does instead."""
    asking.see(queue)
    broker = asking.broker
    inspector = broker.inspector
    info = await _task(asking, queue, task_id)
    numbers, servers, patterns, redis_now = await asyncio.gather(
        broker.info(queue),
        broker.servers(),
        broker.patterns(),
        inspector.redis_time(),
    )
    size = None
    if info.state is TaskState.AGGREGATING:
        groups = await broker.reads.get(("groups", queue), lambda: inspector.groups(queue))
        size = next((group.size for group in groups if group.group == info.group), 0)
    around = Circumstances(
        queue=numbers,
        servers=servers,
        patterns=patterns,
        now=datetime.now(UTC),
        redis_now=redis_now,
        lock=await _lock(broker, info),
        group_size=size,
    )
    reasons = [schema.Reason.model_validate(reason) for reason in why(info, around)]
    return schema.Why(state=info.state, items=reasons)


BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("/queues/{queue}/tasks/{task_id}/payload", response_class=RawResponse, responses=BYTES)
async def payload_bytes(asking: Asking, queue: QueueName, task_id: TaskId) -> RawResponse:
    """The bytes of its payload. Not for those from whom something in them is hidden."""
    data = (await _undisguised(asking, queue, task_id)).payload
    return _download("payload", data, ETag=etag_of(data))


@router.get("/queues/{queue}/tasks/{task_id}/result", response_class=RawResponse, responses=BYTES)
async def result_bytes(asking: Asking, queue: QueueName, task_id: TaskId) -> RawResponse:
    """The bytes of its result. Not for those from whom something in them is hidden."""
    info = await _undisguised(asking, queue, task_id)
    if info.result is None:
        raise not_found(f"task {task_id!r} in queue {queue!r} has no result")
    return _download("result", info.result)


async def _undisguised(asking: Context, queue: str, task_id: str) -> TaskInfo:
    asking.see(queue)
    if not asking.may_search_payloads:
        raise hidden_bytes()
    return await _task(asking, queue, task_id)


def _download(name: str, data: bytes, **more: str) -> RawResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}.bin"', **more}
    return RawResponse(data, media_type="application/octet-stream", headers=headers)


@router.post("/queues/{queue}/tasks", status_code=201)
async def enqueue(
    asking: Asking, queue: QueueName, new: Annotated[schema.NewTask, Body()], *, validate: Validate = True
) -> schema.Task:
    """Put a task on a queue; the queue is made if need be."""
    changing = asking.broker.changing(asking.request, Permission.ENQUEUE, asking.see(queue), type=new.type)
    async with changing as change:
        payload = _payload(new.payload, new.payload_base64)
        if validate:
            await check_payload(asking, queue, new.type, payload)
        task = Task(new.type, payload, **_options(new, queue))
        info = await asking.broker.client.enqueue(task)
        change.task_id = info.id
    return task_model(asking, info)


def _options(new: schema.NewTask, queue: str) -> EnqueueOptions:
    given: dict[str, Any] = {"queue": queue}
    for name in ("task_id", "max_retry", "group", "headers"):
        if (value := getattr(new, name)) is not None:
            given[name] = value
    for name in ("timeout", "unique_for", "process_in", "retention"):
        if (seconds := getattr(new, f"{name}_seconds")) is not None:
            given[name] = timedelta(seconds=seconds)
    for name in ("deadline", "process_at"):
        if (moment := getattr(new, name)) is not None:
            given[name] = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return given  # type: ignore[return-value]


def _payload(value: Any, in_base64: str | None) -> Any:
    if in_base64 is None:
        return value
    if value is not None:
        raise invalid("give payload or payload_base64, not both")
    try:
        return base64.b64decode(in_base64, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"payload_base64 is no Base64: {error}") from error


@router.put("/queues/{queue}/tasks/{task_id}/payload")
async def edit(
    asking: Asking,
    queue: QueueName,
    task_id: TaskId,
    new: Annotated[schema.Payload, Body()],
    *,
    validate: Validate = True,
    if_match: Annotated[
        str | None,
        Header(max_length=512, description="`payload_etag` of its details; refused if changed since."),
    ] = None,
) -> schema.Task:
    """Exchange the payload of a task that does not run."""
    inspector = asking.broker.inspector
    async with asking.broker.changing(asking.request, Permission.EDIT, asking.see(queue), task_id):
        payload = _payload(new.payload, new.payload_base64)
        info = await inspector.task_info(queue, task_id)
        if validate:
            await check_payload(asking, queue, info.type, payload)
        if if_match is not None and not matches(if_match, info.payload):
            raise PayloadChangedError(queue, task_id)
        await inspector.update_payload(queue, task_id, payload, expected=None if if_match is None else info.payload)
    return task_model(asking, await _task(asking, queue, task_id))


@router.post("/queues/{queue}/tasks/{task_id}/reschedule")
async def reschedule(
    asking: Asking, queue: QueueName, task_id: TaskId, when: Annotated[schema.NewMoment, Body()]
) -> schema.Task:
    """Let a scheduled task, or one to be retried, wait for another moment; one that has passed is now."""
    moment, span = when.process_at, when.process_in_seconds
    if moment is not None and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    async with asking.broker.changing(asking.request, Permission.EDIT, asking.see(queue), task_id, rescheduled=True):
        await asking.broker.inspector.reschedule_task(queue, task_id, process_at=moment, process_in=span)
    return task_model(asking, await _task(asking, queue, task_id))


SingleAction = Literal["run", "archive", "delete", "cancel", "again", "move"]


COPY: dict[int | str, dict[str, Any]] = {201: {"model": schema.Task, "description": "The copy that was enqueued."}}


@router.post("/queues/{queue}/tasks/{task_id}/actions/{action}", status_code=204, responses=COPY)
async def act(
    asking: Asking,
    queue: QueueName,
    task_id: TaskId,
    action: SingleAction,
    body: Annotated[schema.ActionBody | None, Body()] = None,
    *,
    validate: Validate = True,
) -> Response:
    """Do something to one task. `again` enqueues a copy, and answers with that; `cancel` asks its worker to stop it."""
    how = body or schema.ActionBody()
    asking.see(queue)
    changing = asking.broker.changing(asking.request, Permission(action), queue, task_id, to_queue=how.to_queue)
    async with changing as change:
        if validate and action == "again" and how.payload is not None:
            info = await asking.broker.inspector.task_info(queue, task_id)
            await check_payload(asking, how.to_queue or queue, info.type, how.payload)
        copy = await act_on(asking, Action(action), queue, task_id, to_queue=how.to_queue, payload=how.payload)
        if copy is not None:
            change.details["copy"] = copy.id
    if copy is None:
        return Response(status_code=204)
    made = task_model(asking, copy).model_dump_json()
    return Response(made, status_code=201, media_type="application/json")


async def act_on(
    asking: Context, action: Action, queue: str, task_id: str, *, to_queue: str | None, payload: Any = None
) -> TaskInfo | None:
    """Do *action* to one task. Gives the new task where one arises from it.

    Raises:
        Problem: there is nowhere to move it to, or not for whoever asks.
        TaskStateError: its state does not allow it.
    """
    inspector = asking.broker.inspector
    if to_queue is not None and not asking.user.may(Permission.ENQUEUE, to_queue):
        raise Problem(HTTPStatus.FORBIDDEN, "forbidden", f"{asking.user.name} may not enqueue to queue {to_queue!r}")
    match action:
        case Action.RUN:
            await inspector.run_task(queue, task_id)
        case Action.ARCHIVE:
            await inspector.archive_task(queue, task_id)
        case Action.DELETE:
            await inspector.delete_task(queue, task_id)
        case Action.CANCEL:
            info = await inspector.task_info(queue, task_id)
            if info.state is not TaskState.ACTIVE:
                raise TaskStateError(queue, task_id, info.state.value, "cancel", "only active tasks can be cancelled")
            await inspector.cancel_task(task_id)
            asking.broker.cancellations.add(info)
        case Action.AGAIN:
            return await inspector.enqueue_again(queue, task_id, payload, to_queue=to_queue)
        case Action.MOVE:
            if to_queue is None:
                raise invalid("say where to: to_queue")
            await inspector.move_task(queue, task_id, to_queue)
        case Action.EDIT:
            raise invalid("payloads are exchanged one by one")
    return None
