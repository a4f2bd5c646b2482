"""Builds the Go ends of the suite, once for each state of their sources, and finds what Go has fetched."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent
SOURCES = HERE / "go"
ASYNQMON = SOURCES / "asynqmon"
"""A module of its own: asynqmon wants an older asynq than the others are to be tested with."""

CACHE = HERE / ".cache"
REQUIRED = "ASYNQPY_REQUIRE_INTEROP"


def build(sources: Path = SOURCES, name: str = "interop") -> Path:
    """The path of the program. Without Go the test is skipped, or fails where the suite is required (in CI)."""
    go = _go()
    program = CACHE / f"{name}-{_fingerprint(go, sources)}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes build it once, not once each
        if not program.exists():
            _compile(go, sources, program, name)
    return program


def module_folder(sources: Path, module: str) -> Path:
    """Where Go keeps the files of *module*, in the version that *sources* require; fetched if need be."""
    go = _go()
    fetched = _run(go, sources, "mod", "download", "-json", module)
    if fetched.returncode:
        give_up(f"the Go module {module} cannot be fetched: {fetched.stderr.strip() or fetched.stdout.strip()}")
    return Path(json.loads(fetched.stdout)["Dir"])


def give_up(reason: str) -> NoReturn:
    """Skip the test for *reason*, or fail where the suite is required (in CI)."""
    if os.environ.get(REQUIRED, "") not in ("", "0"):
        pytest.fail(f"{reason}; the interop suite is required here ({REQUIRED} is set)", pytrace=False)
    pytest.skip(f"interop suite: {reason}")


def _go() -> str:
    return shutil.which("go") or give_up("Go is not installed (no `go` on the PATH)")


def _compile(go: str, sources: Path, program: Path, name: str) -> None:
    unfinished = program.with_suffix(f".{os.getpid()}")
    built = _run(go, sources, "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-o", str(unfinished), ".")
    if built.returncode:
        fetched = _run(go, sources, "mod", "download")
        if fetched.returncode:
            give_up(f"the Go modules cannot be fetched: {fetched.stderr.strip()}")
        pytest.fail(f"the Go end of the suite does not build:\n{built.stderr}", pytrace=False)
    for stale in CACHE.glob(f"{name}-*"):
        if stale != unfinished:
            stale.unlink()
    unfinished.rename(program)


def _run(go: str, sources: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([go, *arguments], cwd=sources, capture_output=True, text=True, check=False, timeout=600)


def _fingerprint(go: str, sources: Path) -> str:
    digest = hashlib.sha256(_run(go, sources, "version").stdout.encode())
    files = (path for path in sources.rglob("*") if path.is_file())
    for source in sorted(path for path in files if _module_of(path) == sources):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def _module_of(source: Path) -> Path:
    return next(folder for folder in source.parents if (folder / "go.mod").exists())
