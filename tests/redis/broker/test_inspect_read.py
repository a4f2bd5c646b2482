"""Inspectors read tasks: by id, by page, and all of them while they move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from asynqpy._broker.inspect import tasks
from asynqpy._broker.inspect.places import Place, place
from asynqpy._broker.inspect.walk import Tour, Walk
from asynqpy._wire import keys
from asynqpy.errors import QueryError, QueueNotFoundError, TaskNotFoundError, WireError
from asynqpy.task import TaskInfo, TaskState
from tests.redis.drive import Driver
from tests.redis.inspected import SINCE, Inspected

STATES = [state.value for state in TaskState]


@pytest.fixture
def low(redis: Redis) -> Inspected:
    """The queue ``low``, listed."""
    return Inspected(redis)


@pytest.fixture
def now(low: Inspected) -> datetime:
    """The present moment of the server."""
    return low.today()


def at(state: str) -> Place:
    return place("low", state, "g" if state == "aggregating" else None)


def ids(found: Sequence[TaskInfo]) -> list[str]:
    return [info.id for info in found]


def moment(unix: float) -> datetime:
    return datetime.fromtimestamp(unix, UTC)


class TestOneTask:
    """`task_info`, and the same task on a page."""

    @pytest.mark.parametrize("state", STATES)
    @pytest.mark.parametrize("how", ["by id", "page", "walk"])
    def test_tells_all_that_is_known(self, run: Driver, low: Inspected, now: datetime, state: str, how: str) -> None:
        """Whatever any peer has written of it."""
        fields = {
            "result": "r",
            "py:traceback": "where",
            "py:crashes": 2,
            "py:released": 3,
            "py:progress": "0.4",
            "py:progress_text": "на полпути",
            "py:progress_at": 1_700_000_000_250,
        }
        low.bring(state, "a", fields, payload=b"p", error_msg="boom", retried=1, headers={"h": "v"}, unique_key="u")
        if how == "by id":
            info = run(tasks.task_info("low", "a", now=now))
        elif how == "page":
            (info,) = run(tasks.task_page(at(state), 1, 30, now=now))
        else:
            (info,) = walked(run, Tour("low", state), now)
        assert (info.id, info.queue, info.type, info.payload, info.state) == ("a", "low", "t", b"p", state)
        assert (info.last_error, info.retried, info.max_retry, info.headers) == ("boom", 1, 25, {"h": "v"})
        assert (info.result, info.traceback, info.crashes, info.unique_key) == (b"r", "where", 2, "u")
        assert info.released == 3
        assert (info.progress, info.progress_text) == (0.4, "на полпути")
        assert info.progress_at == moment(1_700_000_000.25)
        assert info.group == ("g" if state == "aggregating" else "")
        due = {"pending": now, "scheduled": moment(SINCE), "retry": moment(SINCE)}
        assert info.next_process_at == due.get(state)
        assert info.archived_at == (moment(SINCE) if state == "archived" else None)
        assert info.pending_since == (moment(SINCE) if state == "pending" else None)
        assert info.is_readable
        assert not info.is_orphaned

    @pytest.mark.parametrize(("state", "ends_in", "orphaned"), [("active", 30, False), ("active", -1, True)])
    def test_is_orphaned_when_its_lease_is_over(
        self, run: Driver, low: Inspected, now: datetime, state: str, ends_in: float, orphaned: bool
    ) -> None:
        """Nobody has recovered it yet."""
        low.active("a", ends_in=ends_in)
        assert run(tasks.task_info("low", "a", now=now)).is_orphaned is orphaned
        assert run(tasks.task_page(at(state), 1, 30, now=now))[0].is_orphaned is orphaned

    def test_is_due_at_its_exact_moment(self, run: Driver, low: Inspected, now: datetime) -> None:
        """As long as that agrees with the seconds that Go reads."""
        low.waiting("scheduled", "exact", SINCE + 0.25)
        low.waiting("retry", "moved", SINCE + 0.25)
        low.redis.zadd(low.keys.retry, {"moved": SINCE + 60})
        assert run(tasks.task_info("low", "exact", now=now)).next_process_at == moment(SINCE + 0.25)
        assert run(tasks.task_page(at("scheduled"), 1, 1, now=now))[0].next_process_at == moment(SINCE + 0.25)
        assert run(tasks.task_info("low", "moved", now=now)).next_process_at == moment(SINCE + 60)

    def test_that_cannot_be_read_is_shown(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Go leaves it out of pages; here people can see and delete it."""
        low.bring("retry", "a", {"py:progress": "nonsense", "py:crashes": "nonsense"})
        low.redis.hset(low.keys.task("a"), "msg", b"\xff\xff")
        low.redis.zadd(low.keys.retry, {"ghost": SINCE + 1})
        for info in (run(tasks.task_info("low", "a", now=now)), run(tasks.task_page(at("retry"), 1, 30, now=now))[0]):
            assert (info.id, info.type, info.payload, info.is_readable) == ("a", "", b"\xff\xff", False)
            assert (info.progress, info.crashes) == (0, 0)
        ghost = run(tasks.task_page(at("retry"), 2, 1, now=now))[0]
        assert (ghost.id, ghost.payload, ghost.is_readable) == ("ghost", b"", False)

    def test_that_does_not_exist(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Is told from a missing queue."""
        with pytest.raises(TaskNotFoundError):
            run(tasks.task_info("low", "a", now=now))
        with pytest.raises(QueueNotFoundError):
            run(tasks.task_info("none", "a", now=now))

    def test_without_a_state(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Is broken; the error says what mends it."""
        low.hash("a", "nowhere")
        with pytest.raises(WireError, match="recover_orphans"):
            run(tasks.task_info("low", "a", now=now))


class TestPages:
    """Windows by number and size."""

    @pytest.mark.parametrize("state", [state for state in STATES if state != "active"])
    @pytest.mark.parametrize("descending", [False, True])
    def test_follow_each_other(self, run: Driver, low: Inspected, now: datetime, state: str, descending: bool) -> None:
        """First the next to run; the last page is short, and behind it there are none."""
        expected = low.many(state, 25)
        if descending:
            expected.reverse()
        found = [
            ids(run(tasks.task_page(at(state), page, 10, descending=descending, now=now))) for page in (1, 2, 3, 4)
        ]
        assert found == [expected[:10], expected[10:20], expected[20:], []]

    def test_of_active_tasks_begin_with_the_oldest_claim(self, run: Driver, low: Inspected, now: datetime) -> None:
        """As in asynq."""
        for task_id in ("a", "b", "c"):
            low.active(task_id)
        assert ids(run(tasks.task_page(at("active"), 1, 2, now=now))) == ["a", "b"]
        assert ids(run(tasks.task_page(at("active"), 1, 2, descending=True, now=now))) == ["c", "b"]

    @pytest.mark.parametrize(("page", "size"), [(0, 10), (-1, 10), (1, 0), (1, -1), (1, 1001), (True, 10), (1.0, 10)])
    def test_that_cannot_be_are_refused(self, low: Inspected, now: datetime, page: Any, size: int) -> None:
        """asynq gives everything for size 0, and nonsense for page 0."""
        with pytest.raises(QueryError, match="page"):
            next(tasks.task_page(at("retry"), page, size, now=now))

    @pytest.mark.parametrize(
        ("state", "group"), [("nonsense", None), ("aggregating", None), ("aggregating", ""), ("retry", "g"), ("", None)]
    )
    def test_of_no_place_are_refused(self, state: str, group: str | None) -> None:
        """Groups belong to aggregating tasks, and the other way round."""
        with pytest.raises(QueryError):
            place("low", state, group)

    def test_of_a_missing_queue(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Are no empty pages."""
        with pytest.raises(QueueNotFoundError):
            run(tasks.task_page(Place("none", TaskState.RETRY), 1, 30, now=now))


def walked(run: Driver, tour: Tour, now: datetime) -> list[TaskInfo]:
    """All that a tour gives."""
    found: list[TaskInfo] = []
    while (more := run(tour.more(now=now))) is not None:
        found += more
    return found


class TestTours:
    """All tasks of a state, one after the other."""

    @pytest.mark.parametrize("state", [state for state in STATES if state != "active"])
    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("count", [0, 1, 499, 500, 1001])
    def test_see_each_once(
        self, run: Driver, low: Inspected, now: datetime, state: str, descending: bool, count: int
    ) -> None:
        """In order, whatever the size of the last step."""
        expected = low.many(state, count) if count else []
        found = ids(walked(run, Tour("low", state, descending=descending), now))
        assert found == (expected[::-1] if descending else expected)

    def test_go_through_all_groups(self, run: Driver, low: Inspected, now: datetime) -> None:
        """One after the other, or through one alone."""
        for group in ("h", "g", "i"):
            low.grouped(f"in {group}", group)
        assert ids(walked(run, Tour("low", "aggregating"), now)) == ["in g", "in h", "in i"]
        assert ids(walked(run, Tour("low", "aggregating", "h"), now)) == ["in h"]

    def test_refuse_what_cannot_be(self, run: Driver, low: Inspected, now: datetime) -> None:
        """At once where nobody needs to be asked."""
        with pytest.raises(QueryError):
            Tour("low", "nonsense")
        with pytest.raises(QueryError):
            Tour("low", "retry", "g")
        with pytest.raises(QueueNotFoundError):
            run(Tour("none", "retry").more(now=now))


class TestWalksAmongChanges:
    """What stays is seen, once, whatever others do between two steps."""

    def steps(self, run: Driver, walk: Walk, between: Callable[[int], None], count: int = 10) -> list[str]:
        seen: list[str] = []
        step = 0
        while rows := run(walk.step(count)):
            seen += (row[0].decode() for row in rows)
            step += 1
            between(step)
        return seen

    @pytest.mark.parametrize("descending", [False, True])
    def test_a_set_loses_what_was_seen(self, run: Driver, low: Inspected, descending: bool) -> None:
        """Ranks move, also that of the member last seen; scores are shared by ten each."""
        expected = low.many("retry", 95)

        def between(step: int) -> None:
            in_order = expected[::-1] if descending else expected
            gone = in_order[(step - 1) * 10 : step * 10]
            low.redis.zrem(low.keys.retry, *gone)

        walk = Walk(at("retry"), fields=("msg",), descending=descending)
        assert self.steps(run, walk, between) == (expected[::-1] if descending else expected)

    @pytest.mark.parametrize("descending", [False, True])
    def test_a_set_gains_members_everywhere(self, run: Driver, low: Inspected, descending: bool) -> None:
        """New ones may be seen or not; none of the old twice."""
        expected = low.many("retry", 95)

        def between(step: int) -> None:
            low.redis.zadd(low.keys.retry, {f"new-{step}-{n}": SINCE + n for n in range(-1, 11)})

        walk = Walk(at("retry"), fields=("msg",), descending=descending)
        seen = [task_id for task_id in self.steps(run, walk, between) if not task_id.startswith("new")]
        assert seen == (expected[::-1] if descending else expected)

    def test_members_of_one_score_are_ordered_by_their_bytes(self, run: Driver, low: Inspected) -> None:
        """Not by the rules of any language: upper case comes before lower, and ASCII before the rest."""
        names = ["A", "B-1", "B1", "Z", "_", "a", "a-b", "ab", "z", "é", "я"]
        low.redis.zadd(low.keys.retry, dict.fromkeys(names, SINCE))
        for descending in (False, True):
            walk = Walk(at("retry"), fields=("msg",), descending=descending)
            gone: list[str] = []

            def forget_last(step: int, walk: Walk = walk, gone: list[str] = gone) -> None:
                gone.append(walk._member.decode())
                low.redis.zrem(low.keys.retry, gone[-1])

            assert self.steps(run, walk, forget_last, 1) == (names[::-1] if descending else names)
            low.redis.zadd(low.keys.retry, dict.fromkeys(names, SINCE))

    def test_a_list_that_workers_take_from(self, run: Driver, low: Inspected) -> None:
        """Every task is seen once, though what was seen is gone from the end where reading began."""
        expected = low.many("pending", 300)
        walk = Walk(at("pending"), fields=("msg",))
        seen = self.steps(run, walk, lambda step: low.redis.rpop(low.keys.pending, 7))
        assert seen == expected

    def test_a_list_that_workers_empty_faster_than_it_is_read(self, run: Driver, low: Inspected) -> None:
        """All that it remembers is gone, and then some: it begins again with what is left."""
        expected = low.many("pending", 300)
        walk = Walk(at("pending"), fields=("msg",))
        seen = self.steps(run, walk, lambda step: low.redis.rpop(low.keys.pending, 25))
        assert seen == [task_id for n, task_id in enumerate(expected) if n % 25 < 10]

    def test_a_list_that_tasks_come_back_to(self, run: Driver, low: Inspected) -> None:
        """Put back in front, behind the reader; and new ones at the other end, which it gets to in time."""
        expected = low.many("pending", 100)

        def between(step: int) -> None:
            low.redis.rpush(low.keys.pending, *(f"back-{step}-{n}" for n in range(3)))
            if step < 4:
                low.redis.lpush(low.keys.pending, f"new-{step}")

        seen = self.steps(run, Walk(at("pending"), fields=("msg",)), between)
        assert seen == [*expected, "new-1", "new-2", "new-3"]

    def test_a_list_read_from_its_newest_end(self, run: Driver, low: Inspected) -> None:
        """New ones push what is there away; workers take from the far end."""
        expected = low.many("pending", 100)

        def between(step: int) -> None:
            low.redis.lpush(low.keys.pending, *(f"new-{step}-{n}" for n in range(15)))
            low.redis.rpop(low.keys.pending)

        seen = self.steps(run, Walk(at("pending"), fields=("msg",), descending=True), between)
        assert seen == expected[9:][::-1] or seen == expected[10:][::-1]

    def test_a_list_far_from_where_it_was(self, run: Driver, low: Inspected) -> None:
        """Thousands are taken between two steps; what is read next is still found by what was read."""
        low.many("pending", 20_000)
        walk = Walk(at("pending"), fields=("msg",))
        for _ in range(10):
            run(walk.step(1000))
        low.redis.rpop(low.keys.pending, 9_999)
        assert [row[0] for row in run(walk.step(2))] == [b"t-10000", b"t-10001"]

    def test_members_removed_one_by_one(self, run: Driver, low: Inspected) -> None:
        """The last one read is gone, its neighbours are not: nobody is left out, and none comes twice."""
        expected = low.many("pending", 100)
        walk = Walk(at("pending"), fields=("msg",))

        def between(step: int) -> None:
            low.redis.lrem(low.keys.pending, 1, walk._anchors[0])

        assert self.steps(run, walk, between) == expected


def test_keys_are_those_of_the_wire() -> None:
    """Containers by state, and what lies beside them."""
    q = keys.of_queue("low")
    assert [Place("low", state, "g").container for state in TaskState] == [
        q.active, q.pending, q.scheduled, q.retry, q.archived, q.completed, q.group("g"),
    ]  # fmt: skip
    assert [Place("low", state).beside for state in (TaskState.ACTIVE, TaskState.RETRY)] == [q.lease, q.due]
