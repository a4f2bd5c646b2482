"""The inspector that blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from types import EllipsisType

from asynqpy._broker import rollups
from asynqpy._broker.inspect import (
    edit,
    find,
    info,
    locks,
    move,
    orphans,
    places,
    presence,
    remove,
    stored,
    tasks,
    transfer,
    walk,
)
from asynqpy._inspector.fleet import DEFAULT_PAGE_SIZE, FleetInspector
from asynqpy._inspector.searches import TaskSearch, toured
from asynqpy.conditions import Scalar
from asynqpy.identity import new_id
from asynqpy.inspection import (
    AllRates,
    DailyStats,
    GroupInfo,
    MoveReport,
    OrphanReport,
    QueueInfo,
    QueueRates,
    StoredTask,
    UniqueLock,
)
from asynqpy.options import Duration
from asynqpy.task import TaskInfo, TaskState


class Inspector(FleetInspector):
    """Looks at queues, tasks, servers and schedulers, and acts on tasks and queues. Blocks; threads may share it.

    Nothing is contacted before the first call. Use it as a context manager, or call `close`. Whatever it is asked of a
    queue that does not exist raises `QueueNotFoundError`; every call raises `BrokerError` when Redis is down or
    refuses. Servers may go on working meanwhile, those of asynq too.

    Args:
        redis: a URL, `RedisOptions`, or a redis-py client, whose settings are then used and which is never closed;
            ``ASYNQPY_REDIS_URL`` or ``redis://localhost:6379/0`` when not given.
        clock: the source of time.

    Raises:
        ConfigError: the settings cannot work.
    """

    # Queues

    def queues(self) -> list[str]:
        """The names of all queues, sorted."""
        return self._channel.run(info.queues())

    def queue_info(self, queue: str, *, memory: bool = True) -> QueueInfo:
        """The numbers of a queue.

        Without *memory* it is not estimated how much memory the queue takes, which is the only part that costs more
        than a few microseconds.
        """
        return self._channel.run(info.queue_info(queue, memory=memory, now=self._now()))

    def queue_infos(self, queues: Iterable[str] | None = None, *, memory: bool = True) -> list[QueueInfo]:
        """The numbers of *queues* in their order, or of all queues by name; together they cost a few round trips."""
        names = None if queues is None else list(queues)
        return self._channel.run(info.queue_infos(names, memory=memory, now=self._now()))

    def history(self, queue: str, days: int = 10) -> list[DailyStats]:
        """What a queue did on the last *days* days in UTC, today first. Redis keeps 90 days.

        Raises:
            QueryError: fewer than one day.
        """
        return self._channel.run(info.history(queue, days, now=self._now()))

    def rates(self, queue: str, minutes: int = 60) -> QueueRates:
        """How fast a queue worked in the last *minutes*, at most 120: arrivals, attempts, waiting and running times.

        Known from what servers of Python write down, unless they were told not to; what servers of Go do is not in it.

        Raises:
            QueryError: no minute at all, or more than are kept.
        """
        return self._channel.run(rollups.rates(queue, minutes, now=self._now()))

    def all_rates(self, queues: Iterable[str] | None = None, minutes: int = 60) -> AllRates:
        """`rates` of *queues* in their order, or of all queues by name, and of all of them together."""
        return self._channel.run(rollups.all_rates(queues, minutes, now=self._now()))

    def groups(self, queue: str) -> list[GroupInfo]:
        """The groups in which tasks of a queue wait, by name."""
        return self._channel.run(info.groups(queue))

    def pause_queue(self, queue: str) -> bool:
        """Hold back the tasks of a queue; those that run go on. Returns False when it was paused already."""
        return self._channel.run(info.pause(queue, now=self._now()))

    def unpause_queue(self, queue: str) -> bool:
        """Let the tasks of a queue run again. Returns False when it was not paused."""
        return self._channel.run(info.unpause(queue))

    def delete_queue(self, queue: str, *, force: bool = False) -> None:
        """Delete a queue with all that belongs to it: completed tasks, counters, locks.

        With *force* the tasks that wait in it and those that are archived go too; it is paused while they do. If the
        call breaks off, make it again. A task that is enqueued meanwhile is deleted whole or stays whole, and then its
        queue stays as well.

        Raises:
            QueueNotEmptyError: it holds tasks and is not forced, or some of them run; ``counts`` tells how many.
        """
        self._channel.run(remove.delete_queue(queue, force=force, now=self._now()))

    # Tasks

    def task_info(self, queue: str, task_id: str) -> TaskInfo:
        """What is known of a task.

        Raises:
            TaskNotFoundError: there is none.
        """
        return self._channel.run(tasks.task_info(queue, task_id, now=self._now()))

    def list_tasks(
        self,
        queue: str,
        state: TaskState | str,
        *,
        group: str | None = None,
        page: int = 1,
        page_size: int = DEFAULT_PAGE_SIZE,
        descending: bool = False,
    ) -> list[TaskInfo]:
        """A page of the tasks of a state: first those that run next, or were archived, or completed, first.

        The first *page* is 1; *page_size* is at most 1000. With *descending* the order is the other way round. Tasks
        that are ``aggregating`` are listed by *group*.

        Raises:
            QueryError: there is no such state or page, or a group is missing or too much.
        """
        place = places.place(queue, state, group)
        return self._channel.run(tasks.task_page(place, page, page_size, descending=descending, now=self._now()))

    def iter_tasks(
        self, queue: str, state: TaskState | str, *, group: str | None = None, descending: bool = False
    ) -> Iterator[TaskInfo]:
        """All tasks of a state, in the order of `list_tasks`, however many, in constant memory.

        A task that stays in its state for the whole time is seen: once, or in rare cases twice where tasks run while
        the pending or active ones are read. Without a *group* those of all groups are read, one group after the other.

        Raises:
            QueryError: there is no such state, or it has no groups.
        """
        return toured(self._channel, walk.Tour(queue, state, group, descending=descending), self._clock)

    def find_tasks(
        self,
        *,
        queues: Iterable[str] | str | None = None,
        states: Iterable[TaskState | str] | TaskState | str | None = None,
        ids: Iterable[str] | str | None = None,
        id_prefix: str | None = None,
        type: str | None = None,  # noqa: A002
        payload: bytes | str | None = None,
        error: str | None = None,
        group: str | None = None,
        headers: Mapping[str, str | EllipsisType] | None = None,
        payload_fields: Mapping[str, Scalar | EllipsisType] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        descending: bool = False,
        limit: int | None = None,
        budget: int | None = None,
        cursor: str | None = None,
        brief: bool = False,
    ) -> TaskSearch:
        r"""The tasks for which all that is given holds, found one after the other as they are asked for.

        There is no index: everything but *ids* reads through the tasks, about a hundred thousand a second.

        Args:
            queues: where to look; in all queues unless given.
            states: in which states; in all unless given.
            ids: tasks with these ids, which are looked up directly.
            id_prefix: what their ids begin with; unlike *ids* it reads through the tasks.
            type: their type name; ``*``, ``?`` and ``[…]`` stand for other characters as in file names.
            payload: part of their payload; text means its UTF-8 bytes.
            error: part of the text of their last error.
            group: the group that they were enqueued to.
            headers: the value of each of these headers, ``...`` for any: ``{"tenant": "acme", "trace": ...}``.
            payload_fields: the value of each of these fields of their payload, by its path: ``{"user.id": 7}``, or
                ``{"items.0.sku": ...}`` for any value. A path has names and, for arrays, indexes from 0, with dots
                between; ``\.`` is a dot in a name. Values are text, numbers, True, False or None, which is ``null``;
                numbers are compared exactly, and 7 is not "7". Payloads are read as JSON, or as MessagePack; in those
                that are neither no field is found.
            since: the moment at or after which they run next, were archived, completed, put into their group, or
                became pending. Active tasks have no such moment, so they are not found by it.
            until: the moment before which they do.
            descending: read each state from its other end, for example the latest archived tasks first.
            limit: end after so many were found.
            budget: end after so many were looked at; ``coverage`` tells how far that was.
            cursor: the ``cursor`` of an earlier search with the same arguments, to go on behind the last task that it
                found.
            brief: results, progress, and how often tasks crashed or were handed on need not be read and may be missing;
                where nothing but queues, states and times is asked for, reading takes about a quarter less time then.

        Raises:
            QueryError: an argument cannot work.
        """
        what = find.criteria(
            id_prefix=id_prefix,
            type=type,
            payload=payload,
            error=error,
            group=group,
            headers=headers,
            payload_fields=payload_fields,
            since=since,
            until=until,
        )
        search = find.Search(
            queues=queues,
            states=states,
            ids=ids,
            what=what,
            descending=descending,
            limit=limit,
            budget=budget,
            cursor=cursor,
            brief=brief,
        )
        return TaskSearch(self._channel, search, self._clock)

    def run_task(self, queue: str, task_id: str) -> None:
        """Make a task pending that waits, is archived or completed; it runs after those that are pending already.

        Raises:
            TaskNotFoundError: there is none.
            TaskStateError: it is active, pending, or being aggregated just now.
        """
        self._channel.run(move.run_task(queue, task_id, now=self._now()))

    def archive_task(self, queue: str, task_id: str) -> None:
        """Archive a task that waits or is completed. An archive that gets too large drops its oldest tasks.

        Raises:
            TaskNotFoundError: there is none.
            TaskStateError: it is active, archived, or being aggregated just now.
        """
        self._channel.run(move.archive_task(queue, task_id, now=self._now()))

    def delete_task(self, queue: str, task_id: str) -> None:
        """Delete a task that is not running, and release the uniqueness lock that it holds.

        Raises:
            TaskNotFoundError: there is none.
            TaskStateError: it is active, or being aggregated just now.
        """
        self._channel.run(move.delete_task(queue, task_id))

    def run_all(
        self,
        queue: str,
        state: TaskState | str,
        *,
        group: str | None = None,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> int:
        """Make all tasks of a state pending, or of a group, and return how many.

        They are moved some hundred at a time, each in one step. *on_progress* is called after each batch with how many
        were handled and how many there are; what it raises ends the work between two batches.

        Raises:
            QueryError: tasks of this state cannot be run, or a group is missing or too much.
        """
        place = places.place(queue, state, group, places.STATES_RUN)
        return self._channel.run(move.run_all(place, now=self._now(), on_progress=on_progress))

    def archive_all(
        self,
        queue: str,
        state: TaskState | str,
        *,
        group: str | None = None,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> int:
        """Archive all tasks of a state, or of a group, and return how many; for the rest see `run_all`.

        An archive keeps 10,000 tasks for 90 days: beyond that the oldest are dropped, as when tasks fail.

        Raises:
            QueryError: tasks of this state cannot be archived, or a group is missing or too much.
        """
        place = places.place(queue, state, group, places.STATES_ARCHIVED)
        return self._channel.run(move.archive_all(place, now=self._now(), on_progress=on_progress))

    def delete_all(
        self,
        queue: str,
        state: TaskState | str,
        *,
        group: str | None = None,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> int:
        """Delete all tasks of a state, or of a group, with the locks that they hold; for the rest see `run_all`.

        Raises:
            QueryError: tasks of this state cannot be deleted, or a group is missing or too much.
        """
        place = places.place(queue, state, group, places.STATES_DELETED)
        return self._channel.run(move.delete_all(place, on_progress=on_progress))

    def move_task(self, queue: str, task_id: str, to_queue: str) -> None:
        """Take a task that waits or is archived to another queue, which need not exist yet; see `move_all`.

        Raises:
            QueryError: it is the same queue.
            InvalidTaskError: *to_queue* is blank.
            TaskNotFoundError: there is none.
            TaskStateError: it is active or completed, or being aggregated just now.
            TaskIDConflictError: the other queue has a task with this id.
            DuplicateTaskError: it is unique, and a task like it in the other queue holds the lock.
            WireError: its message cannot be read.
        """
        self._channel.run(transfer.move_task(queue, task_id, to_queue, now=self._now(), registry=self._registry))

    def move_all(
        self,
        queue: str,
        state: TaskState | str,
        to_queue: str,
        *,
        group: str | None = None,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> MoveReport:
        """Take all tasks of a state, or of a group, to another queue, which need not exist yet; see `run_all`.

        Each keeps its id, state, moment, retries, group and lock. One whose id or lock is taken in the other queue
        stays, and the report tells which. A task is never ready to run in both queues; should the call break off, those
        on their way, a hundred at most, are in the archive of *queue*.

        Raises:
            QueryError: tasks of this state cannot be moved, a group is missing or too much, or it is the same queue.
            InvalidTaskError: *to_queue* is blank.
        """
        place = places.place(queue, state, group, places.STATES_MOVED)
        return self._channel.run(
            transfer.move_all(place, to_queue, now=self._now(), registry=self._registry, on_progress=on_progress)
        )

    def update_payload(self, queue: str, task_id: str, payload: object, *, expected: bytes | None = None) -> None:
        """Exchange the payload of a task that waits or is archived; everything else stays.

        The lock of a unique task moves to the new payload and ends when it would have ended. With *expected*, only if
        that is still its payload.

        Raises:
            InvalidTaskError: the payload has no JSON form.
            TaskNotFoundError: there is none.
            TaskStateError: it is active or completed, or being aggregated just now.
            DuplicateTaskError: it is unique, and another task with the new payload holds the lock.
            PayloadChangedError: its payload is not the *expected* one.
            WireError: its message cannot be read.
        """
        self._channel.run(edit.update_payload(queue, task_id, payload, expected))

    def reschedule_task(
        self, queue: str, task_id: str, *, process_at: datetime | None = None, process_in: Duration | None = None
    ) -> None:
        """Let a scheduled task, or one to be retried, wait for another moment; one that has passed is now.

        Raises:
            InvalidTaskError: not one of the two was given.
            TaskNotFoundError: there is none.
            TaskStateError: it waits for no moment.
        """
        self._channel.run(edit.reschedule_task(queue, task_id, process_at, process_in, now=self._now()))

    def enqueue_again(
        self, queue: str, task_id: str, payload: object = None, *, to_queue: str | None = None
    ) -> TaskInfo:
        """Enqueue a copy of a completed or archived task under a new id; the task itself stays as it is.

        The copy has its type, headers, retry limit, timeout, retention and group, its deadline if that is still to
        come, and its *payload* unless another is given. It is not unique, because for how long is written nowhere.

        Raises:
            InvalidTaskError: the payload has no JSON form, or *to_queue* is blank.
            TaskNotFoundError: there is none.
            TaskStateError: it is neither completed nor archived.
            WireError: its message cannot be read.
        """
        return self._channel.run(
            edit.enqueue_again(
                queue, task_id, payload, to_queue, now=self._now(), new_id=new_id, registry=self._registry
            )
        )

    def cancel_task(self, task_id: str) -> None:
        """Tell all servers to cancel a running task with this id; nobody tells whether one did."""
        self._channel.run(presence.cancel_task(task_id))

    def recover_orphans(self, queue: str, *, repair: bool = False) -> OrphanReport:
        """Look for tasks, ids, groups and locks that broken or killed peers have left behind, and mend it if asked to.

        Reads every key of the queue. Lost tasks are archived, with the reason as their error.
        """
        return self._channel.run(orphans.recover_orphans(queue, repair=repair, now=self._now()))

    def unique_lock(self, queue: str, task_id: str) -> UniqueLock | None:
        """The uniqueness lock that a task was enqueued with, whoever holds it now; None when there is none any more.

        Raises:
            TaskNotFoundError: there is no such task.
        """
        return self._channel.run(locks.unique_lock(queue, task_id, now=self._now()))

    def stored_task(self, queue: str, task_id: str) -> StoredTask:
        """A task as it lies in Redis, byte for byte, with what other versions have written.

        Raises:
            TaskNotFoundError: there is no such task.
        """
        return self._channel.run(stored.stored_task(queue, task_id))
