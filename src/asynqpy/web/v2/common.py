"""What the routes share: who asks about which Redis, limits, cursors over lists, and values as the API shows them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator

from asynqpy.actions import Action, actions_in
from asynqpy.inspection import QueueInfo
from asynqpy.task import TaskInfo
from asynqpy.web.broker import Broker, broker_of, require_sight
from asynqpy.web.contents import Subject
from asynqpy.web.guard import user_of
from asynqpy.web.paths import name_in
from asynqpy.web.problems import Problem, invalid
from asynqpy.web.users import Permission, User
from asynqpy.web.v2 import schema

T = TypeVar("T")

LARGEST_PAGE = 1000
LARGEST_BUDGET, DEFAULT_BUDGET = 100_000, 10_000
LONGEST_IN_LIST, LONGEST_IN_FULL = 1000, 4_000_000

QueueName = Annotated[str, Path(description="The name of a queue.", max_length=512), AfterValidator(name_in)]
TaskId = Annotated[str, Path(description="The id of a task.", max_length=512), AfterValidator(name_in)]
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=4096, description="`next_cursor` of the page before.")]


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, and about which Redis."""

    request: Request
    broker: Broker
    user: User

    def see(self, queue: str) -> str:
        """*queue*, if it exists for whoever asks."""
        require_sight(self.user, queue)
        return queue

    async def visible(self, queues: Iterable[str] | None) -> list[str]:
        """*queues*, all of which must exist for whoever asks; or all that do."""
        if queues is not None:
            return [self.see(queue) for queue in dict.fromkeys(queues)]
        return await self.broker.names(self.user)

    @property
    def may_search_payloads(self) -> bool:
        """Whether looking for a text in payloads tells nothing that is hidden."""
        return self.user.may_see_payloads and not self.broker.settings.contents.redacts


def context(request: Request) -> Context:
    """The context of *request*."""
    return Context(request, broker_of(request), user_of(request))


Asking = Annotated[Context, Depends(context)]


def content(asking: Context, data: bytes, subject: Subject, longest: int) -> schema.Content:
    """*data* made readable for whoever asks."""
    visible = asking.user.may_see_payloads
    found = asking.broker.settings.contents.read(data, subject, longest=longest, visible=visible)
    return schema.Content(
        kind=found.kind, text=found.text, size=found.size, encodings=list(found.encodings), is_cut=found.is_cut
    )


def queue_facts(asking: Context, info: QueueInfo, memory: int | None) -> dict[str, Any]:
    """The numbers of a queue as `schema.Queue` has them, without making one: there may be thousands."""
    return {
        "queue": info.queue,
        "paused": info.paused,
        "size": info.size,
        "groups": info.groups,
        "latency_seconds": info.latency.total_seconds(),
        "memory_usage_bytes": memory,
        "active": info.active,
        "pending": info.pending,
        "scheduled": info.scheduled,
        "retry": info.retry,
        "archived": info.archived,
        "completed": info.completed,
        "aggregating": info.aggregating,
        "processed_today": info.processed,
        "failed_today": info.failed,
        "processed_total": info.processed_total,
        "failed_total": info.failed_total,
        "timestamp": info.timestamp,
        "permissions": permitted(asking, info.queue),
    }


def queue_model(asking: Context, info: QueueInfo, memory: int | None) -> schema.Queue:
    """The numbers of a queue."""
    return schema.Queue.model_construct(**queue_facts(asking, info, memory))


def permitted(asking: Context, queue: str) -> list[Permission]:
    """What whoever asks may do in *queue*."""
    if asking.broker.settings.read_only or not asking.user.may_see(queue):
        return []
    return list(asking.user.permissions)


def allowed_actions(asking: Context, info: TaskInfo) -> list[Action]:
    """What the state of a task, and whoever asks, allow."""
    may = permitted(asking, info.queue)
    return [action for action in actions_in(info.state) if Permission(action.value) in may]


def task_facts(asking: Context, info: TaskInfo, longest: int) -> dict[str, Any]:
    """What lists and details of a task both show."""
    has_result = info.result is not None
    expires = info.completed_at + info.retention if info.completed_at and info.retention < timedelta.max else None
    return {
        "id": info.id,
        "queue": info.queue,
        "type": info.type,
        "state": info.state,
        "group": info.group,
        "payload": content(asking, info.payload, Subject(info.queue, info.type), longest),
        "result": content(asking, info.result or b"", Subject(info.queue, info.type, "result"), longest)
        if has_result
        else None,
        "retried": info.retried,
        "max_retry": info.max_retry,
        "last_error": info.last_error,
        "last_failed_at": info.last_failed_at,
        "next_process_at": info.next_process_at,
        "pending_since": info.pending_since,
        "archived_at": info.archived_at,
        "completed_at": info.completed_at,
        "expires_at": expires,
        "is_orphaned": info.is_orphaned,
        "is_readable": info.is_readable,
        "cancel_requested_at": asking.broker.cancellations.asked_at(info),
        "progress": info.progress,
        "progress_text": info.progress_text,
        "actions": allowed_actions(asking, info),
    }


def task_model(asking: Context, info: TaskInfo) -> schema.Task:
    """A task as lists show it."""
    return schema.Task(**task_facts(asking, info, LONGEST_IN_LIST))


def paged(items: Sequence[T], cursor: str | None, limit: int) -> tuple[Sequence[T], str | None]:
    """The page of *items* that begins at *cursor*, and the next cursor.

    For lists that are read as a whole anyhow: a cursor is how many came before.
    """
    start = 0
    if cursor is not None:
        try:
            start = int(base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii"))
        except (ValueError, binascii.Error) as error:
            raise invalid("cursor is none that this list has given") from error
        if start < 0:
            raise invalid("cursor is none that this list has given")
    end = start + limit
    following = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else None
    return items[start:end], following


def hidden_bytes() -> Problem:
    """Bytes would tell what is hidden."""
    return Problem(HTTPStatus.FORBIDDEN, "forbidden", "something in it is hidden, so the bytes cannot be had")


def forbidden_search() -> Problem:
    """Searching would tell what is hidden."""
    return invalid("payloads and headers cannot be searched by those who do not see all of them")
