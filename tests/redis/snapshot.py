"""The whole database as a dictionary, to be compared at once: a key that a test does not expect fails it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from redis import Redis


@dataclass(frozen=True)
class Between:
    """Equals every number from *low* to *high*, also one that Redis gave as text."""

    low: float
    high: float

    def __eq__(self, other: object) -> bool:
        if isinstance(other, bytes | str):
            text = other.decode() if isinstance(other, bytes) else other
            # Nanoseconds have more digits than a double keeps.
            other = int(text) if text.isdigit() else float(text)
        return isinstance(other, int | float) and self.low <= other <= self.high

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Fraction(Between):
    """The same for numbers that are not whole: the score of a lease made by a Python server."""

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and float(other) % 1 != 0  # type: ignore[arg-type]

    __hash__ = None


@dataclass(frozen=True)
class Text:
    """A string."""

    value: Any
    expires: Any = None
    """Unix milliseconds; None: lives for ever."""


@dataclass(frozen=True)
class Hash:
    """A hash; the values are bytes."""

    fields: Mapping[str, Any]
    expires: Any = None


@dataclass(frozen=True)
class Members:
    """A set."""

    members: frozenset[str]
    expires: Any = None

    @classmethod
    def of(cls, *members: str) -> Members:
        """A set of these."""
        return cls(frozenset(members))


@dataclass(frozen=True)
class Scores:
    """A sorted set."""

    scores: Mapping[str, Any]
    expires: Any = None


@dataclass(frozen=True)
class Items:
    """A list from its left end."""

    items: tuple[Any, ...] = field(default=())
    expires: Any = None

    @classmethod
    def of(cls, *items: Any) -> Items:
        """A list of these."""
        return cls(items)


Stored: TypeAlias = Text | Hash | Members | Scores | Items
Snapshot: TypeAlias = dict[str, Stored]


def snapshot(redis: Redis) -> Snapshot:
    """Every key of the database with its value and the moment when it expires."""
    client: Any = redis  # redis-py types its replies for blocking and awaiting clients at once
    return {key.decode(): _read(client, key) for key in sorted(client.scan_iter(count=1000))}


def _read(redis: Any, key: bytes) -> Stored:
    expires = redis.pexpiretime(key)
    expires = expires if expires >= 0 else None
    match redis.type(key):
        case b"string":
            return Text(redis.get(key), expires)
        case b"hash":
            return Hash({name.decode(): value for name, value in redis.hgetall(key).items()}, expires)
        case b"set":
            return Members(frozenset(member.decode() for member in redis.smembers(key)), expires)
        case b"zset":
            members = redis.zrange(key, 0, -1, withscores=True)
            return Scores({member.decode(): score for member, score in members}, expires)
        case b"list":
            return Items(tuple(_readable(item) for item in redis.lrange(key, 0, -1)), expires)
        case kind:
            raise AssertionError(f"{key!r} is a {kind!r}, which no peer writes")


def _readable(item: bytes) -> str | bytes:
    try:
        return item.decode()
    except UnicodeDecodeError:
        return item
