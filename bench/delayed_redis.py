"""Reach the server under test through a proxy that adds to every round trip; see `delay_proxy/`."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from time import perf_counter

from redis import Redis

from bench.contender import CACHE, ROOT
from bench.environments import build_go
from bench.redis_server import RedisServer, free_port

PINGS = 300


@contextmanager
def delayed(server: RedisServer, round_trip_ms: float) -> Iterator[RedisServer]:
    """The same server behind a proxy on a port of its own. Raises `ContenderError` when the proxy cannot be built."""
    binary = CACHE / "delay_proxy" / "delay_proxy"
    build_go(ROOT / "delay_proxy", binary)
    port = free_port()
    delay = f"{round_trip_ms / 2:g}ms"
    process = subprocess.Popen(
        [binary, f"127.0.0.1:{port}", f"127.0.0.1:{server.port}", delay], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield replace(server, port=port)
    finally:
        process.kill()
        process.wait()


def round_trip_ms(server: RedisServer) -> float:
    """The median time of a PING on one connection, by the address that contenders use."""
    with Redis(port=server.port) as client:
        client.ping()
        times = []
        for _ in range(PINGS):
            started = perf_counter()
            client.ping()
            times.append((perf_counter() - started) * 1e3)
        return median(times)
