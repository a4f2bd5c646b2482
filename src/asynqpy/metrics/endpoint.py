"""An HTTP endpoint for Prometheus: one page, ``/metrics``, in the text format, whatever format is asked for.

prometheus_client's own server answers Prometheus in OpenMetrics, where ``_total`` belongs to counters, and two gauges
of asynq are named so. The plain text format has no such rule, and is what asynq's exporter serves.
"""

from __future__ import annotations

import gzip
import logging
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from asynqpy.errors import ConfigError

log = logging.getLogger("asynqpy")

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LOOPBACK = "127.0.0.1"
PATIENCE_SECONDS = 10.0
"""How long a client may take to say what it wants."""


class MetricsEndpoint:
    """Serves a registry on ``http://host:port/metrics``, in threads of its own, until it is closed.

    Args:
        registry: what to serve; or a function that makes the text.
        port: 0 takes a free one, see `port`.
        host: the address to listen on; this machine alone unless given. ``0.0.0.0`` or ``::`` is everybody.

    Raises:
        ConfigError: nobody can listen there.
    """

    def __init__(self, registry: CollectorRegistry | Callable[[], bytes], *, port: int, host: str = LOOPBACK) -> None:
        text = (lambda: generate_latest(registry)) if isinstance(registry, CollectorRegistry) else registry
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, address = found[0][0], (str(found[0][4][0]), int(found[0][4][1]))
            server_class = type("_Server", (_Server,), {"address_family": family})
            self._server: _Server = server_class(address, type("_Page", (_Page,), {"text": staticmethod(text)}))
        except (OSError, OverflowError) as error:
            raise ConfigError(f"cannot serve metrics on {host}, port {port}: {error}") from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="asynqpy metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Where it is."""
        host = str(self._server.server_address[0])
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/metrics"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def server_bind(self) -> None:
        """Bind without asking a name server who we are."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: object, client_address: object) -> None:
        """A scraper that went away is no trouble of ours."""
        log.debug("a scrape was not answered")


class _Page(BaseHTTPRequestHandler):
    timeout = PATIENCE_SECONDS
    protocol_version = "HTTP/1.1"
    text: Callable[[], bytes]

    def do_GET(self) -> None:
        """Answer with the metrics."""
        if self.path.partition("?")[0] != "/metrics":
            self._answer(HTTPStatus.NOT_FOUND, b"metrics are at /metrics\n", {})
            return
        try:
            text = self.text()
        except Exception:
            log.exception("the metrics cannot be written down")
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, b"the metrics cannot be written down\n", {})
            return
        headers: dict[str, str] = {}
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            text, headers = gzip.compress(text, 6), {"Content-Encoding": "gzip"}
        self._answer(HTTPStatus.OK, text, headers)

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """The name in the header ``Server``."""
        return "asynqpy"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Scrapes are not worth a line each."""
