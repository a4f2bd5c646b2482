"""Waiting for the end of a task: what comes back, what is raised, and what happens to Redis meanwhile."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from asynqpy import (
    AsyncClient,
    BrokerError,
    Client,
    ConfigError,
    ConnectionLostError,
    InvalidTaskError,
    Progress,
    ResultLostError,
    Task,
    TaskFailedError,
    TaskInfo,
    TaskNotFoundError,
    WaitTimeoutError,
)
from asynqpy._transport import waiting
from asynqpy._transport.waiting import Waits
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage
from tests.conftest import StartProxy, StartServer
from tests.eventually import eventually
from tests.redis.transport.test_tracking import user_without_tracking

from .conftest import BlockingFace, Connect, Face

pytestmark = pytest.mark.anyio


class Worker:
    """Ends tasks by plain commands, as any worker would; a Go server does no more."""

    def __init__(self, redis: Redis) -> None:
        self.redis: Any = redis

    def activate(self, info: TaskInfo) -> None:
        """Claim the task."""
        self.redis.hset(keys.of_queue(info.queue).task(info.id), "state", "active")

    def report(self, info: TaskInfo, fraction: float, text: str = "") -> None:
        """Report how far it is."""
        fields = {"py:progress": str(fraction), "py:progress_text": text, "py:progress_at": "1700000000250"}
        self.redis.hset(keys.of_queue(info.queue).task(info.id), mapping=fields)

    def complete(self, info: TaskInfo, result: bytes | None = b"result") -> None:
        """End it well."""
        fields = {"state": "completed"} | ({} if result is None else {"result": result})
        self.redis.hset(keys.of_queue(info.queue).task(info.id), mapping=fields)

    def archive(self, info: TaskInfo, error: str = "boom") -> None:
        """End it badly."""
        message = TaskMessage(type="t", id=info.id, queue=info.queue, error_msg=error, retried=3)
        fields = {"state": "archived", "msg": message.encode()}
        self.redis.hset(keys.of_queue(info.queue).task(info.id), mapping=fields)

    def delete(self, info: TaskInfo) -> None:
        """Forget it, as after a success without retention."""
        self.redis.delete(keys.of_queue(info.queue).task(info.id))


@pytest.fixture
def worker(redis: Redis) -> Worker:
    """Ends tasks."""
    return Worker(redis)


@pytest.fixture
def no_safety_net(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what Redis pushes is seen."""
    monkeypatch.setattr(waiting, "SAFETY_SECONDS", 3600.0)


def waits_of(client: Face) -> Waits:
    """The inside of a client."""
    if isinstance(client, BlockingFace):
        helper = client.client._waits._helper
        assert helper is not None
        return helper.waits
    assert isinstance(client, AsyncClient)
    return client._waits


async def waiting_for(client: Face, count: int = 1) -> None:
    """Return when the client has looked at so many tasks and waits for them."""

    def all_looked() -> bool:
        if isinstance(client, BlockingFace) and client.client._waits._helper is None:
            return False
        tickets = waits_of(client)._all_tickets()
        return len(tickets) == count and all(ticket.looked for ticket in tickets)

    await eventually(all_looked)


def start(client: Face, task: TaskInfo | str, **options: Any) -> asyncio.Task[bytes | None]:
    """Begin to wait."""
    return asyncio.ensure_future(client.wait(task, **options))


async def test_a_result_that_is_there_is_had_at_once(client: Face, worker: Worker) -> None:
    """By what enqueue returned, or by id and queue; without a result it is None."""
    info = await client.enqueue(Task("t"), queue="low", retention=60)
    worker.complete(info)
    assert await client.wait(info) == b"result"
    assert await client.wait(info.id, queue="low", timeout=30) == b"result"
    other = await client.enqueue(Task("t"), retention=60)
    worker.complete(other, None)
    assert await client.wait(other.id) is None


async def test_a_later_result_is_pushed(client: Face, worker: Worker, no_safety_net: None) -> None:
    """Through every change on the way: claimed, retried, claimed, done."""
    info = await client.enqueue(Task("t"), retention=60)
    wait = start(client, info)
    await waiting_for(client)
    for state in ("active", "retry", "pending", "active"):
        worker.redis.hset(keys.of_queue("default").task(info.id), "state", state)
    worker.complete(info, b"\x00\xff")
    assert await wait == b"\x00\xff"
    assert waits_of(client).count == 0


async def test_a_task_that_failed_raises_its_error(client: Face, worker: Worker, no_safety_net: None) -> None:
    """Whether it is archived already or will be."""
    info = await client.enqueue(Task("t"))
    wait = start(client, info)
    await waiting_for(client)
    worker.archive(info)
    for failing in (wait, start(client, info)):
        with pytest.raises(TaskFailedError, match="has failed: boom") as caught:
            await failing
        error = caught.value
        assert (error.queue, error.task_id, error.error) == ("default", info.id, "boom")
        assert (error.task_type, error.retried) == ("t", 3)


async def test_a_task_that_is_gone_has_lost_its_result(client: Face, worker: Worker, no_safety_net: None) -> None:
    """It was enqueued, so it succeeded or was deleted; the error says what to do."""
    info = await client.enqueue(Task("t"))
    wait = start(client, info.id)
    await waiting_for(client)
    worker.delete(info)
    for lost in (wait, start(client, info)):
        with pytest.raises(ResultLostError, match="retention=") as caught:
            await lost
        assert (caught.value.queue, caught.value.task_id) == ("default", info.id)


async def test_a_task_that_never_was_is_not_found(client: Face) -> None:
    """Nobody knows that it existed."""
    with pytest.raises(TaskNotFoundError, match="task not found") as caught:
        await client.wait("nonsense", queue="low")
    assert not isinstance(caught.value, ResultLostError)


async def test_a_wait_that_is_too_long_is_a_timeout(client: Face, worker: Worker) -> None:
    """Typed, and one of Python's own; the task may be waited for again."""
    info = await client.enqueue(Task("t"), retention=60)
    with pytest.raises(WaitTimeoutError, match=r"not done within 0\.05 s") as caught:
        await client.wait(info, timeout=0.05)
    assert isinstance(caught.value, TimeoutError)
    assert waits_of(client).count == 0
    with pytest.raises(WaitTimeoutError):
        await client.wait(info, timeout=0)
    worker.complete(info)
    assert await client.wait(info, timeout=0) == b"result"
    assert await client.wait(info, timeout=-1) == b"result"


async def test_many_may_wait_for_one_task(client: Face, worker: Worker) -> None:
    """Each gets the result."""
    info = await client.enqueue(Task("t"), retention=60)
    waits = [start(client, info) for _ in range(5)]
    await waiting_for(client, 5)
    worker.complete(info)
    assert await asyncio.gather(*waits) == [b"result"] * 5


async def test_progress_is_told_in_order(client: Face, worker: Worker) -> None:
    """Each that was seen, once; the wait goes on until the result."""
    info = await client.enqueue(Task("t"), retention=60)
    told: list[Progress] = []
    wait = start(client, info, on_progress=told.append)
    await waiting_for(client)
    worker.activate(info)
    for n in range(1, 6):
        worker.report(info, n / 5, f"step {n}")
        await eventually(lambda n=n: len(told) == n)  # type: ignore[misc]
    worker.complete(info)
    assert await wait == b"result"
    assert [(each.fraction, each.text) for each in told] == [(n / 5, f"step {n}") for n in range(1, 6)]
    assert told[0].at.isoformat() == "2023-11-14T22:13:20.250000+00:00"


async def test_the_last_progress_comes_before_the_result(client: Face, worker: Worker) -> None:
    """Also when both are found by one look."""
    info = await client.enqueue(Task("t"), retention=60)
    worker.report(info, 1, "done")
    worker.complete(info)
    told: list[Progress] = []
    assert await client.wait(info, on_progress=told.append) == b"result"
    assert [each.fraction for each in told] == [1.0]


async def test_a_listener_that_fails_ends_the_wait(client: Face, worker: Worker) -> None:
    """With its own error, a timeout of its own included."""
    info = await client.enqueue(Task("t"), retention=60)
    worker.report(info, 0.5)

    def fail(progress: Progress) -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine") as caught:
        await client.wait(info, on_progress=fail, timeout=30)
    assert not isinstance(caught.value, WaitTimeoutError)
    await eventually(lambda: waits_of(client).count == 0)


async def test_progress_that_cannot_be_read_is_ignored(client: Face, worker: Worker) -> None:
    """A wait is for the result."""
    info = await client.enqueue(Task("t"), retention=60)
    worker.redis.hset(keys.of_queue("default").task(info.id), mapping={"py:progress": "x", "py:progress_at": "y"})
    told: list[Progress] = []
    wait = start(client, info, on_progress=told.append)
    await waiting_for(client)
    worker.complete(info)
    assert await wait == b"result"
    assert told == []


async def test_an_async_listener_is_awaited(redis_url: str, worker: Worker) -> None:
    """By `AsyncClient`."""
    told: list[float] = []

    async def listen(progress: Progress) -> None:
        await asyncio.sleep(0)
        told.append(progress.fraction)

    async with AsyncClient(redis_url) as client:
        info = await client.enqueue(Task("t"), retention=60)
        worker.report(info, 0.25)
        worker.complete(info)
        assert await client.wait(info, on_progress=listen) == b"result"
    assert told == [0.25]


def test_a_blocking_client_takes_no_async_listener(redis_url: str) -> None:
    """Nothing would await it."""

    async def listen(progress: Progress) -> None: ...

    with Client(redis_url) as client, pytest.raises(ConfigError, match="plain function"):
        client.wait("id", on_progress=listen)


async def test_a_bug_leaves_nobody_waiting(
    client: Face, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever waits is told, and the log has its traceback; the next wait starts anew."""
    info = await client.enqueue(Task("t"), retention=60)
    with monkeypatch.context() as broken:
        broken.setattr(waiting, "look", lambda queue, task_id: 1 / 0)
        with pytest.raises(ConnectionLostError, match="waiting has failed: division by zero"):
            await client.wait(info)
    assert "ZeroDivisionError" in caplog.text
    with pytest.raises(WaitTimeoutError):
        await client.wait(info, timeout=0)


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((Task("t"),), {}, InvalidTaskError),
        ((" ",), {}, InvalidTaskError),
        (("id",), {"queue": ""}, InvalidTaskError),
        (("id",), {"timeout": "soon"}, ConfigError),
    ],
)
async def test_what_is_no_task_is_refused(client: Face, arguments: Any, options: Any, error: type[Exception]) -> None:
    """Before anything is asked."""
    with pytest.raises(error):
        await client.wait(*arguments, **options)


async def test_an_info_knows_its_queue(client: Face) -> None:
    """Naming another is a mistake."""
    info = await client.enqueue(Task("t"), queue="low")
    with pytest.raises(InvalidTaskError, match="leave queue= out"):
        await client.wait(info, queue="other")


async def test_ten_thousand_waits_share_a_connection(redis_url: str, redis: Redis, worker: Worker) -> None:
    """In one process; each gets its own result."""
    async with AsyncClient(redis_url) as client:
        infos = [result.unwrap() for result in await client.enqueue_many([Task("t")] * 10_000, retention=600)]
        waits = [start(client, info) for info in infos]
        await waiting_for(client, 10_000)
        assert len(redis.client_list()) <= 6  # the tests' own, two lanes, a channel, the tracking one
        for first in range(0, 10_000, 500):
            with redis.pipeline(transaction=False) as pipe:
                for n in range(first, first + 500):
                    key = keys.of_queue("default").task(infos[n].id)
                    pipe.hset(key, mapping={"state": "completed", "result": str(n)})
                await asyncio.to_thread(pipe.execute)
        results = await asyncio.gather(*waits)
        assert results == [str(n).encode() for n in range(10_000)]
        assert client._waits.count == 0


async def test_only_what_has_changed_is_looked_at_again(redis_url: str, redis: Redis, worker: Worker) -> None:
    """A thousand waits, one change: one more look."""
    async with AsyncClient(redis_url) as client:
        infos = [result.unwrap() for result in await client.enqueue_many([Task("t")] * 1000, retention=600)]
        waits = [start(client, info) for info in infos]
        await waiting_for(client, 1000)
        looks = redis.info("commandstats")["cmdstat_hmget"]["calls"]
        worker.complete(infos[500])
        await waits[500]
        assert redis.info("commandstats")["cmdstat_hmget"]["calls"] == looks + 1
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        assert client._waits.count == 0


async def test_where_tracking_is_refused_tasks_are_polled(
    connect: Connect, start_server: StartServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log says it once; results come all the same."""
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(waiting, "REOPEN_SECONDS", 0.05)
    server = start_server()
    client = connect(user_without_tracking(server))
    with server.client() as redis:
        worker = Worker(redis)
        for _ in range(3):
            infos = [await client.enqueue(Task("t"), retention=60) for _ in range(3)]
            waits = [start(client, info) for info in infos]
            await waiting_for(client, 3)
            worker.complete(infos[0])
            worker.archive(infos[1])
            worker.delete(infos[2])
            kinds = [type(each) for each in await asyncio.gather(*waits, return_exceptions=True)]
            assert kinds == [bytes, TaskFailedError, ResultLostError]
    assert caplog.text.count("are polled") == 1


async def test_a_slow_look_at_everything_stays_on(
    client: Face, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push that never came costs time, not the result."""
    monkeypatch.setattr(waiting, "SAFETY_SECONDS", 0.1)
    monkeypatch.setattr(Waits, "_changed", lambda self, key: None)
    info = await client.enqueue(Task("t"), retention=60)
    wait = start(client, info)
    await waiting_for(client)
    worker.complete(info)
    assert await wait == b"result"


async def test_a_wait_outlives_its_connection(
    connect: Connect, redis_url: str, start_proxy: StartProxy, worker: Worker, no_safety_net: None
) -> None:
    """What changed while nothing could be pushed is seen when the connection is back, and later changes too."""
    proxy = start_proxy(redis_url)
    client = connect(proxy.url)
    first, second = [await client.enqueue(Task("t"), retention=60) for _ in range(2)]
    waits = [start(client, info) for info in (first, second)]
    await waiting_for(client, 2)
    proxy.cut()
    worker.complete(first, b"1")
    await eventually(lambda: not waits_of(client)._watch.is_open)
    proxy.heal()
    assert await waits[0] == b"1"
    await eventually(lambda: waits_of(client)._watch.is_open)
    worker.complete(second, b"2")
    assert await waits[1] == b"2"


async def test_redis_that_is_down_is_told(connect: Connect) -> None:
    """To who has not seen the task: there may be a mistake in the address."""
    client = connect("redis://127.0.0.1:1")
    with pytest.raises(BrokerError, match="cannot reach Redis"):
        await client.wait("id")


async def test_closing_the_client_ends_its_waits(connect: Connect) -> None:
    """With an error, and nothing is left behind."""
    client = connect()
    info = await client.enqueue(Task("t"))
    wait = start(client, info)
    await waiting_for(client)
    await client.close()
    with pytest.raises(ConnectionLostError, match="closed"):
        await wait
    await client.close()


async def test_a_cancelled_wait_leaves_nothing(redis_url: str) -> None:
    """Neither the wait nor its place in the table."""
    async with AsyncClient(redis_url) as client:
        info = await client.enqueue(Task("t"))
        wait = start(client, info)
        await waiting_for(client)
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
        assert (client._waits.count, client._waits._changed_keys) == (0, {})


def test_one_loop_after_another(redis_url: str) -> None:
    """asyncio.run() again and again: what belonged to a loop that has ended is left alone."""
    program = f"""
import asyncio
from asynqpy import AsyncClient, ServeMux, Server, Task
client = AsyncClient({redis_url!r})
async def handler(task):
    return "result"
async def use():
    async with Server({redis_url!r}).running(handler):
        info = await client.enqueue(Task("t"), retention=60)
        print(await client.wait(info, timeout=60))
for _ in range(3):
    asyncio.run(use())
asyncio.run(client.close())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "b'result'\n" * 3)


def test_threads_wait_side_by_side(redis_url: str, worker: Worker) -> None:
    """Over one helper, which is there only when somebody has waited."""
    with Client(redis_url) as client:
        infos = [result.unwrap() for result in client.enqueue_many([Task("t")] * 20, retention=60)]
        assert client._waits._helper is None
        results: dict[str, bytes | None] = {}

        def wait(info: TaskInfo) -> None:
            results[info.id] = client.wait(info, timeout=60)

        threads = [threading.Thread(target=wait, args=[info]) for info in infos]
        for thread in threads:
            thread.start()
        for n, info in enumerate(infos):
            worker.complete(info, str(n).encode())
        for thread in threads:
            thread.join()
        assert results == {info.id: str(n).encode() for n, info in enumerate(infos)}
        helper = client._waits._helper
        assert helper is not None
    assert not helper._thread.is_alive()


def test_a_client_waits_again_after_it_was_closed(redis_url: str, worker: Worker) -> None:
    """A new helper is started."""
    client = Client(redis_url)
    info = client.enqueue(Task("t"), retention=60)
    worker.complete(info)
    for _ in range(2):
        assert client.wait(info) == b"result"
        client.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_process_waits_by_itself(redis_url: str, worker: Worker) -> None:
    """After a fork it has a helper of its own, and that of its parent goes on."""
    with Client(redis_url) as client:
        info = client.enqueue(Task("t"), retention=60)
        worker.complete(info)
        assert client.wait(info) == b"result"
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = 0 if client.wait(info, timeout=30) == b"result" else 2
            finally:
                os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        assert client.wait(info) == b"result"


@pytest.fixture(autouse=True)
def no_helper_is_left() -> Iterator[None]:
    """Threads end with their clients."""
    yield
    deadline = time.monotonic() + 10
    while any(thread.name == "asynqpy waits" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "a helper thread is left behind"
        time.sleep(0.01)
