"""Channels: what the faces run their flows over. They own connections, share them between callers, and close them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakSet

from asynqpy._broker.flow import Batch, Call, Flow
from asynqpy._broker.presence import ping
from asynqpy._transport.connect import RedisTarget, Source
from asynqpy._transport.drive import drive, drive_async, unwrap
from asynqpy._transport.exchange import RefusedForNow
from asynqpy._transport.group_commit import GroupCommit
from asynqpy._transport.lane import BlockingLane, Lane, Pending, pauses
from asynqpy._transport.line import BlockingLine, Line
from asynqpy._transport.topology import Topology
from asynqpy.config import Address
from asynqpy.errors import AsynqpyError

T = TypeVar("T")


class Begun(NamedTuple, Generic[T]):
    """A flow whose first call was sent."""

    flow: Flow[T]
    call: Call | Batch
    reply: asyncio.Future[Any]


class Channel:
    """Runs flows on an event loop over one connection; concurrent flows share round trips."""

    def __init__(self, target: RedisTarget | Source) -> None:
        self.source = target if isinstance(target, Source) else Source(target)
        self._owns_source = not isinstance(target, Source)
        # Patience is that of each call: others that share its round trip must not wait for a slot that is on the move.
        self._lane = Lane(self.source, patience=timedelta(0))
        self._requests: GroupCommit[Call | Batch] = GroupCommit(self._exchange)

    async def run(self, flow: Flow[T], *, patient: bool = True) -> T:
        """Run *flow* to its end.

        Calls that Sentinel or a cluster refuse for now are made again for a while, unless the caller is not *patient*:
        one that comes back by itself, and has others to look after meanwhile.
        """
        return await drive_async(flow, self._perform if patient else self._perform_once)

    def begin(self, flow: Flow[T]) -> Begun[T]:
        """Send the call with which *flow* begins and do not wait for the reply; `finish` runs it to its end.

        It must begin with a call by itself, no batch. Whoever does not want its result any more forgets it.
        """
        call = next(flow)
        reply = self._requests.submit(call)
        reply.add_done_callback(_note_error)
        return Begun(flow, call, reply)

    async def finish(self, begun: Begun[T]) -> T:
        """The result of what `begin` has begun."""
        first = [begun.reply]

        async def perform(request: Call | Batch) -> Any:
            if first:
                with suppress(RefusedForNow):
                    return await first.pop()
            return await self._perform(request)

        return await drive_async(begun.flow, perform, begun.call)

    async def _perform(self, request: Call | Batch) -> Any:
        if not self.source.follows_failover:
            return await self._requests.submit(request)
        if isinstance(request, Call):
            return await self._insist(request)
        return await asyncio.gather(*map(self._settle, request.calls))

    async def _perform_once(self, request: Call | Batch) -> Any:
        return await self._requests.submit(request)

    async def _insist(self, call: Call) -> Any:
        for pause in pauses(self.source.failover_wait.total_seconds()):
            try:
                return await self._requests.submit(call)
            except RefusedForNow:
                await asyncio.sleep(pause)
        return await self._requests.submit(call)

    async def _settle(self, call: Call) -> Any:
        try:
            return await self._insist(call)
        except AsynqpyError as error:  # stands in the replies of a batch; a cancellation, or a mistake, does not
            return error

    async def _exchange(self, requests: Sequence[Call | Batch]) -> list[Any]:
        """One round trip for all *requests*: a reply for each call, a list of them for each batch."""
        calls: list[Call] = []
        for request in requests:
            calls += request.calls if isinstance(request, Batch) else (request,)
        replies = iter(await self._lane.exchange(calls))
        return [
            list(islice(replies, len(request.calls))) if isinstance(request, Batch) else next(replies)
            for request in requests
        ]

    async def run_on_each_node(self, make_flow: Callable[[], Flow[T]]) -> list[T]:
        """Run a flow on every node that holds keys, all at once, and return the results; one for a single server.

        For what must see all keys (``SCAN``) or all servers (``INFO``). Its calls go where they are run, whatever their
        keys: it must not name any.

        Raises:
            BrokerError: a node cannot be reached or refuses.
        """
        if self.source.topology is None:
            return [await self.run(make_flow())]
        lines = [Line(self.source, address) for address in await self._masters(self.source.topology)]
        try:
            return await asyncio.gather(*(drive_async(make_flow(), partial(perform_on, line)) for line in lines))
        finally:
            for line in lines:
                await line.close()

    async def _masters(self, topology: Topology) -> tuple[Address, ...]:
        topology.doubt()
        await self.run(ping())  # which looks at the topology first
        return topology.masters

    async def close(self) -> None:
        """Finish what was submitted, then close the connection."""
        await self._requests.drain()
        await self._lane.close()
        if self._owns_source:
            await asyncio.to_thread(self.source.close)  # waits for an embedded server whose last user this was


def _note_error(reply: asyncio.Future[Any]) -> None:
    """Take note of an error, which is no news for those who have forgotten what they began."""
    if not reply.cancelled():
        reply.exception()


async def perform_on(line: Line, request: Call | Batch) -> Any:
    """The reply to a call, or the list of replies to a batch, over one line."""
    if isinstance(request, Batch):
        return await line.exchange(request.calls)
    return unwrap(await line.exchange([request]))


def perform_blocking_on(line: BlockingLine, request: Call | Batch) -> Any:
    """The same, blocking."""
    calls = request.calls if isinstance(request, Batch) else [request]
    replies = line.finish(line.begin(calls))
    return replies if isinstance(request, Batch) else unwrap(replies)


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

        A flow is sent when the one before it is done, never beside it, so that Redis sees them in their order too. The
        flows must be independent, and start with a batch.
        """
        with self._lane() as lane:
            previous: tuple[Flow[T], Pending] | None = None
            try:
                for flow in flows:
                    batch = next(flow)
                    done = [] if previous is None else [self._complete(lane, *previous)]
                    previous = flow, lane.begin(batch.calls if isinstance(batch, Batch) else [batch])
                    yield from done
                if previous is not None:
                    yield self._complete(lane, *previous)
            except BaseException:  # of the caller's iterable, or the caller has had enough: a reply is still to come
                lane.close()
                raise

    def run_on_each_node(self, make_flow: Callable[[], Flow[T]]) -> list[T]:
        """`Channel.run_on_each_node`, one node after the other."""
        topology = self.source.topology
        if topology is None:
            return [self.run(make_flow())]
        topology.doubt()
        self.run(ping())
        results: list[T] = []
        for address in topology.masters:
            line = BlockingLine(self.source, address)
            try:
                results.append(drive(make_flow(), partial(perform_blocking_on, line)))
            finally:
                line.close()
        return results

    @staticmethod
    def _complete(lane: BlockingLane, flow: Flow[T], pending: Pending) -> T:
        replies = lane.finish(pending)
        try:
            request = flow.send(replies)
        except StopIteration as finished:
            return finished.value  # type: ignore[no-any-return]
        return lane.run(flow, request)

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
