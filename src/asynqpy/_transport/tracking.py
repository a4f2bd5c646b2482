"""Learning that a key changed without asking again: ``CLIENT TRACKING`` over RESP3.

A key that is read here is remembered by Redis; the first change to it, whoever makes it, is pushed once. Reading it
again remembers it anew. Nothing has to be configured on the server.

On a cluster there is a tracking connection to each node in use. Nobody pushes anything when a slot goes to another
node, so one of them is asked now and then who serves what; when that has changed, any key may have.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from redis import asyncio as redis_async
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from asynqpy._broker.flow import Call
from asynqpy._transport.connect import Source
from asynqpy._transport.exchange import Unreachable, pack, refusal
from asynqpy._transport.routing import Parcel, look, route
from asynqpy._transport.topology import Topology, Watching, hash_tag
from asynqpy.config import Address
from asynqpy.errors import BrokerError, ConnectionLostError

log = logging.getLogger("asynqpy")

_PUSHED = object()
_TROUBLE = (RedisError, OSError, EOFError)


LOOK_SECONDS = 2.0
"""How often one node of a cluster is asked who serves what."""


class KeyWatch:
    """Watches keys, wherever they are.

    Args:
        source: where to connect.
        on_change: called with the name of a key that was read here and has changed, or with None when any may have.
    """

    def __init__(self, source: Source, on_change: Callable[[str | None], None]) -> None:
        self._source = source
        self._watch = (
            NodeWatch(source, on_change)
            if source.topology is None
            else ClusterWatch(source, source.topology, on_change)
        )

    @property
    def is_open(self) -> bool:
        """Whether changes are being pushed."""
        return self._watch.is_open

    async def open(self) -> None:
        """Connect and switch tracking on.

        Raises:
            BrokerError: Redis cannot be reached, or refuses RESP3 or tracking.
        """
        await self._watch.open()

    async def read(self, calls: Sequence[Call]) -> list[Any]:
        """The replies to *calls*, or errors in their places; the keys that they read are watched from now on."""
        return await self._watch.read(calls)

    def together(self, keys: Iterable[str]) -> list[list[str]]:
        """*keys* in groups that one call may name: a single one, unless this is a cluster."""
        return self._source.together(keys)

    async def close(self) -> None:
        """Close the connections."""
        await self._watch.close()


class NodeWatch(Watching):
    """One tracking connection; arguments as for `KeyWatch`, and the node of a cluster."""

    def __init__(self, source: Source, on_change: Callable[[str | None], None], address: Address | None = None) -> None:
        self._source = source
        self._address = address
        self._on_change = on_change
        self._limit = source.timeout.total_seconds()
        self._connection: redis_async.Connection | None = None
        self._replies: deque[asyncio.Future[Any]] = deque()
        self._reader: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        if source.switches is not None:
            source.switches.watch(self)

    @property
    def is_open(self) -> bool:
        """Whether changes are being pushed."""
        return self._connection is not None

    async def open(self) -> None:
        """Connect and switch tracking on.

        Raises:
            BrokerError: Redis cannot be reached, or refuses RESP3 or tracking.
        """
        await self.close()
        switches = self._source.switch_count
        try:
            connection = await self._source.connected(self._address)
        except _TROUBLE as error:
            raise Unreachable(f"cannot open a tracking connection: {error}") from error
        if self._source.switch_count != switches:
            await connection.disconnect(nowait=True)
            raise Unreachable("cannot open a tracking connection: another server is the master now")
        parser: Any = connection._parser
        parser.set_invalidation_push_handler(self._pushed)
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._reader = asyncio.create_task(self._read_all(connection), name="asynqpy tracking")
        reply = (await self.read([Call(("CLIENT", "TRACKING", "ON"))]))[0]
        if isinstance(reply, BrokerError):
            await self.close()
            raise reply

    async def read(self, calls: Sequence[Call]) -> list[Any]:
        """The replies to *calls*, or errors in their places; the keys that they read are watched from now on."""
        connection = self._connection
        if connection is None or not calls:
            return [ConnectionLostError("the tracking connection is closed")] * len(calls)
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Any]] = [loop.create_future() for _ in calls]
        self._replies.extend(futures)
        try:
            async with asyncio.timeout(self._limit):
                await connection.send_packed_command(
                    [b"".join([pack(call.words) for call in calls])], check_health=False
                )
                await asyncio.wait(futures)
        except _TROUBLE as error:
            self._break(error)
        results: list[Any] = []
        for call, future in zip(calls, futures, strict=True):
            trouble = future.exception() if future.done() else ConnectionLostError("no reply")
            if trouble is None:
                results.append(future.result())
            else:
                results.append(refusal(trouble, call) if isinstance(trouble, ResponseError) else trouble)
        return results

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for a reply."""
        return not self._replies

    def place_changed(self) -> None:
        """Another server is the master: what this one pushes is of no interest. Called in any thread."""
        loop = self._loop
        if self.is_open and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._break, RedisConnectionError("another server is the master now"))

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
        self._fail_replies(ConnectionLostError("the tracking connection was closed"))
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _pushed(self, message: Sequence[Any]) -> object:
        names = message[1]
        if names is None:  # FLUSHALL and the like
            self._on_change(None)
        else:
            for name in names:
                self._on_change(name.decode())
        return _PUSHED

    async def _read_all(self, connection: redis_async.Connection) -> None:
        while True:
            try:
                reply = await connection.read_response(disable_decoding=True, timeout=math.inf, push_request=True)
            except ResponseError as refused:
                if self._replies:
                    self._replies.popleft().set_exception(refused)
                continue
            except _TROUBLE as error:
                self._break(error)
                return
            if reply is not _PUSHED and self._replies:
                future = self._replies.popleft()
                if not future.done():
                    future.set_result(reply)

    def _break(self, error: BaseException) -> None:
        connection, self._connection = self._connection, None
        wrapped = ConnectionLostError(f"lost the tracking connection: {str(error) or type(error).__name__}")
        self._fail_replies(wrapped)
        if connection is not None:
            asyncio.get_running_loop().create_task(connection.disconnect(nowait=True))
            self._on_change(None)

    def _fail_replies(self, error: BrokerError) -> None:
        while self._replies:
            future = self._replies.popleft()
            if not future.done():
                future.set_exception(error)
                future.exception()  # read by nobody when its caller has given up


class ClusterWatch(Watching):
    """Tracking connections to the nodes in use. When one breaks all are opened again, each to the right node."""

    def __init__(self, source: Source, topology: Topology, on_change: Callable[[str | None], None]) -> None:
        self._source = source
        self._topology = topology
        self._on_change = on_change
        self._nodes: dict[Address, NodeWatch] = {}
        self._places: dict[str, Address | None] = {}
        """Where the keys of a hash tag were read last."""
        self._opening = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.is_open = False
        """Whether changes are being pushed."""
        topology.watch(self)

    async def open(self) -> None:
        """Connect to the nodes of all keys that were ever read, or to any node to see that it can be done."""
        await self.close()
        self._loop = asyncio.get_running_loop()
        self.is_open = True
        try:
            await self._look()
            for address in {self._topology.owner(tag) for tag in self._places}:
                if address is not None:
                    await self._node(address)
        except BaseException:
            await self.close()
            raise
        self._looking = asyncio.create_task(self._keep_looking(), name="asynqpy topology")

    async def read(self, calls: Sequence[Call]) -> list[Any]:
        """The replies to *calls*, or errors in their places; the keys that they read are watched from now on."""
        if not self.is_open or not calls:
            return [ConnectionLostError("the tracking connections are closed")] * len(calls)
        routing = route(calls, self._topology)
        try:
            parcels = next(routing)
            while True:
                parcels = routing.send(await asyncio.gather(*(self._deliver(parcel) for parcel in parcels)))
        except StopIteration as finished:
            return finished.value  # type: ignore[no-any-return]

    async def _deliver(self, parcel: Parcel) -> list[Any]:
        address, calls = parcel
        try:
            node = await self._node(address)
        except BrokerError as error:
            self._broken()
            return [error] * len(calls)
        self._note_places(address, calls)
        return await node.read(calls)

    def _note_places(self, address: Address, calls: Sequence[Call]) -> None:
        """Remember where keys are read; those of a tag that were read elsewhere before are watched by nobody now."""
        moved = False
        for call in calls:
            tag = None if call.key is None else hash_tag(call.key)
            # A node that a slot is still on the move to is not its place yet: other keys are watched at the old one.
            if tag is not None and self._topology.owner(tag) == address:
                moved = moved or self._places.get(tag, address) != address
                self._places[tag] = address
        if moved:
            asyncio.get_running_loop().call_soon(self._on_change, None)

    async def _node(self, address: Address) -> NodeWatch:
        async with self._opening:
            node = self._nodes.get(address)
            if node is None:
                node = NodeWatch(self._source, lambda key: self._told(address, key), address)
                await node.open()
                self._nodes[address] = node
            return node

    async def _look(self) -> None:
        """Ask some node who serves what; one that is connected if there is any."""
        trouble: BrokerError | None = None
        routing = look(self._topology)
        try:
            parcels = next(routing)
            while True:
                address, calls = parcels[0]
                try:
                    replies = await (await self._node(address)).read(calls)
                except BrokerError as error:
                    trouble = error
                    replies = [error] * len(calls)
                parcels = routing.send([replies])
        except StopIteration:
            pass
        if not self._nodes:
            raise trouble or BrokerError("cannot open a tracking connection: no node of the cluster answers")

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for address, node in list(self._nodes.items()):
                reply = (await node.read([Call(("CLUSTER", "SLOTS"))]))[0]
                if not isinstance(reply, BrokerError):
                    self._topology.learn(reply, address)
                    break
            await self._leave_unused()

    async def _leave_unused(self) -> None:
        """Close connections to nodes that have none of the keys: their end would be trouble for nothing."""
        used = set(self._places.values())
        for address in [address for address, node in self._nodes.items() if address not in used and node.is_idle]:
            if len(self._nodes) > 1:
                await self._nodes.pop(address).close()

    def place_changed(self) -> None:
        """Called in any thread."""
        loop = self._loop
        if self.is_open and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._check_places)

    def _check_places(self) -> None:
        """A key that was read elsewhere than it is now is watched by nobody."""
        moved = [tag for tag, address in self._places.items() if self._topology.owner(tag) != address]
        if moved and self.is_open:
            for tag in moved:
                self._places[tag] = self._topology.owner(tag)
            self._on_change(None)

    def _told(self, address: Address, key: str | None) -> None:
        node = self._nodes.get(address)
        if key is None and (node is None or not node.is_open):
            self._topology.doubt()
            self._broken()
        else:
            self._on_change(key)

    def _broken(self) -> None:
        if self.is_open:
            self.is_open = False
            self._on_change(None)

    async def close(self) -> None:
        """Close the connections."""
        self.is_open = False
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
        nodes, self._nodes = self._nodes, {}
        for node in nodes.values():
            await node.close()
