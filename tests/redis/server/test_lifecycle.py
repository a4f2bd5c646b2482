"""The life of a server: states, start, stop, shutdown, signals, and Redis that is not there."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from asynqpy import BrokerError, ConfigError, ServeMux, Server, ServerClosedError, ServerState, ServerStateError, Task
from asynqpy._wire import keys
from asynqpy._wire.records import ServerInfo
from tests.conftest import StartProxy, StartServer

from .conftest import PLAIN, UVLOOP
from .programs import worker
from .stage import Stage, assert_nothing_is_left, eventually, soon

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[UVLOOP, PLAIN], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


async def nothing(task: Task) -> None:
    """Succeed."""


class Gate:
    """A handler that waits until it is let go."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, task: Task) -> None:
        self.entered.set()
        await self.go_on.wait()


def announced(stage: Stage) -> list[ServerInfo]:
    """The servers that Redis knows."""
    return [ServerInfo.decode(stage.redis.get(key)) for key in stage.redis.keys("asynq:servers:*")]


async def test_a_server_goes_from_new_to_active_to_stopped_to_closed(stage: Stage) -> None:
    """Each state is visible on the object and announced in Redis; the announcement ends with the server."""
    server = Server(stage.url)
    assert server.state is ServerState.NEW
    async with server.running(nothing):
        assert server.state is ServerState.ACTIVE
        await eventually(lambda: [info.status for info in announced(stage)] == ["active"])
        server.stop()
        assert server.state is ServerState.STOPPED
        await eventually(lambda: [info.status for info in announced(stage)] == ["stopped"])
        server.stop()  # ignored
    assert server.state is ServerState.CLOSED
    assert announced(stage) == []
    assert stage.left_keys() == set()


async def test_stop_and_shutdown_of_a_new_or_closed_server_are_ignored(stage: Stage) -> None:
    """Neither changes its state."""
    server = Server(stage.url)
    server.stop()
    server.shutdown()
    assert server.state is ServerState.NEW
    async with server.running(nothing):
        pass
    server.stop()
    server.shutdown(at_once=True)
    assert server.state is ServerState.CLOSED


async def test_a_running_server_does_not_start_again(stage: Stage) -> None:
    """The second call raises and does not replace the handler of the first."""
    server = Server(stage.url)
    gate = Gate()
    gate.go_on.set()
    async with server.running(gate):
        with pytest.raises(ServerStateError, match="already running"):
            await server.serve(nothing)
        stage.enqueue()
        await soon(gate.entered)
        server.stop()
        with pytest.raises(ServerStateError, match="stopped state"):
            await server.serve(nothing)
    with pytest.raises(ServerClosedError):
        await server.serve(nothing)


async def test_a_server_needs_a_handler(stage: Stage) -> None:
    """And says so before anything is started: it can still be started afterwards."""
    server = Server(stage.url)
    with pytest.raises(ConfigError, match="without a handler"):
        await server.serve(None)  # type: ignore[arg-type]
    assert server.state is ServerState.NEW


async def test_ping_asks_redis_except_when_closed(stage: Stage) -> None:
    """Any state but the last asks."""
    server = Server(stage.url)
    await server.ping()
    async with server.running(nothing):
        await server.ping()
    await server.ping()
    with pytest.raises(BrokerError):
        await Server("redis://127.0.0.1:1").ping()


async def test_a_stopped_server_finishes_what_runs_and_takes_nothing_new(stage: Stage) -> None:
    """Scheduled tasks are still forwarded meanwhile."""
    gate = Gate()
    running = stage.enqueue()
    async with stage.serving(gate) as server:
        await soon(gate.entered)
        await stage.stop(server)
        pending = stage.enqueue()
        scheduled = stage.enqueue(process_in=0.1)
        await stage.until_state(scheduled, "pending")
        gate.go_on.set()
        await stage.until_gone(running)
        assert stage.state(pending) == "pending"
    assert stage.state(pending) == "pending"


async def test_a_graceful_shutdown_waits_for_running_handlers(stage: Stage) -> None:
    """What runs may finish; what waits stays pending."""
    gate = Gate()
    running = stage.enqueue()
    async with stage.serving(gate, concurrency=1) as server:
        await soon(gate.entered)
        pending = stage.enqueue()
        server.shutdown()
        await asyncio.sleep(0)
        assert server.state is ServerState.ACTIVE
        gate.go_on.set()
    assert stage.state(running) is None
    assert stage.state(pending) == "pending"
    assert stage.counters() == (1, 0)


async def test_a_shutdown_that_takes_too_long_puts_tasks_back(stage: Stage) -> None:
    """At the front of the queue, with no retry spent, nothing counted, no lease left."""
    gate = Gate()
    running = stage.enqueue()
    async with stage.serving(gate, concurrency=1, shutdown_timeout=0.1):
        await soon(gate.entered)
        waiting = stage.enqueue()
    stored = stage.stored(running)
    assert stored is not None
    assert (stored.state, stored.message.retried, stored.message.error_msg) == ("pending", 0, "")
    assert stage.ids("pending")[-1] == running.id  # the end that is served next
    assert stage.state(waiting) == "pending"
    assert stage.ids("active") == stage.ids("lease") == []
    assert stage.counters() == (0, 0)


async def test_a_shutdown_at_once_does_not_wait(stage: Stage) -> None:
    """Running tasks are put back without the time that they might have."""
    gate = Gate()
    info = stage.enqueue()
    began = time.monotonic()
    async with stage.serving(gate, shutdown_timeout=3600) as server:
        await soon(gate.entered)
        server.shutdown(at_once=True)
    assert time.monotonic() - began < 60
    assert stage.state(info) == "pending"


async def test_a_second_shutdown_may_hurry_the_first(stage: Stage) -> None:
    """shutdown() waits, shutdown(at_once=True) ends the waiting."""
    gate = Gate()
    info = stage.enqueue()
    async with stage.serving(gate, shutdown_timeout=3600) as server:
        await soon(gate.entered)
        server.shutdown()
        await asyncio.sleep(0.05)
        server.shutdown(at_once=True)
    assert stage.state(info) == "pending"


async def test_a_handler_that_ignores_the_end_does_not_hold_it_up(stage: Stage) -> None:
    """Its task is put back, the server ends; the handler is left to itself."""
    entered, release = asyncio.Event(), asyncio.Event()
    ended = asyncio.Event()

    async def stubborn(task: Task) -> None:
        entered.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        ended.set()

    info = stage.enqueue()
    server = Server(stage.url, shutdown_timeout=0.1, cancel_grace=0.1)
    async with server.running(stubborn):
        await soon(entered)
    assert stage.state(info) == "pending"
    assert stage.ids("active") == stage.ids("lease") == []
    release.set()
    await soon(ended)
    assert stage.state(info) == "pending"


async def test_a_thread_that_ignores_the_end_does_not_hold_it_up(stage: Stage) -> None:
    """Nothing that it does later reaches Redis."""
    entered, release = threading.Event(), threading.Event()

    def stubborn(task: Task) -> str:
        entered.set()
        release.wait(60)
        return "too late"

    info = stage.enqueue(retention=60)
    server = Server(stage.url, shutdown_timeout=0, cancel_grace=0)
    async with server.running(stubborn):
        await eventually(entered.is_set)
    release.set()
    stored = stage.stored(info)
    assert stored is not None
    assert (stored.state, stored.result) == ("pending", None)


async def test_cancelling_serve_ends_the_server_in_good_order(stage: Stage) -> None:
    """Running tasks get their time, as with shutdown(); then the cancellation goes on."""
    gate = Gate()
    info = stage.enqueue()
    server = Server(stage.url)
    serving = asyncio.create_task(server.serve(gate))
    await soon(gate.entered)
    serving.cancel()
    await asyncio.sleep(0.05)
    gate.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert stage.state(info) is None
    assert server.state is ServerState.CLOSED
    assert_nothing_is_left(server)


async def test_an_error_in_the_block_ends_the_server_and_goes_on(stage: Stage) -> None:
    """`async with server.running(...)` behaves as any context manager."""
    server = Server(stage.url)
    with pytest.raises(KeyError, match="mine"):
        async with server.running(nothing):
            raise KeyError("mine")
    assert server.state is ServerState.CLOSED
    assert stage.left_keys() == set()


async def test_shutdown_is_safe_from_a_thread_and_from_a_handler(stage: Stage) -> None:
    """Either may end the server that it runs in."""

    async def from_handler(task: Task) -> None:
        server.shutdown()

    def from_thread(task: Task) -> None:
        server.shutdown()

    for handler in (from_handler, from_thread):
        info = stage.enqueue()
        server = Server(stage.url)
        async with asyncio.timeout(60):
            await server.serve(handler)
        assert stage.state(info) is None


async def test_a_shutdown_right_after_the_start_is_not_lost(stage: Stage) -> None:
    """However early it comes."""
    for _ in range(5):
        server = Server(stage.url)
        serving = asyncio.create_task(server.serve(nothing))
        await asyncio.sleep(0)
        assert server.state is ServerState.ACTIVE
        server.shutdown()
        async with asyncio.timeout(60):
            await serving


async def test_a_shutdown_while_an_embedded_server_starts_is_not_lost(tmp_path: Path) -> None:
    """The start of the embedded server takes a while; an end that is asked for meanwhile comes after it."""
    server = Server(f"embedded://{tmp_path}")
    serving = asyncio.create_task(server.serve(nothing))
    await eventually(lambda: server.state is ServerState.ACTIVE)
    server.shutdown()
    async with asyncio.timeout(60):
        await serving
    assert server.state is ServerState.CLOSED


async def test_a_stop_while_an_embedded_server_starts_is_not_lost(tmp_path: Path) -> None:
    """A server that was stopped before it ran takes no task."""
    server = Server(f"embedded://{tmp_path}")
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(server.serve(nothing))
        await eventually(lambda: server.state is ServerState.ACTIVE)
        server.stop()
        await eventually(lambda: server._rings is not None and not server._rings._processor.claiming)
        server.shutdown()


async def test_a_server_ends_promptly_under_load_and_loses_nothing(stage: Stage) -> None:
    """Every task is either done or pending, whatever was on its way at the moment of the end."""
    total = 0
    for concurrency in (1, 7, 64):
        for _ in range(6):
            stage.enqueue_many(300)
            total += 300
            async with stage.serving(nothing, concurrency=concurrency):
                await eventually(lambda: stage.counters()[0] > 0)
            assert stage.ids("active") == stage.ids("lease") == []
            assert stage.counters()[0] + len(stage.ids("pending")) == total


async def test_a_server_starts_without_redis_and_goes_on_when_it_comes(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Starting never waits for Redis; the log tells of the trouble, but not for every attempt."""
    redis_server = start_server(options={"appendonly": "yes", "appendfsync": "always"})
    with redis_server.client() as redis:
        stage = Stage(redis_server.url, redis)
        info = stage.enqueue()
        redis_server.stop()
        async with stage.serving(nothing):
            await eventually(lambda: "cannot work with Redis" in caplog.text)
            redis_server.start()
            await stage.until_gone(info)
        stage.close()


async def test_a_server_without_redis_can_be_shut_down(caplog: pytest.LogCaptureFixture) -> None:
    """It ends by itself, in bounded time."""
    server = Server("redis://127.0.0.1:1")
    async with asyncio.timeout(60):
        async with server.running(nothing):
            await eventually(lambda: "cannot work with Redis" in caplog.text)
    assert server.state is ServerState.CLOSED


async def test_redis_that_is_away_at_the_end_costs_no_more_than_time(
    stage: Stage, start_proxy: StartProxy, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outcomes that cannot be written are given up after a while; their leases end by themselves."""
    monkeypatch.setattr("asynqpy._worker.rings.FLUSH_SECONDS", 0.5)
    proxy = start_proxy(stage.url)
    gate = Gate()
    info = stage.enqueue()
    server = Server(proxy.url, shutdown_timeout=0.5)
    async with asyncio.timeout(100):
        async with server.running(gate):
            await soon(gate.entered)
            proxy.cut()
            gate.go_on.set()
    assert stage.state(info) == "active"
    assert "could not be written" in caplog.text


async def test_an_outcome_is_written_after_an_outage(stage: Stage, start_proxy: StartProxy) -> None:
    """What ended while Redis was away is written when it is back, exactly once."""
    proxy = start_proxy(stage.url)
    gate = Gate()
    infos = [stage.enqueue() for _ in range(5)]
    async with stage.serving(gate, redis=proxy.url) as server:
        await eventually(lambda: server._rings is not None and len(server._rings._in_flight) == 5)
        proxy.cut()
        gate.go_on.set()
        await asyncio.sleep(0.3)  # outcomes are now waiting for Redis
        proxy.heal()
        await stage.until_gone(*infos)
    assert stage.counters() == (5, 0)
    assert stage.left_keys() == set()


async def test_a_health_check_hears_good_and_bad(stage: Stage, start_proxy: StartProxy) -> None:
    """None while Redis answers, the error when it does not; what the callback raises changes nothing."""
    proxy = start_proxy(stage.url)
    heard: list[BaseException | None] = []

    async def check(error: BaseException | None) -> None:
        heard.append(error)
        raise RuntimeError("a bug in the callback")

    async with stage.serving(nothing, redis=proxy.url, health_check=check, health_check_interval=0.05):
        await eventually(lambda: heard.count(None) >= 2)
        proxy.cut()
        await eventually(lambda: isinstance(heard[-1], BrokerError))
        proxy.heal()
        await eventually(lambda: heard[-1] is None)


async def ended(process: subprocess.Popen[str]) -> int:
    """The exit code of a process that should end."""
    await eventually(lambda: process.poll() is not None, limit_seconds=60)
    return process.returncode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_term_and_int_drain_and_end(stage: Stage, number: signal.Signals, anyio_backend_name: str) -> None:
    """The running task finishes, the process ends with 0."""
    running = stage.enqueue("slow", 1)
    with worker(stage.url) as process:
        await stage.until_state(running, "active")
        process.send_signal(number)
        assert await ended(process) == 0
        assert process.stdout is not None
        assert "ended well" in process.stdout.read()
    assert stage.state(running) is None
    assert stage.left_keys() == set()


async def test_a_second_signal_puts_tasks_back_at_once(stage: Stage) -> None:
    """The shutdown timeout of an hour is not waited for."""
    running = stage.enqueue("slow", 3600)
    with worker(stage.url, shutdown_timeout=3600) as process:
        await stage.until_state(running, "active")
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0
    assert stage.state(running) == "pending"


async def test_tstp_stops_claiming_and_term_ends(stage: Stage) -> None:
    """After TSTP the server lives on without taking tasks."""
    with worker(stage.url) as process:
        await stage.until_gone(stage.enqueue("quick"))
        process.send_signal(signal.SIGTSTP)
        await eventually(lambda: [info.status for info in announced(stage)] == ["stopped"])
        info = stage.enqueue("quick")
        await asyncio.sleep(0.3)
        assert stage.state(info) == "pending"
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0
    assert stage.state(info) == "pending"


async def test_a_stuck_thread_does_not_keep_the_process_alive(stage: Stage) -> None:
    """The process ends after a forced shutdown, whatever a plain function is still doing."""
    info = stage.enqueue("stubborn", 3600)
    with worker(stage.url, shutdown_timeout=0, cancel_grace=0) as process:
        await stage.until_state(info, "active")
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0
    assert stage.state(info) == "pending"


async def test_a_mux_may_get_handlers_while_the_server_runs(stage: Stage) -> None:
    """Registration is allowed at any time."""
    mux = ServeMux()
    async with stage.serving(mux):
        first = stage.enqueue("late", max_retry=0)
        await stage.until_state(first, "archived")
        mux.handle("late", nothing)
        await stage.until_gone(stage.enqueue("late"))


async def test_two_servers_in_one_process_do_not_disturb_each_other(stage: Stage) -> None:
    """Each has its own queues, connections and end."""
    seen: list[str] = []

    async def one(task: Task) -> None:
        seen.append("one " + task.queue)

    async def two(task: Task) -> None:
        seen.append("two " + task.queue)

    async with stage.serving(one, queues={"a": 1}):
        async with stage.serving(two, queues={"b": 1}):
            await eventually(lambda: len(announced(stage)) == 2)
            await stage.until_gone(stage.enqueue(queue="a"), stage.enqueue(queue="b"))
        await eventually(lambda: len(announced(stage)) == 1)
        await stage.until_gone(stage.enqueue(queue="a"))
    assert seen == ["one a", "two b", "one a"] or sorted(seen) == ["one a", "one a", "two b"]
    assert keys.SERVERS not in stage.left_keys()
