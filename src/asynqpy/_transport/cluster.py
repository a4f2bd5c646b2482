"""The lines to the nodes of a cluster, one to each node in use, and what they carry together. Where: `routing`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from asynqpy._broker.flow import Call
from asynqpy._transport.connect import Source
from asynqpy._transport.line import BlockingLine, Line, PendingExchange
from asynqpy._transport.routing import Parcel, Routing, look, route
from asynqpy._transport.topology import Topology
from asynqpy.config import Address


class ClusterLines:
    """Lines on the running event loop."""

    def __init__(self, source: Source, topology: Topology) -> None:
        self._source = source
        self._topology = topology
        self._masters = topology.masters
        self._lines: dict[Address, Line] = {}
        self._retired_connects = 0

    @property
    def connects(self) -> int:
        """How often lines have connected."""
        return self._retired_connects + sum(line.connects for line in self._lines.values())

    async def exchange(self, calls: Sequence[Call]) -> list[Any]:
        """Send *calls* to their nodes, to all at once; one reply or error for each, in order."""
        if self._masters is not self._topology.masters:
            await self._retire()
        routing = route(calls, self._topology)
        try:
            parcels = next(routing)
            while True:
                parcels = routing.send(await self._deliver(parcels))
        except StopIteration as finished:
            return finished.value  # type: ignore[no-any-return]

    async def _deliver(self, parcels: list[Parcel]) -> list[list[Any]]:
        if len(parcels) == 1:
            address, calls = parcels[0]
            return [await self._line(address).exchange(calls)]
        return await asyncio.gather(*(self._line(address).exchange(calls) for address, calls in parcels))

    def _line(self, address: Address) -> Line:
        line = self._lines.get(address)
        if line is None:
            line = self._lines[address] = Line(self._source, address)
        return line

    async def _retire(self) -> None:
        """Close the lines to nodes that serve nothing any more."""
        self._masters = self._topology.masters
        for address in self._lines.keys() - self._masters:
            line = self._lines.pop(address)
            self._retired_connects += line.connects
            await line.close()

    async def change_master(self) -> None:
        """Nothing to do: a look at the topology says who it is."""

    async def close(self) -> None:
        """Close all connections; the next exchange opens new ones."""
        for line in self._lines.values():
            await line.close()


class PendingRouting:
    """Calls that are with their nodes, and whose replies are still to be read."""

    __slots__ = ("replies", "routing", "sent")

    def __init__(
        self, routing: Routing, sent: list[tuple[BlockingLine, PendingExchange]], replies: list[Any] | None = None
    ) -> None:
        self.routing = routing
        self.sent = sent
        self.replies = replies


class BlockingClusterLines:
    """The same for threads; one thread at a time."""

    def __init__(self, source: Source, topology: Topology) -> None:
        self._source = source
        self._topology = topology
        self._masters = topology.masters
        self._lines: dict[Address, BlockingLine] = {}

    def begin(self, calls: Sequence[Call]) -> PendingRouting:
        """Send *calls* without waiting for the replies; `finish` must follow before anything else."""
        if self._topology.wants_a_look:
            self._run(look(self._topology))
        if self._masters is not self._topology.masters:
            self._retire()
        routing = route(calls, self._topology)
        try:
            return PendingRouting(routing, self._send(next(routing)))
        except StopIteration as finished:
            return PendingRouting(routing, [], finished.value)

    def finish(self, pending: PendingRouting) -> list[Any]:
        """The replies to what `begin` sent, and to what had to be sent on."""
        if pending.replies is not None:
            return pending.replies
        sent = pending.sent
        try:
            while True:
                sent = self._send(pending.routing.send(_receive(sent)))
        except StopIteration as finished:
            return finished.value  # type: ignore[no-any-return]
        except BaseException:  # interrupted: replies are still on their way
            self.close()
            raise

    def _run(self, routing: Routing) -> None:
        try:
            parcels = next(routing)
            while True:
                parcels = routing.send(_receive(self._send(parcels)))
        except StopIteration:
            return

    def _send(self, parcels: list[Parcel]) -> list[tuple[BlockingLine, PendingExchange]]:
        lines = [self._line(address) for address, _ in parcels]
        pending: dict[int, PendingExchange] = {}
        # Connecting blocks: whoever has to comes last, so that the others need not wait for it.
        for at in sorted(range(len(parcels)), key=lambda at: not lines[at].is_connected):
            pending[at] = lines[at].begin(parcels[at][1])
        return [(line, pending[at]) for at, line in enumerate(lines)]

    def _line(self, address: Address) -> BlockingLine:
        line = self._lines.get(address)
        if line is None:
            line = self._lines[address] = BlockingLine(self._source, address)
        return line

    def _retire(self) -> None:
        self._masters = self._topology.masters
        for address in self._lines.keys() - self._masters:
            self._lines.pop(address).close()

    def change_master(self) -> None:
        """Nothing to do: a look at the topology says who it is."""

    def close(self) -> None:
        """Close all connections; the next exchange opens new ones."""
        for line in self._lines.values():
            line.close()


def _receive(sent: list[tuple[BlockingLine, PendingExchange]]) -> list[list[Any]]:
    return [line.finish(pending) for line, pending in sent]
