"""Redis is away, or refuses: ticks wait, and are enqueued once it is back."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from asynqpy import Scheduler, Task
from asynqpy._scheduling.timekeeper import RedisClock
from asynqpy._wire import keys
from asynqpy.testing import FakeClock
from tests.conftest import StartServer
from tests.eventually import eventually
from tests.redis.seed import Queue

from .stage import MINUTE, NOON, Stage

pytestmark = pytest.mark.anyio

WAITS = "periodic tasks wait, because they cannot be enqueued"


@pytest.mark.parametrize("kind", ["valkey", "redis"])
async def test_redis_restarts_while_ticks_flow(start_server: StartServer, kind: Any) -> None:
    """No tick is lost, none comes twice: those of the outage are enqueued when it is over."""
    server = start_server(kind, options={"appendonly": "yes", "appendfsync": "always"})
    schedulers = [Scheduler(server.url) for _ in range(2)]
    for scheduler in schedulers:
        scheduler.register("@every 1s", Task("t"), entry_id="e", catch_up="all")

    def ticks() -> list[int]:
        with server.client() as client:
            found: Any = client.lrange(keys.of_queue("default").pending, 0, -1)
        return [int(task_id.decode().rpartition(":")[2]) for task_id in found][::-1]

    async with schedulers[0].running(), schedulers[1].running():
        await eventually(lambda: len(ticks()) >= 2)
        for end in (server.stop, server.kill):
            end()
            waiting = schedulers[0]._timetable.jobs()[0]
            await eventually(lambda waiting=waiting: waiting.busy)  # type: ignore[misc]
            server.start()
            known = len(ticks())
            await eventually(lambda known=known: len(ticks()) >= known + 3)  # type: ignore[misc]
    found = ticks()
    assert found == list(range(found[0], found[0] + len(found)))


async def test_a_tick_is_kept_through_an_outage(start_server: StartServer, caplog: pytest.LogCaptureFixture) -> None:
    """However long it lasts, and whatever the entry says of missed ticks; the trouble is logged once, and its end."""
    server, clock = start_server("valkey"), FakeClock(NOON)
    scheduler = Scheduler(server.url, clock=clock)
    entries = [scheduler.register("@hourly", Task("t", n)) for n in range(20)]

    def settle() -> bool:
        clock.advance(1)  # ends the pauses between attempts
        return not any(job.busy for job in scheduler._timetable.jobs())

    with caplog.at_level(logging.INFO, "asynqpy"):
        async with scheduler.running():
            await eventually(lambda: all(job.handled for job in scheduler._timetable.jobs()))
            server.stop()
            clock.advance(3600)
            await eventually(lambda: WAITS in caplog.text)
            clock.advance(1800)
            server.start()
            await eventually(settle)
            with server.client() as client:
                found: Any = client.lrange(keys.of_queue("default").pending, 0, -1)
    unix = int((NOON + 60 * MINUTE).timestamp())
    assert {task_id.decode() for task_id in found} == {f"{entry}:{unix}" for entry in entries}
    assert 1 <= caplog.text.count(WAITS) <= 3  # refused, closed, and reset are told apart
    assert caplog.text.count("periodic tasks are enqueued again") == 1


async def test_redis_may_come_after_the_scheduler(start_server: StartServer) -> None:
    """Ticks since its start are enqueued when it is there."""
    server, clock = start_server("valkey"), FakeClock(NOON)
    server.stop()
    scheduler = Scheduler(server.url, clock=clock)
    entry = scheduler.register("* * * * *", Task("t"))

    def begun() -> bool:
        clock.advance(1)
        job = scheduler._timetable.jobs()[0]
        return job.handled is not None and not job.busy

    async with scheduler.running():
        await eventually(lambda: scheduler._timetable.jobs()[0].busy)
        clock.advance(90)
        server.start()
        await eventually(begun)
        with server.client() as client:
            found: Any = client.lrange(keys.of_queue("default").pending, 0, -1)
    first = int((NOON + MINUTE).timestamp())
    assert found[-1].decode() == f"{entry}:{first}"


async def test_the_end_does_not_wait_for_redis(start_server: StartServer, caplog: pytest.LogCaptureFixture) -> None:
    """A tick that could not be enqueued stays undecided, for others and for the next start."""
    server, clock = start_server("valkey", options={"appendonly": "yes", "appendfsync": "always"}), FakeClock(NOON)
    for _ in range(2):
        scheduler = Scheduler(server.url, clock=clock)
        entry = scheduler.register("* * * * *", Task("t"), catch_up="last")
        async with scheduler.running():
            job = scheduler._timetable.jobs()[0]
            await eventually(lambda job=job: job.handled)  # type: ignore[misc]
            if clock.now() == NOON:
                server.stop()
                clock.advance(MINUTE)
                await eventually(lambda: WAITS in caplog.text)
            else:
                await eventually(lambda job=job: not job.busy)  # type: ignore[misc]
        if server._process is None:
            server.start()
    with server.client() as client:
        found: Any = client.lrange(keys.of_queue("default").pending, 0, -1)
    assert found == [f"{entry}:{int((NOON + MINUTE).timestamp())}".encode()]


async def test_one_entry_that_redis_refuses_harms_no_other(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """It waits until it is mended; then its tick is enqueued."""
    scheduler = stage.scheduler()
    broken = scheduler.register("* * * * *", Task("broken"))
    whole = scheduler.register("* * * * *", Task("whole"))
    marker = keys.of_queue("default").tick(broken)
    async with stage.running(scheduler):
        stage.redis.delete(marker)
        stage.redis.set(marker, "no hash")
        for n in range(3):
            stage.clock.advance(MINUTE)
            await eventually(lambda n=n: len(stage.ticks(whole)) == n + 1)  # type: ignore[misc]
        assert "WRONGTYPE" in caplog.text
        stage.redis.delete(marker)

        def mended() -> bool:
            stage.clock.advance(1)
            return bool(stage.ticks(broken))

        await eventually(mended)
    assert stage.ticks(broken)[0] == "12:01"


async def test_ticks_go_by_redis_clock(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the machine's own clock shows, which is logged."""
    schedulers = [Scheduler(stage.url) for _ in range(3)]
    for scheduler, hours in zip(schedulers, (0, 1, -1), strict=True):
        assert isinstance(scheduler._clock, RedisClock)
        scheduler._clock.adjust(timedelta(hours=hours))
        entry = scheduler.register("@every 1s", Task("t"))
    redis = Queue(stage.redis)
    began = redis.now()
    async with schedulers[0].running(), schedulers[1].running(), schedulers[2].running():
        await eventually(lambda: len(stage.ticks(entry)) >= 3)
        assert all(abs(scheduler._clock.now().timestamp() - redis.now()) < 1 for scheduler in schedulers)
    unix = [int(task_id.rpartition(":")[2]) for task_id in stage.enqueued()]
    assert unix == list(range(unix[0], unix[0] + len(unix)))
    assert began <= unix[0] <= unix[-1] <= redis.now()
    assert caplog.text.count("the clocks of this machine and of Redis differ by") == 2


async def test_two_clocks_that_differ(stage: Stage) -> None:
    """Each tick once, when the faster clock shows it."""
    ahead, behind = FakeClock(NOON), FakeClock(NOON - 0.3 * MINUTE)
    fast, slow = stage.scheduler(clock=ahead), stage.scheduler(clock=behind)
    entry = fast.register("* * * * *", Task("t"))
    assert slow.register("* * * * *", Task("t")) == entry
    async with stage.running(fast), slow.running():
        await eventually(lambda: slow._timetable.jobs()[0].handled)
        for n in range(4):
            ahead.advance(MINUTE)
            await eventually(lambda n=n: len(stage.ticks(entry)) == n + 1)  # type: ignore[misc]
            behind.advance(MINUTE)
            await eventually(lambda: not slow._timetable.jobs()[0].is_due(behind.now()))
    assert stage.ticks(entry) == ["12:01", "12:02", "12:03", "12:04"]


async def test_a_clock_that_was_wrong_once_is_told(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Ticks go forward only: an entry that stands in the future waits, and says so."""
    stage.clock.set(NOON.replace(year=2035))
    for year in (2035, 2030):
        stage.clock.set(NOON.replace(year=year))
        scheduler = stage.scheduler()
        entry = scheduler.register("@hourly", Task("t"))
        async with stage.running(scheduler):
            await stage.pass_time(60 * MINUTE, scheduler)
    assert len(stage.ticks(entry)) == 1
    assert caplog.text.count("a periodic task was already enqueued for a moment to come") == 1


@pytest.mark.parametrize("trouble", ["down", "forbidden"])
async def test_the_first_look_at_redis_clock_may_fail(
    start_server: StartServer, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    """The log says why nothing is enqueued; ticks since the start are enqueued when Redis tells the time."""
    server = start_server("valkey")
    if trouble == "down":
        server.stop()
    else:
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "default", "-time")
    scheduler = Scheduler(server.url)
    entry = scheduler.register("@every 1s", Task("t"), catch_up="all")
    async with scheduler.running():
        await eventually(lambda: "periodic tasks wait, because Redis does not tell the time" in caplog.text)
        since = scheduler._timetable.jobs()[0].since
        if trouble == "down":
            server.start()
        else:
            with server.client() as client:
                client.execute_command("ACL", "SETUSER", "default", "+time")

        def ticks() -> list[int]:
            with server.client() as client:
                found: Any = client.lrange(keys.of_queue("default").pending, 0, -1)
            return [int(task_id.decode().removeprefix(f"{entry}:")) for task_id in found][::-1]

        await eventually(lambda: len(ticks()) >= 2)
    found = ticks()
    assert found == list(range(found[0], found[0] + len(found)))
    assert abs(found[0] - since.timestamp()) <= 2
    assert caplog.text.count("periodic tasks wait, because Redis does not tell the time") == 1
