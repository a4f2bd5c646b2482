"""What ``--reload`` watches, and what it needs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from asynqpy import ConfigError
from asynqpy.cli.reload import check_installed, watched_folders


def test_the_working_directory_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is enough where the module is below it, or cannot be found yet."""
    monkeypatch.chdir(tmp_path)
    assert watched_folders("nowhere_to_be_found") == [tmp_path]


def test_a_module_from_elsewhere_is_watched_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder, without importing it."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "watched_one.py").write_text("raise SystemExit")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend(elsewhere)
    assert watched_folders("watched_one.tasks") == [tmp_path / "here", elsewhere]


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    check_installed()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'asynqpy\[reload\]'"):
        check_installed()
