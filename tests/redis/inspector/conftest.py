"""Both inspectors behind one awaited face, so that each test is written once and run for both."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from redis import Redis

from asynqpy import AsyncInspector, Client, Inspector
from tests.redis.inspected import Inspected

_END = object()


class BlockingFace:
    """`Inspector`, called in threads as blocking code is. Iterators are iterated in threads, too."""

    def __init__(self, inspector: Inspector) -> None:
        self.inspector = inspector

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inspector, name)
        if not inspect.ismethod(method):
            return method
        if name in ("iter_tasks", "find_tasks"):
            return lambda *args, **kwargs: _InThreads(method(*args, **kwargs))
        if name == "cluster_key_slot":
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await asyncio.to_thread(method, *args, **kwargs)

        return call


class _InThreads:
    """An iterator as an asynchronous one."""

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator

    def __getattr__(self, name: str) -> Any:
        return getattr(self._iterator, name)

    def __aiter__(self) -> _InThreads:
        return self

    def batches(self) -> _InThreads:
        return _InThreads(self._iterator.batches())

    async def __anext__(self) -> Any:
        found = await asyncio.to_thread(next, self._iterator, _END)
        if found is _END:
            raise StopAsyncIteration
        return found


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """uvloop."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(params=["Inspector", "AsyncInspector"])
async def face(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Any]:
    """One inspector and then the other, with all methods awaited."""
    if request.param == "Inspector":
        with Inspector(redis_url) as blocking:
            yield BlockingFace(blocking)
        return
    async with AsyncInspector(redis_url) as awaited:
        yield awaited


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    """A client of the test's database."""
    with Client(redis_url) as client:
        yield client


@pytest.fixture
def low(redis: Redis) -> Inspected:
    """The queue ``low``, listed."""
    return Inspected(redis)
