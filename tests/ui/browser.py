"""Debian's Chromium, and pages in it that may not complain."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src" / "asynqpy" / "web" / "static"
PICTURES = Path(os.environ.get("ASYNQPY_PICTURES", ROOT / "build" / "pictures"))
"""Where screenshots are left."""

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",
)
"""Chromium as root, without any connection of its own."""


def find_chromium() -> str:
    """The browser's path; the test is skipped without one, and fails where one is required."""
    found = os.environ.get("ASYNQPY_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    missing = None
    if not found:
        missing = "no chromium on PATH: install Debian's package, or set ASYNQPY_CHROMIUM"
    elif not (STATIC / "index.html").is_file():
        missing = "the pages are not built: make ui"
    if missing and os.environ.get("ASYNQPY_REQUIRE_UI"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    return str(found)


@asynccontextmanager
async def open_browser(*options: str) -> AsyncIterator[Browser]:
    """Chromium without a window, with *options* of its command line."""
    path = find_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*QUIET, *options])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Complaints:
    """What went wrong in a page without anybody looking at it."""

    allowed: list[str] = field(default_factory=list)
    """Regular expressions of what a test causes on purpose."""
    seen: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Collect what *page* complains about."""
        page.on("pageerror", lambda error: self.seen.append(f"error: {error}"))
        page.on("console", self._hear)
        page.on("request", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.seen.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _see(self, request: Request) -> None:
        if not re.match(r"(https?://(localhost|127\.0\.0\.1)[:/]|data:|blob:)", request.url):
            self.seen.append(f"asks somebody else: {request.url}")

    def check(self) -> None:
        """Fail if there was anything that nobody allowed."""
        rest = [each for each in self.seen if not any(re.search(pattern, each) for pattern in self.allowed)]
        assert not rest, "\n".join(rest)


AXE = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"


async def check_accessibility(page: Page) -> None:
    """Nothing serious by the rules of axe, in what stays: a menu that is just fading has lost its items already."""
    # Evaluated, not loaded as a script: the page's policy forbids that.
    await page.evaluate(AXE.read_text("utf-8"))
    serious = await _serious(page)
    if serious:
        await page.wait_for_timeout(1_000)
        serious = await _serious(page)
    assert not serious, "\n".join(serious)


async def _serious(page: Page) -> list[str]:
    found: dict[str, Any] = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


async def fits_the_screen(page: Page) -> None:
    """Nothing pushes the page sideways, once charts and the like have followed the size of the window."""
    too_wide = "document.documentElement.scrollWidth - innerWidth"
    for _ in range(100):
        if await page.evaluate(too_wide) <= 0:
            return
        await asyncio.sleep(0.05)
    who = await page.evaluate(
        """() => [...document.querySelectorAll('*')]
          .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
          .map((each) => each.outerHTML.slice(0, 160))"""
    )
    pytest.fail(f"{page.url} is {await page.evaluate(too_wide)} px wider than the screen: {who[:6]}")


SETTLED = """() => Promise.all(document.getAnimations()
  .filter((each) => each.effect.getComputedTiming().iterations !== Infinity)
  .map((each) => each.finished.catch(() => {})))"""
"""Waits until nothing moves any more but what moves for ever."""


async def take_pictures(page: Page, name: str) -> None:
    """The page as it is on a desk in light and dark, and on a phone; look at them in ``build/pictures``."""
    before = page.viewport_size
    for look in ("light", "dark"):
        await page.emulate_media(color_scheme=look, reduced_motion="reduce")
        await page.screenshot(path=PICTURES / f"{name}-{look}.png")
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.evaluate(SETTLED)  # the menu slides away
    await page.screenshot(path=PICTURES / f"{name}-phone.png")
    if before:
        await page.set_viewport_size(before)
