"""Channels: what the faces run their flows over. They own connections, share them between callers, and close them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakSet

from asynqpy._broker.flow import Batch, Call, Flow
from asynqpy._transport.connect import RedisTarget, Source
from asynqpy._transport.drive import drive_async
from asynqpy._transport.group_commit import GroupCommit
from asynqpy._transport.lane import BlockingLane, Lane, PendingExchange
from asynqpy.errors import AsynqpyError

T = TypeVar("T")


class Channel:
    """Runs flows on an event loop over one connection; concurrent flows share round trips."""

    def __init__(self, target: RedisTarget | Source) -> None:
        self.source = target if isinstance(target, Source) else Source(target)
        self._owns_source = not isinstance(target, Source)
        self._lane = Lane(self.source)
        self._calls: GroupCommit[Call] = GroupCommit(self._lane.exchange)

    async def run(self, flow: Flow[T]) -> T:
        """Run *flow* to its end."""
        return await drive_async(flow, self._perform)

    async def _perform(self, request: Call | Batch) -> Any:
        if isinstance(request, Call):
            return await self._calls.submit(request)
        futures = [self._calls.submit(call) for call in request.calls]
        return [await _settled(future) for future in futures]

    async def close(self) -> None:
        """Finish what was submitted, then close the connection."""
        await self._calls.drain()
        await self._lane.close()
        if self._owns_source:
            await asyncio.to_thread(self.source.close)  # waits for an embedded server whose last user this was


async def _settled(future: Any) -> Any:
    try:
        return await future
    except Exception as error:  # noqa: BLE001 - errors stand in the replies of a batch
        return error


class BlockingChannel:
    """Runs flows from any thread; each run has a connection to itself."""

    def __init__(self, target: RedisTarget) -> None:
        self.source = Source(target)
        self._idle: list[BlockingLane] = []
        self._lock = threading.Lock()
        self._closed = False
        _of_this_process.add(self)

    def run(self, flow: Flow[T]) -> T:
        """Run *flow* to its end."""
        with self._lane() as lane:
            return lane.run(flow)

    def run_overlapped(self, flows: Iterator[Flow[T]]) -> Iterator[T]:
        """Run *flows* one after the other, preparing the next while Redis works on the last; results in order.

        The flows must be independent, and start with a batch.
        """
        with self._lane() as one, self._lane() as other:
            previous: tuple[Flow[T], BlockingLane, PendingExchange] | None = None
            lanes = (one, other)
            try:
                for turn, flow in enumerate(flows):
                    batch = next(flow)
                    lane = lanes[turn % 2]
                    pending = lane.begin(batch.calls if isinstance(batch, Batch) else [batch])
                    if previous is not None:
                        yield self._complete(*previous)
                    previous = (flow, lane, pending)
                if previous is not None:
                    yield self._complete(*previous)
            except (
                BaseException
            ):  # the caller's iterable failed, or the caller has had enough: a reply is still to come
                one.close()
                other.close()
                raise

    @staticmethod
    def _complete(flow: Flow[T], lane: BlockingLane, pending: PendingExchange) -> T:
        replies = lane.finish(pending)
        try:
            request = flow.send(replies)
        except StopIteration as finished:
            return finished.value  # type: ignore[no-any-return]
        return lane.run(_continued(flow, request))

    @contextmanager
    def _lane(self) -> Iterator[BlockingLane]:
        with self._lock:
            lane = self._idle.pop() if self._idle else BlockingLane(self.source)
        try:
            yield lane
        except AsynqpyError:
            raise
        except BaseException:  # a KeyboardInterrupt in the middle of sending or reading, for one
            lane.close()
            raise
        finally:
            with self._lock:
                if self._closed:
                    lane.close()
                else:
                    self._idle.append(lane)

    def forget_connections(self) -> None:
        """Give up what belongs to the parent process, after a fork: connections, and a lock that may be held there."""
        self._lock = threading.Lock()
        idle, self._idle = self._idle, []
        for lane in idle:
            lane.close()

    def close(self) -> None:
        """Close every idle connection, and those in use when their run ends."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for lane in idle:
            lane.close()
        self.source.close()


_of_this_process: WeakSet[BlockingChannel] = WeakSet()


def _after_fork() -> None:
    for channel in list(_of_this_process):
        channel.forget_connections()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _continued(flow: Flow[T], request: Call | Batch) -> Flow[T]:
    """The rest of a *flow* that has already yielded *request*."""
    while True:
        try:
            reply = yield request
        except Exception as error:  # noqa: BLE001 - handed on to the flow, which decides
            request_or_result = flow.throw(error)
        else:
            try:
                request_or_result = flow.send(reply)
            except StopIteration as finished:
                return finished.value  # type: ignore[no-any-return]
        request = request_or_result
