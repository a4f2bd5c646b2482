"""The dashboard in a test: keys go in, the screen comes out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from typing import Any, TypeVar, cast

from textual.app import App
from textual.pilot import Pilot

from asynqpy import AsyncInspector
from asynqpy.dash.app import DashApp
from asynqpy.dash.table import LiveTable
from asynqpy.dash.views.view import View
from asynqpy.testing import FakeClock
from tests.eventually import PATIENCE_SECONDS

from .world import NOW

T = TypeVar("T")

RARELY = 3600.0
"""Seconds between two readings in tests that say when to read."""


class Page:
    """An open dashboard."""

    def __init__(self, app: DashApp, pilot: Pilot[None], clock: FakeClock) -> None:
        self.app = app
        self.pilot = pilot
        self.clock = clock

    @property
    def text(self) -> str:
        """What is on the screen."""
        return screen_text(self.app)

    @property
    def view(self) -> View:
        """The page that is shown, below any dialog."""
        return next(screen for screen in reversed(self.app.screen_stack) if isinstance(screen, View))

    @property
    def table(self) -> LiveTable[Any]:
        """Its table."""
        table = self.view.table
        assert table is not None
        return table

    def one(self, kind: type[T]) -> T:
        """The page that is shown, which is of this kind."""
        assert isinstance(self.view, kind)
        return cast("T", self.view)

    async def press(self, *pressed: str) -> None:
        """Press keys one after the other, each when the one before has been dealt with."""
        await self.pilot.press(*pressed)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Type *text*."""
        names = {":": "colon", "*": "asterisk", " ": "space", "-": "minus", ".": "full_stop"}
        await self.press(*(names.get(letter, letter) for letter in text))

    async def until(self, *wanted: str, absent: str = "") -> str:
        """Wait until all that is *wanted* is on the screen and what is to be *absent* is not; returns the screen."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            text = self.text
            if all(each in text for each in wanted) and not (absent and absent in text):
                return text
            assert time.monotonic() < deadline, f"no {wanted} (or still {absent!r}) in:\n{text}"
            await self.pilot.pause()
            await asyncio.sleep(0.005)

    async def read(self) -> None:
        """Read once, and show that."""
        await self.view.wait_for_reading()

    async def first(self) -> None:
        """Wait until the page has read for the first time."""
        view = self.view
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not view.count_read:
            assert time.monotonic() < deadline, "it never read"
            await asyncio.sleep(0.005)
        await self.pilot.pause()


@asynccontextmanager
async def opened(
    inspector: AsyncInspector | str, *, size: tuple[int, int] = (120, 40), refresh: float = RARELY, **options: Any
) -> AsyncIterator[Page]:
    """A dashboard of *inspector*, or of an inspector of that URL, whose clock shows `NOW`."""
    clock = options.pop("clock", None) or FakeClock(NOW)
    asked = AsyncInspector(inspector, clock=clock) if isinstance(inspector, str) else inspector
    app = DashApp(asked, address="redis://localhost:6379/0", refresh=refresh, clock=clock, zone=UTC, **options)
    app.animation_level = "none"
    async with app.run_test(size=size, notifications=True) as pilot:
        page = Page(app, pilot, clock)
        await page.first()
        yield page


def screen_text(app: App[Any]) -> str:
    """The letters of the screen, a line each."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


HOUR = timedelta(seconds=RARELY)
