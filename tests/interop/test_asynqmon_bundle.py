"""asynqmon's front end, unchanged, in a browser, with our back end behind it."""

from __future__ import annotations

import asyncio
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, Response, expect, sync_playwright
from redis import Redis

from asynqpy import Scheduler, Task
from asynqpy.web import create_app
from tests.redis.seed import Queue

from . import toolchain
from .asynqmon import FrontEnd, Prometheus, Serving, bundle
from .look import Look, eventually, key

STATES = ("active", "pending", "aggregating", "scheduled", "retry", "archived", "completed")

ACTIONS = {
    "active": ("cancel",),
    "pending": ("delete", "archive"),
    "aggregating": ("delete", "archive", "run"),
    "scheduled": ("delete", "archive", "run"),
    "retry": ("delete", "archive", "run"),
    "archived": ("delete", "run"),
    "completed": ("delete",),
}
"""The buttons of each state's table, in their order."""

BECOMES = {"delete": None, "archive": "archived", "run": "pending", "cancel": "active"}
"""The state of a task after an action; who cancels only asks."""

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MILLISECONDS = 20_000
NOTHING = re.compile("$^")
FONTS = "https://fonts.googleapis.com/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    program = shutil.which("chromium")
    if program is None:
        toolchain.give_up("Chromium is not installed (Debian: apt install chromium)")
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


class Tab:
    """A page of the front end, and everything that went wrong in it."""

    def __init__(self, browser: Browser, url: str, root: str) -> None:
        self._base = url + root
        self._root = root
        self.problems: list[str] = []
        self.may_complain = NOTHING
        """What it may write to the console because it was asked for."""
        self.answers: list[tuple[str, str, int]] = []
        """What was asked of the API and the status of its answer, in order."""
        self._context = browser.new_context(viewport={"width": 1400, "height": 1000}, locale="en-US")
        self._context.route(lambda asked: not asked.startswith(url), lambda route: route.abort())
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(PATIENCE_MILLISECONDS)
        self.page.on("pageerror", self._on_error)
        self.page.on("console", self._on_console)
        self.page.on("response", self._on_response)

    def open(self, path: str) -> Page:
        """Go to a view."""
        self.page.goto(self._base + path)
        return self.page

    def answer_to(self, act: Callable[[], None]) -> tuple[str, str, int]:
        """The change that *act* makes the front end ask for, and the status of its answer."""
        with self.page.expect_response(lambda response: response.request.method != "GET") as answered:
            act()
        return self._told(answered.value)

    def close(self) -> None:
        """Close it; fails when anything went wrong in it."""
        self._context.close()
        assert not self.problems

    def _on_error(self, error: Error) -> None:
        self.problems.append(f"error: {error}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if self.may_complain.search(message.text) or message.location["url"].startswith(FONTS):
            return
        if message.type == "error":
            self.problems.append(f"console: {message.text} {message.location}")

    def _on_response(self, response: Response) -> None:
        if "/api/" in response.url:
            self.answers.append(self._told(response))

    def _told(self, response: Response) -> tuple[str, str, int]:
        path = response.url.removeprefix(f"{self._base}/api")
        return response.request.method, path, response.status


OpenTab = Callable[..., Tab]


@pytest.fixture
def open_tab(browser: Browser, redis_url: str) -> Iterator[OpenTab]:
    """Serves the front end before our back end, and opens a tab with it: ``open_tab(root="/monitoring")``."""
    with ExitStack() as stack:

        def open_it(*, root: str = "", read_only: bool = False, prometheus: str = "") -> Tab:
            api = create_app(redis_url, base_path=root, read_only=read_only, prometheus_url=prometheus)
            front = FrontEnd(bundle(), api, root=root, read_only=read_only, prometheus=prometheus)
            serving = stack.enter_context(Serving(front))
            tab = Tab(browser, serving.url, root)
            stack.callback(tab.close)
            return tab

        yield open_it


@pytest.fixture
def scheduler(redis_url: str) -> Iterator[str]:
    """A scheduler with one entry; gives its id."""
    scheduler = Scheduler(redis_url, heartbeat_interval=1)
    entry = scheduler.register("@every 1s", Task("tick", {"n": 1}), queue="ticks", max_retry=3)
    thread = threading.Thread(target=lambda: asyncio.run(scheduler.serve()), daemon=True)
    thread.start()
    yield entry
    scheduler.shutdown()
    thread.join()


def test_every_view(open_tab: OpenTab, bring: Callable[..., str], scheduler: str, look: Look) -> None:
    """Queues, the tasks of each state, servers, schedulers, Redis, metrics, settings, and what is not there.

    As it is, and for those who may only read, below a root path.
    """
    ids = {state: bring(state, producer="python", worker="python") for state in STATES if state != "pending"}
    ids["pending"] = bring("pending", producer="python", worker="python")
    eventually(lambda: look.redis.keys("asynq:workers:*"), "the worker to tell its task")
    eventually(lambda: look.redis.exists(f"asynq:scheduler_history:{scheduler}"), "the scheduler to enqueue")
    with Prometheus() as prometheus:
        for root, read_only in (("", False), ("/monitoring", True)):
            tab = open_tab(root=root, read_only=read_only, prometheus=prometheus.url)
            _look_at_queues(tab, read_only=read_only)
            for state, task_id in ids.items():
                _look_at_tasks(tab, state, task_id, read_only=read_only)
            _look_at_tasks_by_hand(tab, ids)
            _look_at_machinery(tab, ids["active"], scheduler)
            assert {(path, status) for _, path, status in tab.answers if status != 200} == {
                ("/queues/default/tasks/nothing", 404),
                ("/queues/nowhere/active_tasks?page=1&size=20", 500),
            }


def _look_at_queues(tab: Tab, *, read_only: bool) -> None:
    page = tab.open("/")
    row = page.get_by_label("queues overview table").get_by_role("row").filter(has_text="default")
    expect(row).to_contain_text("paused")
    cells = row.get_by_role("cell")
    expect(cells.nth(2)).to_have_text("7")
    expect(cells).to_have_count(8 if read_only else 9)
    expect(page.locator(".recharts-bar-rectangle").first).to_be_visible()
    page.get_by_role("button", name="Last 7d").click()
    expect(page.locator("svg.recharts-surface")).not_to_have_count(0)


def _look_at_tasks(tab: Tab, state: str, task_id: str, *, read_only: bool) -> None:
    page = tab.open(f"/queues/default?status={state}")
    if state == "aggregating":
        choose_group(page)
    table = page.get_by_label(f"{state} tasks table")
    row = table.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text(task_id.split("-", maxsplit=1)[0])
    expect(table.get_by_role("checkbox")).to_have_count(0 if read_only else 2)
    expect(page.get_by_text(re.compile(rf"^{state} 1$", re.IGNORECASE))).to_be_visible()
    expect(page.get_by_text("NaN")).to_have_count(0)
    row.get_by_role("cell").nth(1 if read_only else 2).click()
    expect(page.get_by_text("Task Info")).to_be_visible()
    for text in (task_id, state):
        expect(page.get_by_text(text, exact=True).last).to_be_visible()


def _look_at_tasks_by_hand(tab: Tab, ids: dict[str, str]) -> None:
    """By the chips and the search, and what there is not."""
    page = tab.open("/queues/default")
    expect(page.get_by_label("active tasks table")).to_contain_text("Running")
    page.get_by_role("button", name="Retry 1").click()
    expect(page.get_by_label("retry tasks table")).to_contain_text("boom")
    page.get_by_label("search").fill(ids["completed"])
    page.get_by_label("search").press("Enter")
    expect(page.get_by_text("result", exact=True)).not_to_have_count(0)
    tab.may_complain = re.compile(r"status of (404|500) |getTaskInfoAsync:  404 |listActiveTasksAsync:  500 ")
    tab.open("/queues/default/tasks/nothing")
    expect(page.get_by_role("alert")).to_contain_text("not found")
    tab.open("/queues/nowhere")
    expect(page.get_by_role("alert")).to_contain_text("not found")
    tab.may_complain = NOTHING


def _look_at_machinery(tab: Tab, active_id: str, entry: str) -> None:
    page = tab.open("/servers")
    page.get_by_label("server info table").get_by_label("expand row").first.click()
    expect(page.get_by_label("active workers").first).to_contain_text(active_id.split("-", maxsplit=1)[0])
    tab.open("/schedulers")
    row = page.get_by_label("scheduler entries table").get_by_role("row").filter(has_text=entry)
    expect(row).to_contain_text("MaxRetry(3)")
    row.get_by_label("expand row").click()
    expect(page.get_by_text("Recent History")).to_be_visible()
    expect(page.get_by_text(f"{entry}:").first).to_be_visible()
    tab.open("/redis")
    for text in ("Connected Clients", "redis_version"):
        expect(page.get_by_text(text).first).to_be_visible()
    tab.open("/q/metrics?end=1700000000&duration=3600")
    expect(page.locator(".recharts-line-curve")).to_have_count(9)
    tab.open("/settings")
    expect(page.get_by_text("Polling Interval")).to_be_visible()
    tab.open("/no/such/view")
    expect(page.get_by_text("404 - Page Not Found")).to_be_visible()


def choose_group(page: Page) -> None:
    """Choose the only group of the aggregating tasks."""
    page.get_by_label("Select group").click()
    page.get_by_role("option").first.click()


@pytest.mark.parametrize("state", STATES)
def test_every_action(state: str, open_tab: OpenTab, redis: Redis, look: Look) -> None:
    """Each button on one task, on those that are ticked, and on all: the request, its answer, and what it does."""
    for verb in ACTIONS[state]:
        ids = fill(redis, state, queue=f"to-{verb}")
    one, several, rest = ids[0], ids[1:3], ids[3:]
    tab = open_tab()
    page = tab.page
    for at, verb in enumerate(ACTIONS[state]):
        queue = f"to-{verb}"
        place = f"/queues/{queue}/" + ("groups/g/" if state == "aggregating" else "") + f"{state}_tasks"
        cancelled = redis.pubsub(ignore_subscribe_messages=True)
        cancelled.subscribe("asynq:cancel")
        tab.open(f"/queues/{queue}?status={state}")
        if state == "aggregating":
            choose_group(page)
        table = page.get_by_label(f"{state} tasks table")
        rows = table.locator("tbody tr")
        expect(rows).to_have_count(len(ids))
        is_deleted = verb == "delete"

        cell = rows.filter(has_text=one).locator("td").last
        cell.hover()
        expect(cell.get_by_role("button")).to_have_count(len(ACTIONS[state]))
        asked = tab.answer_to(cell.get_by_role("button").nth(at).click)
        path = f"{place}/{one}" + ("" if is_deleted else f":{verb}")
        assert asked == ("DELETE" if is_deleted else "POST", path, 204)
        wait_for(look, queue, [one], verb)

        for task_id in several:
            rows.filter(has_text=task_id).get_by_role("checkbox").check()
        asked = tab.answer_to(batch_button(page, at).click)
        assert asked == ("POST", f"{place}:batch_{verb}", 200)
        wait_for(look, queue, several, verb)

        page.get_by_label("actions").click()
        asked = tab.answer_to(page.get_by_role("menuitem", name=f"{verb.title()} All").click)
        status = 204 if verb == "cancel" else 200
        assert asked == ("DELETE" if is_deleted else "POST", f"{place}:{verb}_all", status)
        wait_for(look, queue, rest, verb)
        if verb == "cancel":
            wait_for_cancels(cancelled, [one, *several, *ids])
        else:
            expect(rows).to_have_count(0)
        cancelled.close()
    assert {status for _, _, status in tab.answers} <= {200, 204}


def batch_button(page: Page, at: int) -> Locator:
    """A button above the table, beside the menu."""
    return page.get_by_label("actions").locator("xpath=following-sibling::div//button").nth(at)


def wait_for(look: Look, queue: str, ids: list[str], verb: str) -> None:
    """Return once *verb* is done to the tasks."""
    for task_id in ids:
        look.wait(task_id, BECOMES[verb], queue=queue)


def wait_for_cancels(cancelled: Any, ids: list[str]) -> None:
    """Return once each of *ids* was cancelled, as often as it is given."""
    told: list[str] = []

    def all_told() -> bool:
        message = cancelled.get_message(timeout=0.1)
        if message is not None:
            told.append(message["data"].decode())
        return sorted(told) == sorted(ids)

    eventually(all_told, f"{ids} to be cancelled, not {told}")


def test_what_is_done_to_queues(open_tab: OpenTab, redis: Redis) -> None:
    """Pause, resume, the refusal to delete what has tasks, and the dialog that deletes what has none."""
    fill(redis, "pending", queue="low")
    redis.sadd("asynq:queues", "empty")
    tab = open_tab()
    page = tab.open("/")

    def press(queue: str, at: int) -> Callable[[], None]:
        cell = page.get_by_label("queues overview table").get_by_role("row").filter(has_text=queue).locator("td").last
        page.mouse.move(0, 0)
        cell.hover()
        expect(cell.get_by_role("button")).to_have_count(2)
        return cell.get_by_role("button").nth(at).click

    for verb, word in (("pause", "paused"), ("resume", "run")):
        assert tab.answer_to(press("low", 0)) == ("POST", f"/queues/low:{verb}", 204)
        expect(page.get_by_role("row").filter(has_text="low")).to_contain_text(word)
        assert redis.exists(key("low", "paused")) == (verb == "pause")
    press("low", 1)()
    expect(page.get_by_role("dialog")).to_contain_text("Queue is not empty")
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    press("empty", 1)()
    delete = page.get_by_role("dialog").get_by_role("button", name="Delete")
    assert tab.answer_to(delete.click) == ("DELETE", "/queues/empty", 204)
    expect(page.get_by_role("row").filter(has_text="empty")).to_have_count(0)
    assert redis.smembers("asynq:queues") == {b"low"}


def fill(redis: Redis, state: str, *, queue: str) -> list[str]:
    """Five tasks in *state* of a new queue; their ids have no hyphen, so that they are shown whole."""
    redis.sadd("asynq:queues", queue)
    seeds, ids = Queue(redis, queue), [f"task{letter}" for letter in "abcde"]
    now = int(seeds.now())
    if state == "aggregating":
        redis.sadd(seeds.keys.groups, "g")
    for task_id in ids:
        match state:
            case "active":
                seeds.go_active(task_id)
            case "pending":
                seeds.pending(task_id)
            case "aggregating":
                seeds.hash(task_id, state, {"group": "g"}, group_key="g")
                redis.zadd(seeds.keys.group("g"), {task_id: now})
            case "completed":
                seeds.hash(task_id, state, {"result": b"done"}, completed_at=now, retention=600)
                redis.zadd(seeds.keys.completed, {task_id: now + 600})
            case _:
                seeds.hash(task_id, state, error_msg="boom", last_failed_at=now)
                redis.zadd(seeds.keys.prefix + state, {task_id: now + (0 if state == "archived" else 1000)})
    return ids
