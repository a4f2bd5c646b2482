"""Following Redis' clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from asynqpy import BrokerError
from asynqpy._broker.flow import Call
from asynqpy._scheduling.timekeeper import RedisClock, Timekeeper
from asynqpy._transport.drive import drive

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of asyncio."""
    return "asyncio"


class Redis:
    """Tells a time that is ahead of the machine's, and takes its time to answer."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self.travel_seconds = 0.0
        self.is_down = False

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def run(self, flow: Any) -> Any:
        def perform(request: Any) -> list[bytes]:
            assert isinstance(request, Call)
            assert request.words == ("TIME",)
            if self.is_down:
                raise BrokerError("down")
            seconds, microseconds = divmod(round(self.now().timestamp() * 1e6), 10**6)
            time.sleep(self.travel_seconds)
            return [b"%d" % seconds, b"%d" % microseconds]

        return drive(flow, perform)


def keeper(redis: Redis) -> tuple[RedisClock, Timekeeper, list[str]]:
    """A clock, who keeps it, and a list that grows when it is adjusted."""
    clock, changes = RedisClock(), list[str]()
    return clock, Timekeeper(clock, redis, on_change=lambda: changes.append("changed")), changes  # type: ignore[arg-type]


async def test_the_clock_is_the_machines_at_first() -> None:
    """Until Redis has told."""
    before = datetime.now(UTC)
    assert before <= RedisClock().now() + timedelta(milliseconds=1) <= datetime.now(UTC) + timedelta(seconds=1)


@pytest.mark.parametrize("ahead", [timedelta(0), HOUR, -HOUR, timedelta(milliseconds=50)])
async def test_it_shows_redis_time(ahead: timedelta) -> None:
    """A little behind rather than ahead."""
    redis = Redis()
    redis.ahead, redis.travel_seconds = ahead, 0.02
    clock, timekeeper, changes = keeper(redis)
    await timekeeper.measure()
    await timekeeper.wait_until_measured()
    assert timedelta(0) <= redis.now() - clock.now() + timedelta(milliseconds=1) < timedelta(seconds=5)
    assert changes == ["changed"]


async def test_a_slow_answer_is_no_reason_to_go_back() -> None:
    """What was told agrees with the clock, given its travel."""
    redis = Redis()
    clock, timekeeper, changes = keeper(redis)
    await timekeeper.measure()
    clock.adjust(timedelta(milliseconds=-5))
    redis.travel_seconds = 0.05
    before = clock._shown
    await timekeeper.measure()
    assert clock._shown == before
    assert changes == ["changed"]


async def test_a_clock_that_is_set_is_followed(caplog: pytest.LogCaptureFixture) -> None:
    """In both directions; a large step is logged."""
    redis = Redis()
    clock, timekeeper, changes = keeper(redis)
    await timekeeper.measure()
    for ahead in (HOUR, -HOUR):
        redis.ahead = ahead
        await timekeeper.measure()
        assert abs(redis.now() - clock.now()) < timedelta(seconds=5)
    assert len(changes) == 3
    assert "differ by 3600 s; periodic tasks go by that of Redis" in caplog.text
    assert "differ by -7200 s" in caplog.text


async def test_the_machines_clock_does_not_matter_between_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its steady clock does."""
    clock = RedisClock()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    shown = clock.now()
    await clock.sleep(0.01)
    assert timedelta(milliseconds=9) < clock.now() - shown < timedelta(seconds=20)


async def test_without_redis_the_time_stays_unknown() -> None:
    """And is known when it answers."""
    redis = Redis()
    redis.is_down = True
    _, timekeeper, _ = keeper(redis)
    with pytest.raises(BrokerError):
        await timekeeper.measure()
    assert not timekeeper._measured.is_set()
    redis.is_down = False
    await timekeeper.measure()
    assert timekeeper._measured.is_set()
