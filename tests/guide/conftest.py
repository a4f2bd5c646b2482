"""What the tour needs: an event loop, and a way to wait for something with a limit."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.eventually import eventually


@pytest.fixture
def anyio_backend() -> str:
    """The tests are async functions on asyncio."""
    return "asyncio"


async def until(condition: Callable[[], object]) -> None:
    """Wait for something to become true; fails when it does not within half a minute."""
    await eventually(condition)
