"""The web dashboard of the demo, on this machine alone and on the demo's own event loop."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from asynqpy.errors import ConfigError

LOOPBACK = "127.0.0.1"
PREFERRED_PORT = 8080
"""Taken if it is free, else any other."""

DRAIN_SECONDS = 2


def is_installed() -> bool:
    """Whether the extra is there."""
    return all(importlib.util.find_spec(name) for name in ("fastapi", "sse_starlette", "uvicorn"))


def bind(port: int | None) -> socket.socket:
    """A socket on *port*, on one that is free when it is 0, on the preferred or a free one when it is None.

    Raises:
        ConfigError: somebody else listens there.
    """
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((LOOPBACK, PREFERRED_PORT if port is None else port))
        found.listen()
    except OSError as error:
        found.close()
        if port is None:
            return bind(0)
        raise ConfigError(f"cannot listen on {LOOPBACK}, port {port}: {error.strerror}") from error
    return found


def address_of(listening: socket.socket) -> str:
    """Where a browser finds it."""
    return f"http://{LOOPBACK}:{listening.getsockname()[1]}/"


@asynccontextmanager
async def serving(url: str, listening: socket.socket) -> AsyncIterator[None]:
    """Serve the dashboard of the Redis at *url* while the block runs."""
    import uvicorn

    from asynqpy.web import create_app

    class Server(uvicorn.Server):
        """Leaves signals to the demo."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    application = create_app(url)
    server = Server(
        uvicorn.Config(
            application,
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.handle_exit(signal.SIGTERM, None)  # streams of events hear of it by this, and end
        await task
