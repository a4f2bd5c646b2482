"""Walking through all tasks of a state, however many there are, in constant memory, while others move them.

What is promised: a task that stays where it is for the whole walk is seen. In a sorted set it is seen once, because the
walk goes on behind a score and an id, not at a number. In a list it is seen once as well, unless all the ids that the
walk remembers of its last step were taken away by others; then it begins again, rather than leave one out. A task that
is moved meanwhile may be seen, or not, or in both places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from asynqpy._broker import scripts
from asynqpy._broker.flow import Argument, Batch, Flow
from asynqpy._broker.inspect.cursor import Bookmark
from asynqpy._broker.inspect.places import LISTS, Place, place, require_queue, state_named
from asynqpy._broker.inspect.queues import checked, many_group_sizes
from asynqpy._broker.inspect.tasks import FIELDS, Row, info_of, rows_of
from asynqpy._wire import keys
from asynqpy.task import TaskInfo, TaskState

STEP = 500
"""Tasks read at once: one to three milliseconds of Redis."""

_BEHIND_ALL = b"\xff"
"""No id: those are UTF-8. It comes after all of one score."""


class Walk:
    """A walk through one place; each `step` is a flow that gives the next rows.

    Args:
        place: where to walk.
        fields: what to read of each hash.
        descending: begin at the other end.
        start: in a sorted set, the score to begin at, which is part of the walk.
    """

    def __init__(
        self, place: Place, *, fields: tuple[str, ...] = FIELDS, descending: bool = False, start: float | None = None
    ) -> None:
        self.place = place
        self.fields = fields
        """What the steps that begin from now on read of each hash."""
        self._descending = descending
        self._score: bytes = b"" if start is None else repr(start).encode()
        self._member: bytes = _BEHIND_ALL if descending else b""
        self._position = 0
        self._anchors: tuple[bytes, bytes, bytes] = (b"", b"", b"")
        self._lately: set[bytes] = set()
        """What the last step through a list gave: some of it comes again if the walk has to go back a little."""
        self._rows: list[Row] = []
        self.is_over = False
        """Whether the end was reached."""

    def go_back(self, index: int) -> bool:
        """Go on behind the row at *index* of the last step; returns whether there were any."""
        left = len(self._rows) - 1 - index
        if not left:
            return False
        self.is_over = False
        self._rows = self._rows[: index + 1]
        if self.place.is_list:
            self._position -= left
            self._lately = {row[0] for row in self._rows}
        self._remember(self._rows)
        return True

    def bookmark(self) -> Bookmark:
        """Where the walk has got to."""
        place = self.place
        return Bookmark(
            place.queue, place.state.value, place.group, self._score, self._member, self._position, self._anchors
        )

    def resume(self, at: Bookmark) -> None:
        """Go on where another walk through the same place has got to."""
        self._score, self._member, self._position, self._anchors = at.score, at.member, at.position, at.anchors

    def _remember(self, rows: list[Row]) -> None:
        self._member, self._score, *_ = rows[-1]
        self._anchors = (rows[-1][0], rows[len(rows) // 2][0], rows[0][0])

    def step(self, count: int = STEP) -> Flow[list[Row]]:
        """The next rows, at most *count*; none at the end."""
        while not self.is_over:
            rows = yield from (self._step_in_list(count) if self.place.is_list else self._step_in_set(count))
            self.is_over = len(rows) < count
            fresh = [row for row in rows if row[0] not in self._lately]
            if self.place.is_list:
                self._lately = {row[0] for row in rows}
            if fresh:
                self._rows = fresh
                return fresh
        return []

    def _step_in_list(self, count: int) -> Flow[list[Row]]:
        place, fields, prefix = self.place, self.fields, keys.of_queue(self.place.queue).task_prefix
        options: list[Argument] = [prefix, self._position, *self._anchors, count, int(self._descending), *fields]
        reply = yield scripts.WALK_LIST((place.container, place.beside), options)
        self._position = reply[0]
        rows = rows_of(reply, len(fields), start=1)
        if rows:
            self._remember(rows)
        return rows

    def _step_in_set(self, count: int) -> Flow[list[Row]]:
        place, fields, prefix = self.place, self.fields, keys.of_queue(self.place.queue).task_prefix
        options: list[Argument] = [prefix, self._score, self._member, count, int(self._descending), *fields]
        reply = yield scripts.WALK_SET((place.container, place.beside), options)
        rows = rows_of(reply, len(fields))
        if rows:
            self._remember(rows)
        return rows


class Tour:
    """All tasks of a state, group by group where there are groups; each `more` is a flow that gives the next ones."""

    def __init__(
        self, queue: str, state: TaskState | str, group: str | None = None, *, descending: bool = False
    ) -> None:
        self._queue = queue
        self._state = state_named(state)
        if group or self._state is not TaskState.AGGREGATING:
            place(queue, state, group)  # refuses a group where none can be
        self._group = group or ""
        self._descending = descending
        self._walks: Iterator[Walk] | None = None
        self._walk: Walk | None = None

    def more(self, *, now: datetime) -> Flow[list[TaskInfo] | None]:
        """The next tasks; None at the end.

        Raises:
            QueueNotFoundError: the queue does not exist.
        """
        if self._walks is None:
            yield from require_queue(self._queue)
            places = yield from places_of([self._queue], [self._state], self._group)
            self._walks = iter([Walk(at, descending=self._descending) for at in places])
        while self._walk is None or self._walk.is_over:
            self._walk = next(self._walks, None)
            if self._walk is None:
                return None
        at = self._walk.place
        return [info_of(at, row, now=now) for row in (yield from self._walk.step())]


def places_of(queues: Sequence[str], states: Sequence[TaskState], group: str = "") -> Flow[list[Place]]:
    """Where the tasks of *states* are, queue by queue; for those in groups one place for each, unless one is named."""
    sizes: dict[str, dict[str, int]] = {}
    if TaskState.AGGREGATING in states and not group:
        sizes = yield from many_group_sizes(queues)
    return [
        Place(queue, state, name)
        for queue in queues
        for state in states
        for name in (_groups(sizes.get(queue, {}), group) if state is TaskState.AGGREGATING else [""])
    ]


def _groups(sizes: Mapping[str, int], group: str) -> list[str]:
    return [group] if group else [name for name, size in sizes.items() if size]


def filled_places(queues: Sequence[str], states: Sequence[TaskState], group: str = "") -> Flow[list[tuple[Place, int]]]:
    """Those of `places_of` that hold tasks, each with how many: one round trip, and more where there are groups."""
    if not states:
        return []
    asked = [word for state in states for word in _size_of(state, group)]
    calls = [scripts.SIZES((keys.of_queue(queue).prefix,), asked) for queue in queues]
    found = [
        (queue, state, size)
        for queue, sizes in zip(queues, checked((yield Batch(calls))), strict=True)
        for state, size in zip(states, sizes, strict=True)
        if size
    ]
    in_groups = {queue: {group: size} for queue, state, size in found if state is TaskState.AGGREGATING}
    if not group:  # so far it is known how many groups there are, not how many tasks are in each
        in_groups = yield from many_group_sizes(list(in_groups))
    return [
        (Place(queue, state, name), held)
        for queue, state, size in found
        for name, held in (in_groups[queue].items() if state is TaskState.AGGREGATING else [("", size)])
        if held
    ]


def _size_of(state: TaskState, group: str) -> tuple[str, str]:
    """What to ask for: the tasks of a *state*, or where no group is named the groups."""
    if state is TaskState.AGGREGATING:
        return ("ZCARD", f"g:{group}") if group else ("SCARD", "groups")
    return ("LLEN" if state in LISTS else "ZCARD"), state.value
