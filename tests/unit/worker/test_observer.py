"""What an observer is told of attempts, and that it cannot hurt them."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, cast

import pytest

from asynqpy import AttemptOutcome, RevokeTask, ServeMux, ServerConfig, SkipRetry, Snooze, Task
from asynqpy._broker.finish import Done, HandOn
from asynqpy._transport.channel import Channel
from asynqpy._worker.callers import Callers
from asynqpy._worker.executor import Executor
from asynqpy._worker.in_flight import InFlight, Running, StopReason
from asynqpy._worker.process_pool import ProcessPool
from asynqpy._worker.thread_pool import ThreadPool
from asynqpy._worker.unknown_types import UnknownTypes
from asynqpy.clock import SystemClock
from tests.eventually import eventually

from .conftest import NoResults, Outlet, message

pytestmark = pytest.mark.anyio


class Noting:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str, float | None]] = []
        self.ended: list[tuple[str, str, AttemptOutcome]] = []
        self.ran: list[float] = []
        self.released: list[str] = []

    def attempt_started(self, queue: str, pattern: str, waited_seconds: float | None) -> None:
        self.started.append((queue, pattern, waited_seconds))

    def attempt_ended(self, queue: str, pattern: str, outcome: AttemptOutcome, ran_seconds: float) -> None:
        self.ended.append((queue, pattern, outcome))
        self.ran.append(ran_seconds)

    def task_released(self, queue: str) -> None:
        self.released.append(queue)

    def turn_ended(self, size: int, seconds: float) -> None: ...

    def reconnected(self, connection: str) -> None: ...


class Failing(Noting):
    """Raises whatever it is told."""

    def attempt_started(self, queue: str, pattern: str, waited_seconds: float | None) -> None:
        raise RuntimeError("start")

    def attempt_ended(self, queue: str, pattern: str, outcome: AttemptOutcome, ran_seconds: float) -> None:
        raise RuntimeError("end")

    def task_released(self, queue: str) -> None:
        raise RuntimeError("released")


mux = ServeMux()


@mux.handler("do:")
async def do(task: Task) -> None:
    """What the type says."""
    match task.type.removeprefix("do:"):
        case "fail":
            raise ValueError
        case "skip":
            raise SkipRetry
        case "revoke":
            raise RevokeTask
        case "snooze":
            raise Snooze(1)
        case "wait":
            await asyncio.Event().wait()


class Nobody:
    """A channel on which there is no other server."""

    async def run(self, flow: Any) -> list[Any]:
        return []


class Bench:
    """An executor with an observer."""

    def __init__(self, observer: Any, *, handing_on: bool = False) -> None:
        self.outlet = Outlet()
        callers = Callers(ThreadPool(1), ProcessPool(1, None))
        self.in_flight = InFlight()
        unknown_types = UnknownTypes(cast("Channel", Nobody()), SystemClock())
        config = ServerConfig(observer=observer, unknown_types="release" if handing_on else "fail")
        self.executor = Executor(mux, callers, self.in_flight, NoResults(), config, unknown_types)

    def start(self, task_type: str, *, since: float = 0.0, **fields: Any) -> Running | None:
        """Start an attempt that was claimed just now."""
        now = time.time()
        stored = message("id", type=task_type, **fields)
        self.executor.start(stored, "token", time.monotonic() + 30, int(since * 1e9), self.outlet, now)
        return self.in_flight.get("default", "id")

    async def ended(self) -> None:
        """Return when the slot is free again."""
        await eventually(lambda: self.outlet.released)


@pytest.mark.parametrize(
    ("task_type", "fields", "outcome"),
    [
        ("do:it", {}, AttemptOutcome.SUCCEEDED),
        ("do:fail", {}, AttemptOutcome.RETRIED),
        ("do:fail", {"retry": 0}, AttemptOutcome.ARCHIVED),
        ("do:skip", {}, AttemptOutcome.ARCHIVED),
        ("do:revoke", {}, AttemptOutcome.REVOKED),
        ("do:snooze", {}, AttemptOutcome.SNOOZED),
    ],
)
async def test_each_attempt_is_told_once(task_type: str, fields: dict[str, Any], outcome: AttemptOutcome) -> None:
    """With the pattern that matched, not with the type."""
    observer = Noting()
    bench = Bench(observer)
    bench.start(task_type, **fields)
    await bench.ended()
    assert observer.started == [("default", "do:", None)]
    assert observer.ended == [("default", "do:", outcome)]
    assert 0 <= observer.ran[0] < 60


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (StopReason.SHUTDOWN, AttemptOutcome.PUT_BACK),
        (StopReason.LEASE_LOST, AttemptOutcome.LEASE_LOST),
        (StopReason.DEADLINE, AttemptOutcome.RETRIED),
    ],
)
async def test_an_attempt_that_was_stopped_is_told_too(reason: StopReason, outcome: AttemptOutcome) -> None:
    """So that what is in progress comes to nothing in the end."""
    observer = Noting()
    bench = Bench(observer)
    running = bench.start("do:wait")
    assert running is not None
    await asyncio.sleep(0)
    bench.executor.stop(running, reason)
    await bench.ended()
    await eventually(lambda: observer.ended)
    assert observer.ended == [("default", "do:", outcome)]


async def test_the_wait_counts_from_when_the_task_was_ready() -> None:
    """As the hash says; never less than nothing, whatever the clocks say."""
    observer = Noting()
    for since in (time.time() - 5, time.time() + 60):
        bench = Bench(observer)
        bench.start("do:it", since=since)
        await bench.ended()
    (_, _, late), (_, _, early) = observer.started
    assert late is not None
    assert 5 <= late < 60
    assert early == 0.0


async def test_a_type_without_handler_has_no_pattern() -> None:
    """Or is no attempt at all, where it is handed on."""
    observer = Noting()
    bench = Bench(observer)
    bench.start("unknown")
    await bench.ended()
    assert observer.ended == [("default", "", AttemptOutcome.RETRIED)]
    bench = Bench(observer := Noting(), handing_on=True)
    bench.start("unknown")
    assert isinstance(bench.outlet.written[0], HandOn)
    assert (observer.started, observer.ended, observer.released) == ([], [], ["default"])


async def test_an_observer_that_fails_harms_no_task(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the outcome is stored."""
    with caplog.at_level(logging.ERROR, "asynqpy"):
        bench = Bench(Failing(), handing_on=True)
        bench.start("do:it")
        await bench.ended()
        bench.start("unknown")
    assert [type(record) for record in bench.outlet.written] == [Done, HandOn]
    assert [record.message for record in caplog.records] == ["the observer failed"] * 3
