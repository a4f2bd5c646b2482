"""The rest of the library on a cluster: groups, periodic tasks, waits, progress, limits, the inspector, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from asynqpy import AsyncClient, AsyncInspector, Client, Inspector, Scheduler, Semaphore, ServeMux, Server, Task
from asynqpy._wire import keys
from tests.clusters import Cluster
from tests.eventually import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def redis(cluster: Cluster) -> Iterator[Any]:
    """A client of the whole cluster."""
    with cluster.client() as client:
        yield client


def weights(cluster: Cluster) -> dict[str, int]:
    """A queue on each node."""
    return dict.fromkeys(cluster.queues(), 1)


async def test_groups_of_all_nodes_are_aggregated(cluster: Cluster) -> None:
    """A set is made and replaced where its queue is."""
    made: list[tuple[str, bytes]] = []

    def join(group: str, tasks: list[Task]) -> Task:
        return Task("joined", b",".join(task.payload for task in tasks))

    async def handler(task: Task) -> None:
        made.append((task.queue, task.payload))

    queues = weights(cluster)
    server = Server(cluster.url, queues=queues, aggregator=join, group_max_size=3)
    async with AsyncClient(cluster.url) as client, server.running(handler):
        for queue in queues:
            for n in range(3):
                await client.enqueue(Task("part", f"{n}"), queue=queue, group="g")
        await eventually(lambda: len(made) == 3)
    parts = {queue: sorted(payload.split(b",")) for queue, payload in made}  # of one second, in any order
    assert parts == {queue: [b"0", b"1", b"2"] for queue in queues}


async def test_two_schedulers_enqueue_each_tick_once_on_every_node(cluster: Cluster) -> None:
    """The marker of an entry is in the slot of its queue."""
    ran: list[str] = []

    async def handler(task: Task) -> None:
        ran.append(task.id)

    queues = weights(cluster)
    schedulers = [Scheduler(cluster.url), Scheduler(cluster.url)]
    for scheduler in schedulers:
        for queue in queues:
            scheduler.register("@every 1s", Task("tick"), queue=queue)
    async with (
        Server(cluster.url, queues=queues).running(handler),
        schedulers[0].running(),
        schedulers[1].running(),
        AsyncInspector(cluster.url) as inspector,
    ):
        await eventually(lambda: len(ran) >= 9)
        assert len({entry.id for entry in await inspector.scheduler_entries()}) == 3
        events = await inspector.scheduler_events(ran[0].rpartition(":")[0])
        assert {event.task_id for event in events} & set(ran)
    assert len(set(ran)) == len(ran)


async def test_results_and_progress_are_pushed_from_every_node(cluster: Cluster) -> None:
    """One client waits for tasks on all nodes, blocking and awaiting."""
    mux = ServeMux()

    @mux.handler("add")
    async def add(task: Task) -> bytes:
        await task.report_progress(0.5, "half")
        return task.payload + b"!"

    seen: list[float] = []
    queues = weights(cluster)
    with Client(cluster.url) as blocking:
        async with AsyncClient(cluster.url) as client, Server(cluster.url, queues=queues).running(mux):
            infos = [await client.enqueue(Task("add", queue), queue=queue, retention=60) for queue in queues]
            results = await asyncio.gather(
                *(client.wait(info, timeout=30, on_progress=lambda now: seen.append(now.fraction)) for info in infos)
            )
            assert results == [f"{queue}!".encode() for queue in queues]
            again = [await asyncio.to_thread(blocking.wait, info, timeout=30) for info in infos]
            assert again == results


async def test_limits_and_semaphores_hold_across_nodes(cluster: Cluster) -> None:
    """Their keys are on nodes of their own, wherever the queues are."""
    mux = ServeMux()
    running: list[str] = []
    most = 0

    @mux.handler("limited", max_active=2, limit="100/s")
    async def limited(task: Task) -> None:
        nonlocal most
        running.append(task.id)
        most = max(most, len(running))
        await asyncio.sleep(0.01)
        running.remove(task.id)

    semaphore = Semaphore(cluster.url, "scope", 1)
    held: list[bool] = []

    @mux.handler("held")
    async def holding(task: Task) -> None:
        held.append(await semaphore.acquire())
        await semaphore.release()

    queues = weights(cluster)
    async with AsyncClient(cluster.url) as client, Server(cluster.url, queues=queues, concurrency=10).running(mux):
        infos = [await client.enqueue(Task("limited"), queue=queue, retention=60) for queue in queues for _ in range(5)]
        infos += [await client.enqueue(Task("held"), queue=next(iter(queues)), retention=60)]
        await asyncio.gather(*(client.wait(info, timeout=30) for info in infos))
    await semaphore.close()
    assert 1 <= most <= 2
    assert held == [True]


async def test_the_inspector_sees_and_moves_tasks_of_all_nodes(cluster: Cluster, redis: Any) -> None:
    """Both faces; nothing of a deleted queue is left on any node."""
    queues = weights(cluster)
    with Client(cluster.url) as client, Inspector(cluster.url) as inspector:
        for queue in queues:
            client.enqueue_many([Task("t", f"{n}", queue=queue) for n in range(30)])
            client.enqueue(Task("later", queue=queue), process_in=timedelta(hours=1))
            client.enqueue(Task("once", queue=queue), unique_for=60)
        assert inspector.queues() == sorted(queues)
        assert [info.size for info in inspector.queue_infos()] == [32] * 3
        assert {task.type for task in inspector.find_tasks(type="once")} == {"once"}
        assert len(list(inspector.find_tasks(type="t"))) == 90
        first = next(iter(queues))
        assert len(list(inspector.iter_tasks(first, "pending"))) == 31
        assert inspector.archive_all(first, "pending") == 31
        assert inspector.run_all(first, "archived") == 31
        assert inspector.recover_orphans(first).orphans == ()
        assert inspector.cluster_key_slot(first) == redis.keyslot(keys.of_queue(first).pending)
        assert {node.port for queue in queues for node in inspector.cluster_nodes(queue)} >= {
            server.port for server in cluster.servers[:3]
        }
        texts, nodes = inspector.redis_texts(), inspector.node_infos()
        assert set(texts) == {"INFO", "CLUSTER INFO", "CLUSTER NODES"}
        assert texts["CLUSTER INFO"].startswith("cluster_state:ok\r\n")
        assert texts["CLUSTER NODES"].count("\n") == len(cluster.servers)
        assert nodes.keys() == {f"127.0.0.1:{server.port}" for server in cluster.masters()}
        assert {address: facts["tcp_port"] for address, facts in nodes.items()} == {
            address: address.rpartition(":")[2] for address in nodes
        }
        async with AsyncInspector(cluster.url) as awaited, Server(cluster.url, queues={first: 1}).running(nothing):
            await eventually(lambda: inspector.servers() != [])
            assert [server.queues for server in await awaited.servers()] == [{first: 1}]
            await eventually(lambda: inspector.queue_info(first).pending == 0)
        for queue in queues:
            inspector.delete_queue(queue, force=True)
    assert list(redis.scan_iter("asynq:{*", target_nodes="primaries")) == []


async def nothing(task: Task) -> None:
    """Succeed."""
