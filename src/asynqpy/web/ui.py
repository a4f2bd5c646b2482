"""The pages: the built front end where this package has it, else a page that says so."""

from __future__ import annotations

import gzip
import hashlib
import html
import mimetypes
import re
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from asynqpy.web.paths import BASE
from asynqpy.web.plain import page_of

STATIC = Path(str(files("asynqpy.web"))) / "static"
"""Where the build of the front end leaves its files; ``index.html`` is a template, see `_index`."""

IMMUTABLE = "public, max-age=31536000, immutable"

mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("font/woff2", ".woff2")
mimetypes.add_type("application/manifest+json", ".webmanifest")


COMPRESSIBLE = ("text/", "image/svg", "application/manifest", "application/json")
MOST_FILES = 1000
WORTH_COMPRESSING = 1024
"""Bytes: what is smaller fits into one packet anyway."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it is sent."""

    kind: str
    tag: str
    plain: bytes
    gzipped: bytes | None
    """None where that would not be smaller."""


_files: dict[tuple[Path, str], tuple[int, _File]] = {}
"""What has been read, with the moment of its last change, by path and by the base that is written into it."""


def page(request: Request, path: str) -> Response:
    """The file at *path*, or the page of the front end for every path that is none, so that deep links work."""
    if request.method not in ("GET", "HEAD"):
        return PlainTextResponse("", HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})
    response = _page(request, path)
    if request.method == "HEAD":
        return Response(status_code=response.status_code, headers=dict(response.headers))
    return response


def _page(request: Request, path: str) -> Response:
    index, base = STATIC / "index.html", request.scope[BASE]
    if not index.is_file():
        return _missing(base)
    wanted = (STATIC / path).resolve()
    if path and wanted.is_relative_to(STATIC.resolve()) and wanted.is_file() and wanted.name != "index.html":
        # The build puts a digest of their content into the names of all that is in "assets".
        return _sent(request, _read(wanted), IMMUTABLE if "assets" in wanted.parts else "no-cache")
    if path.startswith("assets/"):
        return PlainTextResponse("there is no such file\n", HTTPStatus.NOT_FOUND)
    return _sent(request, _read(index, base), "no-cache")


def _sent(request: Request, file: _File, caching: str) -> Response:
    """*file*, compressed for who takes that, or word that the client has it already."""
    gzipped = file.gzipped if _takes_gzip(request.headers.get("accept-encoding", "")) else None
    tag = f'"{file.tag}-gzip"' if gzipped else f'"{file.tag}"'
    headers = {"Cache-Control": caching, "ETag": tag, "Vary": "Accept-Encoding"}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if not known.isdisjoint((tag, "*")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if gzipped:
        headers["Content-Encoding"] = "gzip"
    return Response(gzipped or file.plain, media_type=file.kind, headers=headers)


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.lower().split(","):
        name, _, parameters = each.partition(";")
        if name.strip() == "gzip":
            return re.fullmatch(r"\s*q=0(\.0*)?\s*", parameters) is None
    return False


def _read(path: Path, base: str | None = None) -> _File:
    """The file at *path*, which is read and compressed once. With *base*, the page, told where it is."""
    changed = path.stat().st_mtime_ns
    key = path, base or ""
    found = _files.get(key)
    if found is None or found[0] != changed:
        plain = path.read_bytes() if base is None else _index(path, base)
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        is_worth_it = len(plain) >= WORTH_COMPRESSING and kind.startswith(COMPRESSIBLE)
        gzipped = gzip.compress(plain, 9, mtime=0) if is_worth_it else None
        found = changed, _File(kind, hashlib.sha256(plain).hexdigest()[:32], plain, gzipped)
        if len(_files) >= MOST_FILES:  # bases can come from clients' headers, behind trusted proxies
            _files.clear()
        _files[key] = found
    return found[1]


def _index(path: Path, base: str) -> bytes:
    """The page, told where it is: ``<base href>`` comes first in its head, before anything that is relative to it."""
    text = path.read_text("utf-8")
    return text.replace("<head>", f'<head><base href="{html.escape(base, quote=True)}/">', 1).encode()


def _missing(base: str) -> Response:
    where = html.escape(base, quote=True)
    return page_of(
        "No pages",
        "<p>The user interface is not part of this build. Install a released wheel of asynqpy, or build it in a"
        " checkout with <code>make ui</code>, which needs Node.</p>"
        f'<p>The HTTP API is here: <a href="{where}/api/v2/openapi.json">its description</a>,'
        f' <a href="{where}/api/v2/queues">queues</a>, <a href="{where}/healthz">health</a>.</p>',
    )
