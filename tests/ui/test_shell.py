"""What stands around every page."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from asynqpy import AsyncClient, Task
from tests.ui.browser import check_accessibility, take_pictures
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
