"""Routing on a cluster: which calls go to which node, and what to do when they should have gone elsewhere. Pure.

Calls are split by the slot of their key, sent to all nodes at once, and their replies put back in order. Whoever is
told that a slot has moved goes there; what cannot be executed for now is answered with `RefusedForNow`.

While a slot is moved key by key, its keys are on two nodes. A server refuses a command when some of the keys that it
names are elsewhere, but knows nothing of keys that a script finds by itself, and would let it fail half-way. So each
script call names two keys more that never exist: a slot on the move refuses it whole, on both sides, before anything
is done.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from redis.exceptions import AskError, MovedError

from asynqpy._broker.flow import Call
from asynqpy._transport.exchange import RefusedForNow, Unreachable
from asynqpy._transport.topology import Topology, hash_tag
from asynqpy.config import Address
from asynqpy.errors import BrokerError, ConnectionLostError

Parcel: TypeAlias = tuple[Address, list[Call]]
Routing: TypeAlias = Generator[list[Parcel], list[list[Any]], list[Any]]
"""Yields what to send to which nodes, is sent the replies of each, returns one result or error per call, in order."""

MOST_REDIRECTIONS = 6
"""How often a call is sent on; after that it is for the caller to try again."""

_ASKING = Call(("ASKING",))
_SLOTS = Call(("CLUSTER", "SLOTS"))


def route(calls: Sequence[Call], topology: Topology) -> Routing:
    """The ways of *calls*."""
    if topology.wants_a_look:
        yield from look(topology)
    results: list[Any] = [None] * len(calls)
    todo: dict[int, _Way] = {}
    for at, call in enumerate(calls):
        try:
            todo[at] = _Way(guarded(call), None if call.key is None else hash_tag(call.key))
        except BrokerError as error:
            results[at] = error
    for _ in range(MOST_REDIRECTIONS):
        parcels = _parcels(todo, topology, results)
        if not parcels:
            break
        sent_at = time.monotonic()
        answers = yield [(address, parcel) for address, (_, parcel) in parcels.items()]
        spent = time.monotonic() - sent_at
        unfinished: dict[int, _Way] = {}
        for (address, (places, _)), replies in zip(parcels.items(), answers, strict=True):
            if isinstance(replies[0], Unreachable):
                topology.rest(address, spent)
            for place, reply in zip(places, replies, strict=True):
                if place is not None:
                    results[place] = reply
                    if isinstance(reply, BrokerError) and _goes_on(todo[place], reply, address, topology):
                        unfinished[place] = todo[place]
        todo = unfinished
        if not todo:
            break
        if topology.wants_a_look:
            yield from look(topology)
    return results


def look(topology: Topology) -> Routing:
    """Ask nodes where the slots are until one knows."""
    topology.begin_look()
    for address in topology.candidates():
        sent_at = time.monotonic()
        reply = (yield [(address, [_SLOTS])])[0][0]
        if isinstance(reply, Unreachable):
            topology.rest(address, time.monotonic() - sent_at)
        if isinstance(reply, BrokerError):
            topology.trouble = reply
        elif topology.learn(reply, address):
            break
    return []


class _Way(msgspec.Struct):
    """A call on its way."""

    call: Call
    tag: str | None
    """The hash tag of its key; None when any node will do."""
    asked: Address | None = None
    """Where the next try goes, and no other: the slot is on the move to there."""
    tried: tuple[Address, ...] = ()
    """Nodes that could not be reached, for a call that any node may get."""


def _parcels(
    todo: dict[int, _Way], topology: Topology, results: list[Any]
) -> dict[Address, tuple[list[int | None], list[Call]]]:
    parcels: dict[Address, tuple[list[int | None], list[Call]]] = {}
    some_node: Address | None = None
    for at, way in todo.items():
        address = way.asked
        if address is None and way.tag is None:
            if some_node is None or some_node in way.tried:
                some_node = next((one for one in topology.candidates() if one not in way.tried), None)
            address = some_node
        elif address is None and way.tag is not None:
            address = topology.owner(way.tag)
        if address is None or (way.tag is not None and topology.is_resting(address)):
            results[at] = results[at] or _nowhere(way, address, topology)
            topology.doubt()
            continue
        places, parcel = parcels.setdefault(address, ([], []))
        if way.asked is not None:
            places.append(None)
            parcel.append(_ASKING)
            way.asked = None
        places.append(at)
        parcel.append(way.call)
    return parcels


def _goes_on(way: _Way, error: BrokerError, address: Address, topology: Topology) -> bool:
    """Whether to send a call once more, now that *address* has not executed it."""
    cause = error.__cause__
    if isinstance(cause, AskError):
        target = topology.announced(cause.host, cause.port, address)
        if isinstance(cause, MovedError):
            topology.moved(cause.slot_id, target)
        else:
            way.asked = target
        return True
    if isinstance(error, Unreachable) and way.tag is None:
        way.tried += (address,)
        return True
    if isinstance(error, RefusedForNow | ConnectionLostError):
        topology.doubt()
    return False


def _nowhere(way: _Way, address: Address | None, topology: Topology) -> BrokerError:
    if not topology.masters and topology.trouble is not None:
        return topology.trouble
    if address is not None:
        return Unreachable(f"cannot reach Redis: node {address[0]}:{address[1]} of the cluster did not answer")
    if way.tag is None:
        return Unreachable("cannot reach Redis: no node of the cluster answers")
    return RefusedForNow(f"no node of the cluster is known to serve the slot of {way.tag!r}")


def guarded(call: Call) -> Call:
    """*call* as a cluster gets it: a script names two keys more, of the same slot, that never exist.

    Raises:
        BrokerError: the keys of the script are of different slots, which is a mistake in asynqpy.
    """
    script = call.script
    if script is None:
        return call
    words = call.words
    end = 3 + int(words[2])
    keys = words[3:end]
    tag = hash_tag(str(keys[0]))
    for key in keys:
        if hash_tag(str(key)) != tag:
            raise BrokerError(
                f"script {script.name} names keys of different slots, {keys[0]!r} and {key!r}; please report this as a"
                " mistake in asynqpy"
            )
    if "#KEYS" in script.source or "}" in tag:
        return call  # it counts its keys; or there is no second key with this tag
    guards = _guards(tag)
    return Call((*words[:2], len(keys) + len(guards), *keys, *guards, *words[end:]), call.key, script)


@lru_cache(maxsize=4096)
def _guards(tag: str) -> tuple[str, str]:
    return f"asynq:{{{tag}}}:py:at-rest:1", f"asynq:{{{tag}}}:py:at-rest:2"
