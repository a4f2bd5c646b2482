"""What ``asynqpy`` offers."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import asynqpy


def test_public_names_are_sorted_and_can_be_imported() -> None:
    """Each once."""
    assert asynqpy.__all__ == sorted(set(asynqpy.__all__))
    for name in asynqpy.__all__:
        assert getattr(asynqpy, name) is not None
    assert set(asynqpy.__all__) <= set(dir(asynqpy))


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    """As in any module."""
    with pytest.raises(AttributeError, match="nonsense"):
        asynqpy.nonsense


def test_everything_public_is_documented() -> None:
    """Classes and functions, and their public methods."""
    for name in asynqpy.__all__:
        thing = getattr(asynqpy, name)
        if not (inspect.isclass(thing) or inspect.isfunction(thing)):
            continue
        assert inspect.getdoc(thing), name
        for method_name, method in vars(thing).items() if inspect.isclass(thing) else ():
            if not method_name.startswith("_") and inspect.isfunction(method):
                assert method.__doc__, f"{name}.{method_name}"


def test_star_import_gives_the_public_names() -> None:
    """In a fresh interpreter, without a word of warning."""
    program = (
        "from asynqpy import *; import asynqpy; assert all(n in globals() for n in asynqpy.__all__); print(Task('t'))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
