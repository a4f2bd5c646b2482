"""The two inspectors are one."""

from __future__ import annotations

import inspect

import pytest

from asynqpy import AsyncInspector, AsyncTaskSearch, Inspector, TaskSearch

METHODS = sorted(name for name in dir(Inspector) if not name.startswith("_"))
ITERATORS = {"iter_tasks", "find_tasks"}
NOT_AWAITED = {"cluster_key_slot"} | ITERATORS


def test_both_have_the_same_methods() -> None:
    """And no more."""
    assert sorted(name for name in dir(AsyncInspector) if not name.startswith("_")) == METHODS
    for search in (TaskSearch, AsyncTaskSearch):
        assert [name for name in vars(search) if not name.startswith("_")] == ["coverage", "cursor", "batches"]


@pytest.mark.parametrize("name", ["__init__", *METHODS])
def test_each_method_takes_the_same_arguments_and_gives_the_same(name: str) -> None:
    """One is awaited, or iterated asynchronously."""
    blocking, awaited = getattr(Inspector, name), getattr(AsyncInspector, name)
    one, other = inspect.signature(blocking), inspect.signature(awaited)
    assert one.parameters == other.parameters
    if name in ITERATORS:
        assert other.return_annotation == "Async" + one.return_annotation
    else:
        assert one.return_annotation == other.return_annotation
    assert inspect.iscoroutinefunction(awaited) is (name != "__init__" and name not in NOT_AWAITED)


@pytest.mark.parametrize("name", METHODS)
def test_the_awaited_one_refers_to_the_other(name: str) -> None:
    """What it does is told once."""
    assert (getattr(AsyncInspector, name).__doc__ or "").startswith((f"`Inspector.{name}`", "Close", "`Inspector."))
