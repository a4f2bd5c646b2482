"""Rates, from what a real server writes down."""

from __future__ import annotations

import json
import re

import anyio
import pytest
from playwright.async_api import expect
from redis import Redis

from asynqpy import AsyncClient, Task
from tests.prometheus import prometheus
from tests.ui.browser import Complaints, check_accessibility, fits_the_screen, take_pictures
from tests.ui.conftest import OpenPage
from tests.ui.test_overview import live, work

pytestmark = pytest.mark.anyio


async def test_rates(open_page: OpenPage, client: AsyncClient, redis_url: str, redis: Redis) -> None:
    """By queue and by type, for the queues and the time that the address says; sorted, held still, downloaded."""
    await work(redis_url, client, redis)
    await client.enqueue(Task("t"), queue="silent")
    page = await open_page("/q/metrics?queue=critical&queue=silent&minutes=15")
    await live(page)
    by_type = page.get_by_role("table", name="By type")
    await expect(by_type.get_by_role("row")).to_have_count(3)
    await expect(page.get_by_text("Nothing is written down for silent")).to_be_visible()
    await expect(page.get_by_text("of 10 attempts").first).to_be_visible()
    for chart in (
        *("Throughput", "Failures", "Error rate", "Depth", "Waiting time, median", "Waiting time, p99"),
        *("Running time, median", "Running time, p99"),
    ):
        await expect(page.get_by_role("img", name=f"{chart} by minute of critical")).to_be_visible()
    await expect(page.get_by_role("table", name="By queue").get_by_role("link")).to_have_text(["critical"])

    await by_type.get_by_role("button", name="Succeeded").click()
    await expect(by_type.get_by_role("row").nth(1)).to_contain_text("mail:")
    await by_type.get_by_role("button", name="Succeeded").click()
    await expect(by_type.get_by_role("row").nth(1)).to_contain_text("broken")
    await expect(page).to_have_url(re.compile("sort=succeeded$"))
    await page.get_by_text("2 h", exact=True).click()
    await expect(page).to_have_url(re.compile("minutes=120"))
    await expect(by_type.get_by_role("row")).to_have_count(3)
    await check_accessibility(page)
    await page.emulate_media(color_scheme="dark")
    await check_accessibility(page)
    await take_pictures(page, "metrics")

    async def download(name: str) -> str:
        """What the browser would save."""
        await page.get_by_role("button", name="Download").click()
        async with page.expect_download() as coming:
            await page.get_by_role("menuitem", name=name).click()
        path = await (await coming.value).path()
        return await anyio.Path(path).read_text("utf-8")

    types = (await download("By type, CSV")).splitlines()
    assert types[0].startswith("queue,type,started,succeeded,failed,error_rate,waited_p50")
    assert types[1].startswith("critical,broken,2,0,2,1,")
    assert len((await download("By minute, CSV")).splitlines()) == 1 + 2 * 120
    assert (await download("By queue, CSV")).splitlines()[1].startswith("critical,")
    found = json.loads(await download("All of it, JSON"))
    assert [each["queue"] for each in found["rates"]] == ["critical", "silent"]

    await page.get_by_role("button", name="Hold still").click()
    await expect(page.get_by_text("Held still: these are the rates")).to_be_visible()
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_text("Held still: these are the rates")).to_have_count(0)

    choice = page.get_by_role("combobox", name="Queues")
    await choice.click()
    await page.keyboard.press("Backspace")
    await expect(page).to_have_url(re.compile(r"\?queue=critical&"))
    await choice.fill("sil")
    await page.get_by_role("option", name="silent").click()
    await expect(page).to_have_url(re.compile("queue=critical&queue=silent"))


LONG = "a-queue-whose-name-is-as-long-as-names-of-queues-become-where-tenants-and-regions-are-part-of-them"


async def test_charts_of_prometheus(open_page: OpenPage, client: AsyncClient, complaints: Complaints) -> None:
    """Nine, over the time that asynqmon's address says; it moves; what Prometheus refuses is told where it belongs."""
    for queue in ("low", LONG):
        await client.enqueue(Task("t"), queue=queue)
    with prometheus(["low", LONG]) as known:
        page = await open_page(
            "/q/metrics?end=1700000003&duration=21600", prometheus_url=known.url, context={"timezone_id": "Asia/Tokyo"}
        )
        await expect(page.get_by_role("img", name=re.compile("^Memory of .*low"))).to_be_visible()
        await expect(page.get_by_role("img", name=re.compile(" of .*low"))).to_have_count(9)
        await expect(page.get_by_text("2023-11-15 01:13:00 to 2023-11-15 07:13:00")).to_be_visible()
        await expect(page.get_by_label("Until")).to_have_value("2023-11-15 07:13")
        await check_accessibility(page)
        await take_pictures(page, "metrics-prometheus")
        await page.set_viewport_size({"width": 390, "height": 844})
        await fits_the_screen(page)
        await page.set_viewport_size({"width": 1280, "height": 860})

        await page.get_by_role("button", name="6 h earlier").click()
        await expect(page).to_have_url(re.compile("end=1699978403"))
        await expect(page.get_by_text("2023-11-14 19:13:00 to 2023-11-15 01:13:00")).to_be_visible()
        await page.get_by_role("button", name="6 h later").click()
        await expect(page).to_have_url(re.compile("end=1700000003"))
        await page.get_by_label("Other span").fill("90x")
        await expect(page.get_by_text("Like 90m, 12h or 2d")).to_be_visible()
        await page.get_by_label("Other span").fill("90m")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile("duration=5400"))
        await expect(page.get_by_text("a value every 15 s")).to_be_visible()
        await page.get_by_label("Until").fill("2023-11-15 10:00")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile("end=1700010000"))
        known.refuses = 'state="retry"'
        await page.get_by_role("button", name="Now").click()
        await expect(page).not_to_have_url(re.compile("end="))
        await expect(page.get_by_role("region", name="Retry")).to_contain_text("too many samples")
        await expect(page.get_by_role("region", name="Pending")).not_to_contain_text("too many samples")
        known.is_broken = True
        complaints.allowed.append("status of 502")
        await page.get_by_text("30 d", exact=True).click()
        await expect(page.get_by_text("cannot ask Prometheus").first).to_be_visible()
        await page.get_by_text("Live, by minute").click()
        await expect(page).not_to_have_url(re.compile("duration="))
        await expect(page.get_by_text("No rates to show")).to_be_visible()


async def test_queues_that_are_gone_and_long_names(open_page: OpenPage, client: AsyncClient) -> None:
    """One that is not there fails nothing; names of any length fit on a phone; without Prometheus that is said."""
    await client.enqueue(Task("t"), queue=LONG)
    page = await open_page(f"/q/metrics?queue=gone&queue={LONG}&duration=86400", size=(390, 844))
    await expect(page.get_by_text("No such queue, or none that you may see: gone.")).to_be_visible()
    await expect(page.get_by_text("start the dashboard with --prometheus URL")).to_be_visible()
    await expect(page.get_by_text("No rates to show")).to_be_visible()
    await expect(page.get_by_role("radiogroup", name="Where the numbers come from")).to_have_count(0)
    await fits_the_screen(page)


async def test_without_rates(open_page: OpenPage, client: AsyncClient) -> None:
    """Says why there are none, also before there is any queue."""
    page = await open_page("/q/metrics")
    await expect(page.get_by_text("No queues yet")).to_be_visible()
    await client.enqueue(Task("t"))
    await expect(page.get_by_text("servers of Go do not")).to_be_visible()
    await expect(page.get_by_role("button", name="Download")).to_be_enabled()
    await check_accessibility(page)
