"""How often a sweeper looks where nothing has been pushed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from asynqpy._broker.due import Swept
from asynqpy._broker.flow import Call, Flow
from asynqpy._worker.sweeper import Sweeper, WatchedSet

pytestmark = pytest.mark.anyio


class EmptyRedis:
    """A watcher of sets that are all empty."""

    is_pushing = True

    def __init__(self) -> None:
        self.commands = 0

    def tell(self, key: str, callback: Callable[[], None]) -> None:
        """Nothing changes."""

    def when_reopened(self, callback: Callable[[], None]) -> None:
        """It never breaks."""

    async def read(self, calls: Sequence[Call]) -> list[Any]:
        """The time, and no member."""
        self.commands += len(calls)
        return [[b"1700000000", b"0"], *([] for _ in calls[1:])]


def nothing(queue: str) -> Flow[Swept]:
    """Move nothing."""
    raise AssertionError("nothing is due")
    yield


@pytest.mark.parametrize("count", [1, 15, 100, 1000])
async def test_looks_without_a_push_stay_cheap(count: int) -> None:
    """However many queues there are, they cost a command a second at most; a few are looked at once a minute."""
    redis: Any = EmptyRedis()
    queues = [f"q{n}" for n in range(count)]
    sweeper = Sweeper(
        "forwarder",
        queues,
        lambda queue: [WatchedSet(queue + name) for name in ("scheduled", "retry", "due")],
        nothing,
        watcher=redis,
        channel=redis,
        poll_interval=timedelta(seconds=5),
    )
    loop = asyncio.get_running_loop()
    before = loop.time()
    for queue in queues:
        await sweeper.tick(queue)
    again = min(sweeper._due.values()) - before
    assert again >= 60
    assert redis.commands <= again + 0.001
    if count <= 15:
        assert again < 61
