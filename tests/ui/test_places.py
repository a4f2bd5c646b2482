"""Where the dashboard may be, and who may be in it: below a path, by a plain name over HTTP, with very long names."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Browser, expect
from starlette.applications import Starlette
from starlette.routing import Mount

from asynqpy import AsyncClient, AsyncInspector, Task
from asynqpy.web import Account, BasicLogin, Role, TokenLogin, User, create_app
from tests.ui.browser import Complaints, check_accessibility, fits_the_screen, open_browser, take_pictures
from tests.ui.conftest import OpenPage

pytestmark = pytest.mark.anyio

Serve = Callable[..., Awaitable[str]]


async def test_copying_over_plain_http(serve: Serve, client: AsyncClient, complaints: Complaints) -> None:
    """There browsers have no clipboard for pages: it is copied all the same, or said that it could not be."""
    info = await client.enqueue(Task("email:welcome"), queue="mail")
    origin = (await serve(insecure=True)).replace("127.0.0.1", "dash.test")
    complaints.allowed += [r"asks somebody else: http://dash\.test", "Cross-Origin-Opener-Policy"]
    async with open_browser("--host-resolver-rules=MAP dash.test 127.0.0.1") as browser:
        page = await browser.new_page()
        complaints.watch(page)
        await page.goto(f"{origin}/queues/mail/tasks/{info.id}")
        assert await page.evaluate("navigator.clipboard === undefined")
        copy = page.get_by_role("button", name="Copy id").first
        await copy.click()
        await copy.hover()
        await expect(page.get_by_role("tooltip", name="Copied")).to_be_visible()
        # Inside of a box that keeps the focus too.
        await page.get_by_role("button", name="On the command line").click()
        await page.get_by_role("button", name=re.compile("^Copy asynqpy .*inspect")).click()
        await page.keyboard.press("Escape")
        await page.goto(f"{origin}/tasks?type=a")
        line = page.get_by_label("Filter tasks")
        await line.fill("")
        await line.press("Control+v")
        await expect(line).to_have_value(re.compile(rf"^asynqpy .*task inspect --queue mail --id {info.id}$"))
        await page.get_by_role("button", name="Copy a link to this view").click()
        await line.fill("")
        await line.press("Control+v")
        await expect(line).to_have_value(f"{origin}/tasks?type=a")
        await page.evaluate("document.execCommand = () => false")
        await page.get_by_role("button", name="Copy a link to this view").click()
        await expect(page.get_by_role("alert")).to_contain_text("copy it by hand")
    complaints.check()


async def test_below_a_path(serve: Serve, client: AsyncClient, open_page: OpenPage, redis_url: str) -> None:
    """In an application that has mounted it, for one of several Redis: all links, requests and equivalents fit."""
    info = await client.enqueue(Task("email:welcome", {"user": 1}), queue="tasks", task_id="jobs")
    web = create_app({"main": redis_url, "other": redis_url}, insecure=True)
    origin = await serve(app=Starlette(routes=[Mount("/ops/tasks", app=web)]))
    page = await open_page("/ops/tasks/main/", origin=origin)
    base = f"{origin}/ops/tasks/main"
    await expect(page.locator("[data-status=live]")).to_be_visible()
    navigation = page.get_by_role("navigation")
    for name, path in {
        "Tasks": "/tasks",
        "Failures": "/failures",
        "Metrics": "/q/metrics",
        "Servers": "/servers",
        "Schedules": "/schedulers",
        "Bulk jobs": "/jobs",
        "Redis": "/redis",
        "Settings": "/settings",
        "Overview": "/",
    }.items():
        await navigation.get_by_role("link", name=name, exact=True).click()
        await expect(page).to_have_url(re.compile(re.escape(base + path) + r"(\?.*)?$"))
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await expect(navigation.locator("a[data-active]")).to_have_text([name])
    await page.get_by_role("link", name="tasks", exact=True).first.click()
    await expect(page).to_have_url(f"{base}/queues/tasks")
    await expect(navigation.locator("a[data-active]")).to_have_text(["Overview"])
    await page.get_by_role("tab", name="Pending").click()
    await page.locator("[data-task=jobs]").get_by_role("link").first.click()
    await expect(page).to_have_url(f"{base}/queues/tasks/tasks/jobs")
    await expect(navigation.locator("a[data-active]")).to_have_text(["Overview"])
    await page.get_by_role("button", name="On the command line").click()
    box = page.get_by_role("dialog")
    await expect(box).to_contain_text(f"GET /ops/tasks/main/api/v2/queues/tasks/tasks/{info.id}")
    await expect(box).to_contain_text("POST /ops/tasks/main/api/v2/queues/tasks/tasks/jobs/actions/archive")
    await expect(box).to_contain_text(re.compile(r"asynqpy --redis redis\S+ task inspect"))
    await page.keyboard.press("Escape")
    # An action, a reload of a deep address, and the way to the other Redis.
    await page.get_by_role("button", name="More").click()
    await page.get_by_role("menuitem", name="Archive").click()
    await expect(page.get_by_text("Archived", exact=True).first).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("Archived", exact=True).first).to_be_visible()
    await page.get_by_role("button", name="Redis: main").click()
    await page.get_by_role("menuitem", name="other").click()
    await expect(page).to_have_url(f"{origin}/ops/tasks/other/")
    await expect(page.locator("[data-status=live]")).to_be_visible()
    await web.close()


async def test_very_long_names(client: AsyncClient, open_page: OpenPage) -> None:
    """They are cut or broken: no page is wider than a phone, nor than a desk."""
    name = "tenant-" + "x" * 193
    info = await client.enqueue(Task("email:" + "y" * 200, {"user": 1}), queue=name)
    page = await open_page("/", size=(390, 844))
    await expect(page.locator("[data-status=live]")).to_be_visible()
    for width in (390, 1280):
        await page.set_viewport_size({"width": width, "height": 844})
        for path in (
            "/",
            "/tasks",
            f"/queues/{name}?status=pending",
            f"/queues/{name}/tasks/{info.id}",
            f"/new-task?queue={name}",
            "/failures",
        ):
            await page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/", 3)[2] + path)
            await expect(page.get_by_role("heading", level=1)).to_be_visible()
            await expect(page.locator("[data-status=live]")).to_be_visible()
            await fits_the_screen(page)
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto("/".join(page.url.split("/", 3)[:3]) + f"/queues/{name}/tasks/{info.id}")
    await expect(page.get_by_role("link", name=name).first).to_be_visible()
    await take_pictures(page, "long-names")


async def test_from_queue_to_queue(client: AsyncClient, open_page: OpenPage, redis_url: str) -> None:
    """By the menu in the breadcrumb, which finds one of a thousand; and the palette does what the page does."""
    await client.enqueue_many([Task("t")], queue="alpha")
    for at in range(120):
        await client.enqueue(Task("t"), queue=f"tenant-{at:03}")
    page = await open_page("/queues/alpha?status=pending")
    await page.get_by_role("button", name="Queue alpha: go to another one").click()
    await expect(page.get_by_role("option")).to_have_count(50)
    await expect(page.get_by_text("and 71 more")).to_be_visible()
    await check_accessibility(page)
    await take_pictures(page, "queue-menu")
    await page.get_by_label("Find a queue").fill("117")
    await expect(page.get_by_role("option")).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/queues/tenant-117[?]status=pending$"))
    await expect(page.get_by_role("heading", name="tenant-117")).to_be_visible()
    # Actions of this page, by keyboard.
    async with AsyncInspector(redis_url) as inspector:
        await page.keyboard.press("Control+k")
        await page.get_by_placeholder("Search or jump to").fill("pause")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Paused", exact=True).first).to_be_visible()
        assert (await inspector.queue_info("tenant-117")).paused
    await page.keyboard.press("Control+k")
    await page.get_by_placeholder("Search or jump to").fill("new task")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/new-task"))


async def test_who_only_looks_is_told(client: AsyncClient, browser: Browser, open_page: OpenPage, serve: Serve) -> None:
    """A viewer, and everybody in read-only mode; a tenant begins a task in a queue of theirs."""
    for queue in ("default", "tenant-7-b", "tenant-7-a"):
        await client.enqueue(Task("t"), queue=queue)
    login = BasicLogin(
        {
            "vera": Account("secret-of-vera", role=Role.VIEWER),
            "tina": Account("secret-of-tina", role=Role.OPERATOR, queues=("tenant-7-*",)),
        }
    )
    origin = await serve(login=login)

    def known(name: str) -> dict[str, dict[str, str]]:
        return {"http_credentials": {"username": name, "password": f"secret-of-{name}"}}

    page = await open_page("/", origin=origin, context=known("vera"))
    await page.get_by_role("button", name="Viewer").hover()
    await expect(page.get_by_role("tooltip")).to_have_text("You may look, not change anything.")
    await check_accessibility(page)
    await take_pictures(page, "viewer")
    page = await open_page("/new-task", origin=origin, context=known("tina"))
    await expect(page.get_by_role("combobox", name="Queue")).to_have_value("tenant-7-a")
    await expect(page.get_by_role("button", name="Viewer")).to_have_count(0)
    page = await open_page("/", origin=await serve(read_only=True))
    await expect(page.get_by_role("button", name="Read-only")).to_be_visible()


async def test_a_token_logs_a_browser_in(
    serve: Serve, client: AsyncClient, open_page: OpenPage, complaints: Complaints
) -> None:
    """By a form in our style, which leads to the page that was wanted; what is changed then is changed."""
    complaints.allowed.append("status of 401")
    await client.enqueue(Task("t"), queue="mail")
    login = TokenLogin({"a-token-that-nobody-guesses": User(name="ci", role=Role.OPERATOR)})
    page = await open_page("/queues/mail?status=pending", origin=await serve(login=login))
    await expect(page.get_by_label("Token")).to_be_focused()
    await check_accessibility(page)
    await take_pictures(page, "token")
    await page.get_by_label("Token").fill("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("Nobody has this token.")
    await page.get_by_label("Token").fill("a-token-that-nobody-guesses")
    await page.get_by_role("button", name="Log in").click()
    await expect(page).to_have_url(re.compile("/queues/mail[?]status=pending$"))
    await expect(page.locator("[data-status=live]")).to_be_visible()
    await page.get_by_role("button", name="Pause", exact=True).click()
    await expect(page.get_by_text("Paused", exact=True).first).to_be_visible()
    await take_pictures(page, "session")
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_label("Token")).to_be_focused()
    await page.goto(page.url + "tasks")
    await expect(page.get_by_label("Token")).to_be_focused()


async def test_an_application_logs_a_browser_in(
    serve: Serve, open_page: OpenPage, redis_url: str, monkeypatch: pytest.MonkeyPatch, complaints: Complaints
) -> None:
    """The example: to its own form, and back to the page that was wanted."""
    complaints.allowed.append("/favicon.ico")  # the example has none
    monkeypatch.setenv("ASYNQPY_REDIS_URL", redis_url)
    sys.modules.pop("examples.fastapi_app.main", None)
    module = importlib.import_module("examples.fastapi_app.main")
    page = await open_page("/ops/tasks/servers", origin=await serve(app=module.app))
    await page.get_by_label("Name").fill("bob")
    await page.get_by_label("Password").fill("bob")
    await page.get_by_role("button", name="Log in").click()
    await expect(page).to_have_url(re.compile("/ops/tasks/servers$"))
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_role("button", name="Viewer")).to_be_visible()


async def test_the_list_of_several(serve: Serve, open_page: OpenPage, client: AsyncClient, redis_url: str) -> None:
    """What each is up to, and the way there."""
    await client.enqueue(Task("t"), queue="mail")
    page = await open_page("/", origin=await serve({"main": redis_url, "gone": "redis://127.0.0.1:1"}))
    await expect(page.get_by_role("listitem").nth(1)).to_contain_text("down")
    await check_accessibility(page)
    await take_pictures(page, "several")
    await page.get_by_role("link", name="main").click()
    await expect(page.locator("[data-status=live]")).to_be_visible()


async def test_what_cannot_be_had_is_named(client: AsyncClient, open_page: OpenPage, complaints: Complaints) -> None:
    """A wrong word in an address, a queue that is gone beside others; what turns text around is shown as an escape."""
    complaints.allowed.append("status of 422")
    info = await client.enqueue(Task("t", '{"file": "invoice\u202efdp.exe"}'), queue="mail")
    page = await open_page("/tasks?queue=mail&queue=gone")
    await expect(page.get_by_text("Gone, so not looked at: gone")).to_be_visible()
    await expect(page.locator(f"[data-task='{info.id}']")).to_contain_text("\\u202e")
    await page.goto("/".join(page.url.split("/", 3)[:3]) + "/tasks?since=xx")
    await expect(page.get_by_role("alert")).to_contain_text("since: ")
    await page.goto("/".join(page.url.split("/", 3)[:3]) + f"/queues/mail/tasks/{info.id}")
    await expect(page.get_by_text("invoice\\u202efdp.exe")).to_be_visible()
