"""Lists of tasks: of one queue by state, and what a search finds; what is done to one, to some, to all of them."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect
from redis import Redis

from asynqpy import AsyncClient, AsyncInspector, ServeMux, Server, SkipRetry, Task, TaskState
from tests.eventually import eventually
from tests.ui.browser import Complaints, check_accessibility, take_pictures
from tests.ui.conftest import OpenPage

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def row(page: Page, task_id: str) -> Locator:
    return page.locator(f"[data-task='{task_id}']")


async def live(page: Page) -> None:
    await expect(page.locator("[data-status=live]")).to_be_visible()


async def fill(client: AsyncClient) -> None:
    """Thirty scheduled tasks and two groups in the queue ``mail``."""
    for at in range(30):
        await client.enqueue(
            Task("email:later", {"user": at}), queue="mail", process_in=3600 + at, task_id=f"later-{at}"
        )
    for at in range(6):
        await client.enqueue(
            Task("news:send", {"user": at}), queue="mail", group=f"list-{at % 2}", task_id=f"news-{at}"
        )


async def test_a_queue_by_its_states(client: AsyncClient, redis_url: str, redis: Redis, open_page: OpenPage) -> None:
    """Each tab with its own columns, real attempts behind them, progress as it happens."""
    await fill(client)
    go_on = asyncio.Event()

    async def handler(task: Task) -> object:
        if task.type == "video:encode":
            await task.report_progress(0.4, "frame 400")
            await go_on.wait()
        if task.type == "image:broken":
            raise ValueError("this is no PNG")
        if task.type == "image:refused":
            raise SkipRetry("bad customer")
        return {"sent": True}

    async with Server(redis_url, queues={"mail": 1}, concurrency=4).running(handler):
        await client.enqueue(Task("video:encode", {"file": "a.mp4"}), queue="mail", task_id="running")
        await client.enqueue(Task("image:broken", {"file": "b.png"}), queue="mail", task_id="broken")
        await client.enqueue(Task("image:refused", {"file": "c.png"}), queue="mail", task_id="refused")
        done = await client.enqueue(Task("email:welcome", {"id": 12345678901234567890}), queue="mail", retention=3600)
        await eventually(lambda: redis.zcard("asynq:{mail}:completed") == 1 and redis.zcard("asynq:{mail}:retry") == 1)
        await eventually(lambda: redis.zcard("asynq:{mail}:archived") == 1)
        page = await open_page("/queues/mail")
        await live(page)
        await expect(row(page, "running")).to_contain_text("frame 400")
        await check_accessibility(page)
        for state, task_id, text in (
            ("Scheduled", "later-0", re.compile("in (60|59) min")),
            ("Retry", "broken", "this is no PNG"),
            ("Archived", "refused", "bad customer"),
            ("Completed", done.id, "12345678901234567890"),
            ("Aggregating", "news-0", "list-0"),
        ):
            await page.get_by_role("tab", name=state).click()
            await expect(row(page, task_id)).to_contain_text(text)
            await check_accessibility(page)
            await take_pictures(page, f"tasks-{state.lower()}")
        await expect(page).to_have_url(re.compile("status=aggregating"))
        await page.get_by_label("Group").click()
        await page.get_by_role("option", name="list-1").click()
        await expect(row(page, "news-1")).to_be_visible()
        await expect(row(page, "news-0")).to_have_count(0)
        await page.get_by_role("tab", name="Active").click()
        await expect(row(page, "running")).to_be_visible()
        await page.get_by_role("button", name="Cancel running").click()
        await expect(row(page, "running")).to_have_count(0)
        await expect(page.get_by_text("No active tasks")).to_be_visible()
        go_on.set()


async def test_pages_and_single_actions(client: AsyncClient, redis_url: str, open_page: OpenPage) -> None:
    """Forward and back, newest first, then run, archive and delete by the buttons of a row."""
    await fill(client)
    page = await open_page("/queues/mail?status=scheduled")
    await live(page)
    await expect(page.get_by_text("1–20 of 30")).to_be_visible()
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_text("21–30 of 30")).to_be_visible()
    await expect(row(page, "later-29")).to_be_visible()
    await page.get_by_role("button", name="Previous").click()
    await expect(row(page, "later-0")).to_be_visible()
    await page.get_by_role("button", name="Oldest first").click()
    await expect(row(page, "later-29")).to_be_visible()
    await expect(page).to_have_url(re.compile("descending=true"))
    await page.get_by_role("button", name="Archive later-29").click()
    await expect(row(page, "later-29")).to_have_count(0)
    await page.get_by_role("button", name="Run later-28").click()
    await expect(row(page, "later-28")).to_have_count(0)
    await page.get_by_role("button", name="Delete later-27").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(row(page, "later-27")).to_have_count(0)
    async with AsyncInspector(redis_url) as inspector:
        info = await inspector.queue_info("mail")
        assert (info.scheduled, info.archived, info.pending) == (27, 1, 1)
    await row(page, "later-26").get_by_role("link").first.click()
    await expect(page).to_have_url(re.compile("/queues/mail/tasks/later-26$"))
    await page.go_back()
    await page.get_by_role("tab", name="Archived").click()
    await page.get_by_role("button", name="Enqueue again later-29").click()
    await page.get_by_role("link", name="Open the new task").click()
    await expect(page).to_have_url(re.compile("/queues/mail/tasks/[0-9a-f-]{36}$"))


async def test_the_place_in_a_list_is_in_the_address(
    client: AsyncClient, redis: Redis, open_page: OpenPage, complaints: Complaints
) -> None:
    """It outlives a reload, can be handed on, follows the browser's buttons, and ends where another list begins."""
    await client.enqueue_many([Task("t", queue="mail", task_id=f"task-{at}", process_in=3600 + at) for at in range(50)])
    page = await open_page("/queues/mail?status=scheduled")
    await live(page)
    following, previous = (page.get_by_role("button", name=name, exact=True) for name in ("Next", "Previous"))
    await following.click()
    await expect(row(page, "task-20")).to_be_visible()
    await following.click()
    await expect(page.get_by_text("41–50 of 50")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("41–50 of 50")).to_be_visible()
    await expect(row(page, "task-49")).to_be_visible()
    await previous.click()  # the reload has not forgotten what came before
    await expect(page.get_by_text("21–40 of 50")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_text("41–50 of 50")).to_be_visible()
    await page.go_back()
    await expect(row(page, "task-20")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_text("1–20 of 50")).to_be_visible()
    await expect(page).to_have_url(re.compile(r"\?status=scheduled$"))
    await page.go_forward()
    await expect(row(page, "task-20")).to_be_visible()
    await expect(page).to_have_url(re.compile(r"cursor=.+&after=20"))
    # Somebody else gets the link: the same place, though nothing is known of the pages before but their number.
    origin, address = page.url.split("/queues")[0], page.url
    other = await page.context.new_page()
    await other.goto(address)
    await expect(other.get_by_text("21–40 of 50")).to_be_visible()
    await expect(row(other, "task-20")).to_be_visible()
    await expect(other.get_by_role("button", name="Previous", exact=True)).to_be_disabled()
    await other.get_by_role("button", name="First", exact=True).click()
    await expect(other.get_by_text("1–20 of 50")).to_be_visible()
    await other.close()
    # Another list begins at its first page, and the way back leads to the place in this one.
    await page.get_by_role("button", name="Oldest first").click()
    await expect(row(page, "task-49")).to_be_visible()
    await expect(page).not_to_have_url(re.compile("cursor="))
    await page.go_back()
    await expect(page.get_by_text("21–40 of 50")).to_be_visible()
    await page.get_by_role("tab", name="Pending").click()
    await expect(page.get_by_text("No pending tasks")).to_be_visible()
    await expect(page).not_to_have_url(re.compile("cursor="))
    # The page of tasks of all queues has it as well.
    await page.goto(f"{origin}/tasks?type=t")
    await following.click()
    await expect(page.get_by_text("21–40", exact=True)).to_be_visible()
    await expect(page).to_have_url(re.compile(r"tasks\?type=t&cursor=.+&after=20"))
    await page.reload()
    await expect(row(page, "task-20")).to_be_visible()
    await page.get_by_role("combobox", name="Rows").click()
    await page.get_by_role("option", name="10", exact=True).click()
    await expect(page.get_by_text("1–10", exact=True)).to_be_visible()
    # What leads nowhere any more ends on the first page, and says so.
    lost = page.get_by_text("That page of the list is not there any more")
    complaints.allowed.append("422")
    await page.goto(f"{origin}/queues/mail?status=scheduled&cursor=nonsense&after=20")
    await expect(lost).to_be_visible()
    await expect(page.get_by_text("1–10 of 50")).to_be_visible()
    await expect(page).to_have_url(re.compile(r"\?status=scheduled$"))
    await page.goto(address)
    await expect(row(page, "task-20")).to_be_visible()
    redis.zremrangebyrank("asynq:{mail}:scheduled", 20, -1)
    await page.reload()
    await expect(lost).to_be_visible()
    await expect(page.get_by_text("1–10 of 20")).to_be_visible()


async def test_finding_and_saved_views(
    client: AsyncClient, redis_url: str, open_page: OpenPage, tmp_path: Path
) -> None:
    """One line says it all, the address keeps it, a view remembers it; what is not understood is told."""
    await fill(client)
    await client.enqueue(Task("sms:send", {"to": "+49 1"}), queue="text", task_id="sms-1")
    page = await open_page("/tasks")
    await live(page)
    box = page.get_by_label("Filter tasks")
    await box.fill("type:email:* payload:29 queue:mail")
    await box.press("Enter")
    await expect(row(page, "later-29")).to_be_visible()
    await expect(page.locator("[data-task]")).to_have_count(1)
    await expect(page).to_have_url(re.compile(r"type=email%3A\*"))
    await check_accessibility(page)
    await page.reload()
    await expect(page.locator("[data-task]")).to_have_count(1)
    await page.get_by_role("button", name="Saved views").click()
    await page.get_by_label("Save this view").fill("the last mail")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("button", name="the last mail", exact=True)).to_be_visible()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Clear", exact=True).click()
    await page.get_by_role("button", name="Saved views").click()
    await page.get_by_role("button", name="the last mail", exact=True).click()
    await expect(page.locator("[data-task]")).to_have_count(1)
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Save this page as JSON lines").click()
    saved = tmp_path / "tasks.jsonl"
    await (await download.value).save_as(saved)
    assert [json.loads(line)["id"] for line in saved.read_text("utf-8").splitlines()] == ["later-29"]
    await box.fill("state:asleep")
    await box.press("Enter")
    await expect(page.get_by_text("“state:asleep” is not understood")).to_be_visible()
    await box.fill("error:nothing-like-that")
    await box.press("Enter")
    await expect(page.get_by_text("Nothing fits")).to_be_visible()
    await page.goto(page.url.split("/tasks")[0] + "/tasks?id=later-2")
    await expect(row(page, "later-2")).to_be_visible()
    await expect(page.locator("[data-task]")).to_have_count(1)
    await page.goto(page.url.split("/tasks")[0] + "/tasks?id=sms-")
    await page.get_by_role("button", name="Look for ids that begin with sms-").click()
    await expect(row(page, "sms-1")).to_be_visible()
    await expect(page).to_have_url(re.compile(r"id=sms-\*"))
    await box.fill("id:later-2*")
    await box.press("Enter")
    await expect(page.locator("[data-task]")).to_have_count(11)
    await expect(page.get_by_text("Looked at all 37 tasks.")).to_be_visible()
    await check_accessibility(page)
    await take_pictures(page, "tasks-found")
    await page.emulate_media(color_scheme="dark")
    await check_accessibility(page)
    # All that match, and nothing beside them.
    await page.get_by_role("button", name="All that match").click()
    await page.get_by_role("menuitem", name="Delete all").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Type 11 to go on").fill("11")
    await dialog.get_by_role("button", name="Delete 11").click()
    await expect(dialog.locator("[data-job=done]")).to_contain_text("11 deleted")
    await check_accessibility(page)
    async with AsyncInspector(redis_url) as inspector:
        assert (await inspector.queue_info("mail")).scheduled == 19
    await dialog.get_by_role("button", name="Close").click()
    await page.goto(page.url.split("/tasks")[0] + "/queues/mail?status=scheduled")
    await box.fill("queue:text")
    await box.press("Enter")
    await expect(page.get_by_text("This page shows one queue")).to_be_visible()


async def test_a_search_that_is_cut_short(client: AsyncClient, open_page: OpenPage) -> None:
    """Says how much it has looked at, and goes on from there."""
    await client.enqueue_many([Task("t", {"n": at}, queue="mail", task_id=f"task-{at}") for at in range(10_010)])
    page = await open_page("/tasks?payload=10005&state=pending")
    await live(page)
    await expect(page.get_by_text("Nothing so far. There is more to look at.")).to_be_visible()
    await expect(page.get_by_text("Looked at 10,000 of 10,010 tasks.")).to_be_visible()
    await page.get_by_role("button", name="Look further").click()
    await expect(row(page, "task-10005")).to_be_visible()
    await expect(page.get_by_text("Looked at all 10,010 tasks.")).to_be_visible()
    await expect(page.get_by_text("1–1", exact=True)).to_be_visible()


async def test_some_and_all(client: AsyncClient, redis_url: str, open_page: OpenPage) -> None:
    """A selection with the shift key, then all that fit: counted, shown, confirmed as the damage asks for, followed."""
    await fill(client)
    page = await open_page("/queues/mail?status=scheduled")
    await live(page)
    await page.get_by_label("Select later-0", exact=True).click()
    await page.get_by_label("Select later-4", exact=True).click(modifiers=["Shift"])
    await expect(page.get_by_text("5 selected")).to_be_visible()
    await take_pictures(page, "tasks-selected")
    dialog = page.get_by_role("dialog")
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(dialog.get_by_text("Delete 5 tasks?")).to_be_visible()
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_text("5 selected")).to_be_visible()
    await page.get_by_role("button", name="Archive", exact=True).click()
    await expect(dialog.get_by_text("Archive 5 tasks?")).to_be_visible()
    await dialog.get_by_role("button", name="Archive 5").click()
    await expect(dialog.locator("[data-job=done]")).to_contain_text("5 archived")
    await dialog.get_by_role("button", name="Close").click()
    await expect(row(page, "later-0")).to_have_count(0)

    await page.get_by_role("button", name="All 25 …").click()
    await page.get_by_role("menuitem", name="Delete all 25").click()
    await expect(dialog.get_by_text("Delete 25 tasks?")).to_be_visible()
    await expect(page.get_by_role("menu")).to_have_count(0)
    await check_accessibility(page)
    await expect(dialog.get_by_role("button", name="Delete 25")).to_be_disabled()
    await dialog.get_by_label("Type 25 to go on").fill("25")
    await dialog.get_by_role("button", name="Delete 25").click()
    await expect(dialog.locator("[data-job=done]")).to_contain_text("25 deleted")
    await dialog.get_by_role("link", name="Results").click()
    await expect(page).to_have_url(re.compile(r"/jobs\?job="))
    async with AsyncInspector(redis_url) as inspector:
        info = await inspector.queue_info("mail")
        assert (info.scheduled, info.archived) == (0, 5)


async def test_moving_to_another_queue(client: AsyncClient, redis_url: str, open_page: OpenPage) -> None:
    """By the menu of a row."""
    await fill(client)
    await client.enqueue(Task("t"), queue="slow")
    page = await open_page("/queues/mail?status=scheduled")
    await live(page)
    await page.get_by_role("button", name="More for later-0", exact=True).click()
    await page.get_by_role("menuitem", name="Move …").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Which queue").fill("slower")
    await expect(dialog.get_by_text("There is no queue slower yet")).to_be_visible()
    await dialog.get_by_label("Which queue").fill("slow")
    await expect(dialog.get_by_text("There is no queue")).to_have_count(0)
    await check_accessibility(page)
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_text("Into the queue slow.")).to_be_visible()
    await dialog.get_by_role("button", name="Move 1").click()
    await expect(dialog.locator("[data-job=done]")).to_contain_text("1 moved")
    async with AsyncInspector(redis_url) as inspector:
        assert (await inspector.task_info("slow", "later-0")).state is TaskState.SCHEDULED


async def test_the_list_follows_what_happens(client: AsyncClient, redis_url: str, open_page: OpenPage) -> None:
    """New tasks come, those that ran go, and what is selected stays selected; nothing for those who may only look."""
    await client.enqueue(Task("t"), queue="mail", task_id="first")
    page = await open_page("/queues/mail?status=pending")
    await live(page)
    await page.get_by_label("Select first").click()
    await client.enqueue(Task("t"), queue="mail", task_id="second")
    await expect(row(page, "second")).to_be_visible()
    await expect(page.get_by_text("1 selected")).to_be_visible()
    mux = ServeMux()

    @mux.task("t")
    async def nothing() -> None:
        """Just succeed."""

    async with Server(redis_url, queues={"mail": 1}).running(mux):
        await expect(page.get_by_text("No pending tasks")).to_be_visible()
    await expect(page.get_by_text("1 selected")).to_have_count(0)
    await client.enqueue(Task("t"), queue="mail", task_id="third")
    viewer = await open_page("/queues/mail?status=pending", read_only=True)
    await expect(row(viewer, "third")).to_be_visible()
    await expect(viewer.get_by_role("button", name="Delete third")).to_have_count(0)
    await expect(viewer.get_by_label("Select third")).to_have_count(0)


async def test_a_queue_that_is_not_there(open_page: OpenPage, complaints: Complaints) -> None:
    """Says so."""
    complaints.allowed.append(r"status of 404 .*/api/v2/tasks\?queue=none&")
    page = await open_page("/queues/none")
    await live(page)
    await expect(page.get_by_role("heading", name="none")).to_be_visible()
    await expect(page.get_by_role("tab")).to_have_count(0)


async def test_what_is_inside_of_tasks(
    client: AsyncClient, redis_url: str, open_page: OpenPage, complaints: Complaints
) -> None:
    """Headers and fields of payloads: typed, as chips, in the address, and in an action on all that fit."""
    complaints.allowed.append(r"status of 422")
    for name, tenant, user in (("a", "acme", 2**53), ("b", "acme", 2**53 + 1), ("c", "other", 2**53 + 1)):
        await client.enqueue(
            Task("t", {"user": {"id": user, "name": f"Jo {name}"}}),
            queue="mail",
            process_in=3600,
            task_id=name,
            headers={"tenant": tenant},
        )
    page = await open_page("/tasks")
    await live(page)
    line = page.get_by_label("Filter tasks")
    await line.fill(f"header:tenant=acme field:user.id={2**53 + 1}")
    await line.press("Enter")
    await expect(row(page, "a")).to_have_count(0)
    await expect(row(page, "b")).to_be_visible()
    await expect(row(page, "c")).to_have_count(0)
    await expect(page).to_have_url(re.compile("header=tenant%3Dacme&field=user.id%3D9007199254740993"))
    await check_accessibility(page)
    await take_pictures(page, "tasks-fields")
    await page.get_by_label("Take away header tenant=acme").click()
    await expect(row(page, "c")).to_be_visible()
    await expect(line).to_have_value(f"field:user.id={2**53 + 1}")
    await line.fill('field:user.name="Jo c" field:user.id')
    await line.press("Enter")
    await expect(row(page, "b")).to_have_count(0)
    await expect(row(page, "c")).to_be_visible()
    await page.reload()
    await expect(row(page, "c")).to_be_visible()
    await expect(row(page, "b")).to_have_count(0)
    await expect(line).to_have_value('field:user.name="Jo c" field:user.id')
    await line.fill("field:user..id=7")
    await line.press("Enter")
    await expect(page.get_by_text("is no path of a field")).to_be_visible()
    await line.fill("header:tenant=acme")
    await line.press("Enter")
    await expect(row(page, "b")).to_be_visible()
    await expect(row(page, "c")).to_have_count(0)
    await page.get_by_role("button", name="All that match").click()
    await page.get_by_role("menuitem", name="Delete all").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete 2").click()
    await expect(page.get_by_text("2 deleted").first).to_be_visible()
    async with AsyncInspector(redis_url) as inspector:
        assert [info.id for info in await inspector.list_tasks("mail", TaskState.SCHEDULED)] == ["c"]
