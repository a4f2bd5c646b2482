"""Inspectors find tasks by what they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from redis import Redis

from asynqpy._broker.flow import Batch, Call
from asynqpy._broker.inspect.find import Search, criteria
from asynqpy._wire import keys
from asynqpy._wire.moments import unix_nanoseconds
from asynqpy.errors import BrokerError, ConnectionLostError, QueryError, QueueNotFoundError
from asynqpy.inspection import SearchCoverage
from asynqpy.task import TaskState
from tests.redis.drive import Driver
from tests.redis.inspected import SINCE, WAITING, Inspected
from tests.redis.interleave import between

Q = keys.of_queue("low")
ALL = [*WAITING, "active"]


@pytest.fixture
def low(redis: Redis) -> Inspected:
    """The queue ``low``, listed."""
    return Inspected(redis)


@pytest.fixture
def now(low: Inspected) -> datetime:
    """The present moment of the server."""
    return low.today()


WHERE = {
    "queues": None,
    "states": None,
    "ids": None,
    "descending": False,
    "limit": None,
    "budget": None,
    "cursor": None,
    "brief": False,
}
WHAT = {
    "id_prefix": None,
    "type": None,
    "payload": None,
    "error": None,
    "group": None,
    "headers": None,
    "payload_fields": None,
    "since": None,
    "until": None,
}


def search(**asked: Any) -> Search:
    """A search for what is asked, everywhere unless said otherwise."""
    where = {name: asked.get(name, value) for name, value in WHERE.items()}
    return Search(**where, what=criteria(**{name: asked.get(name, value) for name, value in WHAT.items()}))  # type: ignore[arg-type]


class WithoutLookUps(Driver):
    """Redis is down whenever tasks are looked up."""

    def _perform(self, request: Call | Batch) -> Any:
        if isinstance(request, Batch) and any("HMGET" in call.words for call in request.calls):
            raise BrokerError("down")
        return super()._perform(request)


def found(run: Driver, search: Search, now: datetime) -> list[str]:
    """The ids that *search* finds, in order."""
    ids: list[str] = []
    while (more := run(search.more(now=now))) is not None:
        ids += (info.id for info in more)
    return ids


def moment(unix: float) -> datetime:
    return datetime.fromtimestamp(unix, UTC)


class TestByText:
    """What is in the message decides."""

    @pytest.fixture(autouse=True)
    def tasks(self, low: Inspected) -> None:
        """Five different ones in each state."""
        for state in ALL:
            low.bring(state, f"{state} 1", type="email:welcome", payload=b'{"to":"a@b.c"}')
            low.bring(state, f"{state} 2", type="email:reset", payload=b'{"to":"x@y.z"}', error_msg="smtp: 550")
            low.bring(state, f"{state} 3", type="report", payload="отчёт".encode())
            low.bring(state, f"{state} 4", type="report:email:", payload=b"550", error_msg="email:welcome")
            low.bring(state, f"{state} 5", type="[odd]", payload=b"\xff\x00")

    @pytest.mark.parametrize(
        ("asked", "numbers"),
        [
            ({}, "12345"),
            ({"type": "report"}, "3"),
            ({"type": "email:*"}, "12"),
            ({"type": "*email:*"}, "124"),
            ({"type": "email:?e[st]*"}, "2"),
            ({"type": "[[]odd]"}, "5"),
            ({"type": "none*"}, ""),
            ({"id_prefix": ""}, "12345"),
            ({"id_prefix": "@b"}, ""),
            ({"payload": "@b"}, "1"),
            ({"payload": "чёт"}, "3"),
            ({"payload": b"\xff"}, "5"),
            ({"payload": "550"}, "4"),
            ({"error": "550"}, "2"),
            ({"error": "welcome"}, "4"),
            ({"type": "email:*", "error": "smtp"}, "2"),
            ({"type": "email:*", "payload": "550"}, ""),
        ],
    )
    def test_finds_what_fits(self, run: Driver, now: datetime, asked: dict[str, Any], numbers: str) -> None:
        """In every state; another field with the same text does not count."""
        looked = search(**asked)
        assert sorted(found(run, looked, now)) == sorted(f"{state} {number}" for state in ALL for number in numbers)
        matched = len(ALL) * len(numbers)
        assert looked.coverage == SearchCoverage(scanned=35, matched=matched, total=35, is_complete=True)

    def test_finds_all_that_is_known(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Not just what was searched."""
        low.redis.hset(Q.task("retry 2"), mapping={"result": "r", "py:traceback": "where", "py:crashes": 1})
        (info,) = run(search(error="550", states="retry").more(now=now)) or []
        assert (info.id, info.result, info.traceback, info.crashes, info.state) == (
            "retry 2", b"r", "where", 1, TaskState.RETRY,
        )  # fmt: skip
        assert info.next_process_at == moment(SINCE)

    @pytest.mark.parametrize("state", ALL)
    def test_in_brief(self, run: Driver, low: Inspected, now: datetime, state: TaskState) -> None:
        """The same tasks with less of what is known, whether they are searched or all read."""
        task_id = f"{state} 2"
        fields = {"result": "r", "py:traceback": "where", "py:crashes": 1, "py:progress": "0.5", "py:failed_by": "{}"}
        low.redis.hset(Q.task(task_id), mapping=fields)
        whole, brief = (run(search(states=state, brief=way).more(now=now)) or [] for way in (False, True))
        assert [info.id for info in brief] == [info.id for info in whole]
        for of_brief, of_whole in zip(brief, whole, strict=True):
            rest = {name: getattr(of_whole, name) for name in ("result", "crashes", "progress")}
            assert of_brief.to_dict() | rest == of_whole.to_dict()
        (info,) = (each for each in brief if each.id == task_id)
        assert (info.result, info.traceback, info.crashes, info._marks.failed_by) == (None, "where", 0, b"{}")

    def test_by_the_beginning_of_ids(self, run: Driver, now: datetime) -> None:
        """Not by another part of them; with all else that is asked for."""
        assert found(run, search(id_prefix="retry"), now) == [f"retry {number}" for number in range(1, 6)]
        assert found(run, search(id_prefix="etry"), now) == []
        assert found(run, search(id_prefix="retry", type="report"), now) == ["retry 3"]
        assert found(run, search(id_prefix="retry", states="pending"), now) == []

    def test_in_some_states(self, run: Driver, now: datetime) -> None:
        """By name or as a value, one or several, in the order asked for."""
        assert found(run, search(type="report", states="completed"), now) == ["completed 3"]
        asked = search(type="report", states=[TaskState.RETRY, "active", "retry"])
        assert found(run, asked, now) == ["retry 3", "active 3"]

    def test_in_some_queues(self, run: Driver, redis: Redis, now: datetime) -> None:
        """One, several, or all."""
        Inspected(redis, "high").bring("retry", "elsewhere", type="report")
        assert found(run, search(type="report", states="retry", queues="high"), now) == ["elsewhere"]
        assert found(run, search(type="report", states="retry", queues=["low", "high"]), now) == [
            "retry 3", "elsewhere",
        ]  # fmt: skip
        assert found(run, search(type="report", states="retry"), now) == ["elsewhere", "retry 3"]
        with pytest.raises(QueueNotFoundError):
            run(search(queues=["low", "none"]).more(now=now))

    def test_what_moves_on_is_not_shown_where_it_was(self, run: Driver, low: Inspected, now: datetime) -> None:
        """A task that is claimed between the look at its message and at the rest."""
        flow = search(type="report", states=["pending"]).more(now=now)
        assert run(between(flow, "walk_list", lambda: low.redis.hset(Q.task("pending 3"), "state", "active"))) == []


class TestByHeadersAndFields:
    """What is inside of messages decides, not what their bytes look like."""

    @pytest.fixture(autouse=True)
    def tasks(self, low: Inspected) -> None:
        """Tasks that differ in little."""
        payloads = {
            "1": b'{"user":{"id":7}}',
            "2": b'{"user":{"id":"7"}}',
            "3": b'{"us\\u0065r":{"id":7.0}}',
            "4": b'{"id":7,"user":null}',
            "5": msgspec.msgpack.encode({"user": {"id": 7}}),
            "6": b"user.id=7",
        }
        headers = {"1": {"tenant": "acme"}, "2": {"tenant": "acme", "trace": ""}, "3": {"acme": "tenant"}}
        for state in ALL:
            for number, payload in payloads.items():
                low.bring(state, f"{state} {number}", payload=payload, headers=headers.get(number, {}))

    @pytest.mark.parametrize(
        ("asked", "numbers"),
        [
            ({"payload_fields": {"user.id": 7}}, "135"),
            ({"payload_fields": {"user.id": "7"}}, "2"),
            ({"payload_fields": {"user.id": ...}}, "1235"),
            ({"payload_fields": {"user": ...}}, "12345"),
            ({"payload_fields": {"user": None}}, "4"),
            ({"payload_fields": {"user": None, "id": 7}}, "4"),
            ({"payload_fields": {"user": None, "id": 8}}, ""),
            ({"payload_fields": {}}, "123456"),
            ({"headers": {"tenant": "acme"}}, "12"),
            ({"headers": {"tenant": ...}}, "12"),
            ({"headers": {"trace": ...}}, "2"),
            ({"headers": {"trace": "x"}}, ""),
            ({"headers": {"tenant": "acm"}}, ""),
            ({"headers": {"tenant": "acme", "trace": ""}}, "2"),
            ({"headers": {"tenant": "acme"}, "payload_fields": {"user.id": 7}}, "1"),
        ],
    )
    def test_finds_what_fits(self, run: Driver, now: datetime, asked: dict[str, Any], numbers: str) -> None:
        """In every state, and of all of them it is told how many were looked at."""
        looked = search(**asked)
        assert sorted(found(run, looked, now)) == sorted(f"{state} {number}" for state in ALL for number in numbers)
        assert looked.coverage == SearchCoverage(scanned=42, matched=7 * len(numbers), total=42, is_complete=True)

    def test_among_ids(self, run: Driver, now: datetime) -> None:
        """Looked up directly, and then asked the same."""
        ids = [f"retry {number}" for number in range(1, 7)]
        assert found(run, search(ids=ids, payload_fields={"user.id": 7}), now) == ["retry 1", "retry 3", "retry 5"]
        assert found(run, search(ids=ids, headers={"trace": ...}), now) == ["retry 2"]

    def test_goes_on_by_its_cursor(self, run: Driver, now: datetime) -> None:
        """As every search that its bounds have ended."""
        asked = {"payload_fields": {"user.id": 7}, "states": "retry"}
        first = search(**asked, limit=2)
        assert found(run, first, now) == ["retry 1", "retry 3"]
        assert found(run, search(**asked, cursor=first.cursor), now) == ["retry 5"]
        short = search(**asked, budget=2)
        assert found(run, short, now) == ["retry 1"]
        assert (short.coverage.scanned, short.coverage.is_complete) == (2, False)


class TestByGroup:
    """Where groups are named, only these are looked at."""

    def test_finds_its_tasks(self, run: Driver, low: Inspected, now: datetime) -> None:
        """In the group, and those that will or did belong to it."""
        low.grouped("a", "g")
        low.grouped("b", "h")
        low.bring("scheduled", "c", {"group": "g"}, group_key="g")
        low.bring("archived", "d", group_key="g")
        asked = search(group="g")
        assert sorted(found(run, asked, now)) == ["a", "c", "d"]
        assert asked.coverage.scanned == 3


class TestByTime:
    """Each state has one moment that matters."""

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("state", ["scheduled", "retry", "archived", "aggregating"])
    @pytest.mark.parametrize("text", [None, "t"])
    def test_by_score(
        self, run: Driver, low: Inspected, now: datetime, state: str, descending: bool, text: str | None
    ) -> None:
        """The search begins and ends there: the rest is not even looked at."""
        ids = low.many(state, 5000)  # ten a second
        asked = search(since=moment(SINCE + 100), until=moment(SINCE + 103), descending=descending, type=text)
        expected = ids[1000:1030]
        assert found(run, asked, now) == (expected[::-1] if descending else expected)
        assert asked.coverage.scanned <= 1000
        assert asked.coverage.is_complete

    def test_by_exact_moment(self, run: Driver, low: Inspected, now: datetime) -> None:
        """A due moment between two seconds has the later one as its score."""
        for n in range(8):
            low.waiting("scheduled", f"t{n}", SINCE + n / 4)
        for descending in (False, True):
            asked = search(since=moment(SINCE + 0.25), until=moment(SINCE + 1.25), descending=descending)
            assert sorted(found(run, asked, now)) == ["t1", "t2", "t3", "t4"]

    def test_by_completion(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Not by the moment when they are deleted."""
        for n in range(4):
            low.bring("completed", f"t{n}", completed_at=SINCE + n, retention=1000 - n * 10)
        assert found(run, search(since=moment(SINCE + 1), until=moment(SINCE + 3)), now) == ["t1", "t2"]
        assert found(run, search(since=moment(SINCE + 3), type="t"), now) == ["t3"]

    def test_by_waiting(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Since when they are pending; active ones have no such moment."""
        for n in range(4):
            low.bring("pending", f"t{n}", {"pending_since": unix_nanoseconds(moment(SINCE + n))})
        low.active("running")
        assert found(run, search(until=moment(SINCE + 2)), now) == ["t0", "t1"]
        assert found(run, search(since=moment(SINCE + 3), type="t"), now) == ["t3"]


class TestByIds:
    """Looked up directly, in any queue."""

    def test_finds_them_wherever_they_are(self, run: Driver, redis: Redis, low: Inspected, now: datetime) -> None:
        """One id may be taken in several queues; most are in none."""
        high = Inspected(redis, "high")
        low.many("pending", 1000)
        low.bring("retry", "a")
        high.bring("archived", "a")
        high.bring("active", "b")
        asked = search(ids=["a", "b", "none", "a"])
        assert found(run, asked, now) == ["a", "a", "b"]
        assert asked.coverage == SearchCoverage(scanned=3, matched=3, total=0, is_complete=True)
        assert found(run, search(ids="t-00500"), now) == ["t-00500"]
        assert found(run, search(ids=["a"], queues="high"), now) == ["a"]
        assert found(run, search(ids=[]), now) == []

    def test_with_more_to_fit(self, run: Driver, low: Inspected, now: datetime) -> None:
        """State, text and moment count here, too."""
        for n, state in enumerate(ALL):
            low.bring(state, state, type=f"type {n}")
        assert found(run, search(ids=ALL, states=["retry", "archived"]), now) == ["retry", "archived"]
        assert found(run, search(ids=ALL, type="type 1"), now) == [ALL[1]]
        timed = search(ids=ALL, since=moment(SINCE), until=moment(SINCE + 1))
        assert found(run, timed, now) == ["pending", "scheduled", "retry", "archived"]

    def test_many(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Some hundred at a time; broken ones are left out."""
        ids = low.many("retry", 1000)
        low.redis.hset(Q.task(ids[3]), "state", "nonsense")
        assert found(run, search(ids=ids), now) == [task_id for task_id in ids if task_id != ids[3]]


class TestBounds:
    """A search ends where it is told to, and says how far it got."""

    @pytest.mark.parametrize(
        ("limit", "scanned", "complete"), [(1, 500, False), (100, 1000, False), (126, 1251, True), (200, 1251, True)]
    )
    def test_limit(self, run: Driver, low: Inspected, now: datetime, limit: int, scanned: int, complete: bool) -> None:
        """No more are given, and no further step is made."""
        ids = low.many("retry", 1251)
        for task_id in ids[::10]:
            low.hash(task_id, "retry", error_msg="boom")
        asked = search(error="boom", limit=limit)
        assert found(run, asked, now) == ids[::10][:limit]
        assert asked.coverage == SearchCoverage(
            scanned=scanned, matched=min(limit, 126), total=1251, is_complete=complete
        )

    @pytest.mark.parametrize(
        ("budget", "complete"), [(1, False), (499, False), (750, False), (1001, True), (2000, True)]
    )
    def test_budget(self, run: Driver, low: Inspected, now: datetime, budget: int, complete: bool) -> None:
        """Never more are looked at."""
        ids = low.many("retry", 600) + low.many("archived", 400, prefix="z")
        asked = search(budget=budget, states=["retry", "archived"])
        assert found(run, asked, now) == ids[:budget]
        assert (asked.coverage.scanned, asked.coverage.total) == (min(budget, 1000), 1000)
        assert asked.coverage.is_complete is complete

    def test_a_step_that_fails_is_made_again(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Redis may be down for a moment; nothing is left out for it."""
        ids = low.many("retry", 1200)
        asked = search(states="retry", type="t")
        assert [info.id for info in run(asked.more(now=now)) or []] == ids[:500]
        for error in (BrokerError("down"), ConnectionLostError("gone")):
            broken = asked.more(now=now)
            next(broken)
            with pytest.raises(BrokerError):
                broken.throw(error)
        assert found(run, asked, now) == ids[500:]
        assert asked.coverage == SearchCoverage(scanned=1200, matched=1200, total=1200, is_complete=True)

    @pytest.mark.parametrize("until", [None, SINCE + 10])
    def test_finds_that_cannot_be_read_are_read_again(
        self, run: Driver, low: Inspected, now: datetime, until: float | None
    ) -> None:
        """Where a limit ends the search in the middle of a step, nothing behind it is left out for that."""
        ids = low.many("retry", 600)[: None if until is None else 100]
        where = {"states": "retry", "type": "t", "until": until and moment(until)}
        asked = search(limit=10, **where)
        for _ in range(3):
            with pytest.raises(BrokerError):
                WithoutLookUps(low.redis)(asked.more(now=now))
        assert found(run, asked, now) == ids[:10]
        assert found(run, search(cursor=asked.cursor, **where), now) == ids[10:]

    def test_before_it_begins(self) -> None:
        """Nothing is covered."""
        assert search().coverage == SearchCoverage(scanned=0, matched=0, total=0, is_complete=False)

    def test_nothing_there(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Is soon found out."""
        asked = search(type="t")
        assert found(run, asked, now) == []
        assert asked.coverage.is_complete

    @pytest.mark.parametrize(
        "asked",
        [
            {"limit": 0},
            {"limit": -1},
            {"budget": 0},
            {"budget": 1.5},
            {"limit": True},
            {"states": "nonsense"},
            {"states": ["retry", ""]},
            {"since": datetime(2026, 1, 1)},  # noqa: DTZ001
            {"until": 5},
            {"type": b"t"},
            {"error": 5},
            {"payload": {"a": 1}},
            {"group": 5},
            {"headers": {"a": None}},
            {"headers": "a=1"},
            {"payload_fields": {"a": [1]}},
            {"payload_fields": {"": 1}},
        ],
        ids=str,
    )
    def test_what_cannot_be_is_refused(self, asked: dict[str, Any]) -> None:
        """Before anything is asked of Redis."""
        with pytest.raises(QueryError):
            search(**asked)

    def test_unreadable_messages(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Fit nothing but a search for everything."""
        low.bring("retry", "a")
        low.redis.hset(Q.task("a"), "msg", b"\xfft")
        assert found(run, search(type="t"), now) == []
        assert found(run, search(), now) == ["a"]
        assert found(run, search(since=moment(SINCE) - timedelta(1), until=moment(SINCE + 1)), now) == ["a"]


class TestCursors:
    """A search that was ended by its bounds goes on later, in another process for instance."""

    def in_pieces(self, run: Driver, now: datetime, limit: int | None, **asked: Any) -> list[list[str]]:
        """What is found piece by piece, each by a search of its own."""
        pieces: list[list[str]] = []
        cursor = None
        while True:
            piece = search(limit=limit, cursor=cursor, **asked)
            pieces.append(found(run, piece, now))
            cursor = piece.cursor
            assert (cursor is None) is piece.coverage.is_complete
            if cursor is None:
                return pieces

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("text", [None, "t"])
    @pytest.mark.parametrize("limit", [3, 7, 100, 1000])
    def test_gives_each_task_once(
        self, run: Driver, redis: Redis, low: Inspected, now: datetime, limit: int, text: str | None, descending: bool
    ) -> None:
        """Through queues, states and groups, in order; every piece but the last is full."""
        for queue in (low, Inspected(redis, "high")):
            queue.many("pending", 23, prefix="p")
            queue.many("retry", 31, prefix="r")
            queue.many("aggregating", 5, group="g", prefix="g")
            queue.many("aggregating", 5, group="h", prefix="h")
            queue.active("running")
        whole = found(run, search(type=text, descending=descending), now)
        assert len(whole) == 130
        pieces = self.in_pieces(run, now, limit, type=text, descending=descending)
        assert [task_id for piece in pieces for task_id in piece] == whole
        assert {len(piece) for piece in pieces[:-1]} <= {limit}

    def test_goes_on_among_changes(self, run: Driver, low: Inspected, now: datetime) -> None:
        """What was given may be gone by then."""
        ids = low.many("pending", 60)
        first = search(limit=20, states="pending")
        assert found(run, first, now) == ids[:20]
        low.redis.rpop(low.keys.pending, 15)
        low.many("pending", 5, prefix="new")
        second = search(limit=20, states="pending", cursor=first.cursor)
        assert found(run, second, now) == ids[20:40]
        sets = low.many("retry", 60, prefix="r")
        first = search(limit=25, states="retry", error="")
        assert found(run, first, now) == sets[:25]
        low.redis.zrem(low.keys.retry, *sets[10:30])
        assert found(run, search(states="retry", cursor=first.cursor), now) == sets[30:]

    def test_goes_on_where_a_group_was(self, run: Driver, low: Inspected, now: datetime) -> None:
        """With the next one, if it is gone."""
        for group in "abc":
            low.grouped(f"{group}1", group)
            low.grouped(f"{group}2", group, SINCE + 1)
        first = search(limit=3, states="aggregating")
        assert found(run, first, now) == ["a1", "a2", "b1"]
        low.redis.delete(low.keys.group("b"))
        assert found(run, search(states="aggregating", cursor=first.cursor), now) == ["c1", "c2"]

    @pytest.mark.parametrize("descending", [False, True])
    def test_with_times(self, run: Driver, low: Inspected, now: datetime, descending: bool) -> None:
        """The end of the time is no end of the search before everything in it was given."""
        ids = low.many("retry", 1000)
        window = {"since": moment(SINCE + 10), "until": moment(SINCE + 13)}
        pieces = self.in_pieces(run, now, 7, descending=descending, **window)
        expected = ids[100:130]
        assert [task_id for piece in pieces for task_id in piece] == (expected[::-1] if descending else expected)

    def test_of_a_budget(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Goes on behind what was looked at, found or not."""
        ids = low.many("retry", 1200)
        low.hash(ids[-1], "retry", error_msg="boom")
        pieces = self.in_pieces(run, now, None, error="boom", budget=500)
        assert pieces == [[], [], [ids[-1]]]

    def test_of_ids(self, run: Driver, low: Inspected, now: datetime) -> None:
        """Looks up the rest of them."""
        ids = low.many("retry", 450)
        pieces = self.in_pieces(run, now, 100, ids=ids)
        assert [len(piece) for piece in pieces] == [100, 100, 100, 100, 50]
        assert [task_id for piece in pieces for task_id in piece] == ids

    def test_that_are_none(self, run: Driver, redis: Redis, low: Inspected, now: datetime) -> None:
        """Or belong to another search."""
        low.many("retry", 2)
        Inspected(redis, "high").many("retry", 2)
        asked = search(limit=1, states="retry", queues="low")
        assert asked.cursor is None
        found(run, asked, now)
        assert asked.cursor is not None
        assert asked.cursor.replace("-", "").replace("_", "").isalnum()
        nonsense: Any
        for nonsense in ("", "é", "!", "abc", asked.cursor[:-3], 5):
            with pytest.raises(QueryError, match="cursor"):
                search(cursor=nonsense)
        with pytest.raises(QueryError, match="another search"):
            search(cursor=asked.cursor, ids=["a"])
        for other in ({"queues": "high"}, {"states": "archived"}):
            with pytest.raises(QueryError, match="another search"):
                run(search(cursor=asked.cursor, **other).more(now=now))
