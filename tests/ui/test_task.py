"""One task: looked at, explained, acted on, edited, and made anew."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable

import anyio
import pytest
from playwright.async_api import FilePayload, Page, expect
from redis import Redis

from asynqpy import AsyncClient, AsyncInspector, ServeMux, Server, Task
from asynqpy.retry import fixed
from tests.ui.browser import Complaints, check_accessibility, take_pictures
from tests.ui.conftest import OpenPage

pytestmark = pytest.mark.anyio

REFUSED = r"Failed to load resource: the server responded with a status of (404|409|412|422)"


def greeting() -> ServeMux:
    """A mux with a handler whose payloads are described."""
    mux = ServeMux()

    @mux.task("user:greet")
    async def greet(user_id: int, name: str = "") -> None:
        pass

    return mux


async def choose(page: Page, item: str) -> None:
    """Take *item* of the menu of actions."""
    await page.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name=item).click()


async def test_a_task_as_it_fails_and_succeeds(client: AsyncClient, redis_url: str, open_page: OpenPage) -> None:
    """Live: progress while it runs, its error with a traceback when it failed, its attempts, its result at last."""
    go, progressed = anyio.Event(), anyio.Event()
    fail = True

    async def handle(found: Task) -> object:
        await found.report_progress(0.42, "frame 42")
        progressed.set()
        await go.wait()
        if fail:
            raise ValueError("the file is no video")
        return {"frames": 12345678901234567890}

    mux = ServeMux()
    mux.handle("video:", handle, retry_delay=fixed(3600))
    info = await client.enqueue(
        Task("video:encode", {"file": "clip.mp4", "size": 12345678901234567890}),
        retention=3600,
        max_retry=3,
        timeout=300,
        headers={"trace": "abc"},
        unique_for=600,
    )
    page = await open_page(f"/queues/default/tasks/{info.id}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("video:encode")
    await expect(page.get_by_text("Pending", exact=True)).to_be_visible()
    await expect(page.get_by_label("Payload", exact=True)).to_contain_text("12345678901234567890")
    async with Server(redis_url, concurrency=1, app_version="1.4.2").running(mux):
        await progressed.wait()
        await expect(page.get_by_text("Active", exact=True)).to_be_visible()
        await expect(page.get_by_text("frame 42")).to_be_visible()
        await expect(page.get_by_text("Running for")).to_be_visible(timeout=15_000)
        await expect(page.get_by_text("held by this task")).to_be_visible()
        await check_accessibility(page)
        await page.get_by_role("tab", name="What is it doing?").click()
        await expect(page.get_by_text("It is running.", exact=True)).to_be_visible()
        await page.get_by_role("tab", name="Details").click()
        go.set()
        await expect(page.get_by_text("Retry", exact=True)).to_be_visible()
        await expect(page.get_by_text("the file is no video").first).to_be_visible()
        await expect(page.get_by_label("Traceback", exact=True)).to_contain_text("handle")
        await expect(page.get_by_text("1 of 3")).to_be_visible()
        await expect(page.get_by_role("link", name="Similar failures")).to_have_attribute(
            "href", re.compile(r"/failures\?fingerprint=[0-9a-f]{16}$")
        )
        await check_accessibility(page)
        await take_pictures(page, "task-failed")
        await page.get_by_role("tab", name="History").click()
        await expect(page).to_have_url(re.compile(r"\?tab=history$"))
        await expect(page.get_by_role("button", name=re.compile("Attempt 1.*, version 1.4.2"))).to_be_visible()
        await expect(page.get_by_text("Retry 3", exact=True)).to_be_visible()
        await check_accessibility(page)
        await take_pictures(page, "task-history")
        await page.get_by_role("tab", name="Why is it not running?").click()
        await expect(page.get_by_text("It has failed and waits for its next try.")).to_be_visible()
        await page.get_by_role("tab", name="In Redis").click()
        await expect(page.get_by_role("heading", name="Message")).to_be_visible()
        await page.get_by_role("tab", name="Details").click()
        fail = False
        await page.get_by_role("button", name="Run now").click()
        await expect(page.get_by_text("The task is pending now.")).to_be_visible()
        await expect(page.get_by_text("Completed", exact=True).first).to_be_visible()
        await expect(page.get_by_label("Result", exact=True)).to_contain_text("12345678901234567890")
    await take_pictures(page, "task-completed")


async def test_cancelling(
    client: AsyncClient, redis_url: str, open_page: OpenPage, serve: Callable[..., Awaitable[str]]
) -> None:
    """Who pressed the button sees that it was heard, after a reload too, and so does everybody else, until it ends."""
    started, end = anyio.Event(), anyio.Event()

    async def handle(task: Task) -> None:
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await end.wait()

    mux = ServeMux()
    mux.handle("video:", handle, retry_delay=fixed(3600))
    info = await client.enqueue(Task("video:encode"), max_retry=3, timeout=300)
    origin = await serve()
    async with Server(redis_url, concurrency=1, cancel_grace=60).running(mux):
        await started.wait()
        page = await open_page(f"/queues/default/tasks/{info.id}", origin=origin)
        badge = page.get_by_text("Cancelling", exact=True)
        await expect(page.get_by_text("Active", exact=True)).to_be_visible()
        await expect(badge).to_have_count(0)
        elsewhere = await open_page("/tasks", origin=origin)
        await expect(elsewhere.get_by_role("row", name=re.compile(info.id[:8]))).to_contain_text("Active")
        await page.get_by_role("button", name="Cancel", exact=True).click()
        question = page.get_by_role("dialog")
        yes = question.get_by_role("button", name="Cancel the task")
        await expect(yes.or_(badge)).to_be_visible()
        if await yes.is_visible():
            await yes.click()
        await expect(badge).to_be_visible()
        await expect(elsewhere.get_by_text("Cancelling", exact=True)).to_be_visible()
        await page.reload()
        await expect(badge).to_be_visible()
        await badge.hover()
        await expect(page.get_by_text("Its worker was asked to stop it")).to_be_visible()
        await check_accessibility(page)
        await take_pictures(page, "task-cancelling")
        other = await open_page("/queues/default?status=active", origin=origin)
        await expect(other.get_by_role("row", name=re.compile(info.id[:8]))).to_contain_text("Cancelling")
        await check_accessibility(other)
        await take_pictures(other, "tasks-cancelling")
        await other.goto(f"{origin}/tasks")
        await expect(other.get_by_text("Cancelling", exact=True)).to_be_visible()
        await other.goto(f"{origin}/servers")
        await other.get_by_role("button", name="Show what").click()
        await expect(other.get_by_text("Asked to stop")).to_be_visible()
        end.set()
        await expect(page.get_by_text("Retry", exact=True)).to_be_visible()
        await expect(badge).to_have_count(0)


async def test_actions(client: AsyncClient, redis_url: str, open_page: OpenPage, complaints: Complaints) -> None:
    """Archive, run, reschedule, move and delete, with a question before what cannot be undone, and refusals shown."""
    complaints.allowed.append(REFUSED)
    info = await client.enqueue(Task("email:later", {"user": 1}), process_in=3600)
    page = await open_page(f"/queues/default/tasks/{info.id}")
    await choose(page, "Reschedule")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("textbox", name="Delay").fill("soon")
    await expect(dialog.get_by_text("This is no duration")).to_be_visible()
    await dialog.get_by_role("textbox", name="Delay").fill("2d")
    await dialog.get_by_role("button", name="Reschedule").click()
    await expect(page.get_by_text("The task has a new moment.")).to_be_visible()
    await expect(page.get_by_text(re.compile("^in (2 d|1 d|47 h|48 h)"))).to_be_visible()
    await choose(page, "Archive")
    await expect(page.get_by_text("The task is archived.")).to_be_visible()
    await expect(page.get_by_text("Archived", exact=True).first).to_be_visible()
    await choose(page, "Move")
    await page.get_by_role("dialog").get_by_label("Queue").fill("low")
    await page.get_by_role("dialog").get_by_role("button", name="Move").click()
    await expect(page).to_have_url(re.compile(f"/queues/low/tasks/{info.id}$"))
    await expect(page.get_by_text("Archived", exact=True).first).to_be_visible()
    await page.get_by_role("tab", name="Why is it not running?").click()
    await expect(page.get_by_text("It is archived and will not run by itself.")).to_be_visible()
    await check_accessibility(page)
    await take_pictures(page, "task-why")
    await page.get_by_role("button", name="Enqueue again").click()
    await expect(page.get_by_text("A copy of it was enqueued.")).to_be_visible()
    await check_accessibility(page)
    await take_pictures(page, "task-again")
    here = page.url
    await page.get_by_role("link", name="Open the new task").click()
    await expect(page).not_to_have_url(here)
    await expect(page).to_have_url(re.compile("/queues/low/tasks/[0-9a-f-]{36}$"))
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_text("Pending", exact=True).first).to_be_visible()
    await expect(page.get_by_role("link", name="Open the new task")).to_have_count(0)
    await page.go_back()
    await expect(page).to_have_url(here)
    # Somebody else runs it while the page is held still: what it offers is refused, and that is shown.
    await page.get_by_role("button", name="Hold still").click()
    await expect(page.locator("[data-status=paused]")).to_be_visible()
    async with AsyncInspector(redis_url) as inspector:
        await inspector.run_task("low", info.id)
    await page.get_by_role("button", name="Run now").click()
    await expect(page.get_by_text("“Run now” was refused")).to_be_visible()
    await page.get_by_role("button", name="Go on").click()
    await choose(page, "Delete")
    question = page.get_by_role("dialog", name="Delete the task?")
    await question.get_by_role("button", name="Cancel").click()
    await choose(page, "Delete")
    await question.get_by_role("button", name="Delete").click()
    await expect(page).to_have_url(re.compile("/queues/low"))
    await page.goto(page.url.split("/queues")[0] + f"/queues/low/tasks/{info.id}")
    await expect(page.get_by_text("There is no such task")).to_be_visible()
    await check_accessibility(page)
    await expect(page.get_by_role("link", name="Search all queues for the id")).to_have_attribute(
        "href", re.compile(f"/tasks\\?id={info.id}$")
    )


async def test_a_task_that_goes_while_it_is_looked_at(
    client: AsyncClient, redis_url: str, open_page: OpenPage, complaints: Complaints
) -> None:
    """What was last known of it stays, without actions; a viewer of a read-only dashboard has none either."""
    complaints.allowed.append(REFUSED)
    info = await client.enqueue(Task("t", b"\x00\xff"))
    page = await open_page(f"/queues/default/tasks/{info.id}", read_only=True)
    await expect(page.get_by_label("Payload", exact=True)).to_contain_text("00000000  00 ff")
    await expect(page.locator("[data-status=live]")).to_be_visible()
    await expect(page.get_by_role("button", name="More actions")).to_have_count(0)
    async with AsyncInspector(redis_url) as inspector:
        await inspector.delete_task("default", info.id)
    await expect(page.get_by_text("This task is gone")).to_be_visible()
    await expect(page.get_by_label("Payload", exact=True)).to_be_visible()
    await page.goto(page.url.split("/queues")[0] + "/new-task")
    await expect(page.get_by_text("You may not enqueue tasks here.")).to_be_visible()


async def test_payloads(client: AsyncClient, redis_url: str, open_page: OpenPage) -> None:
    """A megabyte folds and scrolls; text and hex; what is hidden stays so."""
    items = [{"id": i, "name": f"item {i}"} for i in range(30_000)]
    info = await client.enqueue(Task("t", {"items": items, "secret": "x"}))
    page = await open_page(f"/queues/default/tasks/{info.id}")
    box = page.get_by_label("Payload", exact=True)
    await expect(box).to_contain_text('"item 0"')
    assert await box.locator("> div > div").count() < 200
    await page.get_by_role("button", name="Fold all").click()
    await expect(box).to_contain_text("… 120000 lines …")
    await page.get_by_role("button", name="Unfold all").click()
    await page.get_by_text("Hex", exact=True).click()
    await expect(box).to_contain_text("00000000  7b 22 69 74")
    await page.get_by_text("Text", exact=True).click()
    await expect(box).to_contain_text('{"items":[{"id":0')
    await page.get_by_role("button", name="Break long lines").click()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download payload").click()
    found = json.loads((await (await download.value).path()).read_bytes())
    assert found["items"] == items
    await check_accessibility(page)
    hidden = await open_page(f"/queues/default/tasks/{info.id}", redact_fields=["secret"])
    await expect(hidden.get_by_text("Some of it is hidden from you")).to_be_visible()
    await expect(hidden.get_by_role("link", name="Download payload")).to_have_count(0)


async def test_editing(client: AsyncClient, redis_url: str, open_page: OpenPage, complaints: Complaints) -> None:
    """Checked as it is typed, compared before it is saved, refused by the handler's schema and after a change."""
    complaints.allowed.append(REFUSED)
    info = await client.enqueue(Task("user:greet", {"user_id": 1, "big": 12345678901234567890}), process_in=3600)
    async with Server(redis_url, concurrency=1).running(greeting()), AsyncInspector(redis_url) as inspector:
        page = await open_page(f"/queues/default/tasks/{info.id}")
        await page.get_by_role("button", name="Edit payload").click()
        dialog = page.get_by_role("dialog")
        field = dialog.get_by_role("textbox", name="Payload")
        await expect(field).to_have_value('{\n  "user_id": 1,\n  "big": 12345678901234567890\n}')
        await field.fill('{"user_id": ')
        await expect(dialog.get_by_text(re.compile("JSON"), exact=False).last).to_be_visible()
        await expect(dialog.get_by_role("button", name="Review changes")).to_be_disabled()
        await field.fill('{"user_id": "one", "big": 12345678901234567890}')
        await dialog.get_by_role("button", name="Review changes").click()
        await expect(dialog.get_by_label("Changes")).to_contain_text('"user_id": "one"')
        await check_accessibility(page)
        await take_pictures(page, "task-edit")
        await dialog.get_by_role("button", name="Save").click()
        await expect(dialog.get_by_text("$.user_id")).to_be_visible()
        await field.fill('{"user_id": 2, "big": 12345678901234567890}')
        await inspector.update_payload("default", info.id, {"user_id": 3})
        await dialog.get_by_role("button", name="Review changes").click()
        await dialog.get_by_role("button", name="Save").click()
        await expect(dialog.get_by_text("The task has changed meanwhile")).to_be_visible()
        await dialog.get_by_role("button", name="Compare mine with theirs").click()
        await expect(dialog.get_by_label("Changes")).to_contain_text('"user_id": 3')
        await dialog.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("The payload is saved.")).to_be_visible()
        assert (await inspector.task_info("default", info.id)).payload == b'{"user_id":2,"big":12345678901234567890}'
        await expect(page.get_by_label("Payload", exact=True)).to_contain_text('"user_id": 2')


async def test_a_new_task(client: AsyncClient, redis_url: str, open_page: OpenPage, complaints: Complaints) -> None:
    """Written by hand with what its handler expects, the same in Python and as a command; and made from another one."""
    complaints.allowed.append(REFUSED)
    async with (
        Server(redis_url, concurrency=1, queues={"mail": 1}).running(greeting()),
        AsyncInspector(redis_url) as inspector,
    ):
        page = await open_page("/new-task?queue=mail&type=user:greet")
        await expect(page.get_by_text("user_id: integer (required)")).to_be_visible()
        payload = page.get_by_role("textbox", name="Payload")
        await payload.fill('{"user_id": "x"}')
        await page.get_by_role("button", name="Enqueue", exact=True).click()
        await expect(page.get_by_text("$.user_id")).to_be_visible()
        await payload.fill('{"user_id": 12345678901234567890}')
        await page.get_by_text("After a delay").click()
        await page.get_by_role("textbox", name="Delay").fill("1h")
        await page.get_by_label("Retries at most").fill("7")
        await page.get_by_label("Id", exact=True).fill("greeting-1")
        await page.get_by_role("button", name="Add a header").click()
        await page.get_by_role("textbox", name="Header 1").fill("trace")
        await page.get_by_role("textbox", name="Value 1").fill("abc")
        await expect(page.get_by_text("process_in=3600", exact=False)).to_be_visible()
        await expect(
            page.get_by_text("enqueue user:greet '{\"user_id\":12345678901234567890}' --queue mail --in 1h")
        ).to_be_visible()
        await check_accessibility(page)
        await take_pictures(page, "new-task")
        await page.get_by_role("button", name="Enqueue", exact=True).click()
        await expect(page).to_have_url(re.compile("/queues/mail/tasks/greeting-1$"))
        await expect(page.get_by_text("Scheduled", exact=True).first).to_be_visible()
        info = await inspector.task_info("mail", "greeting-1")
        assert info.payload == b'{"user_id":12345678901234567890}'
        assert (info.max_retry, info.headers) == (7, {"trace": "abc"})
        await choose(page, "Enqueue again with changes")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Enqueue again with changes")
        await expect(payload).to_have_value('{\n  "user_id": 12345678901234567890\n}')
        await page.get_by_label("Id", exact=True).fill("greeting-1")
        await page.get_by_role("button", name="Enqueue", exact=True).click()
        await expect(page.get_by_text("The task was not enqueued")).to_be_visible()
        await page.get_by_label("Id", exact=True).fill("greeting-2")
        await page.get_by_text("After a delay").click()
        await page.get_by_role("textbox", name="Delay").fill("1h")
        await page.get_by_role("button", name="Enqueue", exact=True).click()
        await expect(page).to_have_url(re.compile("/queues/mail/tasks/greeting-2$"))


async def test_a_payload_from_a_file(
    client: AsyncClient, redis_url: str, open_page: OpenPage, complaints: Complaints
) -> None:
    """Text is shown to be changed, bytes as they are in hex, what is large stays a file; too large is not sent."""
    page = await open_page("/new-task?queue=mail&type=file:take")
    # The button opens the browser's own dialog, which takes the file.
    async with page.expect_file_chooser() as chosen:
        await page.get_by_role("button", name="Upload a file").click()
    document = {"name": "a.json", "mimeType": "application/json", "buffer": b'{"n": 12345678901234567890}'}
    await (await chosen.value).set_files(document)  # type: ignore[arg-type]
    payload = page.get_by_role("textbox", name="Payload")
    await expect(payload).to_have_value('{\n  "n": 12345678901234567890\n}')
    upload = page.locator("input[type=file]")
    await upload.set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": "Grüße\n".encode()})
    await expect(page.get_by_role("radio", name="Text", exact=True)).to_be_checked()
    await expect(payload).to_have_value("Grüße\n")
    await upload.set_input_files({"name": "a.bin", "mimeType": "application/octet-stream", "buffer": b"\x00\xff\x80"})
    await expect(page.get_by_role("radio", name="Hex", exact=True)).to_be_checked()
    await expect(payload).to_have_value("00 ff 80")
    huge = {"name": "huge.bin", "mimeType": "application/octet-stream", "buffer": bytes(range(256)) * 25_000}
    await upload.set_input_files(huge)  # type: ignore[arg-type]
    await expect(page.get_by_text("It has 6,400,000 bytes; this server takes 6,2")).to_contain_text("max_body_bytes")
    await page.get_by_role("button", name="Enqueue", exact=True).click()
    await expect(page.get_by_role("button", name="Enqueue", exact=True)).to_be_disabled()
    large = bytes(range(256)) * 20_000
    await upload.set_input_files({"name": "large.bin", "mimeType": "application/octet-stream", "buffer": large})
    await expect(page.get_by_text("large.bin, 4.9 MiB")).to_be_visible()
    await expect(page.get_by_text(re.compile(r"enqueue file:take @large\.bin --queue mail"))).to_be_visible()
    await check_accessibility(page)
    await take_pictures(page, "new-task-file")
    await page.get_by_label("Id", exact=True).fill("with-a-file")
    await page.get_by_role("button", name="Enqueue", exact=True).click()
    await expect(page).to_have_url(re.compile("/queues/mail/tasks/with-a-file$"))
    async with AsyncInspector(redis_url) as inspector:
        assert (await inspector.task_info("mail", "with-a-file")).payload == large
        # The same where a task that waits is edited: what is too large to be written is had as a file, and replaced.
        await page.get_by_role("button", name="Edit payload").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog.get_by_text("with-a-file-payload.bin, 4.9 MiB")).to_be_visible()
        await expect(dialog.get_by_text(hashlib.sha256(large).hexdigest())).to_be_visible()
        await expect(dialog.get_by_label("The first 4.0 KiB")).to_contain_text("00000010  10 11 12")
        await expect(dialog.get_by_role("button", name="Review changes")).to_be_disabled()
        async with page.expect_download() as download:
            await dialog.get_by_role("button", name="Download").click()
        assert (await (await download.value).path()).read_bytes() == large
        await check_accessibility(page)
        await take_pictures(page, "task-edit-file")
        changed = large[:1_000_000] + b"changed" + large[1_000_007:]
        new = FilePayload(name="new.bin", mimeType="application/octet-stream", buffer=changed)
        await dialog.locator("input[type=file]").set_input_files(new)
        await dialog.get_by_role("button", name="Review changes").click()
        await expect(dialog.get_by_label("Changes")).to_contain_text("|changedGHIJKLMNO|")
        await expect(dialog.get_by_text("Only a part of the bytes is compared here")).to_be_visible()
        await check_accessibility(page)
        await take_pictures(page, "task-edit-bytes")
        await dialog.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("The payload is saved.")).to_be_visible()
        assert (await inspector.task_info("mail", "with-a-file")).payload == changed
        await page.get_by_role("button", name="Edit payload").click()
        await dialog.locator("input[type=file]").set_input_files(huge)  # type: ignore[arg-type]
        await expect(dialog.get_by_text("It has 6,400,000 bytes")).to_be_visible()
        await expect(dialog.get_by_role("button", name="Review changes")).to_be_disabled()
        await dialog.locator("input[type=file]").set_input_files(document)  # type: ignore[arg-type]
        await dialog.get_by_role("button", name="Review changes").click()
        await dialog.get_by_role("button", name="Save").click()
        await expect(page.get_by_label("Payload", exact=True)).to_contain_text("12345678901234567890")
        assert (await inspector.task_info("mail", "with-a-file")).payload == b'{"n":12345678901234567890}'


async def test_why_it_does_not_run(client: AsyncClient, redis: Redis, redis_url: str, open_page: OpenPage) -> None:
    """A pending task without a server, with links to what is named; and a task that cannot be read."""
    info = await client.enqueue(Task("t"))
    redis.hset("asynq:{default}:t:broken", mapping={"msg": b"\xff\xff", "state": "pending"})
    redis.lpush("asynq:{default}:pending", "broken")
    page = await open_page(f"/queues/default/tasks/{info.id}?tab=why")
    await expect(page.get_by_text("It will not run until somebody does something.")).to_be_visible()
    await expect(page.get_by_text("No living server serves queue 'default'.")).to_be_visible()
    await expect(page.get_by_role("article").get_by_role("link", name="Servers", exact=True)).to_be_visible()
    async with AsyncInspector(redis_url) as inspector:
        await inspector.pause_queue("default")
    await expect(page.get_by_text("Queue 'default' is paused.")).to_be_visible()
    await expect(page.get_by_role("article").get_by_role("link", name="Queue default")).to_be_visible()
    await page.emulate_media(color_scheme="dark")
    await check_accessibility(page)
    await page.goto(page.url.replace(info.id, "broken").split("?")[0])
    await expect(page.get_by_text("The message of this task cannot be read")).to_be_visible()
    await check_accessibility(page)
