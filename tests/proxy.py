"""A TCP proxy for tests that break the network: refuse, hang, slow down, or lose a connection in mid-sentence."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType
from typing import Literal, Self, TypeAlias
from urllib.parse import urlsplit

Direction: TypeAlias = Literal["server", "client"]
"""Where bytes are going."""

_CHUNK_BYTES = 1 << 16
_JOIN_SECONDS = 5.0


class TcpProxy:
    """Stands between clients and the server of *target_url* on a free loopback port, in threads of its own.

    *latency* is in seconds and added each way, so a round trip takes twice as long.
    """

    def __init__(self, target_url: str, *, latency: float = 0.0) -> None:
        target = urlsplit(target_url)
        if target.hostname is None or target.port is None:
            raise ValueError(f"the URL of the target must have a host and a port: {target_url}")
        self._target_url = target_url
        self._target = (target.hostname, target.port)
        self.latency = latency
        self._flowing = threading.Event()
        self._lock = threading.Lock()
        self._connections: set[_Connection] = set()
        self._budgets: dict[Direction, int] = {}
        self._listener = _bound_socket(0)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor: threading.Thread | None = None
        self.heal()

    @property
    def url(self) -> str:
        """The target's URL, through this proxy."""
        parts = urlsplit(self._target_url)
        credentials, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{credentials}{at}127.0.0.1:{self.port}").geturl()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def cut(self) -> None:
        """Drop every connection and refuse new ones until `heal`."""
        if self._acceptor is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes the acceptor, which close() does not
            self._listener.close()
            self._acceptor.join(_JOIN_SECONDS)
            self._acceptor = None
            self._listener = _bound_socket(self.port)  # bound and not listening: ours, and connecting is refused
        self.drop_connections()

    def stall(self) -> None:
        """Accept connections and keep them, but forward nothing until `heal`."""
        self._flowing.clear()

    def heal(self) -> None:
        """Work again: accept, forward, and forget a `drop_after` that has not happened."""
        self._budgets.clear()
        self._flowing.set()
        if self._acceptor is None:
            self._listener.listen(128)
            self._acceptor = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
            self._acceptor.start()

    def drop_after(self, count: int, *, toward: Direction) -> None:
        """Forward *count* more bytes *toward* one side, over all connections, then drop the one they ended on. Once."""
        with self._lock:
            self._budgets[toward] = count

    def drop_connections(self) -> None:
        """Drop the connections that are open now."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.drop()

    def close(self) -> None:
        """Drop everything and end the threads."""
        with self._lock:
            connections = list(self._connections)
        self.cut()
        self._listener.close()
        self._flowing.set()
        for connection in connections:
            connection.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # cut
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            connection = _Connection(self, client, server)
            with self._lock:
                self._connections.add(connection)
            connection.start()

    def forward(self, data: bytes, target: socket.socket, toward: Direction) -> bool:
        """Send *data*, or the part of it that `drop_after` allows; False when that, or the stream, has ended."""
        self._flowing.wait()
        with self._lock:
            allowed = self._budgets.pop(toward, None)
            last = allowed is not None and allowed <= len(data)
            if allowed is not None and not last:
                self._budgets[toward] = allowed - len(data)
        target.sendall(data[:allowed] if last else data)
        return bool(data) and not last

    def forget(self, connection: _Connection) -> None:
        """A connection has ended."""
        with self._lock:
            self._connections.discard(connection)


class _Connection:
    """Two sockets, and a thread for each direction, or two when there is latency: one reads while the other waits."""

    def __init__(self, proxy: TcpProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._sockets = (client, server)
        self._threads: list[threading.Thread] = []
        for one in self._sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._add_direction(client, server, "server")
        self._add_direction(server, client, "client")
        self._running = len(self._threads)
        self._ended = threading.Lock()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def drop(self) -> None:
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # wakes the threads, of which the last one closes
        self._proxy.forget(self)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def _add_direction(self, source: socket.socket, target: socket.socket, toward: Direction) -> None:
        if self._proxy.latency:
            late: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
            self._add_thread(lambda: self._receive(source, late))
            self._add_thread(lambda: self._send_when_due(late, target, toward))
        else:
            self._add_thread(lambda: self._pass_on(source, target, toward))

    def _add_thread(self, work: Callable[[], None]) -> None:
        def run() -> None:
            work()
            with self._ended:
                self._running -= 1
                if not self._running:
                    for one in self._sockets:
                        one.close()

        self._threads.append(threading.Thread(target=run, name="proxy", daemon=True))

    def _pass_on(self, source: socket.socket, target: socket.socket, toward: Direction) -> None:
        with suppress(OSError):
            while self._proxy.forward(source.recv(_CHUNK_BYTES), target, toward):
                pass
        self.drop()

    def _receive(self, source: socket.socket, late: SimpleQueue[tuple[float, bytes]]) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                late.put((time.monotonic() + self._proxy.latency, data))
        late.put((time.monotonic() + self._proxy.latency, b""))

    def _send_when_due(self, late: SimpleQueue[tuple[float, bytes]], target: socket.socket, toward: Direction) -> None:
        with suppress(OSError):
            forwarding = True
            while forwarding:
                due, data = late.get()
                time.sleep(max(0.0, due - time.monotonic()))
                forwarding = self._proxy.forward(data, target, toward)
        self.drop()


def _bound_socket(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound
