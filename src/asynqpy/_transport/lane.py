"""A lane: carries one exchange at a time to wherever Redis is, and comes back by itself after a failure.

Before a single server it is one line. With sentinels the line asks for the master whenever it connects; on a cluster
there is a line to each node in use. There a call that was refused because masters change or slots move, and that is
known not to have been executed, is made again for a while. The two classes are twins: one awaits, one blocks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar

from asynqpy._broker.flow import Batch, Call, Flow
from asynqpy._transport.cluster import BlockingClusterLines, ClusterLines, PendingRouting
from asynqpy._transport.connect import Source
from asynqpy._transport.drive import drive, drive_async, unwrap
from asynqpy._transport.exchange import RefusedForNow
from asynqpy._transport.line import BlockingLine, Line, PendingExchange

T = TypeVar("T")

LONGEST_PAUSE_SECONDS = 0.25

Pending: TypeAlias = "tuple[Sequence[Call], PendingExchange | PendingRouting]"
"""An exchange whose replies are still to be read."""


class Lane:
    """A way to Redis on the running event loop.

    Args:
        source: where to connect.
        patience: how long calls that are refused for now are made again, the source's `failover_wait` when None. A
            lane whose user comes back by itself should have none, so that calls to other nodes do not wait for it.
    """

    def __init__(self, source: Source, *, patience: timedelta | None = None) -> None:
        self._patience = _patience(source, patience)
        self._way = Line(source) if source.topology is None else ClusterLines(source, source.topology)
        self.exchange: Callable[[Sequence[Call]], Awaitable[list[Any]]] = (
            self._exchange_patiently if source.follows_failover else self._way.exchange
        )
        """Sends calls in one round trip; one reply or error for each, in order."""

    @property
    def connects(self) -> int:
        """How often this lane has connected; more often than it has lines means that there were failures."""
        return self._way.connects

    async def run(self, flow: Flow[T]) -> T:
        """Run *flow* over this lane."""
        return await drive_async(flow, self.perform)

    async def perform(self, request: Call | Batch) -> Any:
        """The reply to a call, or the list of replies to a batch."""
        if isinstance(request, Batch):
            return await self.exchange(request.calls)
        return unwrap(await self.exchange([request]))

    async def _exchange_patiently(self, calls: Sequence[Call]) -> list[Any]:
        replies = await self._way.exchange(calls)
        refused = _to_repeat(calls, range(len(calls)), replies)
        if not refused:
            return replies
        await self._way.change_master()
        for pause in pauses(self._patience):
            await asyncio.sleep(pause)
            again = await self._way.exchange([calls[at] for at in refused])
            for at, reply in zip(refused, again, strict=True):
                replies[at] = reply
            refused = _to_repeat(calls, refused, again)
            if not refused:
                break
            await self._way.change_master()
        return replies

    async def close(self) -> None:
        """Close the connections; the next exchange opens new ones."""
        await self._way.close()


class BlockingLane:
    """A way to Redis for threads; one thread at a time. Arguments as for `Lane`."""

    def __init__(self, source: Source, *, patience: timedelta | None = None) -> None:
        self._patience = _patience(source, patience) if source.follows_failover else 0.0
        self._follows_failover = source.follows_failover
        self._way: Any = (  # each way finishes what itself has begun
            BlockingLine(source) if source.topology is None else BlockingClusterLines(source, source.topology)
        )

    def run(self, flow: Flow[T], first: Call | Batch | None = None) -> T:
        """Run *flow* over this lane; *first* is what it has asked for, if it has begun already."""
        return drive(flow, self.perform, first)

    def perform(self, request: Call | Batch) -> Any:
        """The reply to a call, or the list of replies to a batch."""
        if isinstance(request, Batch):
            return self.exchange(request.calls)
        return unwrap(self.exchange([request]))

    def exchange(self, calls: Sequence[Call]) -> list[Any]:
        """Send *calls* in one round trip; one reply or error for each, in order."""
        return self.finish(self.begin(calls))

    def begin(self, calls: Sequence[Call]) -> Pending:
        """Send *calls* without waiting for the replies; `finish` must follow before anything else."""
        return calls, self._way.begin(calls)

    def finish(self, pending: Pending) -> list[Any]:
        """The replies to what `begin` sent."""
        calls, sent = pending
        replies: list[Any] = self._way.finish(sent)
        if not self._follows_failover:
            return replies
        refused = _to_repeat(calls, range(len(calls)), replies)
        if not refused:
            return replies
        self._way.change_master()
        for pause in pauses(self._patience):
            time.sleep(pause)
            again = self._way.finish(self._way.begin([calls[at] for at in refused]))
            for at, reply in zip(refused, again, strict=True):
                replies[at] = reply
            refused = _to_repeat(calls, refused, again)
            if not refused:
                break
            self._way.change_master()
        return replies

    def close(self) -> None:
        """Close the connections; the next exchange opens new ones."""
        self._way.close()


def pauses(patience: float) -> Iterator[float]:
    """How long to wait before each further try, until *patience* seconds have passed."""
    until = time.monotonic() + patience
    pause = 0.01
    while time.monotonic() + pause <= until:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _patience(source: Source, patience: timedelta | None) -> float:
    return (source.failover_wait if patience is None else patience).total_seconds()


def _to_repeat(calls: Sequence[Call], places: Sequence[int], replies: Sequence[Any]) -> list[int]:
    return [
        at
        for at, reply in zip(places, replies, strict=True)
        if isinstance(reply, RefusedForNow) and not calls[at].optional
    ]
