"""Where a search has got to, as text that can be handed back later, over the web for instance."""

from __future__ import annotations

import base64
import math
from typing import Annotated, TypeAlias

import msgspec

from asynqpy.errors import QueryError

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
"""What Lua counts without loss."""


class Bookmark(msgspec.Struct, frozen=True, array_like=True):
    """The last task that was given, or how many lookups are left. All moments and numbers are of the walk's own."""

    queue: str = ""
    state: str = ""
    group: str = ""
    score: bytes = b""
    member: bytes = b""
    position: Count = 0
    anchors: tuple[bytes, bytes, bytes] = (b"", b"", b"")
    lookups_left: Count = 0

    @property
    def is_of_lookups(self) -> bool:
        """Whether it is of a search by ids."""
        return not self.queue

    def encode(self) -> str:
        """The text for it: letters, digits, ``-`` and ``_``."""
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).decode().rstrip("=")

    @classmethod
    def decode(cls, cursor: str) -> Bookmark:
        """What *cursor* stands for.

        Raises:
            QueryError: nothing.
        """
        try:
            data = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            found = msgspec.msgpack.decode(data, type=cls)
            if not math.isfinite(float(found.score or 0)):
                raise ValueError("no score")
            return found
        except (AttributeError, ValueError, msgspec.DecodeError) as error:
            raise QueryError(f"cursor is none that a search has given: {cursor!r}") from error
