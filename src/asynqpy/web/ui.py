"""The pages: the built front end where this package has it, else a page that says so."""

from __future__ import annotations

import html
import mimetypes
from collections.abc import Iterable
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from asynqpy.web.paths import BASE

STATIC = Path(str(files("asynqpy.web"))) / "static"
"""Where the build of the front end leaves its files; ``index.html`` is a template, see `_index`."""

IMMUTABLE = "public, max-age=31536000, immutable"

mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("font/woff2", ".woff2")
mimetypes.add_type("application/manifest+json", ".webmanifest")


def page(request: Request, path: str) -> Response:
    """The file at *path*, or the page of the front end for every path that is none, so that deep links work."""
    if request.method not in ("GET", "HEAD"):
        return PlainTextResponse("", HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})
    if not (STATIC / "index.html").is_file():
        return _missing(request.scope[BASE])
    wanted = (STATIC / path).resolve()
    if path and wanted.is_relative_to(STATIC.resolve()) and wanted.is_file() and wanted.name != "index.html":
        kind = mimetypes.guess_type(wanted.name)[0] or "application/octet-stream"
        # The build puts a digest of their content into the names of all that is in "assets".
        caching = IMMUTABLE if "assets" in wanted.parts else "no-cache"
        return Response(wanted.read_bytes(), media_type=kind, headers={"Cache-Control": caching})
    if path.startswith("assets/"):
        return PlainTextResponse("there is no such file\n", HTTPStatus.NOT_FOUND)
    return HTMLResponse(_index(request.scope[BASE]), headers={"Cache-Control": "no-cache"})


def _index(base: str) -> str:
    """The page, told where it is: ``<base href>`` comes first in its head, before anything that is relative to it."""
    text = (STATIC / "index.html").read_text("utf-8")
    return text.replace("<head>", f'<head><base href="{html.escape(base, quote=True)}/">', 1)


def _missing(base: str) -> Response:
    where = html.escape(base, quote=True)
    return _plain(
        "asynqpy",
        "<p>The user interface is not part of this build. Install a released wheel of asynqpy, or build it in a"
        " checkout with <code>make ui</code>, which needs Node.</p>"
        f'<p>The HTTP API is here: <a href="{where}/api/v2/openapi.json">its description</a>,'
        f' <a href="{where}/api/v2/queues">queues</a>, <a href="{where}/healthz">health</a>.</p>',
    )


def list_of(names: Iterable[str], base: str) -> Response:
    """A page that leads to each of several Redis."""
    where = html.escape(base, quote=True)
    links = "".join(f'<li><a href="{where}/{name}/">{html.escape(name)}</a></li>' for name in names)
    return _plain("asynqpy", f"<p>Each Redis has its own pages.</p><ul>{links}</ul>")


def _plain(title: str, body: str) -> Response:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width"><style>body{font:1rem/1.5 system-ui;margin:3rem auto;'
        "max-width:40rem;padding:0 1rem;color-scheme:light dark}</style></head>"
        f"<body><h1>{html.escape(title)}</h1>{body}</body></html>",
        headers={"Cache-Control": "no-cache"},
    )
