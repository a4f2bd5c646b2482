"""What type checkers see of muxes, handlers and typed tasks. Checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import assert_type

from asynqpy.handlers import HandlerKind, Next, Route
from asynqpy.limits import Rate
from asynqpy.mux import ServeMux
from asynqpy.task import Task

mux = ServeMux()


@mux.handler("image:resize")
async def resize(task: Task) -> None: ...


@mux.handler("report:build", isolate="process", retry_delay=lambda retried, error, task: timedelta(seconds=retried))
def build(task: Task) -> bytes:
    return task.payload


@mux.handler("one")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
async def not_a_task(user_id: int) -> None: ...


@mux.task("email:welcome", queue="critical", max_retry=5, timeout=30, isolate="process")
async def welcome(user_id: int, template: str = "v2") -> dict[str, bool]:
    return {"sent": True}


@mux.handler("limited", limit="10/minute", max_active=5, limit_key="tenant")
async def limited(task: Task) -> None: ...


@mux.task("limited:typed", limit=Rate("10/minute", burst=2), limit_key=lambda task: task.id, queue="low")
async def limited_typed(user_id: int) -> str:
    return "text"


@mux.task("add")
def add(a: int, *, b: int = 0) -> int:
    return a + b


@mux.middleware
async def timed(task: Task, next: Next) -> object:
    return await next(task)


@mux.not_found
async def fallback(task: Task) -> str:
    return task.type


async def awaited() -> None:
    """A raw handler stays the function it was; a typed task is called as its function."""
    assert_type(await resize(Task("a")), None)
    assert_type(await limited_typed(1), str)
    assert_type(await fallback(Task("a")), str)
    assert_type(await welcome(42, template="v3"), dict[str, bool])
    assert_type(await welcome.handle(Task("a")), dict[str, bool])


assert_type(build(Task("a")), bytes)
assert_type(add(1, b=2), int)
assert_type(add.handle(Task("a")), int)

# A typed task makes tasks of the arguments of its function, and of no others.
assert_type(welcome.task(42), Task)
assert_type(welcome.task(user_id=42, template="v3"), Task)
assert_type(add.task(1, b=2), Task)
assert_type(add.type, str)
welcome.task("42")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
welcome.task(user=42)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
welcome.task()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
add.task(1, 2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# The imperative forms.
mux.handle("a", resize)
mux.handle("b", build, isolate="thread")
mux.handle("c", welcome)
mux.handle("d", ServeMux())
mux.handle("e", add, isolate="process")
mux.handle("f", None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
mux.handle("g", build, isolate="threads")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
mux.task("h", retries=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
mux.task("i", queue=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
mux.use(timed, timed)
mux.use(resize)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# What a worker reads.
route = mux.route("email:welcome")
assert_type(route, Route)
assert_type(route.kind, HandlerKind)
assert_type(route.function, Callable[[Task], object])
assert_type(route.run, Callable[[Task], Awaitable[object]] | None)
assert_type(route.wrap(resize), Callable[[Task], Awaitable[object]])
assert_type(mux.patterns, tuple[str, ...])
