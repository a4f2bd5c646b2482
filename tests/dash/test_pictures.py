"""How the pages look: each is compared with a picture that was looked at and found good.

``ASYNQPY_NEW_PICTURES=1 pytest tests/dash/test_pictures.py`` draws them anew; look at what git shows then.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from asynqpy.dash.palette import LIGHT, SIXTEEN
from asynqpy.testing import FakeClock

from .page import HOUR, Page, opened
from .world import NOW, SteadyInspector, World

pytestmark = pytest.mark.anyio

PICTURES = Path(__file__).parent / "pictures"
WORKED = (60, 80, 55, 90, 120, 150, 140, 95, 60, 30, 0, 0, 40, 80, 100, 110)
"""Tasks done a second, hour by hour."""


@dataclass(frozen=True)
class Shot:
    """One picture: its size, and how to get there."""

    name: str
    keys: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    """What is on the screen when it may be taken."""
    size: tuple[int, int] = (120, 40)
    options: dict[str, Any] = field(default_factory=dict)
    then: Callable[[Page], Awaitable[None]] | None = None


async def _light(page: Page) -> None:
    page.app.theme = LIGHT


async def _sixteen(page: Page) -> None:
    page.app.theme = SIXTEEN


async def _away(page: Page) -> None:
    page.app.link.failed("Redis at localhost:6379 cannot be reached: connection refused")
    page.app.link.next_at = 0.0
    page.clock.advance(34)
    page.app.screen.query_one("Banner").update()  # type: ignore[attr-defined]
    page.app.screen.query_one("TopBar").refresh()


async def _found(page: Page) -> None:
    await page.type("type:payment error:insufficient")
    await page.press("enter")
    await page.until("10 found")


SHOTS = [
    Shot("queues", wanted=("payments",)),
    Shot("queues-narrow", size=(80, 24), wanted=("payments",)),
    Shot("queues-light", wanted=("payments",), then=_light),
    Shot("queues-sixteen", size=(80, 24), wanted=("payments",), then=_sixteen),
    Shot("queues-away", wanted=("payments",), then=_away),
    Shot("queues-read-only", size=(80, 24), wanted=("read-only",), options={"read_only": True}),
    Shot("queue-active", ("enter",), ("orphaned",)),
    Shot("queue-pending-narrow", ("enter", "right", "space", "space"), ("2 marked",), (80, 24)),
    Shot("queue-retry", ("end", "enter"), ("CardDeclined",)),
    Shot("queue-groups", ("down", "enter"), ("tenant-2",)),
    Shot("queue-empty", ("end", "enter", "left"), ("Nothing is scheduled",), (80, 24)),
    Shot("task", ("end", "enter", "enter"), ("Traceback",)),
    Shot("task-narrow", ("end", "enter", "enter"), ("CardDeclined",), (80, 24)),
    Shot("servers", ("2",), ("web-2", "report:build")),
    Shot("schedules", ("3",), ("backup:run", "000002bc")),
    Shot("redis", ("4",), ("allkeys-lru",)),
    Shot("found", ("f",), then=_found),
    Shot("confirm-delete", ("end", "enter", "space", "space", "d"), ("Delete 2 tasks?",), (80, 24)),
    Shot("help", ("question_mark",), ("Everywhere",)),
]


@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.name)
async def test_a_page_looks_as_it_did(shot: Shot, world: World, redis_url: str) -> None:
    """Nothing has moved, changed its colour or gone."""
    clock = FakeClock(NOW - HOUR * len(WORKED))
    async with opened(SteadyInspector(redis_url, clock=clock), size=shot.size, clock=clock, **shot.options) as page:
        for rate in WORKED:
            world.work(rate * 3600, rate * 360 if rate > 90 else 0)
            page.clock.advance(HOUR)
            await page.read()
        for key in shot.keys:
            await page.press(key)
            await page.first()
        await page.until(*shot.wanted)
        if shot.then is not None:
            await shot.then(page)
        await page.pilot.pause()
        drawn = page.app.export_screenshot(title=f"asynqpy dash · {shot.name}")
    compare(shot.name, drawn)


async def test_nothing_there_yet(redis_url: str) -> None:
    """The first look at a new Redis tells what to do."""
    async with opened(redis_url, size=(80, 24)) as page:
        await page.until("There are no queues yet")
        compare("nothing-yet", page.app.export_screenshot(title="asynqpy dash · nothing-yet"))


async def test_no_redis_at_all() -> None:
    """The first look when nothing answers: why, and that it is tried again."""
    async with opened("redis://127.0.0.1:1/0", size=(80, 24)) as page:
        await page.until("no data yet")
        page.app.link.error = "Redis at 127.0.0.1:1 cannot be reached"
        page.app.link.next_at = 0.0
        await page.until("trying again …")
        compare("no-redis", page.app.export_screenshot(title="asynqpy dash · no-redis"))


def compare(name: str, drawn: str) -> None:
    """Fail unless *drawn* is the picture of that name."""
    path = PICTURES / f"{name}.svg"
    lines = "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"
    if os.environ.get("ASYNQPY_NEW_PICTURES"):
        path.write_text(lines, "utf-8")
        return
    if path.read_text("utf-8") != lines:
        other = path.with_suffix(".new.svg")
        other.write_text(lines, "utf-8")
        pytest.fail(f"{name} looks different: compare {path} with {other}")
