"""What the page about periodic tasks says is so."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from redis import Redis

from asynqpy import FileProvider, PeriodicTaskManager, Scheduler, Task
from asynqpy._scheduling.schedules import parse_spec
from asynqpy.testing import FakeClock
from tests.redis.scheduler.stage import NOON, Stage

from .page import ROOT, Page, blocks

PAGE = ROOT / "docs/howto/schedule.md"
TEXT = PAGE.read_text(encoding="utf-8")
CHANGES = re.findall(r"^\| `(.+)` \| (\w+/\w+) \| (\d{4}-\d\d-\d\d)[^|]* \| ([^|]+) \|$", TEXT, re.MULTILINE)
SPECS = [
    spec
    for row in re.findall(r"^\| (`.+`) \| [^|]+ \|$", TEXT, re.MULTILINE)
    for spec in re.findall(r"`((?:@|TZ=)[^`]+)`", row)
]


def test_the_entries_of_the_page_are_scheduled(open_page: Callable[[str], Page]) -> None:
    """All that the page registers, with its options."""
    page = open_page("docs/howto/schedule.md")
    page.run()
    scheduler: Scheduler = page.names["scheduler"]
    entries = {job.entry.task.type: job.entry for job in scheduler._timetable.jobs()}
    assert entries.keys() == {"report:build", "invoice:send", "feed:poll", "usage:bill", "mail:fetch"}
    assert entries["usage:bill"].catch_up == "all"
    assert not entries["mail:fetch"].overlap
    tick = datetime(2026, 1, 1, tzinfo=UTC)
    task = Task("usage:bill", task_id=entries["usage:bill"].task_id(tick))
    assert page.names["hour_of"](task) == tick.timestamp()


@pytest.mark.parametrize(("spec", "zone", "date", "expected"), CHANGES)
def test_the_table_of_clocks_that_change(spec: str, zone: str, date: str, expected: str) -> None:
    """Each row, found again."""
    info = ZoneInfo(zone)
    start = datetime.fromisoformat(date).replace(tzinfo=info).astimezone(UTC) - timedelta(hours=1)
    schedule, ticks = parse_spec(spec, info), []
    tick = schedule.next_after(start)
    while tick is not None and tick.astimezone(info).date().isoformat() <= date:
        if tick.astimezone(info).date().isoformat() == date:
            ticks.append(f"{tick.hour}:{tick.minute:02}")
        tick = schedule.next_after(tick)
    assert ticks == re.findall(r"\d+:\d\d", expected)


def test_the_tables_were_read() -> None:
    """They have not moved out of sight."""
    assert len(CHANGES) == 5
    assert len(SPECS) >= 9


@pytest.mark.parametrize("spec", SPECS)
def test_the_specs_of_the_page_are_understood(spec: str) -> None:
    """Descriptors and prefixes."""
    assert parse_spec(spec, UTC).next_after(NOON)


@pytest.mark.parametrize(("language", "count"), [("toml", 2), ("yaml", 1)])
def test_the_files_of_the_page_are_understood(tmp_path: Path, redis_url: str, language: str, count: int) -> None:
    """By the provider, and by the scheduler behind it."""
    (text,) = blocks(PAGE, language)
    path = tmp_path / f"periodic.{language}"
    path.write_text(text)
    configs = FileProvider(path)()
    assert len(configs) == count
    manager = PeriodicTaskManager(redis_url, FileProvider(path))
    entries = [manager._follower._entry(number, config) for number, config in enumerate(configs)]
    assert (entries[0].task.type, entries[0].options.timeout_seconds) == ("report:build", 90)
    assert count == 1 or (entries[1].id, entries[1].overlap, entries[1].catch_up) == ("nightly-bill", False, "all")


def test_the_provider_of_the_page_provides(
    open_page: Callable[[str], Page], redis_url: str, redis: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    """A task for each tenant; and the hooks of the page tell."""
    page = open_page("docs/howto/schedule.md")
    page.run()
    clock = FakeClock(NOON)
    stage = Stage(redis_url, redis, clock)

    async def scenario() -> None:
        hooks = {"pre_enqueue": page.names["before"], "post_enqueue": page.names["after"]}
        manager = PeriodicTaskManager(redis_url, page.names["provide"], clock=clock, **hooks)
        async with stage.running(manager):
            await stage.pass_time(timedelta(hours=18), manager)
            assert [stage.message(task_id, "low").payload for task_id in sorted(stage.enqueued("low"))]
            assert len(stage.enqueued("low")) == 2

    page.runner.run(scenario())
    printed = capsys.readouterr().out
    assert printed.count("due: digest:send") == printed.count("enqueued: ") == 2
