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
from tests.conftest import StartProxy
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
    async with httpx.AsyncClient(base_url=origin, headers={"Origin": origin}) as web:
        copied = await web.post("/api/v2/jobs", json={"action": "again", "tasks": named[:2]})
        await page.goto(f"{origin}/jobs?job={copied.json()['id']}")
        await expect(drawer.get_by_role("link", name="new task")).to_have_count(2)
        await drawer.get_by_role("link", name="new task").first.click()
        await expect(page.get_by_text("Pending", exact=True)).to_be_visible()
        task_id = page.url.rsplit("/", 1)[1]
        moved = {"action": "move", "tasks": [{"queue": "mail", "id": task_id}], "to_queue": "post"}
        job = await web.post("/api/v2/jobs", json=moved)
        await page.goto(f"{origin}/jobs?job={job.json()['id']}")
        await drawer.get_by_role("link", name="moved to post").click()
        await expect(page).to_have_url(f"{origin}/queues/post/tasks/{task_id}")
    complaints.allowed.append("404")
    await page.goto(f"{origin}/jobs?job=none")
    await expect(page.get_by_role("dialog").get_by_text("This job is not known any more")).to_be_visible()


def number_in(text: str) -> int:
    """The number that *text* begins with, or that follows a colon."""
    found = re.search(r"(?:^|: )([\d,]+)", text)
    assert found, text
    return int(found[1].replace(",", ""))


async def test_stopping_a_job(
    client: AsyncClient, redis: Redis, redis_url: str, open_page: OpenPage, start_proxy: StartProxy
) -> None:
    """What it has done stays done and is told task by task, the rest is left: in the dialog and on the page of jobs."""
    total = 4_000
    await client.enqueue_many([Task("t", queue="mail", task_id=f"t-{at}", process_in=3600) for at in range(total)])
    far_away = start_proxy(redis_url, latency=0.05)  # a Redis that is a tenth of a second away
    page = await open_page("/tasks?type=t&state=scheduled", target=far_away.url)
    await page.get_by_role("button", name="All that match").click()
    await page.get_by_role("menuitem", name="Run all").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Run 4,000").click()
    await expect(dialog.locator("[data-job=running]")).to_contain_text(re.compile(r"[1-9]00 of 4,000"))
    await check_accessibility(page)
    await take_pictures(page, "job-running")
    await dialog.get_by_role("button", name="Stop it").click()
    ended = dialog.locator("[data-job=cancelled]")
    await expect(ended).to_contain_text("Cancelled")
    done = number_in(await ended.inner_text())
    assert 0 < done < total
    assert redis.llen("asynq:{mail}:pending") == done
    assert redis.zcard("asynq:{mail}:scheduled") == total - done
    await expect(ended).to_contain_text(f"{total - done:,} left as they were")
    await expect(dialog.get_by_role("button", name="Stop it")).to_have_count(0)
    await check_accessibility(page)
    await take_pictures(page, "job-stopped")
    await dialog.get_by_role("link", name="Results").click()
    drawer = page.get_by_role("dialog", name="Results")
    await expect(drawer.get_by_text("Cancelled")).to_be_visible()
    await expect(drawer.get_by_text(f"{done:,} done")).to_be_visible()
    await expect(drawer.get_by_role("link", name=re.compile("^t-"))).to_have_count(min(done, 200))
    await check_accessibility(page)

    # Whole states: it is known from the beginning how many there are, and single tasks are not told of.
    far_away.latency = 0.0
    await client.enqueue_many([Task("t", queue="bulk", task_id=f"b-{at}", process_in=3600) for at in range(total)])
    far_away.latency = 0.2
    origin = page.url.split("/jobs")[0]
    await page.goto(f"{origin}/queues/bulk?status=scheduled")
    await page.get_by_role("button", name="All 4,000 …").click()
    await page.get_by_role("menuitem", name="Run all 4,000").click()
    await dialog.get_by_role("button", name="Run 4,000").click()
    await expect(dialog.locator("[data-job=running]")).to_be_visible()
    await dialog.get_by_role("link", name="Results").click()
    await drawer.get_by_role("button", name="Stop it").click()
    await expect(drawer.get_by_text("Cancelled")).to_be_visible()
    moved = redis.llen("asynq:{bulk}:pending")
    assert moved < total
    await expect(drawer.get_by_text(f"{moved:,} done · {total - moved:,} left as they were")).to_be_visible()
    await expect(drawer.get_by_text("Nothing to tell of single tasks")).to_be_visible()
    await take_pictures(page, "jobs-stopped")
