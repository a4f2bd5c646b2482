"""Many tasks at once: results in order, chunks, laziness. For `Client` and `AsyncClient` alike."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from asynqpy import (
    ConfigError,
    DuplicateTaskError,
    InvalidTaskError,
    PayloadTooLargeError,
    Task,
    TaskIDConflictError,
    TaskState,
)
from asynqpy._wire import keys
from tests.servers import RedisServer

from .conftest import Connect, Face, Look

pytestmark = pytest.mark.anyio


async def test_results_stand_in_the_order_of_the_tasks(client: Face, look: Look, server: RedisServer) -> None:
    """Across queues, groups and schedules; each task is where it belongs."""
    tasks = [
        Task("t", n, queue=f"q{n % 3}", **({"group": "g"} if n % 5 == 0 else {"process_in": 60} if n % 7 == 0 else {}))
        for n in range(100)
    ]
    results = await client.enqueue_many(tasks)
    infos = [result.unwrap() for result in results]
    assert [info.payload for info in infos] == [b"%d" % n for n in range(100)]
    expected = {0: TaskState.AGGREGATING}
    for n, info in enumerate(infos):
        state = expected.get(n % 5) or (TaskState.SCHEDULED if n % 7 == 0 else TaskState.PENDING)
        assert info.state is state
        assert look.fields(info)["state"] == state.value.encode()
    for queue in ("q0", "q1", "q2"):
        assert look.pending(queue) == [i.id for i in infos if i.queue == queue and i.state is TaskState.PENDING]


@pytest.mark.parametrize("kind", ["list", "tuple", "generator", "dict view", "empty", "iterator"])
async def test_any_iterable_will_do(client: Face, look: Look, kind: str) -> None:
    """It is read once."""
    tasks: Any = {
        "list": [Task("t", 0), Task("t", 1)],
        "tuple": (Task("t", 0), Task("t", 1)),
        "generator": (Task("t", n) for n in range(2)),
        "dict view": {0: Task("t", 0), 1: Task("t", 1)}.values(),
        "empty": [],
        "iterator": iter([Task("t", 0), Task("t", 1)]),
    }[kind]
    results = await client.enqueue_many(tasks)
    assert [result.unwrap().payload for result in results] == ([] if kind == "empty" else [b"0", b"1"])
    assert len(look.pending()) == len(results)


async def test_each_task_is_created_or_refused_by_itself(connect: Connect, look: Look) -> None:
    """Invalid, too large, duplicate and conflicting ones are reported in their places; the others are created."""
    client = connect(max_payload_bytes=10)
    await client.enqueue(Task("t"), task_id="taken")
    await client.enqueue(Task("u", b"p"), unique_for=60)
    not_a_task: Any = None
    tasks = [
        Task("t", 0),
        Task("t", task_id="taken"),
        Task("t", b"x" * 11),
        Task("u", b"p", unique_for=60),
        not_a_task,
        Task("t", 5),
        Task("t", task_id="twice"),
        Task("t", b"2", task_id="twice"),
        Task("v", unique_for=60),
        Task("v", unique_for=60),
        Task("t", 10),
    ]
    results = await client.enqueue_many(tasks)
    assert [type(result.error) for result in results] == [
        type(None),
        TaskIDConflictError,
        PayloadTooLargeError,
        DuplicateTaskError,
        InvalidTaskError,
        type(None),
        type(None),
        TaskIDConflictError,
        type(None),
        DuplicateTaskError,
        type(None),
    ]
    for result in results:
        assert (result.info is None) == (result.error is not None)
        if result.error is not None:
            with pytest.raises(type(result.error)):
                result.unwrap()
    assert len(look.pending()) == 2 + 5


async def test_options_of_the_call_win_over_those_of_each_task(client: Face, look: Look) -> None:
    """And headers accumulate, which asynq forgets here."""
    tasks = [Task("t", queue="low", headers={"a": str(n)}) for n in range(3)]
    results = await client.enqueue_many(tasks, queue="high", headers={"b": "call"}, max_retry=1)
    messages = [look.message(result.unwrap()) for result in results]
    assert [(m.queue, m.retry, dict(m.headers)) for m in messages] == [
        ("high", 1, {"a": str(n), "b": "call"}) for n in range(3)
    ]


async def test_an_option_that_cannot_work_refuses_every_task(client: Face, look: Look) -> None:
    """Nothing is raised, nothing is sent."""
    results = await client.enqueue_many([Task("t"), Task("t")], queue=" ")
    assert [type(result.error) for result in results] == [InvalidTaskError] * 2
    assert look.redis.dbsize() == 0


async def test_unique_tasks_groups_and_ids_are_honoured(client: Face, look: Look) -> None:
    """Unlike Go's batch call."""
    results = await client.enqueue_many([Task("t", 1), Task("t", 1), Task("t", 2)], unique_for=60, group="g")
    assert [type(result.error) for result in results] == [type(None), DuplicateTaskError, type(None)]
    assert len(look.scores("g:g")) == 2
    assert look.redis.exists(keys.of_queue("default").unique("t", b"1"))


async def test_thousands_of_tasks_go_in_chunks(client: Face, look: Look) -> None:
    """2,500 tasks: each once, in order, in a handful of script calls."""
    before = look.redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
    results = await client.enqueue_many(Task("t", n) for n in range(2500))
    ids = [result.unwrap().id for result in results]
    assert len(set(ids)) == 2500
    assert look.pending() == ids
    calls = look.redis.info("commandstats")["cmdstat_evalsha"]["calls"] - before
    assert 3 <= calls <= 6  # three chunks, and once more for a script that Redis did not know yet


async def test_a_conflict_across_chunks_is_found(client: Face, look: Look) -> None:
    """An id taken two thousand tasks ago is still taken."""
    tasks = (Task("t", n, task_id="same" if n in (3, 2400) else f"id{n}") for n in range(2500))
    results = await client.enqueue_many(tasks)
    assert [n for n, result in enumerate(results) if result.error] == [2400]
    assert isinstance(results[2400].error, TaskIDConflictError)
    assert look.redis.llen(keys.of_queue("default").pending) == 2499


async def test_a_stream_reads_no_further_than_it_has_to(client: Face, look: Look) -> None:
    """Tasks are drawn as the results are consumed: memory stays constant however long the stream is."""
    drawn = 0

    def endless() -> Iterator[Task]:
        nonlocal drawn
        while True:
            drawn += 1
            yield Task("t", drawn)

    stream = client.enqueue_stream(endless())
    for n in range(1, 3001):
        result = await anext(stream)
        assert result.unwrap().payload == b"%d" % n
        assert drawn <= n + 2000
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_stream_that_is_left_early_spoils_nothing(client: Face, look: Look) -> None:
    """The client works on: no reply of the stream is taken for that of another call."""
    for _ in range(3):
        stream = client.enqueue_stream(Task("t", n) for n in range(5000))
        assert (await anext(stream)).unwrap()
        await stream.aclose()  # type: ignore[attr-defined]
        info = await client.enqueue(Task("after", b"a"))
        assert info.payload == b"a"
        assert look.message(info).type == "after"
        assert [r.unwrap().payload for r in await client.enqueue_many([Task("t", b"x"), Task("t", b"y")])] == [
            b"x",
            b"y",
        ]


async def test_an_iterable_that_fails_spoils_nothing(client: Face, look: Look) -> None:
    """Its error goes up, also an error of ours, and the client works on."""

    def failing(error: Exception) -> Iterator[Task]:
        for n in range(2300):
            yield Task("t", n)
        raise error

    for error in (KeyError("mine"), InvalidTaskError("ours")):
        with pytest.raises(type(error)):
            await client.enqueue_many(failing(error))
        info = await client.enqueue(Task("after", b"a"))
        assert look.message(info).type == "after"


async def test_many_callers_at_once_each_get_their_own_results(client: Face, look: Look) -> None:
    """Concurrent calls of every kind do not mix up."""

    async def one(n: int) -> None:
        info = await client.enqueue(Task("one", n))
        assert info.payload == b"%d" % n

    async def many(n: int) -> None:
        results = await client.enqueue_many(Task("many", f"{n}.{i}") for i in range(50))
        assert [result.unwrap().payload for result in results] == [b"%d.%d" % (n, i) for i in range(50)]

    await asyncio.gather(*(one(n) for n in range(100)), *(many(n) for n in range(10)))
    assert len(look.pending()) == 100 + 500


def test_a_result_without_info_or_error_cannot_be_unwrapped() -> None:
    """It says what is wrong with it."""
    from asynqpy import EnqueueResult

    with pytest.raises(ConfigError):
        EnqueueResult().unwrap()
