"""Builds the Go end of the suite, once for each state of its sources."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent
SOURCES = HERE / "go"
CACHE = HERE / ".cache"
REQUIRED = "ASYNQPY_REQUIRE_INTEROP"


def build() -> Path:
    """The path of the program. Without Go the test is skipped, or fails where the suite is required (in CI)."""
    go = shutil.which("go")
    if go is None:
        _give_up("Go is not installed (no `go` on the PATH)")
    program = CACHE / f"interop-{_fingerprint(go)}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes build it once, not once each
        if not program.exists():
            _compile(go, program)
    return program


def _compile(go: str, program: Path) -> None:
    unfinished = program.with_suffix(f".{os.getpid()}")
    built = _run(go, "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-o", str(unfinished), ".")
    if built.returncode:
        fetched = _run(go, "mod", "download")
        if fetched.returncode:
            _give_up(f"the Go modules cannot be fetched: {fetched.stderr.strip()}")
        pytest.fail(f"the Go end of the suite does not build:\n{built.stderr}", pytrace=False)
    for stale in CACHE.glob("interop-*"):
        if stale != unfinished:
            stale.unlink()
    unfinished.rename(program)


def _run(go: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([go, *arguments], cwd=SOURCES, capture_output=True, text=True, check=False, timeout=600)


def _fingerprint(go: str) -> str:
    digest = hashlib.sha256(_run(go, "version").stdout.encode())
    for source in sorted(path for path in SOURCES.rglob("*") if path.is_file()):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def _give_up(reason: str) -> NoReturn:
    if os.environ.get(REQUIRED, "") not in ("", "0"):
        pytest.fail(f"{reason}; the interop suite is required here ({REQUIRED} is set)", pytrace=False)
    pytest.skip(f"interop suite: {reason}")
