"""What handlers can be and what becomes of what they return: async, threads, typed, results."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import os
import threading
from dataclasses import dataclass
from typing import Any

import pytest
from redis import Redis

from asynqpy import (
    InvalidTaskError,
    LeaseExpiredError,
    PayloadError,
    ServeMux,
    Task,
    current_task,
)
from tests.servers import RedisServer

from .conftest import PLAIN, UVLOOP
from .stage import Stage, eventually, soon

pytestmark = pytest.mark.anyio


@dataclass
class Address:
    """A value inside a payload."""

    city: str


@pytest.fixture(params=[UVLOOP, PLAIN], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


async def test_an_async_handler_runs_the_task_and_the_task_is_gone(stage: Stage, server: RedisServer) -> None:
    """Success deletes a task without retention and counts it once; nothing else is left in Redis."""
    seen: list[Task] = []

    async def handler(task: Task) -> None:
        seen.append(task)

    info = stage.enqueue("email:welcome", {"user": 42})
    async with stage.serving(handler):
        await stage.until_gone(info)
    assert [(task.type, task.json()) for task in seen] == [("email:welcome", {"user": 42})]
    assert stage.counters() == (1, 0)
    assert stage.left_keys() == set()


async def test_a_handler_sees_what_was_enqueued(stage: Stage) -> None:
    """Type, payload, headers, id, queue, retries and deadline are those of the task."""
    seen: dict[str, Any] = {}

    async def handler(task: Task) -> None:
        seen.update(
            type=task.type,
            payload=task.payload,
            headers=dict(task.headers),
            id=task.id,
            queue=task.queue,
            retried=task.retried,
            max_retry=task.max_retry,
            deadline=task.deadline,
            cancelled=task.cancelled,
        )

    info = stage.enqueue("t", b"\x00raw", queue="low", max_retry=7, headers={"trace": "1"}, timeout=60)
    async with stage.serving(handler, queues={"low": 1}):
        await stage.until_gone(info)
    deadline = seen.pop("deadline")
    assert info.next_process_at is not None
    assert 0 < (deadline - info.next_process_at).total_seconds() < 120
    assert seen == {
        "type": "t",
        "payload": b"\x00raw",
        "headers": {"trace": "1"},
        "id": info.id,
        "queue": "low",
        "retried": 0,
        "max_retry": 7,
        "cancelled": False,
    }


async def test_a_plain_function_runs_in_a_thread(stage: Stage) -> None:
    """It does not run on the event loop's thread, and the loop goes on meanwhile."""
    loop_thread = threading.get_ident()
    threads: list[int] = []
    release = threading.Event()

    def handler(task: Task) -> None:
        threads.append(threading.get_ident())
        assert release.wait(30)

    info = stage.enqueue()
    async with stage.serving(handler):
        await eventually(lambda: threads)
        release.set()
        await stage.until_gone(info)
    assert threads != [loop_thread]


async def test_a_sync_and_an_async_handler_share_a_mux_with_typed_ones(stage: Stage) -> None:
    """Kinds of handlers mix in one server; a typed handler gets its arguments decoded."""
    mux = ServeMux()

    @mux.task("greet")
    async def greet(name: str, address: Address, times: int = 1) -> dict[str, Any]:
        return {"text": f"Hello {name} in {address.city}" * times}

    @mux.task("add")
    def add(a: int, b: int) -> int:
        return a + b

    @mux.handler("raw")
    def raw(task: Task) -> bytes:
        return task.payload[::-1]

    first = stage.client.enqueue(greet.task("Ada", Address("London")), retention=60)
    second = stage.client.enqueue(add.task(1, b=2), retention=60)
    third = stage.enqueue("raw", b"abc", retention=60)
    async with stage.serving(mux):
        assert json.loads((await stage.until_state(first, "completed")).result or b"") == {
            "text": "Hello Ada in London"
        }
        assert (await stage.until_state(second, "completed")).result == b"3"
        assert (await stage.until_state(third, "completed")).result == b"cba"


async def test_a_payload_that_does_not_fit_a_typed_handler_fails_the_attempt(stage: Stage) -> None:
    """The task is retried with a text that names the trouble, because the next deployment may understand it."""
    mux = ServeMux()

    @mux.task("add")
    async def add(a: int, b: int) -> int:
        return a + b

    info = stage.enqueue("add", {"a": "x"})
    async with stage.serving(mux):
        stored = await stage.until_state(info, "retry")
    assert "payload does not fit" in stored.message.error_msg
    assert stored.message.retried == 1


@pytest.mark.parametrize(
    ("returned", "stored"),
    [(None, None), (b"", b""), (b"\xff", b"\xff"), ("text", b"text"), ({"a": 1}, b'{"a":1}'), (0, b"0"), ([], b"[]")],
)
async def test_what_a_handler_returns_is_the_result(stage: Stage, returned: object, stored: bytes | None) -> None:
    """Bytes stay, text is UTF-8, None is no result, everything else becomes JSON."""

    async def handler(task: Task) -> object:
        return returned

    info = stage.enqueue(retention=60)
    async with stage.serving(handler):
        assert (await stage.until_state(info, "completed")).result == stored


async def test_a_result_without_a_json_form_fails_the_attempt(stage: Stage) -> None:
    """What cannot be stored is the handler's failure, said in the task's error."""

    async def handler(task: Task) -> object:
        return object()

    info = stage.enqueue(retention=60)
    async with stage.serving(handler):
        stored = await stage.until_state(info, "retry")
    assert "object" in stored.message.error_msg


async def test_a_handler_writes_results_while_it_runs(stage: Stage) -> None:
    """write_result() is stored at once, replaces what was there, and outlives a failure."""
    written, go_on = asyncio.Event(), asyncio.Event()

    async def handler(task: Task) -> None:
        assert await task.write_result({"progress": 10}) == len(b'{"progress":10}')
        assert await task.write_result(b"half") == 4
        written.set()
        await go_on.wait()
        raise RuntimeError("after all")

    info = stage.enqueue()
    async with stage.serving(handler):
        await soon(written)
        active = stage.stored(info)
        assert active is not None
        assert (active.state, active.result) == ("active", b"half")
        go_on.set()
        assert (await stage.until_state(info, "retry")).result == b"half"


async def test_a_result_returned_replaces_one_written(stage: Stage) -> None:
    """The last word is what the handler returns; returning None keeps what was written."""

    async def handler(task: Task) -> object:
        await task.write_result(b"written")
        return None if task.payload == b"keep" else b"returned"

    kept = stage.enqueue("t", b"keep", retention=60)
    replaced = stage.enqueue("t", b"replace", retention=60)
    async with stage.serving(handler):
        assert (await stage.until_state(kept, "completed")).result == b"written"
        assert (await stage.until_state(replaced, "completed")).result == b"returned"


async def test_a_thread_writes_results_too(stage: Stage) -> None:
    """write_result_sync() returns when the bytes are in Redis."""

    def handler(task: Task) -> None:
        assert task.write_result_sync("from a thread") == 13

    info = stage.enqueue(retention=60)
    async with stage.serving(handler):
        assert (await stage.until_state(info, "completed")).result == b"from a thread"


async def test_write_result_sync_on_the_event_loop_is_refused(stage: Stage) -> None:
    """It would wait for itself; the error says what to call instead."""

    async def handler(task: Task) -> None:
        task.write_result_sync(b"never")

    info = stage.enqueue()
    async with stage.serving(handler):
        stored = await stage.until_state(info, "retry")
    assert "write_result" in stored.message.error_msg


async def test_no_result_can_be_written_after_the_attempt(stage: Stage) -> None:
    """A task kept beyond its handler cannot bring a deleted hash back."""
    kept: list[Task] = []

    async def handler(task: Task) -> None:
        kept.append(task)

    info = stage.enqueue()
    async with stage.serving(handler):
        await stage.until_gone(info)
        with pytest.raises(LeaseExpiredError):
            await kept[0].write_result(b"late")
    assert stage.left_keys() == set()


def test_a_task_outside_a_handler_has_no_result() -> None:
    """write_result_sync() needs a running attempt."""
    with pytest.raises(InvalidTaskError, match="not running"):
        Task("t").write_result_sync(b"")


async def test_the_current_task_is_known_below_the_handler(stage: Stage) -> None:
    """current_task() works in nested calls, in tasks that the handler starts, and in asyncio.to_thread."""
    seen: list[str] = []

    async def nested() -> None:
        seen.append(current_task().id)

    async def handler(task: Task) -> None:
        await nested()
        await asyncio.gather(nested(), asyncio.create_task(nested()))
        seen.append((await asyncio.to_thread(current_task)).id)

    info = stage.enqueue()
    async with stage.serving(handler):
        await stage.until_gone(info)
    assert seen == [info.id] * 4


async def test_the_current_task_is_known_in_threads(stage: Stage) -> None:
    """Each of several plain functions that run at once finds its own task."""
    barrier = threading.Barrier(3)

    def handler(task: Task) -> str:
        barrier.wait(30)  # all three run at once
        return current_task().id

    infos = [stage.enqueue(retention=60) for _ in range(3)]
    async with stage.serving(handler):
        for info in infos:
            assert (await stage.until_state(info, "completed")).result == info.id.encode()


async def test_context_variables_of_one_task_do_not_reach_another(stage: Stage) -> None:
    """Each attempt has a context of its own, also in threads that are used again."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="fresh")
    mux = ServeMux()

    def look_and_set(task: Task) -> str:
        seen = variable.get()
        variable.set("used")
        return seen

    mux.handle("thread", look_and_set)

    @mux.handler("async")
    async def in_loop(task: Task) -> str:
        return look_and_set(task)

    infos = [stage.enqueue(kind, retention=60) for kind in ("thread", "async") for _ in range(3)]
    async with stage.serving(mux, concurrency=1):
        for info in infos:
            assert (await stage.until_state(info, "completed")).result == b"fresh"


async def test_payloads_decode_into_models(stage: Stage) -> None:
    """task.json() gives plain values, task.load() a model; what does not fit is a PayloadError."""

    @dataclass
    class Point:
        x: int
        y: int

    found: list[object] = []

    async def handler(task: Task) -> None:
        found.append(task.json())
        found.append(task.load(Point))
        with pytest.raises(PayloadError):
            task.load(int)

    info = stage.enqueue("t", {"x": 1, "y": 2})
    async with stage.serving(handler):
        await stage.until_gone(info)
    assert found == [{"x": 1, "y": 2}, Point(1, 2)]


async def test_a_partial_and_a_callable_object_are_handlers(stage: Stage) -> None:
    """Anything callable with a task will do."""
    mux = ServeMux()

    async def base(prefix: str, task: Task) -> str:
        return prefix + task.type

    class Handler:
        async def __call__(self, task: Task) -> str:
            return "object " + task.type

    mux.handle("partial", functools.partial(base, "partial "))
    mux.handle("object", Handler())
    infos = [stage.enqueue(kind, retention=60) for kind in ("partial", "object")]
    async with stage.serving(mux):
        assert (await stage.until_state(infos[0], "completed")).result == b"partial partial"
        assert (await stage.until_state(infos[1], "completed")).result == b"object object"


async def test_middlewares_see_async_and_plain_handlers(stage: Stage) -> None:
    """They run around both, may change results, and see errors."""
    mux = ServeMux()
    seen: list[str] = []

    @mux.middleware
    async def around(task: Task, next: Any) -> object:
        seen.append(f"before {task.type}")
        try:
            result = await next(task)
        except RuntimeError:
            seen.append(f"error {task.type}")
            raise
        seen.append(f"after {task.type}")
        return f"<{result}>"

    @mux.handler("async")
    async def in_loop(task: Task) -> str:
        return "async"

    @mux.handler("thread")
    def in_thread(task: Task) -> str:
        raise RuntimeError("in thread")

    infos = {kind: stage.enqueue(kind, retention=60) for kind in ("async", "thread")}
    async with stage.serving(mux):
        assert (await stage.until_state(infos["async"], "completed")).result == b"<async>"
        await stage.until_state(infos["thread"], "retry")
    assert sorted(seen) == ["after async", "before async", "before thread", "error thread"]


async def test_a_type_without_a_handler_fails_and_is_retried(stage: Stage) -> None:
    """The text is asynq's, so that one alert rule serves Go and Python workers."""
    info = stage.enqueue("nobody:knows")
    async with stage.serving(ServeMux()):
        stored = await stage.until_state(info, "retry")
    assert stored.message.error_msg == 'handler not found for task "nobody:knows"'


async def test_the_not_found_handler_takes_what_no_pattern_matches(stage: Stage) -> None:
    """mux.not_found replaces the failure."""
    mux = ServeMux()

    @mux.not_found
    async def anything(task: Task) -> str:
        return "found nobody for " + task.type

    info = stage.enqueue("unknown", retention=60)
    async with stage.serving(mux):
        assert (await stage.until_state(info, "completed")).result == b"found nobody for unknown"


async def test_a_plain_wrapper_around_an_async_handler_fails_with_a_hint(stage: Stage) -> None:
    """It would run in a thread and return what nobody awaits."""

    async def inner(task: Task) -> None:
        raise AssertionError("never awaited")

    def wrapper(task: Task) -> object:
        return inner(task)

    info = stage.enqueue()
    async with stage.serving(wrapper):
        stored = await stage.until_state(info, "retry")
    assert "make its wrapper async" in stored.message.error_msg


async def test_a_task_with_a_huge_payload_is_run(stage: Stage) -> None:
    """Payloads of megabytes go through, both ways."""
    payload = os.urandom(1 << 20) * 8

    async def handler(task: Task) -> bytes:
        assert task.payload == payload
        return task.payload

    info = stage.enqueue("t", payload, retention=60)
    async with stage.serving(handler):
        assert (await stage.until_state(info, "completed")).result == payload


async def test_a_mux_of_an_existing_redis_client(stage: Stage) -> None:
    """A server may be given a redis-py client; it is neither used nor closed."""
    done = asyncio.Event()

    async def handler(task: Task) -> None:
        done.set()

    stage.enqueue()
    with Redis.from_url(stage.url, decode_responses=True) as lent:
        async with stage.serving(handler, redis=lent):
            await soon(done)
        assert lent.ping()
