"""The tests' own helpers: servers that stop, crash and hang on demand, a proxy that breaks the network."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis, exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.conftest import StartProxy, StartServer
from tests.proxy import TcpProxy
from tests.servers import Certificates, RedisServer, find_server, wait_until


def client_of(url: str, *, timeout: float = 5.0) -> Redis:
    """A client that tries once."""
    return Redis.from_url(url, socket_timeout=timeout, retry=Retry(NoBackoff(), 0))


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_both_servers_answer(server: RedisServer, redis: Redis) -> None:
    """A test that asks for `server` runs on each, and `redis` is a client of the same one."""
    name = redis.info("server").get("server_name", "redis")
    assert name == server.kind


def test_each_test_begins_with_an_empty_server(redis: Redis) -> None:
    """What a test leaves behind is gone for the next; both of a pair like this one see nothing."""
    assert redis.dbsize() == 0
    redis.set("left", "behind")


def test_each_test_begins_with_an_empty_server_the_other_half(redis: Redis) -> None:
    """As the one before, in whatever order they run."""
    assert redis.dbsize() == 0
    redis.set("left", "behind")


def test_a_restart_keeps_data_and_port(start_server: StartServer) -> None:
    """With an append-only file, data and address are the same after a restart."""
    server = start_server(options={"appendonly": "yes"})
    with server.client() as client:
        client.set("key", "value")
    before = (server.url, server.pid)
    server.restart()
    assert server.url == before[0]
    assert server.pid != before[1]
    with server.client() as client:
        assert client.get("key") == b"value"


def test_a_killed_server_refuses_connections_until_it_is_started(start_server: StartServer) -> None:
    """kill() is a crash: no answer and no goodbye, and start() brings it back."""
    server = start_server()
    with client_of(server.url) as client:
        client.ping()
        server.kill()
        with pytest.raises(exceptions.ConnectionError):
            client.ping()
        server.start()
        assert client.ping()


def test_a_paused_server_hangs(start_server: StartServer) -> None:
    """pause() leaves connections open and unanswered; resume() goes on."""
    server = start_server()
    with client_of(server.url, timeout=0.1) as client:
        client.ping()
        server.pause()
        with pytest.raises(exceptions.TimeoutError):
            client.ping()
        server.resume()
        assert client.ping()


def test_a_password_is_in_the_url(start_server: StartServer) -> None:
    """The URL is enough to log in, whatever the password holds; without it the server refuses."""
    server = start_server(password="p@ss/word:1")
    with client_of(server.url) as client:
        assert client.ping()
    with client_of(f"redis://127.0.0.1:{server.port}") as client, pytest.raises(exceptions.AuthenticationError):
        client.ping()


def test_a_server_may_listen_on_a_unix_socket_alone(start_server: StartServer) -> None:
    """The URL then names the socket, and there is no port."""
    server = start_server(unix_socket=True)
    assert server.port == 0
    with client_of(server.url) as client:
        assert client.ping()


def test_tls_needs_the_authority(start_server: StartServer, tmp_path: Path) -> None:
    """A TLS server is believed by those who have its authority, and by nobody else."""
    pytest.importorskip("trustme")
    certificates = Certificates.make(tmp_path)
    server = start_server("redis", certificates=certificates, options={"tls-auth-clients": "optional"})
    assert server.url.startswith("rediss://")
    with server.client(ssl_certfile=certificates.client, ssl_keyfile=certificates.client_key) as client:
        assert client.ping()
    with client_of(server.url) as client, pytest.raises(exceptions.ConnectionError, match="certificate verify failed"):
        client.ping()


def test_a_server_that_cannot_start_shows_its_log() -> None:
    """The error holds what the server said, not only that it did not come."""
    with pytest.raises(RuntimeError, match="no-such-option"), RedisServer(options={"no-such-option": "1"}):
        pass


def test_servers_do_not_outlive_a_killed_test_run() -> None:
    """After kill -9 of the process that started it, a server is ended and its folder removed, even a paused one."""
    program = """
from tests.servers import RedisServer
server = RedisServer().start()
server.pause()
print(server.pid, server.folder, flush=True)
input()
"""
    run = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    process, folder = run.stdout.readline().split()
    run.send_signal(signal.SIGKILL)
    run.communicate()
    wait_until(lambda: not is_running(int(process)) and not os.path.exists(folder))


def test_a_proxy_passes_on(redis_url: str, start_proxy: StartProxy) -> None:
    """Requests and replies of any size go through unchanged."""
    proxy = start_proxy(redis_url)
    value = os.urandom(3_000_000)
    with client_of(proxy.url) as client:
        client.set("key", value)
        assert client.get("key") == value
        assert proxy.connections == 1
    wait_until(lambda: proxy.connections == 0)


def test_a_cut_drops_and_refuses_until_healed(redis_url: str, start_proxy: StartProxy) -> None:
    """Open connections end, new ones are refused, and healing brings back the same port."""
    proxy = start_proxy(redis_url)
    with client_of(proxy.url) as client:
        for _ in range(3):
            assert client.ping()
            proxy.cut()
            with pytest.raises(exceptions.ConnectionError):
                client.ping()
            with pytest.raises(exceptions.ConnectionError):
                client.ping()
            proxy.heal()
        assert client.ping()


def test_a_stall_forwards_nothing_until_healed(redis_url: str, start_proxy: StartProxy) -> None:
    """Connections are accepted and kept, and what was sent meanwhile arrives afterwards."""
    proxy = start_proxy(redis_url)
    proxy.stall()
    with client_of(proxy.url, timeout=0.1) as client, pytest.raises(exceptions.TimeoutError):
        client.set("key", "value")
    with client_of(redis_url) as direct:
        assert not direct.exists("key")
        proxy.heal()
        with client_of(proxy.url) as client:
            assert client.ping()


@pytest.mark.parametrize(("toward", "arrived"), [("server", 0), ("client", 1)])
def test_a_connection_can_be_lost_in_mid_sentence(
    redis_url: str, start_proxy: StartProxy, toward: str, arrived: int
) -> None:
    """After so many bytes the connection ends once: before the command arrived, or before its reply did."""
    proxy = start_proxy(redis_url)
    with client_of(proxy.url) as client, client_of(redis_url) as direct:
        client.ping()
        proxy.drop_after(3, toward="server" if toward == "server" else "client")
        with pytest.raises(exceptions.ConnectionError):
            client.set("key", "value")
        assert direct.exists("key") == arrived
        assert client.set("key", "value")


def test_latency_is_added_each_way(redis_url: str, start_proxy: StartProxy) -> None:
    """A round trip takes at least twice the latency, and requests sent together share it."""
    proxy = start_proxy(redis_url, latency=0.02)
    with client_of(proxy.url) as client:
        client.ping()
        start = time.monotonic()
        client.ping()
        assert time.monotonic() - start >= 0.04
        with client.pipeline(transaction=False) as pipeline:
            for _ in range(1000):
                pipeline.incr("count")
            assert pipeline.execute()[-1] == 1000


def test_closing_a_proxy_ends_its_connections(redis_url: str) -> None:
    """Nothing of it is left, stalled or not."""
    with TcpProxy(redis_url) as proxy:
        client = client_of(proxy.url)
        client.ping()
        proxy.stall()
    with client, pytest.raises(exceptions.ConnectionError):
        client.ping()
    assert proxy.connections == 0


def test_the_machines_redis_is_optional() -> None:
    """Where redis-server is missing its tests are skipped, so asking for it is no error."""
    found = find_server("redis")
    assert found is None or found.name == "redis-server"
