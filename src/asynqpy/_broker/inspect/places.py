"""Where the tasks of a state are, and what an inspector may be asked about them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from asynqpy._broker.flow import Flow, command
from asynqpy._wire import keys
from asynqpy.errors import QueryError, QueueNotFoundError
from asynqpy.task import TaskState

LARGEST_PAGE = 1000
"""Tasks on one page: so many are read by one script in a few milliseconds."""

LISTS = (TaskState.PENDING, TaskState.ACTIVE)
"""States whose tasks have no scores."""

STATES_RUN = (TaskState.SCHEDULED, TaskState.RETRY, TaskState.ARCHIVED, TaskState.COMPLETED, TaskState.AGGREGATING)
"""States out of which tasks can be made pending."""

STATES_ARCHIVED = (TaskState.PENDING, TaskState.SCHEDULED, TaskState.RETRY, TaskState.COMPLETED, TaskState.AGGREGATING)
"""States out of which tasks can be archived."""

STATES_DELETED = tuple(state for state in TaskState if state is not TaskState.ACTIVE)
"""States in which tasks can be deleted."""

STATES_MOVED = (TaskState.PENDING, TaskState.SCHEDULED, TaskState.RETRY, TaskState.ARCHIVED, TaskState.AGGREGATING)
"""States in which tasks can be taken to another queue."""


class Place(msgspec.Struct, frozen=True):
    """The list or sorted set of one state of a queue, or of one group."""

    queue: str
    state: TaskState
    group: str = ""

    @property
    def is_list(self) -> bool:
        """Whether it has no scores."""
        return self.state in LISTS

    @property
    def container(self) -> str:
        """Its key."""
        q = keys.of_queue(self.queue)
        return q.group(self.group) if self.state is TaskState.AGGREGATING else q.prefix + self.state

    @property
    def beside(self) -> str:
        """The set that tells more about its tasks: their leases, or their exact due moments; itself where none does."""
        q = keys.of_queue(self.queue)
        if self.state is TaskState.ACTIVE:
            return q.lease
        return q.due if self.state in (TaskState.SCHEDULED, TaskState.RETRY) else self.container


def place(queue: str, state: TaskState | str, group: str | None, allowed: Iterable[TaskState] = TaskState) -> Place:
    """The place of *state*, which must be one of *allowed*; a group belongs to ``aggregating`` alone.

    Raises:
        QueryError: unknown or not allowed, or a group is missing or too much.
    """
    known = state_named(state, allowed)
    if known is TaskState.AGGREGATING and not group:
        raise QueryError("tasks of state 'aggregating' are in groups: name one with group=…, groups() tells which")
    if known is not TaskState.AGGREGATING and group:
        raise QueryError(f"only tasks of state 'aggregating' are in a group, got group={group!r} for state {known!s}")
    return Place(queue, known, group or "")


def state_named(state: TaskState | str, allowed: Iterable[TaskState] = TaskState) -> TaskState:
    """*state* as a state that is one of *allowed*.

    Raises:
        QueryError: it is not.
    """
    for known in allowed:
        if state == known:
            return known
    raise QueryError(f"state must be one of {', '.join(allowed)}, got {state!r}")


def window(page: int, page_size: int) -> tuple[int, int]:
    """Offset and count of page number *page*, the first being 1.

    Raises:
        QueryError: there is no such page.
    """
    if isinstance(page, bool) or not isinstance(page, int) or page < 1:
        raise QueryError(f"page must be a whole number of at least 1, got {page!r}")
    if isinstance(page_size, bool) or not isinstance(page_size, int) or not 1 <= page_size <= LARGEST_PAGE:
        raise QueryError(f"page_size must be between 1 and {LARGEST_PAGE}, got {page_size!r}; iter_tasks() reads all")
    return (page - 1) * page_size, page_size


def require_queue(queue: str) -> Flow[None]:
    """Fail unless *queue* is among the queues.

    Raises:
        QueueNotFoundError: it is not.
    """
    if not (yield command("SISMEMBER", keys.QUEUES, queue)):
        raise QueueNotFoundError(queue)
