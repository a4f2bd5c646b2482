"""The page of settings: what is chosen has an effect, stays, and can be undone."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import expect
from redis import Redis

from asynqpy import AsyncClient, Task
from asynqpy.web import BasicLogin
from asynqpy.web.users import Account, Role
from tests.ui.browser import check_accessibility, take_pictures
from tests.ui.conftest import OpenPage
from tests.ui.test_machinery import announce_go

pytestmark = pytest.mark.anyio

VIEW = {"savedViews": {"Lost mails": "?type=email%3A*&state=archived&state=retry"}}


async def test_what_is_chosen_has_an_effect_and_stays(open_page: OpenPage, redis: Redis, client: AsyncClient) -> None:
    """Times, clock, rows, colours, payloads, pages; saved views; back to the beginning."""
    await client.enqueue(Task("t"))
    announce_go(redis)
    page = await open_page("/settings", context={"timezone_id": "Asia/Tokyo"})
    await expect(page.get_by_role("heading", level=1, name="Settings")).to_be_visible()
    await page.evaluate("stored => localStorage.setItem('asynqpy.settings', stored)", json.dumps(VIEW))
    await page.reload()
    choose = page.get_by_role("radiogroup")
    await choose.filter(has_text="Comfortable").get_by_text("Compact").click()
    await choose.filter(has_text="3 min ago").get_by_text("2026-11-24").click()
    await expect(page.get_by_text("Yours (Asia/Tokyo)")).to_be_visible()
    await choose.filter(has_text="Asia/Tokyo").get_by_text("UTC", exact=True).click()
    await choose.filter(has_text="As the system").get_by_text("Dark").click()
    await expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    await page.get_by_role("combobox", name="Tasks on a page").click()
    await page.get_by_role("option", name="50").click()
    await page.get_by_role("combobox", name="Days in the chart").click()
    await page.get_by_role("option", name="30 days").click()
    await page.get_by_role("switch", name="Show payloads").click()
    await page.get_by_role("slider", name=re.compile("Seconds between two looks")).press("ArrowRight")
    await expect(page.get_by_text("Seconds between two looks: 6")).to_be_visible()
    await check_accessibility(page)
    stored = json.loads(await page.evaluate("localStorage.getItem('asynqpy.settings')"))
    assert stored | VIEW == stored
    assert (stored["pageSize"], stored["historyDays"], stored["showPayloads"]) == (50, 30, False)
    assert (stored["pollSeconds"], stored["density"], stored["timeZone"]) == (6, "compact", "utc")

    await page.get_by_role("link", name="Servers").click()
    await expect(page.locator("[data-density=compact]").first).to_be_visible()
    await expect(page.locator("tr[data-server] time")).to_have_text(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"))
    await page.get_by_role("link", name="Settings").click()

    await expect(page.get_by_text("type: email:*, state: archived, state: retry")).to_be_visible()
    await page.get_by_role("link", name="Lost mails").click()
    await expect(page).to_have_url(re.compile(r"/tasks\?state=archived&state=retry&type=email%3A\*|/tasks\?type=email"))
    await page.go_back()
    await page.get_by_role("button", name="Delete Lost mails").click()
    await expect(page.get_by_text("None yet. Save a search")).to_be_visible()

    await page.get_by_role("button", name="Reset settings").click()
    await page.get_by_role("dialog").get_by_role("button", name="Reset").click()
    await expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "light")
    await expect(page.get_by_text("Seconds between two looks: 5")).to_be_visible()
    await check_accessibility(page)
    await take_pictures(page, "settings")


async def test_it_says_who_asks_and_what_they_may(open_page: OpenPage) -> None:
    """A viewer of some queues, and the way to the description of the HTTP API."""
    page = await open_page(
        "/settings",
        login=BasicLogin({"bob": Account("secret", role=Role.VIEWER, queues=("tenant-7-*",), may_see_payloads=False)}),
        read_only=True,
        context={"http_credentials": {"username": "bob", "password": "secret"}},
    )
    you = page.get_by_role("table", name="You")
    await expect(you).to_contain_text("bob")
    await expect(you).to_contain_text("Viewer: may look")
    await expect(you).to_contain_text("tenant-7-*")
    await expect(you).to_contain_text("change nothing")
    await expect(you).to_contain_text("hidden from you")
    await expect(page.get_by_text("This dashboard is read-only")).to_be_visible()
    await expect(page.get_by_role("switch", name="Show payloads")).to_be_disabled()
    link = page.get_by_role("link", name="OpenAPI description")
    address = await link.evaluate("each => each.href")
    answer = await page.request.get(address)
    assert (await answer.json())["openapi"].startswith("3.")
