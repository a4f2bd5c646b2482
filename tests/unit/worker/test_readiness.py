"""Which queues may have tasks."""

from __future__ import annotations

import asyncio

import pytest

from asynqpy._worker.readiness import Readiness

pytestmark = pytest.mark.anyio


class Wakes:
    """Counts how often the lanes were woken."""

    def __init__(self, readiness: Readiness) -> None:
        self.count = 0
        readiness.when_ready = self._wake

    def _wake(self) -> None:
        self.count += 1


async def test_every_queue_is_ready_at_first() -> None:
    """Nothing is known yet."""
    assert Readiness(["a", "b"]).ready == {"a", "b"}


async def test_a_dry_queue_is_armed_once() -> None:
    """The waker gets it, and not again."""
    readiness = Readiness(["a", "b"])
    readiness.ran_dry("a")
    readiness.ran_dry("a")
    assert readiness.ready == {"b"}
    async with asyncio.timeout(20):
        assert await readiness.to_arm() == {"a"}
    waiting = asyncio.create_task(readiness.to_arm())
    await asyncio.sleep(0)
    assert not waiting.done()
    readiness.ran_dry("b")
    async with asyncio.timeout(20):
        assert await waiting == {"b"}


async def test_a_queue_that_got_tasks_before_it_was_armed_is_not() -> None:
    """It is ready, so there is nothing to watch for."""
    readiness = Readiness(["a"])
    readiness.ran_dry("a")
    readiness.changed("a")
    async with asyncio.timeout(20):
        assert await readiness.to_arm() == set()


async def test_a_change_wakes_the_lanes_once() -> None:
    """Further changes of a queue that is ready wake nobody."""
    readiness = Readiness(["a", "b"])
    wakes = Wakes(readiness)
    readiness.ran_dry("a")
    readiness.changed("a")
    readiness.changed("a")
    readiness.changed("b")
    assert wakes.count == 1
    readiness.changed("not ours")
    assert readiness.ready == {"a", "b"}
    assert wakes.count == 1


async def test_a_paused_queue_is_armed_and_comes_back_with_a_change() -> None:
    """Its flag is among the keys that are watched."""
    readiness = Readiness(["a"])
    wakes = Wakes(readiness)
    readiness.is_paused("a")
    assert (readiness.ready, readiness.paused) == (set(), {"a"})
    async with asyncio.timeout(20):
        assert await readiness.to_arm() == {"a"}
    readiness.changed("a")
    assert (readiness.ready, readiness.paused, wakes.count) == ({"a"}, set(), 1)


async def test_when_nothing_is_known_everything_is_ready() -> None:
    """After a lost connection."""
    readiness = Readiness(["a", "b"])
    wakes = Wakes(readiness)
    readiness.ran_dry("a")
    readiness.is_paused("b")
    readiness.assume_all_ready()
    assert (readiness.ready, readiness.paused, wakes.count) == ({"a", "b"}, set(), 1)
