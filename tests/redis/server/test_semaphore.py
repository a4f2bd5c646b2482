"""asynq's semaphore in handlers: on the event loop, in threads, across servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asynqpy import AsynqpyError, ConfigError, Semaphore, SemaphoreFull, ServeMux, Snooze, Task
from tests.eventually import eventually

from .stage import Stage, soon

pytestmark = pytest.mark.anyio

KEY = "asynq:sema:sms"


@pytest.fixture
async def semaphore(stage: Stage) -> AsyncIterator[Semaphore]:
    """Two tokens."""
    made = Semaphore(stage.url, "sms", 2, delay=0.02)
    yield made
    await made.close()


async def test_never_more_than_its_tokens_run(stage: Stage, semaphore: Semaphore) -> None:
    """On two servers; who gets none comes back, pays nothing, and says why it waits."""
    running: list[int] = [0, 0]  # now, most
    go_on = asyncio.Event()

    async def handler(task: Task) -> None:
        async with semaphore:
            running[0] += 1
            running[1] = max(running)
            await go_on.wait()
            running[0] -= 1

    infos = [stage.enqueue(payload=n, max_retry=0) for n in range(8)]
    async with stage.serving(handler), stage.serving(handler):
        await eventually(lambda: running[0] == 2)
        assert sorted(m.decode() for m in stage.redis.zrange(KEY, 0, -1)) == sorted(
            info.id for info in infos if info.id.encode() in stage.redis.zrange(KEY, 0, -1)
        )
        await eventually(
            lambda: any(
                stored.message.error_msg == "all tokens of the semaphore 'sms' are taken"
                for info in infos
                if (stored := stage.stored(info))
            )
        )
        go_on.set()
        await stage.until_gone(*infos)
    assert running == [0, 2]
    assert stage.counters() == (8, 0)
    assert not stage.redis.exists(KEY)


async def test_threads_use_it_too(stage: Stage, semaphore: Semaphore) -> None:
    """With the plain ``with``."""
    held: list[int] = []

    def handler(task: Task) -> None:
        with semaphore:
            held.append(stage.redis.zcard(KEY))

    infos = [stage.enqueue(payload=n) for n in range(6)]
    async with stage.serving(handler):
        await stage.until_gone(*infos)
    assert len(held) == 6
    assert max(held) <= 2
    assert not stage.redis.exists(KEY)


async def test_by_hand(stage: Stage, semaphore: Semaphore) -> None:
    """`acquire` and `release` say what they did; the score is the deadline of the attempt."""
    seen: list[Any] = []
    done = asyncio.Event()

    async def handler(task: Task) -> None:
        seen.append(await semaphore.acquire())
        [(member, score)] = stage.redis.zrange(KEY, 0, -1, withscores=True)
        assert task.deadline is not None
        seen.append((member.decode() == task.id, 0 <= score - task.deadline.timestamp() < 1))
        seen.append(await semaphore.acquire())  # its own
        seen.append(await semaphore.release())
        seen.append(await semaphore.release())
        seen.append(await asyncio.to_thread(lambda: [semaphore.acquire_sync(), semaphore.release_sync()]))
        done.set()

    info = stage.enqueue(timeout=60)
    async with stage.serving(handler):
        await soon(done)
        await stage.until_gone(info)
    assert seen == [True, (True, True), True, True, False, [True, True]]


async def test_a_refusal_may_be_caught(stage: Stage) -> None:
    """It is a `Snooze`, and names the semaphore."""
    caught: list[SemaphoreFull] = []
    stage.redis.zadd(KEY, {"another": 9_999_999_999})
    one = Semaphore(stage.url, "sms", 1, delay=30)

    async def handler(task: Task) -> None:
        try:
            async with one:
                raise AssertionError("there is no token")
        except SemaphoreFull as full:
            caught.append(full)

    info = stage.enqueue()
    async with stage.serving(handler):
        await stage.until_gone(info)
    await one.close()
    assert isinstance(caught[0], Snooze)
    assert (caught[0].scope, caught[0].delay.total_seconds()) == ("sms", 30)


async def test_a_token_that_cannot_be_returned_fails_no_task(
    stage: Stage, semaphore: Semaphore, caplog: pytest.LogCaptureFixture
) -> None:
    """The work is done, and the token ends by itself."""

    async def handler(task: Task) -> None:
        async with semaphore:
            stage.redis.set(KEY, "no sorted set")

    def plain(task: Task) -> None:
        stage.redis.delete(KEY)
        with semaphore:
            stage.redis.set(KEY, "no sorted set")

    mux = ServeMux()
    mux.handle("async", handler)
    mux.handle("plain", plain)
    for kind in ("async", "plain"):
        info = stage.enqueue(kind, max_retry=0)
        async with stage.serving(mux):
            await stage.until_gone(info)
    assert caplog.text.count("could not be returned") == 2
    assert stage.counters() == (2, 0)


async def test_it_belongs_in_a_handler(stage: Stage, semaphore: Semaphore) -> None:
    """Tokens belong to tasks."""
    with pytest.raises(AsynqpyError, match="no task is running here"):
        await semaphore.acquire()
    with pytest.raises(AsynqpyError, match="no task is running here"):
        semaphore.release_sync()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((" ", 1), {}, "scope"),
        (("s", 0), {}, "max_tokens"),
        (("s", True), {}, "max_tokens"),
        (("s", 1), {"delay": 0}, "delay"),
    ],
)
def test_what_cannot_work_is_refused(arguments: Any, options: Any, message: str) -> None:
    """When it is made."""
    with pytest.raises(ConfigError, match=message):
        Semaphore("redis://localhost", *arguments, **options)
