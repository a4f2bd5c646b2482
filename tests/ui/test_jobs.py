"""Actions on many tasks, as a page of their own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect
from redis import Redis

from asynqpy import AsyncClient, Task
from tests.ui.browser import Complaints, check_accessibility, take_pictures
from tests.ui.conftest import OpenPage

pytestmark = pytest.mark.anyio


async def test_jobs_and_what_became_of_them(
    client: AsyncClient, redis: Redis, open_page: OpenPage, complaints: Complaints, tmp_path: Path
) -> None:
    """Nothing at first; then each with its results, those that were refused by themselves."""
    page = await open_page("/jobs")
    await expect(page.get_by_text("Nothing is under way")).to_be_visible()
    origin = page.url.removesuffix("/jobs")
    for at in range(3):
        await client.enqueue(Task("t"), queue="mail", process_in=3600, task_id=f"task-{at}")
    named = [{"queue": "mail", "id": f"task-{at}"} for at in range(4)]
    async with httpx.AsyncClient(base_url=origin, headers={"Origin": origin}) as web:
        made = await web.post("/api/v2/jobs", json={"action": "archive", "tasks": named})
        assert made.status_code == 202, made.text
    await expect(page.get_by_role("link", name="Archive")).to_be_visible()
    await expect(page.get_by_text("1 refused")).to_be_visible()
    await check_accessibility(page)
    await take_pictures(page, "jobs")
    await page.get_by_role("link", name="Archive").click()
    await expect(page).to_have_url(re.compile(r"\?job="))
    drawer = page.get_by_role("dialog")
    await expect(drawer.get_by_role("link", name="task-0")).to_be_visible()
    await drawer.get_by_label("Only what was refused").check()
    await expect(drawer.get_by_role("link", name="task-3")).to_be_visible()
    await expect(drawer.get_by_role("link", name="task-0")).to_have_count(0)
    await check_accessibility(page)
    async with page.expect_download() as download:
        await drawer.get_by_role("button", name="Save as JSON lines").click()
    saved = tmp_path / "results.jsonl"
    await (await download.value).save_as(saved)
    lines = saved.read_text("utf-8").splitlines()
    assert [json.loads(line)["task_id"] for line in lines] == ["task-3"]
    await page.emulate_media(color_scheme="dark")
    await check_accessibility(page)
    complaints.allowed.append("404")
    await page.goto(f"{origin}/jobs?job=none")
    await expect(page.get_by_role("dialog").get_by_text("This job is not known any more")).to_be_visible()
