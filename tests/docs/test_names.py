"""The table of every name that asynq exports: each of ours in it exists, and where there is none it says why."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, NamedTuple, get_type_hints

import pytest

import asynqpy

from .page import ROOT


class Row(NamedTuple):
    """A row of the table."""

    go: str
    ours: str
    note: str


def rows() -> list[Row]:
    """The rows of the three tables; names of the extra packages begin with theirs."""
    part = (ROOT / "docs/compatibility.md").read_text(encoding="utf-8").partition("\n## Every exported name\n")[2]
    return [Row(*found) for found in re.findall(r"^\| `([\w.]+)` \| (.*?) \| (.*?) ?\|$", part, re.MULTILINE)]


def found(path: str) -> Any:
    """What *path* names below `asynqpy`; for a field without a value, its type."""
    first, *others = path.split(".")
    here = getattr(asynqpy, first) if first in (*asynqpy.__all__, "retry") else import_module(f"asynqpy.{first}")
    for name in others:
        here = getattr(here, name) if hasattr(here, name) else get_type_hints(here)[name]
    return here


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.go)
def test_what_stands_for_a_name_of_asynq_exists(row: Row) -> None:
    """It can be imported; or a reason is given why there is none."""
    ours = re.findall(r"`([^`]+)`", row.ours)
    if not ours:
        assert row.ours == "–"
        assert row.note
    for path in ours:
        assert found(path) is not None


def test_no_name_is_there_twice() -> None:
    """And there are as many as a package of this size has; `tests/interop` compares them with the package itself."""
    names = [row.go for row in rows()]
    assert len(names) == len(set(names)) > 300
