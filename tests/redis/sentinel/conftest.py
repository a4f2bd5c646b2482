"""One trio of sentinels of a kind for all tests of a process; each test begins with a healthy and empty master."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.clusters import Sentinels
from tests.servers import Kind, find_server


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """uvloop, as `Server.run` uses it."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def started_sentinels() -> Iterator[dict[Kind, Sentinels]]:
    """What was started so far: sentinels with a password, before servers with another."""
    started: dict[Kind, Sentinels] = {}
    yield started
    for sentinels in started.values():
        sentinels.close()


@pytest.fixture
def sentinels(request: pytest.FixtureRequest, started_sentinels: dict[Kind, Sentinels]) -> Sentinels:
    """Those of Valkey, or of what `on_both` says; healthy and empty."""
    kind: Kind = getattr(request, "param", "valkey")
    if find_server(kind) is None:
        pytest.skip(f"no {kind} server on this machine")
    found = started_sentinels.get(kind)
    if found is None:
        found = started_sentinels[kind] = Sentinels(kind, password="d@ta", sentinel_password="sent!nel").start()
    found.heal()
    with found.master().client() as client:
        client.flushall()
    return found
