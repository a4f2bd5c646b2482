"""Which handler runs a task: patterns, middlewares, nested muxes, and what happens when nothing matches.

A pattern equal to the task's type wins, else the longest pattern that the type starts with. A pattern is plain text:
no separators, no wildcards, nothing is trimmed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import RLock
from typing import Any, ParamSpec, TypeVar, Unpack
from weakref import WeakSet

from asynqpy.errors import ConfigError, HandlerNotFoundError
from asynqpy.handlers import Handler, Isolation, Middleware, Route, TypedTask, checked_middleware, route_to
from asynqpy.limits import LimitKey, Rate, limit_of
from asynqpy.options import EnqueueOptions, resolve
from asynqpy.patterns import PatternTree
from asynqpy.retry import RetryDelay
from asynqpy.schemas import Schema
from asynqpy.task import Task

P = ParamSpec("P")
R = TypeVar("R")
H = TypeVar("H", bound=Handler)
M = TypeVar("M", bound=Middleware)

CACHED_TYPES = 4096
"""Task types whose route is remembered, per mux; producers may make up types without end (``email:user-17`` …)."""

_LOCK = RLock()
"""Held by every mux while it registers or looks up anew, both rare: one lock, so nested muxes cannot deadlock."""


class ServeMux:
    """Routes tasks to handlers by their type.

    A mux may be registered in another one, under a prefix: it sees the whole type, and the outer middlewares run
    first. Registering is thread-safe and allowed while a server runs.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Route | ServeMux] = {}
        self._lengths: list[int] = []
        """Lengths of the patterns, longest first."""
        self._middlewares: tuple[Middleware, ...] = ()
        self._not_found = replace(route_to("", _raise_not_found), is_unknown=True)
        self._parents: WeakSet[ServeMux] = WeakSet()
        self._cache: dict[str, Route] = {}
        self._wrapped: dict[Route, Route] = {}
        """Each route with the middlewares of this mux around it: one object a pattern, not one a type."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns of this mux in order of registration; a nested mux is here with its prefix alone."""
        return tuple(self._entries)

    def handled(self) -> PatternTree:
        """What this mux handles, nested muxes included, as its server publishes it; with ``""`` if it is everything."""
        with _LOCK:
            tree: dict[str, PatternTree | None] = {
                pattern: entry.handled() if isinstance(entry, ServeMux) else None
                for pattern, entry in self._entries.items()
            }
            if not self._not_found.is_unknown:
                tree[""] = None
            return tree

    def schemas(self) -> dict[str, Schema]:
        """The JSON Schemas of the payloads of typed handlers, by the pattern that decides; servers publish them."""
        with _LOCK:
            found: dict[str, Schema] = {}
            for pattern, entry in self._entries.items():
                below = entry.schemas() if isinstance(entry, ServeMux) else _schema_of(entry)
                for inner, schema in below.items():
                    longer, shorter = (inner, pattern) if len(inner) >= len(pattern) else (pattern, inner)
                    if longer.startswith(shorter):  # else no task ever gets there
                        found.setdefault(longer, schema)
            return found

    def handler(
        self,
        pattern: str,
        *,
        isolate: Isolation | None = None,
        retry_delay: RetryDelay | None = None,
        limit: Rate | str | None = None,
        max_active: int | None = None,
        limit_key: LimitKey | None = None,
    ) -> Callable[[H], H]:
        """Register the decorated function for *pattern*; the function itself is unchanged.

        Args:
            pattern: a task type, or the beginning of many.
            isolate: ``"process"`` runs it in a child process, which a timeout or a cancellation kills. It must be a
                function at the top level of a module; if it is async, it gets an event loop there. ``"thread"`` is
                what plain functions get by themselves.
            retry_delay: how long to wait after a failure, instead of the server's policy.
            limit: how often tasks of this pattern may start, on all servers together: ``"10/minute"``, or a `Rate`.
                A task that must wait is put back to ``scheduled`` until its turn; it holds no slot and spends no retry.
            max_active: how many of them may run at once, on all servers together; others wait in the same way.
            limit_key: counts both per key instead of for the whole pattern: the name of a field of the payload, or a
                function of the task. Tasks whose key is None are counted together.

        Raises:
            ConfigError: a blank pattern or one that is taken, a function that cannot run as asked, or a limit that
                cannot work.
        """
        _checked_pattern(pattern)

        def register(function: H) -> H:
            self.handle(
                pattern,
                function,
                isolate=isolate,
                retry_delay=retry_delay,
                limit=limit,
                max_active=max_active,
                limit_key=limit_key,
            )
            return function

        return register

    def task(
        self,
        pattern: str,
        *,
        isolate: Isolation | None = None,
        retry_delay: RetryDelay | None = None,
        limit: Rate | str | None = None,
        max_active: int | None = None,
        limit_key: LimitKey | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> Callable[[Callable[P, R]], TypedTask[P, R]]:
        """Register the decorated function for *pattern*, its arguments being the payload; see `TypedTask`.

        Args:
            pattern: the type of the tasks that ``function.task(...)`` makes.
            isolate: as for `handler`.
            retry_delay: as for `handler`.
            limit: as for `handler`.
            max_active: as for `handler`.
            limit_key: as for `handler`; the name of an argument, for one.
            options: defaults of these tasks, see `EnqueueOptions`; ``enqueue`` has the last word.

        Raises:
            ConfigError: as for `handler`; or the arguments cannot be a JSON object.
            InvalidTaskError: an option that cannot work.
        """
        _checked_pattern(pattern)
        resolved = resolve(options)

        def register(function: Callable[P, R]) -> TypedTask[P, R]:
            typed = TypedTask(function, pattern, resolved)
            self.handle(
                pattern,
                typed,
                isolate=isolate,
                retry_delay=retry_delay,
                limit=limit,
                max_active=max_active,
                limit_key=limit_key,
            )
            return typed

        return register

    def handle(
        self,
        pattern: str,
        handler: Handler | TypedTask[..., Any] | ServeMux,
        *,
        isolate: Isolation | None = None,
        retry_delay: RetryDelay | None = None,
        limit: Rate | str | None = None,
        max_active: int | None = None,
        limit_key: LimitKey | None = None,
    ) -> None:
        """Register *handler*, a function, a typed task or another mux, for *pattern*; arguments as for `handler`.

        Raises:
            ConfigError: as for `handler`; or a mux that would contain itself.
        """
        _checked_pattern(pattern)
        entry: Route | ServeMux
        limited = limit_of(limit, max_active, limit_key)
        if isinstance(handler, ServeMux):
            if isolate is not None or retry_delay is not None or limited is not None:
                raise ConfigError(
                    "isolate, retry_delay and limits belong to handlers; set them on those of the nested mux"
                )
            entry = handler
        else:
            entry = route_to(pattern, handler, isolate=isolate, retry_delay=retry_delay, limit=limited)
        with _LOCK:
            if pattern in self._entries:
                raise ConfigError(f"multiple registrations for {pattern!r}")
            if isinstance(entry, ServeMux):
                entry._join(self)
            self._entries[pattern] = entry
            self._lengths = sorted({len(known) for known in self._entries}, reverse=True)
            self._forget()

    def use(self, *middlewares: Middleware) -> None:
        """Put *middlewares* around every handler of this mux, those registered before and the not-found one included.

        The first one is the outermost; later calls add inside of earlier ones.

        Raises:
            ConfigError: a middleware that is not async, or does not take a task and ``next``.
        """
        checked = tuple(checked_middleware(middleware) for middleware in middlewares)
        with _LOCK:
            self._middlewares += checked
            self._forget()

    def middleware(self, function: M) -> M:
        """`use` as a decorator; the function itself is unchanged."""
        self.use(function)
        return function

    def not_found(self, function: H) -> H:
        """Make the decorated function the handler of tasks that match no pattern; the function itself is unchanged.

        Without one such a task fails with `HandlerNotFoundError` and is retried as after any failure.
        """
        route = route_to("", function)
        with _LOCK:
            self._not_found = route
            self._forget()
        return function

    def route(self, task_type: str) -> Route:
        """The route of tasks of this type; that of the not-found handler, whose pattern is empty, if nothing matches.

        On the hot path: one dictionary look-up for a type that was seen before.
        """
        return self._cache.get(task_type) or self._find(task_type)

    def _find(self, task_type: str) -> Route:
        with _LOCK:
            entry = self._match(task_type)
            found = entry.route(task_type) if isinstance(entry, ServeMux) else entry
            route = self._wrapped.get(found)
            if route is None:
                route = self._wrapped[found] = found.within(self._middlewares)
            if len(self._cache) >= CACHED_TYPES:
                self._cache.clear()
            self._cache[task_type] = route
            return route

    def _match(self, task_type: str) -> Route | ServeMux:
        for length in self._lengths:  # the whole type is its own longest prefix, so an exact match comes first
            entry = self._entries.get(task_type[:length])
            if entry is not None:
                return entry
        return self._not_found

    def _join(self, parent: ServeMux) -> None:
        if parent is self or parent._is_inside(self):
            raise ConfigError("a mux cannot contain itself")
        self._parents.add(parent)

    def _is_inside(self, other: ServeMux) -> bool:
        return any(parent is other or parent._is_inside(other) for parent in self._parents)

    def _forget(self) -> None:
        """Drop what was looked up before a registration, here and in the muxes around this one."""
        self._cache.clear()
        self._wrapped.clear()
        for parent in self._parents:
            parent._forget()


def _schema_of(route: Route) -> dict[str, Schema]:
    schema = route.typed.payload_schema if route.typed is not None else None
    return {} if schema is None else {route.pattern: schema}


async def _raise_not_found(task: Task) -> None:
    raise HandlerNotFoundError(task.type)


def _checked_pattern(pattern: str) -> None:
    if not isinstance(pattern, str):
        raise ConfigError(f"invalid pattern {pattern!r}: it must be text, as in @mux.handler('email:welcome')")
    if not pattern.strip():
        raise ConfigError(f"invalid pattern {pattern!r}: it must contain one or more characters")
