"""On a cluster in peace: queues on all nodes, batches split and put together, one wake-up wherever the queue is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import RedisCluster as AsyncRedisCluster
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode

from asynqpy import (
    AsyncClient,
    BrokerError,
    Client,
    ConfigError,
    DuplicateTaskError,
    InvalidTaskError,
    RedisOptions,
    Server,
    Task,
)
from asynqpy._broker.flow import Batch, Call, Flow, command
from asynqpy._transport.channel import BlockingChannel, Channel
from asynqpy._transport.connect import Source
from asynqpy._transport.lane import BlockingLane, Lane
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage
from tests.clusters import Cluster
from tests.eventually import eventually
from tests.redis.load import Load
from tests.servers import HOST

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

on_both = pytest.mark.parametrize("cluster", ["valkey", "redis"], indirect=True)


@pytest.fixture
def redis(cluster: Cluster) -> Iterator[Any]:
    """A client of the whole cluster."""
    with cluster.client() as client:
        yield client


async def use_everything(target: Any, cluster: Cluster, redis: Any) -> None:
    """Both clients, and a server, on a queue of each node."""
    queues = cluster.queues()
    assert len(queues) == 3
    with Client(target) as client:
        client.ping()
        for queue in queues:
            client.enqueue(Task("one"), queue=queue)
        results = client.enqueue_many(Task("many", queue=queues[n % 3]) for n in range(30))
        assert [result.unwrap().queue for result in results] == [queues[n % 3] for n in range(30)]
    async with AsyncClient(target) as awaited:
        await awaited.ping()
        await asyncio.gather(*(awaited.enqueue(Task("two"), queue=queue) for queue in queues * 10))
    assert [redis.llen(keys.of_queue(queue).pending) for queue in queues] == [21] * 3
    assert redis.smembers(keys.QUEUES) == {queue.encode() for queue in queues}
    load = Load(target, queues)
    async with load.serving() as server:
        await eventually(lambda: len(load.runs) == 63)
        rings = server._rings
        assert rings is not None
        await eventually(lambda: rings._watcher.is_pushing)
        await eventually(lambda: redis.zcard(keys.SERVERS) == 1)
    assert [redis.llen(keys.of_queue(queue).active) for queue in queues] == [0] * 3
    cluster.flush()


@on_both
async def test_everything_works_on_a_cluster(cluster: Cluster, redis: Any) -> None:
    """By URL, by options, and by redis-py clients that lend their settings and stay open."""
    await use_everything(cluster.url, cluster, redis)
    await use_everything(RedisOptions(cluster=((HOST, cluster.servers[2].port),)), cluster, redis)
    await use_everything(redis, cluster, redis)
    assert redis.ping()
    lent = AsyncRedisCluster(startup_nodes=[AsyncClusterNode(HOST, cluster.servers[1].port)])
    async with lent:
        await use_everything(lent, cluster, redis)
        assert await lent.ping()


async def test_a_start_node_that_is_down_is_passed_over(cluster: Cluster) -> None:
    """One that answers is enough."""
    options = RedisOptions(cluster=((HOST, 1), (HOST, cluster.servers[0].port)))
    for _ in range(4):
        with Client(options) as client:
            client.enqueue(Task("t"))
        async with AsyncClient(options) as awaited:
            await awaited.enqueue(Task("t"))
    nowhere = RedisOptions(cluster=((HOST, 1),), failover_wait=timedelta(0))
    with Client(nowhere) as client, pytest.raises(BrokerError, match="cannot reach Redis"):
        client.enqueue(Task("t"))


async def test_announced_addresses_can_be_translated(cluster: Cluster) -> None:
    """Each node is asked under the address that the map gives for it."""
    ports = [server.port for server in cluster.servers]
    options = RedisOptions.from_url(cluster.url)
    by_name = {f"{HOST}:{port}": f"localhost:{port}" for port in ports}
    with Client(replace(options, address_map=by_name)) as client:
        for queue in cluster.queues():
            client.enqueue(Task("t"), queue=queue)
        topology = client._channel.source.topology
        assert topology is not None
        assert {host for host, _ in topology.masters} == {"localhost"}


async def test_a_queue_whose_tag_would_be_empty_is_refused(cluster: Cluster) -> None:
    """By clients and by the server, and only on a cluster."""
    for name in ("}", "}x"):
        with Client(cluster.url) as client:
            with pytest.raises(InvalidTaskError, match="hash tag is empty"):
                client.enqueue(Task("t"), queue=name)
            result = client.enqueue_many([Task("t", queue=name), Task("t")])
            assert isinstance(result[0].error, InvalidTaskError)
            assert result[1].info
        async with AsyncClient(cluster.url) as awaited:
            with pytest.raises(InvalidTaskError, match="hash tag is empty"):
                await awaited.enqueue(Task("t"), queue=name)
        with pytest.raises(ConfigError, match="hash tag is empty"):
            Server(cluster.url, queues={"default": 1, name: 1})
        Server("redis://localhost", queues={name: 1})


async def test_replies_stand_in_the_order_of_the_calls(cluster: Cluster) -> None:
    """Whatever nodes they come from, refusals and forgotten scripts included."""
    names = [f"key{n}" for n in range(40)]
    for lane in (Lane(Source(cluster.url)), BlockingLane(Source(cluster.url))):
        calls = [command("SET", name, n) for n, name in enumerate(names)]
        calls += [command("PING"), command("LPUSH", "key7", "x")]
        calls += [command("GET", name) for name in names]
        result: Any = lane.exchange(calls)
        replies = await result if isinstance(lane, Lane) else result
        assert replies[:41] == [b"OK"] * 40 + [b"PONG"]
        assert "WRONGTYPE" in str(replies[41])
        assert replies[42:] == [b"%d" % n for n in range(40)]
        closed: Any = lane.close()
        if closed is not None:
            await closed


async def test_a_script_with_keys_of_two_slots_is_not_sent(cluster: Cluster) -> None:
    """It is a mistake of ours, and says so; other calls are not affected."""
    from asynqpy._broker import scripts

    lane = Lane(Source(cluster.url))
    wrong = scripts.MEND(("{a}active", "{b}lease", "{a}pending"), ("{a}t:", 1))
    replies = await lane.exchange([command("SET", "k", 1), wrong, command("GET", "k")])
    assert isinstance(replies[1], BrokerError)
    assert "different slots" in str(replies[1])
    assert (replies[0], replies[2]) == (b"OK", b"1")
    await lane.close()


async def test_a_flow_can_be_run_on_every_node(cluster: Cluster, redis: Any) -> None:
    """Where all keys must be seen; on a single server it is run once."""
    for n in range(100):
        redis.set(f"key{n}", n)

    def scan() -> Flow[set[bytes]]:
        found: set[bytes] = set()
        cursor = b"0"
        while True:
            cursor, names = yield Call(("SCAN", cursor, "MATCH", "key*", "COUNT", 10))
            found.update(names)
            if cursor == b"0":
                break
        sizes = yield Batch([command("DBSIZE"), command("LPUSH")])
        assert sizes[0] == len(found)
        assert isinstance(sizes[1], BrokerError)
        return found

    channel, blocking = Channel(cluster.url), BlockingChannel(cluster.url)
    for parts in (await channel.run_on_each_node(scan), blocking.run_on_each_node(scan)):
        assert len(parts) == 3
        assert all(parts)
        assert set().union(*parts) == {b"key%d" % n for n in range(100)}
    await channel.close()
    blocking.close()


async def test_unique_grouped_and_scheduled_tasks(cluster: Cluster, redis: Any) -> None:
    """Each kind of enqueueing, on each node."""
    queues = cluster.queues()
    with Client(cluster.url) as client:
        for queue in queues:
            client.enqueue(Task("u", 1), queue=queue, unique_for=60)
            with pytest.raises(DuplicateTaskError):
                client.enqueue(Task("u", 1), queue=queue, unique_for=60)
            client.enqueue(Task("g"), queue=queue, group="g")
            client.enqueue(Task("s"), queue=queue, process_in=3600)
            q = keys.of_queue(queue)
            counts = (redis.llen(q.pending), redis.zcard(q.scheduled), redis.zcard(q.group("g")))
            assert counts == (1, 1, 1)


async def test_retries_results_and_the_schedule(cluster: Cluster, redis: Any) -> None:
    """Forwarding, retry and retention on every node."""
    queues = cluster.queues()
    attempts: dict[str, int] = {}

    async def handler(task: Task) -> bytes:
        attempts[task.id] = attempts.get(task.id, 0) + 1
        if task.type == "fails" and attempts[task.id] == 1:
            raise ValueError("once")
        return b"result"

    async with (
        Server(cluster.url, queues=dict.fromkeys(queues, 1), retry_delay=lambda *_: timedelta(milliseconds=50)).running(
            handler
        ),
        AsyncClient(cluster.url) as client,
    ):
        infos = []
        for queue in queues:
            infos.append(await client.enqueue(Task("fails"), queue=queue, retention=60))
            infos.append(await client.enqueue(Task("later"), queue=queue, retention=60, process_in=0.2))
        for info in infos:
            q = keys.of_queue(info.queue)
            await eventually(lambda: redis.zscore(q.completed, info.id))  # noqa: B023
            assert redis.hget(q.task(info.id), "result") == b"result"
    assert sorted(attempts.values()) == [1, 1, 1, 2, 2, 2]


@on_both
async def test_an_idle_server_is_woken_by_a_push(cluster: Cluster, redis: Any) -> None:
    """On whichever node, and by a plain LPUSH as Go does it: nobody polls."""
    queues = cluster.queues()
    load = Load(cluster.url, queues)
    async with load.serving(task_check_interval=3600) as server:
        rings = server._rings
        assert rings is not None
        await eventually(lambda: rings._watcher.is_pushing)
        await eventually(lambda: not rings._processor.readiness.ready)
        with Client(cluster.url) as client:
            for number, queue in enumerate(queues * 3):
                ours = client.enqueue(Task("t"), queue=queue)
                await eventually(lambda: ours.id in load.runs)  # noqa: B023
                await eventually(lambda: not rings._processor.readiness.ready)
                theirs, q = f"go{number}", keys.of_queue(queue)
                message = TaskMessage(type="t", id=theirs, queue=queue, retry=1, timeout=60)
                redis.hset(q.task(theirs), mapping={"msg": message.encode(), "state": "pending"})
                redis.lpush(q.pending, theirs)
                await eventually(lambda: theirs in load.runs)  # noqa: B023
                await eventually(lambda: not rings._processor.readiness.ready)
        assert rings._watcher.reconnects == 0
        watch: Any = rings._watcher._watch._watch
        topology = watch._topology
        await eventually(lambda: set(watch._nodes) == set(topology.masters))  # and no replica that was asked first


async def test_pause_and_cancel(cluster: Cluster, redis: Any) -> None:
    """A flag on the node of the queue; a message published on any node."""
    queues = cluster.queues()
    running: set[str] = set()
    cancelled: set[str] = set()

    async def handler(task: Task) -> None:
        running.add(task.id)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.add(task.id)
            raise

    async with Server(cluster.url, queues=dict.fromkeys(queues, 1), concurrency=10, shutdown_timeout=0).running(
        handler
    ):
        with Client(cluster.url) as client:
            for queue in queues:
                redis.set(keys.of_queue(queue).paused, 1)
                client.enqueue(Task("t"), queue=queue, task_id=queue, max_retry=0)
            await asyncio.sleep(0.2)  # nothing may happen
            assert not running
            for queue in queues:
                redis.delete(keys.of_queue(queue).paused)
            await eventually(lambda: running == set(queues))
        for server, queue in zip(cluster.servers, queues, strict=False):
            await eventually(lambda: cluster.say(server, "PUBLISH", keys.CANCEL_CHANNEL, queue) or queue in cancelled)  # noqa: B023
            await eventually(lambda: queue in cancelled)  # noqa: B023


async def test_tasks_of_a_dead_worker_are_recovered(cluster: Cluster, redis: Any) -> None:
    """Their leases end, on whatever node they are."""
    queues = cluster.queues()
    with Client(cluster.url) as client:
        for queue in queues:
            info = client.enqueue(Task("t"), queue=queue)
            q = keys.of_queue(queue)
            redis.rpoplpush(q.pending, q.active)
            redis.hset(q.task(info.id), mapping={"state": "active", "py:claim": "dead"})
            redis.zadd(q.lease, {info.id: 1})
    load = Load(cluster.url, queues)
    async with load.serving():
        await eventually(lambda: len(load.runs) == 3)
