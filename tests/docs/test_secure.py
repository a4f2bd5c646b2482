"""The users of the page about security can do what they are for, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from redis.exceptions import NoPermissionError

from asynqpy import AsynqpyError, Client, Inspector, Server, Task
from asynqpy._broker.flow import Batch, Flow, command
from asynqpy._broker.inspect.queues import queue_counts
from asynqpy._transport.channel import BlockingChannel
from asynqpy._wire import keys
from tests.conftest import StartServer
from tests.eventually import eventually
from tests.servers import RedisServer

from .access import rules_of

pytestmark = pytest.mark.anyio

NOT_NEEDED_HERE = {"auth", "select"}
"""HELLO logs in, and the database is the first one."""

Q = keys.of_queue("default")


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"use_uvloop": True}


def make_user(server: RedisServer, name: str, *more: str) -> str:
    """Add a user of the page; returns its URL."""
    rules = rules_of(name, *more)
    if server.kind == "valkey":
        rules.append("+client|setinfo")
    with server.client() as redis:
        redis.execute_command("ACL", "SETUSER", name, *rules)
        redis.config_resetstat()
    return server.url.replace("//", f"//{name}:secret@")


def enqueue_in_every_way(client: Client) -> None:
    """Send Redis each command that a producer has."""
    client.ping()
    ways: list[dict[str, Any]] = [
        {},
        {"unique_for": 60},
        {"process_in": 60},
        {"process_in": 0.05},
        {"group": "g"},
        {"group": "g", "process_in": 60},
        {"unique_for": 60, "process_in": 1.5},
        {"unique_for": 60, "group": "g"},
    ]
    for number, way in enumerate(ways):
        client.enqueue(Task("t", number), **way)
        again = [Task("t", number, task_id=f"same-{number}")] * 2
        assert client.enqueue_many(again, **way)[1].error is not None


@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_a_producer_enqueues_and_does_no_more(kind: Any, start_server: StartServer) -> None:
    """Nothing is refused to it, it has no command that it does not use, and it reads no payload."""
    server = start_server(kind)
    with server.client() as redis, Client(make_user(server, "producer")) as client:
        enqueue_in_every_way(client)
        assert redis.acl_log() == []
        used = {name.removeprefix("cmdstat_") for name in redis.info("commandstats")}
        granted = {rule[1:] for rule in rules_of("producer") if rule.startswith("+")} - NOT_NEEDED_HERE
        assert granted - used == set()
    with server.client(username="producer", password="secret") as stranger:
        for words in (
            ("RPOP", Q.pending),
            ("LRANGE", Q.pending, 0, -1),
            ("HGETALL", "x"),
            ("GET", "other"),
            ("KEYS", "*"),
        ):
            with pytest.raises(NoPermissionError):
                stranger.execute_command(*words)


@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_a_worker_without_tracking_polls(
    kind: Any, start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so, and finds its tasks."""
    server = start_server(kind)
    url = make_user(server, "worker", "-client|tracking")
    done: list[str] = []

    async def handler(task: Task) -> None:
        done.append(task.type)

    async with Server(url, task_check_interval=0.05).running(handler):
        await eventually(lambda: "are polled" in caplog.text)
        with Client(url) as client:
            client.enqueue(Task("one"))
            await eventually(lambda: done == ["one"])
            client.enqueue(Task("two"))
            await eventually(lambda: done == ["one", "two"])


@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_the_inspector_can_be_used_whole(kind: Any, start_server: StartServer) -> None:
    """Every method of it; nothing is refused."""
    server = start_server(kind)
    url = make_user(server, "inspector")
    with server.client() as redis, Client(url) as client, Inspector(url) as inspector:
        infos = [client.enqueue(Task("t", number, unique_for=60)) for number in range(6)]
        client.enqueue(Task("t"), group="g")
        client.enqueue(Task("t"), process_in=60, retention=60)
        assert inspector.queues() == ["default"]
        assert inspector.queue_info("default").size == 8
        assert inspector.history("default", days=2)[0].processed == 0
        assert [group.size for group in inspector.groups("default")] == [1]
        assert inspector.task_info("default", infos[0].id).type == "t"
        assert len(inspector.list_tasks("default", "pending")) == 6
        assert len(list(inspector.iter_tasks("default", "pending"))) == 6
        assert len(list(inspector.find_tasks(type="t"))) == 8
        inspector.archive_task("default", infos[0].id)
        inspector.run_task("default", infos[0].id)
        inspector.update_payload("default", infos[1].id, b"new")
        inspector.delete_task("default", infos[1].id)
        assert inspector.archive_all("default", "pending") == 5
        inspector.enqueue_again("default", infos[2].id)
        assert inspector.run_all("default", "archived") == 5
        assert inspector.delete_all("default", "aggregating", group="g") == 1
        inspector.cancel_task(infos[0].id)
        assert inspector.recover_orphans("default", repair=True).orphans == ()
        assert inspector.servers() == []
        assert inspector.handled_patterns() == []
        assert inspector.types_without_consumer("default")[0].type == "t"
        assert inspector.scheduler_entries() == []
        assert inspector.scheduler_events("e") == []
        assert inspector.redis_info()["redis_version"]
        assert inspector.pause_queue("default")
        assert inspector.unpause_queue("default")
        inspector.ping()
        inspector.delete_queue("default", force=True)
        assert redis.acl_log() == []


@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_an_inspector_sees_and_changes_tasks_and_nothing_else(kind: Any, start_server: StartServer) -> None:
    """Counts, lists, scans, scripts, pauses, cancellations."""
    server = start_server(kind)
    url = make_user(server, "inspector")
    with server.client() as redis, Client(url) as client:
        info = client.enqueue(Task("t"))
        channel = BlockingChannel(url)
        assert channel.run(queue_counts("default", now=datetime.now(UTC))).pending == 1

        def look() -> Flow[list[Any]]:
            replies: list[Any] = yield Batch(
                [
                    command("SMEMBERS", keys.QUEUES),
                    command("LRANGE", Q.pending, 0, -1),
                    command("HGETALL", Q.task(info.id)),
                    command("SCAN", 0, "MATCH", "asynq:*"),
                    command("MEMORY", "USAGE", Q.pending),
                    command("INFO"),
                    command("TIME"),
                    command("SET", Q.paused, 1),
                    command("PUBLISH", keys.CANCEL_CHANNEL, info.id),
                    command("DEL", Q.paused, Q.pending, Q.task(info.id)),
                ]
            )
            return replies

        assert [reply for reply in channel.run(look()) if isinstance(reply, AsynqpyError)] == []
        channel.close()
        assert redis.acl_log() == []
    with server.client(username="inspector", password="secret") as stranger:
        for words in (("GET", "other"), ("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("PUBLISH", "other", 1)):
            with pytest.raises(NoPermissionError):
                stranger.execute_command(*words)
