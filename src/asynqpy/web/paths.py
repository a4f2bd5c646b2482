"""Where in the world this is mounted, and which part of the path is ours.

Whatever stands before is taken off, so that routes and links need not know: what an embedding program has mounted us
below, our own base path, and the prefix that a proxy has taken off and told us of.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import unquote

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from asynqpy.errors import ConfigError
from asynqpy.web.logins import Peers

BASE, PATH = "asynqpy.base", "asynqpy.path"
"""Where the scope has what browsers must put before our paths, and our path."""

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")

SLASH = "\uf8ff"
"""Stands in a path for a slash that belongs to a name: a character that nobody uses."""


class Locate:
    """Takes off of each path what is not ours.

    Args:
        base_path: what stands before our paths, such as ``/ops/tasks``.
        proxies: whose ``X-Forwarded-Prefix`` counts.

    Raises:
        ConfigError: a base path that does not begin with a slash, or has odd characters.
    """

    def __init__(self, app: ASGIApp, *, base_path: str, proxies: Peers) -> None:
        base_path = base_path.rstrip("/")
        if base_path and not _PREFIX.fullmatch(base_path):
            raise ConfigError(f"base_path must look like /ops/tasks, got {base_path!r}")
        self._app = app
        self._base_path = base_path
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        root, path = scope.get("root_path", "").rstrip("/"), _path_of(scope)
        if root and (path == root or path.startswith(root + "/")):
            path = path[len(root) :]
        forwarded = self._forwarded_prefix(scope)
        base, is_below = root, True
        for prefix in filter(None, dict.fromkeys((forwarded, self._base_path))):
            if path == prefix or path.startswith(prefix + "/"):
                base, path = base + prefix, path[len(prefix) :]
                break
            is_below = False
        if not is_below and base == root:
            if not forwarded:
                response = PlainTextResponse(f"everything here is below {self._base_path}/\n", HTTPStatus.NOT_FOUND)
                await response(scope, receive, send)
                return
            base = forwarded
        scope = dict(scope) | {"root_path": "", "path": path or "/", BASE: base, PATH: path or "/"}
        await self._app(scope, receive, send)

    def _forwarded_prefix(self, scope: Scope) -> str:
        connection = HTTPConnection(scope)
        prefix = connection.headers.get("x-forwarded-prefix", "").rstrip("/")
        return prefix if _PREFIX.fullmatch(prefix) and self._proxies.include(connection) else ""


def _path_of(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or b""
    path: str = scope["path"]
    if b"%2f" not in raw.lower() or "?" in (text := raw.decode("latin-1")):
        return path
    return "/".join(unquote(segment).replace("/", SLASH) for segment in text.split("/"))


def name_in(path_parameter: str) -> str:
    """A name as it was before it became a part of a path."""
    return path_parameter.replace(SLASH, "/")
