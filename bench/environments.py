"""Make each contender's environment when it is first needed, and tell how its driver is started."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.contender import CACHE, ROOT, Contender, ContenderError, Kind

LAUNCHER = "bench.contenders.shared.launch"


def driver_command(contender: Contender) -> list[str]:
    """The command of *contender*'s driver, to which `work` or `produce` is added.

    Makes the environment when it is missing or older than its pins. Raises `ContenderError` with the reason when it
    cannot be made here.
    """
    match contender.kind:
        case Kind.OWN:
            _check_own()
            return [sys.executable, "-m", LAUNCHER, contender.name]
        case Kind.PYTHON:
            _make_virtual_environment(contender)
            return [str(contender.python), "-m", LAUNCHER, contender.name]
        case Kind.GO:
            build_go(contender.folder, contender.binary)
            return [str(contender.binary)]


def driver_environment() -> dict[str, str]:
    """Environment variables of every driver: this repository's `bench` can be imported, whatever else is installed."""
    return {**os.environ, "PYTHONPATH": str(ROOT.parent)}


def version(contender: Contender) -> str:
    """Which version of the contender is measured, as pinned or installed."""
    match contender.kind:
        case Kind.OWN:
            return f"asynqpy {importlib.metadata.version('asynqpy')}"
        case Kind.PYTHON:
            pins = (contender.folder / "requirements.txt").read_text().splitlines()
            named = [pin.partition("==") for pin in pins if pin.startswith(contender.name)]
            return ", ".join(f"{name.partition('[')[0]} {pinned}" for name, _, pinned in named)
        case Kind.GO:
            pin = re.search(r"hibiken/asynq (v\S+)", (contender.folder / "go.mod").read_text())
            return f"Go asynq {pin.group(1) if pin else '?'}"


def _check_own() -> None:
    try:
        from asynqpy import AsyncClient, Client, Server  # noqa: F401
    except ImportError as error:
        raise ContenderError(f"asynqpy cannot be imported: {error}") from error


def _make_virtual_environment(contender: Contender) -> None:
    pins = contender.folder / "requirements.txt"
    stamp = contender.cache / "requirements.txt"
    if stamp.exists() and stamp.read_text() == pins.read_text():
        return
    shutil.rmtree(contender.cache, ignore_errors=True)
    uv = os.environ.get("UV", "uv")  # set by `uv run`
    _make([uv, "venv", "--python", sys.executable, str(contender.cache)], contender.name)
    _make(
        [uv, "pip", "install", "--compile-bytecode", "--python", str(contender.python), "-r", str(pins)], contender.name
    )
    shutil.copy(pins, stamp)


def build_go(folder: Path, binary: Path) -> None:
    """Build the Go program in *folder*; Go's own cache makes this quick when nothing changed."""
    if shutil.which("go") is None:
        raise ContenderError("no Go toolchain on PATH")
    _make(["go", "build", "-o", str(binary), "."], binary.name, folder)


def _make(command: Sequence[str], name: str, folder: Path | None = None) -> None:
    log = CACHE / "logs" / f"make-{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        try:
            done = subprocess.run(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, check=False)
        except FileNotFoundError as error:
            raise ContenderError(f"`{command[0]}` is not installed") from error
    if done.returncode:
        raise ContenderError(f"`{Path(command[0]).name} {command[1]}` failed, see {log.relative_to(ROOT.parent)}")
