"""Take the pictures of the web dashboard in the README and the documentation: the demo, in Chromium, light and dark.

``make screenshots``, or ``python scripts/web_screenshots.py FOLDER``. The pages must be built: ``make ui``.
It takes two minutes; the pictures differ a little from run to run, as life does.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, Page, Route, async_playwright

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "assets" / "web"
LARGEST = 250_000
SECONDS = 75
"""How long the demo works before: so much can be seen in charts, and a minute of rates is there."""

SIZE = {"width": 1280, "height": 860}
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@contextmanager
def demo() -> Iterator[str]:
    """The address of a demo that works while the block runs."""
    command = [sys.executable, "-m", "asynqpy", "demo", "--port", "0"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert running.stdout is not None
        yield running.stdout.readline().split()[-1]
    finally:
        running.terminate()
        running.communicate()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's, without a window."""
    path = os.environ.get("ASYNQPY_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise SystemExit("no chromium on PATH: install Debian's package, or set ASYNQPY_CHROMIUM")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


async def move_to_a_shop(route: Route) -> None:
    """Let tracebacks tell of the files of somebody else, not of those on this machine."""
    answer = await route.fetch()
    text = (await answer.text()).replace(str(ROOT / "src" / "asynqpy" / "cli" / "demo"), "/srv/shop/shop")
    await route.fulfill(response=answer, body=text.replace(str(ROOT / "src"), "/srv/shop/.venv/lib"))


async def shoot(page: Page, name: str, folder: Path) -> None:
    """Save what is in the window, in light and in dark."""
    for look in ("light", "dark"):
        await page.emulate_media(color_scheme=look, reduced_motion="reduce")  # type: ignore[arg-type]
        await page.wait_for_timeout(700)  # colours of charts follow
        path = folder / f"{name}-{look}.png"
        picture = await page.screenshot(path=path)
        if len(picture) > LARGEST:
            raise SystemExit(f"{path.name} has {len(picture):,} bytes; at most {LARGEST:,} are wanted")
        print(f"{path}  {len(picture):,} bytes")


async def go(page: Page, address: str) -> None:
    """Open a page, and wait until it has settled."""
    await page.goto(address)
    await page.get_by_role("heading", level=1).wait_for()
    await page.wait_for_timeout(6_000)  # numbers have moved, and charts have something to draw


def first_failed(address: str) -> dict[str, Any]:
    """A task whose failure tells a story: an error with the one that caused it."""
    query = {"state": ["archived", "retry"], "error": "has no address", "limit": 1}
    found = httpx.get(f"{address}api/v2/tasks", params=query, timeout=30).json()["items"]
    if not found:
        raise SystemExit("the demo had no failure to show; try again")
    task: dict[str, Any] = found[0]
    return task


async def run(folder: Path) -> None:
    """Start the demo, look at it, and end it."""
    with demo() as address:
        async with chromium() as browser:
            context = await browser.new_context(viewport=SIZE, locale="en-GB", timezone_id="UTC")  # type: ignore[arg-type]
            page = await context.new_page()
            await page.route(lambda url: "/api/v2/" in url and "/events" not in url, move_to_a_shop)
            await page.goto(address)
            await asyncio.sleep(SECONDS)  # with the overview open: its charts begin with it
            await shoot(page, "overview", folder)
            await go(page, f"{address}failures")
            await shoot(page, "failures", folder)
            await go(page, f"{address}tasks?state=retry&state=archived")
            await shoot(page, "tasks", folder)
            task = first_failed(address)
            await go(page, f"{address}queues/{task['queue']}/tasks/{task['id']}")
            await shoot(page, "task", folder)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(run(target))
