"""Redis that is down, slow, restarted, or loses a reply. For `Client` and `AsyncClient` alike."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from asynqpy import AsyncClient, BrokerError, Client, ConnectionLostError, DuplicateTaskError, RedisOptions, Task
from asynqpy._wire import keys
from tests.conftest import StartProxy, StartServer

from .conftest import Connect, Face, Look

pytestmark = pytest.mark.anyio


async def test_ping_answers(client: Face) -> None:
    """And raises nothing."""
    await client.ping()


async def test_redis_that_is_down_is_a_broker_error_at_once(connect: Connect) -> None:
    """Nobody waits for a timeout; the cause is the driver's own error."""
    client = connect("redis://127.0.0.1:1")
    began = time.monotonic()
    with pytest.raises(BrokerError, match="cannot reach Redis") as caught:
        await client.enqueue(Task("t"))
    assert caught.value.__cause__ is not None
    with pytest.raises(BrokerError):
        await client.ping()
    results = await client.enqueue_many([Task("t"), Task("t")])
    for result in results:
        assert isinstance(result.error, BrokerError)
        assert not isinstance(result.error, ConnectionLostError)
    assert time.monotonic() - began < 20


async def test_a_client_works_again_when_redis_is_back(connect: Connect, start_server: StartServer) -> None:
    """Also the very first call after a restart that it did not notice, whichever it is."""
    server = start_server()
    for first in ("enqueue", "ping", "enqueue_many"):
        client = connect(server.url)
        await client.enqueue(Task("t"))
        server.restart()
        await asyncio.sleep(0.6)  # the connection counts as idle now
        match first:
            case "enqueue":
                await client.enqueue(Task("t"))
            case "ping":
                await client.ping()
            case _:
                assert all(result.info for result in await client.enqueue_many([Task("t")] * 3))


async def test_a_client_recovers_after_an_outage(connect: Connect, start_server: StartServer) -> None:
    """Errors while it lasts, work afterwards."""
    server = start_server()
    client = connect(server.url)
    await client.enqueue(Task("t"))
    server.kill()
    for _ in range(3):
        with pytest.raises(BrokerError):
            await client.enqueue(Task("t"))
    server.start()
    assert (await client.enqueue(Task("t"))).id


@pytest.mark.parametrize(
    "options", [{}, {"process_in": 60}, {"group": "g"}, {"unique_for": 60}, {"task_id": "mine"}], ids=str
)
async def test_a_lost_reply_does_not_enqueue_twice(
    connect: Connect, start_proxy: StartProxy, redis_url: str, look: Look, options: dict[str, Any]
) -> None:
    """The connection breaks after the task was stored: it is sent again, finds itself, and counts as enqueued."""
    proxy = start_proxy(redis_url)
    client = connect(proxy.url)
    await client.enqueue(Task("warm up"), queue="other", **({"group": "g"} if "group" in options else {}))
    await client.enqueue(Task("warm up"), queue="other", process_in=1)
    await client.enqueue(Task("register the queue"), group="no")
    proxy.drop_after(0, toward="client")
    info = await client.enqueue(Task("t", b"p"), **options)
    q = keys.of_queue("default")
    assert look.message(info).type == "t"
    assert len(look.redis.keys(q.task_prefix + "*")) == 2
    places = {q.pending: look.redis.lrange(q.pending, 0, -1)}
    places |= {key: look.redis.zrange(key, 0, -1) for key in (q.scheduled, q.group("g"))}
    assert sum(found.count(info.id.encode()) for found in places.values()) == 1


async def test_a_lost_batch_is_not_enqueued_twice(
    connect: Connect, start_proxy: StartProxy, redis_url: str, look: Look
) -> None:
    """The same for many: each once, and no false conflicts or duplicates."""
    proxy = start_proxy(redis_url)
    client = connect(proxy.url)
    await client.enqueue_many([Task("warm up")])
    proxy.drop_after(0, toward="client")
    results = await client.enqueue_many(
        [Task("t", n, unique_for=60) for n in range(500)] + [Task("t", 0, unique_for=60)]
    )
    assert [type(result.error) for result in results[:500]] == [type(None)] * 500
    assert isinstance(results[500].error, DuplicateTaskError)
    assert look.redis.llen(keys.of_queue("default").pending) == 501


async def test_a_request_cut_in_the_middle_is_sent_again(
    connect: Connect, start_proxy: StartProxy, redis_url: str, look: Look
) -> None:
    """Half a command is none."""
    proxy = start_proxy(redis_url)
    client = connect(proxy.url)
    await client.enqueue(Task("warm up"))
    proxy.drop_after(200, toward="server")
    info = await client.enqueue(Task("t", b"x" * 1000))
    assert look.message(info).payload == b"x" * 1000


async def test_a_server_that_hangs_is_given_up(connect: Connect, start_proxy: StartProxy, redis_url: str) -> None:
    """After the timeout of the options; the call after that works when Redis does."""
    proxy = start_proxy(redis_url)
    options = RedisOptions(
        port=proxy.port,
        host="127.0.0.1",
        timeout=timedelta(milliseconds=300),
        connect_timeout=timedelta(milliseconds=300),
    )
    client = connect(options)
    await client.enqueue(Task("t"))
    proxy.stall()
    async with asyncio.timeout(30):
        with pytest.raises(BrokerError):
            await client.enqueue(Task("t"))
        with pytest.raises(BrokerError):
            await client.ping()
    proxy.heal()
    await client.enqueue(Task("t"))


async def test_a_server_that_hangs_from_the_start_is_given_up(
    connect: Connect, start_proxy: StartProxy, redis_url: str
) -> None:
    """Connecting succeeds, logging in gets no answer."""
    proxy = start_proxy(redis_url)
    proxy.stall()
    options = RedisOptions(
        port=proxy.port,
        host="127.0.0.1",
        timeout=timedelta(milliseconds=300),
        connect_timeout=timedelta(milliseconds=300),
    )
    client = connect(options)
    async with asyncio.timeout(30):
        with pytest.raises(BrokerError):
            await client.ping()
    proxy.heal()
    await client.ping()


async def test_forgotten_scripts_are_loaded_again(client: Face, look: Look) -> None:
    """After SCRIPT FLUSH, a failover or a restart."""
    for _ in range(2):
        await client.enqueue(Task("t"))
        await client.enqueue_many([Task("t"), Task("t", process_in=60), Task("t", group="g")])
        look.redis.script_flush()
    results = await client.enqueue_many([Task("t"), Task("t", process_in=60), Task("t", group="g")])
    assert all(result.info for result in results)


async def test_a_wrong_type_in_redis_is_a_broker_error_and_spoils_nothing_else(client: Face, look: Look) -> None:
    """One queue is broken, the task of the other is created."""
    look.redis.set(keys.of_queue("broken").pending, "not a list")
    results = await client.enqueue_many([Task("t", queue="broken"), Task("t", queue="well")])
    assert isinstance(results[0].error, BrokerError)
    assert results[1].info is not None


async def test_a_refused_login_says_so(connect: Connect, start_server: StartServer) -> None:
    """Without showing the password."""
    server = start_server(password="right")
    client = connect(f"redis://:wrong-secret@127.0.0.1:{server.port}")
    with pytest.raises(BrokerError) as caught:
        await client.enqueue(Task("t"))
    assert "wrong-secret" not in str(caught.value)


def test_eight_threads_share_a_client(redis_url: str, redis: Redis) -> None:
    """Every call gets its own result; nothing is lost or doubled."""
    failures: list[BaseException] = []
    with Client(redis_url) as client:

        def work(thread: int) -> None:
            try:
                for n in range(100):
                    name = f"{thread}.{n}"
                    assert client.enqueue(Task("t", name)).payload == name.encode()
                results = client.enqueue_many(Task("t", f"{thread}.many.{n}") for n in range(1200))
                assert [r.unwrap().payload for r in results] == [f"{thread}.many.{n}".encode() for n in range(1200)]
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert failures == []
    assert redis.llen(keys.of_queue("default").pending) == 8 * 1300


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_enqueues_on_connections_of_its_own(redis_url: str, redis: Redis) -> None:
    """Parent and child use the same client at the same time, and no reply reaches the wrong one."""
    with Client(redis_url) as client:
        client.enqueue(Task("before"))
        child = os.fork()
        if child == 0:
            try:
                for n in range(200):
                    assert client.enqueue(Task("child", n)).payload == b"%d" % n
                client.ping()
                client.close()
            except BaseException:
                os._exit(1)
            os._exit(0)
        for n in range(200):
            assert client.enqueue(Task("parent", n)).payload == b"%d" % n
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        client.enqueue(Task("after"))
    assert redis.llen(keys.of_queue("default").pending) == 402


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_while_another_thread_enqueues_does_not_hang_the_child(redis_url: str) -> None:
    """Whatever was locked or in use in the parent at that moment."""
    stop = threading.Event()
    with Client(redis_url) as client:

        def enqueue() -> None:
            while not stop.is_set():
                client.enqueue(Task("t"))

        threads = [threading.Thread(target=enqueue) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(10):
                child = os.fork()
                if child == 0:
                    try:
                        client.enqueue(Task("child"))
                    except BaseException:
                        os._exit(1)
                    os._exit(0)
                _, status = os.waitpid(child, 0)
                assert os.waitstatus_to_exitcode(status) == 0
        finally:
            stop.set()
            for thread in threads:
                thread.join(30)


async def test_a_cancelled_caller_does_not_spoil_the_others(redis_url: str, look: Look) -> None:
    """Its task may be enqueued or not; every other caller gets its own result."""
    async with AsyncClient(redis_url) as client:
        for _ in range(20):
            calls = [asyncio.create_task(client.enqueue(Task("t", n))) for n in range(20)]
            await asyncio.sleep(0)
            calls[7].cancel()
            done = await asyncio.gather(*calls, return_exceptions=True)
            assert isinstance(done[7], asyncio.CancelledError)
            for n, info in enumerate(done):
                if n != 7:
                    assert info.payload == b"%d" % n  # type: ignore[union-attr]


def test_an_async_client_may_be_used_on_one_loop_after_the_other(redis_url: str, redis: Redis) -> None:
    """asyncio.run() again and again, as scripts and web frameworks do."""
    # In a process of its own, because loops that are gone leave unclosed sockets to the garbage collector.
    program = """
import asyncio, sys
from asynqpy import AsyncClient, Task
client = AsyncClient(sys.argv[1])
async def use():
    await asyncio.gather(*(client.enqueue(Task("t")) for _ in range(3)))
    await client.enqueue_many([Task("t")])
    await client.ping()
for _ in range(3):
    asyncio.run(use())
asyncio.run(client.close())
"""
    done = subprocess.run([sys.executable, "-c", program, redis_url], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert redis.llen(keys.of_queue("default").pending) == 12


async def test_closing_finishes_what_is_on_its_way(redis_url: str, look: Look) -> None:
    """Calls that were made before close() are answered."""
    client = AsyncClient(redis_url)
    calls = [asyncio.create_task(client.enqueue(Task("t", n))) for n in range(50)]
    await asyncio.sleep(0)
    await client.close()
    infos = await asyncio.gather(*calls)
    assert sorted(look.pending()) == sorted(info.id for info in infos)


async def test_closing_twice_is_allowed(client: Face) -> None:
    """And closing what was never used."""
    await client.close()
    await client.close()
