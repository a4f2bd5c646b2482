"""Opens pages for the tests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from tests.redis.server.stage import Stage

from .page import ROOT, Page


@pytest.fixture
def open_page(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Page]]:
    """Opens a page in a folder of its own, which is the working directory; it is closed with the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASYNQPY_REDIS_URL", redis_url)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(Page(ROOT / path, redis_url=redis_url, folder=tmp_path).opened())


@pytest.fixture
def stage(redis_url: str, redis: Redis) -> Iterator[Stage]:
    """An empty Redis with a client."""
    made = Stage(redis_url, redis)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    """What a page does to the loggers does not reach other tests."""
    loggers = [logging.getLogger(), logging.getLogger("asynqpy"), logging.getLogger("asynqpy.failures")]
    before = [(logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    yield
    for logger, (level, handlers, propagate) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:], logger.propagate = handlers, propagate
