"""The application: its pages, themes and keys, and what all pages share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from asynqpy.clock import Clock, SystemClock
from asynqpy.dash.help import HelpScreen
from asynqpy.dash.link import Link
from asynqpy.dash.palette import DARK, LIGHT, SIXTEEN, THEMES
from asynqpy.dash.trends import Trends
from asynqpy.dash.views.queues import QueuesView
from asynqpy.dash.views.redis import RedisView
from asynqpy.dash.views.schedules import SchedulesView
from asynqpy.dash.views.search import SearchView
from asynqpy.dash.views.servers import ServersView
from asynqpy.dash.views.task import TaskView
from asynqpy.dash.views.view import View
from asynqpy.inspector import AsyncInspector

DEFAULT_REFRESH = 2.0
LEAST_REFRESH = 0.5


class DashApp(App[None]):
    """The dashboard of what *inspector* can see.

    Args:
        inspector: whom to ask; it is closed at the end.
        address: where Redis is, as it is shown.
        refresh: seconds between two readings.
        read_only: whether nothing may be changed.
        clock: the source of time.
        zone: the zone that moments are shown in; that of this machine unless given.
    """

    TITLE = "asynqpy"
    CSS_PATH = "dash.tcss"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        "queues": QueuesView,
        "servers": ServersView,
        "schedules": SchedulesView,
        "redis": RedisView,
    }
    DEFAULT_MODE = "queues"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "section('queues')", "Queues", show=False),
        Binding("2", "section('servers')", "Servers", show=False),
        Binding("3", "section('schedules')", "Schedules", show=False),
        Binding("4", "section('redis')", "Redis", show=False),
        Binding("f", "find", "Find"),
        Binding("z", "hold", "Hold or go on", show=False),
        Binding("t", "toggle_theme", "Dark or light", show=False),
        Binding("question_mark", "help", "Help"),
        Binding("ctrl+l", "repaint", "Paint the screen anew", show=False),
        Binding("ctrl+c", "quit", "Quit", show=False),
    ]

    def __init__(
        self,
        inspector: AsyncInspector,
        *,
        address: str = "",
        refresh: float = DEFAULT_REFRESH,
        read_only: bool = False,
        clock: Clock | None = None,
        zone: tzinfo | None = None,
    ) -> None:
        super().__init__()
        self.inspector = inspector
        self.address = address
        self.read_only = read_only
        self.zone = zone
        self.link = Link(refresh)
        self.trends = Trends(refresh)
        self._time = clock or SystemClock()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = SIXTEEN if self.console.color_system == "standard" else DARK

    def now(self) -> datetime:
        """The present moment."""
        return self._time.now()

    async def on_unmount(self) -> None:
        """Close the connections."""
        await self.inspector.close()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the command palette offers."""
        for number, mode in enumerate(self.MODES, 1):
            yield SystemCommand(f"Go to {mode}", f"Key {number}", lambda mode=mode: self.action_section(mode))
        yield SystemCommand("Find tasks", "By id, type, payload or error, in all queues", self.action_find)
        yield SystemCommand("Hold or go on", "Stop reading, or read again", self.action_hold)
        yield SystemCommand("Help", "The keys of this page", self.action_help)
        for command in super().get_system_commands(screen):
            if command.title not in ("Keys", "Maximize", "Minimize"):
                yield command

    def action_section(self, mode: str) -> None:
        """Go to another section; what was open there is open still."""
        if mode != self.current_mode:
            self.switch_mode(mode)

    def leave(self, view: View) -> None:
        """Leave a page: to that before, from a section to the queues, from the queues for good."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        elif self.current_mode != self.DEFAULT_MODE:
            self.switch_mode(self.DEFAULT_MODE)
        else:
            self.exit()

    def open_task(self, queue: str, task_id: str) -> None:
        """Show one task."""
        self.push_screen(TaskView(queue, task_id))

    def action_find(self) -> None:
        """Look for tasks everywhere, or, in a queue, there."""
        if not isinstance(self.screen, SearchView):
            queue = getattr(self.screen, "queue", "")
            self.push_screen(SearchView(queue))

    def action_hold(self) -> None:
        """Stop reading, to look at the screen in peace; or go on."""
        self.link.is_held = not self.link.is_held
        if isinstance(self.screen, View):
            self.screen.action_read_now()
        self.screen.refresh()
        self.notify("held: nothing is read until z is pressed again" if self.link.is_held else "live again", timeout=3)

    def action_toggle_theme(self) -> None:
        """From dark to light and back."""
        self.theme = LIGHT if self.current_theme.dark else DARK

    async def action_help(self) -> None:
        """The keys of this page."""
        if isinstance(self.screen, View):
            await self.push_screen(HelpScreen(self.screen))

    def action_repaint(self) -> None:
        """Paint everything anew, for terminals that were disturbed."""
        self.refresh(repaint=True, layout=True)
