"""One cluster of a kind for all tests of a process; each test begins with a whole and empty one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.clusters import Cluster
from tests.servers import Kind, find_server


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """uvloop, as `Server.run` uses it."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def started_clusters() -> Iterator[dict[Kind, Cluster]]:
    """The clusters that were started so far, each with three masters and three replicas."""
    started: dict[Kind, Cluster] = {}
    yield started
    for cluster in started.values():
        cluster.close()


@pytest.fixture
def cluster(request: pytest.FixtureRequest, started_clusters: dict[Kind, Cluster]) -> Cluster:
    """A cluster of Valkey, or of what `on_both` says; whole and empty."""
    kind: Kind = getattr(request, "param", "valkey")
    if find_server(kind) is None:
        pytest.skip(f"no {kind} server on this machine")
    found = started_clusters.get(kind)
    if found is None:
        found = started_clusters[kind] = Cluster(kind).start()
    found.heal()
    found.flush()
    return found
