"""What changes is told, as server-sent events."""

from __future__ import annotations

from typing import Any

import pytest

from asynqpy import Client, Task
from tests.conftest import StartServer
from tests.eventually import eventually
from tests.redis.seed import Queue

from .asking import V2, Stream, get, post
from .conftest import OpenApp, Web

pytestmark = pytest.mark.anyio


async def test_a_watched_task_that_is_gone_before(web: Web, low: Queue) -> None:
    """Is told to be gone at once, however late somebody begins to watch; and to be there when it comes."""
    low.pending("b")
    async with Stream(web.app, f"{V2}/events", b"task=low/a") as stream:
        first = dict([await stream.next() for _ in range(6)])
        assert first["tasks"]["values"] == {"low/a": None}
        low.pending("a")
        while True:
            kind, data = await stream.next()
            if kind == "tasks":
                break
        assert data["values"]["low/a"]["state"] == "pending"


async def test_a_task_that_nobody_watches_any_more(web: Web, low: Queue) -> None:
    """Is not told to be gone: whoever looks at it again later would take it for that."""
    low.pending("a", "b")
    broker = next(iter(web.app.brokers.values()))
    told: list[dict[str, Any]] = []
    async with Stream(web.app, f"{V2}/events", b"task=low/a"):
        await eventually(lambda: ("low", "a") in broker.collector._last.tasks)
        stream = Stream(web.app, f"{V2}/events", b"task=low/b")
        await stream.__aenter__()
    await eventually(lambda: set(broker.collector._last.tasks) == {("low", "b")})
    await broker.inspector.archive_task("low", "b")
    while not told or told[-1].get("low/b", {}).get("state") != "archived":
        kind, data = await stream.next()
        told += [data["values"]] if kind == "tasks" else []
    await stream.__aexit__()
    assert None not in [values.get("low/a", "not told") for values in told]


async def test_names_with_slashes(web: Web, redis_url: str) -> None:
    """Queues and ids may have anything in them, and are told apart."""
    name, escaped = b"a%252Fb/c%252Fd%2525", "a%2Fb/c%2Fd%25"
    with Client(redis_url) as client:
        client.enqueue(Task("t"), queue="a/b", task_id="c/d%")
    async with Stream(web.app, f"{V2}/events", b"task=" + name) as stream:
        first = dict([await stream.next() for _ in range(6)])
        assert first["tasks"]["values"][escaped]["id"] == "c/d%"


async def test_a_redis_that_cannot_be_reached(start_server: StartServer, open_app: OpenApp) -> None:
    """Is told of, and nothing else is, to whoever comes; when it can be reached, everything is."""
    server = start_server()
    with Client(server.url) as client:
        client.enqueue(Task("t"), queue="low")
    server.stop()
    app = open_app(server.url).app
    async with Stream(app, f"{V2}/events") as first, Stream(app, f"{V2}/events") as second:
        for stream in (first, second):
            kind, data = await stream.next()
            assert (kind, data["values"]["redis"]) == ("status", "down")
        server.start()
        with Client(server.url) as client:
            client.enqueue(Task("t"), queue="high")
        for stream in (first, second):
            while (event := await stream.next())[0] != "queues":
                assert event[0] == "status"
            assert event[1]["is_snapshot"]
            assert list(event[1]["values"]) == ["high"]


async def test_a_snapshot_then_changes(web: Web, redis_url: str, low: Queue) -> None:
    """Everything at first; afterwards what is different, what is gone, and watched tasks."""
    low.pending("a")
    broker = next(iter(web.app.brokers.values()))
    async with Stream(web.app, f"{V2}/events", b"task=low/a") as stream:
        first = dict([await stream.next() for _ in range(6)])
        assert all(data["is_snapshot"] for data in first.values())
        assert first["queues"]["values"]["low"]["pending"] == 1
        assert first["tasks"]["values"]["low/a"]["state"] == "pending"
        await broker.inspector.archive_task("low", "a")
        changed = {}
        while not {"queues", "tasks"} <= set(changed):
            kind, data = await stream.next()
            changed[kind] = data
        assert changed["queues"]["is_snapshot"] is False
        assert changed["queues"]["values"]["low"]["archived"] == 1
        assert changed["tasks"]["values"]["low/a"]["state"] == "archived"
        await broker.inspector.delete_queue("low", force=True)
        while True:
            kind, data = await stream.next()
            if kind == "queues":
                break
        assert data["values"] == {"low": None}


async def test_all_share_one_look(web: Web, low: Queue) -> None:
    """A hundred who watch cost Redis what one does."""
    broker = next(iter(web.app.brokers.values()))
    broker.collector._interval_seconds = 3600
    streams = [Stream(web.app, f"{V2}/events") for _ in range(100)]
    for stream in streams:
        await stream.__aenter__()
        assert (await stream.next())[1]["is_snapshot"]
    assert broker.collector.looks == 1
    assert (await get(web, "/cost"))["watchers"] == 100
    for stream in streams:
        await stream.__aexit__()
    await eventually(lambda: broker.collector.watchers == 0)


async def test_lists_are_of_the_same_look(web: Web, low: Queue) -> None:
    """While somebody watches, Redis is not asked again for what was just seen; but it is after a change."""
    low.pending("a")
    broker = next(iter(web.app.brokers.values()))
    broker.collector._interval_seconds = 3600
    async with Stream(web.app, f"{V2}/events") as stream:
        await stream.next()
        low.pending("b")
        assert (await get(web, "/queues"))["items"][0]["pending"] == 1  # as seen
        await post(web, "/queues/low/pause")
        (queue,) = (await get(web, "/queues"))["items"]
        assert (queue["paused"], queue["pending"]) == (True, 2)
    await eventually(lambda: broker.collector.watchers == 0)
