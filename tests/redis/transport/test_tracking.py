"""Pushed changes and published messages, and what happens when they stop coming."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis import Redis

from asynqpy import BrokerError, Client, Server, Task
from asynqpy._broker.flow import command
from asynqpy._transport.connect import Source
from asynqpy._transport.pubsub import listen
from asynqpy._transport.tracking import KeyWatch
from asynqpy._worker import watcher as watcher_module
from asynqpy._worker.watcher import Watcher
from tests.conftest import StartProxy, StartServer
from tests.eventually import eventually
from tests.redis.server.stage import Stage
from tests.servers import RedisServer

from .conftest import impatient

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def watching(target: Any) -> AsyncIterator[tuple[KeyWatch, list[str | None]]]:
    """An open watch, and what it was told."""
    told: list[str | None] = []
    watch = KeyWatch(Source(target), told.append)
    await watch.open()
    try:
        yield watch, told
    finally:
        await watch.close()


async def test_a_change_to_a_key_that_was_read_is_told_once(redis_url: str, redis: Redis, server: RedisServer) -> None:
    """Whoever makes it; the next one is told after the key was read again."""
    async with watching(redis_url) as (watch, told):
        assert await watch.read([command("LLEN", "list"), command("EXISTS", "flag")]) == [0, 0]
        redis.lpush("list", "a")
        redis.lpush("list", "b")
        redis.set("other", 1)
        await eventually(lambda: told)
        assert told == ["list"]
        assert await watch.read([command("LLEN", "list")]) == [2]
        redis.rpop("list")
        await eventually(lambda: len(told) == 2)
        assert told == ["list", "list"]


async def test_changes_made_by_scripts_and_by_expiry_are_told(redis_url: str, redis: Redis) -> None:
    """A Lua script of another client, and a key that ends by itself."""
    async with watching(redis_url) as (watch, told):
        await watch.read([command("LLEN", "list")])
        redis.eval("redis.call('LPUSH', KEYS[1], 'x')", 1, "list")
        await eventually(lambda: told == ["list"])
        redis.set("short", 1, px=30)
        await watch.read([command("EXISTS", "short")])
        await eventually(lambda: "short" in told)


async def test_flushall_tells_that_anything_may_have_changed(redis_url: str, redis: Redis) -> None:
    """None stands for every key."""
    async with watching(redis_url) as (watch, told):
        await watch.read([command("LLEN", "list")])
        redis.flushall()
        await eventually(lambda: None in told)
        assert watch.is_open


async def test_pushes_between_replies_do_not_mix_them_up(redis_url: str, redis: Redis) -> None:
    """Thousands of changes while reading: each reply reaches its call."""
    async with watching(redis_url) as (watch, told):
        redis.mset({f"k{n}": n for n in range(50)})
        for round_number in range(40):
            replies, _ = await asyncio.gather(
                watch.read([command("GET", f"k{n}") for n in range(50)]),
                asyncio.to_thread(redis.mset, {f"k{n}": n for n in range(0, 50, 3)}),
            )
            assert replies == [b"%d" % n for n in range(50)], round_number
        assert told


async def test_a_refused_read_stands_in_its_place(redis_url: str, redis: Redis) -> None:
    """And the connection goes on."""
    redis.set("text", 1)
    async with watching(redis_url) as (watch, _):
        replies = await watch.read([command("LLEN", "text"), command("LLEN", "list")])
        assert isinstance(replies[0], BrokerError)
        assert replies[1] == 0


async def test_a_broken_connection_fails_what_was_asked_and_is_told(redis_url: str, start_proxy: StartProxy) -> None:
    """Reads on their way and later ones are lost; opening again works."""
    proxy = start_proxy(redis_url)
    async with watching(proxy.url) as (watch, told):
        proxy.stall()
        reading = asyncio.create_task(watch.read([command("LLEN", "list")]))
        await asyncio.sleep(0.02)
        proxy.drop_connections()
        proxy.heal()
        assert isinstance((await reading)[0], BrokerError)
        assert told == [None]
        assert not watch.is_open
        assert isinstance((await watch.read([command("LLEN", "list")]))[0], BrokerError)
        await watch.open()
        assert await watch.read([command("LLEN", "list")]) == [0]


async def test_a_stalled_connection_is_given_up(redis_url: str, start_proxy: StartProxy) -> None:
    """A read that gets no answer breaks the connection, so that a new one is opened."""
    proxy = start_proxy(redis_url)
    async with watching(impatient(proxy.port)) as (watch, told):
        proxy.stall()
        async with asyncio.timeout(30):
            assert isinstance((await watch.read([command("LLEN", "list")]))[0], BrokerError)
        assert told == [None]
        assert not watch.is_open
        async with asyncio.timeout(30):
            with pytest.raises(BrokerError):
                await watch.open()
        assert not watch.is_open
        proxy.heal()
        await watch.open()
        assert watch.is_open


async def test_a_watch_that_cannot_connect_says_so() -> None:
    """As a BrokerError."""
    with pytest.raises(BrokerError, match="tracking connection"):
        await KeyWatch(Source("redis://127.0.0.1:1"), lambda key: None).open()


async def test_the_watcher_opens_again_by_itself(start_server: StartServer) -> None:
    """After a restart it pushes again, and everybody is told that nothing is known."""
    server = start_server()
    watcher = Watcher(Source(server.url))
    told: list[str] = []
    watcher.tell("list", lambda: told.append("list"))
    watcher.when_reopened(lambda: told.append("reopened"))
    running = asyncio.create_task(watcher.run())
    await eventually(lambda: watcher.is_pushing)
    server.restart()
    await eventually(lambda: watcher.reconnects == 1 and watcher.is_pushing)
    assert told.count("reopened") >= 3  # opened, broken, opened
    await watcher.read([command("LLEN", "list")])
    with server.client() as client:
        client.lpush("list", "x")
    await eventually(lambda: "list" in told)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def user_without_tracking(server: RedisServer) -> str:
    """The URL of a user who may do everything but track."""
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "plain", "on", ">pw", "~*", "&*", "+@all", "-client|tracking")
    return f"redis://plain:pw@127.0.0.1:{server.port}/0"


async def test_a_server_polls_where_tracking_is_refused(
    start_server: StartServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks of every kind are found, and the log says it once, however often it is tried."""
    monkeypatch.setattr(watcher_module, "REOPEN_SECONDS", 0.05)
    redis_server = start_server()
    url = user_without_tracking(redis_server)
    with redis_server.client() as redis, Client(url) as client:
        stage = Stage(redis_server.url, redis)
        done: list[str] = []

        async def handler(task: Task) -> None:
            done.append(task.type)

        async with stage.serving(handler, redis=url, task_check_interval=0.05, queues={"default": 1, "paused": 1}):
            await eventually(lambda: "are polled" in caplog.text)
            client.enqueue(Task("now"))
            client.enqueue(Task("later"), process_in=0.1)
            client.enqueue(Task("kept"), retention=1)
            await eventually(lambda: sorted(done) == ["kept", "later", "now"])
            await asyncio.sleep(0.3)
            client.enqueue(Task("again"))
            await eventually(lambda: "again" in done)
        stage.close()
    assert caplog.text.count("are polled") == 1


async def test_messages_are_heard_and_heard_again_after_a_break(
    redis_url: str, redis: Redis, start_proxy: StartProxy
) -> None:
    """The subscription comes back by itself."""
    proxy = start_proxy(redis_url)
    heard: list[bytes] = []

    async def hear() -> None:
        async for message in listen(Source(proxy.url), "channel"):
            heard.append(message)

    hearing = asyncio.create_task(hear())
    await eventually(lambda: redis.publish("channel", b"one"))
    await eventually(lambda: heard == [b"one"])
    proxy.drop_connections()
    await eventually(lambda: redis.publish("channel", b"\xff two"))
    await eventually(lambda: heard == [b"one", b"\xff two"])
    hearing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hearing


async def test_a_silent_subscription_is_asked_whether_it_lives(
    redis_url: str, redis: Redis, start_proxy: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that answers stays; one that does not is replaced, so a dead network costs no cancellation for ever."""
    monkeypatch.setattr("asynqpy._transport.pubsub.PING_SECONDS", 0.1)
    proxy = start_proxy(redis_url)
    heard: list[bytes] = []

    async def hear() -> None:
        async for message in listen(Source(proxy.url), "channel"):
            heard.append(message)

    hearing = asyncio.create_task(hear())
    await eventually(lambda: redis.pubsub_numsub("channel")[0][1] == 1)
    first = redis.client_list(_type="pubsub")[0]["id"]
    await asyncio.sleep(0.5)  # several rounds of silence
    assert redis.client_list(_type="pubsub")[0]["id"] == first
    redis.publish("channel", b"one")
    await eventually(lambda: heard == [b"one"])
    proxy.stall()
    await asyncio.sleep(0.5)
    proxy.heal()
    await eventually(lambda: [c["id"] for c in redis.client_list(_type="pubsub")][-1:] not in ([], [first]))
    await eventually(lambda: redis.publish("channel", b"two") and b"two" in heard)
    hearing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hearing


def test_a_server_needs_no_loop_to_be_made() -> None:
    """Sources are lazy."""
    Server("redis://127.0.0.1:1")
