"""What stands around every page."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Route, expect

from asynqpy import AsyncClient, AsyncInspector, Server, Task
from tests.eventually import eventually
from tests.ui.browser import Complaints, check_accessibility, take_pictures
from tests.ui.conftest import OpenPage

pytestmark = pytest.mark.anyio

PAGES = ["/", "/tasks", "/failures", "/q/metrics", "/servers", "/schedulers", "/jobs", "/redis", "/settings"]


async def test_every_page_is_there_by_its_address_and_by_the_menu(client: AsyncClient, open_page: OpenPage) -> None:
    """Each with a title and a heading of its own, without a complaint, accessible."""
    await client.enqueue(Task("email:welcome", {"user": 1}))
    page = await open_page("/")
    await expect(page.locator("[data-status=live]")).to_be_visible()
    for link in await page.get_by_role("navigation").get_by_role("link").all():
        name = await link.inner_text()
        await link.click()
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await expect(page).to_have_title(re.compile(".+ · asynqpy"))
        assert name
    origin = page.url.split("/", 3)
    for path in PAGES:
        await page.goto("/".join(origin[:3]) + path)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await check_accessibility(page)
    await page.goto("/".join(origin[:3]) + "/nowhere")
    await expect(page.get_by_text("There is no such page")).to_be_visible()


async def test_what_a_page_asks_first(client: AsyncClient, open_page: OpenPage) -> None:
    """It is on its way before the code of the page has run, and asked once."""
    info = await client.enqueue(Task("email:welcome"), queue="mail/1")
    page = await open_page("/settings")
    origin = page.url.removesuffix("/settings")
    mail = "/queues/mail%2F1"
    for path, read in {
        "/tasks": "/api/v2/tasks?limit=20",
        "/failures": "/api/v2/failures?limit=200",
        f"{mail}?status=pending": "/api/v2/tasks?queue=mail%2F1&state=pending&limit=20",
        f"{mail}/tasks/{info.id}": f"/api/v2{mail}/tasks/{info.id}",
    }.items():
        await page.goto(origin + path)
        await expect(page.locator("[data-status=live]")).to_be_visible()
        await expect(
            page.get_by_text("Nothing has failed" if path == "/failures" else "email:welcome").first
        ).to_be_visible()
        timing = await page.evaluate(
            """() => ({
                begun: performance.getEntriesByType("resource").map((each) => [each.name, each.startTime]),
                ready: performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd,
            })"""
        )
        for wanted in ("/api/v2/meta", read):
            begun = [at for name, at in timing["begun"] if name == origin + wanted]
            assert len(begun) == 1, (wanted, timing["begun"])
            assert begun[0] < timing["ready"]


async def test_hints(client: AsyncClient, redis_url: str, open_page: OpenPage) -> None:
    """Told of what the mouse points at or the keyboard has gone to, for programs that read aloud too."""
    for task_id in ("a", "b"):
        await client.enqueue(Task("email:welcome"), queue="mail", task_id=task_id)
    page = await open_page("/queues/mail?status=pending")
    tooltip = page.get_by_role("tooltip")
    archive = page.locator("[data-task=a]").get_by_role("button", name="Archive")
    delete = page.locator("[data-task=a]").get_by_role("button", name="Delete")
    await archive.hover()
    await expect(tooltip).to_have_text("Archive")
    await expect(archive).to_have_accessible_description("Archive")
    await delete.hover()
    await expect(tooltip).to_have_text("Delete")
    await expect(archive).not_to_have_attribute("aria-describedby", re.compile(".*"))
    await page.get_by_role("heading", level=1).hover()
    await expect(tooltip).to_have_count(0)

    await archive.focus()
    await page.keyboard.press("Tab")
    await expect(tooltip).to_have_text("Delete")
    await page.keyboard.press("Escape")
    await expect(tooltip).to_have_count(0)

    await page.locator("[data-task=b]").get_by_role("button", name="Delete").hover()
    await expect(tooltip).to_have_text("Delete")
    await check_accessibility(page)
    async with AsyncInspector(redis_url) as inspector:
        await inspector.delete_task("mail", "b")  # what it is about goes, and the hint with it
    await expect(page.locator("[data-task=b]")).to_have_count(0)
    await expect(tooltip).to_have_count(0)


async def test_pausing(open_page: OpenPage, client: AsyncClient) -> None:
    """Held still, nothing changes; going on shows what has changed meanwhile."""
    page = await open_page("/")
    await expect(page.locator("[data-status=live]")).to_be_visible()
    await page.get_by_role("button", name="Hold still").click()
    await expect(page.locator("[data-status=paused]")).to_be_visible()
    await page.get_by_role("button", name="Go on").click()
    await expect(page.locator("[data-status=live]")).to_be_visible()
    await take_pictures(page, "shell")


async def test_the_palette_leads_everywhere(open_page: OpenPage, client: AsyncClient) -> None:
    """By keyboard alone, to a page and to a queue."""
    await client.enqueue(Task("t"), queue="critical")
    page = await open_page("/")
    await expect(page.locator("[data-status=live]")).to_be_visible()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_placeholder("Search or jump to")).to_be_focused()
    await page.keyboard.type("serv")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/servers$"))
    await page.keyboard.press("Control+k")
    await page.get_by_placeholder("Search or jump to").fill("critic")
    await expect(page.get_by_role("button", name="critical", exact=True)).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/queues/critical$"))
    # Out of a box of text too, where "/" is a character.
    await page.get_by_label("Filter tasks").press("/")
    await expect(page.get_by_label("Filter tasks")).to_have_value("/")
    await page.get_by_label("Filter tasks").press("Control+k")
    await expect(page.get_by_placeholder("Search or jump to")).to_be_focused()
    await page.get_by_placeholder("Search or jump to").fill("bulk")
    await expect(page.get_by_role("button", name="critical", exact=True)).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/jobs$"))


async def test_where_the_stream_cannot_be_had(
    client: AsyncClient, redis_url: str, open_page: OpenPage, complaints: Complaints
) -> None:
    """A proxy cuts it: the pages ask every few seconds, and say so; when it is there again they listen to it again."""
    complaints.allowed.append(r"ERR_FAILED .*/api/v2/events")
    info = await client.enqueue(Task("email:welcome"), queue="mail", process_in=3600)
    page = await open_page("/")
    await expect(page.locator("[data-status=live]")).to_be_visible()
    origin = page.url.rstrip("/")
    asked: list[str] = []

    async def cut(route: Route) -> None:
        asked.append(route.request.url)
        await route.abort()

    await page.clock.install()
    await page.route("**/api/v2/events*", cut)
    await page.reload()
    polling = page.locator("[data-status=polling]")
    await expect(polling).to_be_visible()
    await expect(polling).to_have_accessible_name("Polling. Hold still")
    await polling.hover()
    await expect(page.get_by_role("tooltip")).to_contain_text("The stream of changes is not to be had")
    await expect(page.get_by_role("tooltip")).to_contain_text("Last news")
    await check_accessibility(page)
    await take_pictures(page, "polling")

    # The overview, a list, one task, the servers: each follows what happens.
    await expect(page.get_by_role("link", name="mail", exact=True).first).to_be_visible()
    await client.enqueue(Task("sms:send"), queue="text", task_id="sms-1")
    await expect(page.get_by_role("link", name="text", exact=True).first).to_be_visible()
    await page.get_by_role("link", name="text", exact=True).first.click()
    await page.get_by_role("tab", name="Pending").click()
    await expect(page.locator("[data-task=sms-1]")).to_be_visible()
    await client.enqueue(Task("sms:send"), queue="text", task_id="sms-2")
    await expect(page.locator("[data-task=sms-2]")).to_be_visible()
    async with AsyncInspector(redis_url) as inspector:
        await page.goto(f"{origin}/queues/mail/tasks/{info.id}")
        await expect(page.get_by_text("Scheduled", exact=True).first).to_be_visible()
        await inspector.archive_task("mail", info.id)
        await expect(page.get_by_text("Archived", exact=True).first).to_be_visible()
    await page.goto(f"{origin}/servers")
    await expect(polling).to_be_visible()
    async with Server(redis_url, queues={"elsewhere": 1}).running(lambda _: None):
        await expect(page.get_by_role("link", name="elsewhere")).to_be_visible()
        # Now and then it tries the stream again.
        before = len(asked)
        await page.clock.fast_forward(31_000)
        await eventually(lambda: len(asked) > before)
        await expect(polling).to_be_visible()
        await page.unroute("**/api/v2/events*")
        await page.clock.fast_forward(31_000)
        await expect(page.locator("[data-status=live]")).to_be_visible()
        await client.enqueue(Task("late"), queue="afterwards")
        await page.goto(f"{origin}/")
        await expect(page.locator("[data-status=live]")).to_be_visible()
        await expect(page.get_by_role("link", name="afterwards", exact=True).first).to_be_visible()
