"""Draw the pictures of the dashboard in the README and the documentation: real workers on an embedded server.

``make screenshots``, or ``python scripts/screenshots.py FOLDER``. It takes about half a minute; the pictures are
SVG, and differ a little from run to run, as life does.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

from redis import Redis

from asynqpy import AsyncClient, AsyncInspector, ServeMux, Server, SkipRetry, Task, TaskState
from asynqpy._transport.embedded import EmbeddedServer
from asynqpy.dash.app import DashApp
from asynqpy.dash.palette import DARK, LIGHT
from asynqpy.retry import fixed

FOLDER = Path(__file__).parents[1] / "docs/assets/dash"
SOURCES = Path(__file__).parents[1] / "src"
LARGEST = 200_000
SECONDS = 24
"""How long it works before the pictures are taken: so much can be seen in the sparklines."""

REFRESH = 0.5


class DeclinedError(Exception):
    """What a payment fails with."""


def make_mux(rng: Random) -> ServeMux:
    """Handlers that take their time; some fail."""
    mux = ServeMux()

    @mux.handler("email:welcome")
    async def welcome(task: Task) -> dict[str, object]:
        await asyncio.sleep(rng.uniform(0.02, 0.2))
        return {"sent": True, "provider": "ses"}

    @mux.handler("payment:charge", retry_delay=fixed(300))
    async def charge(task: Task) -> None:
        await asyncio.sleep(rng.uniform(0.05, 0.3))
        if rng.random() < 0.3:
            raise DeclinedError("the bank says: insufficient funds")

    @mux.handler("webhook:deliver")
    async def deliver(task: Task) -> None:
        await asyncio.sleep(0.05)
        if rng.random() < 0.25:
            raise SkipRetry("410 Gone from https://shop.example/hooks/orders")

    @mux.handler("report:build")
    async def build(task: Task) -> None:
        await asyncio.sleep(rng.uniform(30, 60))

    @mux.handler("image:resize")
    async def resize(task: Task) -> None:
        await asyncio.sleep(rng.uniform(0.3, 1.5))

    return mux


async def enqueue_for_ever(client: AsyncClient, rng: Random) -> None:
    """Waves of tasks of every kind."""
    number = 0
    while True:
        number += 1
        user = {"user_id": 41_000 + number, "template": "welcome-v2", "locale": rng.choice(["de", "en", "fr"])}
        await client.enqueue(Task("email:welcome", user), queue="critical", retention=3600)
        for every, type_, queue, payload, options in (
            (3, "payment:charge", "payments", {"order": f"A-{9000 + number}", "amount": 1999, "currency": "EUR"}, {}),
            (4, "image:resize", "low", {"src": f"s3://uploads/{number}.png", "sizes": [64, 256, 1024]}, {}),
            (6, "webhook:deliver", "webhooks", {"event": "order.created", "order": f"A-{9000 + number}"}, {}),
            (9, "metrics:flush", "default", {"n": number}, {"group": f"tenant-{number % 7}"}),
            (11, "newsletter:send", "newsletter", {"issue": number}, {"process_in": rng.randint(60, 9000)}),
            (70, "report:build", "default", {"month": "2026-10", "part": number}, {}),
        ):
            if number % every == 0:
                headers = {"trace": f"{rng.getrandbits(64):016x}", "tenant": f"tenant-{number % 7}"}
                await client.enqueue(Task(type_, payload), queue=queue, max_retry=8, headers=headers, **options)  # type: ignore[arg-type]
        await asyncio.sleep(rng.uniform(0.004, 0.03) * (1 + (number // 250) % 3))


async def shoot(app: DashApp, name: str, folder: Path) -> None:
    """Save what is on the screen."""
    picture = app.export_screenshot(title="asynqpy dash")
    lines = "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"
    if len(lines) > LARGEST:
        raise SystemExit(f"{name}.svg has {len(lines):,} bytes; at most {LARGEST:,} are wanted")
    (folder / f"{name}.svg").write_text(lines, "utf-8")
    print(f"{folder / name}.svg  {len(lines):,} bytes")


async def take_all(url: str, redis: Redis, folder: Path) -> None:
    """Go through the dashboard, and take a picture of each page."""
    app = DashApp(AsyncInspector(url), address="redis://shop-1:6379/0", refresh=REFRESH)
    app.animation_level, app.theme = "none", DARK
    async with app.run_test(size=(120, 32)) as pilot:

        async def go(*pressed: str, seconds: float = 1.5) -> None:
            await pilot.press(*pressed)
            await pilot.pause(seconds)

        await go(seconds=SECONDS)
        await shoot(app, "queues", folder)
        app.theme = LIGHT
        await go(seconds=0.5)
        await shoot(app, "queues-light", folder)
        app.action_toggle_theme()
        table: Any = app.screen.query_one("#queues")
        table.point_at("payments")
        await go("enter", seconds=2.5)
        view: Any = app.screen
        view.go_to(TaskState.RETRY)
        await go(seconds=2)
        await shoot(app, "queue", folder)
        move_to_a_shop(redis)
        await go("enter")
        await shoot(app, "task", folder)
        await go("escape", "space", "space", "space", "r")
        await shoot(app, "confirm", folder)
        await go("escape", "escape", "escape", "2")
        await shoot(app, "servers", folder)
        await go("f", *"type", "colon", *"webhook", "space", *"error", "colon", *"Gone", "enter", seconds=3)
        await shoot(app, "find", folder)


def move_to_a_shop(redis: Redis) -> None:
    """Let tracebacks tell of the files of somebody else, not of those on this machine."""
    for key in redis.scan_iter("asynq:{payments}:t:*"):
        told = redis.hget(key, "py:traceback")
        if told:
            text = told.decode().replace(__file__, "/srv/shop/tasks.py").replace(str(SOURCES), "/srv/shop/.venv")
            redis.hset(key, "py:traceback", text)


async def run(folder: Path) -> None:
    """Start everything, and end it again."""
    rng = Random(7)
    mux = make_mux(rng)
    weights = {"critical": 6, "payments": 4, "webhooks": 2, "default": 1}, {"low": 1}
    with tempfile.TemporaryDirectory(prefix="asynqpy-screenshots-") as data:
        url = f"embedded://{data}"
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(AsyncClient(url))
            for queues, concurrency in zip(weights, (24, 6), strict=True):
                server = Server(url, queues=queues, concurrency=concurrency)
                await stack.enter_async_context(server.running(mux))
            work = asyncio.create_task(enqueue_for_ever(client, rng))
            embedded = stack.enter_context(EmbeddedServer.acquire(Path(data)))
            redis = stack.enter_context(Redis(unix_socket_path=str(embedded.socket_path)))
            await take_all(url, redis, folder)
            work.cancel()
            await asyncio.wait([work])


if __name__ == "__main__":
    import logging
    import socket

    socket.gethostname = lambda: "shop-worker-1"

    logging.getLogger("asynqpy").addHandler(logging.NullHandler())
    logging.getLogger("asynqpy").propagate = False
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(run(target))
