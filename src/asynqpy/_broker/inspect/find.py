"""Searching tasks by what they are: type, payload, headers, error, time, group, or simply by their ids.

There are no indexes: a search reads through its places, some hundred tasks at a time, and looks into the bytes of a
message before it decodes it. Ids are looked up directly.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fnmatch import translate
from types import EllipsisType
from typing import NamedTuple, TypeAlias

import msgspec

from asynqpy._broker.flow import Flow
from asynqpy._broker.inspect.cursor import Bookmark
from asynqpy._broker.inspect.info import all_of
from asynqpy._broker.inspect.places import Place, state_named
from asynqpy._broker.inspect.tasks import (
    ALL_FIELDS,
    BRIEF,
    FIELDS,
    Row,
    decoded,
    due_moment,
    info_of,
    look_up,
    number,
    text,
    whole_of,
)
from asynqpy._broker.inspect.walk import STEP, Walk, filled_places
from asynqpy._wire.records import TaskMessage
from asynqpy.conditions import (
    FieldCondition,
    HeaderCondition,
    Scalar,
    document_in,
    field_conditions,
    header_conditions,
)
from asynqpy.errors import QueryError, WireError
from asynqpy.inspection import SearchCoverage
from asynqpy.task import TaskInfo, TaskState

LARGEST_LOOK_UP = 200
"""Ids looked up in one round trip."""

_SCAN_FIELDS = FIELDS[:2]
"""What decides whether a task is found: its message, and where time matters since when it is pending."""

_MUCH = 20
"""One find in so many tasks is much."""

_EVER, _NEVER = float("-inf"), float("inf")

_LITERAL = re.compile(r"[^*?\[\]]+")
_BY_SCORE = (TaskState.SCHEDULED, TaskState.RETRY, TaskState.ARCHIVED, TaskState.AGGREGATING)
"""States whose tasks have their moment as their score, so that a search can begin and end at it."""


_Stage: TypeAlias = "Place | Walk | list[tuple[str, str]]"
"""What is still to be done: a place to walk through, a walk to go on with, or queues and ids of tasks to look up."""


class _Rows(NamedTuple):
    """What a step of a walk has read."""

    walk: Walk
    rows: list[Row]
    fields: tuple[str, ...]


class _Lookups(NamedTuple):
    """The tasks that were looked up in a step, and what is known of each."""

    tasks: list[tuple[str, str]]
    known: list[TaskInfo | WireError | None]


Step: TypeAlias = "_Rows | _Lookups"
"""What was read and is to be sifted."""


class Criteria(msgspec.Struct, frozen=True, kw_only=True):
    """What a task must be to be found. Make one with `criteria`."""

    id_prefix: str
    type_pattern: re.Pattern[str] | None
    payload: bytes
    error: str
    group: str
    headers: tuple[HeaderCondition, ...]
    fields: tuple[FieldCondition, ...]
    since: float
    until: float
    needles: tuple[bytes, ...]
    """What must be in the bytes of the message."""
    spellings: tuple[bytes, ...]
    """What must be in them too, unless they have a backslash: then it may be escaped."""

    @property
    def has_text(self) -> bool:
        """Whether the message must be looked at."""
        return bool(
            self.id_prefix
            or self.type_pattern
            or self.payload
            or self.error
            or self.group
            or self.headers
            or self.fields
        )

    @property
    def has_time(self) -> bool:
        """Whether the moment matters."""
        return self.since > _EVER or self.until < _NEVER

    def suits(self, message: TaskMessage, moment: float) -> bool:
        """Whether a task with this *message* and *moment* is to be found; *moment* 0 stands for none."""
        if self.has_time and not (moment and self.since <= moment < self.until):
            return False
        if not message.id.startswith(self.id_prefix):
            return False
        if self.type_pattern is not None and not self.type_pattern.match(message.type):
            return False
        if self.payload not in message.payload or self.error not in message.error_msg:
            return False
        if self.group and message.group_key != self.group:
            return False
        if self.headers and not all(each.suits(message.headers) for each in self.headers):
            return False
        if not self.fields:
            return True
        document = document_in(message.payload)
        return all(each.suits(document) for each in self.fields)


def criteria(
    *,
    id_prefix: str | None,
    type: str | None,  # noqa: A002
    payload: bytes | str | None,
    error: str | None,
    group: str | None,
    headers: Mapping[str, str | EllipsisType] | None,
    payload_fields: Mapping[str, Scalar | EllipsisType] | None,
    since: datetime | None,
    until: datetime | None,
) -> Criteria:
    """What to look for.

    Raises:
        QueryError: a moment has no time zone, what is looked for is no text, or there can be no such header or field.
    """
    for name, value in {"id_prefix": id_prefix, "type": type, "error": error, "group": group}.items():
        if value is not None and not isinstance(value, str):
            raise QueryError(f"{name} must be text, got {value!r}")
    if payload is not None and not isinstance(payload, str | bytes):
        raise QueryError(f"payload must be text or bytes that are part of it, got {payload!r}")
    wanted = payload.encode() if isinstance(payload, str) else payload or b""
    literals = [literal.encode() for literal in _LITERAL.findall(type or "")] if "[" not in (type or "") else []
    of_headers, of_fields = header_conditions(headers), field_conditions(payload_fields)
    needles = (
        (id_prefix or "").encode(),
        *literals,
        wanted,
        (error or "").encode(),
        (group or "").encode(),
        *(needle for each in of_headers for needle in each.needles),
    )
    return Criteria(
        id_prefix=id_prefix or "",
        type_pattern=re.compile(translate(type)) if type else None,
        payload=wanted,
        error=error or "",
        group=group or "",
        headers=of_headers,
        fields=of_fields,
        since=_unix("since", since, _EVER),
        until=_unix("until", until, _NEVER),
        needles=tuple(needle for needle in needles if needle),
        spellings=tuple(needle for each in of_fields for needle in each.needles),
    )


def _unix(name: str, moment: datetime | None, default: float) -> float:
    if moment is None:
        return default
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise QueryError(f"{name} must be a datetime with a time zone, got {moment!r}; use datetime.now(UTC)")
    return moment.timestamp()


class Search:
    """A search; each `more` is a flow that reads on a little and gives what it found.

    Its two halves are `read` and `sift`. A step may be read before the one ahead of it is sifted, and is of no use if
    that one then `went_back`. What fails may be tried again.

    Args:
        queues: names, one name, or None for all queues.
        states: states, one state, or None for all.
        ids: ids to look up, or None to read through everything.
        what: what a task must be.
        descending: read each state from its other end.
        limit: end after so many finds.
        budget: end after so many tasks that were looked at.
        cursor: where an earlier search of the same kind has got to.
        brief: whether it will do to read `BRIEF`.
    """

    def __init__(
        self,
        *,
        queues: Iterable[str] | str | None,
        states: Iterable[TaskState | str] | TaskState | str | None,
        ids: Iterable[str] | str | None,
        what: Criteria,
        descending: bool,
        limit: int | None,
        budget: int | None,
        cursor: str | None,
        brief: bool = False,
    ) -> None:
        self._queues = queues
        named = [states] if isinstance(states, str) else states
        self._states = tuple(TaskState) if named is None else tuple(dict.fromkeys(state_named(each) for each in named))
        self._ids = None if ids is None else [ids] if isinstance(ids, str) else list(dict.fromkeys(ids))
        self._what = what
        self._takes_all = not what.has_text and not what.has_time
        self._fields = BRIEF if brief else FIELDS
        self._descending = descending
        self._limit = _positive("limit", limit)
        self._budget = _positive("budget", budget)
        self._begin = None if cursor is None else Bookmark.decode(cursor)
        if self._begin is not None and self._begin.is_of_lookups != (ids is not None):
            raise QueryError("cursor belongs to another search: give the arguments of that one")
        self._stages: deque[_Stage] = deque()
        self._is_planned = False
        self._step: Step | None = None
        self._last: Row | None = None
        self._scanned = self._matched = self._total = 0
        self.went_back = False
        """Whether what comes behind the last find was put back when a step was sifted last."""

    @property
    def coverage(self) -> SearchCoverage:
        """How much was looked at so far."""
        return SearchCoverage(
            scanned=self._scanned,
            matched=self._matched,
            total=self._total,
            is_complete=self._is_planned and not self._stages,
        )

    @property
    def cursor(self) -> str | None:
        """Where to go on; None when everything was looked at, or nothing yet."""
        if not self._stages:
            return None
        stage = self._front()
        if isinstance(stage, Walk):
            return stage.bookmark().encode()
        return Bookmark(lookups_left=sum(len(each) for each in self._stages if isinstance(each, list))).encode()

    @property
    def may_read_ahead(self) -> bool:
        """Whether another step of a walk is wanted, as far as can be told before the last one is sifted."""
        return not self._is_over and self._ids is None

    @property
    def _is_over(self) -> bool:
        matched = self._scanned if self._takes_all and self._ids is None else self._matched
        return not self._stages or matched >= self._limit or self._scanned >= self._budget

    def more(self, *, now: datetime) -> Flow[list[TaskInfo] | None]:
        """The tasks that were found in the next step, often none; None when the search is over.

        Raises:
            QueueNotFoundError: one of the queues does not exist.
            QueryError: the cursor belongs to another search.
        """
        if self._step is None:
            self._step = yield from self.read(now=now)
            if self._step is None:
                return None
        found = yield from self.sift(self._step, now=now)
        self._step = None  # not before it is sifted
        return found

    def read(self, *, now: datetime) -> Flow[Step | None]:
        """The next step; None when the search is over.

        Raises:
            QueueNotFoundError: one of the queues does not exist.
            QueryError: the cursor belongs to another search.
        """
        if not self._is_planned:
            self._stages = yield from self._plan()
            self._is_planned = True
        if self._is_over:
            return None
        stage = self._front()
        return (yield from (self._walk_on(stage) if isinstance(stage, Walk) else self._look_up(stage, now)))

    def sift(self, step: Step, *, now: datetime) -> Flow[list[TaskInfo]]:
        """What was found in a *step*, often nothing."""
        self.went_back = False
        infos = (yield from self._sift_rows(step, now)) if isinstance(step, _Rows) else self._sift_lookups(step)
        self._matched += len(infos)
        return infos

    def _front(self) -> Walk | list[tuple[str, str]]:
        """The first stage; where it is a place, a walk through it begins."""
        stage = self._stages[0]
        if isinstance(stage, Place):
            stage = self._stages[0] = self._walk(stage)
        return stage

    def _plan(self) -> Flow[deque[_Stage]]:
        queues = yield from all_of(self._queues)
        if self._ids is not None:
            tasks = [(queue, task_id) for task_id in self._ids for queue in queues]
            if self._begin is not None:
                tasks = tasks[max(0, len(tasks) - self._begin.lookups_left) :]
            return deque(tasks[at : at + LARGEST_LOOK_UP] for at in range(0, len(tasks), LARGEST_LOOK_UP))
        places = yield from filled_places(queues, self._states, self._what.group)
        if self._begin is not None:
            places = self._from_the_cursor(places, queues, self._begin)
        self._total = sum(size for _, size in places)
        return deque(at for at, _ in places)

    def _from_the_cursor(
        self, places: Sequence[tuple[Place, int]], queues: Sequence[str], begin: Bookmark
    ) -> list[tuple[Place, int]]:
        """The places that come at or behind *begin*, which may be gone itself."""
        if begin.queue not in queues or begin.state not in self._states:
            raise QueryError("cursor belongs to another search: give the arguments of that one")
        queue_ranks = {queue: rank for rank, queue in enumerate(queues)}
        state_ranks = {state: rank for rank, state in enumerate(self._states)}
        first = (queue_ranks[begin.queue], state_ranks[TaskState(begin.state)], begin.group)
        return [(at, size) for at, size in places if (queue_ranks[at.queue], state_ranks[at.state], at.group) >= first]

    def _walk(self, at: Place) -> Walk:
        start = None
        if at.state in _BY_SCORE:
            bound = self._what.until if self._descending else self._what.since
            # Scores are whole seconds, those of due moments rounded up, so begin a second early.
            start = bound + 1 if self._descending else bound - 1
        is_bounded = start is not None and abs(start) != float("inf")
        fields: tuple[str, ...] = self._fields  # of those who ask for no text most are found
        if self._what.has_text:
            fields = _SCAN_FIELDS if self._what.has_time else _SCAN_FIELDS[:1]
        walk = Walk(at, fields=fields, descending=self._descending, start=start if is_bounded else None)
        begin = self._begin
        if begin is not None and (begin.queue, begin.state, begin.group) == (at.queue, at.state, at.group):
            walk.resume(begin)
        return walk

    def _walk_on(self, walk: Walk) -> Flow[_Rows]:
        count = min(STEP, self._budget - self._scanned)
        if self._takes_all:
            count = min(count, self._limit - self._scanned)
        fields = walk.fields
        rows = yield from walk.step(int(count))
        self._scanned += len(rows)
        self._last = rows[-1] if rows else None
        if self._is_done(walk):
            self._stages.popleft()
        return _Rows(walk, rows, fields)

    def _is_done(self, walk: Walk) -> bool:
        """Whether nothing that is behind the last row of *walk* can be wanted."""
        return walk.is_over or self._is_beyond(walk)

    def _sift_rows(self, step: _Rows, now: datetime) -> Flow[list[TaskInfo]]:
        walk, rows, fields = step
        at = walk.place
        found = [(index, row, known) for index, row in enumerate(rows) if (known := self._match(at, row)) is not None]
        # Where much is found it is cheaper to read everything at once.
        walk.fields = self._fields if len(found) * _MUCH > len(rows) else walk.fields
        room = self._limit - self._matched
        is_enough = len(found) >= room
        if is_enough:
            found = found[: int(room)]
        if fields is BRIEF:
            infos = [info_of(at, whole_of(row), now=now, known=known) for _, row, known in found]
        elif fields is self._fields:
            infos = [info_of(at, row, now=now, known=known) for _, row, known in found]
        else:  # read once more, with all that belongs to it; meanwhile it may have moved on
            stored = yield from look_up([(at.queue, text(row[0])) for _, row, _ in found], now=now)
            infos = [info for info in stored if isinstance(info, TaskInfo) and info.state is at.state]
        if is_enough:  # not before: what fails is sifted again
            self._go_back(walk, found[-1][0])
        return infos

    def _go_back(self, walk: Walk, last: int) -> None:
        """Leave what comes behind the row at index *last* of the step to those who go on later."""
        self.went_back = True
        if self._stages and self._stages[0] is walk:
            self._stages.popleft()
        if walk.go_back(last) or not self._is_done(walk):
            self._stages.appendleft(walk)

    def _match(self, at: Place, row: Row) -> tuple[TaskMessage, bool] | None:
        """The message of a task that is to be found, and whether it can be read; None for any other."""
        _, score, beside, data, *more = row
        if self._takes_all:
            return decoded(at.queue, row[0], data)
        for needle in self._what.needles:
            if needle not in data:
                return None
        for needle in self._what.spellings:
            if needle not in data and b"\\" not in data:
                return None
        message, is_readable = decoded(at.queue, row[0], data)
        moment = _moment(at.state, score, beside, more[0], message.completed_at) if self._what.has_time else 0.0
        return (message, is_readable) if self._what.suits(message, moment) else None

    def _is_beyond(self, walk: Walk) -> bool:
        """Whether everything behind the last row of *walk* is out of the time that is asked for."""
        if walk.place.state not in _BY_SCORE or not self._what.has_time or self._last is None:
            return False
        score = number(self._last[1])
        return score < self._what.since if self._descending else score - 1 >= self._what.until

    def _look_up(self, tasks: list[tuple[str, str]], now: datetime) -> Flow[_Lookups]:
        known = yield from look_up(tasks, now=now, fields=ALL_FIELDS)
        self._scanned += sum(isinstance(info, TaskInfo) for info in known)
        self._stages.popleft()
        return _Lookups(tasks, known)

    def _sift_lookups(self, step: _Lookups) -> list[TaskInfo]:
        found = [
            (index, info)
            for index, info in enumerate(step.known)
            if isinstance(info, TaskInfo) and info.state in self._states and self._is_wanted(info)
        ]
        room = self._limit - self._matched
        if len(found) >= room:
            found = found[: int(room)]
            left = step.tasks[found[-1][0] + 1 :]
            if left:
                self._stages.appendleft(left)
        return [info for _, info in found]

    def _is_wanted(self, info: TaskInfo) -> bool:
        moments = {
            TaskState.SCHEDULED: info.next_process_at,
            TaskState.RETRY: info.next_process_at,
            TaskState.ARCHIVED: info.archived_at,
            TaskState.COMPLETED: info.completed_at,
            TaskState.PENDING: info.pending_since,
        }
        moment = moments.get(info.state)
        return self._what.suits(info._message, moment.timestamp() if moment else 0.0)  # type: ignore[arg-type]


def _moment(state: TaskState, score: bytes, beside: bytes, pending_since: bytes, completed_at: float) -> float:
    """The moment that matters in a *state*, in Unix seconds; 0 when there is none."""
    match state:
        case TaskState.SCHEDULED | TaskState.RETRY:
            return due_moment(number(score), number(beside))
        case TaskState.ARCHIVED | TaskState.AGGREGATING:
            return number(score)
        case TaskState.COMPLETED:
            return completed_at
        case TaskState.PENDING:
            return number(pending_since) / 1e9
        case TaskState.ACTIVE:
            return 0.0


def _positive(name: str, value: int | None) -> float:
    if value is None:
        return float("inf")
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise QueryError(f"{name} must be a whole number of at least 1, got {value!r}")
    return value
