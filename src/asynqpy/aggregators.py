"""Which function makes one task of the tasks of a group: by queue, and by the beginning of the group's name."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from asynqpy.errors import ConfigError
from asynqpy.task import Task

Aggregator: TypeAlias = Callable[[str, list[Task]], Task | Awaitable[Task]]
"""Makes one task of the tasks of a group: called with the name of the group and its tasks, oldest first.

An async function runs on the event loop, a plain one in a thread. The options of the task that it returns count, except
that it goes to the queue of the group and joins no group itself."""

A = TypeVar("A", bound=Aggregator)


class Aggregators:
    """Aggregate functions by queue and group.

    A pattern is the beginning of the names of groups, plain text as in a `ServeMux`. A pattern equal to the name wins,
    else the longest that the name begins with; functions for the queue come before those for any queue. Groups
    that nothing matches are left alone. Registering is allowed while a server runs.
    """

    def __init__(self) -> None:
        self._functions: dict[str | None, dict[str, Aggregator]] = {}
        """By queue, then by pattern; None: any queue."""

    def group(self, pattern: str = "", *, queue: str | None = None) -> Callable[[A], A]:
        """Register the decorated function for groups whose names begin with *pattern*; the function is unchanged.

        Args:
            pattern: the name of a group, or the beginning of many; all groups unless given.
            queue: only groups of this queue; those of any queue unless given.

        Raises:
            ConfigError: a pattern that is taken, or not a function of the name and the tasks.
        """

        def register(function: A) -> A:
            self.register(function, pattern, queue=queue)
            return function

        return register

    def register(self, function: Aggregator, pattern: str = "", *, queue: str | None = None) -> None:
        """Register *function*; arguments and errors as for `group`."""
        if not isinstance(pattern, str):
            raise ConfigError(f"invalid pattern {pattern!r}: it must be text, as in @aggregators.group('tenant-')")
        if queue is not None and (not isinstance(queue, str) or not queue.strip()):
            raise ConfigError(f"queue name must contain one or more characters, got {queue!r}")
        functions = self._functions.setdefault(queue, {})
        if pattern in functions:
            where = "" if queue is None else f" in queue {queue!r}"
            raise ConfigError(f"multiple aggregate functions for groups {pattern!r}{where}")
        functions[pattern] = _checked(function)

    def find(self, queue: str, group: str) -> Aggregator | None:
        """The function for a group; None when nothing matches."""
        for functions in (self._functions.get(queue), self._functions.get(None)):
            if functions:
                for length in range(len(group), -1, -1):
                    function = functions.get(group[:length])
                    if function is not None:
                        return function
        return None


def as_aggregators(given: Aggregator | Aggregators) -> Aggregators:
    """*given*, or the single function that it is for all groups.

    Raises:
        ConfigError: neither.
    """
    if isinstance(given, Aggregators):
        return given
    aggregators = Aggregators()
    aggregators.register(given)
    return aggregators


def is_async(function: Aggregator) -> bool:
    """Whether *function* is to be called on the event loop."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _checked(function: Aggregator) -> Aggregator:
    problem = f"an aggregate function takes two arguments, the group and its tasks, got {function!r}"
    if not callable(function):
        raise ConfigError(problem)
    try:
        inspect.signature(function).bind("", [])
    except TypeError:
        raise ConfigError(problem) from None
    except (ValueError, NameError):  # a builtin, or annotations that only a type checker can resolve
        return function
    return function
