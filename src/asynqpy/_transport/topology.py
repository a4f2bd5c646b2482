"""Which node of a cluster serves which keys, as far as is known. Pure: who wants to know it better asks a node.

Shared by all lanes of a source, in whatever threads they are: tables are replaced, never changed in places that belong
together.
"""

from __future__ import annotations

import math
import random
import time
from binascii import crc_hqx
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakSet

from asynqpy.config import Address
from asynqpy.errors import BrokerError

SLOTS = 16_384

REFRESH_SECONDS = 0.1
"""A cluster that is changing is looked at no more often than this."""

SHORTEST_REST, LONGEST_REST = 0.25, 5.0
"""How many seconds a node that could not be reached is left alone: others must not wait for it each time."""


def hash_tag(key: str) -> str:
    """The part of *key* that decides where it is: what is in the first braces if there is anything, else all of it."""
    start = key.find("{")
    if start >= 0:
        end = key.find("}", start + 1)
        if end > start + 1:
            return key[start + 1 : end]
    return key


@lru_cache(maxsize=65_536)
def slot_of_tag(tag: str) -> int:
    """The slot of the keys with a hash tag."""
    return crc_hqx(tag.encode(), 0) % SLOTS


class Topology:
    """What is known of one cluster.

    Args:
        start_nodes: where to ask first.
        translate: from an announced address to one that can be reached from here.
    """

    def __init__(self, start_nodes: Sequence[Address], translate: Callable[[Address], Address]) -> None:
        self._start_nodes = tuple(start_nodes)
        self._translate = translate
        self._owners: list[Address | None] = [None] * SLOTS
        self._resting: dict[Address, float] = {}
        self._doubtful = True
        self._looked_at = -math.inf
        self._listeners: WeakSet[Watching] = WeakSet()
        self.masters: tuple[Address, ...] = ()
        """The nodes that serve slots."""
        self.trouble: BrokerError | None = None
        """Why the last node that was asked did not tell."""

    def owner(self, tag: str) -> Address | None:
        """The node that serves the keys with this hash tag; None when nobody is known to."""
        return self._owners[slot_of_tag(tag)]

    def candidates(self) -> list[Address]:
        """Nodes to ask when any will do: masters first, those that could not be reached lately last."""
        masters = random.sample(self.masters, len(self.masters))
        others = [address for address in self._start_nodes if address not in self.masters]
        return sorted([*masters, *others], key=self.is_resting)

    def is_resting(self, address: Address) -> bool:
        """Whether a node could not be reached lately, so that trying again would only cost time."""
        return time.monotonic() < self._resting.get(address, -math.inf)

    def rest(self, address: Address, spent: float) -> None:
        """A node could not be reached, which took *spent* seconds."""
        self._resting[address] = time.monotonic() + min(max(2 * spent, SHORTEST_REST), LONGEST_REST)
        self.doubt()

    def doubt(self) -> None:
        """Something was not where it should be: look again before the next exchange."""
        self._doubtful = True

    @property
    def wants_a_look(self) -> bool:
        """Whether a node should be asked, and may be asked already."""
        lately = time.monotonic() - self._looked_at < REFRESH_SECONDS
        return self._doubtful and not (lately and self.masters)

    def begin_look(self) -> None:
        """Somebody asks now; others need not."""
        self._looked_at = time.monotonic()

    def learn(self, reply: Sequence[Any], asked: Address) -> bool:
        """Believe the reply of *asked* to ``CLUSTER SLOTS``; False when it knows of no slots."""
        owners: list[Address | None] = [None] * SLOTS
        for first, last, master, *_ in reply:
            address = self.announced(master[0], master[1], asked)
            owners[first : last + 1] = [address] * (last + 1 - first)
        masters = tuple(sorted({address for address in owners if address is not None}))
        if not masters:
            return False
        changed, self._owners, self.masters = owners != self._owners, owners, masters
        self._doubtful = False
        if changed:
            self._tell()
        return True

    def moved(self, slot: int, address: Address) -> None:
        """A node has said that *slot* is served elsewhere."""
        if self._owners[slot] != address:
            self._owners[slot] = address
            self._tell()
        self.doubt()  # a slot seldom moves alone

    def announced(self, host: bytes | str | None, port: int, asked: Address) -> Address:
        """The address of a node as another one has put it: without a host it is that of the node *asked* itself."""
        text = host.decode() if isinstance(host, bytes) else host or ""
        return (asked[0], port) if text in ("", "?") else self._translate((text, port))

    def watch(self, watching: Watching) -> None:
        """Tell *watching* of changes for as long as it exists; from any thread."""
        self._listeners.add(watching)

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener.place_changed()


class Watching:
    """Who wants to know that keys are elsewhere than before."""

    def place_changed(self) -> None:
        """Called in whatever thread has found it out."""
        raise NotImplementedError
