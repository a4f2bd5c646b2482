"""The pages of servers, schedules and Redis."""

from __future__ import annotations

import asyncio
import re
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import expect
from redis import Redis

from asynqpy import AsyncClient, Scheduler, ServeMux, Server, Task, __version__
from asynqpy._wire import keys
from asynqpy._wire.records import SchedulerEntry, ServerInfo
from tests.ui.browser import Complaints, check_accessibility, take_pictures
from tests.ui.conftest import OpenPage

pytestmark = pytest.mark.anyio


def announce_go(redis: Redis, number: int = 1, *, status: str = "active", queues: Any = None) -> None:
    """A server as those of Go announce themselves: without what it handles."""
    now = datetime.now(UTC)
    info = ServerInfo(
        host=f"go-{number:03}",
        pid=number,
        server_id=f"go{number}",
        concurrency=10,
        queues=queues or {"low": 1, "default": 3},
        strict_priority=True,
        status=status,
        start_time=now,
    )
    key = keys.server(f"go-{number:03}:{number}:go{number}")
    redis.set(key, info.encode())
    redis.zadd(keys.SERVERS, {key: int(now.timestamp()) + 600})


async def test_servers(open_page: OpenPage, redis_url: str, redis: Redis, client: AsyncClient) -> None:
    """Go and Python, what each runs, and what is wrong; a running task is cancelled."""
    page = await open_page("/servers")
    await expect(page.get_by_role("heading", name="No server is running")).to_be_visible()
    started, cancelled = asyncio.Event(), asyncio.Event()
    mux = ServeMux()

    async def encode(task: Task) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    mux.handle("video:", encode)
    task = await client.enqueue(Task("video:encode", {"file": "clip.mp4", "size": 2**60}), queue="media", timeout=600)
    await client.enqueue(Task("video:encode", {"file": "next.mp4"}), queue="media", process_in=3600)
    await client.enqueue(Task("crm:sync"), queue="lost")
    server = Server(redis_url, queues={"media": 2, "low": 1}, concurrency=1, app_version="1.4.2")
    async with server.running(mux):
        await started.wait()
        (row,) = await page.locator("tr[data-server]").all() if await _appears(page, 1) else []
        await expect(row).to_contain_text("Python")
        await expect(row).to_contain_text("1/1")
        await expect(row).to_contain_text("1.4.2")
        await expect(row.get_by_role("link", name="media")).to_have_attribute("href", re.compile("/queues/media$"))
        await expect(page.get_by_text(re.compile("Nobody serves this queue: lost .1 waiting."))).to_be_visible()
        await client.enqueue(Task("video:encode", {"file": "waits.mp4"}), queue="media")
        await expect(page.get_by_text("All 1 slots of all servers are busy, and 1 tasks wait.")).to_be_visible()

        announce_go(redis)
        announce_go(redis, 2, status="stopped")
        await _appears(page, 3)
        await expect(page.get_by_text("Go and Python work side by side.")).to_be_visible()
        await expect(page.get_by_text("One server is stopped and takes no new tasks: go-002:2")).to_be_visible()
        await expect(page.locator("tr[data-server=go1]")).to_contain_text("Go")
        await expect(page.locator("tr[data-server=go1]")).to_contain_text("strict")

        await page.get_by_role("button", name="Status").click()
        await page.get_by_role("button", name="Status").click()
        await expect(page).to_have_url(re.compile("sort=status&descending=true"))
        await expect(page.locator("tr[data-server]").first).to_contain_text("Stopped")
        await page.get_by_placeholder("Find by host").fill("video")
        await expect(page.locator("tr[data-server]")).to_have_count(1)

        await page.get_by_role("button", name="Show what").click()
        await expect(page).to_have_url(re.compile("server="))
        await page.reload()  # a deep link
        running = page.locator(f"tr[data-task='{task.id}']")
        await expect(running).to_contain_text("video:encode")
        await expect(running).to_contain_text('"size":1152921504606846976')
        await expect(running.get_by_role("link", name=task.id)).to_have_attribute(
            "href", re.compile(f"/queues/media/tasks/{task.id}$")
        )
        await expect(page.get_by_role("link", name="video:")).to_be_visible()
        await expect(page.get_by_text(f"asynqpy{__version__}")).to_be_visible()
        await check_accessibility(page)
        await page.emulate_media(color_scheme="dark")
        await check_accessibility(page)
        await take_pictures(page, "servers")
        await running.get_by_role("button", name=f"Cancel {task.id}").click()
        await asyncio.wait_for(cancelled.wait(), 20)
        await expect(running).to_have_count(0, timeout=20_000)
    await expect(page.get_by_text("This server is gone")).to_be_visible()
    await page.get_by_role("link", name="Show all servers").click()
    await _appears(page, 2)


async def _appears(page: Any, count: int) -> bool:
    await expect(page.locator("tr[data-server]")).to_have_count(count, timeout=15_000)
    return True


async def test_two_hundred_servers(open_page: OpenPage, redis: Redis, client: AsyncClient) -> None:
    """All of them are found and opened, and drawn when somebody comes to them; a viewer may not cancel."""
    await client.enqueue(Task("t"))
    for number in range(200):
        announce_go(redis, number)
    page = await open_page("/servers", read_only=True)
    await expect(page.get_by_text("200 servers")).to_be_visible()
    await _appears(page, 40)
    await page.get_by_role("button", name="Show more, 160 left").scroll_into_view_if_needed()
    await expect(page.get_by_role("button", name="Show more, 160 left")).to_have_count(0)
    while await page.get_by_role("button", name="Show more").count():
        await page.keyboard.press("End")
        await page.wait_for_timeout(50)
    await _appears(page, 200)
    await page.get_by_placeholder("Find by host").fill("go-123")
    await _appears(page, 1)
    await page.get_by_role("button", name="Show what go-123:123 runs").click()
    await expect(page.get_by_text("It runs nothing at the moment.")).to_be_visible()
    await expect(page.get_by_text("Does not say what it handles.")).to_be_visible()


def announce_entries(redis: Redis, number: int, *entries: SchedulerEntry) -> None:
    """A scheduler as those of Go announce themselves."""
    key = keys.schedulers(f"go:{number}:x{number}")
    redis.rpush(key, *(entry.encode() for entry in entries))
    redis.zadd(keys.SCHEDULERS, {key: int(datetime.now(UTC).timestamp()) + 600})


async def test_schedules(open_page: OpenPage, redis_url: str, redis: Redis, client: AsyncClient) -> None:
    """What is due when, what is wrong, what was enqueued; one is run before its time."""
    page = await open_page("/schedulers")
    await expect(page.get_by_role("heading", name="No scheduler is running")).to_be_visible()
    scheduler = Scheduler(redis_url)
    entry_id = scheduler.register("CRON_TZ=Europe/Berlin 30 8 * * *", Task("report:daily", {"n": 2**60}), queue="low")
    other = Scheduler(redis_url)
    other.register("CRON_TZ=Europe/Berlin 30 8 * * *", Task("report:daily", {"n": 2**60}), queue="low")
    now = datetime.now(UTC)
    late = SchedulerEntry(
        id="late", spec="@every 1h", task_type="mail:late", next_enqueue_time=now - timedelta(minutes=9)
    )
    twice = [
        SchedulerEntry(
            id=f"twice-{n}", spec="@hourly", task_type="mail:twice", next_enqueue_time=now + timedelta(hours=1)
        )
        for n in (1, 2)
    ]
    async with scheduler.running(), other.running():
        row = page.locator(f"tr[data-entry='{entry_id}']")
        await expect(row).to_contain_text("2 schedulers")
        await expect(row).to_contain_text("each day at 08:30, by the clock of Europe/Berlin")
        await expect(row).to_contain_text('{"n":1152921504606846976}')
        await expect(row).to_contain_text("not since it started")
        announce_entries(redis, 1, late, twice[0])
        announce_entries(redis, 2, twice[1])
        await expect(page.locator("tr[data-entry=late]")).to_contain_text("Missed")
        await expect(page.get_by_text("One periodic task is overdue.")).to_be_visible()
        await expect(page.locator("tr[data-entry=twice-1]")).to_contain_text("Twice")
        await expect(page.get_by_text("2 entries are like another one")).to_be_visible()
        await check_accessibility(page)
        await take_pictures(page, "schedules")
        await page.get_by_placeholder("Find by type").fill("report")
        await expect(page.locator("tr[data-entry]")).to_have_count(1)
        await page.get_by_placeholder("Find by type").fill("")
        await page.get_by_role("button", name="Task", exact=True).click()
        await expect(page.locator("tr[data-entry]").first).to_contain_text("mail:late")

        await row.get_by_role("button", name="Run now: report:daily").click()
        await page.get_by_role("dialog").get_by_role("button", name="Run now").click()
        await expect(page.get_by_text(re.compile(r"report:daily was enqueued\."))).to_be_visible()
        assert redis.llen("asynq:{low}:pending") == 1

        await row.get_by_role("button", name="History of report:daily").click()
        await expect(page).to_have_url(re.compile(f"entry={entry_id}"))
        drawer = page.get_by_role("dialog", name="History of report:daily")
        await expect(drawer.get_by_text("It has not been enqueued yet")).to_be_visible()
        await drawer.get_by_role("button", name="Close the history").click()
        await expect(page).not_to_have_url(re.compile("entry="))

        ticking = Scheduler(redis_url)
        tick = ticking.register("@every 1s", Task("beat"), queue="low", retention=600)
        async with ticking.running():
            await page.goto(page.url.split("?")[0] + f"?entry={tick}")
            drawer = page.get_by_role("dialog", name="History of beat")
            link = drawer.get_by_role("link").first
            await expect(link).to_have_attribute("href", re.compile(r"/queues/low/tasks/"), timeout=20_000)
            await check_accessibility(page)
            await page.emulate_media(color_scheme="dark")
            await check_accessibility(page)
            await take_pictures(page, "schedule-history")
        await expect(page.get_by_text("This entry is not alive any more")).to_be_visible()


async def test_redis_and_what_looking_costs(open_page: OpenPage, redis: Redis, client: AsyncClient) -> None:
    """Cards, warnings, lines, costs."""
    await client.enqueue(Task("t"))
    version = str(redis.info()["redis_version"])
    page = await open_page("/redis")
    main = page.get_by_role("main")
    await expect(main.get_by_text("Memory used", exact=True)).to_be_visible()
    await expect(main.get_by_text("Clock skew")).to_be_visible()
    await expect(main.get_by_text("Replicas", exact=True)).to_be_visible()
    cost = main.get_by_role("region", name="What this dashboard costs Redis")
    await expect(cost.get_by_text("Reads shared")).to_be_visible()
    await expect(cost.get_by_text("a second", exact=False).last).to_be_visible()
    await page.get_by_label("Find a line").fill("redis_version")
    await expect(page).to_have_url(re.compile("find=redis_version"))
    lines = main.get_by_role("table", name="Everything that Redis says").get_by_role("row")
    await expect(lines).to_have_count(1)
    await expect(lines).to_contain_text(version)
    await page.get_by_label("Find a line").fill("no such line")
    await expect(main.get_by_text("No line fits.")).to_be_visible()
    await page.get_by_label("Find a line").fill("")
    await check_accessibility(page)
    await page.emulate_media(color_scheme="dark")
    await check_accessibility(page)
    await take_pictures(page, "redis")
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        await page.reload()
        await expect(main.locator("[data-grave=true]")).to_contain_text("maxmemory-policy is allkeys-lru")
    finally:
        redis.config_set("maxmemory-policy", "noeviction")


async def test_several_redis(open_page: OpenPage, redis_url: str, client: AsyncClient, complaints: Complaints) -> None:
    """Each has a card of its own, and one that is down says so."""
    complaints.allowed.append("503")
    await client.enqueue(Task("t"))
    page = await open_page("/main/redis", target={"main": redis_url, "gone": f"redis://127.0.0.1:{_closed_port()}/0"})
    here = page.locator("[data-broker=main]")
    await expect(here).to_contain_text("1 queue")
    await expect(here).to_contain_text("here")
    await expect(here).to_contain_text("Answers")
    gone = page.locator("[data-broker=gone]")
    await expect(gone).to_contain_text("Does not answer", timeout=30_000)
    await expect(gone.get_by_role("link")).to_have_attribute("href", re.compile("/gone/redis$"))
    await check_accessibility(page)
    await take_pictures(page, "brokers")


def _closed_port() -> int:
    """Where nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
