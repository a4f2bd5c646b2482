"""When the files of a worker change, for ``--reload``. Needs the extra ``reload``."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path

from asynqpy.errors import ConfigError


async def changes(folders: list[Path]) -> AsyncIterator[object]:
    """Yield each time Python files below *folders* have changed; changes that come together count once."""
    from watchfiles import PythonFilter, awatch

    async for changed in awatch(*folders, watch_filter=PythonFilter(), debounce=400, step=50):
        yield changed


def check_installed() -> None:
    """Raises `ConfigError` when the extra is missing."""
    if importlib.util.find_spec("watchfiles") is None:
        raise ConfigError("--reload needs watchfiles: pip install 'asynqpy[reload]'")


def watched_folders(module: str) -> list[Path]:
    """The working directory, and the folder of *module* if it is elsewhere. The module itself is not imported."""
    here = Path.cwd()
    spec = importlib.util.find_spec(module.partition(".")[0])
    if spec is None or not spec.origin:
        return [here]
    home = Path(spec.origin).parent
    return [here] if home.is_relative_to(here) else [here, home]
