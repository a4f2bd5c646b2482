"""One trio of sentinels for all tests of a process; each test begins with a healthy and empty master."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.clusters import Sentinels


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """uvloop, as `Server.run` uses it."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def shared_sentinels() -> Iterator[Sentinels]:
    """Sentinels with a password, before servers with another."""
    with Sentinels(password="d@ta", sentinel_password="sent!nel") as sentinels:
        yield sentinels


@pytest.fixture
def sentinels(shared_sentinels: Sentinels) -> Sentinels:
    """The same, healthy and empty."""
    shared_sentinels.heal()
    with shared_sentinels.master().client() as client:
        client.flushall()
    return shared_sentinels
