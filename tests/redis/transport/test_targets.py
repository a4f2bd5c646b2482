"""Every way to say where Redis is: URLs, options, TLS, Unix sockets, users, databases, lent clients, embedded."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
import redis.asyncio as redis_async
from redis import Redis

from asynqpy import AsyncClient, BrokerError, Client, ConfigError, RedisOptions, Server, Task
from asynqpy._wire import keys
from tests.conftest import StartServer
from tests.eventually import eventually
from tests.servers import Certificates, RedisServer

pytestmark = pytest.mark.anyio

PENDING = keys.of_queue("default").pending


async def use_everything(target: Any, redis: Redis) -> None:
    """Enqueue with both clients and run a server: blocking, awaited, tracking and subscribed connections."""
    redis.flushdb()
    with Client(target) as client:
        client.ping()
        client.enqueue(Task("one"))
    async with AsyncClient(target) as awaited:
        await awaited.ping()
        await awaited.enqueue(Task("two"))
    assert redis.llen(PENDING) == 2
    done: list[str] = []

    async def handler(task: Task) -> None:
        done.append(task.type)

    server = Server(target, concurrency=40)
    async with server.running(handler):
        await eventually(lambda: sorted(done) == ["one", "two"])
        assert server._rings is not None
        await eventually(lambda: server._rings is not None and server._rings._watcher.is_pushing)
        await eventually(lambda: redis.pubsub_numsub(keys.CANCEL_CHANNEL)[0][1] == 1)
        await eventually(lambda: redis.keys("asynq:servers:*"))
    await eventually(lambda: not redis.llen(keys.of_queue("default").active))


async def test_a_plain_url(redis_url: str, redis: Redis, server: RedisServer) -> None:
    """TCP, on both kinds of server."""
    await use_everything(redis_url, redis)


async def test_a_database_of_its_own(start_server: StartServer) -> None:
    """The number after the slash."""
    server = start_server()
    with Redis(port=server.port, db=5) as redis:
        await use_everything(f"redis://127.0.0.1:{server.port}/5", redis)
    with server.client() as redis:
        assert redis.dbsize() == 0


async def test_a_password_with_odd_characters(start_server: StartServer) -> None:
    """Percent-encoded in the URL."""
    server = start_server(password="p@ss/w:rd%?#")
    with server.client() as redis:
        await use_everything(server.url, redis)


async def test_a_user_of_the_access_list(start_server: StartServer) -> None:
    """Name and password."""
    server = start_server()
    with server.client() as redis:
        redis.execute_command("ACL", "SETUSER", "w/rker", "on", ">s ecret", "~asynq:*", "&asynq:*", "+@all")
        await use_everything(f"redis://w%2Frker:s%20ecret@127.0.0.1:{server.port}/0", redis)


@pytest.mark.parametrize("kind", ["valkey", "redis"])
@pytest.mark.parametrize("scheme", ["unix", "redis-socket"])
async def test_a_unix_socket(start_server: StartServer, kind: Any, scheme: str) -> None:
    """Both schemes, with a password and a database."""
    server = start_server(kind, unix_socket=True, password="secret")
    with Redis(unix_socket_path=str(server.socket_path), password="secret", db=3) as redis:
        await use_everything(f"{scheme}://:secret@{server.socket_path}?db=3", redis)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority, a server and a client."""
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


async def test_tls(start_server: StartServer, certificates: Certificates) -> None:
    """With the authority in the URL."""
    server = start_server("redis", certificates=certificates)
    with server.client() as redis:
        await use_everything(f"{server.url}?ca={certificates.ca}", redis)


async def test_tls_with_a_client_certificate(start_server: StartServer, certificates: Certificates) -> None:
    """Where the server asks for one; without it there is no connection."""
    server = start_server("redis", certificates=certificates)
    with server.client() as redis:
        redis.config_set("tls-auth-clients", "yes")
    own = f"&cert={certificates.client}&key={certificates.client_key}"
    with server.client(ssl_certfile=str(certificates.client), ssl_keyfile=str(certificates.client_key)) as redis:
        await use_everything(f"{server.url}?ca={certificates.ca}{own}", redis)
    with Client(f"{server.url}?ca={certificates.ca}") as client, pytest.raises(BrokerError):
        client.ping()


async def test_tls_that_cannot_be_trusted_is_refused(start_server: StartServer, certificates: Certificates) -> None:
    """An unknown authority, and a name that the certificate does not have; verify=0 trusts anybody."""
    server = start_server("redis", certificates=certificates)
    for url in (server.url, f"rediss://localhost:{server.port}/0?ca={certificates.ca}"):
        with Client(url) as client, pytest.raises(BrokerError) as caught:
            client.ping()
        assert isinstance(caught.value.__cause__, redis_py.ConnectionError | ssl.SSLError)
        async with AsyncClient(url) as awaited:
            with pytest.raises(BrokerError):
                await awaited.ping()
    with server.client() as redis:
        await use_everything(f"{server.url}?verify=0", redis)


@pytest.mark.parametrize("decode", [True, False])
@pytest.mark.parametrize("protocol", [2, 3])
async def test_a_lent_client_gives_its_settings_and_stays_open(
    redis_url: str, redis: Redis, *, decode: bool, protocol: int
) -> None:
    """Blocking and asynchronous ones, whatever they decode and speak; they are never used and never closed."""
    options: dict[str, Any] = {"decode_responses": decode, "protocol": protocol, "client_name": "lender"}
    with Redis.from_url(redis_url, **options) as lent:
        await use_everything(lent, redis)
        assert lent.ping()
        assert lent.connection_pool._in_use_connections == set()
    async with redis_async.Redis.from_url(redis_url, **options) as awaited:
        await use_everything(awaited, redis)
        assert await awaited.ping()


async def test_lent_clients_over_unix_sockets_tls_and_users(
    start_server: StartServer, certificates: Certificates
) -> None:
    """Path, certificates, user, password and database come with the client."""
    on_socket = start_server(unix_socket=True, password="secret")
    with Redis(unix_socket_path=str(on_socket.socket_path), password="secret", db=2) as redis:
        await use_everything(redis, redis)
        lent = redis_async.Redis(unix_socket_path=str(on_socket.socket_path), password="secret", db=2)
        await use_everything(lent, redis)
        await lent.aclose()
    secured = start_server("redis", certificates=certificates, password="secret")
    with secured.client() as redis:
        settings: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": secured.port,
            "ssl": True,
            "ssl_ca_certs": str(certificates.ca),
            "username": "default",
            "password": "secret",
        }
        await use_everything(Redis(**settings), redis)
        lent = redis_async.Redis(**settings)
        await use_everything(lent, redis)
        await lent.aclose()


def test_a_client_that_cannot_lend_is_refused() -> None:
    """With an error that says what can."""
    for target in (42, b"redis://localhost", object(), ["redis://localhost"]):
        with pytest.raises(ConfigError, match="redis-py client"):
            Client(target)  # type: ignore[arg-type]

    class Odd(redis_py.Connection):
        pass

    odd = Redis(connection_pool=redis_py.ConnectionPool(connection_class=Odd))
    with pytest.raises(ConfigError, match="Odd"):
        Client(odd)


async def test_an_embedded_server(tmp_path: Path) -> None:
    """Started with the first connection, shared by all users of the folder, gone with the last, its data kept."""
    url = f"embedded://{tmp_path / 'queue'}"
    with Client(url) as client:
        client.enqueue(Task("one"))
    done: list[str] = []

    async def handler(task: Task) -> None:
        done.append(task.type)

    async with AsyncClient(url) as awaited, Server(url).running(handler):
        await awaited.enqueue(Task("two"))
        await eventually(lambda: sorted(done) == ["one", "two"])
        with Client(url) as client:
            client.enqueue(Task("three"))
        await eventually(lambda: "three" in done)


async def test_the_environment_says_where_redis_is(
    redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ASYNQPY_REDIS_URL, when nothing else is given."""
    monkeypatch.setenv("ASYNQPY_REDIS_URL", redis_url)
    await use_everything(None, redis)


async def test_options_are_as_good_as_a_url(redis_url: str, redis: Redis) -> None:
    """`RedisOptions`, also made from a URL."""
    await use_everything(RedisOptions.from_url(redis_url), redis)


async def test_redis_that_is_still_loading_is_waited_for(start_server: StartServer, tmp_path: Path) -> None:
    """A server that answers LOADING is trouble like any other: the worker goes on when it is ready."""
    server = start_server(
        "redis",
        options={
            "appendonly": "yes",
            "appendfsync": "always",
            "key-load-delay": "2000",
            "loading-process-events-interval-bytes": "1024",
        },
    )
    with Client(server.url) as client:
        assert all(result.info for result in client.enqueue_many(Task("t", "x" * 200) for _ in range(300)))
    done: list[str] = []

    async def handler(task: Task) -> None:
        done.append(task.id)

    async with Server(server.url).running(handler):
        restarting = asyncio.create_task(asyncio.to_thread(server.restart))
        await restarting
        await eventually(lambda: len(set(done)) == 300)
