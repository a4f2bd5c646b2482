"""The house rules that a machine can check: sizes, names that are public, versions that agree."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

import asynqpy

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for path in (ROOT / "src").rglob("*.py") if not path.name.endswith("_pb2.py"))
LONGEST_MODULE = 500
LONGEST_FUNCTION = 60


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
class TestModules:
    """Every module of the package."""

    def test_is_of_a_size_that_can_be_read_at_once(self, path: Path) -> None:
        """A module owns one thing; beyond 500 lines it owns two."""
        assert len(path.read_text("utf-8").splitlines()) <= LONGEST_MODULE

    def test_its_functions_are_short(self, path: Path) -> None:
        """No function has more than 60 lines."""
        tree = ast.parse(path.read_text("utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        assert {node.name: size for node in functions if (size := body_lines(node)) > LONGEST_FUNCTION} == {}

    def test_says_what_lives_in_it(self, path: Path) -> None:
        """Every module opens with a docstring."""
        assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


def test_public_names_are_sorted_and_real() -> None:
    """``asynqpy.__all__`` is sorted, and every name in it can be had."""
    assert sorted(asynqpy.__all__) == asynqpy.__all__
    assert [name for name in asynqpy.__all__ if getattr(asynqpy, name, None) is None] == []


def test_public_names_tell_the_type_checker_the_same() -> None:
    """What is imported for type checkers alone is what is looked up when it is used."""
    tree = ast.parse((ROOT / "src/asynqpy/__init__.py").read_text("utf-8"))
    imported = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("asynqpy.")
        for alias in node.names
    }
    assert imported == asynqpy._HOMES
    assert set(imported) | {"__version__"} == set(asynqpy.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Asking for what is not there fails as with any module."""
    with pytest.raises(AttributeError, match="no attribute 'Celery'"):
        _ = asynqpy.Celery  # type: ignore[attr-defined]


def test_versions_agree() -> None:
    """The package, its metadata and the top of the changelog name one version."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert asynqpy.__version__ == metadata == newest[1]
