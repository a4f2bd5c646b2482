"""The language of flows: what to say to Redis, without saying it.

A flow is a generator that yields a `Call` or a `Batch`, is sent the reply (for a batch the list of replies), and
returns its result. Two drivers in the transport run flows, one blocking, one awaiting. An error is thrown into the
flow, so that a flow can recover; in the replies of a batch an error stands in its place, so that one refusal spoils
nothing else.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")

Argument: TypeAlias = "bytes | str | int | float"
"""What Redis takes as an argument; text goes as UTF-8."""


class Script(msgspec.Struct, frozen=True):
    """One Lua file, ready to be called by its digest."""

    name: str
    source: str
    sha: str
    keys: tuple[str, ...]
    arguments: tuple[str, ...]
    repeated: tuple[str, ...]
    """Names of the KEYS, of the leading ARGV, and of the ARGV that come once per task: the contract of the file."""

    def __call__(self, keys: Sequence[str], arguments: Sequence[Argument]) -> Call:
        """A call of this script."""
        return Call(("EVALSHA", self.sha, len(keys), *keys, *arguments), keys[0], self)


class Call(msgspec.Struct, frozen=True):
    """One command, and the key whose node must get it (None: any node)."""

    words: tuple[Argument, ...]
    key: str | None = None
    script: Script | None = None
    optional: bool = False
    """Whether others need not wait for it: on a cluster it is not made again when it is refused for now."""


class Batch(msgspec.Struct, frozen=True):
    """Independent calls for one round trip; the reply is a list with a result or an error for each."""

    calls: Sequence[Call]


Flow: TypeAlias = Generator[Call | Batch, Any, T]
"""A conversation with Redis that ends in a T."""


def command(*words: Argument, key: str | None = None, optional: bool = False) -> Call:
    """A plain command; its key is the second word unless said otherwise."""
    return Call(words, key if key is not None else (str(words[1]) if len(words) > 1 else None), optional=optional)
