"""What a server publishes about itself that asynq has no place for: which versions run there. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

LONGEST_VERSION = 64
"""Characters of the version of an application."""


class About(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which versions a server runs; None for those that nobody told."""

    app: str | None = None
    """Of the application, as `ServerConfig.app_version` says."""
    asynqpy: str | None = None
    """Of this library."""


def is_version(text: str) -> bool:
    """Whether *text* can be told as the version of an application."""
    return 0 < len(text) <= LONGEST_VERSION and text.isprintable() and bool(text.strip())


def encode(about: About) -> bytes:
    """*about* as JSON."""
    return msgspec.json.encode(about)


def decode(data: bytes | None) -> About:
    """What *data* says; nothing where there is none, and of each version that cannot be one."""
    try:
        found: Any = msgspec.json.decode(data or b"{}")
    except msgspec.DecodeError:
        return About()
    if not isinstance(found, dict):
        return About()
    told = (found.get(name) for name in ("app", "asynqpy"))
    return About(*(each if isinstance(each, str) and is_version(each) else None for each in told))
