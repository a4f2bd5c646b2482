"""The page of failures: groups, one group, and what is done to all of it."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect
from redis import Redis

from asynqpy import AsyncClient, ServeMux, Server, Task
from asynqpy.web import BasicLogin
from tests.eventually import eventually
from tests.redis.seed import Queue
from tests.ui.browser import check_accessibility, take_pictures
from tests.ui.conftest import OpenPage

pytestmark = pytest.mark.anyio

MANY = 130
"""Archived tasks that fail alike: so many that their number must be typed to delete them."""


class Worker:
    """Fails as long as it is told to."""

    def __init__(self) -> None:
        self.is_broken = True
        self.done = 0
        self.mux = ServeMux()
        self.mux.handle("image:", self.image)
        self.mux.handle("email:", self.email)

    async def image(self, task: Task) -> None:
        """Names its task in the error."""
        if self.is_broken:
            raise ValueError(f"image {task.id} is not a PNG")
        self.done += 1

    async def email(self, task: Task) -> None:
        """Fails in another way."""
        if self.is_broken:
            raise ConnectionError(f"server 10.0.0.{len(task.id) % 9} refused")
        self.done += 1


@pytest.fixture
async def worker(redis_url: str, redis: Redis, client: AsyncClient) -> AsyncIterator[Worker]:
    """A worker on which many tasks have failed, in two versions: some are retried, most are archived."""
    found = Worker()
    for number in range(MANY):
        await client.enqueue(Task("image:resize", {"n": number}), queue="low", max_retry=0)
    for number in range(4):
        await client.enqueue(Task("image:crop", {"n": number}), queue="media", max_retry=9)
    for _ in range(3):
        await client.enqueue(Task("email:welcome"), queue="media", max_retry=9)
    new, old = (
        Server(redis_url, queues={queue: 1}, concurrency=50, app_version=version, retry_delay=lambda *_: 3600)
        for queue, version in (("low", "1.4.2"), ("media", "1.4.1"))
    )
    async with new.running(found.mux), old.running(found.mux):
        await eventually(
            lambda: redis.zcard("asynq:{low}:archived") == MANY and redis.zcard("asynq:{media}:retry") == 7,
            limit_seconds=20,
        )
        yield found


async def do(page: Page, button: str, *, done: str, number: str = "") -> None:
    """Press *button*, look at what it says, go on, and see the end; a *number* must be typed before."""
    await page.get_by_role("button", name=button, exact=True).click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text("Some of them")).to_be_visible()
    yes = dialog.get_by_role("button", name=button.replace(" all ", " "), exact=True)
    if number:
        await expect(yes).to_be_disabled()
        await dialog.get_by_label(f"Type {number} to go on").fill(number)
    await yes.click()
    await expect(dialog.locator("[data-job=done]")).to_contain_text(done)
    await expect(dialog.get_by_role("link", name="Results")).to_be_visible()
    await dialog.get_by_role("button", name="Close").click()
    await expect(dialog).to_be_hidden()


async def test_groups_are_found_opened_and_dealt_with(open_page: OpenPage, worker: Worker, redis: Redis) -> None:
    """From the list by filters to one group, and to the end of all its tasks."""
    page = await open_page("/failures")
    main = page.get_by_role("main")
    await expect(main.get_by_text(f"2 kinds of failure in {MANY + 7} tasks")).to_be_visible()
    groups = main.get_by_role("listitem")
    await expect(groups).to_have_count(2)
    await expect(groups.first).to_contain_text("ValueError")
    await expect(groups.first).to_contain_text("image <uuid> is not a PNG")
    await expect(groups.first).to_contain_text(f"Archived {MANY}")
    await expect(groups.first.get_by_role("img", name=f"Failures in the last 24 hours: {MANY + 4}")).to_be_visible()
    await expect(groups.first).to_contain_text("on 1 server, versions 1.4.2, 1.4.1")
    await expect(groups.last).to_contain_text("on 1 server, version 1.4.1")
    await check_accessibility(page)
    await take_pictures(page, "failures")

    await main.get_by_label("Type").fill("email:*")
    await expect(page).to_have_url(re.compile(r"type=email%3A\*"))
    await expect(groups).to_have_count(1)
    await expect(groups).to_contain_text("ConnectionError")
    await main.get_by_label("Type").fill("nothing:*")
    await expect(page.get_by_role("heading", name="No failure fits")).to_be_visible()
    await page.get_by_role("button", name="Clear filters").click()
    await expect(groups).to_have_count(2)
    await main.get_by_role("combobox", name="Queue").click()
    await page.get_by_role("option", name="media").click()
    await page.keyboard.press("Escape")
    await expect(page).to_have_url(re.compile("queue=media"))
    await expect(main.get_by_text("2 kinds of failure in 7 tasks")).to_be_visible()
    await main.get_by_role("combobox", name="State").click()
    await page.get_by_role("option", name="Archived", exact=True).click()
    await expect(page.get_by_role("heading", name="No failure fits")).to_be_visible()
    await page.get_by_role("button", name="Clear filters").click()
    await main.get_by_role("button", name="When: Any time").click()
    await page.get_by_label("Before").fill("2020-01-01T00:00")
    await expect(page).to_have_url(re.compile("until=2020-01-01"))
    await expect(page.get_by_role("heading", name="No failure fits")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Clear filters").click()
    await main.get_by_role("combobox", name="Order").click()
    await page.get_by_role("option", name="Failed first").click()
    await expect(page).to_have_url(re.compile("sort=first"))
    await expect(groups).to_have_count(2)

    await main.get_by_role("link", name="ValueError").click()
    await expect(page).to_have_url(re.compile("fingerprint=[0-9a-f]{16}"))
    await expect(page.get_by_role("heading", level=1, name="ValueError")).to_be_visible()
    await expect(main.get_by_text("test_failures.py:image")).to_be_visible()
    await expect(main.get_by_label("Traceback", exact=True)).to_contain_text("is not a PNG")
    await expect(main.get_by_role("table", name="Queues")).to_contain_text("media")
    await expect(main.get_by_text(f"on 1 server, versions 1.4.2 ({MANY}), 1.4.1 (4)")).to_be_visible()
    here = f"{socket.gethostname()}:{os.getpid()}"
    await expect(main.get_by_role("table", name="Servers").get_by_role("row", name=here)).to_contain_text(f"{MANY + 4}")
    versions = main.get_by_role("table", name="Versions").get_by_role("row")
    await expect(versions).to_have_text([f"1.4.2{MANY}", "1.4.14"])
    await expect(main.get_by_text("asynqpy worker --app-version")).to_have_count(0)
    await expect(main.get_by_role("link", name=re.compile("[0-9a-f]{8}-"))).to_have_attribute(
        "href", re.compile(r"/queues/(low|media)/tasks/")
    )
    await expect(main.get_by_role("link", name="List the tasks")).to_have_attribute(
        "href", re.compile(r"/tasks\?.*state=retry&state=archived.*fingerprint=|/tasks\?fingerprint=.*")
    )
    await page.reload()  # a deep link
    await expect(page.get_by_role("heading", level=1, name="ValueError")).to_be_visible()
    await check_accessibility(page)
    await page.emulate_media(color_scheme="dark")
    await check_accessibility(page)
    await take_pictures(page, "failure")

    await do(page, "Archive all 4", done="4 archived")
    await expect(page.get_by_role("button", name="Archive all 0")).to_be_disabled()
    assert redis.zcard("asynq:{media}:archived") == 4

    await page.get_by_role("button", name=f"Delete all {MANY + 4}").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("dialog")).to_be_hidden()
    assert redis.zcard("asynq:{low}:archived") == MANY
    await do(page, f"Delete all {MANY + 4}", number=str(MANY + 4), done=f"{MANY + 4} deleted")
    await expect(page.get_by_role("heading", name="Nothing fails like this any more")).to_be_visible()
    assert redis.zcard("asynq:{low}:archived") == 0

    await page.get_by_role("link", name="All failures").click()
    await expect(groups).to_have_count(1)
    await groups.get_by_role("link", name="ConnectionError").click()
    worker.is_broken = False
    await do(page, "Run all 3", done="3 will run now")
    await expect(page.get_by_role("heading", name="Nothing fails like this any more")).to_be_visible()
    await eventually(lambda: worker.done == 3)
    await page.get_by_role("link", name="All failures").click()
    await expect(page.get_by_role("heading", name="Nothing has failed")).to_be_visible()


async def test_failures_arrive_by_themselves_and_nobody_acts_without_leave(
    open_page: OpenPage, redis_url: str, client: AsyncClient
) -> None:
    """The empty page fills without being asked; whoever may only look has no buttons."""
    page = await open_page(
        "/failures",
        login=BasicLogin({"ann": "secret"}),
        read_only=True,
        context={"http_credentials": {"username": "ann", "password": "secret"}},
    )
    await expect(page.get_by_role("heading", name="Nothing has failed")).to_be_visible()
    worker = Worker()
    await client.enqueue(Task("image:resize"), max_retry=0)
    async with Server(redis_url).running(worker.mux):
        await expect(page.get_by_role("link", name="ValueError")).to_be_visible()
    await page.get_by_role("link", name="ValueError").click()
    await expect(page.get_by_role("link", name="List the tasks")).to_be_visible()
    await expect(page.get_by_role("button", name=re.compile("^(Run|Archive|Delete) all"))).to_have_count(0)


async def test_what_nobody_knows_is_said(
    open_page: OpenPage, redis_url: str, redis: Redis, client: AsyncClient
) -> None:
    """A server that was told no version, and tasks that a server of Go has failed."""
    worker = Worker()
    await client.enqueue(Task("email:welcome"), max_retry=9)
    async with Server(redis_url, retry_delay=lambda *_: 3600).running(worker.mux):
        await eventually(lambda: redis.zcard("asynq:{default}:retry") == 1)
    redis.sadd("asynq:queues", "low")
    queue = Queue(redis)
    for name in ("a", "b"):
        queue.waiting("retry", name, int(queue.now()) + 3600)
        queue.hash(name, "retry", retried=1, retry=3, error_msg="dial tcp: refused", last_failed_at=int(queue.now()))
    page = await open_page("/failures")
    main = page.get_by_role("main")
    await expect(main.get_by_role("listitem").last).to_contain_text("on 1 server")
    await main.get_by_role("link", name="Error without a class").click()
    await expect(main.get_by_text("on unknown servers, versions unknown")).to_be_visible()
    await expect(main.get_by_role("table", name="Servers").get_by_role("row")).to_have_text(["unknown2"])
    await expect(main.get_by_text("Go servers do not write down who ran what")).to_be_visible()
    await expect(main.get_by_text("asynqpy worker --app-version")).to_be_visible()
    await check_accessibility(page)
    await page.get_by_role("link", name="All failures").click()
    await main.get_by_role("link", name="ConnectionError").click()
    await expect(main.get_by_text("on 1 server, versions unknown")).to_be_visible()


async def test_many_failures_are_looked_at_in_portions(
    open_page: OpenPage, client: AsyncClient, redis_url: str, redis: Redis
) -> None:
    """What has not been looked at is said, and looked at when asked."""
    for number in range(6):
        await client.enqueue(Task("t", {"n": number}))
    page = await open_page("/")
    await page.route(
        re.compile(r"/api/v2/failures\?"),
        lambda route: route.continue_(url=f"{route.request.url}&budget=2"),
    )
    worker = Worker()
    worker.mux.handle("t", worker.email)
    async with Server(redis_url).running(worker.mux):
        await eventually(lambda: redis.zcard("asynq:{default}:retry") == 6)
    await page.get_by_role("navigation").get_by_role("link", name="Failures").click()
    await expect(page.get_by_text("Looked at 2 of 6 tasks.")).to_be_visible()
    await expect(page.get_by_text("1 kind of failure in 2 tasks")).to_be_visible()
    await page.get_by_role("button", name="Look at more").click()
    await expect(page.get_by_text("1 kind of failure in 4 tasks")).to_be_visible()
