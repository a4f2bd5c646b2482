"""The page of Redis where that is a cluster, and where sentinels say who is the master."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from asynqpy import AsyncClient, Task
from tests.clusters import Cluster, Sentinels
from tests.ui.browser import check_accessibility, take_pictures
from tests.ui.conftest import OpenPage

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_a_cluster(open_page: OpenPage) -> None:
    """Its state, and which of its nodes have which queues; every other page works as well."""
    with Cluster() as cluster:
        queues = cluster.queues()
        async with AsyncClient(cluster.url) as client:
            for queue in queues:
                await client.enqueue(Task("t"), queue=queue, task_id=f"in-{queue}", process_in=3600)
        page = await open_page("/redis", target=cluster.url)
        await expect(page.get_by_role("heading", name="Cluster", exact=True)).to_be_visible()
        await expect(page.get_by_text("cluster_state")).to_be_visible()
        await expect(page.get_by_text("Of all 3 masters together")).to_be_visible()
        masters = page.get_by_role("table", name="Masters")
        for server in cluster.masters():
            await expect(masters.get_by_role("row").filter(has_text=f"127.0.0.1:{server.port}")).to_contain_text("MiB")
        table = page.get_by_role("table", name="Where queues are")
        for queue in queues:
            line = table.get_by_role("row").filter(has_text=queue)
            await expect(line).to_contain_text(f"127.0.0.1:{cluster.master_of(queue).port}")
        await check_accessibility(page)
        await take_pictures(page, "redis-cluster")
        ports = sorted(str(server.port) for server in cluster.masters())
        await page.get_by_role("combobox", name="Which node").click()
        await page.get_by_role("option", name=f"127.0.0.1:{ports[-1]}").click()
        await page.get_by_label("Find a line").fill("tcp_port")
        await expect(page.get_by_role("row").filter(has_text="tcp_port")).to_contain_text(ports[-1])
        await expect(page).to_have_url(re.compile(f"find=tcp_port&node=127.0.0.1%3A{ports[-1]}"))
        await check_accessibility(page)
        await page.get_by_role("heading", name="Cluster", exact=True).evaluate("it => it.scrollIntoView()")
        await take_pictures(page, "redis-cluster-below")
        raw = await page.request.get(page.url.split("/redis")[0] + "/api/redis_info")
        assert (await raw.json())["raw_cluster_nodes"].count("\n") == len(cluster.servers)
        await table.get_by_role("link", name=queues[0]).click()
        await expect(page).to_have_url(re.compile(f"/queues/{queues[0]}$"))
        await page.get_by_role("tab", name="Scheduled").click()
        await page.get_by_role("button", name=f"Run in-{queues[0]}").click()
        await expect(page.get_by_text("No scheduled tasks")).to_be_visible()
        await page.goto(page.url.split("/queues")[0] + "/tasks")
        await expect(page.locator("[data-task]")).to_have_count(len(queues))


async def test_sentinels(open_page: OpenPage) -> None:
    """The master is shown, also the one that takes over while somebody looks."""
    with Sentinels(password="d@ta", sentinel_password="sent!nel") as sentinels:
        async with AsyncClient(sentinels.url) as client:
            await client.enqueue(Task("t"), queue="mail")
        page = await open_page("/redis", target=sentinels.url)
        find = page.get_by_label("Find a line")
        await find.fill("tcp_port")
        port = page.get_by_role("row").filter(has_text="tcp_port")
        before = sentinels.master().port
        await expect(port).to_contain_text(str(before))
        await expect(page.get_by_role("heading", name="Cluster", exact=True)).to_have_count(0)
        await check_accessibility(page)
        await take_pictures(page, "redis-sentinel")
        after = sentinels.fail_over().port
        assert after != before
        await expect(port).to_contain_text(str(after))
        await expect(page.locator("[data-status=live]")).to_be_visible()
