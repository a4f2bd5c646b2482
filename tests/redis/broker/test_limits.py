"""Limits by hand: who may start, who comes back when, where permits go. Time is Redis' own, so tests move the state."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from asynqpy._broker.limits import (
    Admission,
    Gate,
    Permit,
    admit,
    call_up,
    give_back,
    keep,
    member_of,
    return_token,
    take_token,
)
from asynqpy._wire import keys
from tests.redis.drive import Driver
from tests.redis.seed import Queue
from tests.redis.snapshot import Between, Scores, snapshot

K = keys.of_limit("s")
HOUR = 3_600_000_000
SLOW = Gate("s", interval_microseconds=HOUR)
LEASE = 30_000


class Door:
    """Asks for admission, and knows the time."""

    def __init__(self, run: Driver, redis: Redis) -> None:
        self._run = run
        self.redis: Any = redis

    def ask(self, gate: Gate, task_id: str, *, token: str = "t", noise: float = 0.0) -> Admission:
        """One admission."""
        return self._run(admit(gate, member_of("low", task_id), token, lease_milliseconds=LEASE, noise=noise))

    def may(self, gate: Gate, task_id: str, **options: Any) -> bool:
        """Whether the task may start."""
        return self.ask(gate, task_id, **options).wait_seconds is not None

    def back_in(self, admission: Admission) -> Between:
        """Seconds from now to when a task was told to come back; the test itself may have taken some."""
        assert admission.wait_seconds is None
        seconds = admission.back_at_milliseconds / 1000 - self.now()
        return Between(seconds - 0.05, seconds + 9)

    def now(self) -> float:
        """Unix seconds."""
        seconds, microseconds = self.redis.time()
        return float(seconds + microseconds / 1e6)

    def pass_time(self, seconds: float) -> None:
        """Let time pass for what is stored, by moving it back."""
        by = seconds * 1e6
        if (start := self.redis.get(K.next)) is not None:
            self.redis.set(K.next, f"{float(start) - by:.0f}")
        for key, unit in ((K.due, by), (K.line, by), (K.waiting, by), (K.holders, by / 1000)):
            for member, score in self.redis.zrange(key, 0, -1, withscores=True):
                self.redis.zadd(key, {member: round(score - unit)})


@pytest.fixture
def door(run: Driver, redis: Redis) -> Door:
    """A door to knock at."""
    return Door(run, redis)


class TestRate:
    """Starts are spaced by the interval, and who waits is given turns in order."""

    def test_the_first_may_start_and_the_others_get_turns(self, door: Door) -> None:
        """Each an interval after the one before, and each is told once."""
        gate = Gate("s", 10_000_000)
        assert door.may(gate, "a")
        assert [door.back_in(door.ask(gate, name)) for name in "bcd"] == [10.0, 20.0, 30.0]

    def test_a_short_wait_is_waited_in_its_place(self, door: Door) -> None:
        """Turns that are some milliseconds away are not worth a way through Redis; each is booked."""
        gate = Gate("s", 15_000)
        waits = [door.ask(gate, f"{n}").wait_seconds for n in range(3)]
        assert None not in waits
        assert waits[0] == 0
        assert (waits[2] or 0) <= 0.03

    def test_a_task_passes_when_its_turn_has_come(self, door: Door) -> None:
        """And takes its place out of the line."""
        gate = Gate("s", 10_000_000)
        for name in "abc":
            door.ask(gate, name)
        door.pass_time(10)
        assert door.may(gate, "b")
        assert door.redis.zrange(K.line, 0, -1) == [b"low\nc"]
        assert door.redis.zrange(K.due, 0, -1) == [b"low\nc"]
        assert not door.may(gate, "c")
        door.pass_time(10)
        assert door.may(gate, "c")
        assert not door.redis.exists(K.line, K.due)

    def test_a_newcomer_does_not_overtake(self, door: Door) -> None:
        """Although a start is free: it belongs to one who has waited."""
        gate = Gate("s", 10_000_000)
        door.ask(gate, "a")
        door.ask(gate, "b")
        door.pass_time(10)
        assert door.back_in(door.ask(gate, "new")) == 10.0
        assert door.may(gate, "b")

    def test_late_ones_do_not_bunch(self, door: Door) -> None:
        """After an hour without workers all turns have passed: still one starts at a time, in a new order of turns."""
        gate = Gate("s", 10_000_000)
        for name in "abcd":
            door.ask(gate, name)
        door.pass_time(25)  # less than would make them absent
        assert door.may(gate, "c")
        assert door.back_in(door.ask(gate, "b")) == 10.0
        door.pass_time(10)
        assert door.may(gate, "b")

    def test_a_burst_after_a_quiet_time(self, door: Door) -> None:
        """So many at once, then an even pace."""
        gate = Gate("s", 10_000_000, tolerance_microseconds=20_000_000)
        assert [door.may(gate, name) for name in "abcd"] == [True, True, True, False]
        assert door.back_in(door.ask(gate, "e")) == 20.0
        door.pass_time(3600)
        assert [door.may(gate, name) for name in "wxyz"] == [True, True, True, False]

    def test_who_waits_long_asks_in_between(self, door: Door) -> None:
        """After a minute, and gets no turn by that."""
        gate = Gate("s", 150_000_000)
        assert door.may(gate, "a")
        assert [door.back_in(door.ask(gate, name)) for name in "bc"] == [60.0, 60.0]
        door.pass_time(60)
        assert [door.back_in(door.ask(gate, name)) for name in "cb"] == [60.0, 60.0]
        door.pass_time(60)
        assert [door.back_in(door.ask(gate, name)) for name in "cb"] == [60.0, 30.0]
        door.pass_time(30)
        assert door.back_in(door.ask(gate, "c")) == 60.0  # b is before it, although it comes a moment later
        assert door.may(gate, "b")

    def test_those_who_never_come_are_forgotten(self, door: Door) -> None:
        """A thousand tasks are deleted: half a minute after they should have asked, their turns are free."""
        door.ask(SLOW, "a")
        for n in range(1000):
            door.ask(SLOW, f"deleted-{n}")
        door.ask(SLOW, "b")
        door.pass_time(60)
        door.ask(SLOW, "b")
        door.pass_time(31)
        door.ask(SLOW, "b")
        assert door.redis.zrange(K.line, 0, -1) == [b"low\nb"]
        door.pass_time(3600)
        assert door.may(SLOW, "b")

    def test_the_line_is_checked_at_no_more_than_a_hundred_a_second(self, door: Door) -> None:
        """With ten thousand in line each asks every hundred seconds, or somewhat sooner."""
        door.ask(SLOW, "a")
        now = round(door.now() * 1e6)
        door.redis.zadd(K.line, {f"low\n{n}": now for n in range(10_000)})
        door.redis.zadd(K.due, {f"low\n{n}": now + HOUR for n in range(10_000)})
        assert door.back_in(door.ask(SLOW, "b")) == 100.0
        assert door.back_in(door.ask(SLOW, "c", noise=1.0)) == 50.0  # so that they do not all come together

    def test_keys_end_by_themselves(self, door: Door) -> None:
        """An hour after they are of no more use."""
        door.ask(SLOW, "a")
        door.ask(SLOW, "b")
        for key in (K.next, K.line, K.due):
            assert 3_590_000 < door.redis.pttl(key) <= 7_200_000


class TestMaxActive:
    """A number of permits; who waits gets the next in turn."""

    gate = Gate("s", max_active=2)

    def test_so_many_may_run(self, door: Door) -> None:
        """And the next one waits."""
        assert [door.may(self.gate, name) for name in "abc"] == [True, True, False]
        assert door.redis.zcard(K.holders) == 2
        assert door.redis.zrange(K.waiting, 0, -1) == [b"low\nc"]

    def test_a_permit_that_is_given_back_goes_to_the_longest_waiting(self, door: Door, run: Driver) -> None:
        """It is called; nobody can take the permit from it."""
        for name in "abcde":
            door.ask(self.gate, name)
        assert run(give_back(self.gate, [("low\na", "t")])) == ["low\nc"]
        assert not door.may(self.gate, "new")
        assert not door.may(self.gate, "d")
        assert door.may(self.gate, "c")
        assert door.redis.zcard(K.holders) == 2

    def test_a_permit_of_a_dead_worker_ends_with_its_lease(self, door: Door) -> None:
        """The next who asks has those called that wait longer."""
        for name in "abcd":
            door.ask(self.gate, name)
        door.pass_time(31)
        admission = door.ask(self.gate, "new")
        assert admission.wait_seconds is None
        assert list(admission.called) == ["low\nc", "low\nd"]
        assert door.redis.zcard(K.holders) == 2
        assert door.redis.hlen(K.owners) == 0

    def test_who_asks_in_turn_gets_it_itself(self, door: Door) -> None:
        """And is not called."""
        for name in "abcd":
            door.ask(self.gate, name)
        door.pass_time(31)
        admission = door.ask(self.gate, "c")
        assert admission.wait_seconds == 0
        assert list(admission.called) == ["low\nd"]

    def test_a_permit_that_nobody_comes_for_ends(self, door: Door, run: Driver) -> None:
        """After five seconds."""
        for name in "abcd":
            door.ask(self.gate, name)
        run(give_back(self.gate, [("low\na", "t")]))
        door.pass_time(5.1)
        assert door.may(self.gate, "d")

    def test_a_task_that_runs_again_takes_over_its_own_permit(self, door: Door, run: Driver) -> None:
        """What its earlier attempt gives back later is not its."""
        assert door.may(self.gate, "a", token="1")
        assert door.may(self.gate, "a", token="2")
        assert door.redis.zcard(K.holders) == 1
        run(give_back(self.gate, [("low\na", "1")]))
        assert door.redis.zcard(K.holders) == 1
        run(give_back(self.gate, [("low\na", "2")]))
        assert not door.redis.exists(K.holders, K.owners, K.waiting)

    def test_permits_are_kept_alive(self, door: Door, run: Driver) -> None:
        """By their owners alone, and not once they have ended."""
        for name in "ab":
            door.ask(self.gate, name)
        door.pass_time(20)
        permits = [Permit(self.gate, "low\na", "t"), Permit(self.gate, "low\nb", "other")]
        assert run(keep(permits, lease_milliseconds=LEASE)) == []
        door.pass_time(20)
        assert run(keep(permits, lease_milliseconds=LEASE)) == []
        assert door.redis.zrange(K.holders, 0, -1) == [b"low\na"]
        assert door.redis.hgetall(K.owners) == {b"low\na": b"t"}

    def test_keeping_calls_who_waits_for_what_has_ended(self, door: Door, run: Driver) -> None:
        """So a permit of a dead worker is handed on by the next heartbeat of a living one."""
        for name in "abc":
            door.ask(self.gate, name)
        door.pass_time(20)
        mine = [Permit(self.gate, "low\na", "t")]
        run(keep(mine, lease_milliseconds=LEASE))
        door.pass_time(20)
        assert run(keep(mine, lease_milliseconds=LEASE)) == [(self.gate, ["low\nc"])]

    def test_who_waits_looks_by_itself_more_and_more_seldom(self, door: Door) -> None:
        """From a quarter of a second to five, and some noise."""
        for name in "ab":
            door.ask(self.gate, name)
        told: list[int] = []
        for passed in (0, 4, 20):
            door.pass_time(passed)
            for name in "ab":  # they go on
                door.ask(self.gate, name)
            before = door.now()
            told.append(round(door.ask(self.gate, "c").back_at_milliseconds - before * 1000))
        assert 250 <= told[0] < told[1] < told[2]
        assert told[2] >= 5000
        assert door.back_in(door.ask(self.gate, "c", noise=1.0)) == 6.25

    def test_more_permits_by_a_new_deployment(self, door: Door) -> None:
        """Who asks with another number is judged by it."""
        for name in "abc":
            door.ask(self.gate, name)
        assert list(door.ask(Gate("s", max_active=4), "d").called) == ["low\nc"]


class TestBoth:
    """First a permit, then a turn."""

    gate = Gate("s", 10_000_000, max_active=2)

    def test_a_permit_is_kept_for_the_turn(self, door: Door) -> None:
        """Who waits for its turn holds a permit without an owner; who has no permit has no turn either."""
        assert [door.may(self.gate, name) for name in "abc"] == [True, False, False]
        assert door.redis.zrange(K.holders, 0, -1) == [b"low\nb", b"low\na"]
        assert door.redis.hkeys(K.owners) == [b"low\na"]
        assert door.redis.zrange(K.line, 0, -1) == [b"low\nb"]
        assert door.redis.zrange(K.waiting, 0, -1) == [b"low\nc"]
        door.pass_time(10)
        assert door.may(self.gate, "b")

    def test_who_does_not_come_for_its_turn_loses_the_permit(self, door: Door) -> None:
        """Five seconds later."""
        for name in "abc":
            door.ask(self.gate, name)
        door.pass_time(15.1)
        door.ask(self.gate, "c")
        assert sorted(door.redis.zrange(K.holders, 0, -1)) == [b"low\na", b"low\nc"]
        door.pass_time(10)
        assert door.may(self.gate, "c")


class TestCallUp:
    """Tasks that were given a permit are moved in front."""

    gate = Gate("s", max_active=1)

    def test_a_scheduled_task_runs_next(self, door: Door, run: Driver, q: Queue) -> None:
        """Ahead of those that are pending; its exact moment is forgotten."""
        q.pending("p")
        q.waiting("scheduled", "b", q.now() + 100.5)
        run(call_up(self.gate, ["low\nb"], now=q.today()))
        assert q.redis.lrange(q.keys.pending, 0, -1) == [b"p", b"b"]
        assert q.redis.hget(q.keys.task("b"), "state") == b"pending"
        assert q.redis.hget(q.keys.task("b"), "pending_since")
        assert not q.redis.exists(q.keys.scheduled, q.keys.due)

    def test_permits_of_those_that_will_not_come_go_to_the_next(self, door: Door, run: Driver, q: Queue) -> None:
        """One is deleted, one is archived, and the third gets it."""
        for name in "abcd":
            door.ask(self.gate, name)
        q.hash("c", "archived")
        q.waiting("scheduled", "d", q.now() + 100)
        called = run(give_back(self.gate, [("low\na", "t")]))
        assert called == ["low\nb"]
        run(call_up(self.gate, called, now=q.today()))
        assert q.redis.lrange(q.keys.pending, 0, -1) == [b"d"]
        assert door.redis.zrange(K.holders, 0, -1) == [b"low\nd"]
        assert not door.redis.exists(K.waiting)

    def test_a_paused_queue_keeps_no_permit(self, door: Door, run: Driver, q: Queue) -> None:
        """Its tasks stay where they are."""
        for name in "ab":
            door.ask(self.gate, name)
        q.waiting("scheduled", "b", q.now() + 100)
        q.redis.set(q.keys.paused, 1)
        run(call_up(self.gate, run(give_back(self.gate, [("low\na", "t")])), now=q.today()))
        assert q.redis.hget(q.keys.task("b"), "state") == b"scheduled"
        assert not door.redis.exists(K.holders, K.waiting)

    def test_who_is_under_way_comes_by_itself(self, run: Driver, q: Queue, redis: Redis) -> None:
        """A task that is pending or active already is left alone."""
        q.pending("p")
        q.active("a")
        before = snapshot(redis)
        run(call_up(self.gate, ["low\np", "low\na"], now=q.today()))
        assert snapshot(redis) == before


class TestSemaphore:
    """asynq's own key."""

    def test_tokens_are_taken_and_returned(self, run: Driver, redis: Redis) -> None:
        """Members are task ids, scores deadlines; nothing else is stored."""
        deadline = round(Queue(redis).now()) + 100
        take = [run(take_token("sms", name, max_tokens=2, deadline_seconds=deadline)) for name in "abc"]
        assert take == [True, True, False]
        assert snapshot(redis) == {"asynq:sema:sms": Scores({"a": deadline, "b": deadline})}
        assert run(return_token("sms", "a"))
        assert not run(return_token("sms", "a"))
        assert run(take_token("sms", "c", max_tokens=2, deadline_seconds=deadline))

    def test_tokens_end_after_their_deadline(self, run: Driver, redis: Redis) -> None:
        """A second later, as in Go."""
        now = int(Queue(redis).now())
        redis.zadd("asynq:sema:sms", {"dead": now - 2, "alive": now + 10})
        assert run(take_token("sms", "a", max_tokens=2, deadline_seconds=now + 50))
        assert redis.zrange("asynq:sema:sms", 0, -1) == [b"alive", b"a"]

    def test_who_holds_a_token_gets_it_again(self, run: Driver, redis: Redis) -> None:
        """A task that runs again after its worker died; its deadline is the new one."""
        now = int(Queue(redis).now())
        assert run(take_token("sms", "a", max_tokens=1, deadline_seconds=now + 50))
        assert run(take_token("sms", "a", max_tokens=1, deadline_seconds=now + 90))
        assert redis.zrange("asynq:sema:sms", 0, -1, withscores=True) == [(b"a", now + 90)]
