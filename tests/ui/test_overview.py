"""The overview and the top of a queue's page, with real workers."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest
from playwright.async_api import Locator, Page, expect
from redis import Redis

from asynqpy import AsyncClient, ServeMux, Server, SkipRetry, Task
from asynqpy.web import Role, User
from tests.eventually import eventually
from tests.ui.browser import Complaints, check_accessibility, take_pictures
from tests.ui.conftest import OpenPage

pytestmark = pytest.mark.anyio


async def live(page: Page) -> None:
    """Wait for the first news."""
    await expect(page.locator("[data-status=live]")).to_be_visible()


def table_row(page: Page, queue: str) -> Locator:
    """The row of *queue* in the table of queues."""
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=queue, exact=True))


async def work(redis_url: str, client: AsyncClient, redis: Redis) -> None:
    """Eight tasks that succeed in ``critical``, two that fail for good."""
    mux = ServeMux()

    @mux.handler("mail:")
    async def mail(task: Task) -> None: ...

    @mux.handler("broken")
    async def broken(task: Task) -> None:
        raise SkipRetry("this never works")

    for _ in range(8):
        await client.enqueue(Task("mail:send", {"to": "a"}), queue="critical", retention=600)
    for _ in range(2):
        await client.enqueue(Task("broken", {}), queue="critical")
    async with Server(redis_url, queues={"critical": 1}).running(mux):
        await eventually(lambda: redis.get("asynq:{critical}:processed") == b"10")


async def test_a_new_redis(open_page: OpenPage, client: AsyncClient) -> None:
    """Nothing is there: how to enqueue a first task; what is enqueued then appears by itself."""
    page = await open_page("/")
    await expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
    await expect(page.get_by_text('client.enqueue(Task("email:welcome"')).to_be_visible()
    await expect(page.get_by_role("link", name="Or enqueue one by hand")).to_have_attribute("href", "/new-task")
    await check_accessibility(page)
    await take_pictures(page, "overview-new")
    await client.enqueue(Task("first"))
    await expect(table_row(page, "default")).to_be_visible()
    await expect(page.get_by_role("heading", name="No tasks yet")).to_have_count(0)


async def test_sums_charts_and_what_needs_attention(
    open_page: OpenPage, client: AsyncClient, redis_url: str, redis: Redis
) -> None:
    """All from one look, and each leads to more."""
    await work(redis_url, client, redis)
    for _ in range(3):
        await client.enqueue(Task("crm:sync"), queue="tenant-1")
    await client.enqueue(Task("later"), queue="slow", process_in=timedelta(hours=1))
    redis.set("asynq:{tenant-1}:paused", 1)
    page = await open_page("/")
    await live(page)
    card = page.get_by_role("link", name=re.compile("^Pending"))
    await expect(card).to_contain_text("3")
    await expect(page.get_by_role("link", name=re.compile("^Failed today"))).to_contain_text("error rate 20 %")
    await expect(page.get_by_role("link", name=re.compile("^In retry"))).to_contain_text("2 archived")
    await expect(page.get_by_role("link", name=re.compile("^Active"))).to_contain_text("no server is up")

    attention = page.get_by_role("region", name="Needs attention")
    await expect(attention).to_contain_text("No server is up")
    await expect(attention).to_contain_text("A paused queue holds tasks back: tenant-1")
    mux = ServeMux()
    async with Server(redis_url, queues={"critical": 1, "tenant-1": 1}).running(mux):
        await expect(attention).to_contain_text("no server takes from it: slow")
        await expect(page.get_by_role("link", name=re.compile("^Servers up"))).to_contain_text("1 Python")

    sizes = page.get_by_role("region", name="Queue sizes")
    await expect(sizes.get_by_role("link", name="tenant-1 3 pending")).to_be_visible()
    done = page.get_by_role("region", name="Tasks processed")
    await expect(done).to_contain_text("10 processed in 7 days, 2 failed (20 %)")
    await done.get_by_text("30 d").click()
    await expect(done).to_contain_text("10 processed in 30 days")
    await done.get_by_text("Today").click()
    await expect(done.get_by_role("link", name="critical 8 succeeded, 2 failed")).to_be_visible()
    await page.reload()
    await expect(done.get_by_role("link", name="critical 8 succeeded, 2 failed")).to_be_visible()
    await check_accessibility(page)
    await page.emulate_media(color_scheme="dark")
    await check_accessibility(page)
    await take_pictures(page, "overview")
    await sizes.get_by_role("link", name="critical 2 archived, 8 completed").click()
    await expect(page).to_have_url(re.compile("/queues/critical$"))


async def test_the_table_of_queues(
    open_page: OpenPage, client: AsyncClient, redis: Redis, redis_url: str, complaints: Complaints
) -> None:
    """Sorted and filtered by the address, and every action of a row, also one that fails."""
    for queue, tasks in (("alpha", 1), ("beta", 3), ("gamma", 2)):
        for _ in range(tasks):
            await client.enqueue(Task("t"), queue=queue)
    redis.sadd("asynq:queues", "empty")
    page = await open_page("/?sort=size&descending=true")
    await live(page)
    names = page.get_by_role("table", name="Queues with their numbers").get_by_role("link")
    await expect(names).to_have_text(["beta", "gamma", "alpha", "empty"])
    await page.get_by_role("button", name="Queue", exact=True).click()
    await expect(names).to_have_text(["alpha", "beta", "empty", "gamma"])
    await page.get_by_role("button", name="Size", exact=True).click()
    await expect(page).to_have_url(re.compile(r"\?sort=size&descending=true$"))
    await expect(page.get_by_role("columnheader", name="Size")).to_have_attribute("aria-sort", "descending")
    await page.get_by_label("Filter by name").fill("A")
    await page.get_by_label("Filter by name").fill("ALPHA")
    await expect(names).to_have_text(["alpha"])
    await expect(page).to_have_url(re.compile("name=ALPHA"))
    await page.reload()
    await expect(names).to_have_text(["alpha"])
    await page.get_by_role("button", name="Estimate memory").click()
    await expect(page.get_by_text(re.compile("About .*; the estimate took"))).to_be_visible()
    await expect(page.get_by_role("columnheader", name="Memory")).to_have_attribute("aria-sort", "descending")
    await expect(table_row(page, "alpha")).to_contain_text(re.compile(r"\d B"))
    await page.get_by_role("button", name="Clear the filter").click()

    await page.get_by_role("button", name="Pause beta").click()
    await expect(table_row(page, "beta").get_by_text("Paused").locator("visible=true")).to_be_visible()
    assert redis.exists("asynq:{beta}:paused")
    await page.get_by_role("button", name="Resume beta").click()
    await expect(table_row(page, "beta").get_by_text("Running")).to_be_visible()

    async def choose_delete(queue: str) -> None:
        await page.get_by_role("button", name=f"More for {queue}").click()
        await page.get_by_role("menuitem", name="Delete…").click()

    await choose_delete("empty")
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(table_row(page, "empty")).to_have_count(0)
    await choose_delete("gamma")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Pending: 2")
    yes = dialog.get_by_role("button", name="Delete with 2 tasks")
    await expect(yes).to_be_disabled()
    await expect(page.get_by_role("menu")).to_have_count(0)
    await check_accessibility(page)
    await dialog.get_by_label("Type gamma to go on").fill("gamma")
    await yes.click()
    await expect(table_row(page, "gamma")).to_have_count(0)
    assert not redis.sismember("asynq:queues", "gamma")

    complaints.allowed.append("503")
    problem = '{"status": 503, "code": "broker_unavailable", "detail": "Redis has gone"}'
    await page.route(
        "**/pause", lambda route: route.fulfill(status=503, body=problem, content_type="application/problem+json")
    )
    await page.get_by_role("button", name="Pause beta").click()
    await expect(page.get_by_role("alert").filter(has_text="beta could not be paused")).to_contain_text(
        "Redis has gone"
    )

    release = asyncio.Event()
    mux = ServeMux()

    @mux.handler("t")
    async def wait(task: Task) -> None:
        await release.wait()

    async with Server(redis_url, queues={"alpha": 1}).running(mux):
        await expect(table_row(page, "alpha").get_by_role("img", name="1 active")).to_be_visible()
        await choose_delete("alpha")
        await expect(page.get_by_role("dialog")).to_contain_text("1 task runs in it")
        await page.get_by_role("button", name="Show running tasks").click()
        await expect(page).to_have_url(re.compile(r"/queues/alpha\?status=active$"))
        release.set()


CHANGED_ROWS = """() => {
    window.changed = new Set();
    new MutationObserver((all) => {
        for (const each of all) {
            const node = each.target.nodeType === 1 ? each.target : each.target.parentElement;
            const row = node.closest('tbody tr');
            if (row) window.changed.add(row.querySelector('a')?.textContent ?? '?');
        }
    }).observe(document.querySelector('table[aria-rowcount]'), {subtree: true, childList: true, characterData: true});
}"""


async def test_a_thousand_queues(open_page: OpenPage, client: AsyncClient, redis: Redis) -> None:
    """Only those in sight are rows, and a change of one draws no other row again."""
    with redis.pipeline() as pipeline:
        for number in range(1000):
            pipeline.sadd("asynq:queues", f"tenant-{number:04}")
            pipeline.zadd(f"asynq:{{tenant-{number:04}}}:scheduled", {"a": 4e9})
        pipeline.execute()
    page = await open_page("/")
    await expect(page.get_by_text("1,000 queues", exact=True)).to_be_visible()
    await expect(table_row(page, "tenant-0000")).to_have_count(1)
    table = page.get_by_role("table", name="Queues with their numbers")
    await expect(table).to_have_attribute("aria-rowcount", "1001")
    assert await table.get_by_role("row").count() < 60
    await expect(table_row(page, "tenant-0000")).to_contain_text("0/s")  # which takes two looks
    await page.evaluate(CHANGED_ROWS)
    await client.enqueue(Task("t"), queue="tenant-0001", process_in=3600)
    await expect(table_row(page, "tenant-0001").get_by_role("img", name="2 scheduled")).to_have_count(1)
    assert await page.evaluate("[...window.changed]") == ["tenant-0001"]
    await page.keyboard.press("End")
    await expect(table_row(page, "tenant-0999")).to_be_visible()
    assert await table.get_by_role("row").count() < 60
    await page.get_by_label("Filter by name").fill("0777")
    await expect(page.get_by_text("1 of 1,000 queues")).to_be_visible()
    await take_pictures(page, "overview-many")


async def test_the_top_of_a_queue(open_page: OpenPage, client: AsyncClient, redis_url: str, redis: Redis) -> None:
    """Its numbers, what its servers write down, its days, its servers; and what is done to it as a whole."""
    await work(redis_url, client, redis)
    page = await open_page("/queues/critical")
    await live(page)
    await expect(page.get_by_role("heading", level=1, name="critical")).to_be_visible()
    await expect(page.get_by_text("2 failed · 20 %")).to_be_visible()
    await expect(page.get_by_role("link", name="New task")).to_have_attribute("href", "/new-task?queue=critical")
    await expect(page.get_by_role("button", name="On the command line")).to_be_visible()

    await page.get_by_role("button", name="Show details").click()
    types = page.get_by_role("table", name="By type")
    await expect(types.get_by_role("row").nth(1)).to_contain_text("broken")
    await expect(types.get_by_role("row").nth(1)).to_contain_text("100 %")
    await expect(page.get_by_role("region", name="Forecast")).to_contain_text("empty")
    await expect(page.get_by_role("region", name="How long tasks wait and run")).to_contain_text("Ran")
    await expect(page.get_by_role("img", name=re.compile("Attempts of critical"))).to_be_visible()
    await expect(page.get_by_role("region", name="By day")).to_contain_text("10 processed in 7 days")
    await expect(page.get_by_role("region", name="Served by")).to_contain_text("No server takes tasks")
    await page.reload()  # that the details are open is remembered
    await expect(types).to_be_visible()
    async with Server(redis_url, queues={"critical": 4}).running(ServeMux()):
        served = page.get_by_role("table", name="Served by")
        await expect(served.get_by_role("row").nth(1)).to_contain_text("Python")
        await check_accessibility(page)
        await page.emulate_media(color_scheme="dark")
        await check_accessibility(page)
        await take_pictures(page, "queue-details")

    await page.get_by_role("button", name="Pause", exact=True).click()
    await expect(page.get_by_role("button", name="Resume", exact=True)).to_be_visible()
    assert redis.exists("asynq:{critical}:paused")
    await page.get_by_role("button", name="Resume", exact=True).click()
    await expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()

    more = page.get_by_role("button", name="More for critical")
    await more.click()
    await page.get_by_role("menuitem", name="Estimate memory").click()
    await expect(page.get_by_text(re.compile("of memory, .* a task"))).to_be_visible()

    redis.hset("asynq:{critical}:t:lost", mapping={"msg": b"", "state": "pending"})
    await more.click()
    await page.get_by_role("menuitem", name="Check for orphans").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Check").click()
    await expect(dialog.get_by_role("status")).to_contain_text("1 thing is wrong")
    await expect(dialog.get_by_role("row").nth(1)).to_contain_text("lost")
    await check_accessibility(page)
    await dialog.get_by_role("button", name="Repair").click()
    await expect(dialog.get_by_role("status")).to_contain_text("1 mended")
    await dialog.get_by_role("button", name="Check again").click()
    await expect(dialog.get_by_role("status")).to_contain_text("Nothing is wrong")
    await dialog.get_by_text("Close", exact=True).click()

    await more.click()
    await page.get_by_role("menuitem", name="Delete…").click()
    await dialog.get_by_label("Type critical to go on").fill("critical")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r":\d+/$"))
    assert not redis.sismember("asynq:queues", "critical")


async def test_who_may_only_look(open_page: OpenPage, client: AsyncClient, complaints: Complaints) -> None:
    """Gets no buttons that would be refused."""
    complaints.allowed.append(r"status of 404 .*/api/v2/tasks\?queue=nothing&")
    await client.enqueue(Task("t"), queue="low")
    page = await open_page("/queues/low", login=lambda _: User(name="bob", role=Role.VIEWER))
    await expect(page.get_by_role("button", name="More for low")).to_be_visible()
    await expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    await page.get_by_role("button", name="More for low").click()
    await expect(page.get_by_role("menuitem", name="Metrics")).to_be_visible()
    await expect(page.get_by_role("menuitem", name=re.compile("Delete|Check"))).to_have_count(0)
    await page.keyboard.press("Escape")
    await page.get_by_role("navigation").get_by_role("link", name="Overview").click()
    await expect(table_row(page, "low")).to_be_visible()
    await expect(page.get_by_role("button", name="Pause low")).to_have_count(0)
    await expect(page.get_by_role("link", name="New task")).to_have_count(0)
    await page.goto(page.url + "queues/nothing")
    await expect(page.get_by_role("heading", name="There is no queue of this name")).to_be_visible()
