"""One cluster for all tests of a process; each test begins with a whole and empty one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.clusters import Cluster


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """uvloop, as `Server.run` uses it."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[Cluster]:
    """Three masters, three replicas."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Cluster:
    """The same, whole and empty."""
    shared_cluster.heal()
    shared_cluster.flush()
    return shared_cluster
