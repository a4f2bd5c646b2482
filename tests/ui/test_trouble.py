"""What the pages say when something does not answer, and when names are unusual."""

from __future__ import annotations

import asyncio
import signal
import sys
from urllib.parse import quote

import pytest
from playwright.async_api import expect

from asynqpy import AsyncClient, Task
from tests.conftest import StartServer
from tests.servers import free_port
from tests.ui.browser import Complaints, check_accessibility, take_pictures
from tests.ui.conftest import OpenPage

pytestmark = pytest.mark.anyio


async def test_redis_is_down(start_server: StartServer, open_page: OpenPage, complaints: Complaints) -> None:
    """Who comes meanwhile is told so, not that there is nothing; and it goes on by itself."""
    complaints.allowed.append("503")
    server = start_server(options={"appendonly": "yes"})
    async with AsyncClient(server.url) as client:
        await client.enqueue(Task("email:welcome"), queue="mail")
    page = await open_page("/", target=server.url)
    link = page.get_by_role("link", name="mail", exact=True).first
    await expect(link).to_be_visible()
    server.stop()
    alert = page.get_by_role("alert").filter(has_text="Redis cannot be reached")
    await expect(alert).to_be_visible()
    await expect(link).to_be_visible()  # what is shown stays
    newcomer = await open_page("/", target=server.url)
    alert = newcomer.get_by_role("alert").filter(has_text="Redis cannot be reached")
    await expect(alert).to_be_visible()
    await expect(newcomer.get_by_text("No tasks yet")).to_have_count(0)
    await check_accessibility(newcomer)
    await take_pictures(newcomer, "redis-down")
    await newcomer.goto(newcomer.url + "queues/mail")
    await expect(alert).to_be_visible()
    await expect(newcomer.get_by_text("There is no queue of this name")).to_have_count(0)
    server.start()
    await expect(alert).to_have_count(0)
    await expect(newcomer.get_by_role("tab", name="Pending")).to_be_visible()


async def test_the_web_server_hangs(open_page: OpenPage, redis_url: str, complaints: Complaints) -> None:
    """A page that hears nothing says so, shows what it knows, and is live again when the server is."""
    complaints.allowed.append("ERR_")
    async with AsyncClient(redis_url) as client:
        await client.enqueue(Task("email:welcome"), queue="mail")
    port = free_port()
    command = [sys.executable, "-m", "asynqpy", "web", "--port", str(port), "--redis", redis_url]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        await process.stdout.readline()
        page = await open_page("/", origin=f"http://127.0.0.1:{port}")
        await expect(page.locator("[data-status=live]")).to_be_visible()
        await page.clock.install()
        await page.reload()
        await expect(page.locator("[data-status=live]")).to_be_visible()
        process.send_signal(signal.SIGSTOP)
        await page.clock.fast_forward(26_000)  # no ping
        await page.clock.fast_forward(16_000)  # no answer
        await expect(page.locator("[data-status=lost]")).to_be_visible()
        await expect(page.get_by_role("link", name="mail", exact=True).first).to_be_visible()
        process.send_signal(signal.SIGCONT)
        await page.clock.fast_forward(31_000)
        await expect(page.locator("[data-status=live]")).to_be_visible()
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        await process.wait()


async def test_names_of_every_kind(open_page: OpenPage, client: AsyncClient) -> None:
    """Slashes, spaces, percent signs and other alphabets: the task is found, watched and can be acted on."""
    queue, task_id = "a/b c/ü%20?#", "x/y %2F?#ж"
    await client.enqueue(Task("email:welcome"), queue=queue, task_id=task_id, process_in=3600)
    page = await open_page(f"/queues/{quote(queue, safe='')}?status=scheduled")
    await page.locator(f"[data-task='{task_id}']").get_by_role("link").first.click()
    await expect(page.get_by_text("This task is gone")).to_have_count(0)
    await page.get_by_role("button", name="Run now").first.click()
    await expect(page.get_by_text("Pending", exact=True).first).to_be_visible()
