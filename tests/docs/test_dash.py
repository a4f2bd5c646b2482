"""The page about the dashboard tells of every key, and of no other."""

from __future__ import annotations

import os
import re

from asynqpy.dash.acting import TaskActing
from asynqpy.dash.app import DashApp
from asynqpy.dash.help import bindings_of, key_names, keys_of
from asynqpy.dash.views.queue import QueueView
from asynqpy.dash.views.queues import QueuesView
from asynqpy.dash.views.redis import RedisView
from asynqpy.dash.views.schedules import SchedulesView
from asynqpy.dash.views.search import SearchView
from asynqpy.dash.views.servers import ServersView
from asynqpy.dash.views.task import TaskView

from .page import ROOT

PAGE = ROOT / "docs/howto/dash.md"
PAGES = {
    "Queues": QueuesView,
    "One queue": QueueView,
    "One task": TaskView,
    "Find": SearchView,
    "Servers": ServersView,
    "Schedules": SchedulesView,
}
_MARKED = re.compile(r"(<!-- keys -->\n).*?(<!-- /keys -->)", re.DOTALL)


def table() -> str:
    """The keys of all pages as Markdown."""
    lines = ["| Where | Key | |", "|---|---|---|"]
    common = keys_of(RedisView, DashApp)
    groups = {
        **{title: bindings_of(page) for title, page in PAGES.items()},
        "Tasks, everywhere": bindings_of(TaskActing),
        "Rows": common["Rows"],
        "Everywhere": common["Everywhere"],
    }
    for title, bindings in groups.items():
        for number, binding in enumerate(bindings):
            keys = " ".join(f"`{key}`" for key in key_names(binding).split())
            lines.append(f"| {title if number == 0 else ''} | {keys} | {binding.description} |")
    return "\n".join(lines) + "\n"


def test_the_table_of_keys_is_that_of_the_program() -> None:
    """It is made of the bindings themselves; ``ASYNQPY_NEW_PICTURES=1`` writes it anew."""
    text = PAGE.read_text("utf-8")
    wanted = _MARKED.sub(lambda match: f"{match[1]}{table()}{match[2]}", text)
    if os.environ.get("ASYNQPY_NEW_PICTURES"):
        PAGE.write_text(wanted, "utf-8")
        return
    assert text == wanted


def test_every_picture_is_there_and_small() -> None:
    """Those that a page shows exist, are no larger than 200 kB, and tell nothing of where they were made."""
    pages = [ROOT / "README.md", PAGE]
    shown = [
        (page.parent / name).resolve()
        for page in pages
        for name in re.findall(r"!\[[^]]*\]\(([^)]+\.svg)\)", page.read_text("utf-8"))
    ]
    assert len(shown) > 5
    for picture in shown:
        drawn = picture.read_text("utf-8")
        assert len(drawn) <= 200_000
        assert str(ROOT) not in drawn
