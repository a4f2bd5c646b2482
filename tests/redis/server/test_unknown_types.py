"""Tasks that a server has no handler for, and what servers tell about what they handle."""

from __future__ import annotations

import asyncio
import logging
import math

import pytest

from asynqpy import HandledPatterns, Next, ServeMux, Task
from asynqpy._broker.inspect.consumers import handled_patterns, types_without_consumer
from asynqpy._wire import keys
from asynqpy.clock import SystemClock
from tests.redis.drive import Driver
from tests.servers import RedisServer

from .stage import Stage, eventually

pytestmark = pytest.mark.anyio


def knowing(*patterns: str) -> ServeMux:
    """A mux whose handlers succeed."""
    mux = ServeMux()
    for pattern in patterns:

        @mux.handler(pattern)
        async def handler(task: Task) -> str:
            return task.type

    return mux


def published(stage: Stage) -> list[HandledPatterns]:
    """What living servers handle."""
    return Driver(stage.redis)(handled_patterns(now=SystemClock().now()))


async def test_a_rolling_deployment_loses_nothing(stage: Stage) -> None:
    """Old workers hand the new type on until a new one has it; no retry is spent and no failure counted."""
    async with stage.serving(knowing("old"), unknown_types="release"):
        new = stage.enqueue("new", max_retry=0, retention=60)
        old = stage.enqueue("old", max_retry=0, retention=60)
        await stage.until_state(old, "completed")
        waiting = await stage.until_state(new, "scheduled")
        assert waiting.message.retried == 0
        assert waiting.message.error_msg == ""
        assert int(waiting.fields["py:released"]) >= 1
        assert stage.counters() == (1, 0)
        async with stage.serving(knowing("old", "new"), unknown_types="release"):
            handled = await stage.until_state(new, "completed")
    assert handled.result == b"new"
    assert handled.message.retried == 0
    assert "py:released" not in handled.fields
    assert stage.counters() == (2, 0)


async def test_the_wait_grows_from_server_to_server(stage: Stage) -> None:
    """The count is with the task, so no server begins anew; the moment is exact, the score a whole second."""
    q = keys.of_queue("default")
    info = stage.enqueue("new")
    for times in range(1, 5):
        async with stage.serving(knowing("old"), unknown_types="release"):
            before = stage.redis.time()[0]
            await eventually(lambda times=times: stage.redis.hget(q.task(info.id), "py:released") == b"%d" % times)
            score = stage.redis.zscore(q.scheduled, info.id)
            exact = stage.redis.zscore(q.due, info.id) or score * 1000
            assert score == math.ceil(exact / 1000)
            assert exact / 1000 - before >= 0.75 * 2 ** (times - 1)
        stage.redis.delete(q.due)
        stage.redis.zadd(q.scheduled, {info.id: 1})  # due at once


async def test_a_task_meets_a_server_that_knows_it_within_seconds(stage: Stage) -> None:
    """However often the others had it before: the wait is short while somebody publishes the type."""
    q = keys.of_queue("default")
    async with (
        stage.serving(knowing("old"), unknown_types="release") as old,
        stage.serving(knowing("new"), queues={"default": 1, "other": 1}) as new,
    ):
        await eventually(lambda: len(published(stage)) == 2)
        await stage.stop(new)  # it knows the type, and takes nothing for now
        first = stage.enqueue("new")
        await stage.until_state(first, "scheduled")
        unknown_types = old._rings._executor._unknown_types
        await eventually(lambda: len(unknown_types._servers) == 2)
        for task_type, longest in (("new", 5), ("else", 60)):
            info = stage.enqueue(task_type, process_in=3600)
            stage.redis.hset(q.task(info.id), "py:released", 20)
            stage.redis.zadd(q.scheduled, {info.id: 1})
            await eventually(lambda info=info: stage.redis.hget(q.task(info.id), "py:released") == b"21")
            now = stage.redis.time()[0]
            assert longest * 0.75 - 5 <= stage.redis.zscore(q.scheduled, info.id) - now <= longest + 1


@pytest.mark.parametrize("nested", [True, False])
async def test_middlewares_and_handlers_do_not_see_it(stage: Stage, nested: bool) -> None:
    """It is handed on before anything of the user's runs; in a nested mux too."""
    seen: list[str] = []
    mux = ServeMux()
    if nested:
        mux.handle("email:", knowing("email:welcome"))
    else:
        mux.handle("email:welcome", print)

    @mux.middleware
    async def note(task: Task, next: Next) -> object:
        seen.append(task.type)
        return await next(task)

    async with stage.serving(mux, unknown_types="release", error_handler=lambda task, error: seen.append("error")):
        info = stage.enqueue("email:other")
        await stage.until_state(info, "scheduled")
    assert seen == []


async def test_a_not_found_handler_is_a_handler(stage: Stage) -> None:
    """Whoever wrote one has chosen what becomes of other types."""
    mux = knowing("old")

    @mux.not_found
    async def other(task: Task) -> str:
        return "other"

    async with stage.serving(mux, unknown_types="release"):
        stored = await stage.until_state(stage.enqueue("new", retention=60), "completed")
    assert stored.result == b"other"


async def test_by_default_it_fails_as_in_asynq(stage: Stage) -> None:
    """A retry is spent, a failure counted, and the error says why."""
    async with stage.serving(knowing("old")):
        stored = await stage.until_state(stage.enqueue("new"), "retry")
    assert stored.message.error_msg == 'handler not found for task "new"'
    assert (stored.message.retried, stage.counters()) == (1, (1, 1))


async def test_a_task_past_its_deadline_is_not_handed_on_for_ever(stage: Stage) -> None:
    """Nobody can run it any more, so it fails like any other."""
    async with stage.serving(knowing("old"), unknown_types="release"):
        info = stage.enqueue("new", deadline=SystemClock().now(), max_retry=0)
        stored = await stage.until_state(info, "archived")
    assert stored.message.error_msg == "context deadline exceeded"


async def test_a_warning_a_type_is_enough(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """However many tasks of it come, and come back."""
    infos = [*stage.enqueue_many(20, "new"), *stage.enqueue_many(20, "newer")]
    with caplog.at_level(logging.WARNING, "asynqpy"):
        async with stage.serving(knowing("old"), unknown_types="release"):
            await eventually(lambda: len(stage.ids("scheduled")) == len(infos))
    said = [record for record in caplog.records if "no handler here" in record.message]
    assert sorted(vars(record)["task_type"] for record in said) == ["new", "newer"]


async def test_many_unknown_tasks_hold_up_nobody(stage: Stage) -> None:
    """Tasks behind a thousand of them run at once."""
    stage.enqueue_many(1000, "new")
    last = stage.enqueue("old", retention=60)
    async with stage.serving(knowing("old"), unknown_types="release", concurrency=10):
        await stage.until_state(last, "completed")
        await eventually(lambda: not stage.ids("active") and not stage.ids("lease"))
        assert stage.counters() == (1, 0)


async def test_a_server_publishes_its_patterns(stage: Stage, server: RedisServer) -> None:
    """From its first beat on, nested ones too, for as long as it runs."""
    mux = knowing("image:")
    mux.handle("email:", knowing("email:welcome"))
    async with stage.serving(mux, queues={"low": 1, "default": 2}) as running:
        (found,) = await eventually(lambda: published(stage))
        assert (found.server_id, found.queues) == (running.id, ("default", "low"))
        assert found.patterns == ("email:welcome", "image:")
        (key,) = stage.redis.keys("asynq:py:handled:*")
        assert 0 < stage.redis.ttl(key) <= 10
        mux.handle("late", print)  # registering goes on while it runs
        await asyncio.to_thread(running._rings._heartbeater.beat)
        assert published(stage)[0].handles("late") is True
    assert published(stage) == []
    assert stage.left_keys() == set()


async def test_a_server_with_a_single_function_handles_everything(stage: Stage) -> None:
    """There is no pattern to look at."""

    async def handler(task: Task) -> None:
        """Succeed."""

    async with stage.serving(handler):
        (found,) = await eventually(lambda: published(stage))
        assert found.patterns == ("",)
        assert found.handles("anything") is True


async def test_what_waits_without_a_consumer_is_found(stage: Stage) -> None:
    """While nobody knows the type; and no more when somebody does."""

    def without() -> list[tuple[str, int, bool]]:
        found = Driver(stage.redis)(types_without_consumer("default", now=SystemClock().now()))
        return [(each.type, each.count, each.is_certain) for each in found]

    async with stage.serving(knowing("old"), unknown_types="release"):
        info = stage.enqueue("new")
        await stage.until_state(info, "scheduled")
        await eventually(lambda: published(stage))
        await eventually(lambda: without() == [("new", 1, True)])
        async with stage.serving(knowing("new"), unknown_types="release"):
            await eventually(lambda: len(published(stage)) == 2)
            assert without() == []
