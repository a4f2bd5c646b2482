"""Going about in the dashboard: pages, states, filters, order, marks, the mouse."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis import Redis
from textual.widgets import Input

from asynqpy import AsyncInspector, SearchCoverage, TaskInfo, TaskState
from asynqpy.dash.views.queue import QueueView, StateTabs
from asynqpy.dash.views.queues import QueuesView
from asynqpy.dash.views.search import SearchView
from asynqpy.dash.views.servers import ServersView
from asynqpy.dash.views.task import TaskView
from asynqpy.testing import FakeClock
from tests.redis.inspected import Inspected

from .page import opened, screen_text
from .world import NOW, Place, World, ahead, task_id

pytestmark = pytest.mark.anyio


async def test_down_to_a_task_and_up_again(world: World, redis_url: str) -> None:
    """Enter goes into a queue and a task, Esc and q go back, and from the queues out of the program."""
    async with opened(redis_url) as page:
        await page.press("end", "enter")
        await page.until("Queues › payments", "CardDeclined", "1–5 of 5")
        await page.press("enter")
        await page.until("Last error", "insufficient funds", '"currency": "EUR"', "trace", 'File "/srv/shop/tasks.py"')
        await page.press("escape")
        await page.until("1–5 of 5")
        await page.press("q")
        assert isinstance(page.view, QueuesView)
        await page.press("q")
        assert page.app._exit


async def test_sections_keep_their_pages(world: World, redis_url: str) -> None:
    """1 to 4 change the section; what was open in it is open still. Esc goes from a section to the queues."""
    async with opened(redis_url) as page:
        await page.press("enter")
        await page.until("Queues › critical")
        await page.press("2")
        await page.until("web-1:4200", "web-2:4201", "3/20", "slots busy", "stopped")
        await page.press("3")
        await page.until("@every 30s", "in 12s", "18s ago", "*/15 * * * *", "in 15h")
        await page.press("4")
        await page.until("Valkey", "when full")
        await page.press("escape")
        assert "Queues › critical" in page.text


async def test_states_go_round(world: World, redis_url: str) -> None:
    """Right and l, left and h go through the states, round the ends; each shows its own columns."""
    async with opened(redis_url) as page:
        await page.press("enter")
        view = page.one(QueueView)
        await page.until("Running", "orphaned", "62%", "web-1:4200")
        await page.press("right")
        await page.until("Waiting", "1m 30s")
        assert view.state is TaskState.PENDING
        await page.press("h", "h")
        await page.until("Completed", "Result", '{"sent":true')
        assert view.state is TaskState.COMPLETED
        await page.press("l")
        assert view.state is TaskState.ACTIVE


async def test_pages_are_read_one_by_one(world: World, redis_url: str) -> None:
    """n and p turn pages; the cursor starts at the top of each, and behind the last page there is none."""
    async with opened(redis_url, size=(80, 24)) as page:
        await page.press("enter", "right")
        await page.until("1–14 of 40 · page 1/3")
        assert page.table.row.id == task_id(0)
        await page.press("down", "down", "n")
        await page.until("15–28 of 40 · page 2/3")
        assert page.table.row.id == task_id(14)
        await page.press("n", "n", "n")
        await page.until("29–40 of 40 · page 3/3")
        await page.press("p", "p", "p")
        await page.until("1–14 of 40 · page 1/3")
        await page.press("o")
        await page.until("other end first")
        assert page.table.row.id == task_id(39)


async def test_a_page_is_as_long_as_the_table(world: World, redis_url: str) -> None:
    """In a larger terminal a page has more tasks, and shows those that were on the screen before."""
    async with opened(redis_url, size=(80, 24)) as page:
        await page.press("enter", "right")
        await page.until("1–14 of 40")
        await page.press("n", "n")
        await page.until("29–40 of 40")
        await page.pilot.resize_terminal(120, 34)
        await page.until("21–40 of 40 · page 2/2")


async def test_groups_open_by_their_name(redis: Redis, redis_url: str) -> None:
    """The group under the cursor is the one that opens, also far down; Esc is back at it; paging counts its tasks."""
    queue = Place(redis, "q")
    for n in range(60):
        for task in range(1 + 30 * (n == 57)):
            queue.grouped(f"t-{n:02}-{task:02}", f"g{n:02}", type="metrics:flush")
    async with opened(redis_url, size=(80, 24)) as page:
        await page.press("enter")
        await page.until("60 groups", "g00")
        await page.press("end", "up", "up")
        await page.until("g57")
        await page.press("enter")
        await page.until("› group g57", "1–14 of 31 · page 1/3")
        await page.press("n", "n")
        await page.until("29–31 of 31", "t-57-30")
        await page.press("escape")
        await page.until("60 groups")
        assert page.table.row.group == "g57"


async def test_the_cursor_stays_where_it_was(redis: Redis, redis_url: str) -> None:
    """Rows that come and go above do not move the cursor from its row, nor marks from theirs."""
    queue = Place(redis, "q")
    for n in range(5):
        queue.waiting("scheduled", f"s{n}", ahead(minutes=10 + n))
    async with opened(redis_url) as page:
        await page.press("enter")
        await page.until("1–5 of 5")
        await page.press("down", "down", "space")
        assert (page.table.row.id, list(page.table.chosen)) == ("s3", ["s2"])
        queue.waiting("scheduled", "s-new", ahead(minutes=1))
        redis.zrem(queue.keys.scheduled, "s0", "s1")
        await page.read()
        assert [task.id for task in page.table.rows] == ["s-new", "s2", "s3", "s4"]
        assert (page.table.row.id, list(page.table.chosen)) == ("s3", ["s2"])
        redis.zrem(queue.keys.scheduled, "s3")
        await page.read()
        assert page.table.row.id == "s4"


async def test_the_filter_works_while_it_is_typed(world: World, redis_url: str) -> None:
    """/ shows only rows with the text in them; Enter keeps that, Esc shows all again."""
    async with opened(redis_url) as page:
        await page.press("slash")
        await page.type("a")
        assert [info.queue for info in page.table.rows] == ["critical", "default", "payments"]
        await page.type("y")
        assert [info.queue for info in page.table.rows] == ["payments"]
        await page.press("enter")
        assert page.table.has_focus
        assert len(page.table.rows) == 1
        await page.press("escape")
        assert len(page.table.rows) == 4
        await page.press("slash")
        await page.type("zz")
        await page.until("Nothing here has zz in it")
        await page.press("escape")
        assert len(page.table.rows) == 4
        assert isinstance(page.view, QueuesView)


async def test_rows_are_sorted_by_a_column(world: World, redis_url: str) -> None:
    """s goes from column to column, S turns the order round, a click on a heading does either."""
    async with opened(redis_url) as page:
        await page.press("s", "s")
        assert [info.queue for info in page.table.rows] == ["critical", "default", "payments", "low"]
        await page.until("Size▼")
        await page.press("S")
        assert [info.queue for info in page.table.rows] == ["low", "payments", "default", "critical"]
        x = screen_text(page.app).splitlines()[page.table.region.y].index("Latency")
        await page.pilot.click(page.table, offset=(x, 0))
        assert [info.queue for info in page.table.rows][:2] == ["low", "critical"]


async def test_rows_are_marked(world: World, redis_url: str) -> None:
    """Space marks one, v up to here, * all that are shown; Esc takes the marks away before it goes back."""
    async with opened(redis_url) as page:
        await page.press("enter", "right")
        await page.until("1–26 of 40")
        await page.press("space", "down", "down", "v")
        await page.until("4 marked")
        assert list(page.table.chosen) == [task_id(n) for n in range(4)]
        await page.press("asterisk")
        await page.until("26 marked")
        await page.press("n")
        await page.until("27–40 of 40", "26 marked")
        await page.press("asterisk")
        await page.until("40 marked")
        await page.press("escape")
        await page.until("27–40", absent="marked")
        assert isinstance(page.view, QueueView)


async def test_the_mouse(world: World, redis_url: str) -> None:
    """A click points, a double click opens, a click in the margin marks, one on a state or a section goes there."""
    async with opened(redis_url) as page:
        await page.pilot.click(page.table, offset=(10, 3))
        assert page.table.row.queue == "low"
        await page.pilot.click(page.table, offset=(0, 2))
        assert list(page.table.chosen) == ["default"]
        await page.pilot.click(page.table, offset=(10, 4), times=2)
        await page.until("Queues › payments", "CardDeclined", "peak")
        tabs = page.view.query_one(StateTabs)
        await page.pilot.click(tabs, offset=(page.text.splitlines()[tabs.region.y].index("Archived"), 0))
        await page.until("Archived", "5h ago")
        await page.pilot.click("TopBar", offset=(26, 0))
        await page.until("web-1:4200")


async def test_payloads_of_every_kind(redis: Redis, redis_url: str) -> None:
    """JSON is indented, bytes are a dump, x changes the form; a payload of a megabyte is cut, and says so."""
    queue = Inspected(redis)
    queue.bring("archived", "json", payload=b'{"a":[1,true,null],"b":"\xc3\xa4"}')
    queue.bring("archived", "bytes", payload=bytes(range(64)))
    queue.bring("archived", "large", payload=b"x" * 1_000_000)
    queue.bring("archived", "lines", payload=b"first\n\tsecond\x1b")
    async with opened(redis_url) as page:
        for task, wanted in {
            "json": ('"b": "ä"', "json · 28 B", "true"),
            "bytes": ("000010  10 11 12", "hex · 64 B", "!\"#$%&'()*+"),
            "large": ("text · 1.00 MB", "xxxxxxxxxx"),
            "lines": ("66 69 72 73 74", "first··second"),
        }.items():
            page.app.open_task("low", task)
            await page.until(*wanted)
            await page.press("escape")
        page.app.open_task("low", "json")
        await page.until('"b": "ä"')
        await page.press("x")
        await page.until('{"a":[1,true,null],"b":"ä"}')
        await page.press("x")
        await page.until("7b 22 61 22")


async def test_servers_and_what_they_run(world: World, redis_url: str) -> None:
    """Below stands what the server under the cursor runs; Enter goes there, and from there to the task."""
    async with opened(redis_url) as page:
        await page.press("2")
        await page.until("Running on web-1:4200", "3 tasks", task_id(102)[:12])
        await page.press("down")
        await page.until("Running on web-2:4201", "It runs nothing right now.")
        await page.press("up", "enter")
        assert page.one(ServersView).runs.has_focus
        await page.press("down", "enter")
        await page.until("Queues › critical ›", "started", "progress", "62% page 5 of 8", "web-1:4200")
        await page.press("escape", "escape")
        assert page.one(ServersView).servers.has_focus


async def test_schedules_and_what_they_enqueued(world: World, redis_url: str) -> None:
    """Below stands what the entry under the cursor has enqueued, the newest first; Enter opens such a task."""
    world.low.hash(task_id(700), "pending", type="metrics:collect")
    async with opened(redis_url) as page:
        await page.press("3")
        await page.until("Enqueued by @every 30s", "2030-01-01 11:59:42 UTC", task_id(705))
        await page.press("down")
        await page.until("Enqueued by */15 * * * *", "It has enqueued nothing yet.")
        await page.press("up")
        await page.until(task_id(700))
        await page.press("tab", "enter")
        await page.until("Queues › low ›", "metrics:collect")
        assert page.one(TaskView).task_id == task_id(700)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (task_id(501), [501]),
        (f"id:{task_id(550)}", [550]),
        ("A-503", [503, 553]),
        ("type:report", [100, 101, 102, 103]),
        ("type:*charge state:retry queue:payments", [500, 501, 502, 503, 504]),
        ('error:"insufficient funds" payload:A-502', [502, 552]),
        ("group:tenant-1", [401, 404, 407]),
        ("header:tenant=acme header:trace=4bf92f350003", [503, 553]),
        ("field:amount=2598 state:retry", [501]),
        (f"field:order=A-502 {task_id(552)}", [552]),
        (f"field:order=A-503 {task_id(552)}", []),
        ("nothing-like-this", []),
    ],
)
async def test_finding(world: World, redis_url: str, query: str, found: list[int]) -> None:
    """By an id, which is looked up, by parts of payloads and errors, by patterns of types, in places."""
    async with opened(redis_url) as page:
        await page.press("f")
        page.view.query_one("#query", Input).value = query
        await page.press("enter")
        await page.until(f"{len(found)} found")
        assert {task.id for task in page.table.rows} == {task_id(n) for n in found}
        if found:
            await page.press("enter")
            await page.until("Facts")
        else:
            await page.until("Nothing was found.")


async def test_finding_in_a_queue_and_what_makes_no_sense(world: World, redis_url: str) -> None:
    """From a queue the search begins there. What cannot be understood is said, and nothing is searched."""
    async with opened(redis_url) as page:
        await page.press("end", "enter", "f")
        await page.until("queue:payments")
        await page.type("state:late")
        await page.press("enter")
        await page.until("'late' is no state: active, pending")
        view = page.one(SearchView)
        view.query_one("#query", Input).value = "queue:nowhere type:x"
        await page.press("enter")
        await page.until("nowhere")
        await page.press("escape")
        assert isinstance(page.view, QueueView)


async def test_help_shows_the_keys_of_the_page(world: World, redis_url: str) -> None:
    """? shows every key of the page, of tables and of the program; Esc closes it."""
    async with opened(redis_url, size=(120, 60)) as page:
        await page.press("enter", "question_mark")
        text = await page.until("This page", "Rows", "Everywhere", "States")
        for words in (
            "Next page",
            "Archive all of the state",
            "Mark up to here",
            "Paint the screen anew",
            "Dark or light",
        ):
            assert words in text
        await page.press("escape")
        await page.until("Queues › critical", absent="This page")


async def test_the_palette_and_the_themes(world: World, redis_url: str) -> None:
    """ctrl+p offers the sections and the search; t goes from dark to light."""
    async with opened(redis_url) as page:
        await page.press("ctrl+p")
        await page.type("go to sch")
        await page.until("Go to schedules")
        await page.press("enter")
        await page.until("backup:run")
        assert page.app.current_theme.dark
        await page.press("t")
        assert not page.app.current_theme.dark
        await page.press("ctrl+l")
        await page.until("backup:run")


async def test_a_search_is_seen_and_stopped_while_it_goes_on(world: World, redis_url: str) -> None:
    """What was found so far is there at once, with how far it is; Esc stops it and keeps that."""
    waits = asyncio.Event()

    class Endless:
        coverage = SearchCoverage(scanned=700, matched=1, total=1_000_000, is_complete=False)

        def __init__(self, task: TaskInfo) -> None:
            self.tasks = [task]

        def __aiter__(self) -> Endless:
            return self

        async def __anext__(self) -> TaskInfo:
            if not self.tasks:
                waits.set()
                await asyncio.Event().wait()
            return self.tasks.pop()

    class Searching(AsyncInspector):
        def find_tasks(self, **_: Any) -> Any:
            return Endless(first)

    async with AsyncInspector(redis_url, clock=FakeClock(NOW)) as inspector:
        first = await inspector.task_info("payments", task_id(500))
    async with opened(Searching(redis_url, clock=FakeClock(NOW))) as page:
        await page.press("f")
        await page.type("type:payment")
        await page.press("enter")
        await page.until("1 found · looked at 700 of 1,000,000 tasks · Esc stops", "CardDeclined")
        await waits.wait()
        await page.press("escape")
        await page.until("· stopped", "CardDeclined", absent="Esc stops")
        assert page.one(SearchView).targets()
        await page.press("escape")
        await page.until("4 queues")
