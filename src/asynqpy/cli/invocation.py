"""How the command was called: what every command may know, wherever on the line an option stood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asynqpy.config import RedisOptions


@dataclass(slots=True)
class Invocation:
    """What every command may know about how it was called: ``context.obj``."""

    arguments: Sequence[str]
    debug: bool
    given: dict[str, Any] = field(default_factory=dict)
    """The values of shared options by name, those of the command itself before those of the program."""

    def redis_url(self) -> str | None:
        """Where Redis is, credentials included; None when nobody said so.

        Raises:
            ConfigError: an unknown profile, or a file of profiles that cannot be read.
        """
        from asynqpy.cli.connection import find_url

        return find_url(self.given)

    def web_url(self) -> str | None:
        """Where the web dashboard of this Redis is; None when nobody said so.

        Raises:
            ConfigError: as `redis_url`, or an address that is none.
        """
        from asynqpy.cli.connection import find_web_url

        return find_web_url(self.given)

    def redis(self) -> RedisOptions:
        """The same as options, with the default where nobody said so.

        Raises:
            ConfigError: the URL cannot be understood, or see `redis_url`.
        """
        from asynqpy.config import RedisOptions

        url = self.redis_url()
        return RedisOptions.default() if url is None else RedisOptions.from_url(url)
