"""What the page about deployment says of Redis, and of units, is so."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asynqpy import AsyncClient, BrokerError, Client, RevokeTask, Semaphore, ServeMux, Server, Snooze, Task
from asynqpy.retry import fixed
from tests.conftest import StartServer
from tests.redis.server.stage import Stage, eventually
from tests.servers import Certificates, RedisServer

from .access import rules_of
from .page import ROOT, blocks

pytestmark = pytest.mark.anyio

PAGE = ROOT / "docs/howto/deploy.md"
NOT_NEEDED_HERE = {"auth", "select"}
"""HELLO logs in, and the database is the first one."""


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def stages(start_server: StartServer) -> Iterator[Any]:
    """Opens stages on servers of the test's own."""
    opened: list[Stage] = []

    def open_(server: RedisServer) -> Stage:
        opened.append(Stage(server.url, server.client()))
        return opened[-1]

    yield open_
    for stage in opened:
        stage.close()
        stage.redis.close()


def all_outcomes(url: str) -> ServeMux:
    mux = ServeMux()
    tired = True
    semaphore = Semaphore(url, "shared", 1)

    @mux.handler("done")
    async def done(task: Task) -> str:
        await task.write_result(b"half")
        return "all"

    @mux.handler("fails")
    async def fails(task: Task) -> None:
        raise ValueError("on purpose")

    @mux.handler("snoozes")
    async def snoozes(task: Task) -> None:
        nonlocal tired
        if tired:
            tired = False
            raise Snooze(0.05)

    @mux.handler("revoked")
    async def revoked(task: Task) -> None:
        raise RevokeTask

    @mux.handler("paced", limit="5/second")
    async def paced(task: Task) -> None:
        await task.report_progress(0.5)

    @mux.handler("one by one", max_active=1)
    async def one_by_one(task: Task) -> None:
        await asyncio.sleep(0.01)

    @mux.handler("shared")
    async def shared(task: Task) -> str:
        async with semaphore:
            pass
        await semaphore.close()
        return "shared"

    @mux.handler("slow")
    async def slow(task: Task) -> None:
        await asyncio.sleep(600)

    return mux


async def leave_lost_tasks(client: AsyncClient, redis: Any) -> None:
    """Make tasks look as if their workers had died: once, too often, and in a way that no operation leaves behind."""
    for task_id, crashes in (("lost", 0), ("crashed", 2), ("mended", 0)):
        await client.enqueue(Task("done"), task_id=task_id)
        redis.rpoplpush("asynq:{default}:pending", "asynq:{default}:active")
        fields = {"state": "active", "py:claim": "dead", "py:begun": "dead", "py:crashes": crashes}
        redis.hset(f"asynq:{{default}}:t:{task_id}", mapping=fields)
        if task_id != "mended":
            redis.zadd("asynq:{default}:lease", {task_id: time.time() - 1.5})
    redis.zadd("asynq:{default}:lease", {f"nobody {n}": time.time() + 1000.5 for n in range(2)})


async def do_everything(stage: Stage, url: str) -> None:
    """Send Redis each command that clients, workers and supervisors have."""
    redis = stage.redis
    async with AsyncClient(url) as client:
        await leave_lost_tasks(client, redis)
        settings: Any = {"aggregator": lambda group, tasks: Task("done"), "group_max_size": 2}
        settings["unknown_types"] = "release"
        server = Server(url, concurrency=40, retry_delay=fixed(600), shutdown_timeout=0.1, **settings)
        async with server.running(all_outcomes(url)):
            slow = await client.enqueue(Task("slow"))
            cancelled = await client.enqueue(Task("slow"))
            gone = [
                await client.enqueue(Task("done"), retention=1),
                await client.enqueue(Task("done", b"unique"), unique_for=60),
                await client.enqueue(Task("snoozes")),
                await client.enqueue(Task("revoked")),
                await client.enqueue(Task("part"), group="two"),
                await client.enqueue(Task("part"), group="two", unique_for=60),
                *[result.unwrap() for result in await client.enqueue_many(Task("done") for _ in range(50))],
            ]
            kept = await client.enqueue(Task("done"), retention=600, process_in=0.05)
            retried = await client.enqueue(Task("fails"))
            archived = await client.enqueue(Task("fails"), max_retry=0)
            unknown = await client.enqueue(Task("unknown"))
            grouped = await client.enqueue(Task("done"), group="g", process_in=0.05)
            for info, state in ((kept, "completed"), (retried, "retry"), (archived, "archived"), (slow, "active")):
                await stage.until_state(info, state)
            await stage.until_state(grouped, "aggregating")
            await stage.until_state(unknown, "scheduled")
            await eventually(lambda: redis.pubsub_numsub("asynq:cancel")[0][1])
            redis.publish("asynq:cancel", cancelled.id)
            await stage.until_state(cancelled, "retry")
            await eventually(lambda: redis.hget("asynq:{default}:t:crashed", "state") == b"archived")
            await eventually(lambda: not redis.exists("asynq:{default}:t:lost", "asynq:{default}:t:mended"))
            await stage.until_gone(*gone)
            waiting = await client.enqueue(Task("shared"), retention=600)
            assert await client.wait(waiting) == b"shared"
            limited = [await client.enqueue(Task(kind)) for kind in ("paced", "one by one") for _ in range(4)]
            await stage.until_gone(*limited)
            await client.ping()
            server.stop()  # is announced at once, with what still runs
            await eventually(lambda: redis.keys("asynq:workers:*"))
    assert stage.state(slow) == "pending"


@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_the_user_of_the_page_can_do_all_that_is_done(kind: Any, start_server: StartServer, stages: Any) -> None:
    """Nothing is refused to it, and it has no command that is not used."""
    server = start_server(kind)
    stage = stages(server)
    rules = rules_of("worker")
    if kind == "valkey":
        rules.append("+client|setinfo")
    stage.redis.execute_command("ACL", "SETUSER", "worker", *rules)
    stage.redis.config_resetstat()
    await do_everything(stage, server.url.replace("//", "//worker:secret@"))
    assert stage.redis.acl_log() == []
    granted = {rule[1:] for rule in rules if rule.startswith("+")} - NOT_NEEDED_HERE
    assert granted - {name.removeprefix("cmdstat_") for name in stage.redis.info("commandstats")} == set()


async def test_a_full_redis_refuses_new_tasks_and_lets_workers_drain(start_server: StartServer, stages: Any) -> None:
    """With noeviction nothing is lost and nothing half stored."""
    server = start_server("redis", options={"maxmemory-policy": "noeviction"})
    stage = stages(server)
    infos = stage.enqueue_many(3000)
    stage.redis.config_set("maxmemory", 1)
    for options in ({}, {"unique_for": 60}, {"process_in": 60}, {"group": "g"}):
        with pytest.raises(BrokerError):
            stage.enqueue(queue="full", **options)
    assert stage.redis.keys("asynq:{full}*") == []

    async def done(task: Task) -> None:
        return None

    async with Server(server.url, concurrency=100).running(done):
        await eventually(lambda: not stage.redis.exists(*[f"asynq:{{default}}:t:{info.id}" for info in infos]))


async def test_the_pause_key_stops_a_queue_until_it_is_deleted(stage: Stage) -> None:
    """The two commands of the page, given to a worker that runs."""
    pause, unpause = (
        line.removeprefix("$ redis-cli ").replace("'", "").split()
        for block in blocks(PAGE, "console")
        for line in block.splitlines()
        if "redis-cli" in line
    )
    ran: list[str] = []

    async def note(task: Task) -> None:
        ran.append(task.type)

    stage.redis.execute_command(*pause)
    async with stage.serving(note, queues={"low": 1, "default": 1}):
        held = stage.enqueue("held", queue="low")
        await stage.until_gone(stage.enqueue("free"))
        assert (ran, stage.state(held)) == (["free"], "pending")
        stage.redis.execute_command(*unpause)
        await stage.until_gone(held)
    assert ran == ["free", "held"]


def test_a_url_names_the_certificates_of_a_tls_server(start_server: StartServer, tmp_path: Path) -> None:
    """rediss:// with an authority of one's own and a client certificate; an authority that nobody trusts is refused."""
    files = Certificates.make(tmp_path)
    server = start_server("redis", certificates=files)
    with Client(f"{server.url}?ca={files.ca}&cert={files.client}&key={files.client_key}") as client:
        client.ping()
    with Client(server.url) as stranger, pytest.raises(BrokerError):
        stranger.ping()


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    """Checked by systemd itself, with programs of this machine in place of the page's."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd on this machine")
    (unit,) = blocks(PAGE, "ini")
    here = re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", unit).replace("/srv/app", "/").replace("=app", "=root")
    path = tmp_path / "asynqpy-worker.service"
    path.write_text(here)
    checked = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
