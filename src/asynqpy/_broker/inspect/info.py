"""What is told of queues: their names, numbers, groups, days, and what they take in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from asynqpy._broker.flow import Batch, Call, Flow, command
from asynqpy._broker.inspect.places import LISTS, require_queue
from asynqpy._broker.inspect.queues import QueueCounts, checked, many_group_sizes, many_queue_counts, members
from asynqpy._wire import keys
from asynqpy._wire.moments import unix_nanoseconds, unix_seconds
from asynqpy.errors import AsynqpyError, QueryError, QueueNotFoundError
from asynqpy.inspection import DailyStats, GroupInfo, QueueInfo
from asynqpy.task import TaskState

SAMPLED_TASKS = 20
"""Tasks of each state, or of each sampled group, whose memory is looked at; the number is asynq's."""

SAMPLED_GROUPS = 5
"""Groups out of which tasks are sampled."""

LONGEST_HISTORY_DAYS = 3660

_NO_TIME = timedelta(0)

_SETS = (TaskState.SCHEDULED, TaskState.RETRY, TaskState.ARCHIVED, TaskState.COMPLETED)


def queues() -> Flow[list[str]]:
    """The names of all queues, sorted."""
    return (yield from members(keys.QUEUES))


def queue_infos(names: Sequence[str] | None, *, memory: bool, now: datetime) -> Flow[list[QueueInfo]]:
    """The numbers of the queues *names*, or of all queues, in a handful of round trips for all of them together.

    Raises:
        QueueNotFoundError: the first one that does not exist.
    """
    if names is None:
        names = yield from queues()
    else:
        yield from _require(names)
    counts = yield from many_queue_counts(names, now=now)
    usage: Mapping[str, int | None] = {}
    if memory:
        usage = yield from memory_usage(counts)
    unix_now = unix_nanoseconds(now)
    return [_info(each, usage.get(each.queue), now, unix_now) for each in counts]


def queue_info(name: str, *, memory: bool, now: datetime) -> Flow[QueueInfo]:
    """The numbers of one queue.

    Raises:
        QueueNotFoundError: it does not exist.
    """
    return (yield from queue_infos([name], memory=memory, now=now))[0]


def _info(counts: QueueCounts, memory: int | None, now: datetime, unix_now: int) -> QueueInfo:
    since = counts.oldest_pending_since
    return QueueInfo(
        queue=counts.queue,
        memory_usage=memory,
        latency=timedelta(microseconds=(unix_now - since) // 1000) if 0 < since < unix_now else _NO_TIME,
        size=counts.size,
        groups=counts.groups,
        pending=counts.pending,
        active=counts.active,
        scheduled=counts.scheduled,
        retry=counts.retry,
        archived=counts.archived,
        completed=counts.completed,
        aggregating=counts.aggregating,
        processed=counts.processed_today,
        failed=counts.failed_today,
        processed_total=counts.processed,
        failed_total=counts.failed,
        paused=counts.paused,
        timestamp=now,
    )


class _Sample(msgspec.Struct):
    """Some tasks of one state, to tell from their memory that of all."""

    queue: str
    length: int
    """Of how many they are."""
    tasks: list[bytes]
    container: str | None = None
    """The key of the list or set, which takes memory too."""

    def calls(self) -> list[Call]:
        """What to ask for each of them."""
        prefix = keys.of_queue(self.queue).task_prefix
        calls = [command("MEMORY", "USAGE", prefix.encode() + task, key=prefix) for task in self.tasks]
        if self.container:
            calls.append(command("MEMORY", "USAGE", self.container, key=self.container))
        return calls

    def usage(self, replies: Sequence[Any]) -> float:
        """What all of them take."""
        sampled = replies[: len(self.tasks)]
        found = [usage for usage in sampled if usage]
        # as asynq: an average over what was sampled, but in groups over what was found
        of = len(sampled) if self.container else len(found)
        container = (replies[len(self.tasks)] or 0) if self.container else 0
        return float(container + (sum(found) / of * self.length if of else 0))


def memory_usage(counts: Sequence[QueueCounts]) -> Flow[dict[str, int | None]]:
    """The bytes that each queue takes in Redis, estimated from some tasks of each state: three round trips for all.

    None for a queue where Redis refuses to tell: some who rent it out forbid it.
    """
    samples = yield from _samples(counts)
    replies = yield Batch([call for sample in samples for call in sample.calls()])
    sums: dict[str, float | None] = {each.queue: 0.0 for each in counts}
    at = 0
    for sample in samples:
        width = len(sample.tasks) + (sample.container is not None)
        piece, at = replies[at : at + width], at + width
        before = sums[sample.queue]
        refused = any(isinstance(reply, AsynqpyError) for reply in piece)
        sums[sample.queue] = None if refused or before is None else before + sample.usage(piece)
    return {queue: None if usage is None else int(usage) for queue, usage in sums.items()}


def _samples(counts: Sequence[QueueCounts]) -> Flow[list[_Sample]]:
    samples, calls = [], []
    for each in counts:
        prefix = keys.of_queue(each.queue).prefix
        for state in (*LISTS, *_SETS):
            length = getattr(each, state)
            if length:
                samples.append(_Sample(each.queue, length, [], prefix + state))
                calls.append(command("LRANGE" if state in LISTS else "ZRANGE", prefix + state, 0, SAMPLED_TASKS - 1))
    with_groups = [each for each in counts if each.aggregating]
    calls += [command("SSCAN", keys.of_queue(each.queue).groups, 0, "COUNT", SAMPLED_GROUPS) for each in with_groups]
    replies = checked((yield Batch(calls)))
    for sample, tasks in zip(samples, replies, strict=False):
        sample.tasks = list(tasks)
    named = {
        each.queue: reply[1][:SAMPLED_GROUPS] for each, reply in zip(with_groups, replies[len(samples) :], strict=True)
    }
    places = [
        (queue, keys.of_queue(queue).group("").encode() + name) for queue, names in named.items() for name in names
    ]
    windows = checked((yield Batch([_first_of_group(queue, key) for queue, key in places])))
    for each in with_groups:
        tasks = [
            task for (queue, _), window in zip(places, windows, strict=True) if queue == each.queue for task in window
        ]
        samples.append(_Sample(each.queue, each.aggregating, tasks))
    return samples


def _first_of_group(queue: str, key: bytes) -> Call:
    return command("ZRANGE", key, 0, SAMPLED_TASKS - 1, key=keys.of_queue(queue).groups)


def history(queue: str, days: int, *, now: datetime) -> Flow[list[DailyStats]]:
    """What *queue* did today and on the days before, *days* in all, the newest first.

    Raises:
        QueryError: fewer than one day.
        QueueNotFoundError: it does not exist.
    """
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= LONGEST_HISTORY_DAYS:
        raise QueryError(f"days must be between 1 and {LONGEST_HISTORY_DAYS}, got {days!r}; Redis keeps the last 90")
    yield from require_queue(queue)
    q = keys.of_queue(queue)
    dates = [(now - timedelta(days=back)).date() for back in range(days)]
    names = [key for day in dates for key in (q.processed_on(day.isoformat()), q.failed_on(day.isoformat()))]
    counts = [int(count or 0) for count in (yield command("MGET", *names))]
    return [
        DailyStats(queue=queue, day=day, processed=processed, failed=failed)
        for day, processed, failed in zip(dates, counts[::2], counts[1::2], strict=True)
    ]


def groups(queue: str) -> Flow[list[GroupInfo]]:
    """The groups of *queue* by name, with their sizes; those that are empty are left out.

    Raises:
        QueueNotFoundError: it does not exist.
    """
    yield from require_queue(queue)
    sizes = (yield from many_group_sizes([queue]))[queue]
    return [GroupInfo(group=name, size=size) for name, size in sizes.items() if size]


def pause(queue: str, *, now: datetime) -> Flow[bool]:
    """Hold back the tasks of *queue*; returns whether it was not paused before.

    Raises:
        QueueNotFoundError: it does not exist.
    """
    yield from require_queue(queue)
    return bool((yield command("SETNX", keys.of_queue(queue).paused, unix_seconds(now))))


def unpause(queue: str) -> Flow[bool]:
    """Let the tasks of *queue* run again; returns whether it was paused.

    Raises:
        QueueNotFoundError: it does not exist.
    """
    yield from require_queue(queue)
    return bool((yield command("DEL", keys.of_queue(queue).paused)))


def all_of(names: Iterable[str] | str | None) -> Flow[list[str]]:
    """*names*, one or several, in their order, or all queues.

    Raises:
        QueueNotFoundError: the first one that does not exist.
    """
    if names is None:
        return (yield from queues())
    wanted = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    yield from _require(wanted)
    return wanted


def _require(names: Sequence[str]) -> Flow[None]:
    known = checked((yield Batch([command("SISMEMBER", keys.QUEUES, name) for name in names])))
    for name, is_known in zip(names, known, strict=True):
        if not is_known:
            raise QueueNotFoundError(name)
