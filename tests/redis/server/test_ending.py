"""How a server ends when it is not asked to but made to: cancelled from outside, or by an error in the block."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from asynqpy import ServeMux, Server, Task
from asynqpy._wire import keys

from .stage import Stage, eventually, soon

pytestmark = pytest.mark.anyio


def patient() -> tuple[ServeMux, asyncio.Event]:
    """A mux whose only handler never ends, and the event that tells that it has begun."""
    mux, begun = ServeMux(), asyncio.Event()

    @mux.handler("t")
    async def handler(task: Task) -> None:
        begun.set()
        await asyncio.Event().wait()

    return mux, begun


def is_put_back(stage: Stage) -> bool:
    """Whether the only task is pending again, and nothing waits for a lease to end."""
    return bool(stage.ids("pending")) and not stage.ids("active") and not stage.ids("lease")


async def test_a_cancelled_scope_puts_running_tasks_back(stage: Stage) -> None:
    """Being cancelled by a scope of anyio ends the parts in their order, as being asked does."""
    stage.enqueue()
    mux, begun = patient()
    async with anyio.create_task_group() as group:
        group.start_soon(Server(stage.url, shutdown_timeout=0.1).serve, mux)
        await soon(begun)
        group.cancel_scope.cancel()
    assert is_put_back(stage)


async def test_a_cancelled_asyncio_task_puts_running_tasks_back(stage: Stage) -> None:
    """The same for a plain task of asyncio, which sees the cancellation in the end."""
    stage.enqueue()
    mux, begun = patient()
    serving = asyncio.create_task(Server(stage.url, shutdown_timeout=0.1).serve(mux))
    await soon(begun)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert is_put_back(stage)


async def test_an_error_in_the_block_arrives_as_it_is(stage: Stage) -> None:
    """Not inside a group, and after the server has ended."""
    stage.enqueue()
    mux, begun = patient()
    server = Server(stage.url, shutdown_timeout=0.1)
    with pytest.raises(KeyError, match="mine"):  # noqa: PT012 - the server is what is tested
        async with server.running(mux):
            await soon(begun)
            raise KeyError("mine")
    assert server.state == "closed"
    assert is_put_back(stage)


async def test_running_tasks_keep_their_leases_when_redis_is_full(stage: Stage) -> None:
    """With `noeviction` Redis refuses what needs memory; a beat needs none, so no task is run twice for it."""
    info = stage.enqueue()
    mux, begun = patient()
    lease = keys.of_queue("default").lease
    async with Server(stage.url, shutdown_timeout=0.1).running(mux) as server:
        await soon(begun)
        before = stage.redis.zscore(lease, info.id)
        stage.redis.config_set("maxmemory", "1mb")  # less than an empty server takes
        try:
            server._rings._heartbeater.beat_soon()  # type: ignore[union-attr]
            await eventually(lambda: stage.redis.zscore(lease, info.id) > before)
        finally:
            stage.redis.config_set("maxmemory", "0")
