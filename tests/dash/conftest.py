"""A world to look at."""

from __future__ import annotations

import pytest
from redis import Redis

from .world import World


@pytest.fixture
def anyio_backend() -> str:
    """Textual is for asyncio."""
    return "asyncio"


@pytest.fixture
def world(redis: Redis) -> World:
    """The world, in an otherwise empty Redis."""
    return World(redis)


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the terminal of the developer."""
    for name in ("NO_COLOR", "TERM", "COLORTERM", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
