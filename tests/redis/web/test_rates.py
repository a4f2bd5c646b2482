"""Rates and percentiles, from what a real server writes down."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from redis import Redis

from asynqpy import AsyncInspector, Client, Inspector, QueueNotFoundError, ServeMux, Server, SkipRetry, Task
from asynqpy._broker.rollups import roll_up
from asynqpy._transport.channel import BlockingChannel
from asynqpy.config import RedisOptions
from asynqpy.web import TokenLogin, User
from tests.eventually import eventually

from .conftest import OpenApp

pytestmark = pytest.mark.anyio


async def run_tasks(redis_url: str, client: Client, redis: Redis, **settings: Any) -> None:
    """Ten of one kind that succeed, five of another that fail."""
    mux = ServeMux()

    @mux.handler("good:")
    async def good(task: Task) -> None: ...

    @mux.handler("bad")
    def bad(task: Task) -> None:
        raise SkipRetry

    for at in range(10):
        client.enqueue(Task(f"good:{at}"), queue="low")
    for _ in range(5):
        client.enqueue(Task("bad"), queue="low")
    async with Server(redis_url, queues={"low": 1}, **settings).running(mux):
        await eventually(lambda: redis.get("asynq:{low}:processed") == b"15")


def rollup_keys(redis: Redis) -> list[bytes]:
    return list(redis.scan_iter("asynq:{low}:py:rollup:*"))


async def test_what_a_server_did(web: httpx.AsyncClient, redis_url: str, client: Client, redis: Redis) -> None:
    """By the pattern of the handler, not by type; forgotten after two hours."""
    await run_tasks(redis_url, client, redis)
    found = (await web.get("/api/v2/queues/low/rates?minutes=5")).json()
    assert [(each["pattern"], each["started"], each["succeeded"], each["failed"]) for each in found["patterns"]] == [
        ("bad", 5, 0, 5),
        ("good:", 10, 10, 0),
    ]
    assert found["waited"]["p50"] >= 0
    assert found["ran"]["p99"] < 60
    assert found["services_per_second"] > 0
    assert (found["depth"], found["seconds_to_empty"]) == (0, 0)
    assert len(found["points"]) == 5
    busy = [point for point in found["points"] if point["started"]]
    assert all(point["waited"]["p99"] >= point["waited"]["p50"] > 0 for point in busy)
    assert found["points"][0]["waited"] is None
    keys = rollup_keys(redis)
    assert 1 <= len(keys) <= 2
    assert all(0 < redis.ttl(key) <= 7200 for key in keys)  # type: ignore[operator]
    with Inspector(redis_url) as inspector:
        assert inspector.rates("low").minutes == 60
        inspector.delete_queue("low", force=True)
        with pytest.raises(QueueNotFoundError):
            inspector.rates("low")
    assert rollup_keys(redis) == []


async def test_a_worker_that_is_younger_than_the_window(web: httpx.AsyncClient, redis_url: str, redis: Redis) -> None:
    """Arrivals and services are of the same time: the one that the worker has been writing about."""
    redis.sadd("asynq:queues", "low")
    keep = {"low": {"s:t": 60, "k:t": 60}}
    channel = BlockingChannel(RedisOptions.from_url(redis_url))
    minute = int(time.time()) // 60
    for ago, second in ((3, 45), (3, 50), (2, 1), (2, 30), (1, 15)):
        assert channel.run(roll_up(keep, now=datetime.fromtimestamp((minute - ago) * 60 + second, UTC))) == {}
    channel.close()
    found = (await web.get("/api/v2/queues/low/rates?minutes=60")).json()
    assert found["arrivals_per_second"] == found["services_per_second"] == found["starts_per_second"]
    assert found["services_per_second"] == pytest.approx(300 / found["observed_seconds"])
    assert 140 <= found["observed_seconds"] < 3600
    assert redis.hget(f"asynq:{{low}}:py:rollup:{minute - 3}", "first_at") == str((minute - 3) * 60 + 45).encode()
    together = (await web.get("/api/v2/rates?minutes=60")).json()["together"]
    assert together["arrivals_per_second"] == together["services_per_second"]


async def test_an_idle_server_writes_nothing(redis_url: str, redis: Redis) -> None:
    """However long it is there."""
    async with Server(redis_url, queues={"low": 1}).running(ServeMux()):
        await eventually(lambda: redis.zcard("asynq:servers"))
    assert rollup_keys(redis) == []


async def test_a_server_that_was_told_not_to(redis_url: str, client: Client, redis: Redis) -> None:
    """Writes nothing either."""
    await run_tasks(redis_url, client, redis, rollups=False)
    assert rollup_keys(redis) == []


async def test_locks_and_clock(redis_url: str, client: Client) -> None:
    """Who holds a lock and for how long; what the clock of Redis shows."""
    held = client.enqueue(Task("t"), queue="low", unique_for=60)
    free = client.enqueue(Task("u"), queue="low")
    async with AsyncInspector(redis_url) as inspector:
        lock = await inspector.unique_lock("low", held.id)
        assert lock is not None
        assert (lock.task_id, lock.key) == (held.id, held.unique_key)
        assert timedelta(0) < (lock.expires_in or timedelta(0)) <= timedelta(seconds=60)
        assert await inspector.unique_lock("low", free.id) is None
        await inspector.delete_task("low", held.id)
        assert (await inspector.redis_time()).tzinfo is not None
    with Inspector(redis_url) as blocking:
        assert blocking.redis_time().year >= 2026
        assert blocking.unique_lock("low", free.id) is None


async def test_all_queues_at_once(web: httpx.AsyncClient, redis_url: str, client: Client, redis: Redis) -> None:
    """One by one, the busiest first, and together; as the inspectors tell it."""
    await run_tasks(redis_url, client, redis)
    client.enqueue(Task("other"), queue="idle")
    found = (await web.get("/api/v2/rates?minutes=5")).json()
    assert [(each["queue"], each["depth"]) for each in found["queues"]] == [("low", 0), ("idle", 1)]
    together = found["together"]
    assert (together["queue"], together["depth"], found["left_out"], found["minutes"]) == ("", 1, 0, 5)
    assert [(each["pattern"], each["started"]) for each in together["patterns"]] == [("bad", 5), ("good:", 10)]
    assert sum(point["started"] for point in together["points"]) == 15
    assert found["queues"][0]["points"][-1].keys() == together["points"][-1].keys()
    found = (await web.get("/api/v2/rates?limit=1")).json()
    assert ([each["queue"] for each in found["queues"]], found["left_out"]) == (["low"], 1)
    assert (await web.get("/api/v2/rates?minutes=0")).status_code == 422
    with Inspector(redis_url) as inspector:
        assert [each.queue for each in inspector.all_rates().queues] == ["idle", "low"]
    async with AsyncInspector(redis_url) as awaited:
        assert (await awaited.all_rates(["low"], 5)).together.services_per_second > 0


async def test_hidden_queues_are_in_no_sum(open_app: OpenApp, redis_url: str, client: Client, redis: Redis) -> None:
    """Those who do not see a queue learn nothing of it."""
    await run_tasks(redis_url, client, redis)
    web = open_app(login=TokenLogin({"a-secret-of-16-letters": User(name="u", queues=("high*",))}))
    web.headers["Authorization"] = "Bearer a-secret-of-16-letters"
    found = (await web.get("/api/v2/rates")).json()
    assert (found["queues"], found["together"]["patterns"], found["left_out"]) == ([], [], 0)
