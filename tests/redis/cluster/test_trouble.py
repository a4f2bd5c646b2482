"""On a cluster under load: masters are killed, replicas take over, slots move. Nothing is lost, and nobody helps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from redis.crc import key_slot

from asynqpy import AsyncClient, BrokerError, Client, RedisOptions, Server, Task
from asynqpy._broker.flow import command
from asynqpy._transport.connect import Source
from asynqpy._transport.exchange import RefusedForNow
from asynqpy._transport.lane import Lane
from asynqpy._wire import keys
from tests.clusters import Cluster
from tests.eventually import eventually
from tests.redis.load import Load

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

on_both = pytest.mark.parametrize("cluster", ["valkey", "redis"], indirect=True)


@pytest.fixture
def redis(cluster: Cluster) -> Iterator[Any]:
    """A client of the whole cluster."""
    with cluster.client() as client:
        yield client


async def until_all_is_quiet(cluster: Cluster, load: Load) -> None:
    """Every acknowledged task has run, and no queue holds anything any more."""
    await load.until_all_ran()
    with cluster.client() as redis:
        for queue in load.queues:
            q = keys.of_queue(queue)
            for place in (q.pending, q.active, q.lease):
                await eventually(lambda: not redis.exists(place), limit_seconds=60)  # noqa: B023


@on_both
async def test_a_master_is_killed(cluster: Cluster) -> None:
    """kill -9, with nothing in the replication window: its replica takes over, and every acknowledged task runs.

    The other nodes work on meanwhile; what was active on the dead one runs again when its lease ends.
    """
    load = Load(cluster.url, cluster.queues())
    async with load.producing():
        await load.until_acknowledged(3000)
    await asyncio.to_thread(cluster.wait_for_replicas)
    victim = cluster.masters()[1]
    async with load.serving(lease=10):
        await load.until_run(500)
        victim.kill()
        async with load.producing():
            await load.until_acknowledged(600)
        await until_all_is_quiet(cluster, load)


@on_both
async def test_replicas_take_over_in_good_order(cluster: Cluster) -> None:
    """CLUSTER FAILOVER of every master in turn: nothing is lost, and callers see no error."""
    load = Load(cluster.url, cluster.queues())
    async with load.serving(), load.producing():
        for master in cluster.masters():
            await load.until_run(200)
            await asyncio.to_thread(cluster.fail_over, master)
        await load.until_run(200)
    async with load.serving():
        await until_all_is_quiet(cluster, load)
    assert load.refusals == 0


@on_both
async def test_slots_move_key_by_key(cluster: Cluster) -> None:
    """Back and forth under load: a queue rests while its slot moves, and nothing is lost or done by halves."""
    load = Load(cluster.url, cluster.queues())
    masters = cluster.masters()
    async with load.producing():
        await load.until_acknowledged(1000)
    async with load.serving(), load.producing():
        await load.until_run(100)
        for queue, target in zip(load.queues, masters[1:] + masters[:1], strict=True):
            home = cluster.master_of(queue)
            await asyncio.to_thread(cluster.move_slot, queue, target, pause=0.01)
            await load.until_run(100)
            await asyncio.to_thread(cluster.move_slot, queue, home, pause=0.01)
            await load.until_run(100)
    async with load.serving():
        await until_all_is_quiet(cluster, load)
    counts = [count for count in load.runs.values() if count > 1]
    assert counts == []  # no lease was lost


async def test_an_idle_server_notices_that_a_slot_has_moved(cluster: Cluster) -> None:
    """Nobody tells it, since an empty queue has no key that could change: it looks."""
    queue = cluster.queues()[0]
    load = Load(cluster.url, [queue])
    async with load.serving(task_check_interval=3600) as server:
        rings = server._rings
        assert rings is not None
        await eventually(lambda: rings._watcher.is_pushing and not rings._processor.readiness.ready)
        home = cluster.master_of(queue)
        target = next(server for server in cluster.masters() if server is not home)
        told = asyncio.Event()
        rings._watcher.when_reopened(told.set)
        await asyncio.to_thread(cluster.move_slot, queue, target)
        async with asyncio.timeout(30):
            await told.wait()
        await eventually(lambda: not rings._processor.readiness.ready)
        async with AsyncClient(cluster.url) as client:
            info = await client.enqueue(Task("t"), queue=queue)
            await eventually(lambda: info.id in load.runs)
    await asyncio.to_thread(cluster.move_slot, queue, home)


async def test_calls_for_a_slot_on_the_move(cluster: Cluster) -> None:
    """Plain commands go to where the key is; scripts are refused whole, for as long as the caller has patience."""
    queue = cluster.queues()[0]
    q = keys.of_queue(queue)
    slot = key_slot(q.pending.encode())
    source = cluster.owner(slot)
    target = next(server for server in cluster.masters() if server is not source)
    short = RedisOptions.from_url(cluster.url)
    lane = Lane(Source(short))
    await lane.exchange([command("SET", q.paused, 1), command("SET", q.due, 2)])
    with Client(cluster.url) as client, cluster.client() as redis:
        client.enqueue(Task("before"), queue=queue)
        with cluster.moving_slot(slot, source, target):
            cluster.say(source, "MIGRATE", "127.0.0.1", target.port, q.paused, 0, 5000)
            replies = await lane.exchange([command("GET", q.paused), command("GET", q.due), command("GET", q.lease)])
            assert replies == [b"1", b"2", None]
            with Client(replaced(short)) as hasty, pytest.raises(BrokerError, match=r"(?i)multiple keys") as caught:
                hasty.enqueue(Task("during"), queue=queue)
            assert isinstance(caught.value, RefusedForNow)
            assert cluster.say(source, "LLEN", q.pending) == 1
            waiting = asyncio.create_task(asyncio.to_thread(client.enqueue, Task("patient"), queue=queue))
            await asyncio.sleep(0.2)
            assert not waiting.done()
            while found := cluster.say(source, "CLUSTER", "GETKEYSINSLOT", slot, 50):
                cluster.say(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *found)
        await waiting
        assert cluster.say(target, "LLEN", q.pending) == 2
        assert redis.llen(q.pending) == 2
    await lane.close()
    await asyncio.to_thread(cluster.move_slot, queue, source)


def replaced(options: RedisOptions) -> RedisOptions:
    """The same without patience."""
    return replace(options, failover_wait=timedelta(0))


async def test_other_nodes_work_while_one_is_away(cluster: Cluster) -> None:
    """A node that nobody stands in for costs the queues of the others nothing but a moment."""
    load = Load(cluster.url, cluster.queues())
    master = cluster.master_of(load.queues[0])
    replica = cluster.replica_of(master)
    replica.kill()  # nobody will take over
    async with load.serving(lease=10):
        await eventually(lambda: len(cluster.masters()) == 3)
        async with AsyncClient(cluster.url) as client:
            await client.enqueue(Task("t"), queue=load.queues[0])
            await load.until_run(1)
        for server in cluster.masters():
            cluster.say(server, "CONFIG", "SET", "cluster-require-full-coverage", "no")
        master.kill()
        others = load.queues[1:]
        async with AsyncClient(cluster.url) as client:
            for number in range(200):
                await load.enqueue(client, others[number % 2], f"other-{number}")
            await load.until_all_ran()
            await asyncio.to_thread(cluster.heal)
            await load.enqueue(client, load.queues[0], "back")
        await load.until_all_ran()


async def test_a_cancellation_is_heard_after_its_node_died(cluster: Cluster) -> None:
    """The subscription moves to a node that lives."""
    cancelled, started = asyncio.Event(), asyncio.Event()

    async def handler(task: Task) -> None:
        started.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def subscribed() -> list[Any]:
        return [
            server
            for server in cluster.servers
            if server.is_running and cluster.say(server, "PUBSUB", "NUMSUB", keys.CANCEL_CHANNEL)[1]
        ]

    async with AsyncClient(cluster.url) as client:
        info = await client.enqueue(Task("t"), max_retry=0, timeout=600)
        async with Server(cluster.url, shutdown_timeout=0).running(handler):
            await asyncio.wait_for(started.wait(), 30)
            [node] = await eventually(subscribed)
            node.kill()
            await eventually(subscribed)
            other = next(server for server in cluster.servers if server.is_running)
            await eventually(lambda: cancelled.is_set() or cluster.say(other, "PUBLISH", keys.CANCEL_CHANNEL, info.id))
            await asyncio.wait_for(cancelled.wait(), 30)


async def test_a_master_hangs(cluster: Cluster) -> None:
    """Its replica takes over; tasks of queues on other nodes keep even the shortest leases."""
    load = Load(cluster.url, cluster.queues())
    attempts: list[str] = []
    release = asyncio.Event()

    async def handler(task: Task) -> None:
        if task.type == "long":
            attempts.append(task.queue)
            await release.wait()
        else:
            await load.handle(task)

    hanging, *others = load.queues
    settings: dict[str, Any] = {"queues": dict.fromkeys(load.queues, 1), "concurrency": 40, "lease": 10}
    async with AsyncClient(cluster.url) as client, Server(cluster.url, **settings).running(handler):
        for queue in load.queues:
            await client.enqueue(Task("long"), queue=queue, timeout=600)
        await eventually(lambda: len(attempts) == 3)
        await asyncio.to_thread(cluster.wait_for_replicas)
        master = cluster.master_of(hanging)
        replica = cluster.replica_of(master)
        master.pause()
        await eventually(lambda: cluster.is_master(replica))
        async with load.producing():
            await load.until_acknowledged(300)
        await load.until_all_ran()
        assert sorted(queue for queue in attempts if queue in others) == sorted(others)
        master.resume()
        release.set()
        with cluster.client() as redis:
            for queue in load.queues:
                await eventually(lambda: not redis.exists(keys.of_queue(queue).active))  # noqa: B023
