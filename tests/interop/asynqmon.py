"""asynqmon, the original: its back end as a process, and its front end before a back end of ours."""

from __future__ import annotations

import asyncio
import html
import json
import mimetypes
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from . import look, toolchain
from .pipes import LineProcess

BREATH_SECONDS = 0.25
"""Before a group is answered: the front end asks for the same again as soon as it has it, and would do nothing else."""

MODULE = "github.com/hibiken/asynqmon"

SERIES = {
    "status": "success",
    "data": {
        "resultType": "matrix",
        "result": [{"metric": {"queue": "default"}, "values": [[1699999000 + 10 * n, str(n)] for n in range(100)]}],
    },
}
"""What Prometheus might answer to a range query."""


class BackEnd(LineProcess):
    """asynqmon's own back end, in the version of the module."""

    def __init__(self, program: Path, redis_url: str, *options: str) -> None:
        super().__init__(str(program), "-redis", look.go_url(redis_url), *options)
        self.url: str = self.next_line()
        self.web = httpx.Client(base_url=self.url, timeout=60)

    def end(self) -> None:
        """Make sure that it is gone."""
        self.web.close()
        super().end()


def bundle() -> Path:
    """The folder of the built front end, as the module has it."""
    return toolchain.module_folder(toolchain.ASYNQMON, MODULE) / "ui" / "build"


class FrontEnd:
    """The unchanged front end, and *api* below ``/api``: what asynqmon's binary serves, with another back end.

    Args:
        folder: of the front end.
        api: answers whatever is below ``/api``, root path included.
        root: what stands before all paths.
        read_only: what the front end is told of it.
        prometheus: the same of Prometheus.
    """

    def __init__(self, folder: Path, api: ASGIApp, *, root: str, read_only: bool, prometheus: str) -> None:
        self._folder = folder
        self._api = api
        self._root = root
        values = {"RootPath": root, "PrometheusAddr": prometheus, "ReadOnly": str(read_only).lower()}
        page = (folder / "index.html").read_text()
        for name, value in values.items():
            assert f"/[[.{name}]]" in page
            page = page.replace(f"/[[.{name}]]", html.escape(value))
        self._page = page.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the server."""
        if scope["type"] == "lifespan" or scope["path"].startswith(f"{self._root}/api/"):
            if scope["type"] == "http" and scope["method"] == "GET" and scope["path"].endswith("/aggregating_tasks"):
                await asyncio.sleep(BREATH_SECONDS)
            await self._api(scope, receive, send)
            return
        status, kind, body = self._answer(scope["path"])
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        if "/static/" in scope["path"]:  # named after their content
            headers.append((b"cache-control", b"max-age=3600"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        if not path.startswith(self._root):
            return 400, "text/plain", b"this is not below the root path\n"
        file = (self._folder / unquote(path[len(self._root) :]).lstrip("/")).resolve()
        if file.is_file() and file.is_relative_to(self._folder) and file.name != "index.html":
            return 200, mimetypes.guess_type(file.name)[0] or "application/octet-stream", file.read_bytes()
        return 200, "text/html; charset=utf-8", self._page


class Serving:
    """An ASGI application on a free port of this machine, in a thread, as a context."""

    def __init__(self, app: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=5, access_log=False)
        )
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        look.eventually(lambda: self._server.started, "the application to be served")
        return self

    def __exit__(self, *error: object) -> None:
        self._server.should_exit = True
        self._thread.join(look.PATIENCE_SECONDS)
        self._socket.close()


class Prometheus:
    """Something that answers as Prometheus does: always the same *document*; as a context."""

    def __init__(self, document: Any = SERIES, status: int = 200) -> None:
        self._asked: list[dict[str, str]] = []
        asked, body = self._asked, json.dumps(document).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(dict(parse_qsl(urlsplit(self.path).query)))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 64  # nine queries come at once

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def asked(self) -> list[dict[str, Any]]:
        """The queries since the last call, in the order of their text; numbers as such."""
        found = [{name: each if name == "query" else float(each) for name, each in one.items()} for one in self._asked]
        self._asked.clear()
        return sorted(found, key=lambda one: str(one["query"]))


def read(answer: httpx.Response) -> Any:
    """The JSON of an answer, or its text where it is none."""
    try:
        return json.loads(answer.text)
    except ValueError:
        return answer.text
