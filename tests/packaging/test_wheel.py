"""What is shipped: the pages in the wheel and in the source distribution, and an installation that serves them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from scripts import pages
from tests.cli.programs import LIMIT_SECONDS

FIRST_LOAD_BYTES = 300_000
"""With gzip, for all that a browser loads before it can show the first page."""

Build = Callable[..., subprocess.CompletedProcess[str]]


def need_pages() -> None:
    """Skip without a build of the pages; fail where one is required."""
    if not (pages.STATIC / "index.html").is_file():
        if os.environ.get(pages.REQUIRED_VARIABLE):
            pytest.fail("the pages are not built: make ui")
        pytest.skip("the pages are not built: make ui")


def find_uv() -> str:
    """`uv run` names itself."""
    found = os.environ.get("UV") or shutil.which("uv")
    if found is None:
        pytest.skip("uv is not on PATH")
    return found


def build(folder: Path, target: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Let uv build what is in *folder*."""
    return subprocess.run(
        [find_uv(), "build", "--out-dir", target, *options, folder],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this project without anything that was built."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore"):
        shutil.copy(pages.ROOT / name, folder)
    for name in ("src", "scripts"):
        shutil.copytree(pages.ROOT / name, folder / name, ignore=shutil.ignore_patterns("static", "__pycache__"))
    return folder


def test_the_first_load_is_small() -> None:
    """Scripts and styles of the first page, with gzip: below the budget."""
    need_pages()
    sizes = pages.first_load("Overview")
    assert {Path(name).suffix for name in sizes} == {".html", ".js", ".css"}
    assert any("Overview" in name for name in sizes)
    assert sum(sizes.values()) < FIRST_LOAD_BYTES, sizes


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pages_are_shipped_and_served(tmp_path: Path) -> None:
    """In both distributions; the wheel is made from the source without Node, and serves them where nothing else is."""
    need_pages()
    shipped = tmp_path / "dist"
    built = build(pages.ROOT, shipped, "--sdist", ASYNQPY_REQUIRE_UI="1")
    assert built.returncode == 0, built.stderr
    (source,) = shipped.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python before 3.11.4 has none
        archive.extractall(tmp_path, **safely)
    (unpacked,) = tmp_path.glob("asynqpy-*")
    assert {"index.html", "assets"} <= {path.name for path in (unpacked / "src/asynqpy/web/static").iterdir()}
    assert (unpacked / "ui" / "src" / "main.tsx").is_file()
    assert not (unpacked / "ui" / "node_modules").exists()
    assert not (unpacked / "tests").exists()
    built = build(unpacked, shipped, "--wheel", ASYNQPY_NODE="none", ASYNQPY_REQUIRE_UI="1")
    assert built.returncode == 0, built.stderr
    (wheel,) = shipped.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"asynqpy/web/static/{name}" for name in pages.first_load("Overview")} <= names
    assert not [name for name in names if not name.startswith(("asynqpy/", "asynqpy-"))]
    check_it_serves(wheel, tmp_path / "venv")


def check_it_serves(wheel: Path, venv: Path) -> None:
    """Install *wheel* into an empty environment; what it serves is what was built."""
    uv = find_uv()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", venv, f"asynqpy[web] @ {wheel.as_uri()}"], check=True)
    # Nothing is there at this address: the pages need no Redis.
    command = [venv / "bin" / "asynqpy", "web", "--port", "0", "--redis", "redis://127.0.0.1:1"]
    serving = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=venv, start_new_session=True)
    try:
        assert serving.stdout is not None
        address = re.search(r"http://\S+/", serving.stdout.readline())
        assert address
        page = httpx.get(address[0] + "queues/low", timeout=LIMIT_SECONDS)
        assert '<div id="root">' in page.text
        scripts = re.findall(r'<script[^>]* src="\./([^"]+)"', page.text)
        assert [script.split("-")[0] for script in scripts] == ["assets/early", "assets/index"]
        for script in scripts:
            answer = httpx.get(address[0] + script, timeout=LIMIT_SECONDS)
            assert answer.headers["content-encoding"] == "gzip"
            assert answer.content == (pages.STATIC / script).read_bytes()
        serving.terminate()
        assert serving.wait(LIMIT_SECONDS) == 0
    finally:
        serving.kill()
        serving.wait()
        if serving.stdout:
            serving.stdout.close()


@pytest.mark.slow
def test_without_node_a_wheel_has_no_pages_and_says_so(checkout: Path, tmp_path: Path) -> None:
    """Not where they are required; an editable install never asks for them."""
    refused = build(checkout, tmp_path / "refused", "--wheel", ASYNQPY_NODE="none", ASYNQPY_REQUIRE_UI="1")
    assert refused.returncode != 0
    assert "the pages of the dashboard cannot be built: ASYNQPY_NODE=none" in refused.stderr
    built = build(checkout, tmp_path / "built", "--wheel", ASYNQPY_NODE="none", ASYNQPY_REQUIRE_UI="")
    assert built.returncode == 0, built.stderr
    assert "no pages for the web dashboard" in built.stderr
    assert "ASYNQPY_NODE=none" in built.stderr
    (wheel,) = (tmp_path / "built").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if "static" in name]
    editable = subprocess.run(
        [find_uv(), "pip", "install", "--target", tmp_path / "editable", "--no-deps", "--editable", checkout],
        env={**os.environ, "ASYNQPY_NODE": "none", "ASYNQPY_REQUIRE_UI": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert editable.returncode == 0, editable.stderr
