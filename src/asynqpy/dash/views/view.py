"""What all pages have in common: they read, show, wait and read again, while they are on the screen."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual import work
from textual.actions import parse
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Footer, Input

from asynqpy.dash.chrome import Banner, FilterLine, TopBar
from asynqpy.dash.table import LiveTable
from asynqpy.errors import AsynqpyError, BrokerError
from asynqpy.inspector import AsyncInspector

if TYPE_CHECKING:
    from asynqpy.dash.app import DashApp

T = TypeVar("T")


class View(Screen[None]):
    """A page. It reads in the background, so that keys are answered meanwhile, and shows what it has read."""

    CHANGES: ClassVar[frozenset[str]] = frozenset()
    """Actions that change something, which a dashboard for reading only does not have."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", show=False),
        Binding("q", "leave", "Back, or quit", show=False),
        Binding("slash", "filter", "Filter"),
        Binding("ctrl+r,f5", "read_now", "Read now", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._wanted = asyncio.Event()
        self._readings = asyncio.Condition()
        self._offered: list[bool | None] = []
        self.count_read = 0
        """How often it has read, in vain or not."""

    # For the pages to say

    @abstractmethod
    def body(self) -> Iterable[Widget]:
        """The widgets of the page."""

    @abstractmethod
    async def read(self) -> None:
        """Ask the inspector, and keep the answers."""

    @abstractmethod
    def paint(self) -> None:
        """Show what was read."""

    @property
    def table(self) -> LiveTable[Any] | None:
        """The table that keys and the filter are about."""
        return None

    def up(self) -> bool:
        """Go up inside of the page; False when it is at its top already."""
        return False

    # The rest they share

    @property
    def dash(self) -> DashApp:
        """The application."""
        return cast("DashApp", self.app)

    @property
    def inspector(self) -> AsyncInspector:
        """Whom to ask."""
        return self.dash.inspector

    def compose(self) -> ComposeResult:
        """The frame, and the page in it."""
        yield TopBar()
        yield Banner()
        yield from self.body()
        yield FilterLine()
        yield Footer(compact=True)

    def on_screen_resume(self) -> None:
        """Begin to read."""
        self._keep_reading()

    def on_screen_suspend(self) -> None:
        """Nobody looks: read no more. Behind a dialog the page is still seen."""
        if isinstance(self.app.screen, ModalScreen):
            return
        self.workers.cancel_group(self, "reading")

    @work(group="reading", exclusive=True)
    async def _keep_reading(self) -> None:
        link = self.dash.link
        while True:
            self._wanted.clear()
            if not link.is_held or not self.count_read:
                await self._read_once()
            link.next_at = time.monotonic() + link.pause
            self.query_one(Banner).update()
            await self._told_or(link.pause)

    async def _read_once(self) -> None:
        link, began = self.dash.link, time.monotonic()
        try:
            await self.read()
        except BrokerError as error:
            link.failed(str(error))
        except AsynqpyError as error:
            link.succeeded(self.dash.now(), time.monotonic() - began)
            self.notify(str(error), severity="warning")
        else:
            link.succeeded(self.dash.now(), time.monotonic() - began)
        self.paint()
        self.query_one(TopBar).refresh()
        self.count_read += 1
        async with self._readings:
            self._readings.notify_all()

    async def _told_or(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wanted.wait()
        except TimeoutError:
            pass

    def read_soon(self) -> None:
        """Read at once, or as soon as the present reading is done."""
        self._wanted.set()

    async def wait_for_reading(self) -> None:
        """Read, and return when that has been shown. For tests and screenshots."""
        wanted = self.count_read + 1
        self.read_soon()
        async with self._readings:
            await self._readings.wait_for(lambda: self.count_read >= wanted)

    def action_read_now(self) -> None:
        """Do not wait for the next time."""
        self.dash.link.next_at = time.monotonic()
        self.read_soon()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Actions that change something do not exist when the dashboard is for reading only."""
        if self.dash.read_only and action in self.CHANGES:
            return False
        if action == "filter":
            return self.table is not None
        return super().check_action(action, parameters)

    def offer(self) -> None:
        """Let the line at the bottom show the keys that work now; it is made anew only when they are others."""
        offered = [self.check_action(*_split(binding.action)) for binding in self._own_bindings()]
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    def _own_bindings(self) -> Iterable[Binding]:
        for bindings in self._bindings.key_to_bindings.values():
            yield from bindings

    def action_back(self) -> None:
        """One step back: out of the filter, the marks, a level of the page, the page."""
        table = self.table
        if table is not None and table.needle:
            self.query_one(FilterLine).value = ""
            self.query_one(FilterLine).set_class(False, "-shown")
        elif table is not None and table.chosen:
            table.clear_choice()
        elif not self.up():
            self.action_leave()

    def action_leave(self) -> None:
        """To the page before; from the queues out of the program, as in asynq's dashboard."""
        self.dash.leave(self)

    def action_filter(self) -> None:
        """Show the line of the filter."""
        line = self.query_one(FilterLine)
        line.set_class(True, "-shown")
        line.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """The filter works while it is typed."""
        if isinstance(event.input, FilterLine) and self.table is not None:
            self.table.needle = event.value
            self.paint()

    def on_filter_line_left(self, event: FilterLine.Left) -> None:
        """Back to the rows."""
        self.query_one(FilterLine).set_class(event.keep, "-shown")
        if self.table is not None:
            self.table.focus()
            self.table.needle = self.query_one(FilterLine).value
        self.paint()

    async def attempt(self, call: Callable[[], Awaitable[T]], done: Callable[[T], str]) -> None:
        """Do something that changes Redis, tell what came of it, and read anew."""
        try:
            result = await call()
        except AsynqpyError as error:
            self.notify(str(error), severity="error", timeout=8)
        else:
            self.notify(done(result))
        self.read_soon()


def _split(action: str) -> tuple[str, tuple[object, ...]]:
    """The name and the arguments of the action of a key."""
    _, name, arguments = parse(action)
    return name, arguments
