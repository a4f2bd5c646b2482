"""The web application against a real server, asked through its ASGI interface."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from redis import Redis

from asynqpy import Client
from asynqpy.web import WebApp, create_app
from tests.prometheus import prometheus
from tests.redis.seed import Queue


class Web(httpx.AsyncClient):
    """A client that has the application it asks."""

    app: Any


OpenApp = Callable[..., Web]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def client(redis_url: str) -> Any:
    """Enqueues."""
    with Client(redis_url) as found:
        yield found


@pytest.fixture
def low(redis: Redis) -> Queue:
    """A queue that the inspectors see."""
    redis.sadd("asynq:queues", "low")
    return Queue(redis, "low")


@pytest.fixture
async def open_app(redis_url: str) -> AsyncIterator[OpenApp]:
    """Makes an application and a client of it; ``address`` is who asks, ``base_url`` by which name."""
    async with AsyncExitStack() as stack:

        def open_it(
            redis: Any = redis_url, *, address: str = "127.0.0.1", base_url: str = "http://localhost", **settings: Any
        ) -> Web:
            app = settings.pop("app", None) or create_app(redis, **settings)
            if isinstance(app, WebApp):
                stack.push_async_callback(app.close)
            transport = httpx.ASGITransport(app, client=(address, 50000), raise_app_exceptions=False)
            web = Web(transport=transport, base_url=base_url)
            stack.push_async_callback(web.aclose)
            web.app = app
            return web

        yield open_it


@pytest.fixture
async def web(open_app: OpenApp) -> Web:
    """A client of an application as it is without any settings."""
    return open_app()


@pytest.fixture
def start_prometheus() -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """Something that answers as Prometheus does, and what it was asked."""
    with prometheus() as found:
        yield found.url, found.asked
