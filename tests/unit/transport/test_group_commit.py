"""Calls made while a round trip is in flight share the next one."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from asynqpy import BrokerError
from asynqpy._transport.group_commit import GroupCommit

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """asyncio."""
    return "asyncio"


class Commits:
    """A commit that ends when it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.begun = asyncio.Semaphore(0)
        self.may_end = asyncio.Semaphore(0)
        self.answer: Any = None

    async def __call__(self, batch: list[Any]) -> list[Any]:
        self.batches.append(batch)
        self.begun.release()
        await self.may_end.acquire()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer or [item * 10 for item in batch]


async def test_a_lone_call_leaves_at_once() -> None:
    """Nothing is waited for."""
    commits = Commits()
    commits.may_end.release()
    group = GroupCommit(commits)
    assert await group.submit(1) == 10
    assert commits.batches == [[1]]


async def test_batches_form_while_one_is_in_flight() -> None:
    """One batch at a time; what comes meanwhile goes together, in order."""
    commits = Commits()
    group = GroupCommit(commits)
    first = group.submit(1)
    await commits.begun.acquire()
    others = [group.submit(n) for n in range(2, 7)]
    await asyncio.sleep(0)
    assert commits.batches == [[1]]
    commits.may_end.release()
    await commits.begun.acquire()
    last = group.submit(7)
    for _ in range(3):
        commits.may_end.release()
    assert await asyncio.gather(first, *others, last) == [10, 20, 30, 40, 50, 60, 70]
    assert commits.batches == [[1], [2, 3, 4, 5, 6], [7]]


async def test_a_batch_has_a_largest_size() -> None:
    """The rest goes with the next."""
    commits = Commits()
    for _ in range(4):
        commits.may_end.release()
    group = GroupCommit(commits, largest=3)
    assert await asyncio.gather(*(group.submit(n) for n in range(8))) == [n * 10 for n in range(8)]
    assert [len(batch) for batch in commits.batches] == [3, 3, 2]


async def test_an_error_in_place_of_a_result_belongs_to_its_caller() -> None:
    """The others get their results."""
    commits = Commits()
    commits.answer = [1, BrokerError("refused"), 3]
    commits.may_end.release()
    group = GroupCommit(commits)
    results = await asyncio.gather(*(group.submit(n) for n in range(3)), return_exceptions=True)
    assert (results[0], results[2]) == (1, 3)
    assert isinstance(results[1], BrokerError)


async def test_an_error_of_the_whole_batch_reaches_every_caller_and_the_next_batch_works() -> None:
    """Nobody waits for ever."""
    commits = Commits()
    commits.answer = BrokerError("down")
    commits.may_end.release()
    group = GroupCommit(commits)
    results = await asyncio.gather(*(group.submit(n) for n in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [BrokerError] * 3
    commits.answer = None
    commits.may_end.release()
    assert await group.submit(5) == 50


async def test_a_caller_that_gives_up_takes_nothing_from_the_others() -> None:
    """Before its batch leaves, and while it is on its way."""
    commits = Commits()
    group = GroupCommit(commits)
    one, two = group.submit(1), group.submit(2)
    await commits.begun.acquire()
    three, four = group.submit(3), group.submit(4)
    one.cancel()
    three.cancel()
    commits.may_end.release()
    commits.may_end.release()
    assert await asyncio.gather(two, four) == [20, 40]
    assert one.cancelled()
    assert three.cancelled()


async def test_draining_waits_for_everything() -> None:
    """Also for what was submitted meanwhile; an idle one is drained at once."""
    commits = Commits()
    group = GroupCommit(commits)
    await group.drain()
    first = group.submit(1)
    draining = asyncio.create_task(group.drain())
    await commits.begun.acquire()
    second = group.submit(2)
    commits.may_end.release()
    await commits.begun.acquire()
    assert not draining.done()
    commits.may_end.release()
    async with asyncio.timeout(20):
        await draining
    assert (first.result(), second.result()) == (10, 20)


async def test_a_drain_that_is_cancelled_does_not_cancel_the_batch() -> None:
    """The calls are answered all the same."""
    commits = Commits()
    group = GroupCommit(commits)
    call = group.submit(1)
    await commits.begun.acquire()
    draining = asyncio.create_task(group.drain())
    await asyncio.sleep(0)
    draining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await draining
    commits.may_end.release()
    assert await call == 10


async def test_a_way_out_carries_one_batch_at_a_time_whatever_its_callers_do() -> None:
    """Thousands of calls by both doors, some of them cancelled on the way, some refused: everybody else is answered."""
    rng = Random(3)

    class Way:
        busy = False

        async def __call__(self, batch: list[int]) -> list[Any]:
            assert not self.busy
            self.busy = True
            try:
                for _ in range(rng.randrange(4)):
                    await asyncio.sleep(0)
                if rng.random() < 0.05:
                    raise BrokerError("down")
                return [item * 10 for item in batch]
            finally:
                self.busy = False

    group = GroupCommit(Way(), Way())

    async def call(n: int) -> int:
        for _ in range(rng.randrange(20)):
            await asyncio.sleep(0)
        return await (group.commit(n) if n % 2 else group.submit(n))

    calls = [asyncio.create_task(call(n)) for n in range(5000)]
    await asyncio.sleep(0)
    for task in rng.sample(calls, 500):
        await asyncio.sleep(0)
        task.cancel()
    async with asyncio.timeout(30):
        results = await asyncio.gather(*calls, return_exceptions=True)
        await group.drain()
    for n, result in enumerate(results):
        assert result == n * 10 or isinstance(result, BrokerError | asyncio.CancelledError)
    assert sum(isinstance(result, int) for result in results) > 3000


def test_it_may_be_used_on_one_loop_after_the_other() -> None:
    """What waited on a loop that is gone is gone too."""
    answered: list[int] = []

    async def commit(batch: list[int]) -> list[int]:
        await asyncio.sleep(0)
        return batch

    group = GroupCommit(commit)

    async def leave_unanswered() -> None:
        group.submit(1)

    async def use() -> None:
        await group.drain()
        answered.append(await group.submit(2))
        await group.drain()

    asyncio.run(leave_unanswered())
    asyncio.run(use())
    asyncio.run(use())
    assert answered == [2, 2]
