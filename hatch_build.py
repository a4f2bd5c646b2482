"""Put the pages of the dashboard into wheels and source distributions: built here, or by whoever made the source."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WITHOUT = """
********************************************************************************
This build of asynqpy has no pages for the web dashboard; its HTTP API is there.
{reason}
********************************************************************************
"""


class PagesBuildHook(BuildHookInterface[Any]):
    """Builds the pages. Not for editable installs: those are for work on the project, which has ``make ui``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it gathers files."""
        if self.target_name == "wheel" and version == "editable":
            return
        root = Path(self.root)
        if (root / "PKG-INFO").is_file():  # a source distribution: the pages are in it, if they could be built
            if not (root / "src" / "asynqpy" / "web" / "static" / "index.html").is_file():
                self._go_without("The source distribution had none.")
            return
        pages = _load(root / "scripts" / "pages.py")
        try:
            pages.build()
        except pages.MissingError as error:
            self._go_without(str(error))

    def _go_without(self, reason: str) -> None:
        if os.environ.get("ASYNQPY_REQUIRE_UI"):
            raise RuntimeError(f"the pages of the dashboard cannot be built: {reason}")
        self.app.display_warning(WITHOUT.format(reason=reason))


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("asynqpy_pages", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module
