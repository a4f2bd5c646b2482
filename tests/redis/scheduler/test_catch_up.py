"""Ticks that were missed while no scheduler ran, or while Redis was away."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from asynqpy import ConfigError, Task
from asynqpy._broker.ticks import KEEP_SECONDS
from asynqpy._wire import keys

from .stage import MINUTE, NOON, Stage

pytestmark = pytest.mark.anyio

MISSED = "ticks of a periodic task were missed and are not caught up"


async def run_once(stage: Stage, *passes: timedelta, **options: Any) -> str:
    """Start a scheduler with an entry that is due each minute, let time pass, and end it."""
    scheduler = stage.scheduler()
    entry = scheduler.register(options.pop("spec", "* * * * *"), Task("t"), **options)
    async with stage.running(scheduler):
        for by in passes:
            await stage.pass_time(by, scheduler)
    return entry


@pytest.mark.parametrize("catch_up", ["none", "last", "all"])
async def test_the_first_start_has_nothing_to_catch_up(stage: Stage, catch_up: str) -> None:
    """Nothing is enqueued before the first tick after it."""
    entry = await run_once(stage, timedelta(seconds=30), catch_up=catch_up)
    assert stage.ticks(entry) == []


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        ("none", ["12:01", "12:08"]),
        ("last", ["12:01", "12:07", "12:08"]),
        ("all", ["12:01", "12:02", "12:03", "12:04", "12:05", "12:06", "12:07", "12:08"]),
    ],
)
async def test_after_a_pause(
    stage: Stage, catch_up: str, expected: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """None forgets what was missed, last enqueues the latest, all each of them; what is forgotten is logged."""
    await run_once(stage, MINUTE, catch_up=catch_up)
    stage.clock.advance(timedelta(minutes=6, seconds=30))  # 12:07:30
    with caplog.at_level(logging.INFO, "asynqpy"):
        entry = await run_once(stage, timedelta(seconds=30), catch_up=catch_up)
    assert stage.ticks(entry) == expected
    messages = [record.getMessage() for record in caplog.records]
    assert (MISSED in messages) == (catch_up != "all")


async def test_a_start_counts_even_if_no_tick_came(stage: Stage) -> None:
    """An entry that was once registered misses ticks from then on."""
    await run_once(stage, catch_up="all", spec="@hourly")
    stage.clock.advance(timedelta(hours=2, minutes=30))
    entry = await run_once(stage, catch_up="all", spec="@hourly")
    assert stage.ticks(entry) == ["13:00", "14:00"]


@pytest.mark.parametrize("catch_up", ["none", "last", "all"])
async def test_a_restart_misses_nothing(stage: Stage, catch_up: str, caplog: pytest.LogCaptureFixture) -> None:
    """A tick that is a few seconds late was not missed, whatever the entry says."""
    await run_once(stage, timedelta(seconds=58), catch_up=catch_up)
    stage.clock.advance(4)  # 12:01:02
    entry = await run_once(stage, catch_up=catch_up)
    assert stage.ticks(entry) == ["12:01"]
    assert MISSED not in caplog.text


async def test_a_late_scheduler_enqueues_what_it_waited_for(stage: Stage) -> None:
    """A machine that slept for hours enqueues one tick; what is newer goes by the entry."""
    scheduler = stage.scheduler()
    none = scheduler.register("*/10 * * * *", Task("none"))
    last = scheduler.register("*/10 * * * *", Task("last"), catch_up="last")
    every = scheduler.register("*/10 * * * *", Task("all"), catch_up="all")
    async with stage.running(scheduler):
        await stage.pass_time(timedelta(minutes=45), scheduler)
        await stage.pass_time(timedelta(minutes=5), scheduler)
    assert stage.ticks(none) == ["12:10", "12:50"]
    assert stage.ticks(last) == ["12:10", "12:40", "12:50"]
    assert stage.ticks(every) == ["12:10", "12:20", "12:30", "12:40", "12:50"]


async def test_no_more_than_a_thousand_are_caught_up(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """The latest ones, and the rest is logged."""
    await run_once(stage, catch_up="all", spec="@every 1s")
    stage.clock.advance(timedelta(hours=1))
    entry = await run_once(stage, catch_up="all", spec="@every 1s")
    ticks = stage.ticks(entry)
    assert len(ticks) == 1000
    assert (ticks[0], ticks[-1]) == ("12:43:21", "13:00")
    assert MISSED in caplog.text


async def test_others_that_ran_meanwhile_have_missed_nothing(stage: Stage) -> None:
    """A scheduler that comes back finds where the entry stands."""
    first, second = stage.scheduler(), stage.scheduler()
    entries = {each.register("* * * * *", Task("t"), catch_up="all") for each in (first, second)}
    async with stage.running(first):
        async with stage.running(second):
            await stage.pass_time(MINUTE, first, second)
        for _ in range(3):
            await stage.pass_time(MINUTE, first)
        third = stage.scheduler()
        entries.add(third.register("* * * * *", Task("t"), catch_up="all"))
        async with stage.running(third):
            await stage.pass_time(MINUTE, first, third)
    (entry,) = entries
    assert stage.ticks(entry) == ["12:01", "12:02", "12:03", "12:04", "12:05"]


async def test_a_rare_entry_is_remembered_until_after_its_next_tick(stage: Stage) -> None:
    """The marker of a yearly one lives for more than a year."""
    entry = await run_once(stage, timedelta(days=200), spec="@yearly")
    assert stage.ticks(entry) == ["00:00"]
    ttl = stage.redis.ttl(keys.of_queue("default").tick(entry))
    left = NOON.replace(year=2032, month=1, day=1, hour=0) - stage.clock.now()
    assert abs(ttl - KEEP_SECONDS - left.total_seconds()) < 60


async def test_a_word_that_is_no_policy_is_refused(stage: Stage) -> None:
    """With those that there are."""
    with pytest.raises(ConfigError, match="catch_up must be 'none', 'last' or 'all', got 'some'"):
        stage.scheduler().register("@daily", Task("t"), catch_up="some")  # type: ignore[arg-type]
