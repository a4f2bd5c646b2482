"""The two clients are one."""

from __future__ import annotations

import inspect

import pytest

from asynqpy import AsyncClient, Client, ConfigError

METHODS = sorted(name for name in vars(Client) if not name.startswith("_"))


def test_both_have_the_same_methods() -> None:
    """And no more."""
    assert sorted(name for name in vars(AsyncClient) if not name.startswith("_")) == METHODS
    assert METHODS == ["close", "enqueue", "enqueue_many", "enqueue_stream", "ping", "wait"]


@pytest.mark.parametrize("name", ["__init__", *METHODS])
def test_each_method_takes_the_same_arguments_and_gives_the_same(name: str) -> None:
    """One is awaited, or iterated asynchronously."""
    blocking, awaited = getattr(Client, name), getattr(AsyncClient, name)
    one, other = inspect.signature(blocking), inspect.signature(awaited)
    assert one.parameters == other.parameters
    if name == "enqueue_stream":
        assert other.return_annotation == "Async" + one.return_annotation == "AsyncIterator[EnqueueResult]"
    else:
        assert one.return_annotation == other.return_annotation
        assert inspect.iscoroutinefunction(awaited) is (name != "__init__")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_limit_below_zero_is_refused(kind: type) -> None:
    """Zero allows empty payloads only."""
    with pytest.raises(ConfigError, match="max_payload_bytes"):
        kind("redis://localhost", max_payload_bytes=-1)
    kind("redis://localhost", max_payload_bytes=0)
