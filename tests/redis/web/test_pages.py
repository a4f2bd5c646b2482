"""How the files of the front end are sent: compressed, once, and with the page told where it is."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest

from asynqpy.web import ui

from .conftest import OpenApp

pytestmark = pytest.mark.anyio

SCRIPT = b"export const answer = 42;\n" * 200


@pytest.fixture(autouse=True)
def static(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small build."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index-abc.js").write_bytes(SCRIPT)
    (tmp_path / "assets" / "tiny-abc.css").write_bytes(b"a{}")
    (tmp_path / "assets" / "font-abc.woff2").write_bytes(b"\0" * 5000)
    (tmp_path / "icon.svg").write_bytes(b"<svg/>")
    (tmp_path / "index.html").write_text("<html><head><title>x</title></head></html>")
    monkeypatch.setattr(ui, "STATIC", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("identity", False),
        ("br", False),
    ],
)
async def test_compressed_for_who_takes_it(web: httpx.AsyncClient, accepted: str, is_compressed: bool) -> None:
    """The same content either way; caches keep both apart."""
    async with web.stream("GET", "/assets/index-abc.js", headers={"Accept-Encoding": accepted}) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])
    assert answer.headers.get("content-encoding") == ("gzip" if is_compressed else None)
    assert (gzip.decompress(raw) if is_compressed else raw) == SCRIPT
    assert int(answer.headers["content-length"]) == len(raw)
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("path", ["/assets/tiny-abc.css", "/assets/font-abc.woff2", "/icon.svg", "/"])
async def test_not_compressed_where_it_would_not_help(web: httpx.AsyncClient, path: str) -> None:
    """Small files, and those that are compressed already."""
    assert "content-encoding" not in (await web.get(path)).headers


async def test_what_is_kept(web: httpx.AsyncClient) -> None:
    """Files with a digest in their name for ever, the others until they change."""
    assert (await web.get("/assets/index-abc.js")).headers["cache-control"] == ui.IMMUTABLE
    for path in ("/", "/queues/low", "/icon.svg"):
        assert (await web.get(path)).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", "/assets/index-abc.js", "/icon.svg"])
async def test_what_the_client_has_is_not_sent_again(web: httpx.AsyncClient, path: str) -> None:
    """Until it is changed, and by representation: what is compressed is not what is not."""
    first = await web.get(path, headers={"Accept-Encoding": "gzip"})
    tag = first.headers["etag"]
    again = await web.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert again.headers["cache-control"] == first.headers["cache-control"]
    assert (await web.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
    plain = await web.get(path, headers={"Accept-Encoding": "identity", "If-None-Match": tag})
    assert plain.status_code == (200 if first.headers.get("content-encoding") else 304)


async def test_head(web: httpx.AsyncClient) -> None:
    """The headers of GET, without a body; nothing else is allowed."""
    for path in ("/", "/assets/index-abc.js", "/assets/none.js"):
        for encoding in ("gzip", "identity"):
            head = await web.head(path, headers={"Accept-Encoding": encoding})
            get = await web.get(path, headers={"Accept-Encoding": encoding})
            assert (head.status_code, head.content) == (get.status_code, b"")
            assert {**head.headers, "set-cookie": ""} == {**get.headers, "set-cookie": ""}
    assert (await web.put("/assets/index-abc.js")).status_code in (403, 405)


async def test_a_new_build_is_seen(web: httpx.AsyncClient, static: Path) -> None:
    """Without a restart: so it is when the pages are worked on."""
    before = (await web.get("/")).headers["etag"]
    (static / "index.html").write_text("<html><head><title>y</title></head></html>")
    answer = await web.get("/", headers={"If-None-Match": before})
    assert "<title>y</title>" in answer.text


async def test_the_page_is_told_where_it_is(open_app: OpenApp) -> None:
    """By each path that it is behind; one does not get what is meant for another."""
    bases = []
    for base in ("", "/ops/tasks"):
        answer = await open_app(base_path=base).get(f"{base}/queues/low")
        assert f'<head><base href="{base}/">' in answer.text
        bases.append(answer.headers["etag"])
    assert len(set(bases)) == 2


async def test_nothing_outside_of_the_build_is_sent(web: httpx.AsyncClient, static: Path) -> None:
    """Whatever the path looks like: what is no file is the page."""
    (static.parent / "secret.txt").write_text("secret")
    for path in ("/../secret.txt", "/assets/..%2f..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/../../secret.txt"):
        assert "secret" not in (await web.get(path)).text
