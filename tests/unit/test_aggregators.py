"""Which function aggregates a group."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from asynqpy import Aggregators, ConfigError, ServerConfig, Task
from asynqpy.aggregators import as_aggregators, is_async


def one(group: str, tasks: list[Task]) -> Task:
    """Aggregate."""
    return Task("one")


def two(group: str, tasks: list[Task]) -> Task:
    """Aggregate otherwise."""
    return Task("two")


async def later(group: str, tasks: list[Task]) -> Task:
    """Aggregate on the event loop."""
    return Task("later")


class TestFind:
    """Queues come first, then the longest pattern."""

    def test_a_name_or_its_beginning(self) -> None:
        """As in a mux: the equal pattern, else the longest that the name begins with."""
        aggregators = Aggregators()
        aggregators.register(one, "tenant-")
        aggregators.register(two, "tenant-7")
        assert aggregators.find("default", "tenant-1") is one
        assert aggregators.find("default", "tenant-7") is two
        assert aggregators.find("default", "tenant-77") is two
        assert aggregators.find("default", "tenant") is None

    def test_all_groups(self) -> None:
        """Without a pattern; any other pattern is longer."""
        aggregators = Aggregators()
        aggregators.register(one)
        aggregators.register(two, "a")
        assert aggregators.find("default", "b") is one
        assert aggregators.find("default", "a") is two

    def test_the_queue_comes_first(self) -> None:
        """A function for the queue wins over a longer pattern for any queue; other queues do not see it."""
        aggregators = Aggregators()
        aggregators.register(one, "", queue="low")
        aggregators.register(two, "tenant-7")
        assert aggregators.find("low", "tenant-7") is one
        assert aggregators.find("default", "tenant-7") is two
        assert aggregators.find("default", "other") is None

    def test_patterns_are_plain_text(self) -> None:
        """No wildcards, nothing is trimmed."""
        aggregators = Aggregators()
        aggregators.register(one, "a*")
        assert aggregators.find("default", "ab") is None
        assert aggregators.find("default", "a*b") is one

    def test_the_decorator_leaves_the_function_as_it_is(self) -> None:
        """It may be called in a test."""
        aggregators = Aggregators()
        assert aggregators.group("g", queue="low")(one) is one
        assert aggregators.group()(later) is later
        assert aggregators.find("low", "g") is one
        assert aggregators.find("low", "x") is later


class TestErrors:
    """What cannot work is refused at once."""

    def test_a_pattern_once_a_queue(self) -> None:
        """The message names both."""
        aggregators = Aggregators()
        aggregators.register(one, "g")
        aggregators.register(one, "g", queue="low")
        with pytest.raises(ConfigError, match=r"multiple aggregate functions for groups 'g'$"):
            aggregators.register(two, "g")
        with pytest.raises(ConfigError, match=r"for groups 'g' in queue 'low'$"):
            aggregators.register(two, "g", queue="low")

    @pytest.mark.parametrize("bad", [None, 7, "name", lambda: Task("t"), lambda a, b, c: Task("t")])
    def test_not_a_function_of_group_and_tasks(self, bad: Any) -> None:
        """For a registry and for a server."""
        with pytest.raises(ConfigError, match="takes two arguments, the group and its tasks"):
            Aggregators().register(bad)
        if bad is not None:
            with pytest.raises(ConfigError, match="takes two arguments"):
                ServerConfig(aggregator=bad)

    @pytest.mark.parametrize("pattern", [None, b"g", 7])
    def test_a_pattern_that_is_no_text(self, pattern: Any) -> None:
        """The usual mistake: a decorator without parentheses."""
        with pytest.raises(ConfigError, match="it must be text"):
            Aggregators().group(pattern)(one)

    @pytest.mark.parametrize("queue", ["", " ", 7])
    def test_a_queue_that_is_none(self, queue: Any) -> None:
        """Blank names are no queues."""
        with pytest.raises(ConfigError, match="queue name"):
            Aggregators().register(one, queue=queue)


def test_a_function_alone_is_for_all_groups() -> None:
    """And a registry is itself."""
    aggregators = Aggregators()
    assert as_aggregators(aggregators) is aggregators
    assert as_aggregators(one).find("any", "group") is one


def test_async_functions_are_told_apart() -> None:
    """Also inside a partial, and objects that are called."""

    class Callable:
        async def __call__(self, group: str, tasks: list[Task]) -> Task:
            return Task("t")

    assert [is_async(each) for each in (one, later, partial(later), Callable())] == [False, True, True, True]
