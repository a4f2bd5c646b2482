"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from asynqpy import Client, Clock, ConfigError
from asynqpy.testing import FakeClock

pytestmark = pytest.mark.anyio

NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    """asyncio."""
    return "asyncio"


async def until_asleep(clock: FakeClock, count: int) -> None:
    """Wait for sleepers, with a limit."""
    async with asyncio.timeout(20):
        await clock.wait_for_sleepers(count)


async def test_it_stands_still_and_is_set_by_hand() -> None:
    """Forwards and back."""
    clock = FakeClock(NOON)
    assert clock.now() == clock.now() == NOON
    clock.advance(90)
    clock.advance(timedelta(minutes=1))
    assert clock.now() == NOON + timedelta(seconds=150)
    clock.set(NOON - timedelta(days=1))
    assert clock.now() == NOON - timedelta(days=1)


async def test_moments_are_shown_in_utc_and_need_a_zone() -> None:
    """Naive ones are refused."""
    clock = FakeClock(datetime(2031, 5, 1, 14, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == NOON
    assert clock.now().tzinfo is UTC
    for refused in (lambda: FakeClock(datetime(2031, 5, 1)), lambda: clock.set(datetime(2031, 5, 1))):  # noqa: DTZ001
        with pytest.raises(ConfigError, match="time zone"):
            refused()
    with pytest.raises(ConfigError, match="forwards"):
        clock.advance(-1)


async def test_sleepers_wake_when_their_time_has_come_and_in_its_order() -> None:
    """Not a moment before."""
    clock = FakeClock(NOON)
    woken: list[int] = []

    async def sleep(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleep(seconds)) for seconds in (30, 10, 20, 10)]
    await until_asleep(clock, 4)
    clock.advance(9.999)
    await asyncio.sleep(0)
    assert woken == []
    clock.advance(0.001)
    await asyncio.gather(tasks[1], tasks[3])
    assert (woken, clock.sleepers) == ([10, 10], 2)
    clock.advance(3600)
    await asyncio.gather(*tasks)
    assert (woken, clock.sleepers) == ([10, 10, 20, 30], 0)


async def test_a_loop_that_sleeps_again_and_again_is_led_step_by_step() -> None:
    """`wait_for_sleepers` says when to move on."""
    clock = FakeClock(NOON)
    ticks: list[datetime] = []

    async def tick() -> None:
        while True:
            ticks.append(clock.now())
            await clock.sleep(5)

    running = asyncio.create_task(tick())
    for _ in range(3):
        await until_asleep(clock, 1)
        clock.advance(5)
    await until_asleep(clock, 1)
    assert ticks == [NOON + timedelta(seconds=5 * n) for n in range(4)]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert clock.sleepers == 0
    clock.advance(100)


async def test_no_time_is_no_sleep() -> None:
    """Zero and less return by themselves."""
    clock = FakeClock()
    async with asyncio.timeout(20):
        await clock.sleep(0)
        await clock.sleep(-5)


def test_it_is_a_clock() -> None:
    """To the type checker, and to whatever takes one."""
    clock: Clock = FakeClock()
    Client("redis://127.0.0.1:1", clock=clock).close()
