"""How long pages take in Chromium until they can be used, and what a page asks for while it is open."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, Request, async_playwright
from playwright.async_api import Error as BrowserError

from bench.contender import ContenderError
from bench.web.data import FAILING, LARGE, LIVELY, Installed

LIMIT_SECONDS = 20
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")

READY = """expected => {
  const main = document.querySelector("main");
  const heading = document.querySelector("h1");
  if (!main || !heading || !heading.getClientRects().length) return 0;
  if (main.querySelector("[role=status] .mantine-Skeleton-root")) return 0;
  return main.innerText.includes(expected) ? performance.now() : 0;
}"""
"""The moment, in milliseconds since the navigation began, at which heading and first rows are there."""


@dataclass(frozen=True, slots=True)
class Place:
    """A page, and what its first rows show."""

    name: str
    path: str
    expected: str


def places(installed: Installed, version: str) -> list[Place]:
    """Every page that shows something of Redis."""
    return [
        Place("overview", "", LARGE),
        Place("queue, half of all tasks", f"queues/{LARGE}", "email:welcome"),
        Place("tasks, all queues", "tasks", "email:welcome"),
        Place("task", f"queues/{LARGE}/tasks/{installed.task_id}", "email:welcome"),
        Place("task that failed", f"queues/{FAILING}/tasks/{installed.failed_id}", "payment:charge"),
        Place("failures", "failures", "DeclinedError"),
        Place("servers", "servers", "bench-0"),
        Place("schedulers", "schedulers", "@every 30s"),
        Place("metrics", "q/metrics", LIVELY[0]),
        Place("redis", "redis", version),
    ]


def find_chromium() -> str:
    """Raises `ContenderError` when there is none."""
    found = os.environ.get("ASYNQPY_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise ContenderError("no chromium on PATH: install Debian's package, or set ASYNQPY_CHROMIUM")
    return found


async def load_times(address: str, wanted: Sequence[Place], repeats: int) -> dict[Place, list[float]]:
    """Milliseconds from navigation until the page can be used, each time in a browser that knows nothing yet.

    Pages that never come are left out.
    """
    times: dict[Place, list[float]] = {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        try:
            await _load(browser, address, wanted[0])  # the browser's own start is not the page's
            coming = list(wanted)
            for _ in range(repeats):
                for place in list(coming):
                    taken = await _load(browser, address, place)
                    if taken is None:
                        coming.remove(place)
                    else:
                        times.setdefault(place, []).append(taken)
        finally:
            await browser.close()
    return times


async def _load(browser: Browser, address: str, place: Place) -> float | None:
    context = await browser.new_context(viewport={"width": 1280, "height": 860})
    try:
        page = await context.new_page()
        await page.goto(address + place.path, wait_until="commit")
        ready = await page.wait_for_function(READY, arg=place.expected, polling="raf", timeout=LIMIT_SECONDS * 1000)
        return float(await ready.json_value())
    except BrowserError:
        return None
    finally:
        await context.close()


async def watch_one(address: str, seconds: float) -> tuple[list[tuple[float, str]], int]:
    """What the overview asks for while it is open, by seconds since it was opened; and the bytes of the first load."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        try:
            page = await browser.new_page()
            seen: list[tuple[float, str]] = []
            began = perf_counter()

            def note(request: Request) -> None:
                parts = urlsplit(request.url)
                if request.method == "GET" and "/api/v2/" in parts.path and not parts.path.endswith("/events"):
                    path = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
                    seen.append((perf_counter() - began, path))

            page.on("request", note)
            await page.goto(address)
            size = await _transferred(page)
            await asyncio.sleep(seconds)
            return seen, size
        finally:
            await browser.close()


async def _transferred(page: Page) -> int:
    """Bytes that came over the network for page, scripts and styles."""
    return int(
        await page.evaluate(
            """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
                 .filter(each => !each.name.includes("/api/"))
                 .reduce((sum, each) => sum + each.encodedBodySize, 0)"""
        )
    )
