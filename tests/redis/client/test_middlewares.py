"""What surrounds enqueueing: headers that are added on the way, and what became of each task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from asynqpy import BrokerError, InvalidTaskError, Outgoing, Task, TaskIDConflictError, TaskInfo

from .conftest import Connect, Look

pytestmark = pytest.mark.anyio


class Noting:
    """A middleware that adds a header and remembers what it saw."""

    def __init__(self, name: str = "noting", notes: list[str] | None = None) -> None:
        self.name = name
        self.notes = notes if notes is not None else []
        self.batches: list[list[Outgoing]] = []
        self.errors: list[BaseException] = []

    @contextmanager
    def __call__(self, tasks: Sequence[Outgoing]) -> Iterator[None]:
        self.notes.append(self.name)
        for outgoing in tasks:
            assert (outgoing.info, outgoing.error) == (None, None)
            outgoing.headers[self.name] = f"{outgoing.task.type} to {outgoing.queue}"
        try:
            yield
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            self.notes.append(f"/{self.name}")
            self.batches.append(list(tasks))


async def test_headers_travel_with_the_task(connect: Connect, look: Look) -> None:
    """Beside those of the task and of the call, which stay as they are; the middleware learns what became of it."""
    noting = Noting()
    client = connect(middlewares=[noting])
    task = Task("t", b"x", headers={"own": "1"}, queue="low")
    info = await client.enqueue(task, headers={"call": "2"})
    assert look.message(info).headers == {"own": "1", "call": "2", "noting": "t to low"}
    assert info.headers == look.message(info).headers
    assert task.headers == {"own": "1"}
    ((outgoing,),) = noting.batches
    assert (outgoing.info, outgoing.error) == (info, None)


async def test_each_batch_is_one_call(connect: Connect, look: Look) -> None:
    """All tasks of a round trip together, in their order; 2,500 tasks are three."""
    noting = Noting()
    client = connect(middlewares=[noting])
    results = await client.enqueue_many((Task("t", n) for n in range(2500)), queue="low")
    assert [len(batch) for batch in noting.batches] == [1000, 1000, 500]
    infos = [result.unwrap() for result in results]
    assert [outgoing.info for batch in noting.batches for outgoing in batch] == infos
    assert look.message(infos[2499]).headers == {"noting": "t to low"}
    assert look.message(infos[2499]).payload == b"2499"


async def test_errors_of_single_tasks_stand_in_their_places(connect: Connect) -> None:
    """Refused before it is sent, refused by Redis, and created: results and outgoing tasks tell the same."""
    noting = Noting()
    client = connect(middlewares=[noting], max_payload_bytes=10)
    tasks = [Task("good"), "no task", Task("long", b"x" * 11), Task("twin", task_id="a"), Task("twin", task_id="a")]
    results = await client.enqueue_many(tasks)  # type: ignore[arg-type]
    kinds = [type(result.error) if result.error else None for result in results]
    assert kinds[0] is None
    assert kinds[1] is InvalidTaskError
    assert [kind.__name__ if kind else "" for kind in kinds[2:]] == ["PayloadTooLargeError", "", "TaskIDConflictError"]
    (batch,) = noting.batches
    assert [(each.info, each.error) for each in batch] == [
        (result.info, result.error) for result in (results[0], *results[2:])
    ]


async def test_an_error_of_the_call_passes_through(connect: Connect) -> None:
    """A conflict of a single task, and a Redis that is not there."""
    noting = Noting()
    client = connect(middlewares=[noting])
    await client.enqueue(Task("t"), task_id="a")
    with pytest.raises(TaskIDConflictError):
        await client.enqueue(Task("t"), task_id="a")
    nowhere = connect("redis://127.0.0.1:1/0", middlewares=[noting])
    with pytest.raises(BrokerError):
        await nowhere.enqueue(Task("t"))
    taken, unreachable = noting.errors
    assert isinstance(taken, TaskIDConflictError)
    assert isinstance(unreachable, BrokerError)
    assert [each.info is None for batch in noting.batches for each in batch] == [False, True, True]


async def test_the_first_one_is_the_outermost(connect: Connect) -> None:
    """As with handlers."""
    notes: list[str] = []
    client = connect(middlewares=[Noting("a", notes), Noting("b", notes)])
    assert isinstance(await client.enqueue(Task("t")), TaskInfo)
    assert notes == ["a", "b", "/b", "/a"]


async def test_one_that_cannot_begin_stops_the_call(connect: Connect, look: Look) -> None:
    """Those around it are left in order, and nothing is sent."""
    notes: list[str] = []

    def broken(tasks: Sequence[Outgoing]) -> Noting:
        raise RuntimeError("broken")

    client = connect(middlewares=[Noting("a", notes), broken])
    with pytest.raises(RuntimeError, match="broken"):
        await client.enqueue(Task("t"))
    with pytest.raises(RuntimeError, match="broken"):
        await client.enqueue_many([Task("t")])
    assert notes == ["a", "/a", "a", "/a"]
    assert look.pending() == []
