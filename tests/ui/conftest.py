"""The dashboard in a real browser, served to it over HTTP, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import pytest
import uvicorn
from playwright.async_api import Browser, Page, expect
from redis import Redis

from asynqpy import AsyncClient
from asynqpy.web import create_app
from tests.ui.browser import Complaints, open_browser

expect.set_options(timeout=20_000)  # servers announce themselves every five seconds

OpenPage: TypeAlias = Callable[..., Awaitable[Page]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[AsyncClient]:
    """Enqueues."""
    async with AsyncClient(redis_url) as found:
        yield found


@pytest.fixture
async def serve(redis_url: str, redis: Redis) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """Serves a dashboard with the settings of `create_app` and gives its address, without a slash at its end."""
    async with AsyncExitStack() as stack:

        async def serve_it(target: Any = redis_url, *, app: Any = None, **settings: Any) -> str:
            web = app or create_app(target, **settings)
            config = uvicorn.Config(web, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=1)
            server = uvicorn.Server(config)
            running = asyncio.create_task(server.serve())

            async def end() -> None:
                server.should_exit = True
                await running
                if app is None:
                    await web.close()

            stack.push_async_callback(end)
            while not server.started:
                if running.done():
                    running.result()
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            return f"http://127.0.0.1:{port}"

        yield serve_it


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with open_browser() as found:
        yield found


@pytest.fixture
def complaints() -> Complaints:
    """What pages complained about; add to ``allowed`` what the test causes on purpose."""
    return Complaints()


@pytest.fixture
async def open_page(
    serve: Callable[..., Awaitable[str]], browser: Browser, complaints: Complaints
) -> AsyncIterator[OpenPage]:
    """Opens a path of a dashboard in a new page; fails at the end if anything was complained about.

    The browser ends before the dashboard does: no connection of its pages is left open then.

    ``await open_page("/servers", read_only=True)``; ``origin=`` takes a dashboard that is served already.
    """

    async def open_it(
        path: str = "/",
        *,
        origin: str | None = None,
        size: tuple[int, int] = (1280, 860),
        context: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Page:
        where = origin or await serve(**settings)
        inner = await browser.new_context(viewport={"width": size[0], "height": size[1]}, **(context or {}))
        inner.set_default_timeout(20_000)
        page = await inner.new_page()
        complaints.watch(page)
        await page.goto(where + path)
        return page

    yield open_it
    complaints.check()
