"""The table of tasks that a server holds."""

from __future__ import annotations

import asyncio
import threading

import pytest

from asynqpy._worker.in_flight import InFlight, StopReason

from .conftest import attempt

pytestmark = pytest.mark.anyio


async def test_ids_are_unique_in_their_queue_only() -> None:
    """The same id in two queues is two tasks; a cancellation finds both."""
    table = InFlight()
    one, two = attempt("same", "a"), attempt("same", "b")
    table.add(one)
    table.add(two)
    assert (table.get("a", "same"), table.get("b", "same")) == (one, two)
    assert table.with_id("same") == [one, two]
    assert table.with_id("other") == []
    assert table.get("c", "same") is None
    assert (len(table), list(table)) == (2, [one, two])
    assert table.snapshot() == {"a": [one], "b": [two]}


async def test_a_task_that_was_claimed_anew_is_not_forgotten_with_its_old_claim() -> None:
    """The outcome of the first claim comes when the second holds the task already."""
    table = InFlight()
    table.add(attempt(token="old"))
    new = attempt(token="new")
    table.add(new)
    table.discard("default", "id", "old")
    assert table.get("default", "id") is new
    table.discard("default", "id", "new")
    assert len(table) == 0


async def test_discarding_twice_is_no_error() -> None:
    """Outcomes may be reported twice after a lost reply."""
    table = InFlight()
    table.add(attempt())
    table.discard("default", "id", "token")
    table.discard("default", "id", "token")


async def test_waiting_ends_when_the_last_task_goes() -> None:
    """Also for several who wait, and when the table is empty already."""
    table = InFlight()
    await table.wait_until_empty()
    table.add(attempt("a", "one"))
    table.add(attempt("b", "two"))
    waiting = [asyncio.create_task(table.wait_until_empty()) for _ in range(3)]
    await asyncio.sleep(0)
    table.discard("one", "a", "token")
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    table.discard("two", "b", "token")
    async with asyncio.timeout(20):
        await asyncio.gather(*waiting)


async def test_waiting_goes_on_when_a_task_comes_in_the_same_moment() -> None:
    """Empty for an instant is not empty."""
    table = InFlight()
    table.add(attempt("a"))
    waiting = asyncio.create_task(table.wait_until_empty())
    await asyncio.sleep(0)
    table.discard("default", "a", "token")
    table.add(attempt("b"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    table.discard("default", "b", "token")
    async with asyncio.timeout(20):
        await waiting


async def test_a_waiter_that_gives_up_does_not_disturb_the_next() -> None:
    """Shutdown has a limit, and then waits once more."""
    table = InFlight()
    table.add(attempt())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await table.wait_until_empty()
    waiting = asyncio.create_task(table.wait_until_empty())
    await asyncio.sleep(0)
    table.discard("default", "id", "token")
    async with asyncio.timeout(20):
        await waiting


async def test_snapshots_are_safe_while_tasks_come_and_go() -> None:
    """The heartbeater takes them from its own thread."""
    table = InFlight()
    stop, failures, taken = threading.Event(), [], []

    def watch() -> None:
        while not stop.is_set():
            try:
                taken.append(sum(map(len, table.snapshot().values())))
            except RuntimeError as error:
                failures.append(error)

    thread = threading.Thread(target=watch)
    thread.start()
    for n in range(20_000):
        table.add(attempt(str(n), f"q{n % 300}"))
        table.discard(f"q{n % 300}", str(n - n % 7), "token")
    stop.set()
    thread.join(20)
    assert failures == []
    assert taken


def test_an_attempt_is_cancelled_when_it_has_a_reason_to_stop() -> None:
    """Whatever the reason."""
    for reason in StopReason:
        running = attempt()
        assert not running.cancelled
        running.stop_reason = reason
        assert running.cancelled
