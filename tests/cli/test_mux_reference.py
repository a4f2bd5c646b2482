"""Finding the mux that the command line names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asynqpy import ConfigError, ServeMux
from asynqpy.cli.mux_reference import load_mux

HEAD = "from asynqpy import ServeMux\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Writes modules into the working directory, which no other test sees."""
    monkeypatch.chdir(tmp_path)
    path, modules = sys.path[:], set(sys.modules)

    def call(name: str, text: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file

    yield call
    sys.path[:] = path
    for module in set(sys.modules) - modules:
        del sys.modules[module]


Write = Callable[[str, str], Path]


def test_a_named_mux(write: Write) -> None:
    """MODULE:MUX, found in the working directory."""
    write("shop.py", HEAD + "first = ServeMux()\nsecond = ServeMux()\nsecond.handle('a', print)")
    assert load_mux("shop:second").patterns == ("a",)


def test_a_mux_deeper_inside(write: Write) -> None:
    """Packages and attributes of attributes."""
    write("shop/__init__.py", "")
    write("shop/tasks.py", HEAD + "class App:\n    mux = ServeMux()")
    assert isinstance(load_mux("shop.tasks:App.mux"), ServeMux)


@pytest.mark.parametrize(
    "text", ["mux = ServeMux()\nother = ServeMux()", "tasks = ServeMux()", "tasks = alias = ServeMux()\nmux = 1"]
)
def test_a_module_alone(write: Write, text: str) -> None:
    """Without an attribute: ``mux``, else the only one there is, under whatever names."""
    write("shop.py", HEAD + text)
    assert isinstance(load_mux("shop"), ServeMux)


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("", "nowhere", "no module 'nowhere' in"),
        ("", "shop.nowhere", "no module 'shop.nowhere' in"),
        ("", "shop.py", "of Python; did you mean shop?"),
        ("", "a/b.py:mux", "'a/b.py:mux' names no module"),
        ("", ":mux", "names no module"),
        ("", "shop", "module 'shop' has no ServeMux"),
        ("a = ServeMux()\nb = ServeMux()", "shop", "several muxes; did you mean shop:a or shop:b?"),
        ("a = ServeMux()", "shop:mux", "module 'shop' has no 'mux'; did you mean shop:a?"),
        ("a = 1", "shop:a", "shop:a is of type int, no ServeMux"),
        ("a = 1", "shop:a.b", "module 'shop' has no 'a.b'"),
        ("import nowhere_to_be_found", "shop", "cannot be imported: No module named 'nowhere_to_be_found' ("),
        ("from asynqpy import Nothing", "shop", "cannot be imported: ImportError: cannot import name 'Nothing'"),
        ("1 / 0", "shop", "cannot be imported: ZeroDivisionError: division by zero ("),
        ("def f(:", "shop", "cannot be imported: SyntaxError: invalid syntax (shop.py, line 2)"),
        ("raise SystemExit(3)", "shop", "cannot be imported: SystemExit: 3 ("),
    ],
)
def test_what_cannot_be_found_is_said(write: Write, text: str, reference: str, expected: str) -> None:
    """Which part is wrong, where, and what there is instead, in one line."""
    write("shop.py", HEAD + text)
    with pytest.raises(ConfigError) as refused:
        load_mux(reference)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_failing_import_is_located(write: Write) -> None:
    """The line of the user's code at which an import failed, also below the module that was named."""
    write("shop.py", "import below")
    file = write("below.py", "\n\nimport nowhere_to_be_found")
    with pytest.raises(ConfigError, match=rf"\({file}, line 3\)"):
        load_mux("shop:mux")
